"""Text styles of one's own: brought from other programs' files and taken along again. A folded part of the tab of pictures.

Knows no single tab: it is given the form, and calls back when the list of styles has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import MediaUnreadable, StudioError
from studio.own_styles import SIZE_LIMIT
from tabs import _form, _status
from tabs._form import PRIVATE, QUIET, Form

TAKEN = "Taken along as styles.csv."


@dataclass(frozen=True)
class Fold:
    """The parts of the fold that events join."""

    fold: gr.Accordion
    given: gr.File
    mine: gr.Dropdown
    delete: gr.Button
    export: gr.Button
    taken: gr.File
    said: gr.HTML


def build(form: Form, visible: bool, styles: Any, choices: Callable[[gr.Request, str], Sequence[tuple[str, str]]]) -> gr.Accordion:
    """Lay out and wire the fold. `styles` is the list of styles; `choices(request, model)` what it holds for a visitor."""
    parts = _laid_out(visible)
    _wire(form, parts, styles, choices)
    return parts.fold


def _laid_out(visible: bool) -> Fold:
    with gr.Accordion("Text styles of your own", open=False, visible=visible) as fold:
        given = gr.File(
            label="Bring styles (styles.csv, Fooocus or InvokeAI JSON)", file_types=[".csv", ".json"], height=110, type="filepath"
        )
        with gr.Row(elem_classes="seed"):
            mine = gr.Dropdown([], label="Your styles", value=None, min_width=140)
            delete = gr.Button("Delete this style", size="sm", min_width=110)
            export = gr.Button("Take them along", size="sm", min_width=110)
        taken = gr.File(label="Your styles", interactive=False, visible=False)
        said = gr.HTML(elem_classes="status", padding=False)
    return Fold(fold, given, mine, delete, export, taken, said)


def _wire(form: Form, parts: Fold, styles: Any, choices: Callable[[gr.Request, str], Sequence[tuple[str, str]]]) -> None:
    def listed(request: gr.Request) -> Any:
        names = list(form.studio.own_styles.of(*form.seen(request)))
        return gr.Dropdown(choices=names, value=names[0] if names else None)

    def bring(path: str | None, model: str, request: gr.Request) -> tuple[Any, ...]:
        try:
            data = _read(path)
            count, sentences = form.studio.own_styles.import_styles(
                data, Path(path or "").name, *form.seen(request), tuple(form.studio.styles)
            )
        except StudioError as error:
            return gr.skip(), gr.skip(), None, _status.message(str(error), "error")
        words = f"{count} style{'s are' if count != 1 else ' is'} yours now: choose one under Style."
        return gr.Radio(choices=list(choices(request, model))), listed(request), None, _status.lines([words, *sentences])

    def drop(name: str | None, style: str, model: str, request: gr.Request) -> tuple[Any, ...]:
        try:
            form.studio.own_styles.delete(name or "", *form.seen(request))
        except StudioError as error:
            return gr.skip(), gr.skip(), _status.message(str(error), "error")
        left = list(choices(request, model))
        return gr.Radio(choices=left, value=style if style in {value for _, value in left} else ""), listed(request), ""

    def take(request: gr.Request) -> tuple[Any, ...]:
        (file,) = _form.show_bytes({"styles.csv": form.studio.own_styles.export_styles(*form.seen(request))})
        return gr.File(value=file, visible=True), _status.message(TAKEN)

    model = form.fields["model"]
    parts.given.upload(bring, [parts.given, model], [styles, parts.mine, parts.given, parts.said], concurrency_limit=1, **PRIVATE)
    parts.delete.click(drop, [parts.mine, styles, model], [styles, parts.mine, parts.said], **QUIET)
    parts.export.click(take, None, [parts.taken, parts.said], **QUIET)
    form.demo.load(listed, None, parts.mine, **QUIET)


def _read(path: str | None) -> bytes:
    try:
        file = Path(path or "")
        if file.stat().st_size > SIZE_LIMIT:
            raise MediaUnreadable("This file of styles is larger than 1 MB: bring a smaller one.")
        return file.read_bytes()
    except OSError:
        raise MediaUnreadable("The file of styles cannot be read: choose it again.") from None
