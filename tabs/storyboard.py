"""The storyboard tab: the pictures of a project in a row, with captions and sounds, put in order and taken away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from tabs import _asking, _board, _drafting, _status
from tabs._form import PRIVATE, QUIET, Desk

NAME = "Storyboard"
TASK = None
ACCEPTS: Mapping[str, str] = {}
TAKES = ("picture",)

INTRO = (
    "Pictures in a row, each with a caption and, if you like, a sound. Send a picture here from any tab, or select several in the Library; "
    "each project has a storyboard of its own. Or let a writer draft the panels of a story, and make the pictures from its words."
)

PAINT = """(words) => {
  const ways = [...document.querySelectorAll(".storyboard ~ .sends .send.for-text, .storyboard ~ * .send.for-text")];
  if (words) ways.find((one) => one.textContent.includes("Text to image"))?.click();
}"""
"""Presses what takes the words to where pictures are made, which the board's own buttons stand for."""


def build(desk: Desk) -> None:
    """Lay out the tab."""
    with gr.Column(elem_classes="storyboard"):
        gr.HTML(_status.note(INTRO), padding=False, elem_classes="quiet")
        parts = _drafting.build(desk)
        board = desk.tray = _board.BoardView()

    def ask(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        return _board.answer(desk, _asking.told(event), request, asking["id"])

    def pack(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        return _board.packed(desk, _asking.told(event), request)

    def paint(event: gr.EventData, request: gr.Request) -> str:
        return _board.painted(desk, _asking.told(event), request)

    asking = board.ask(ask, None, board, trigger_mode="multiple", **QUIET)
    board.pack(pack, None, board, trigger_mode="once", concurrency_limit=2, **PRIVATE)
    board.paint(paint, None, parts["words"], **QUIET).then(None, parts["words"], js=PAINT, api_visibility="private")
    _drafting.wire(desk, parts, board)
    desk.outbox["text"] = parts["words"]


def taken(desk: Desk, creation: str, request: gr.Request) -> dict[str, Any]:
    """What the tab shows once a picture was sent to it: the storyboard that it is in now."""
    return _board.shown(desk.studio.library.storyboards.add([creation], *desk.seen(request)))
