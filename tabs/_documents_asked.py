"""Documents over HTTP: list, read, begin, change and export those of the one who asks, and of nobody else.

Places are code points here. Knows documents and the formats of files; knows no page.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.events import api

from studio import failures
from studio.errors import InvalidInput
from studio.writing.manuscripts import Manuscript
from studio.writing.spans import Splice
from tabs import _form, _untrusted, _writing_files
from tabs._form import Form

log = logging.getLogger("atelier.page")

CHANGED = "This document has changed since that version: read it again, then change what you read."
NO_CHANGE = "A change is either the whole text or a list of {start, end, text}, with places in characters of the version named in base."
MOST_SPLICES = 500
Answer = TypeVar("Answer")


def wire(form: Form) -> None:
    """Serve `/documents`, `/document`, `/document_new`, `/document_change` and `/document_export`."""
    kept = form.studio.library.manuscripts

    def documents(request: gr.Request) -> list[dict[str, Any]]:
        return _said(lambda: [_listed(one) for one in kept.list(*form.seen(request))])

    def document(request: gr.Request, document: str) -> dict[str, Any]:
        return _said(lambda: as_json(kept.open(_words(document), *form.seen(request))))

    def new(request: gr.Request, title: str = "", text: str = "") -> dict[str, Any]:
        return _said(lambda: as_json(kept.new(*form.owner(request), title=_words(title), text=_words(text))))

    def change(
        request: gr.Request, document: str, base: str, text: str | None = None, splices: list[dict[str, Any]] | None = None,
        title: str | None = None, note: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        def changed() -> dict[str, Any]:
            head = kept.open(_words(document), *form.seen(request))
            if head.version != base:
                raise InvalidInput(CHANGED, "base")
            if title is not None:
                kept.rename(head.id, *form.seen(request), _words(title))
            given = [] if text is None and splices is None and title is not None else splices_of(head.text, text, splices)
            return as_json(kept.change(head.id, *form.seen(request), head.version, given, _words(note)))

        return _said(changed)

    def export(request: gr.Request, document: str, format: str = "md") -> list[dict[str, Any]]:  # noqa: A002 (the parameter's name)
        def exported() -> list[dict[str, Any]]:
            if f".{format}" not in _writing_files.FORMATS:
                known = ", ".join(suffix.removeprefix(".") for suffix in _writing_files.FORMATS)
                raise InvalidInput(f"Format must be one of {known}.", "format")
            files = _writing_files.files_of(form, kept.open(_words(document), *form.seen(request)), request)
            chosen = [name for name in files if Path(name).suffix == f".{format}"]
            others = [name for name in files if Path(name).suffix not in _writing_files.FORMATS]
            return [_untrusted.served(path) for path in _form.show_bytes({name: files[name] for name in (*chosen, *others)})]

        return _said(exported)

    api(documents, api_name="documents", api_description="Your documents, the one changed last first.")
    api(document, api_name="document", api_description="One document: text, version, and who wrote which part of it.")
    api(new, api_name="document_new", api_description="A new document.")
    api(change, api_name="document_change", api_description="A change of the version named in base; what is put in counts as typed.")
    api(export, api_name="document_export", api_description="The document as md, txt, html, docx or epub, and its signed statement.",
        concurrency_limit=2)  # fmt: skip


def as_json(found: Manuscript) -> dict[str, Any]:
    """A document as data; `spans` cover its text by turns: characters, who wrote them, and the creation they came from."""
    spans = [{"length": span.length, "origin": span.origin, "creation": span.creation} for span in found.spans]
    return {
        "document": found.id,
        "title": found.title,
        "version": found.version,
        "changed": found.changed,
        "text": found.text,
        "spans": spans,
    }


def splices_of(before: str, text: object, splices: object) -> list[Splice]:
    """What a program wants changed in a text, each place counted in what the one before it left. Raises InvalidInput."""
    if (text is None) == (splices is None):
        raise InvalidInput(NO_CHANGE, "splices")
    given = [{"start": 0, "end": len(before), "text": text}] if splices is None else splices
    if not isinstance(given, list) or len(given) > MOST_SPLICES:
        raise InvalidInput(NO_CHANGE, "splices")
    return [_splice(one) for one in given]


def _splice(one: object) -> Splice:
    start, end, text = (one.get(name) for name in ("start", "end", "text")) if isinstance(one, dict) else (None, None, None)
    if not isinstance(start, int) or not isinstance(end, int) or not isinstance(text, str) or bool in (type(start), type(end)):
        raise InvalidInput(NO_CHANGE, "splices")
    return Splice(start, end, text)


def _listed(one: Any) -> dict[str, Any]:
    return {"document": one.id, "title": one.title, "changed": one.changed, "words": one.words, "machine": one.machine}


def _words(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput("Titles, texts and names of documents must be text.")
    return value


def _said(act: Callable[[], Answer]) -> Answer:
    """What `act` gives; what it refuses as a program is told it, with the code of studio/errors.py as its title."""
    try:
        return act()
    except Exception as error:  # noqa: BLE001  the log has it; the program gets its sentence
        words, code = failures.told(error, "a request about documents", log)
        raise gr.Error(words, title=code, print_exception=False) from None
