"""Teach it your style: upload pictures, name the set, and the starter draws with it. A folded part of the tab of pictures.

Knows no single tab: it is given the form, and calls back when the list of styles has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import InvalidInput, StudioError
from studio.starter.own import MOST, MOST_BYTES, OwnSets
from tabs import _status
from tabs._form import PRIVATE, QUIET, Form

ABOUT = (
    "<p>Upload pictures of single things, each named after what it shows. A prompt that names one of them draws with it; "
    "everything else wears the colours of your pictures. They stay {where}.</p>"
)


@dataclass(frozen=True)
class Fold:
    """The parts of the fold that events join."""

    fold: gr.Accordion
    files: gr.File
    names: gr.Textbox
    name: gr.Textbox
    licence: gr.Textbox
    make: gr.Button
    mine: gr.Dropdown
    delete: gr.Button
    said: gr.HTML


def build(form: Form, visible: bool) -> Fold:
    """Lay out the fold; `follow` wires it."""
    where = "for you alone" if form.studio.settings.public else "on this machine"
    with gr.Accordion("Teach it your style", open=False, visible=visible, elem_classes="own-sets") as fold:
        gr.HTML(ABOUT.format(where=where), elem_classes="quiet")
        files = gr.File(
            label="Your pictures (PNG, WebP, JPEG, SVG)", file_count="multiple", file_types=[".png", ".webp", ".jpg", ".jpeg", ".svg"],
            height=150, type="filepath",
        )  # fmt: skip
        names = gr.Textbox(label="Names, one a line", lines=3, max_lines=12, visible=False, info="What each picture shows, in their order")
        with gr.Row():
            name = gr.Textbox(label="Name of the set", max_lines=1, min_width=140)
            licence = gr.Textbox(label="Licence note", max_lines=1, placeholder="my own work, CC BY 4.0", min_width=140)
        make = gr.Button("Make the set", size="sm")
        with gr.Row(elem_classes="seed"):
            mine = gr.Dropdown([], label="Your sets", value=None, min_width=140)
            delete = gr.Button("Delete this set", size="sm", min_width=110)
        said = gr.HTML(elem_classes="status", padding=False)
    return Fold(fold, files, names, name, licence, make, mine, delete, said)


def follow(form: Form, parts: Fold, styles: Any, choices: Callable[[gr.Request, str], Sequence[tuple[str, str]]]) -> None:
    """Wire the fold. `styles` is the list of styles; `choices(request, model)` what it holds for a visitor."""

    def listed(request: gr.Request) -> Any:
        owned = [one.name for one in _sets(form).of(*form.seen(request))]
        return gr.Dropdown(choices=owned, value=owned[0] if owned else None)

    def offered(request: gr.Request) -> Any:
        return gr.Radio(choices=list(choices(request, "")))

    def chosen(paths: list[str] | None) -> Any:
        return gr.Textbox(value="\n".join(Path(path).stem for path in paths or ()), visible=bool(paths))

    def make(paths: list[str] | None, names: str, name: str, licence: str, model: str, request: gr.Request) -> tuple[Any, ...]:
        try:
            made, refused = _sets(form).teach(name or "", licence or "", _read(paths or [], names or ""), *form.seen(request))
        except StudioError as error:
            return gr.skip(), gr.skip(), gr.skip(), _status.message(str(error), "error")
        words = f"{made.style} is ready with {len(made.pictures)} picture{'s' if len(made.pictures) > 1 else ''}, and chosen as the style."
        told = " ".join([words, *refused[:5], *([f"{len(refused) - 5} more were left out."] if len(refused) > 5 else [])])
        return gr.Radio(choices=list(choices(request, model)), value=made.style), listed(request), None, _status.message(told)

    def delete(name: str | None, style: str, model: str, request: gr.Request) -> tuple[Any, ...]:
        try:
            _sets(form).delete(name or "", *form.seen(request))
        except StudioError as error:
            return gr.skip(), gr.skip(), _status.message(str(error), "error")
        left = list(choices(request, model))
        kept = style if style in {value for _, value in left} else ""
        return gr.Radio(choices=left, value=kept), listed(request), _status.message("The set is deleted; pictures made with it stay.")

    model = form.fields["model"]
    parts.files.change(chosen, parts.files, parts.names, **QUIET)
    asked = [parts.files, parts.names, parts.name, parts.licence, model]
    parts.make.click(make, asked, [styles, parts.mine, parts.files, parts.said], concurrency_limit=1, **PRIVATE)
    parts.delete.click(delete, [parts.mine, styles, model], [styles, parts.mine, parts.said], **QUIET)
    form.demo.load(offered, None, styles, **QUIET)
    form.demo.load(listed, None, parts.mine, **QUIET)


def _sets(form: Form) -> OwnSets:
    return form.studio.sets


def _read(paths: Sequence[str], names: str) -> list[tuple[str, bytes]]:
    """The uploaded files under the names typed for them. A line left empty keeps the file's own name."""
    if len(paths) > MOST:
        raise InvalidInput(f"A set holds at most {MOST} pictures; these are {len(paths)}: choose fewer.")
    sizes = [Path(path).stat().st_size for path in paths]
    if sum(sizes) > MOST_BYTES:
        words = (
            f"These pictures have {sum(sizes) / 1e6:,.0f} MB; a set holds at most {MOST_BYTES / 1e6:.0f} MB: choose fewer, or smaller ones."
        )
        raise InvalidInput(words)
    lines = [*names.split("\n"), *[""] * len(paths)]
    return [(line.strip() or Path(path).name, Path(path).read_bytes()) for path, line in zip(paths, lines, strict=False)]
