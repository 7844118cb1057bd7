"""The fields of the panel that says what a writer reads, laid out, and the presses that bring, take and keep cards and voices.

Knows the form; knows no bar and no document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import MediaUnreadable, StudioError
from studio.tasks import Write
from studio.writing import lore, lore_files, voice
from tabs import _fields, _form, _status
from tabs._form import PRIVATE, QUIET, Form

OWN: Mapping[str, Any] = {
    "notes": "",
    "author_note": "",
    "note_depth": 80,
    "cards": "",
    "card_depth": lore.DEPTH,
    "card_budget": None,
    "card_levels": 0,
    "voice": "",
}
"""What is kept with a document, and what it is where nothing was said."""
CARDS = "# Ana\nkeys: Ana, the girl\nnot: Ana Maria\nAna is nine years old and fears nothing."
HOW = (
    "A card is read when one of its keys is in the text. Each begins with “# ” and its title; the lines under it may say keys:, and:, "
    "not:, pattern:, always, off or priority: 5; the rest is what the writer reads."
)


@dataclass(frozen=True)
class Parts:
    """The components that events join; `fields` by the names of OWN. `document` holds the id of the document that they are of."""

    fields: Mapping[str, Any]
    bar: gr.HTML
    said: gr.HTML
    kept: gr.HTML
    document: gr.Textbox
    cards: Mapping[str, Any]
    voices: Mapping[str, Any]


def laid_out(form: Form) -> Parts:
    """Bar, notes, author's note, cards and voice, from top to bottom."""
    bar = gr.HTML(elem_classes=["quiet", "tokens-said"], padding=False)
    kept = gr.HTML(elem_classes="status", padding=False)
    fields: dict[str, Any] = {}
    with gr.Accordion("Notes", open=False):
        fields["notes"] = form.add("notes", _fields.text(Write, "notes", lines=3, info="Always read with the text.",
                                   placeholder="What must not be forgotten: who is who, what has happened, what it is for."))  # fmt: skip
    with gr.Accordion("Author's note", open=False):
        note = _fields.text(Write, "author_note", lines=2, info="Read near the end of the text, so that it weighs more.",
                            placeholder="For example: it is night, and the rain has not stopped.")  # fmt: skip
        fields["author_note"] = form.add("author_note", note)
        fields["note_depth"] = form.add("note_depth", _fields.number(Write, "note_depth", info="So many tokens before the end."))
    with gr.Accordion("Cards", open=False):
        cards, said = _cards(fields)
    with gr.Accordion("Voice", open=False):
        voices = _voices(fields)
    return Parts(fields, bar, said, kept, gr.Textbox(visible="hidden"), cards, voices)


def _cards(fields: dict[str, Any]) -> tuple[dict[str, Any], gr.HTML]:
    fields["cards"] = gr.Textbox(label="Cards", info=HOW, placeholder=CARDS, lines=8, max_lines=24)
    said = gr.HTML(elem_classes=["quiet", "cards-said"], padding=False)
    with gr.Row():
        fields["card_depth"] = _number("Look back", "Characters of the text in which keys are looked for.", lore.DEPTH, lore.DEEPEST)
        fields["card_budget"] = _number("Most tokens", "Of all cards; empty: a quarter of what is read.", None, 100_000)
        fields["card_levels"] = _number("Cards call cards", "So many times over; 0: never.", 0, lore.LEVELS)
    given = gr.File(label="Bring cards (a lorebook or world info as JSON)", file_types=[".json"], height=110, type="filepath")
    export = gr.Button("Take the cards along", size="sm")
    taken = gr.File(label="Your cards", interactive=False, visible=False)
    told = gr.HTML(elem_classes="status", padding=False)
    return {"given": given, "export": export, "taken": taken, "told": told}, said


def _voices(fields: dict[str, Any]) -> dict[str, Any]:
    info = "The writer is told to sound like this. Large models follow a voice closely, small ones loosely."
    fields["voice"] = _fields.Dropdown([("None", "")], value="", label="Voice", info=info)
    sample = gr.Textbox(label="Sample", lines=4, max_lines=10, placeholder="Some hundred words in the voice that is wanted.")
    hear = gr.Button("Describe this voice", size="sm")
    description = gr.Textbox(label="Description", lines=3, max_lines=10, info="Change it as you like.")
    example = gr.Textbox(label="Example", lines=2, max_lines=6, info=f"Read along with the description; {voice.EXAMPLE_LIMIT} characters.")
    with gr.Row(elem_classes="seed"):
        name = gr.Textbox(label="Name", max_lines=1, min_width=120)
        save = gr.Button("Keep this voice", size="sm", min_width=110)
        delete = gr.Button("Delete the chosen voice", size="sm", min_width=110)
    told = gr.HTML(elem_classes="status", padding=False)
    return {"sample": sample, "hear": hear, "description": description, "example": example, "name": name, "save": save,
            "delete": delete, "told": told}  # fmt: skip


