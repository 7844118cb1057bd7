"""What goes on behind things: the grain of a photograph, and smooth shades between known colours. It knows pixels only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]

_SIDE = 144  # pixels of the longer side at which a photograph's ground is completed: a drawing will stand before it


def grained(picture: Pixels, hole: Bools, seed: int, report: Callable[[float], None]) -> Pixels:
    """`picture` (h, w, 3) with the hole (h, w) completed from the rest of it (studio/inpaint/erase.py), its grain as fine as around it.

    `report` hears the share done and stops the work by raising.
    """
    import cv2

    from studio.inpaint.erase import erased

    high, wide = hole.shape
    scale = min(1.0, _SIDE / max(high, wide))
    size = max(8, round(wide * scale)), max(8, round(high * scale))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    empty = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    if empty.all():
        return picture
    made = cv2.resize(erased(small, empty, report, seed), (wide, high), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    lost = picture.astype(np.float32) - cv2.resize(small, (wide, high), interpolation=cv2.INTER_CUBIC)  # what the small size cannot hold
    random = np.random.default_rng(seed)
    spread = np.sqrt(np.maximum(spread_out(lost**2, (~hole).astype(np.float32)), 0))
    made += spread * random.normal(0, 1, (high, wide, 1)).astype(np.float32)
    return np.where(hole[..., None], (made + 0.5).clip(0, 255), picture).astype(np.uint8)


def spread_out(values: Floats, trust: Floats) -> Floats:
    """`values` (h, w, c) where `trust` (h, w) is 1, and smooth between: push and pull (Gortler et al., "The lumigraph", SIGGRAPH 1996)."""
    import cv2

    levels = [((values * trust[..., None]).astype(np.float32), trust.astype(np.float32))]
    while min(levels[-1][1].shape) > 2:
        levels.append((np.asarray(cv2.pyrDown(levels[-1][0]), np.float32), np.asarray(cv2.pyrDown(levels[-1][1]), np.float32)))
    total, heavy = levels[-1]
    filled = total / np.maximum(heavy, 1e-6)[..., None]
    for total, heavy in reversed(levels[:-1]):
        up = cv2.resize(filled, (heavy.shape[1], heavy.shape[0]), interpolation=cv2.INTER_LINEAR)
        sure = np.minimum(heavy * 4, 1)[..., None]
        filled = total / np.maximum(heavy, 1e-6)[..., None] * sure + up * (1 - sure)
    return filled
