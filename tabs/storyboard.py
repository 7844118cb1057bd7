"""The storyboard tab: the pictures of a project in a row, with captions and sounds, put in order and taken away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from tabs import _asking, _board, _status
from tabs._form import PRIVATE, QUIET, Desk

NAME = "Storyboard"
TASK = None
ACCEPTS: Mapping[str, str] = {}
TAKES = ("picture",)

INTRO = (
    "Pictures in a row, each with a caption and, if you like, a sound. Send a picture here from any tab, or select several in the Library; "
    "each project has a storyboard of its own."
)


def build(desk: Desk) -> None:
    """Lay out the tab."""
    with gr.Column(elem_classes="storyboard"):
        gr.HTML(_status.note(INTRO), padding=False, elem_classes="quiet")
        board = desk.tray = _board.BoardView()

    def ask(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        return _board.answer(desk, _asking.told(event), request, asking["id"])

    def pack(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        return _board.packed(desk, _asking.told(event), request)

    asking = board.ask(ask, None, board, trigger_mode="multiple", **QUIET)
    board.pack(pack, None, board, trigger_mode="once", concurrency_limit=2, **PRIVATE)


def taken(desk: Desk, creation: str, request: gr.Request) -> dict[str, Any]:
    """What the tab shows once a picture was sent to it: the storyboard that it is in now."""
    return _board.shown(desk.studio.library.storyboards.add([creation], *desk.seen(request)))