def _number(label: str, info: str, value: int | None, most: int) -> Any:
    return _fields.Number(label=label, info=info, value=value, minimum=0, maximum=most, precision=0, min_width=120)


def wire(form: Form, parts: Parts) -> None:
    """The presses of cards and voices."""
    cards, listed = parts.cards, parts.fields["cards"]
    cards["given"].upload(_bring, [cards["given"], listed], [listed, cards["given"], cards["told"]], concurrency_limit=1, **PRIVATE)
    cards["export"].click(_take, listed, [cards["taken"], cards["told"]], **QUIET)
    voices, chosen = parts.voices, parts.fields["voice"]

    def choices(request: gr.Request, value: str) -> Any:
        mine = list(form.studio.voices.of(*form.seen(request)))
        return gr.Dropdown(choices=[("None", ""), *((name, name) for name in mine)], value=value if value in mine else "")

    def listed_voices(value: str, request: gr.Request) -> Any:
        return choices(request, value or "")

    def keep(name: str, description: str, example: str, request: gr.Request) -> tuple[Any, str]:
        try:
            kept = form.studio.voices.save(name or "", description or "", example or "", *form.seen(request))
        except StudioError as error:
            return gr.skip(), _status.message(str(error), "error")
        return choices(request, kept.name), _status.message(f"{kept.name} is kept, and chosen.")

    def drop(name: str, request: gr.Request) -> tuple[Any, str]:
        try:
            form.studio.voices.delete(name or "", *form.seen(request))
        except StudioError as error:
            return gr.skip(), _status.message(str(error), "error")
        return choices(request, ""), _status.message(f"{name} is deleted.")

    def chose(name: str, request: gr.Request) -> tuple[Any, ...]:
        found = form.studio.voices.of(*form.seen(request)).get(name or "")
        return (found.name, found.description, found.example) if found else (gr.skip(),) * 3

    texts = [voices["name"], voices["description"], voices["example"]]
    voices["hear"].click(_heard, voices["sample"], [voices["description"], voices["example"], voices["told"]], **QUIET)
    voices["save"].click(keep, texts, [chosen, voices["told"]], **QUIET)
    voices["delete"].click(drop, chosen, [chosen, voices["told"]], **QUIET)
    chosen.input(chose, chosen, texts, **QUIET)
    form.demo.load(listed_voices, chosen, chosen, **QUIET)


def _heard(sample: str) -> tuple[Any, Any, str]:
    try:
        description, example = voice.heard(sample or "")
    except StudioError as error:
        return gr.skip(), gr.skip(), _status.message(str(error), "error")
    return description, example, ""


def _bring(path: str | None, text: str) -> tuple[Any, None, str]:
    """The cards of a file behind those that are there; one of the same title takes its place."""
    try:
        file = Path(path or "")
        if file.stat().st_size > lore_files.SIZE_LIMIT:
            raise MediaUnreadable("This file of cards is larger than 5 MB: split it and bring the parts.")
        found, sentences = lore_files.import_cards(file.read_bytes())
    except OSError:
        return gr.skip(), None, _status.message("The file cannot be read: choose it again.", "error")
    except StudioError as error:
        return gr.skip(), None, _status.message(str(error), "error")
    new = {card.title for card in found if card.title}
    kept = [card for card in lore_files.parse(text or "") if card.title not in new]
    together = (*kept, *found)[: lore.CARDS_LIMIT]
    lost = len(kept) + len(found) - len(together)
    more = [f"{lost:,} cards were left out: {lore.CARDS_LIMIT} are the most."] if lost else []
    said = f"{len(found):,} card{'s are' if len(found) != 1 else ' is'} here now."
    return lore_files.written(together), None, _status.lines([said, *sentences, *more])


def _take(text: str) -> tuple[Any, str]:
    cards = lore_files.parse(text or "")
    if not cards:
        return gr.skip(), _status.message("There are no cards yet: write one first.", "error")
    (file,) = _form.show_bytes({"cards.json": lore_files.export_cards(cards)})
    return gr.File(value=file, visible=True), _status.message("Taken along as cards.json, which SillyTavern reads, too.")
