"""The library tab: everything made in any tab, found again, sorted, compared, taken away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr

from studio.errors import StudioError
from tabs import _asking, _form, _meaning, _origin, _player, _shelf, _shelf_actions, _shelf_documents, _status, _takes
from tabs._form import PRIVATE, QUIET, Desk

NAME = "Library"
TASK = None
ACCEPTS: Mapping[str, str] = {}

LARGER = "Larger ones come in by `python -m studio import FILE`. Stars, tags, projects and records come along."
SHOW_ANEW = "() => window.atelierLibrary?.reload?.()"


def build(desk: Desk) -> None:
    """Lay out the tab."""
    with gr.Column(elem_classes="library"):
        shelf = _shelf.Shelf()
        _shelf_documents.build(desk)
        with gr.Column(elem_classes="opened"):
            gr.HTML(_shelf.TOP, padding=False, elem_classes="leaf-block")
            with gr.Column(elem_classes="heard"):
                player = _player.Player()
            leaf = _shelf.Leaf()
            with gr.Row(elem_classes="making"):
                stage = gr.HTML(elem_classes="status", padding=False)
                stop = gr.Button("Stop", elem_classes="stop", size="sm", min_width=80, visible=False)
    _origin.build(desk)
    _import(desk)
    _meaning.build(desk)
    chosen = {medium: gr.State("") for medium in ("picture", "sound", "text")}
    desk.outbox |= {**chosen, "lyrics": chosen["text"]}
    _wire(desk, shelf, leaf, player, stage, stop, list(chosen.values()))


def _import(desk: Desk) -> None:
    """The box that takes an exported zip in, folded."""
    with gr.Accordion("Import an export", open=False, elem_classes="import"):
        given = gr.File(label="A zip that Export made, up to 20 MB", file_types=[".zip"], height=130, type="filepath")
        gr.HTML(_status.note(LARGER if not desk.studio.settings.public else ""), padding=False, elem_classes="quiet")
        came = gr.HTML(padding=False, elem_classes="status came")

    def bring(file: str | None, request: gr.Request) -> str:
        return _shelf_actions.brought(desk, file, request)

    given.upload(bring, given, came, concurrency_limit=1, **PRIVATE).then(None, js=SHOW_ANEW, api_visibility="private")
    given.clear(lambda: "", None, came, **QUIET)


def _wire(desk: Desk, shelf: Any, leaf: Any, player: Any, stage: Any, stop: Any, chosen: list[Any]) -> None:
    def ask(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        return _shelf_actions.answer(desk, _asking.told(event), request, asking["id"])

    def open_(event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        value, creation, medium = _shelf_actions.opened(desk, _asking.told(event), request)
        if creation is None:
            return value, gr.skip(), gr.skip(), *([gr.skip()] * len(chosen))
        taken = {"picture": creation.id, "sound": creation.id, "text": creation.text or ""}
        played = _played([creation]) if medium == "sound" else _player.opened([])
        return value, played, "", *(given if name == medium else "" for name, given in taken.items())

    def compare(event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        value, sounds = _shelf_actions.compared(desk, _asking.told(event), request)
        return value, _played(sounds), ""

    def pack(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        return _shelf_actions.packed(desk, _asking.told(event), request)

    def again(event: gr.EventData, request: gr.Request) -> Iterator[tuple[Any, Any]]:
        for words in _shelf_actions.replay(desk, _asking.told(event), request):
            yield words, gr.Button(visible=True)
        yield gr.skip(), gr.Button(visible=False)

    asking = shelf.ask(ask, None, shelf, trigger_mode="multiple", **QUIET)
    shelf.open(open_, None, [leaf, player, stage, *chosen], trigger_mode="always_last", **QUIET)
    shelf.compare(compare, None, [leaf, player, stage], trigger_mode="always_last", **QUIET)
    shelf.pack(pack, None, leaf, trigger_mode="once", concurrency_limit=2, **PRIVATE)
    limits = {"concurrency_id": _form.DEVICE, "concurrency_limit": desk.studio.settings.max_queue + 1}
    making = leaf.again(again, None, [stage, stop], trigger_mode="once", **limits, **PRIVATE)
    stop.click(lambda: (_status.message("Stopped.", "stopped"), gr.Button(visible=False)), None, [stage, stop], cancels=[making], **QUIET)


def _played(creations: list[Any]) -> dict[str, Any]:
    """The player's value with these sounds; none if they cannot be read."""
    try:
        return _takes.shelf(creations)
    except (StudioError, OSError):
        return _player.opened([])
