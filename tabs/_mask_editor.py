"""The mask editor's server side: reads pictures and masks, finds subjects, and says how a tab embeds the editor.

The editor itself is JavaScript in assets/mask_editor/ inside one gr.HTML. Everything a browser sends here may come from anyone: only
files in Gradio's upload folder are touched. Knows no single tab.
"""

from __future__ import annotations

import base64
import functools
import io
import logging
import secrets
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from studio.errors import Cancelled, InvalidInput, MediaUnreadable, StudioError
from tabs import _selecting
from tabs._untrusted import inside, served

if TYPE_CHECKING:
    from studio.inpaint.read import Pixels, Source
    from tabs._form import Desk

log = logging.getLogger("atelier.page")

COLLECT = "(...values) => window.atelierMask.collect(values)"
"""The `js` of a run's event: puts the open picture and its mask into the first two inputs, two hidden gr.File components.

The picture goes to the server as the file that was chosen, once; the mask as a grey PNG of the picture's size, or None if nothing is
selected. A picture that is still being read is waited for.
"""

DISPLAY_SIDE = 4096
"""Longer side, in pixels, of what the browser shows; places and masks are in the picture's own pixels all the same."""

DISPLAY_LIMIT = 1_000_000  # pixels: no picture has a longer side
_AT_ONCE = 2  # pictures decoded at a time: each may take a few hundred megabytes
_PATIENCE = 60.0  # seconds to wait for a turn
_BEAT = 0.25  # seconds between two looks whether who waits for a turn was stopped
_LOSSLESS = 2_000_000  # pixels up to which the shown copy is exact
_STOPPED = "Stopped: the selection is as it was."
_UNEXPECTED = "The picture could not be read: choose another, or save it again as PNG or JPEG first."
_ATTACH = """
const attach = (tries) => window.atelierMask?.attach
  ? window.atelierMask.attach(element, { props, server, upload, watch })
  : tries && setTimeout(() => attach(tries - 1), 50);
attach(200);
"""


def mask_editor(desk: Desk | None = None) -> gr.HTML:
    """The editor. Its value opens a picture in it: see `opened`. With a `desk` its studio's models select, too."""
    turns = threading.Semaphore(_AT_ONCE)
    selecting = None if desk is None else _selecting.Selecting(desk)
    by_hand = _in_turn(select, turns)

    def find(data: Any, request: gr.Request) -> dict[str, Any]:
        return selected(data, selecting, request, by_hand)

    def naming(_: Any) -> dict[str, Any]:
        return _answered(lambda: {"reason": _selecting.NONE if selecting is None else selecting.reason()})

    functions = [*(_in_turn(function, turns) for function in (open_picture, open_mask)), find, naming, kept]
    return gr.HTML(
        html_template='<div class="mask-editor blank"></div>', js_on_load=_ATTACH, server_functions=functions,
        apply_default_css=False, padding=False, elem_classes="mask-editor-block",
    )  # fmt: skip


def opened(image: str | Path, notes: Sequence[str] = (), mask: str | Path | None = None) -> dict[str, Any]:
    """The editor's value that opens `image`, and `mask` over it: paths in Gradio's upload folder, as `tabs._form.show` gives them.

    The picture that was open, with its mask, stays one step back. `notes` are sentences shown with the picture.
    """
    file = {"image": served(image), "mask": served(mask) if mask else None}
    return {**file, "notes": list(notes), "token": secrets.token_hex(8)}


def open_picture(data: Any) -> dict[str, Any]:
    """For the editor: {path} to {display (base64), type, width, height, notes}, or {error}."""

    def answer() -> dict[str, Any]:
        from studio.inpaint.read import read_picture

        source = read_picture(_uploaded(data, "path"))
        content, kind = _display(source)
        width, height = source.size
        return {"display": base64.b64encode(content).decode(), "type": kind, "width": width, "height": height, "notes": list(source.notes)}

    return _answered(answer)


def open_mask(data: Any) -> dict[str, Any]:
    """For the editor: {path, width, height} to {mask, notes}, or {error}. Masks are rows of bytes, deflated, in base64."""

    def answer() -> dict[str, Any]:
        from studio.inpaint.read import PIXEL_LIMIT, read_mask

        width, height = _whole(data, "width"), _whole(data, "height")
        if not (width > 0 < height and width * height <= PIXEL_LIMIT):
            raise InvalidInput("The mask belongs to no picture: open a picture first.")
        mask, notes = read_mask(_uploaded(data, "path"), (width, height))
        return {"mask": _packed(mask), "notes": list(notes)}

    return _answered(answer)


def _nothing(_: float) -> None:
    """Nobody waits."""


