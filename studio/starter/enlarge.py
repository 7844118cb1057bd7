"""Small drawings made large and kept crisp: every edge pixel takes the colour of the area it belongs to.

An enlarged edge is soft because its pixels are mixtures. Here each mixed pixel takes a pure colour from its surroundings, so that
outlines stay sharp and follow the smooth contour of the interpolation. Pictures are (H, W, 4) uint8 RGBA. It knows no icons.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

_MIXED = 0.04  # slope a pixel from which it may be a mixture
_REACH = 2  # pixels around in which pure colours are sought
_SLOPED = 0.5  # cost of taking a colour that is a mixture itself
_FAR = 0.004  # cost of a pixel's distance, squared


def enlarged(picture: Pixels, factor: int) -> Pixels:
    """`picture` (N, N, 4) as (N factor, N factor, 4), with edges of one pixel."""
    flat = _premultiplied(picture)
    slope = _slope(flat)
    edge = np.asarray(Image.fromarray(((slope > _MIXED) * 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(3))) > 0
    large = _interpolated(flat, factor)
    rows, columns = np.nonzero(edge)
    side = flat.shape[0]
    cells = large.reshape(side, factor, side, factor, 4).transpose(0, 2, 1, 3, 4)
    if len(rows):
        cells = cells.copy()
        cells[rows, columns] = _purified(cells[rows, columns], flat, slope, rows, columns)
    return _straight(cells.transpose(0, 2, 1, 3, 4).reshape(side * factor, side * factor, 4))


def _purified(cells: Floats, flat: Floats, slope: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
    """`cells` (n, f, f, 4), the enlarged pixels at rows and columns, each replaced by the nearest pure colour around it."""
    factor = cells.shape[1]
    around = [(dy, dx) for dy in range(-_REACH, _REACH + 1) for dx in range(-_REACH, _REACH + 1) if dy * dy + dx * dx <= _REACH**2 + 1]
    wide = np.pad(flat, ((_REACH, _REACH), (_REACH, _REACH), (0, 0)), mode="edge")
    steep = np.pad(slope, _REACH, mode="edge")
    choices = np.stack([wide[rows + _REACH + dy, columns + _REACH + dx] for dy, dx in around], 1)  # (n, c, 4)
    cost = np.stack([steep[rows + _REACH + dy, columns + _REACH + dx] for dy, dx in around], 1) * _SLOPED
    cost += (choices**2).sum(-1)  # |u - c|^2 without |u|^2, which does not matter
    within = (np.arange(factor) + 0.5) / factor - 0.5
    far = np.stack([_FAR * ((dy - within[:, None]) ** 2 + (dx - within) ** 2) for dy, dx in around], -1).reshape(-1, len(around))
    points = cells.reshape(len(cells), -1, 4)
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
    return np.stack([np.asarray(Image.fromarray(flat[..., c]).resize(size, Image.Resampling.BICUBIC)) for c in range(4)], -1).clip(0, 1)


def _premultiplied(picture: Pixels) -> Floats:
    share = picture.astype(np.float32) / 255
    share[..., :3] *= share[..., 3:]
    return share


def _straight(flat: Floats) -> Pixels:
    alpha = flat[..., 3:]
    colour = np.where(alpha > 1e-3, flat[..., :3] / np.maximum(alpha, 1e-3), 0)
    return (np.concatenate([colour.clip(0, 1), alpha], -1) * 255 + 0.5).astype(np.uint8)
