"""The box "Was this made here?": a file goes in, and every layer that could tell says what it found and how sure that is."""

from __future__ import annotations

from html import escape
from pathlib import Path

import gradio as gr

from studio import origin
from studio.errors import StudioError
from studio.origin import Finding, Origin
from tabs import _status
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
        given = gr.File(
            label="Any picture, sound or text", file_types=[*origin.PICTURES, *origin.SOUNDS, *origin.OTHERS], height=130, type="filepath"
        )
        found = gr.HTML(_status.note(FORGETS) if not desk.studio.marks.identity.kept else "", padding=False, elem_classes="found")

    def examined(path: str | None, request: gr.Request) -> str:
        return answer(desk, path, request)

    given.upload(examined, given, found, concurrency_limit=2, **PRIVATE)
    given.clear(lambda: "", None, found, **{**PRIVATE, "queue": False})


def answer(desk: Desk, path: str | None, request: gr.Request) -> str:
    """What a visitor is told of a file, who hears nothing of what another has made; '' without one."""
    if not path:
        return ""
    studio = desk.studio
    try:
        return drawn(origin.examine(Path(path), studio.library, studio.marks.identity, *desk.seen(request)))
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
