"""What was found by its name, drawn sharper: every part of a rough mask is looked at again by what finds the thing inside a box.

Masks are (H, W) uint8, 255 where something is marked. Knows no model and no page.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.errors import StudioError
from studio.inpaint.masks import MARKED

Mask = NDArray[np.uint8]
Box = tuple[int, int, int, int]

PARTS = 4
"""The largest parts, which are looked at again; each takes a run."""
SMALLEST = 0.05
"""A part below this share of the largest one stays as it is."""
AROUND = 0.05
"""Share of a part's sides that its box is wider on each side: a rough mask often ends a little inside the thing."""
AGREES = 0.4
"""Overlap (intersection over union, 0 to 1) from which both mean the same thing; below it the rough part stays."""


def refined(rough: Mask, cut: Callable[[Box], Mask]) -> Mask:
    """`rough` with its parts as `cut` draws the thing inside each one's box (left, top, right, bottom), in pixels of the picture.

    A part that `cut` refuses with a StudioError, or in whose box it finds something else, stays as it was.
    """
    _, labels, facts, _ = cv2.connectedComponentsWithStats((rough > 0).astype(np.uint8), connectivity=8)
    marked = np.bincount(labels[rough >= MARKED], minlength=len(facts))
    largest = [int(label) for label in np.argsort(-marked)[:PARTS] if marked[label] > SMALLEST * marked.max()]
    kept, drawn = rough.copy(), np.zeros_like(rough)
    for label in largest:
        part = labels == label
        try:
            fine = cut(_around(facts[label], rough.shape))
        except StudioError:
            continue
        if _overlap(part & (rough >= MARKED), fine >= MARKED) >= AGREES:
            kept[part] = 0
            drawn = np.maximum(drawn, fine)
    return np.maximum(kept, drawn)


def _around(facts: NDArray[np.int32], shape: tuple[int, ...]) -> Box:
    left, top, width, height = (int(side) for side in facts[:4])
    wider, higher = round(AROUND * width), round(AROUND * height)
    right, bottom = min(shape[1], left + width + wider), min(shape[0], top + height + higher)
    return max(0, left - wider), max(0, top - higher), right, bottom


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 0.0
