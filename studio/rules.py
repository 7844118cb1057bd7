"""Rules of a deployment: functions from a task to nothing that refuse by raising. Knows no model and no page.

What texts may not ask for stands in presets/rules.toml; how much one visitor may ask for at once stands here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from studio.errors import Refused
from studio.safety.book import Book
from studio.settings import ROOT
from studio.tasks import Compose, Inpaint, Narrate, Task, TextToImage, Write

Rule = Callable[[Task], None]

PUBLIC_PIXELS = 1024 * 1024
PUBLIC_STEPS = 50
PUBLIC_COUNT = 4
PUBLIC_TOKENS = 1024
PUBLIC_SECONDS = 120
PUBLIC_SOUND_STEPS = 100
PUBLIC_CHARACTERS = 5_000

ASKED: Mapping[str, tuple[str, ...]] = {
    "text_to_image": ("prompt", "blend_prompt"),
    "inpaint": ("prompt",),
    "music": ("prompt", "lyrics", "segments", "genre", "mood"),
    "narrate": ("text",),
    "write": ("prompt", "system", "author_note", "output_choices", "turns"),
}
"""The fields of each kind of task that say what to make: they are read as one text."""
GIVEN: Mapping[str, tuple[str, ...]] = {
    "write": ("document", "notes", "cards", "passages", "output_schema", "output_regex", "bias", "stop")
}
"""What a writer has before it: somebody's own work, which is read by the rules in a public studio alone."""
AVOIDED: Mapping[str, tuple[str, ...]] = {
    "text_to_image": ("negative_prompt",),
    "inpaint": ("negative_prompt",),
    "music": ("negative_prompt",),
    "write": ("negative_prompt", "ban"),
}
"""What to keep away from. It may name what a rule refuses; what holds everywhere is looked for phrase by phrase."""


def public_limits(task: Task) -> None:
    """What one visitor of a public studio may ask at once: it is shared."""
    match task:
        case TextToImage():
            if (task.width or 0) * (task.height or 0) > PUBLIC_PIXELS:
                raise Refused("This public studio makes pictures of at most 1024 x 1024 pixels: choose a smaller size.")
            _few(task.steps, PUBLIC_STEPS, task.count, "pictures")
        case Inpaint():
            _few(task.steps, PUBLIC_STEPS, task.count, "pictures")
        case Compose():
            if (task.duration or 0) > PUBLIC_SECONDS:
                raise Refused(f"This public studio makes music of at most {PUBLIC_SECONDS} seconds: choose a shorter duration.")
            _few(task.steps, PUBLIC_SOUND_STEPS, task.count, "takes")
        case Narrate():
            if len(task.text) > PUBLIC_CHARACTERS:
                raise Refused(f"This public studio reads {PUBLIC_CHARACTERS:,} characters at once: choose a shorter text.")
        case Write():
            if (task.max_new_tokens or 0) > PUBLIC_TOKENS:
                raise Refused(f"This public studio writes {PUBLIC_TOKENS} tokens at once: choose a shorter answer.")
        case _:
            pass


def content(book: Book, *, public: bool) -> Rule:
    """The rule that holds a task's words against a book of rules; what it refuses is said with the rule's id, never with the words."""

    def judge(task: Task) -> None:
        given = GIVEN.get(task.kind, ()) if public else ()
        _hold(book, _words(task, (*ASKED.get(task.kind, ()), *given)), task.medium, public=public)
        for phrase in re.split(r"[,;\n]", _words(task, AVOIDED.get(task.kind, ()))):
            _hold(book, phrase, task.medium, public=False)

    return judge


def rules(public: bool, presets: Path = ROOT / "presets") -> tuple[Rule, ...]:
    """The rules of this deployment, in the order in which they are asked. Raises ValueError for a broken file of rules."""
    words = content(Book.read(presets / "rules.toml"), public=public)
    return (public_limits, words) if public else (words,)


def _hold(book: Book, text: str, medium: str, *, public: bool) -> None:
    if text.strip() and (rule := book.broken(text, medium, public=public)) is not None:
        where = "The studio" if rule.everywhere else "This public studio"
        raise Refused(f"{where} does not make {rule.refuses} (rule {rule.id}): {rule.instead}.", rule.id)


def _words(task: Task, names: tuple[str, ...]) -> str:
    values = (getattr(task, name) for name in names)
    return "\n".join(value if isinstance(value, str) else "\n".join(value or ()) for value in values)


def _few(steps: int | None, most: int, count: int, what: str) -> None:
    if (steps or 0) > most:
        raise Refused(f"This public studio allows {most} steps: choose fewer.")
    if count > PUBLIC_COUNT:
        raise Refused(f"This public studio makes {PUBLIC_COUNT} {what} at once: choose a smaller count.")
