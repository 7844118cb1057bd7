"""From a wish in the editor to a run and back: the fields of the task out of a place in the document, and the takes for that place.

Knows the form, the actions and where a document is kept; knows no layout and nothing of what the editor does with a take.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import gradio as gr

from studio.creations import Creation
from studio.errors import InvalidInput
from studio.models import ModelCard
from studio.tasks import TEXT_LIMIT, Task, Write
from studio.writing.actions import LONGEST, Action
from tabs import _editor, _models
from tabs._context import ContextPanel
from tabs._editor import Asked
from tabs._form import Form
from tabs._run import Shown
from tabs._sources import SourcesPanel

INSTRUCTION = "write"
"""The action of those who say what they want in words of their own."""
CONTINUE = "continue"
"""The action that the editor asks for when another word was chosen."""
OF_THE_INSTRUCTION = ("document", "output_schema", "output_regex", "output_choices", "guidance_scale", "negative_prompt", "stop")
"""What the form shows for the instruction, and an action has no use for."""
KEPT = 64
"""Runs that are remembered, of all pages."""


@dataclass
class _Known:
    """A run that was prepared here: what was asked, for whom, and its place. `run` is its id, `made` are its creations.

    `shown`: its page has seen its end.
    """

    asked: Task
    owner: str
    session: str
    wish: Asked
    begun: datetime
    run: str = ""
    made: tuple[str, ...] = ()
    shown: bool = False


@dataclass
class Runs:
    """The runs of the writing tab: which place of which document each is for, and its takes so far."""

    form: Form
    actions: Mapping[str, Action]
    context: ContextPanel
    sources: SourcesPanel
    _known: OrderedDict[int, _Known] = field(default_factory=OrderedDict[int, _Known])
    _takes: OrderedDict[str, dict[int, dict[str, Any]]] = field(default_factory=OrderedDict[str, dict[int, dict[str, Any]]])
    _pages: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict[tuple[str, str], None])
    _fresh: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    _count: int = 0

    def prepare(self, data: object, shown: Mapping[str, Any], request: gr.Request) -> tuple[Write, Asked, str]:
        """The task out of what the editor sent and what the form shows, its place, and what is to be said of it. Raises StudioError."""
        kept = self.form.studio.library.manuscripts.open(_editor.id_of(data), *self.form.seen(request))
        wish = _editor.asked(data, kept.text)
        action = self.actions.get(wish.action)
        if wish.action != INSTRUCTION and action is None:
            raise InvalidInput("There is no such action here: reload the page.")
        card = _models.picked(self.form.studio, str(shown.get("model") or ""), Write.kind)
        if action is not None and (why := action.needs(card, self.form.studio.cards, wish.choice)):
            if action.name != CONTINUE or not str(shown.get("prompt") or "").strip():
                raise InvalidInput(why)
            action = None  # it goes on by the instruction
        fields = asked_fields(wish, kept.text, action, shown, card)
        fields = self.context.prepare(fields, request)
        if action is None or action.result == "insert":  # what changes given words reads nothing else
            fields = self.sources.prepare(fields, request)
        page = self.form.owner(request)
        if page in self._fresh:
            self._fresh.discard(page)
            fields = {**fields, "seed": None}
        asked = Write.checked(fields)
        self.begin(asked, wish, request)
        read = len(asked.document)
        notice = f"The text is long: its last {read:,} characters before the cursor are read." if action is None and wish.end > read else ""
        return asked, wish, notice

    def begin(self, asked: Task, wish: Asked, request: gr.Request) -> None:
        """Remember where the answer to `asked` belongs."""
        owner, session = self.form.owner(request)
        self._count += 1
        self._known[self._count] = _Known(asked, owner, session, wish, datetime.now(UTC))
        while len(self._known) > KEPT:
            self._known.popitem(last=False)

    def again(self, document: str, request: gr.Request) -> str:
        """What the page does for another take of its last run on this document, as JSON; the next run gets a seed of its own."""
        owner, session = page = self.form.owner(request)
        found = (k for k in reversed(self._known.values()) if (k.owner, k.session, k.wish.document) == (owner, session, document))
        known = next(found, None)
        if known is None:
            raise InvalidInput("There is nothing to write once more yet: press Write, or choose an action.")
        kept = self.form.studio.library.manuscripts.open(document, *self.form.seen(request))
        head = next(
            (v for v in self.form.studio.library.manuscripts.tree(document, *self.form.seen(request)) if v.id == kept.version), None
        )
        undo = head is not None and bool(head.creation) and head.creation in known.made
        self._fresh.add(page)
        place, wish = known.wish.place, known.wish
        return json.dumps({"undo": undo, "action": wish.action, "start": place["start"], "end": place["end"], "choice": wish.choice,
                           "words": wish.words})  # fmt: skip

    def drawn(self, moment: Shown) -> tuple[Any, ...]:
        """A moment of a run: the text so far (the document with the first take behind it), and the editor's value.

        A page that follows a run begun elsewhere is shown it once a document is open there.
        """
        assert isinstance(moment.asked, Write)
        known = self._of(moment.asked, moment.request)
        takes = self._moved(moment)
        page = self.form.owner(moment.request)
        seen = known is None or page == (known.owner, known.session) or page in self._pages
        if known is not None:
            known.run, known.made = moment.run, tuple(creation.id for creation in moment.creations)
            known.shown = moment.over and seen
        if moment.over:
            self._takes.pop(moment.run, None)
        listed = [takes[item] for item in sorted(takes)]
        text = ("" if moment.asked.turns is not None else moment.asked.document) + (listed[0]["text"] if listed else "")
        return text, self._value(moment.run, known, listed, moment) if seen else gr.skip()

    def cited(self, written: str, request: gr.Request) -> Any:
        """What the passages say of the sentences that cite them, once a run of this page is over that was given any."""
        page = self.form.owner(request)
        known = next((known for known in reversed(self._known.values()) if (known.owner, known.session) == page), None)
        passages = known.asked.passages if known is not None and isinstance(known.asked, Write) else ""
        return self.sources.checked(written or "", request, passages) if passages else gr.skip()

    def closed(self, request: gr.Request) -> Any:
        """For a run of this page that went wrong on its way: the editor's value that ends it, with what there was of it."""
        owner, session = self.form.owner(request)
        known = next((k for k in reversed(self._known.values()) if (k.owner, k.session) == (owner, session)), None)
        if known is None or known.shown or not known.run:
            return gr.skip()
        known.shown = True
        takes = self._takes.pop(known.run, {})
        return self._value(known.run, known, [takes[item] for item in sorted(takes)])

    def opened(self, document: str, request: gr.Request) -> dict[str, Any]:
        """A page shows a document: the run for it that went on after its page was left, if it is over by now; told once."""
        owner, session = page = self.form.owner(request)
        self._pages[page] = None
        while len(self._pages) > 4 * KEPT:
            self._pages.popitem(last=False)
        if self.form.studio.settings.public or self.form.studio.join(Write.kind, owner, session) is not None:
            return {}
        for known in reversed(self._known.values()):
            if known.owner != owner or known.shown or known.wish.document != document:
                continue
            if made := [creation for creation in self.form.recent(request) if _answers(creation, known)]:
                known.shown = True
                takes = [_take(k, creation) for k, creation in enumerate(reversed(made), 1)]
                return self._value(known.run or made[0].id, known, takes)
        return {}

    def _of(self, asked: Task, request: gr.Request) -> _Known | None:
        """What was remembered of a run: this page's, else (a page that came later) its owner's."""
        owner, session = self.form.owner(request)
        mine = [known for known in reversed(self._known.values()) if known.owner == owner and known.asked == asked]
        return next((known for known in mine if known.session == session), mine[0] if mine else None)

    def _moved(self, moment: Shown) -> dict[int, dict[str, Any]]:
        takes = self._takes.setdefault(moment.run, {})
        while len(self._takes) > KEPT:
            self._takes.popitem(last=False)
        takes.update({item: _take(item, creation) for item, creation in enumerate(moment.creations, 1)})
        preview = moment.preview
        if preview is not None and preview.text is not None and preview.item > len(moment.creations):
            takes[preview.item] = {"item": preview.item, "text": preview.text, "creation": ""}
        return takes

    def _value(self, run: str, known: _Known | None, takes: list[dict[str, Any]], moment: Shown | None = None) -> dict[str, Any]:
        wish = known.wish if known else None
        joined = known is not None and (moment is None or self.form.owner(moment.request)[1] != known.session)
        stopped = any(take.get("finish") == "stopped" for take in takes)
        count = moment.asked.count if moment is not None and isinstance(moment.asked, Write) else len(takes)
        return {"run": {
            "id": run, "action": wish.action if wish else "", "place": dict(wish.place) if wish else None, "count": count, "takes": takes,
            "over": moment is None or moment.over, "stopped": stopped, "joined": joined, "error": "",
        }}  # fmt: skip


