"""Marks made larger, smaller and softer. A mask is (H, W) uint8, 255 marks what may change; distances are pixels. Knows no picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
Hole = NDArray[np.bool_]
Floats = NDArray[np.float32]

_LEVELS = 8  # of a soft mark that grow one by one
MARKED = 128
"""From this value on a pixel counts as marked."""
TOUCHED = 13
"""From this value on (5 %) a soft mark lets a pixel change a little."""


def grown(mask: Mask, by: int) -> Mask:
    """The marks larger by `by` pixels all round (smaller below 0), as round as the distance itself; the soft edge moves along.

    What counts is where a mark is at least half. Inside it keeps its own values; a soft mark grows as strong as it is.
    """
    if by == 0 or not mask.any():
        return mask
    box = bounds(mask, abs(by) + 2)
    if box is None:
        return mask
    left, top, right, bottom = box
    part = mask[top:bottom, left:right]
    marked = part >= MARKED
    if by > 0:
        result = part.copy()
        for level in _levels(part[marked]):
            result[(distance(part >= level) <= by) & (result < level)] = level
    else:
        # beyond the picture's own border marks go on: shrinking leaves a mark that touches the border touching it
        kept = distance(~marked) > -by
        result = np.where(kept, part, 0)
    out = mask.copy()
    out[top:bottom, left:right] = result
    return out


def distance(marked: Hole) -> Floats:
    """(H, W): how far every pixel lies from the nearest marked one; 0 on marks, very far where nothing is marked."""
    if not marked.any():
        return np.full(marked.shape, 1e6, np.float32)
    return np.asarray(cv2.distanceTransform(np.where(marked, 0, 255).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)


def bounds(mask: Mask | Hole, margin: int = 0) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) around everything that is not 0, widened by `margin` inside the picture; None for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return None
    height, width = mask.shape
    return (
        max(0, int(columns[0]) - margin),
        max(0, int(rows[0]) - margin),
        min(width, int(columns[-1]) + 1 + margin),
        min(height, int(rows[-1]) + 1 + margin),
    )


def softened(strengths: Floats, hole: Hole, grow: float, feather: float) -> Floats:
    """How freely each pixel may change, 0 to 1: `strengths` in the hole, and outside the nearest edge's strength, falling to 0.

    It holds for `grow` pixels and falls over `feather` pixels more: what is drawn goes on beyond the hole, so that there is something to
    blend at its edge.
    """
    if not hole.any():
        return np.zeros(hole.shape, np.float32)
    ramp = np.clip((grow + feather - distance(hole)) / max(feather, 1e-6), 0, 1)
    edge = float(strengths[hole].max())
    return np.where(hole, strengths, ramp * edge).astype(np.float32)


def _levels(values: Mask) -> list[int]:
    """The values that occur, from the least on; a few of them, the largest included, where there are many."""
    found = np.flatnonzero(np.bincount(values, minlength=256))
    return [int(found[i]) for i in sorted({round(i) for i in np.linspace(0, len(found) - 1, _LEVELS)})] if found.size else []