def select(data: Any, report: Callable[[float], None] = _nothing) -> dict[str, Any]:
    """For the editor: {path, what ("subject" or "background"), box (left, top, right, bottom) or None} to {mask}, or {error}.

    `report` hears the share done and ends it by raising Cancelled: {stopped}.
    """

    def answer() -> dict[str, Any]:
        from studio.inpaint import select as finder
        from studio.inpaint.edit import colours
        from studio.inpaint.read import read_picture

        pixels = colours(read_picture(_uploaded(data, "path")).pixels)
        mask = finder.subject(pixels, _box(data, pixels.shape[1], pixels.shape[0]), report)
        if not mask.any():
            raise InvalidInput("No subject stands out in this picture: draw a rectangle around it and try again, or paint it.")
        return {"mask": _packed(255 - mask if data.get("what") == "background" else mask)}

    return _answered(answer)


def selected(
    data: Any, selecting: _selecting.Selecting | None, request: Any, by_hand: Callable[..., dict[str, Any]] = select
) -> dict[str, Any]:
    """For the editor, as `select`; `what` may also be "named", and then `name` says what is looked for. {stopped}: words, if it was.

    Models do it where they are here; a run of theirs waits for the device, not for the turns of those who read pictures.
    """

    def answer() -> dict[str, Any]:
        what = data.get("what") if isinstance(data, dict) else None
        path = _uploaded(data, "path")
        if what == "named":
            if selecting is None:
                raise InvalidInput(_selecting.NONE)
            return {"mask": _packed(selecting.named(path, data.get("name"), request))}
        mask = None if selecting is None else selecting.subject(path, _box(data, DISPLAY_LIMIT, DISPLAY_LIMIT), request)
        if mask is None:
            return by_hand(data) if selecting is None else selecting.by_hand(lambda report: by_hand(data, report), request)
        return {"mask": _packed(255 - mask if what == "background" else mask)}

    return _answered(answer)


def kept(data: Any) -> dict[str, Any]:
    """For the editor: {paths} to {kept}: whether each upload is still here."""
    paths = data.get("paths") if isinstance(data, dict) else None
    return {"kept": [inside(path) is not None for path in paths[:8]] if isinstance(paths, list) else []}


def _in_turn(function: Callable[..., dict[str, Any]], turns: threading.Semaphore) -> Callable[..., dict[str, Any]]:
    """The same function, by name too, that waits while others are at work; with a report as its second argument that ends the wait."""

    @functools.wraps(function)
    def wait(data: Any, *reports: Callable[[float], None]) -> dict[str, Any]:
        last = time.monotonic() + _PATIENCE
        while not turns.acquire(timeout=min(_BEAT, _PATIENCE)):
            for report in reports:
                report(0.0)
            if time.monotonic() > last:
                return {"error": "The studio is busy with other pictures: try again in a moment."}
        try:
            return function(data, *reports)
        finally:
            turns.release()

    return wait


def _answered(answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return answer()
    except Cancelled:
        return {"stopped": _STOPPED}
    except StudioError as error:
        return {"error": str(error)}
    except Exception:  # a damaged file can fail anywhere in a decoder
        log.exception("the mask editor failed")
        return {"error": _UNEXPECTED}


def _uploaded(data: Any, key: str) -> Path:
    """The file that a browser names. Raises MediaUnreadable unless it is one in the upload folder."""
    path = inside(data.get(key)) if isinstance(data, dict) else None
    if path is None:
        raise MediaUnreadable("The file is still uploading or is gone: wait a moment, or choose it again.")
    return path


def _whole(data: Any, key: str) -> int:
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _box(data: dict[str, Any], width: int, height: int) -> tuple[int, int, int, int] | None:
    box = data.get("box")
    if not (isinstance(box, list) and len(box) == 4 and all(isinstance(side, int) and not isinstance(side, bool) for side in box)):
        return None
    left, top, right, bottom = max(0, box[0]), max(0, box[1]), min(width, box[2]), min(height, box[3])
    return (left, top, right, bottom) if left < right and top < bottom else None


def _display(source: Source) -> tuple[bytes, str]:
    """What the browser shows: bounded, with the picture's colour profile; exact for small pictures. Gives the file and its type."""
    from PIL import Image

    image = Image.fromarray(source.pixels)
    exact = image.width * image.height <= _LOSSLESS or image.mode == "RGBA"
    image.thumbnail((DISPLAY_SIDE, DISPLAY_SIDE), Image.Resampling.BOX, reducing_gap=None)
    out = io.BytesIO()
    if exact:
        image.save(out, "PNG", compress_level=1, icc_profile=source.icc)
        return out.getvalue(), "image/png"
    image.save(out, "JPEG", quality=92, subsampling=0, icc_profile=source.icc)
    return out.getvalue(), "image/jpeg"


def _packed(mask: Pixels) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(mask, np.uint8).tobytes(), 1)).decode()
