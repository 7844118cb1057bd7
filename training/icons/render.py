"""Draws SVG icons as 128 px RGBA pictures, framed alike, and encodes them. It knows no set and no name.

Framing: whatever an icon shows is scaled so that its longer side is 118 px and its middle is the middle of the picture. Versions of one
thing from several sets then lie over one another, which is what the sampler needs to mix them.
"""

from __future__ import annotations

import io
import re

import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIZE = 128
CONTENT = 118  # pixels of the longer side
Box = tuple[float, float, float, float]  # left, top, width, height in user units
_VISIBLE = 24  # alpha above which a pixel counts as drawn


def draw(svg: str, outline: bool = False) -> NDArray[np.uint8] | None:
    """`svg` as (128, 128, 4) uint8 RGBA with straight alpha; None when it shows nothing.

    `outline` turns a two-colour icon into a line drawing: black lines, white inside, nothing outside.
    """
    if outline:
        svg = _lines_only(svg)
    box = _view_box(svg)
    pixels = _raster(svg, box)
    for _ in range(2):  # a second time, because what is small on the first picture is measured coarsely
        drawn = np.argwhere(pixels[..., 3] > _VISIBLE)
        if len(drawn) < 30:
            return None
        (top, left), (bottom, right) = drawn.min(0), drawn.max(0) + 1
        if abs(max(bottom - top, right - left) - CONTENT) <= 1:
            break
        box = _framed(box, (top, left, bottom, right))
        pixels = _raster(svg, box)
    return _white_inside(pixels) if outline else pixels


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """Lossless WebP with alpha; the hidden colour of transparent pixels is cleared."""
    clean = np.where(pixels[..., 3:] > 0, pixels, np.uint8(0))
    out = io.BytesIO()
    Image.fromarray(clean, "RGBA").save(out, "WEBP", lossless=True, exact=True, quality=75, method=4)
    return out.getvalue()


def _view_box(svg: str) -> Box:
    found = re.search(r'viewBox="([^"]+)"', svg)
    if found is None:
        raise ValueError("an icon without a view box")
    left, top, width, height = (float(part) for part in found[1].split())
    return left, top, width, height


def _framed(box: Box, drawn: tuple[int, int, int, int]) -> Box:
    """The square box in which what was drawn (top, left, bottom, right in pixels of `box`'s picture) has its longer side at CONTENT."""
    top, left, bottom, right = drawn
    whole = max(box[2], box[3])
    unit = whole / SIZE
    side = max(bottom - top, right - left) * unit * SIZE / CONTENT
    middle_x = box[0] + box[2] / 2 + ((left + right) / 2 - SIZE / 2) * unit
    middle_y = box[1] + box[3] / 2 + ((top + bottom) / 2 - SIZE / 2) * unit
    return middle_x - side / 2, middle_y - side / 2, side, side


def _raster(svg: str, box: Box) -> NDArray[np.uint8]:
    """The square around `box` of the drawing at 128 px. A box that makes resvg's filters panic (a fault of 0.48) is widened by a hair."""
    for wider in (1.0, 1.004, 1.011, 1.023):
        try:
            return _raster_once(svg, box, max(box[2], box[3]) * wider)
        except BaseException as error:  # pyo3's PanicException is no Exception
            if type(error).__name__ != "PanicException":
                raise
    raise ValueError("resvg cannot draw this icon")


def _raster_once(svg: str, box: Box, side: float) -> NDArray[np.uint8]:
    square = f"{box[0] - (side - box[2]) / 2} {box[1] - (side - box[3]) / 2} {side} {side}"
    sized = re.sub(r'viewBox="[^"]+"', f'width="{SIZE}" height="{SIZE}" viewBox="{square}"', svg, count=1)
    with Image.open(io.BytesIO(resvg_py.svg_to_bytes(svg_string=sized, skip_system_fonts=True))) as image:
        return np.array(image.convert("RGBA"))


def _lines_only(svg: str) -> str:
    """IconPark draws black lines, blue surfaces and white details on them: surfaces lose their colour, details become black lines."""
    svg = re.sub(r'stroke="(#fff|#FFF|#ffffff|white)"', 'stroke="#000"', svg)
    svg = re.sub(r'fill="(#2F88FF|#43CCF8|#2f88ff|#43ccf8)"', 'fill="#fdfdfd"', svg)
    return re.sub(r'fill="(#fff|#FFF|#ffffff|white)"', 'fill="#000"', svg).replace("#fdfdfd", "#fff")


def _white_inside(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lays white under everything that closed lines (gaps up to 5 px) surround."""
    lines = Image.fromarray(np.where(pixels[..., 3] > 127, 255, 0).astype(np.uint8)).filter(ImageFilter.MaxFilter(5))
    lines = Image.fromarray(np.pad(np.asarray(lines), 2)).copy()  # a picture that may be drawn on
    ImageDraw.floodfill(lines, (0, 0), 128)
    outside = Image.fromarray(np.where(np.asarray(lines) == 128, 255, 0).astype(np.uint8)).filter(ImageFilter.MaxFilter(5))
    inside = np.asarray(outside)[2:-2, 2:-2] == 0
    alpha = pixels[..., 3:].astype(np.float32) / 255
    over_white = np.concatenate([pixels[..., :3] * alpha + 255 * (1 - alpha), np.full_like(alpha, 255)], -1)
    return np.where(inside[..., None], over_white.round().astype(np.uint8), pixels)
