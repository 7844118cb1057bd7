"""Drawings as vectors: traced paths, put together with the background into one SVG document of plain shapes.

The document holds paths, rectangles, groups and one pattern, nothing that runs or loads anything. Pictures are (H, W, 4) uint8 RGBA.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio.starter.enlarge import enlarged
from studio.starter.frame import Box, drawn

Pixels = NDArray[np.uint8]

_FINER = 4  # pixels traced for one pixel of the drawing
_COLOURS = 40  # the most that a drawing's path colours may be
_GLASS = (0.1, 0.85)  # alpha between which a place is traced as see-through


def document(pictures: Sequence[tuple[Pixels, Box]], width: int, height: int, backdrop: str = "") -> str:
    """An SVG of `width` x `height` pixels: `backdrop` (from backdrop.py), then each picture's drawing fitted into its box, back to front.

    Boxes are in units of a square of 128 in the middle of the picture.
    """
    side = min(width, height)
    groups = "".join(_group(picture, box) for picture, box in pictures)
    middle = f'<g transform="translate({(width - side) / 2:g} {(height - side) / 2:g}) scale({side / 128:g})">{groups}</g>'
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{backdrop}{middle}</svg>'


def paths(picture: Pixels) -> str:
    """The paths of a drawing, in its own pixels: opaque areas, under them the see-through ones."""
    large = enlarged(picture, _FINER)
    alpha = large[..., 3] / 255
    glass = (alpha > _GLASS[0]) & (alpha < _GLASS[1])
    through = _traced(large, glass)
    if through:
        through = f'<g opacity="{float(alpha[glass].mean()):.2f}">{through}</g>'
    return f'<g transform="scale({1 / _FINER:g})">{through}{_traced(large, alpha >= _GLASS[1])}</g>'


def _group(picture: Pixels, box: Box) -> str:
    own = drawn(picture)
    x, y = box.width / own.width, box.height / own.height
    return (
        f'<g transform="translate({box.left - own.left * x:.3f} {box.top - own.top * y:.3f}) scale({x:.4f} {y:.4f})">{paths(picture)}</g>'
    )


def _traced(large: Pixels, where: NDArray[np.bool_]) -> str:
    """The paths around the areas of like colour inside `where`; '' when nothing is there to see."""
    import vtracer

    if where.sum() < _FINER**2 * 2:
        return ""
    colours = Image.fromarray(large[where][None, :, :3]).quantize(_COLOURS, Image.Quantize.MEDIANCUT, kmeans=2).convert("RGB")
    flat = np.zeros_like(large)
    flat[where] = np.concatenate([np.asarray(colours)[0], np.full((int(where.sum()), 1), 255, np.uint8)], 1)
    file = io.BytesIO()
    Image.fromarray(flat).save(file, "PNG", compress_level=1)
    svg = vtracer.convert_raw_image_to_svg(
        file.getvalue(),
        img_format="png",
        colormode="color",
        hierarchical="stacked",
        mode="spline",
        filter_speckle=4,
        color_precision=8,
        layer_difference=6,
        corner_threshold=60,
        length_threshold=4.0,
        splice_threshold=45,
        path_precision=1,
    )
    return "".join(re.findall(r"<path [^<>]*/>", svg))
