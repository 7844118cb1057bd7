"""A document in and out of the studio: files that become documents, and downloads that say who wrote what.

Knows documents and the formats of files; knows no run and no layout of the tab.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from studio import documents
from studio.errors import NotFound, StudioError
from studio.provenance.record import Record
from studio.storage import RESERVED
from studio.writing import reading, sidecar
from studio.writing.manuscripts import Manuscript
from tabs import _form, _status, _writing_scripts
from tabs._form import PRIVATE, QUIET, Desk, Form

TITLE = 200
"""Characters of a title."""
FORMATS = {
    ".md": documents.to_markdown, ".txt": documents.to_text, ".html": documents.to_html, ".docx": documents.to_docx,
    ".epub": documents.to_epub,
}  # fmt: skip
"""Formats of a download."""


def build() -> dict[str, Any]:
    """The row under the editor, and the files to take away."""
    with gr.Row(elem_classes="actions"):
        retry = gr.Button("Retry", size="sm", min_width=80)
        take_in = gr.UploadButton("Import", size="sm", file_types=list(reading.SUFFIXES), min_width=80)
        take_out = gr.Button("Prepare downloads", size="sm", min_width=80)
        copy = gr.Button("Copy", size="sm", min_width=80)
    told = gr.HTML(elem_classes="status", padding=False)
    files = gr.File(label="Download", file_count="multiple", interactive=False, elem_classes="downloads")
    hidden = {"incoming": gr.Textbox(visible="hidden"), "taken": gr.Textbox(visible="hidden", elem_id=_writing_scripts.TAKEN)}
    return {"retry": retry, "import": take_in, "export": take_out, "copy": copy, "told": told, "files": files, **hidden}


def wire(desk: Form, parts: Mapping[str, Any]) -> None:
    """Join the buttons to the open document, whose id the part "manuscript" holds, and to the text that other tabs take ("taken")."""

    def exported(id: str | None, request: gr.Request) -> Any:
        try:
            kept = desk.studio.library.manuscripts.open(id or "", *desk.seen(request))
            return _form.show_bytes(files_of(desk, kept, request))
        except StudioError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def imported(path: str | None, request: gr.Request) -> tuple[Any, Any]:
        if not path:
            return gr.skip(), gr.skip()
        try:
            found = reading.read(Path(path), Path(path).name)
            kept = desk.studio.library.manuscripts.new(*desk.owner(request), title=found.title[:TITLE], text=found.markdown)
        except StudioError as error:
            return _status.message(str(error), "error"), gr.skip()
        return _status.lines([f"“{kept.title or found.title}” is open now.", *found.notices]), kept.id

    def adopted(draft: str | None, request: gr.Request) -> Any:
        """The text that this browser had before there were documents becomes one."""
        if not draft:
            return gr.skip()
        owner, session = desk.owner(request)
        try:
            text = str(desk.studio.library.drafts.get(draft, owner).get("document") or "")
            if text.strip():
                desk.studio.library.manuscripts.new(owner, session, text=text)
        except NotFound:
            return ""
        except StudioError:
            return gr.skip()  # kept where it is
        return ""

    desk.demo.load(adopted, desk.draft, desk.draft, **QUIET)
    parts["export"].click(exported, parts["manuscript"], parts["files"], **QUIET)
    parts["copy"].click(None, js=_writing_scripts.COPY, api_visibility="private")
    upload = parts["import"].upload(imported, parts["import"], [parts["told"], parts["incoming"]], concurrency_limit=2, **PRIVATE)
    upload.then(None, parts["incoming"], js=_writing_scripts.OPEN, api_visibility="private")
    desk.demo.load(None, js=_writing_scripts.TAKE, api_visibility="private")


def files_of(desk: Desk, kept: Manuscript, request: gr.Request) -> dict[str, bytes]:
    """The document in every format, by file name. Each says who wrote what, as far as the format can; a signed statement says it of all."""
    title = kept.title.strip() or " ".join(kept.text.split()[:8]) or "Document"
    name, records = file_name(title), _records(desk, kept, request)
    models = {id: str(record.model.get("name")) for id, record in records.items()}
    files = {f"{name}{suffix}": make(kept.text, title, None, kept.spans, models) for suffix, make in FORMATS.items()}
    if any(span.origin != "human" for span in kept.spans) and not desk.studio.settings.no_signature:
        parts = [sidecar.part(id, record) for id, record in records.items()]
        files[f"{name}{sidecar.SUFFIX}"] = sidecar.make(files, kept.text, kept.spans, parts, desk.studio.marks.identity)
    return files


def file_name(title: str) -> str:
    """A title as the name of a file, without suffix."""
    words = re.sub(r"[^\w]+", "-", title.casefold()).strip("-_")
    name = words[:60].strip("-") or "document"
    return f"{name}-document" if RESERVED.match(name) else name


def _records(desk: Desk, kept: Manuscript, request: gr.Request) -> dict[str, Record]:
    """The records of what models wrote in it, by the id of the creation; what is no longer in the library has none."""
    found: dict[str, Record] = {}
    for id in dict.fromkeys(span.creation for span in kept.spans if span.creation):
        try:
            found[id] = Record.model_validate(dict(desk.studio.library.get(id, desk.owner(request)[0]).record))
        except (StudioError, ValueError):
            continue
    return found
