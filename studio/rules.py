"""Rules of a deployment: functions from a task to nothing that refuse by raising. Knows no model and no page."""

from __future__ import annotations

from collections.abc import Callable

from studio.errors import Refused
from studio.tasks import Compose, Inpaint, Narrate, Task, TextToImage, Write

Rule = Callable[[Task], None]

PUBLIC_PIXELS = 1024 * 1024
PUBLIC_STEPS = 50
PUBLIC_COUNT = 4
PUBLIC_TOKENS = 1024
PUBLIC_SECONDS = 120
PUBLIC_SOUND_STEPS = 100
PUBLIC_CHARACTERS = 5_000


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


def rules(public: bool) -> tuple[Rule, ...]:
    """The rules of this deployment."""
    return (public_limits,) if public else ()


def _few(steps: int | None, most: int, count: int, what: str) -> None:
    if (steps or 0) > most:
        raise Refused(f"This public studio allows {most} steps: choose fewer.")
    if count > PUBLIC_COUNT:
        raise Refused(f"This public studio makes {PUBLIC_COUNT} {what} at once: choose a smaller count.")
