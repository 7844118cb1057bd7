"""Finds the tile of a picture's mark again: as it is, cut, mirrored, at another size, slightly turned.

A picture made of equal tiles resembles itself at the tile's distance, so its autocorrelation says size and angle without the secret
(Kutter, 1998); the secret's tile then decides. Knows no colour: works on brightness.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from studio.provenance import watermark
from studio.provenance.picture_tile import FINE, SIDE, Match, Tile
from studio.provenance.watermark import Floats, Marked

SMALLEST = 64
"""Pixels of a side below which nothing is searched."""
OCTAVE = 1000
"""Sizes searched in an octave."""
TURN = 0.05
"""Degrees between the angles searched."""
_SIZES = 2.2 * OCTAVE
_ANGLES = 2 * 3.5 / TURN + 1
_WINDOWS = 10_000
THRESHOLD = watermark.threshold(2 * (SIDE * FINE) ** 2 * _SIZES * _ANGLES + 2 * SIDE**2 * _WINDOWS)
"""What a peak must reach: every size, angle and place of either side, and every window of the upright picture, count as tried."""


def search(luma: Floats, tile: Tile) -> Marked | None:
    """The mark in brightness (H, W), 0 to 255: first as it is, then mirrored, then other sizes and angles."""
    match = upright(luma, tile)
    if match is not None and match.peak >= THRESHOLD:
        return Marked(match.number, match.peak, THRESHOLD)
    return None


def upright(luma: Floats, tile: Tile) -> Match | None:
    """The best match of the whole picture, or of a part of it, as it stands."""
    sums = folds(whitened(luma))
    return tile.match(sums.sum((0, 1)), 1)


def whitened(luma: Floats) -> Floats:
    """(H, W): what its neighbourhood does not explain, as loud everywhere."""
    import cv2

    rest: Any = luma - cv2.blur(luma, (9, 9))
    spread: Floats = np.sqrt(np.maximum(np.asarray(cv2.blur(rest * rest, (9, 9))), 0)) + np.float32(0.5)
    return np.clip(rest / spread, -3, 3)


def folds(rest: Floats) -> Floats:
    """(rows, columns, 128, 128): the picture cut into tiles, filled up with zeros."""
    height, width = rest.shape
    rows, columns = -(-height // SIDE), -(-width // SIDE)
    padded = np.pad(rest, ((0, rows * SIDE - height), (0, columns * SIDE - width)))
    return padded.reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2)
