"""From a message to its answer: the task of a conversation, its run as the page follows it, and how it is kept.

A message is read with the notes, cards, voice and sources of its document, by the same switches as any other run. Knows the form, the
documents and their conversations; knows no layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.creations import Creation
from studio.errors import InvalidInput, StudioError
from studio.tasks import TEXT_LIMIT, TURNS_LIMIT, Task, Write
from studio.writing.chats import Chats, Turn, said
from studio.writing.prose import SAMPLERS
from tabs import _asking, _context, _context_bar, _editor, _models, _sources, _status
from tabs._form import Form
from tabs._run import Run, Shown

SYSTEM = "You are a helpful writing partner. Answer what is asked in its own language, plainly and briefly."
SEES = ("", "selection", "document")
"""What of the document a message is asked about: nothing of it, what is selected, or the whole."""
TAKEN = (
    "model", "max_new_tokens", *SAMPLERS, "ban", "bias", "stop", "text_mark", "seed", "notes", "author_note", "note_depth"
)  # fmt: skip
"""What the form says of the writer, for a conversation too."""
MOST = 4
"""Answers at once."""
MESSAGES = 500
RECENT = 48
"""Creations among which the answer to a page that was left is looked for."""


class Visit(_asking.Visit):
    """A request of the chat."""

    @property
    def chats(self) -> Chats:
        return self.desk.studio.library.manuscripts.chats

    @property
    def chat(self) -> str:
        return _editor.id_of(self.data, "chat")

    @property
    def parent(self) -> tuple[Turn, ...]:
        """The messages before the one that is asked."""
        return self.chats.line(self.chat, *self.seen, _editor.id_of(self.data, "parent")) if self.chat else ()


@dataclass(frozen=True)
class Talks:
    """The runs of conversations; `context` and `sources` are the panels of what a run of the document reads, too."""

    form: Form
    context: _context.ContextPanel
    sources: _sources.SourcesPanel

    def go(self, event: gr.EventData, request: gr.Request, *shown: Any) -> Iterator[tuple[Any, Any, Any]]:
        """A message is sent: moments of its answer for the chat, the verdicts on what it cites, and the line of progress.

        What fails takes the message back.
        """
        visit = Visit(self.form, request, _mapping(_asking.told(event)))
        try:
            asked = self.asked(visit, dict(zip(self.form.fields, shown, strict=True)))
            turn = visit.chats.ask(visit.chat, *visit.seen, _editor.id_of(visit.data, "parent"), asked.prompt, _sees(visit))
        except StudioError as error:
            yield _failed(str(error)), gr.skip(), _status.message(str(error), "error")
            return
        yield from self._answered(visit, turn, lambda: self.form.started(asked, request))

    def follow(self, event: gr.EventData, request: gr.Request) -> Iterator[tuple[Any, Any, Any]]:
        """A page finds a message without an answer: if that is being written, it follows."""
        visit = Visit(self.form, request, _mapping(_asking.told(event)))
        found = self.form.studio.join(Write.kind, *self.form.owner(request))
        try:
            line = visit.chats.line(visit.chat, *visit.seen)
        except StudioError:
            line = ()
        if found is None or not line or not _same(found[0], line):
            yield _value(visit.chat, "", {}, over=True), gr.skip(), gr.skip()  # over by now: the page looks again
            return
        run = Run(found[0], found[1], request, found[2])
        yield from self._answered(visit, line[-1], lambda: run)

    def look(self, event: gr.EventData, request: gr.Request, *shown: Any) -> str:
        """What the writer would read, as a bar of tokens."""
        visit = Visit(self.form, request, _mapping(_asking.told(event)))
        values = dict(zip(self.form.fields, shown, strict=True))
        try:
            asked = self.asked(visit, values, visit.words("message").strip() or "…")
            return _context_bar.bar(self.form.studio.context(asked), self.form.studio.card_for(asked).name)
        except StudioError as error:
            return _status.note(str(error))

    def asked(self, visit: Visit, shown: Mapping[str, Any], message: str = "") -> Write:
        """The task of a message. Raises StudioError."""
        card = _models.picked(self.form.studio, str(shown.get("model") or ""), Write.kind)
        values = {name: shown.get(name) for name in TAKEN if name not in card.ignores}
        if visit.data.get("again"):
            values["seed"] = None
        count = visit.data.get("count")
        fields = {
            **values, "prompt": message or visit.words("message"), "system": SYSTEM, "turns": _within(said(visit.parent)),
            "document": self._read(visit), "count": count if isinstance(count, int) and 1 <= count <= MOST else 1,
        }  # fmt: skip
        fields = self.context.prepare(fields, visit.request)
        return Write.checked(self.sources.prepare(fields, visit.request))

    def recovered(self, visit: Visit, line: Sequence[Turn]) -> bool:
        """Keep the answer to the last message that came when no page was there; whether it is being written still."""
        if not line or line[-1].answer:
            return False
        found = self.form.studio.join(Write.kind, *self.form.owner(visit.request))
        if found is not None and _same(found[0], line):
            return True
        made = self.form.studio.library.list(Write.kind, *visit.seen, RECENT)
        fitting = [one for one in reversed(made) if one.created >= line[-1].created and _answers(one, line)]
        visit.chats.answered(visit.chat, *visit.seen, line[-1].id, _texts(fitting))
        return False

    def _answered(self, visit: Visit, turn: Turn, begun: Any) -> Iterator[tuple[Any, Any, Any]]:
        takes: dict[int, str] = {}

        def draw(moment: Shown) -> tuple[Any, ...]:
            takes.update({item: creation.text or "" for item, creation in enumerate(moment.creations, 1)})
            if moment.preview is not None and moment.preview.text is not None and moment.preview.item > len(moment.creations):
                takes[moment.preview.item] = moment.preview.text
            if moment.over:
                self._keep(visit, turn, moment.creations)
            return _value(visit.chat, turn.id, takes, over=moment.over), self._cited(moment) if moment.over else gr.skip()

        try:
            yield from self.form.watched(begun, 2, draw, visit.request)
        except gr.Error as error:
            visit.chats.drop(visit.chat, *visit.seen, turn.id)
            yield _failed(str(error.message)), gr.skip(), gr.skip()

    def _keep(self, visit: Visit, turn: Turn, creations: Sequence[Creation]) -> None:
        try:
            texts = _texts(creations)
            if texts:
                visit.chats.answered(visit.chat, *visit.seen, turn.id, texts)
            else:  # stopped before the first word
                visit.chats.drop(visit.chat, *visit.seen, turn.id)
        except StudioError:  # deleted meanwhile: the answer is in the library
            return

    def _cited(self, moment: Shown) -> Any:
        """What the passages say of the answers that cite them; their numbers are the document's from now on."""
        passages = moment.asked.passages if isinstance(moment.asked, Write) else ""
        text = "\n\n".join(creation.text or "" for creation in moment.creations)
        return self.sources.checked(text, moment.request, passages) if passages and text.strip() else gr.skip()

    def _read(self, visit: Visit) -> str:
        """What the message is about of the document, at most as much as a task takes: its end."""
        sees, id = _sees(visit), _editor.id_of(visit.data)
        if not sees or not id:
            return ""
        text = self.form.studio.library.manuscripts.open(id, *visit.seen).text
        if sees == "selection":
            text = _editor.part(visit.data, text)
            if not text.strip():
                raise InvalidInput("Nothing is selected: select the words that you mean, or let it see the whole document.")
        return text[-TEXT_LIMIT:]


