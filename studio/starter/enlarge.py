"""Small drawings made large and kept crisp: every edge pixel takes the colour of the area it belongs to.

An enlarged edge is soft because its pixels are mixtures. Here each mixed pixel takes a pure colour from its surroundings, so that
outlines stay sharp and follow the smooth contour of the interpolation. Pictures are (H, W, 4) uint8 RGBA. It knows no icons.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Pixels = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]

_MIXED = 0.04  # slope a pixel from which it may be a mixture
_REACH = 2  # pixels around in which pure colours are sought
_SLOPED = 0.5  # cost of taking a colour that is a mixture itself
_STEPS = 0.8  # deviation in pixels under which stairs in the outline vanish
_FAR = 0.004  # cost of a pixel's distance, squared


def enlarged(picture: Pixels, factor: int) -> Pixels:
    """`picture` (N, N, 4) as (N factor, N factor, 4), with edges of about one pixel."""
    alpha = picture[..., 3].astype(np.float32) / 255
    colour = spread(picture[..., :3].astype(np.float32) / 255, alpha > 0.6, 4)
    slope = _slope(colour)
    edge = np.asarray(Image.fromarray(((slope > _MIXED) * 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(3))) > 0
    rows, columns = np.nonzero(edge & (alpha > 0))
    side = len(alpha)
    cells = _interpolated(colour, factor).reshape(side, factor, side, factor, 3).transpose(0, 2, 1, 3, 4).copy()
    if len(rows):
        cells[rows, columns] = _purified(cells[rows, columns], colour, slope, rows, columns)
    large = cells.transpose(0, 2, 1, 3, 4).reshape(side * factor, side * factor, 3)
    return (np.concatenate([large, _outline(alpha, factor)], -1) * 255 + 0.5).astype(np.uint8)


def spread(colour: Floats, sure: NDArray[np.bool_], reach: int) -> Floats:
    """`colour` (H, W, 3) where `sure`; around it, up to `reach` pixels away, the mean of the sure colours beside; elsewhere as it was.

    The colours of half transparent edge pixels are not reliable, and beyond the edge there are none.
    """
    weight = sure.astype(np.float32)
    total = colour * weight[..., None]
    high, wide = weight.shape
    views = [(slice(y, y + high), slice(x, x + wide)) for y in range(3) for x in range(3)]
    for _ in range(reach):
        around, heavy = np.pad(total, ((1, 1), (1, 1), (0, 0))), np.pad(weight, 1)
        sums, counts = sum(around[view] for view in views), sum(heavy[view] for view in views)
        fresh = (weight == 0) & (counts > 0)
        total = np.where(fresh[..., None], sums / np.maximum(counts, 1e-6)[..., None], total)
        weight = np.where(fresh, 1, weight).astype(np.float32)
    return np.where(weight[..., None] > 0, total, colour).astype(np.float32)


def _outline(alpha: Floats, factor: int) -> Floats:
    """Alpha (N f, N f, 1) with steep edges: between the least and the most around it, it changes within about one pixel."""
    soft = Image.fromarray((alpha * 255 + 0.5).astype(np.uint8)).filter(ImageFilter.GaussianBlur(_STEPS))
    alpha = np.asarray(soft, np.float32) / 255
    low, high = (_interpolated(_extreme(alpha, pick)[..., None], factor) for pick in (np.minimum, np.maximum))
    span = np.maximum(high - low, 1e-3)
    place = (_interpolated(alpha[..., None], factor) - low) / span
    return (low + span * ((place - 0.5) * factor * 0.7 + 0.5).clip(0, 1)).clip(0, 1)


def _extreme(alpha: Floats, pick: np.ufunc) -> Floats:
    """The least or the most of the 5 x 5 pixels around each."""
    wide = np.pad(alpha, 2, mode="edge")
    wide = pick.reduce([wide[i : i + len(alpha)] for i in range(5)])
    return pick.reduce([wide[:, i : i + alpha.shape[1]] for i in range(5)])


def _purified(cells: Floats, flat: Floats, slope: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
    """`cells` (n, f, f, 3), the enlarged pixels at rows and columns, each replaced by the nearest pure colour around it."""
    factor = cells.shape[1]
    around = [(dy, dx) for dy in range(-_REACH, _REACH + 1) for dx in range(-_REACH, _REACH + 1) if dy * dy + dx * dx <= _REACH**2 + 1]
    wide = np.pad(flat, ((_REACH, _REACH), (_REACH, _REACH), (0, 0)), mode="edge")
    steep = np.pad(slope, _REACH, mode="edge")
    choices = np.stack([wide[rows + _REACH + dy, columns + _REACH + dx] for dy, dx in around], 1)  # (n, c, 3)
    cost = np.stack([steep[rows + _REACH + dy, columns + _REACH + dx] for dy, dx in around], 1) * _SLOPED
    cost += (choices**2).sum(-1)  # |u - c|^2 without |u|^2, which does not matter
    within = (np.arange(factor) + 0.5) / factor - 0.5
    far = np.stack([_FAR * ((dy - within[:, None]) ** 2 + (dx - within) ** 2) for dy, dx in around], -1).reshape(-1, len(around))
    points = cells.reshape(len(cells), -1, 3)
    total = cost[:, None] + far.astype(np.float32) - 2 * points @ choices.transpose(0, 2, 1)
    best = total.argmin(-1)
    return np.take_along_axis(choices, best[..., None], 1).reshape(cells.shape)


def _slope(flat: Floats) -> Floats:
    """The steepest central difference of any channel: high in mixtures, low in areas and on the crest of thin lines."""
    wide = np.pad(flat, ((1, 1), (1, 1), (0, 0)), mode="edge")
    pairs = (
        (wide[1:-1, 2:], wide[1:-1, :-2]),
        (wide[2:, 1:-1], wide[:-2, 1:-1]),
        (wide[2:, 2:], wide[:-2, :-2]),
        (wide[2:, :-2], wide[:-2, 2:]),
    )
    return np.maximum.reduce([np.abs(one - two).max(-1) / 2 for one, two in pairs])


def _interpolated(flat: Floats, factor: int) -> Floats:
    size = flat.shape[1] * factor, flat.shape[0] * factor
    planes = [Image.fromarray(flat[..., c]).resize(size, Image.Resampling.BICUBIC) for c in range(flat.shape[2])]
    return np.stack([np.asarray(plane) for plane in planes], -1).clip(0, 1)
