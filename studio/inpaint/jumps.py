"""How visible a seam is, as a number: what the contours parallel to a hole's edge show beyond what the picture itself is like.

Prepared once for an original, a made picture and a hole, then asked for every way of joining them. Contours are the levels of the signed
distance to the edge: 0 is the hole's outermost pixel, 1 the first pixel outside. The definition is in `seams.score`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Profile = NDArray[np.float64]
Place = tuple[slice, slice]

_SCALE = 3.0  # standard deviation in pixels at which colours on both sides of a contour are compared
_AROUND = 32  # levels outside (and half of them inside) that tell what the picture is like
_BAND = 16  # pixels: doubling is counted per band of this width
_DEEPEST = 128  # levels looked at on either side
_TILE, _EDGE, _TILES, _SMALL = 112, 12, 7, 140_000  # a long edge is measured on tiles along it
_USUAL = 90  # percentile of the picture's own contours that is still no seam
_LEVELS = 2 * _DEEPEST + 1
_CENTRAL, _ONE = np.array([-0.5, 0, 0.5], np.float32), np.ones(1, np.float32)
_VALUES = np.arange(256) / 255
_LINEAR = np.where(_VALUES <= 0.04045, _VALUES / 12.92, ((_VALUES + 0.055) / 1.055) ** 2.4).astype(np.float32)  # IEC 61966-2-1


@dataclass(frozen=True)
class Seam:
    """The three parts of a seam's score, in CIE Lab units."""

    lab: float
    gradient: float
    doubling: float

    @property
    def total(self) -> float:
        """Their sum."""
        return self.lab + self.gradient + self.doubling


@dataclass(frozen=True)
class _Window:
    """One place where the edge is measured: where it lies in the picture, how far each pixel is from the edge, in which direction."""

    place: Place
    level: NDArray[np.int64]  # clipped to -_DEEPEST.._DEEPEST, then moved to start at 0
    across: tuple[Floats, Floats]  # unit normal, x and y
    core: Place  # the pixels of the place that count
    detail: Floats  # how much original and made picture differ in fine detail


