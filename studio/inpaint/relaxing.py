"""A picture from its slopes: the shades of a pasted area run on from its rim, while its detail keeps the slopes it was copied with.

The discrete Poisson equation of Pérez et al., "Poisson image editing" (SIGGRAPH 2003), solved by conjugate gradients from coarse to fine.
It knows nothing of patches or models. Areas are (h, w) bool, pictures (h, w, c) float32.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Area = NDArray[np.bool_]

_STEPS = 40  # of conjugate gradients at each size
_SMALLEST = 12  # pixels on the shorter side of the coarsest size
_CONTENT = 30.0  # levels of 255, in a plain area
_ROUGH = 6.0  # levels a pixel: in an area as steep as this it is half of that
_AROUND = 15  # pixels: the width of an area
_CLOSE = 1e-4  # of the first residual: near enough


def relaxed(picture: Floats, area: Area, right: Floats, down: Floats) -> Floats:
    """(h, w, c) float32: `picture` with its area changed so that its slopes come nearest to the wanted ones.

    `right` and `down` (h, w, c) are the wanted differences from each pixel to its right and lower neighbour; they count where either of
    the two lies in the area. Pixels outside the area stay. Differences that are off by much more than _CONTENT, or less where the slopes
    around are steep, are content, not shade: they stay as they are in `picture`, so that no colour bleeds from an edge that ends there.
    """
    wide = np.pad(picture, ((0, 1), (0, 1), (0, 0)), mode="edge")
    missing_right = (right - np.diff(wide, axis=1)[:-1]) * _either(area, 1)[..., None]
    missing_down = (down - np.diff(wide, axis=0)[:, :-1]) * _either(area, 0)[..., None]
    missing_right[:, -1], missing_down[-1] = 0, 0
    rough = np.asarray(cv2.blur(np.sqrt((right * right + down * down).sum(-1)), (_AROUND, _AROUND)), np.float32)
    limit = np.divide(_CONTENT, 1 + rough / _ROUGH, dtype=np.float32)
    missing_right, missing_down = _shade(missing_right, limit), _shade(missing_down, limit)
    sinks = missing_right + missing_down
    sinks[:, 1:] -= missing_right[:, :-1]
    sinks[1:] -= missing_down[:-1]
    return picture + _solved(np.negative(sinks * area[..., None], dtype=np.float32), area)


def _shade(missing: Floats, limit: Floats) -> Floats:
    """Differences as they are while they are small, fading to none where they are content."""
    keep = np.exp(-(missing * missing).sum(-1) / (2 * limit * limit))
    return np.multiply(missing, keep[..., None], dtype=np.float32)


def _solved(right_side: Floats, area: Area) -> Floats:
    """x with (4 x - its neighbours) = right_side in the area, 0 outside it."""
    start = np.zeros_like(right_side)
    if min(area.shape) >= 2 * _SMALLEST:
        odd = ((0, area.shape[0] % 2), (0, area.shape[1] % 2))
        rows, columns = (area.shape[0] + 1) // 2, (area.shape[1] + 1) // 2
        less = np.pad(right_side, (*odd, (0, 0))).reshape(rows, 2, columns, 2, -1).sum((1, 3))
        inner = np.pad(area, odd).reshape(rows, 2, columns, 2).min((1, 3))
        coarse = _solved(less * inner[..., None], inner)
        up = cv2.resize(coarse, (2 * columns, 2 * rows), interpolation=cv2.INTER_LINEAR)
        start = np.asarray(up, np.float32).reshape(2 * rows, 2 * columns, -1)[: area.shape[0], : area.shape[1]] * area[..., None]
    return _nearer(start, right_side, area)


def _nearer(x: Floats, right_side: Floats, area: Area) -> Floats:
    """Some steps of conjugate gradients, all channels at once, each with its own step length."""
    rest = right_side - _stiffness(x, area)
    way, size = rest.copy(), (rest * rest).sum((0, 1))
    enough = _CLOSE * _CLOSE * np.maximum((right_side * right_side).sum((0, 1)), 1e-12)
    for _ in range(_STEPS):
        if (size <= enough).all():
            break
        pushed = _stiffness(way, area)
        length = size / np.maximum((way * pushed).sum((0, 1)), 1e-20)
        x = x + length * way
        rest -= length * pushed
        fresh = (rest * rest).sum((0, 1))
        way = rest + fresh / np.maximum(size, 1e-20) * way
        size = fresh
    return x.astype(np.float32)


def _stiffness(x: Floats, area: Area) -> Floats:
    """4 x minus the neighbours inside the picture, in the area; a neighbour beyond the picture's border counts as equal."""
    result = np.zeros_like(x)
    across, along = np.diff(x, axis=1), np.diff(x, axis=0)
    result[:, :-1] -= across
    result[:, 1:] += across
    result[:-1] -= along
    result[1:] += along
    return result * area[..., None]


def _either(area: Area, axis: int) -> Area:
    """Where a pixel or the one after it lies in the area."""
    after = np.zeros_like(area)
    if axis == 1:
        after[:, :-1] = area[:, 1:]
    else:
        after[:-1] = area[1:]
    return area | after
