"""Where a drawing goes in a picture with a hole: inside it, against what stands beside it, or as the missing part of a thing.

Places are boxes in the pixels of the picture; the drawing's own box (frame.drawn) is stretched over them. It paints nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.starter.frame import Box, drawn
from studio.starter.palette import to_oklab

Pixels = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]

_GRID = 56  # cells a side in which places are compared
_ROOM = 0.94  # of the largest size that fits inside a hole
_SPILL = 0.004  # share of a drawing that may lie outside its hole
_STRETCHES = (1.0, 0.86, 1.16)
_SIZES = tuple(1.17**n for n in range(-4, 4))
_NUDGES = (0.97, 0.985, 1.0, 1.015, 1.03)
_FINER = 128  # cells a side in which the best place is found exactly
_NEAR = 0.11  # of the window's side: how far from the hole agreement counts most
_FAR = 0.12  # weight of agreement far from the hole
_COLOUR = 1.2  # weight of colours against outlines
_BEYOND = 0.6  # weight of what would be drawn beyond the picture's border
_SHOWN = 0.2  # cost of a drawing of which little shows
_SEEN = 0.1  # least share of the hole that a drawing must show in
_BORDER = 9.0  # how much worse it is to run out of the picture than over its ground
_HIDDEN = 0.45  # most of a drawing that may be hidden behind what stands beside it
_FLIP = 0.01  # a mirrored drawing must fit that much better


@dataclass(frozen=True)
class Spot:
    """A place: the drawing's own box goes over `box`, mirrored if `flip`. `misfit` is 0 where it agrees wholly with what is known."""

    box: Box
    flip: bool = False
    misfit: float = 0.0


def bounds(mask: Bools) -> Box:
    """The smallest box around the true pixels."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def inside(drawing: Pixels, hole: Bools, floor: float | None = None) -> Spot:
    """The largest place for `drawing` (128, 128, 4) inside `hole` (h, w), in the hole's middle or with its feet on y = `floor`."""
    import cv2

    around = bounds(hole)
    cell = max(around.width, around.height) / 96
    top, left = int(around.top), int(around.left)
    crop = hole[top : int(around.bottom), left : int(around.right)].astype(np.float32)
    size = max(1, round(around.width / cell)), max(1, round(around.height / cell))
    closed = np.pad(1 - cv2.resize(crop, size, interpolation=cv2.INTER_AREA), 1, constant_values=1)
    own, best = drawn(drawing), (0.0, 1.0, 1.0)
    for stretch in _STRETCHES:
        scale = min(size[0] / (own.width * stretch**0.5), size[1] / (own.height / stretch**0.5))
        while scale > 0.04:
            shape = _shape(drawing, own, scale * stretch**0.5, scale / stretch**0.5)
            if _spilled(closed, shape).min() <= _SPILL * shape.sum():
                break
            scale *= 0.95
        if scale * (1 if stretch == 1 else 0.93) > best[0]:
            best = scale * (1 if stretch == 1 else 0.93), scale, stretch
    scale, stretch = best[1] * _ROOM, best[2]
    shape = _shape(drawing, own, scale * stretch**0.5, scale / stretch**0.5)
    spilled = _spilled(closed, shape)
    rows, columns = np.nonzero(spilled <= max(_SPILL * shape.sum(), float(spilled.min()) + 1e-3))
    high, wide = shape.shape
    middle = np.array(
        [np.average(np.arange(n), weights=(1 - closed).sum(axis) + 1e-6) for axis, n in ((1, len(closed)), (0, closed.shape[1]))]
    )
    bottom = middle[0] + high / 2 if floor is None else (floor - top) / cell + 1
    best_place = ((rows + high - bottom) ** 2 + (columns + wide / 2 - middle[1] - 0.5) ** 2).argmin()
    x, y = left + (int(columns[best_place]) - 1) * cell, top + (int(rows[best_place]) - 1) * cell
    return Spot(Box(x, y, x + wide * cell, y + high * cell))


