"""Small differences of shade at a hole's edge, carried into the hole and faded out: two drawings in like colours become one.

After the membranes of Poisson image editing (Perez et al., SIGGRAPH 2003), but for each area of colour by itself, so that nothing bleeds
over an outline. It knows pixels only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.starter.palette import Palette

Pixels = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]

_LIKE = 46  # of 255: larger differences are another colour, not another shade
_REACH = 0.1  # of the picture's side: how far a difference is carried
_SPREAD = 0.035  # of the picture's side: along the edge, differences are averaged over that
_FEWEST = 12  # pixels of edge from which an area is toned


def toned(page: Pixels, hole: Bools, thing: Bools) -> Pixels:
    """`page` (h, w, 3) with its colours inside `hole` brought to those of the known `thing` beside it, where they are nearly alike."""
    import cv2

    known = cv2.erode((thing & ~hole).astype(np.uint8), np.ones((5, 5), np.uint8))
    if not known.any():
        return page
    far, labelled = cv2.distanceTransformWithLabels(1 - known, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    label = np.asarray(labelled, np.int64)
    rows, columns = np.nonzero(known)
    place = np.zeros((int(label.max()) + 1, 2), np.int64)
    place[label[rows, columns]] = np.stack([rows, columns], 1)
    ring = hole & (far > 4) & (far < 9)
    y, x = place[label[ring]].T
    jump = page[y, x].astype(np.float32) - page[ring]
    own = Palette.of(np.dstack([page, hole * np.uint8(255)])).where
    shift, like = np.zeros((*hole.shape, 3), np.float32), np.zeros(hole.shape, np.float32)
    shift[ring], like[ring] = jump, np.abs(jump).max(-1) < _LIKE
    shift *= like[..., None]
    result, side = page.astype(np.float32), min(hole.shape)
    fade = np.exp(-((np.maximum(far - 4, 0) / (_REACH * side)) ** 2))
    for area in range(int(own.max()) + 1):
        mine = own == area
        trust = like * mine
        if trust.sum() < _FEWEST:
            continue
        total, heavy = _blurred(shift * mine[..., None], _SPREAD * side), _blurred(trust, _SPREAD * side)
        mean = total / np.maximum(heavy, 1e-4)[..., None] * np.minimum(heavy / 2e-3, 1)[..., None]
        result += (mine * fade)[..., None] * mean
    return np.where(hole[..., None], (result + 0.5).clip(0, 255), page).astype(np.uint8)


def _blurred(plane: Floats, deviation: float) -> Floats:
    """A wide Gaussian, computed at a quarter of the size."""
    import cv2

    size = plane.shape[1], plane.shape[0]
    small = cv2.resize(plane, (max(1, size[0] // 4), max(1, size[1] // 4)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cv2.GaussianBlur(small, (0, 0), deviation / 4), size, interpolation=cv2.INTER_LINEAR), np.float32)
