"""The grain of a photograph goes on inside a hole: the best other place of the picture is copied there, its shades fitted to the rim.

One shift for the whole hole or for a few parts of it, those at which the rims agree best (after "Shift-map image editing", Pritch et al.,
ICCV 2009), then a membrane of the differences along the rim (Perez et al., SIGGRAPH 2003). A drawing stands over it: this is only its ground.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]

_SMALL = 96  # cells on the longer side on which shifts are compared
_RIM = 3  # cells of rim that must agree
_PARTS = 3  # times that a hole is halved
_FAR = 0.15  # cost of a shift over the whole picture, in grey levels squared / 1000


def copied(picture: Pixels, hole: Bools) -> Pixels:
    """`picture` (h, w, 3) with the hole (h, w) filled from elsewhere, in parts where it fits nowhere as a whole."""
    filled = picture.copy()
    jump, trust = np.zeros((*hole.shape, 3), np.float32), np.zeros(hole.shape, np.float32)
    _fill(picture, hole, hole, filled, jump, trust, _PARTS)
    if trust.any():
        field = spread_out(jump, trust)
        filled = np.where(hole[..., None], (filled + field + 0.5).clip(0, 255), picture).astype(np.uint8)
    return filled


def _fill(picture: Pixels, part: Bools, hole: Bools, filled: Pixels, jump: Floats, trust: Floats, parts: int) -> None:
    """Fill one part of the hole from one place, or its two halves; notes the jumps along the rim."""
    if not part.any():
        return
    shift = _shift(picture, part, hole)
    if shift is None:
        if parts:
            for half in _halves(part):
                _fill(picture, half, hole, filled, jump, trust, parts - 1)
        return
    high, wide = hole.shape
    rows, columns = np.nonzero(part)
    filled[rows, columns] = picture[(rows + shift[0]).clip(0, high - 1), (columns + shift[1]).clip(0, wide - 1)]
    _note(picture, part, hole, shift, jump, trust)


def _halves(part: Bools) -> tuple[Bools, Bools]:
    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    first = part.copy()
    if len(columns) >= len(rows):
        first[:, columns[len(columns) // 2] :] = False
    else:
        first[rows[len(rows) // 2] :] = False
    return first, part & ~first


def _shift(picture: Pixels, part: Bools, hole: Bools) -> tuple[int, int] | None:
    """How far away (down, right) the place lies whose rim agrees best with the part's; None when it fits nowhere beside the hole."""
    import cv2

    factor = max(1, round(max(hole.shape) / _SMALL))
    size = max(2, hole.shape[1] // factor), max(2, hole.shape[0] // factor)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 32
    empty, unknown = ((cv2.resize(m.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0).astype(np.float32) for m in (part, hole))
    rim = np.maximum(cv2.dilate(empty, np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8)) - unknown, 0)
    pad = max(size)
    wide = np.pad(small, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    closed = cv2.copyMakeBorder(unknown, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=1)
    constant = float((small**2 * rim[..., None]).sum())
    cross = cv2.matchTemplate(wide, small * rim[..., None], cv2.TM_CCORR)
    square = cv2.matchTemplate((wide**2).sum(-1), rim, cv2.TM_CCORR)
    blocked = cv2.matchTemplate(closed, empty, cv2.TM_CCORR)
    down, right = np.mgrid[: cross.shape[0], : cross.shape[1]] - pad
    cost = (constant - 2 * cross + square) / max(float(rim.sum()), 1) + _FAR * np.hypot(down / size[1], right / size[0])
    cost[blocked > 0.5] = np.inf
    if not np.isfinite(cost).any():
        return None
    y, x = np.unravel_index(cost.argmin(), cost.shape)
    return int(down[y, x]) * factor, int(right[y, x]) * factor


def _note(picture: Pixels, part: Bools, hole: Bools, shift: tuple[int, int], jump: Floats, trust: Floats) -> None:
    """The jumps between the known pixels beside the part and those beside the place it is filled from."""
    import cv2

    rim = (cv2.dilate(part.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0) & ~hole
    rows, columns = np.nonzero(rim)
    far_rows, far_columns = rows + shift[0], columns + shift[1]
    inside = (far_rows >= 0) & (far_rows < len(hole)) & (far_columns >= 0) & (far_columns < hole.shape[1])
    rows, columns, far_rows, far_columns = (a[inside] for a in (rows, columns, far_rows, far_columns))
    sure = ~hole[far_rows, far_columns]
    rows, columns, far_rows, far_columns = (a[sure] for a in (rows, columns, far_rows, far_columns))
    jump[rows, columns] = picture[rows, columns].astype(np.float32) - picture[far_rows, far_columns]
    trust[rows, columns] = 1


def spread_out(values: Floats, trust: Floats) -> Floats:
    """`values` (h, w, c) where `trust` (h, w) is 1, and smooth between: push and pull (Gortler et al., "The lumigraph", SIGGRAPH 1996)."""
    import cv2

    levels = [((values * trust[..., None]).astype(np.float32), trust.astype(np.float32))]
    while min(levels[-1][1].shape) > 2:
        levels.append((cv2.pyrDown(levels[-1][0]), cv2.pyrDown(levels[-1][1])))
    total, heavy = levels[-1]
    filled = total / np.maximum(heavy, 1e-6)[..., None]
    for total, heavy in reversed(levels[:-1]):
        up = cv2.resize(filled, (heavy.shape[1], heavy.shape[0]), interpolation=cv2.INTER_LINEAR)
        sure = np.minimum(heavy * 4, 1)[..., None]
        filled = total / np.maximum(heavy, 1e-6)[..., None] * sure + up * (1 - sure)
    return filled
