"""The part of the writing tab that says what a writer reads: a bar of tokens, and the notes, cards, voice and author's note.

What stands here belongs to the document: it is kept with it and comes back with it. `prepare` turns it into fields of the task before a
run. Knows the form and where documents are kept; knows no editor and no run.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.events import api

from studio.creations import Json
from studio.errors import StudioError
from studio.tasks import TEXT_LIMIT, Write
from studio.writing import lore, lore_files, voice
from studio.writing.context import LEADS, LONGEST, SHARES, Assembled
from studio.writing.lore import Fired, Skipped
from tabs import _context_bar, _context_parts, _fields, _status
from tabs._context_parts import OWN
from tabs._form import QUIET, Form

STYLE = "writing/context.css"
"""In assets/."""
KEPT = "context"
"""The name of what stands here among the fields of a document."""
WATCHED = ("prompt", "system", "document", "passages", "model", "max_new_tokens")
"""Other fields of the task that change what is read."""
PAUSE = "(...values) => new Promise((done) => setTimeout(() => done(values), 400))"
"""Waits for a pause in typing; the last change is always drawn."""
PAGES = 256
SOURCE_LIMIT = 500_000
"""Characters of all cards as they are written."""


@dataclass
class ContextPanel:
    """`outputs` are the components that `show` gives values for; `others` are panels whose fields the bar counts, too."""

    form: Form
    manuscript: gr.Textbox
    parts: _context_parts.Parts
    others: list[Any] = field(default_factory=list[Any])
    _pages: OrderedDict[tuple[str, str], Mapping[str, Any]] = field(default_factory=OrderedDict[tuple[str, str], Mapping[str, Any]])

    @property
    def outputs(self) -> list[Any]:
        return [self.parts.fields[name] for name in OWN]

    def show(self, fields: Mapping[str, Any]) -> list[Any]:
        """The values of `outputs` for a document's fields."""
        kept = fields.get(KEPT)
        kept = kept if isinstance(kept, Mapping) else {}
        return [kept.get(name, usual) for name, usual in OWN.items()]

    def prepare(self, values: Mapping[str, Any], request: gr.Request) -> dict[str, Any]:
        """The fields of a run, with the cards that apply and the voice that this page has chosen. Raises StudioError."""
        held = self._pages.get(self.form.owner(request), {})
        return self._with_voice(self._with_cards(values, held)[0], held, request)

    def listen(self, *triggers: Any) -> None:
        """More events that change what is read."""
        names = [name for name in WATCHED if name in self.form.fields]
        watched = [self.manuscript, *(self.form.fields[name] for name in names), *self.outputs]

        def drawn(request: gr.Request, id: str, *values: Any) -> tuple[str, str]:
            said = dict(zip((*names, *OWN), values, strict=True))
            return self._drawn(said, id or "", request)

        bar = [self.parts.bar, self.parts.said]
        gr.on(list(triggers), drawn, watched, bar, js=PAUSE, trigger_mode="always_last", **QUIET)

    def wire(self) -> None:
        """Keep what is typed with its document, bring it back with another one, and draw the bar at each change."""
        own, document = self.outputs, self.parts.document
        names = [name for name in WATCHED if name in self.form.fields]
        changed = [each.change for each in (self.manuscript, *(self.form.fields[name] for name in names), *own)]
        self.manuscript.change(self._opened, [self.manuscript, document, *own], [document, *own], **QUIET)
        gr.on([each.change for each in own], self._keep, [document, *own], self.parts.kept, trigger_mode="always_last", **QUIET)
        self.listen(*changed)
        _context_parts.wire(self.form, self.parts)
        api(self._asked, api_name="write_context", api_description="What a model would read: tokens by source, and why some not.")

    def _opened(self, request: gr.Request, id: str, before: str, *values: Any) -> list[Any]:
        """Another document is on the page: what is kept with it. A new one takes over what stood here without a document."""
        try:
            found = self.form.studio.library.manuscripts.open(id, *self.form.seen(request)) if id else None
        except StudioError:
            return ["", *(gr.skip() for _ in values)]
        fields = found.fields if found else {}
        if not before and found and KEPT not in fields and not found.undo:
            self._keep(request, id, *values)
            return [id, *(gr.skip() for _ in values)]
        return [id, *self.show(fields)]

    def _keep(self, request: gr.Request, id: str, *values: Any) -> str:
        """Remember what stands on this page, for its next run, and keep it with its document."""
        held = {name: usual if value is None else value for (name, usual), value in zip(OWN.items(), values, strict=True)}
        if len(held["cards"]) > SOURCE_LIMIT:
            return _status.message(f"All cards together may have {SOURCE_LIMIT:,} characters: shorten or delete some.", "error")
        page = self.form.owner(request)
        self._pages[page] = held
        self._pages.move_to_end(page)
        while len(self._pages) > PAGES:
            self._pages.popitem(last=False)
        try:
            Write.checked({"prompt": "-", "notes": held["notes"], "author_note": held["author_note"], "note_depth": held["note_depth"]})
            for start in range(0, len(held["cards"]), TEXT_LIMIT):
                Write.checked({"prompt": "-", "cards": held["cards"][start : start + TEXT_LIMIT]})
            if id:
                self._store(id, held, request)
        except StudioError as error:
            return _status.message(str(error), "error")
        return ""

    def _store(self, id: str, held: Mapping[str, Json], request: gr.Request) -> None:
        manuscripts, seen = self.form.studio.library.manuscripts, self.form.seen(request)
        kept = {name: value for name, value in held.items() if value != OWN[name]}
        if (manuscripts.open(id, *seen).fields.get(KEPT) or {}) != kept:
            manuscripts.set_fields(id, *seen, {KEPT: kept})

    def _drawn(self, said: Mapping[str, Any], id: str, request: gr.Request) -> tuple[str, str]:
        """The bar, and the cards that apply."""
        values = {name: said[name] for name in Write.model_fields if name in said and name != "cards"}
        values["prompt"] = values.get("prompt") or "…"
        listed = ""
        try:
            values["document"] = (values.get("document") or self._text(id, request))[-TEXT_LIMIT:]
            values, fired, skipped = self._with_cards(values, said)
            listed = _context_bar.cards(fired, skipped)
            values = self._with_voice(values, said, request)
            for other in self.others:
                values = other.prepare(values, request)
            asked = Write.checked(values)
            return _context_bar.bar(self.form.studio.context(asked), self.form.studio.card_for(asked).name), listed
        except StudioError as error:
            return _status.note(str(error)), listed

    def _text(self, id: str, request: gr.Request) -> str:
        return self.form.studio.library.manuscripts.open(id, *self.form.seen(request)).text if id else ""

    def _with_cards(self, values: Mapping[str, Any], held: Mapping[str, Any]) -> tuple[dict[str, Any], Sequence[Fired], Sequence[Skipped]]:
        found = lore_files.parse(str(held.get("cards") or "")[:SOURCE_LIMIT])
        if not found:
            return dict(values), (), ()
        count, most = self._counting(values)
        fired, skipped = lore.fire(
            found, str(values.get("document") or ""), _asked_of(values), count,
            min(most, _number(held, "card_budget") or most), _number(held, "card_depth"), _number(held, "card_levels"),
        )  # fmt: skip
        return {**values, "cards": lore.text(fired)}, fired, skipped

    def _counting(self, values: Mapping[str, Any]) -> tuple[Any, int]:
        """What counts tokens for the chosen writer, and how many cards may have; where no writer can say, an estimate."""
        studio = self.form.studio
        try:
            card = studio.card_for(Write.checked({"prompt": "-", "model": values.get("model")}))
            words, holds = studio.words(card)
        except StudioError:
            return lambda text: len(text) // 3 + 1, LONGEST
        longest = int(values.get("max_new_tokens") or card.defaults.get("max_new_tokens") or LONGEST)
        lead = len(words.tokens(f"{LEADS['cards']}\n\n")) + 8
        return lambda text: len(words.tokens(text)), max(0, int((holds - min(longest, holds // 2)) * SHARES["cards"]) - lead)

    def _with_voice(self, values: Mapping[str, Any], held: Mapping[str, Any], request: gr.Request) -> dict[str, Any]:
        found = self.form.studio.voices.of(*self.form.seen(request)).get(str(held.get("voice") or ""))
        return {**values, "system": voice.system(found, str(values.get("system") or ""))} if found else dict(values)

    def _asked(
        self, prompt: str, document: str = "", system: str = "", notes: str = "", cards: str = "", passages: str = "",
        author_note: str = "", note_depth: int = 80, model: str = "", max_new_tokens: int | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        given = {
            "prompt": prompt, "document": document, "system": system, "notes": notes, "cards": cards, "passages": passages,
            "author_note": author_note, "note_depth": note_depth, "model": model, "max_new_tokens": max_new_tokens,
        }  # fmt: skip
        try:
            return as_json(self.form.studio.context(Write.checked(given)))
        except StudioError as error:
            raise gr.Error(str(error), print_exception=False) from None


def build(form: Form, manuscript: gr.Textbox) -> ContextPanel:
    """Lay out the panel and wire it. Made after the other fields of the form; `manuscript` holds the id of the document on the page."""
    with gr.Column(elem_classes="context"):
        parts = _context_parts.laid_out(form)
    form.add("cards", _fields.text(Write, "cards", visible="hidden"))
    panel = ContextPanel(form, manuscript, parts)
    panel.wire()
    return panel


def as_json(found: Assembled) -> dict[str, Any]:
    """What the bar shows, as data."""
    parts = [{"source": part.source, "tokens": part.tokens, "left_out": part.left_out, "why": part.why} for part in found.parts]
    return {"read": len(found.tokens), "room": found.room, "cut": found.cut, "parts": parts}


def _asked_of(values: Mapping[str, Any]) -> list[str]:
    """Where keys of cards are looked for beside the document: what is asked, what is always read, and what was said last."""
    turns = values.get("turns")
    said = turns[-2:] if isinstance(turns, tuple) else ()
    return [*(str(values.get(name) or "") for name in ("prompt", "notes", "author_note")), *said]


def _number(held: Mapping[str, Any], name: str) -> int:
    value = held.get(name)
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e6 else int(OWN[name] or 0)