def along(drawing: Pixels, picture: Pixels, thing: Bools, hole: Bools, rough: Spot | None = None) -> Spot:
    """The place at which `drawing` best continues the known part of the `thing` (h, w) in `picture` into the `hole`.

    `rough` is what `roughly` found, if it was asked before.
    """
    rough = rough or roughly(drawing, picture, thing, hole)
    own = _premultiplied(drawing), drawn(drawing)
    field = _Field.of(picture, thing, hole, _GRID)
    size = max(rough.box.width, rough.box.height) / field.window.width * _GRID
    shapes = ((size * near, stretch) for near in (0.93, 1.0, 1.08) for stretch in _STRETCHES)
    best = min((field.best(own, *shape, rough.flip) for shape in shapes), key=lambda spot: spot.misfit)
    if not np.isfinite(best.misfit):
        return best
    fine = _Field.of(picture, thing, hole, _FINER)
    best = min((fine.near(own, best, wide, 1.0) for wide in _NUDGES), key=lambda spot: spot.misfit)
    return min((fine.near(own, best, 1.0, high) for high in _NUDGES), key=lambda spot: spot.misfit)


def roughly(drawing: Pixels, picture: Pixels, thing: Bools, hole: Bools) -> Spot:
    """About the place that `along` finds: enough to tell which of several drawings may fit best."""
    field = _Field.of(picture, thing, hole, _GRID)
    own = _premultiplied(drawing), drawn(drawing)
    trials = (field.best(own, size * field.base, 1.0, flip) for size in _SIZES for flip in (False, True))
    return min(trials, key=lambda spot: spot.misfit)


def against(drawing: Pixels, thing: Bools, hole: Bools) -> Spot:
    """The place for `drawing` in the hole at which it covers the cut through the `thing`, as far as it does not spill over the ground.

    What lies over the known part of the thing is hidden behind it.
    """
    import cv2

    window = surrounding(thing, hole)
    cell = window.width / _GRID
    free, solid = (_gridded(mask.astype(np.float32), window, _GRID) for mask in (hole, thing))
    ground = (1 - free - solid).clip(0, 1)
    ground += _BORDER * (1 - _gridded(np.ones(hole.shape, np.float32), window, _GRID)).round()
    cut = free * (cv2.dilate((solid > 0.5).astype(np.float32), np.ones((3, 3), np.uint8)) > 0)
    own, best, least = drawn(drawing), Spot(window), np.inf
    for scale, stretch in ((s, f) for s in np.geomspace(0.2, 1.3, 20) * _GRID / max(own.width, own.height) for f in _STRETCHES):
        shape = _shape(drawing, own, scale * stretch**0.5, scale / stretch**0.5)
        if max(shape.shape) >= 2 * _GRID:
            continue
        area = float(shape.sum())
        corners = -shape.shape[1] + 2, -shape.shape[0] + 2, _GRID - 2, _GRID - 2
        spilled = _slid(ground, shape, corners, 1 + _BORDER)
        hidden, shown, covered = (_slid(plane, shape, corners) for plane in (solid, free, cut))
        cost = 6 * spilled / area + 3 * np.maximum(hidden / area - 0.3, 0) - 2.0 * covered / max(float(cut.sum()), 1)
        cost = cost + 0.25 * hidden / area - 0.8 * shown / max(float(free.sum()), 1) + 0.15 * (stretch != 1) + 9 * (hidden > _HIDDEN * area)
        y, x = np.unravel_index(cost.argmin(), cost.shape)
        if cost[y, x] < least:
            least = float(cost[y, x])
            x0, y0 = window.left + (float(x) + corners[0]) * cell, window.top + (float(y) + corners[1]) * cell
            best = Spot(Box(x0, y0, x0 + shape.shape[1] * cell, y0 + shape.shape[0] * cell), misfit=least)
    return best


