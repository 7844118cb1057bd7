"""Documents of the writing tab in the library's search: what is found beside the creations, and the way to it.

Knows the search and what a browser is sent; knows no layout of either tab.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from studio.shelf import Filter
from studio.tasks import Write
from tabs import _asking
from tabs._form import Desk

LEAD = "library-leads-to-writing"
"""The element of the hidden button that opens the writing tab."""


def found(visit: _asking.Visit, asked: Filter, embed: Any = None) -> dict[str, Any]:
    """What a search by words, or by meaning with `embed`, finds: rows, and a note where not every document was read yet.

    Nothing where the filter asks for what documents do not have, such as a star or a model.
    """
    bare = replace(asked, words="", meaning=False)
    if not asked.words.strip() or replace(bare, kind="", medium="") != Filter() or asked.kind not in ("", Write.kind):
        return {"rows": [], "note": ""}
    if asked.medium not in ("", Write.medium):
        return {"rows": [], "note": ""}
    answer = visit.desk.studio.library.documents.find(asked.words, *visit.seen, embed=embed)
    rows = [{"id": hit.id, "title": hit.title, "changed": hit.changed, "words": hit.words, "excerpt": hit.excerpt} for hit in answer.hits]
    note = f"{answer.left:,} documents are not read yet: search again for more of them." if answer.left else ""
    return {"rows": rows, "note": note}


def build(desk: Desk) -> None:
    """The hidden button that a press on a found document clicks."""
    desk.leads[Write.kind] = gr.Button("Open the writing tab", elem_id=LEAD, visible="hidden")