def asked_fields(wish: Asked, text: str, action: Action | None, shown: Mapping[str, Any], card: ModelCard) -> dict[str, Any]:
    """The fields of the task: those that the form shows, and on top of them what an action says at this place of the text.

    Without an action the instruction is followed, and the text goes on at the cursor. What the model has no use for is left out of an
    action. Raises InvalidInput where there is nothing to do, or too much.
    """
    if action is None:
        return {**shown, "document": text[: wish.end][-TEXT_LIMIT:]}
    meant = text if action.on == "document" else text[wish.start : wish.end]
    longest = int(card.limits.get("max_new_tokens", (1, LONGEST))[1])
    found = action.fields(meant, text[: wish.start], wish.choice, wish.words, longest)
    usual = {name: value for name, value in shown.items() if name not in OF_THE_INSTRUCTION}
    return {**usual, **{name: value for name, value in found.items() if name not in card.ignores}}


def sent(asked: Task) -> list[Any]:
    """A task as the form's components send it, in the order of its fields."""
    values = (getattr(asked, name) for name in type(asked).model_fields)
    return ["\n".join(value) if isinstance(value, tuple) else value for value in values]


def _take(item: int, creation: Creation) -> dict[str, Any]:
    facts = creation.record.get("facts")
    facts = facts if isinstance(facts, Mapping) else {}
    words = facts.get("words")
    more = {"words": words} if isinstance(words, list) and words else {}
    return {"item": item, "text": creation.text or "", "creation": creation.id, "finish": facts.get("finish") or "", **more}


def _answers(creation: Creation, known: _Known) -> bool:
    same = creation.record.get("asked") == known.asked.model_dump(mode="json")
    return same and datetime.fromisoformat(creation.created) >= known.begun