def surrounding(thing: Bools, hole: Bools) -> Box:
    """A square around the hole and the things that reach into it, a little larger than both."""
    import cv2

    reach = max(3, min(hole.shape) // 100)
    _, numbers = cv2.connectedComponents(thing.astype(np.uint8))
    beside = cv2.dilate(hole.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    touching = np.isin(numbers, np.setdiff1d(np.unique(numbers[beside]), [0]))
    around = bounds(hole | touching if hole.any() or touching.any() else thing)
    side = 1.06 * max(around.width, around.height)
    x, y = (around.left + around.right) / 2, (around.top + around.bottom) / 2
    return Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


@dataclass(frozen=True)
class _Field:
    """What a drawing is compared with: the known part in a square window, cells weighed more the nearer to the hole they are."""

    window: Box
    free: Floats  # (n, n): the hole
    weight: Floats  # (n, n)
    held: Floats  # (n, n, 4): the known part times the weights
    constant: float
    norm: float
    base: float  # cells: the known part's longer side

    @classmethod
    def of(cls, picture: Pixels, thing: Bools, hole: Bools, side: int) -> _Field:
        import cv2

        window = surrounding(thing, hole)
        known = _planes(np.dstack([picture, thing * np.uint8(255)]), window, side)
        free, there = (_gridded(mask.astype(np.float32), window, side) for mask in (hole, np.ones_like(hole)))
        beyond = (1 - there) * _beyond(thing, window, side)
        far = cv2.distanceTransform((free < 0.5).astype(np.uint8), cv2.DIST_L2, 3)
        weight = (1 - free) * there * (np.exp(-far / (_NEAR * side)) + _FAR) + beyond
        solid = known[..., 3] > 0.5
        spans = [float(np.ptp(np.flatnonzero(solid.any(axis)))) + 1 for axis in (0, 1)] if solid.any() else [0.0]
        held = weight[..., None] * known
        norm = float((weight * known[..., 3]).sum()) + 1e-6
        return cls(window, free, weight, held, float((held * known).sum()), norm, max(*spans, 0.3 * side))

    def best(self, own: tuple[Floats, Box], size: float, stretch: float, flip: bool) -> Spot:
        """The place for a drawing whose longer side is `size` cells."""
        scale = size / max(own[1].width, own[1].height)
        wide, high = round(own[1].width * scale * stretch**0.5), round(own[1].height * scale / stretch**0.5)
        side = len(self.free)
        if max(wide, high) > 1.6 * side or min(wide, high) < 2:
            return Spot(self.window, misfit=np.inf)
        spot = self._placed(_shrunk(own, wide, high, flip), (-wide + 2, -high + 2, side - 2, side - 2), flip)
        return Spot(spot.box, flip, spot.misfit + 0.01 * (stretch != 1))

    def near(self, own: tuple[Floats, Box], spot: Spot, wide: float, high: float) -> Spot:
        """The place within a few cells of `spot` for a drawing larger than there by these factors."""
        cell = self.window.width / len(self.free)
        columns, rows = max(2, round(spot.box.width / cell * wide)), max(2, round(spot.box.height / cell * high))
        x = round(((spot.box.left + spot.box.right) / 2 - self.window.left) / cell - columns / 2)
        y = round(((spot.box.top + spot.box.bottom) / 2 - self.window.top) / cell - rows / 2)
        return self._placed(_shrunk(own, columns, rows, spot.flip), (x - 4, y - 4, x + 4, y + 4), spot.flip)

    def _placed(self, shape: Floats, corners: tuple[int, int, int, int], flip: bool) -> Spot:
        """The best place of `shape` (rows, columns, 4) with its corner in `corners` (left, top, right, bottom) of the grid."""
        cover = np.ascontiguousarray(shape[..., 3])
        cross = _slid(self.held, shape, corners)
        cost = (self.constant - 2 * cross + _slid(self.weight, (shape**2).sum(-1), corners)) / self.norm
        shown = _slid(self.free, cover, corners)
        area = float(cover.sum()) + 1e-6
        cost = cost + _SHOWN * np.maximum(0.5 - shown / area, 0) + _FLIP * flip
        cost = np.where(shown < _SEEN * self.free.sum(), np.inf, cost)
        y, x = np.unravel_index(cost.argmin(), cost.shape)
        cell = self.window.width / len(self.free)
        left, top = self.window.left + (float(x) + corners[0]) * cell, self.window.top + (float(y) + corners[1]) * cell
        return Spot(Box(left, top, left + shape.shape[1] * cell, top + shape.shape[0] * cell), flip, float(cost[y, x]))


def _beyond(thing: Bools, window: Box, side: int) -> Floats:
    """The weight of cells beyond the picture's border: none where the border crops the thing, so that it may go on there."""
    cells = (np.arange(side) + 0.5) / side * window.width
    x, y = cells + window.left, cells + window.top
    open_ = np.zeros((side, side), bool)
    open_[y < 0] |= bool(thing[0].any())
    open_[y > len(thing)] |= bool(thing[-1].any())
    open_[:, x < 0] |= bool(thing[:, 0].any())
    open_[:, x > thing.shape[1]] |= bool(thing[:, -1].any())
    return _BEYOND * ~open_


def _slid(plane: Floats, shape: Floats, corners: tuple[int, int, int, int], fill: float = 0.0) -> Floats:
    """Sums of `plane` times `shape` (both of one or four channels) for each of the shape's `corners`; outside the plane is `fill`."""
    import cv2

    left, top, right, bottom = corners
    right, bottom = right + shape.shape[1], bottom + shape.shape[0]
    crop = plane[max(0, top) : max(0, bottom), max(0, left) : max(0, right)].astype(np.float32)
    before_y, before_x = min(max(0, -top), bottom - top), min(max(0, -left), right - left)
    after_y, after_x = bottom - top - before_y - crop.shape[0], right - left - before_x - crop.shape[1]
    crop = cv2.copyMakeBorder(crop, before_y, after_y, before_x, after_x, cv2.BORDER_CONSTANT, value=(fill,) * 4)
    return np.asarray(cv2.matchTemplate(crop, np.ascontiguousarray(shape, np.float32), cv2.TM_CCORR), np.float32)


def _spilled(closed: Floats, shape: Floats) -> Floats:
    import cv2

    if shape.shape[0] > closed.shape[0] or shape.shape[1] > closed.shape[1]:
        return np.full((1, 1), np.inf)
    return np.asarray(cv2.matchTemplate(closed.astype(np.float32), shape, cv2.TM_CCORR), np.float32)


def _shape(drawing: Pixels, own: Box, wide: float, high: float) -> NDArray[np.float32]:
    """The drawing's coverage, its own box scaled by `wide` and `high`."""
    size = max(1, round(own.width * wide)), max(1, round(own.height * high))
    return np.ascontiguousarray(_shrunk((_premultiplied(drawing), own), *size)[..., 3], np.float32)


def _shrunk(own: tuple[Floats, Box], wide: int, high: int, flip: bool = False) -> Floats:
    import cv2

    planes, box = own
    part = planes[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
    return np.asarray(cv2.resize(part[:, ::-1] if flip else part, (wide, high), interpolation=cv2.INTER_AREA), np.float32)


def _planes(picture: Pixels, window: Box, side: int) -> Floats:
    return np.dstack([_gridded(plane, window, side) for plane in np.moveaxis(_premultiplied(picture), -1, 0)])


def _premultiplied(picture: Pixels) -> Floats:
    """OKLab about grey times coverage, then coverage: (H, W, 4)."""
    alpha = picture[..., 3:].astype(np.float32) / 255
    lab = (to_oklab(picture[..., :3]) - np.array([0.6, 0, 0], np.float32)) * _COLOUR
    return np.concatenate([lab * alpha, alpha], -1).astype(np.float32)


def _gridded(plane: Floats, window: Box, side: int) -> Floats:
    """`plane` (h, w) inside `window` (nothing outside the picture) as (side, side), by areas."""
    import cv2

    left, top, size = round(window.left), round(window.top), max(1, round(window.width))
    before_x, before_y = max(0, -left), max(0, -top)
    crop = plane[max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)].astype(np.float32)
    after_x, after_y = size - before_x - crop.shape[1], size - before_y - crop.shape[0]
    crop = cv2.copyMakeBorder(crop, before_y, max(0, after_y), before_x, max(0, after_x), cv2.BORDER_CONSTANT, value=0)
    return np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), np.float32)