def _value(chat: str, turn: str, takes: Mapping[int, str], *, over: bool, error: str = "") -> dict[str, Any]:
    listed = [takes[item] for item in sorted(takes)]
    return {"run": {"chat": chat, "turn": turn, "takes": listed, "over": over, "error": error}}


def _failed(words: str) -> dict[str, Any]:
    return _value("", "", {}, over=True, error=words)


def _sees(visit: Visit) -> str:
    sees = visit.words("sees")
    return sees if sees in SEES else ""


def _mapping(data: object) -> Mapping[str, Any]:
    return data if isinstance(data, Mapping) else {}


def _within(turns: tuple[str, ...]) -> tuple[str, ...]:
    """As many of the newest messages as a task takes; the writer reads fewer yet."""
    turns = turns[-2 * MESSAGES :]
    while sum(map(len, turns)) > TURNS_LIMIT:
        turns = turns[2:]
    return turns


def _texts(creations: Sequence[Creation]) -> list[tuple[str, str]]:
    return [(creation.text, creation.id) for creation in creations if creation.text and creation.text.strip()]


def _same(asked: Task, line: Sequence[Turn]) -> bool:
    """Whether a run is of the last message of a line."""
    return isinstance(asked, Write) and asked.turns == _within(said(line[:-1])) and asked.prompt == line[-1].message


def _answers(creation: Creation, line: Sequence[Turn]) -> bool:
    asked = creation.record.get("asked")
    if not isinstance(asked, Mapping) or not isinstance(turns := asked.get("turns"), list):
        return False
    return asked.get("prompt") == line[-1].message and tuple(map(str, turns)) == _within(said(line[:-1]))
