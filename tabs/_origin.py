"""The box "Was this made here?": a file goes in, and every layer that could tell says what it found and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from pathlib import Path

import gradio as gr

from studio import origin
from studio.errors import StudioError
from studio.origin import Finding, Origin
from tabs import _status, _text_mark
from tabs._form import PRIVATE, Desk

SURE = {"proof": "Proof", "claim": "Claim", "nothing": "Nothing", "warning": "Warning"}
"""What a finding is worth, in a word."""
FORGETS = (
    "This studio makes a new identity at each start, so what it marked and signed earlier is not recognised. "
    "Its owner can keep one with ATELIER_SECRET."
)


def build(desk: Desk) -> None:
    """Lay out the box, folded."""
    with gr.Accordion("Was this made here?", open=False, elem_classes="origin"):
        kinds = [*origin.PICTURES, *origin.SOUNDS, *origin.BESIDE, *origin.OTHERS]
        label = "Any picture, sound or text; or a document with its signed file"
        given = gr.File(label=label, file_types=kinds, file_count="multiple", height=130, type="filepath")
        found = gr.HTML(_status.note(FORGETS) if not desk.studio.marks.identity.kept else "", padding=False, elem_classes="found")

    def examined(paths: list[str] | None, request: gr.Request) -> str:
        return answer(desk, paths, request)

    given.upload(examined, given, found, concurrency_limit=2, **PRIVATE)
    given.clear(lambda: "", None, found, **{**PRIVATE, "queue": False})


def answer(desk: Desk, paths: Sequence[str] | None, request: gr.Request) -> str:
    """What a visitor is told of a file, or of a document with its signed file, who hears nothing of what another has made; '' without."""
    if not paths:
        return ""
    if len(paths) > 2:
        return _status.message("Give one file, or a document with the signed file that came with it.", "error")
    studio = desk.studio
    file, *beside = sorted(map(Path, paths), key=lambda path: path.suffix.lower() != ".json")
    try:
        seen, search = desk.seen(request), partial(_text_mark.searched, studio)
        return drawn(origin.examine(file, studio.library, studio.marks.identity, *seen, search, beside[0] if beside else None))
    except StudioError as error:
        return _status.message(str(error), "error")


def drawn(found: Origin) -> str:
    """The findings as HTML; every word of a file is escaped."""
    rows = "".join(map(_row, found.findings))
    parts = [
        f'<p class="verdict" role="status">{escape(found.verdict)}</p>',
        f'<table class="layers"><caption>What each layer says</caption><tbody>{rows}</tbody></table>',
    ]
    if found.settings:
        parts += ["<h3>Its settings</h3>", _status.facts_table(dict(found.settings))]
    if found.left_out:
        parts += ["<h3>What could not be read</h3>", f"<ul>{''.join(f'<li>{escape(words)}</li>' for words in found.left_out)}</ul>"]
    return f'<div class="origin-found">{"".join(parts)}</div>'


def _row(finding: Finding) -> str:
    sure = f'<span class="sure {finding.sure}">{SURE[finding.sure]}</span>'
    return f'<tr><th scope="row">{escape(finding.layer)}</th><td>{sure}</td><td>{escape(finding.words)}</td></tr>'
