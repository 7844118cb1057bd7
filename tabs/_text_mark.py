"""The fold "Was this text marked here?" of the writing tab, and the same for programs.

Knows a document by its id, and no layout around the fold.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.events import api

from studio.errors import StudioError
from studio.studio import Studio
from studio.tasks import Write
from studio.writing.mark_search import LONGEST, Search, search
from tabs import _status
from tabs._form import PRIVATE, Form


def build(form: Form, manuscript: Any) -> None:
    """Lay out the fold; `manuscript` holds the id of the open document."""
    with gr.Accordion("Was this text marked here?", open=False):
        text = gr.Textbox(label="Text", lines=4, max_lines=12, placeholder="Any text; empty: the whole document")
        look = gr.Button("Look for the mark", size="sm")
        found = gr.HTML(elem_classes="status", padding=False)

    def looked(text: str | None, id: str | None, request: gr.Request) -> str:
        try:
            given = text if (text or "").strip() else form.studio.library.manuscripts.open(id or "", *form.seen(request)).text
            if not (given or "").strip():
                return _status.message("There is no text to look at: write or paste some.", "error")
            return _status.lines(searched(form.studio, given or "").words)
        except StudioError as error:
            return _status.message(str(error), "error")

    def asked(text: str) -> dict[str, Any]:
        """For a program: whether a text carries this studio's mark, how sure that is, and what a page would say."""
        if not isinstance(text, str) or not text.strip():
            raise gr.Error("Send a text.", print_exception=False)
        if len(text) > LONGEST:
            raise gr.Error(f"This text has more than {LONGEST:,} characters: send less.", print_exception=False)
        result = searched(form.studio, text)
        found = result.finding
        told = {"verdict": found.verdict, "score": found.score, "p_value": found.p_value, "tokens": found.tokens} if found else {}
        return {"verdict": "unknown", "words": list(result.words), "writer": result.writer, **told}

    look.click(looked, [text, manuscript], found, concurrency_limit=2, **PRIVATE)
    api(asked, api_name="text_mark", api_description="Whether a text carries this studio's invisible mark.", concurrency_limit=2)


def searched(studio: Studio, text: str) -> Search:
    """What the writers of this machine find in a text."""
    return search(text, studio.here(Write.kind).values(), studio.words, studio.marks.words)
