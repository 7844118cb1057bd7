"""The shelf's server side: its two components on the page, what they send (a filter, ids, words) and what is sent back (items as JSON).

The shelf itself is JavaScript in assets/library/ inside two gr.HTML: the grid with its bar, and the leaf that shows one creation.
Everything a browser sends here may come from anyone. Knows items; knows no library and no tab.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import InvalidInput
from studio.shelf import Choices, Filter, Item

STYLE = "library/library.css"
SCRIPTS = tuple(f"library/{part}.js" for part in ("parts", "grid", "bar", "line", "compare", "documents", "leaf", "shelf", "page"))
"""In assets/, in the order in which the page loads them."""

KINDS = {"text_to_image": "Pictures", "inpaint": "Edited pictures", "music": "Music", "narrate": "Narration", "write": "Texts"}
"""What creations of a task's kind are called; any further kind by its own name."""

TOP = '<div class="leaf top"></div>'
"""Where the leaf puts its head, above the player."""

PAGE = 60
"""Items of the first page of a filter."""
FURTHER = 180
"""Items of each page after it."""
MOST = 20_000
"""Ids in one request."""
MOST_BYTES = 1 << 50

_ATTACH = """
const tell = { ask: (data) => trigger("ask", data), open: (data) => trigger("open", data), compare: (data) => trigger("compare", data),
  pack: (data) => trigger("pack", data) };
const attach = (tries) => window.atelierLibrary?.attach
  ? window.atelierLibrary.attach(element, { props, watch, tell })
  : tries && setTimeout(() => attach(tries - 1), 50);
attach(200);
"""
_ATTACH_LEAF = """
const tell = { again: (data) => trigger("again", data) };
const attach = (tries) => window.atelierLibrary?.attachLeaf
  ? window.atelierLibrary.attachLeaf(element, { props, watch, tell })
  : tries && setTimeout(() => attach(tries - 1), 50);
attach(200);
"""


class Shelf(gr.HTML):
    """The grid with its bar. Events, each with gr.EventData: `.ask` (answered by this component's own value, see `answered`), `.open`,
    `.compare` and `.pack`, which name creations by `ids`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            html_template='<div class="shelf"></div>', js_on_load=_ATTACH, apply_default_css=False, padding=False,
            elem_classes="shelf-block", **options,
        )  # fmt: skip


class Leaf(gr.HTML):
    """What is known of one creation, a comparison of some, or a file to take away: see `sent`. Event: `.again`, with `ids`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            html_template='<div class="leaf"></div>', js_on_load=_ATTACH_LEAF, apply_default_css=False, padding=False,
            elem_classes="leaf-block", **options,
        )  # fmt: skip


def filter_of(data: object) -> Filter:
    """The filter a browser sent; what is no filter's value is left out."""
    given = data if isinstance(data, Mapping) else {}
    values: dict[str, Any] = {}
    for field in fields(Filter):
        value, usual = given.get(field.name), field.default
        if isinstance(usual, bool):
            values[field.name] = value is True
        elif isinstance(usual, int):
            whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_BYTES
            values[field.name] = value if whole else 0
        elif isinstance(value, str):
            values[field.name] = value if field.name not in ("since", "until") or re.fullmatch(r"\d{4}-\d\d-\d\d", value) else ""
    return Filter(**values)


def ids_of(data: object, most: int = MOST) -> tuple[str, ...]:
    """The ids of creations that `data` names, each once. Raises InvalidInput for none, or for more than `most`."""
    given = data.get("ids") if isinstance(data, Mapping) else None
    ids = (
        tuple(dict.fromkeys(id for id in given if isinstance(id, str) and re.fullmatch("[0-9A-Z]{26}", id)))
        if isinstance(given, list)
        else ()
    )
    if not ids:
        raise InvalidInput("Nothing is selected: select a creation first.")
    if len(ids) > most:
        raise InvalidInput(f"{len(ids):,} creations are selected; {most:,} are the most for this. Select fewer.")
    return ids


def item_value(item: Item) -> dict[str, Any]:
    """One item for the grid."""
    names = ("id", "medium", "title", "words", "created", "star", "project", "model", "note", "missing")
    return {**{name: getattr(item, name) for name in names}, "tags": list(item.tags)}


def choices_value(choices: Choices) -> dict[str, list[tuple[str, str]]]:
    """What there is to filter by, as (value, title)."""
    plain = {"model": choices.models, "project": choices.projects, "tag": choices.tags, "licence": choices.licences}
    kinds = [(kind, KINDS.get(kind, kind.replace("_", " ").capitalize())) for kind in choices.kinds]
    return {"kind": kinds, **{name: [(value, value) for value in values] for name, values in plain.items()}}


def answered(data: object, answer: Mapping[str, Any], way: Mapping[str, Any]) -> dict[str, Any]:
    """The shelf's value that answers its request `data`: as one text, since the page looks through every part of what is not.

    `files` alone stay what they are: Gradio gives them their addresses. `way` is how the page's next requests come straight here.
    """
    number = data.get("number") if isinstance(data, Mapping) else None
    text = json.dumps({name: value for name, value in answer.items() if name != "files"}, ensure_ascii=False)
    return {"number": number if isinstance(number, int) else 0, "text": text, "files": answer.get("files", []), "way": dict(way)}


def sent(**parts: Any) -> dict[str, Any]:
    """The leaf's value: `id` with what `tabs._leaf` tells of it, `compared`, `parcel` with `words`, or `error`."""
    return {**parts, "token": secrets.token_hex(8)}


def file_value(path: str | Path) -> dict[str, Any]:
    """A file that Gradio serves, as `tabs._form.show` gives it; the page sees its address."""
    return {"path": str(path), "orig_name": Path(path).name, "meta": {"_type": "gradio.FileData"}}


def thumb_value(data: bytes | None) -> str:
    """A thumb as an address that holds it; '' for none."""
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}" if data else ""


def rows(values: Sequence[tuple[str, object]], longest: int = 2000) -> list[tuple[str, str]]:
    """Facts as the leaf shows them; empty ones are left out, very long ones end in dots."""
    texts = [(what, str(value)) for what, value in values if value not in (None, "", (), [], {})]
    return [(what, text if len(text) <= longest else f"{text[:longest]}…") for what, text in texts]
