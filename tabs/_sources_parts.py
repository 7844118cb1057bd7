"""The components of the panel of sources, and the small scripts of its buttons. Knows no document, no search and no event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.writing.reading import SUFFIXES

_PRESSED = """
element.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-remove], button[data-quote]");
  if (button?.dataset.remove) trigger("away", { id: button.dataset.remove });
  if (button?.dataset.quote) trigger("taken", { number: Number(button.dataset.quote) });
});
"""
INSERT = """(text) => {
  const editor = window.atelierEditor?.current?.();
  if (!text) return;
  if (!editor?.document) return navigator.clipboard?.writeText(text);
  const at = editor.surface.selection.end;
  editor.edits.put([{ start: at, end: at, text, origin: "human", creation: "" }], "Quote");
}"""
"""Puts a quotation where the cursor is in the editor; without one, where the clipboard is."""


class Pressed(gr.HTML):
    """Drawn by `_sources_view`. Events: `.away` with the `id` of a source, `.taken` with the `number` of a passage."""

    def __init__(self, **options: Any) -> None:
        super().__init__(js_on_load=_PRESSED, apply_default_css=False, padding=False, **options)


@dataclass
class Parts:
    """The panel's components."""

    files: gr.File
    said: gr.HTML
    listed: Pressed
    question: gr.Textbox
    find: gr.Button
    answer: gr.Button
    reason: gr.HTML
    use: gr.Checkbox
    found: Pressed
    check: gr.Button
    judge: gr.Button
    doubt: gr.HTML
    verdicts: Pressed
    meaning: gr.HTML
    fetch: gr.Button
    quote: gr.Textbox


def laid_out() -> Parts:
    """All of them, in their order on the page."""
    files = gr.File(
        label="Sources (PDF, Word, EPUB, Markdown, text, web page)", file_count="multiple", file_types=list(SUFFIXES), height=150,
        type="filepath", elem_classes="source-files",
    )  # fmt: skip
    said = gr.HTML(elem_classes="status", padding=False)
    listed = Pressed(elem_classes="source-rows")
    question = gr.Textbox(label="Question", lines=1, max_lines=3, placeholder="Empty: the instruction", elem_classes="source-question")
    with gr.Row():
        find = gr.Button("Find passages", size="sm", min_width=120)
        answer = gr.Button("Answer from the sources", size="sm", min_width=120)
    reason = gr.HTML(elem_classes="quiet", padding=False)
    use = gr.Checkbox(True, label="The writer reads passages that fit", elem_classes="source-use")
    found = Pressed(elem_classes="source-found")
    with gr.Row():
        check = gr.Button("Check the citations", size="sm", min_width=120)
        judge = gr.Button("Ask the writer, too", size="sm", min_width=120, interactive=False)
    doubt = gr.HTML(elem_classes="quiet", padding=False)
    verdicts = Pressed(elem_classes="source-verdicts")
    meaning = gr.HTML(elem_classes="quiet", padding=False)
    fetch = gr.Button("Fetch the search by meaning (84 MB, Apache-2.0)", size="sm", visible=False)
    quote = gr.Textbox(visible="hidden")
    return Parts(files, said, listed, question, find, answer, reason, use, found, check, judge, doubt, verdicts, meaning, fetch, quote)
