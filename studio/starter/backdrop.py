"""What lies behind a picture: white paper, a plain colour, or a pattern of small shapes, as SVG and as pixels."""

from __future__ import annotations

import io
import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio.starter.palette import from_oklab, to_oklab

PAPER = "#ffffff"
_CELLS = 5  # repeats of a pattern along the shorter side
_SHAPES = {  # the ground's own colour, and the outlines of two shapes in a cell of 100 units
    "stars": (
        "#fff4cf",
        "M25 9 30 20 42 21 33 29 36 41 25 34 14 41 17 29 8 21 20 20Z",
        "M75 63 79 71 88 72 81 78 83 87 75 82 67 87 69 78 62 72 71 71Z",
    ),
    "dots": ("#e9f3fb", "M25 13a12 12 0 1 0 .1 0Z", "M75 63a12 12 0 1 0 .1 0Z"),
    "stripes": ("#fdf0e6", "M0 50 50 0H100L0 100Z", "M50 100 100 50V100Z"),
    "checks": ("#eef5ea", "M0 0H50V50H0Z", "M50 50H100V100H50Z"),
    "hearts": (
        "#fdebef",
        "M25 40C6 26 10 12 19 13q5 1 6 7q1-6 6-7c9-1 13 13-6 27Z",
        "M75 90C56 76 60 62 69 63q5 1 6 7q1-6 6-7c9-1 13 13-6 27Z",
    ),
    "clouds": ("#d6ebf8", "M10 36q-1-9 9-10q2-11 13-9q8 2 9 10q8 0 7 9Z", "M60 86q-1-9 9-10q2-11 13-9q8 2 9 10q8 0 7 9Z"),
}


def svg(background: str | None, width: int, height: int) -> str:
    """SVG elements that fill `width` x `height`; '' for no background. `background` is Scene.background."""
    if not background:
        return ""
    colour, shape = _read(background)
    ground, first, second = _SHAPES.get(shape, (PAPER, "", ""))
    ground = colour or ground
    plain = f'<rect width="{width}" height="{height}" fill="{ground}"/>'
    if not shape:
        return plain
    scale = min(width, height) / _CELLS / 100
    cell = f'<pattern id="back" width="100" height="100" patternUnits="userSpaceOnUse" patternTransform="scale({scale:g})">'
    shapes = f'<path fill="{_shade(ground)}" d="{first}"/><path fill="{_shade(ground)}" d="{second}"/></pattern>'
    return f'{plain}<defs>{cell}{shapes}</defs><rect width="{width}" height="{height}" fill="url(#back)"/>'


def pixels(background: str | None, width: int, height: int) -> NDArray[np.uint8]:
    """The same as (height, width, 4) uint8, opaque; white when there is no background."""
    import resvg_py

    inside = svg(background or PAPER, width, height)
    document = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">{inside}</svg>'
    with Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=document)))) as image:
        return np.array(image.convert("RGBA"))


def _read(background: str) -> tuple[str, str]:
    """("#rrggbb" or "", a key of _SHAPES or "")."""
    words = background.split()
    colour = next((word for word in words if re.fullmatch("#[0-9a-fA-F]{6}", word)), "")
    return colour, next((word for word in words if word in _SHAPES), "")


def _shade(ground: str) -> str:
    """A tone that stands out a little from the ground: lighter on dark, darker on light."""
    lab = to_oklab(np.array([int(ground[i : i + 2], 16) for i in (1, 3, 5)], np.uint8))
    lab[0] += 0.07 if lab[0] < 0.8 else -0.055
    lab[1:] *= 1.15
    return "#" + "".join(f"{value:02x}" for value in from_oklab(lab))