class Gauge:
    """Measures joins of one original and one made picture, (h, w, 3) uint8 each, along the edge of one hole."""

    def __init__(self, original: Pixels, made: Pixels, hole: NDArray[np.bool_]) -> None:
        self._windows: list[_Window] = []
        if hole.all() or not hole.any():
            return
        outside = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        inside = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        signed = np.where(hole, 1 - inside, outside).astype(np.float32)
        for place, core in _places((signed >= 1) & (signed < 2)):
            self._windows.append(_window(place, core, signed[place], original[place], made[place]))
        self._counts = sum((np.bincount(w.level[w.core].ravel(), minlength=_LEVELS) for w in self._windows), np.zeros(_LEVELS))
        self._enough = max(1, int(self._counts[_DEEPEST + 1]) // 5)  # a few stray pixels at a corner are no contour
        self._usual: list[float] = []
        for kept, filled in zip(self._jumps(lambda place: original[place]), self._jumps(lambda place: made[place]), strict=True):
            around, within = slice(_DEEPEST + 3, _DEEPEST + 3 + _AROUND), slice(_DEEPEST - 2 - _AROUND // 2, _DEEPEST - 2)
            usual = np.concatenate([kept[around], filled[within]])
            counts = np.concatenate([self._counts[around], self._counts[within]])
            self._usual.append(float(np.percentile(usual[counts >= self._enough], _USUAL)) if (counts >= self._enough).any() else 0.0)

    def seam(self, joined: Callable[[Place], Pixels], mix: Floats) -> Seam:
        """The seam of the picture that `joined` gives for a place (rows, columns); `mix` (h, w) are its weights everywhere."""
        if not self._windows:
            return Seam(0.0, 0.0, 0.0)
        first, last, doubled = _DEEPEST, _DEEPEST + 1, np.zeros(_LEVELS)
        for window in self._windows:
            weight, level = mix[window.place][window.core], window.level[window.core]
            moving = level[(weight > 0.01) & (weight < 0.99)]
            if moving.size:
                first, last = min(first, int(moving.min())), max(last, int(moving.max()))
                both = 4 * weight * (1 - weight) * window.detail[window.core]
                doubled += np.bincount(level.ravel(), both.ravel(), _LEVELS)
        looked = slice(max(0, first - 2), last + 3)
        there = self._counts[looked] >= self._enough
        lab, gradient = (
            max(0.0, float((profile[looked][there] - usual).max()) if there.any() else 0.0)
            for profile, usual in zip(self._jumps(joined), self._usual, strict=True)
        )
        return Seam(lab, gradient, float((doubled / np.maximum(self._counts, 1)).sum()) / _BAND)

    def _jumps(self, joined: Callable[[Place], Pixels]) -> tuple[Profile, Profile]:
        """By level: the mean LAB jump, the mean gradient."""
        sums = np.zeros((2, _LEVELS))
        for window in self._windows:
            lab = _lab(joined(window.place))
            level = window.level[window.core].ravel()
            coarse = cv2.GaussianBlur(lab, (0, 0), _SCALE, borderType=cv2.BORDER_REFLECT_101).astype(np.float32)
            for row, (picture, width) in enumerate(((coarse, 2 * _SCALE), (lab, 1.0))):
                sums[row] += width * np.bincount(level, _change(picture, window.across)[window.core].ravel(), _LEVELS)
        counts = np.maximum(self._counts, 1)
        return sums[0] / counts, sums[1] / counts


def _places(edge: NDArray[np.bool_]) -> Iterator[tuple[Place, Place]]:
    """Where to measure, and which part of each place counts: everything, or tiles spread evenly along a long edge."""
    height, width = edge.shape
    if edge.size <= _SMALL:
        yield (slice(0, height), slice(0, width)), (slice(0, height), slice(0, width))
        return
    corners = [(y, x) for y in range(0, height, _TILE) for x in range(0, width, _TILE) if edge[y : y + _TILE, x : x + _TILE].any()]
    for number in sorted({int(n) for n in np.linspace(0, len(corners) - 1, min(_TILES, len(corners)))}):
        y, x = corners[number]
        top, left = max(0, y - _EDGE), max(0, x - _EDGE)
        place = (slice(top, min(height, y + _TILE + _EDGE)), slice(left, min(width, x + _TILE + _EDGE)))
        yield place, (slice(y - top, y - top + _TILE), slice(x - left, x - left + _TILE))


def _window(place: Place, core: Place, signed: Floats, original: Pixels, made: Pixels) -> _Window:
    """All of a place that does not depend on how the pictures are joined."""
    x, y = _slopes(cv2.GaussianBlur(signed, (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE).astype(np.float32))
    steep = np.maximum(np.sqrt(x * x + y * y), np.float32(1e-6))
    level = np.clip(np.floor(signed), -_DEEPEST, _DEEPEST).astype(np.int64) + _DEEPEST
    differ = _lab(made) - _lab(original)
    fine = differ - cv2.GaussianBlur(differ, (0, 0), _SCALE, borderType=cv2.BORDER_REFLECT_101)
    return _Window(
        place, level, (np.divide(x, steep, dtype=np.float32), np.divide(y, steep, dtype=np.float32)), core, np.sqrt(np.square(fine).sum(-1))
    )


def _lab(pixels: Pixels) -> Floats:
    """(h, w, 3) CIE Lab, L from 0 to 100."""
    return cv2.cvtColor(cv2.LUT(pixels, _LINEAR), cv2.COLOR_LRGB2Lab).astype(np.float32)


def _slopes(values: Floats) -> tuple[Floats, Floats]:
    """Central differences of one channel along x and y, a unit per pixel."""
    x = cv2.sepFilter2D(values, cv2.CV_32F, _CENTRAL, _ONE, borderType=cv2.BORDER_REPLICATE)
    y = cv2.sepFilter2D(values, cv2.CV_32F, _ONE, _CENTRAL, borderType=cv2.BORDER_REPLICATE)
    return x.astype(np.float32, copy=False), y.astype(np.float32, copy=False)


def _change(lab: Floats, across: tuple[Floats, Floats]) -> Floats:
    """(h, w): how far colour moves over one pixel in the direction across the contours."""
    total = np.zeros(lab.shape[:2], np.float32)
    for channel in cv2.split(lab):
        x, y = _slopes(channel.astype(np.float32, copy=False))
        x *= across[0]
        y *= across[1]
        x += y
        x *= x
        total += x
    return np.sqrt(total, out=total)
