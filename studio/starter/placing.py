"""Drawings of 128 px brought into a picture at its full size, crisp, and bent a little so that outlines meet across a hole's edge.

Colours between drawing and picture are premultiplied float32 in 0..1. It knows no words, no icons and no sampler.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.starter.enlarge import enlarged
from studio.starter.fitting import Spot
from studio.starter.frame import Box, drawn
from studio.starter.icons import SIZE

Pixels = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]

_FINE = 2  # samples a pixel and side
_MOST = 1536  # pixels a side of an enlarged drawing
_SOFTEST = 0.05  # of the picture's side: the least reach of a bend
_TURNS = 180  # directions from the middle in which outlines are compared
_SMOOTH = 2.5  # deviation in these directions over which outlines are smoothed
_DRAWN_OUT = 1.7  # the most that a drawing is drawn out or in
_SHADOW = 0.42  # how dark a shadow is at its middle
_BEND = 0.07  # of the picture's side: the farthest that an outline is moved to meet another


@dataclass(frozen=True)
class Stamp:
    """A drawing where it stands in a picture: `paint` (h, w, 4) premultiplied, `origin` (h, w) int32, the icon of each pixel or -1."""

    paint: NDArray[np.float32]
    origin: NDArray[np.int32]

    def over(self, page: Pixels) -> Pixels:
        """The stamp laid over `page` (h, w, 3) uint8."""
        mixed = page * (1 - self.paint[..., 3:]) + 255 * self.paint[..., :3]
        return (mixed + 0.5).clip(0, 255).astype(np.uint8)


def stamped(
    pixels: Pixels, origin: NDArray[np.int32], spot: Spot, shape: tuple[int, int], bend: NDArray[np.float32] | None = None
) -> Stamp:
    """The drawing `pixels` (128, 128, 4) with its `origin` (128, 128) in its place in a picture of `shape` (h, w).

    `bend` (h, w, 2) says from how many pixels to the right and down each pixel takes its colour (see `meeting`).
    """
    import cv2

    own = drawn(pixels)
    scale = max(spot.box.width / own.width, spot.box.height / own.height) * _FINE
    factor = max(1, min(ceil(scale), _MOST // SIZE))
    large = enlarged(pixels, factor).astype(np.float32) / 255 if factor > 1 else pixels.astype(np.float32) / 255
    large[..., :3] *= large[..., 3:]
    rows, columns = _lines(spot, own.top, own.height, shape, bend, 0), _lines(spot, own.left, own.width, shape, bend, 1)
    blur = factor / scale  # how much smaller it becomes
    if blur > 1.5:
        large = cv2.GaussianBlur(large, (0, 0), 0.35 * blur)
    fine = cv2.remap(large, columns * factor - 0.5, rows * factor - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    paint = np.asarray(cv2.resize(fine, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), np.float32)
    x, y = (np.floor(lines[_FINE // 2 :: _FINE, _FINE // 2 :: _FINE]).astype(int) for lines in (columns, rows))
    within = (x >= 0) & (x < SIZE) & (y >= 0) & (y < SIZE) & (paint[..., 3] >= 0.5)
    icons = np.where(within, origin[y.clip(0, SIZE - 1), x.clip(0, SIZE - 1)], -1)
    return Stamp(paint, icons.astype(np.int32))


def shadowed(page: Pixels, box: Box) -> Pixels:
    """`page` (h, w, 3) with a soft shadow where what fills `box` touches the ground."""
    y, x = np.mgrid[: page.shape[0], : page.shape[1]].astype(np.float32)
    wide, high = 0.46 * box.width, max(0.05 * box.height, 0.07 * box.width)
    reach = np.hypot((x - (box.left + box.right) / 2) / wide, (y - box.bottom + 0.35 * high) / high)
    dark = _SHADOW * np.exp(-((reach / 0.8) ** 4))
    return (page * (1 - dark[..., None]) + 0.5).astype(np.uint8)


def seen_from(picture: Floats, spot: Spot, own: Any) -> NDArray[np.float32]:
    """`picture` (h, w, c) as it lies in the frame of the drawing that stands at `spot`: (128, 128, c), zero outside the picture."""
    import cv2

    high, wide = spot.box.height / own.height, spot.box.width / own.width
    steps = (np.arange(SIZE * 4) + 0.5) / 4
    y = spot.box.top + (steps - own.top) * high
    x = spot.box.left + (own.right - steps if spot.flip else steps - own.left) * wide
    columns, rows = np.meshgrid(x.astype(np.float32) - 0.5, y.astype(np.float32) - 0.5)
    fine = cv2.remap(picture.astype(np.float32), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    small = cv2.resize(fine, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray(small if small.ndim == 3 else small[..., None], np.float32)


def meeting(cover: Floats, thing: Bools, hole: Bools) -> NDArray[np.float32]:
    """The bend (h, w, 2) that lets the outline of what is drawn (`cover` (h, w) in 0..1) meet the thing's where it enters the hole."""
    import cv2

    high, wide = hole.shape
    side = min(high, wide)
    bend, total = np.zeros((high, wide, 2), np.float32), np.zeros((high, wide), np.float32)
    y, x = np.mgrid[:high, :wide].astype(np.float32)
    for ring in cv2.findContours(hole.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]:
        for here, there in _pairs(np.asarray(ring[:, 0], np.int32), cover, thing, hole, _BEND * side):
            move = (there - here).astype(np.float32)
            reach = max(_SOFTEST * side, 1.6 * float(np.hypot(*move)))
            weight = np.exp(-((x - here[0]) ** 2 + (y - here[1]) ** 2) / (2 * reach**2))
            bend += weight[..., None] * move
            total += weight
    return (bend / np.maximum(total, 1)[..., None]).astype(np.float32)


def torn(cover: Floats, thing: Bools, hole: Bools) -> float:
    """The share of the cut along the hole's rim at which either what is drawn or the thing ends, though the other goes on."""
    import cv2

    known = (~hole).astype(np.uint8)
    near = np.ones((9, 9), np.uint8)
    rim = hole & (cv2.dilate(known, np.ones((5, 5), np.uint8)) > 0)
    solid = cv2.dilate((thing & ~hole).astype(np.uint8), near) > 0
    bare = cv2.dilate((~thing & ~hole).astype(np.uint8), near) > 0
    drawn_on = cover > 0.5
    lost = rim & ((drawn_on & ~solid) | (~drawn_on & ~bare))
    return float(lost.sum()) / max(float((rim & (solid | drawn_on)).sum()), 1)


def morphing(cover: Floats, thing: Bools, amount: float) -> NDArray[np.float32] | None:
    """The bend (h, w, 2) that gives what is drawn, by `amount` in 0..1, the outline of the `thing`; both are taken for round ones.

    In every direction from the thing's middle the drawing is drawn out to where the thing ends, or in.
    """
    import cv2

    if amount <= 0 or not thing.any() or not (cover > 0.5).any():
        return None
    rows, columns = np.nonzero(thing)
    y, x = np.mgrid[: thing.shape[0], : thing.shape[1]].astype(np.float32)
    y, x = y - rows.mean(), x - columns.mean()
    far = np.hypot(x, y)
    turn = ((np.arctan2(y, x) / (2 * np.pi)) % 1 * _TURNS).astype(np.float32)
    edges = [_edge(mask, far, turn) for mask in (thing, cover > 0.5)]
    ratio = (np.maximum(edges[0], 1) / np.maximum(edges[1], 1)) ** amount
    ratio = ratio.clip(1 / _DRAWN_OUT, _DRAWN_OUT).astype(np.float32)
    wide = np.concatenate([ratio[-2:], ratio, ratio[:2]])[None]
    here = cv2.remap(wide, turn + 1.5, np.zeros_like(turn), cv2.INTER_LINEAR)
    return np.stack([x * (1 / here - 1), y * (1 / here - 1)], -1)


def _edge(mask: Bools, far: Floats, turn: Floats) -> Floats:
    """How far the mask reaches in each direction (_TURNS,), smoothed around."""
    reach = np.zeros(_TURNS, np.float32)
    np.maximum.at(reach, turn[mask].astype(int) % _TURNS, far[mask])
    taps = np.exp(-0.5 * (np.arange(-9, 10) / _SMOOTH) ** 2)
    return np.convolve(np.concatenate([reach[-9:], reach, reach[:9]]), taps / taps.sum(), "valid")


def _pairs(ring: NDArray[np.int32], cover: Floats, thing: Bools, hole: Bools, most: float) -> list[tuple[Any, Any]]:
    """For each point of the ring (n, 2) at which the thing's outline enters the hole, and the nearest at which the drawing's does."""
    if len(ring) < 8:
        return []
    high, wide = hole.shape
    before, after = np.roll(ring, 3, 0), np.roll(ring, -3, 0)
    along = (after - before).astype(np.float32)
    normal = np.stack([along[:, 1], -along[:, 0]], 1) / np.maximum(np.linalg.norm(along, axis=1), 1e-6)[:, None]
    sides = [np.rint(ring + sign * 3 * normal).astype(int) for sign in (1, -1)]
    inside = [(p[:, 0] >= 0) & (p[:, 0] < wide) & (p[:, 1] >= 0) & (p[:, 1] < high) for p in sides]
    sides = [np.stack([p[:, 0].clip(0, wide - 1), p[:, 1].clip(0, high - 1)], 1) for p in sides]
    outer = [ok & ~hole[p[:, 1], p[:, 0]] for p, ok in zip(sides, inside, strict=True)]
    first = outer[0].sum() >= outer[1].sum()
    out, known = (sides[0], outer[0]) if first else (sides[1], outer[1])
    mine, theirs = thing[out[:, 1], out[:, 0]], cover[ring[:, 1], ring[:, 0]] > 0.5
    steps_mine, steps_theirs = (
        np.diff(m.astype(np.int8), append=m[:1].astype(np.int8)) * known * np.roll(known, -1) for m in (mine, theirs)
    )
    found: list[tuple[Any, Any]] = []
    free = list(np.flatnonzero(steps_theirs))
    for i in np.flatnonzero(steps_mine):
        near = [(float(np.hypot(*(ring[j] - ring[i]))), j) for j in free if steps_theirs[j] == steps_mine[i]]
        if near and min(near)[0] <= most:
            found.append((ring[i].astype(np.float32), ring[min(near)[1]].astype(np.float32)))
            free.remove(min(near)[1])
    return found


def _lines(
    spot: Spot, start: float, length: float, shape: tuple[int, int], bend: NDArray[np.float32] | None, axis: int
) -> NDArray[np.float32]:
    """For every fine pixel (h f, w f) its row (axis 0) or column (axis 1) in the drawing's own pixels."""
    import cv2

    box = spot.box
    low, size = (box.top, box.height) if axis == 0 else (box.left, box.width)
    lines = (np.arange(shape[axis] * _FINE, dtype=np.float32) + 0.5) / _FINE
    grid = np.broadcast_to(lines[:, None] if axis == 0 else lines, (shape[0] * _FINE, shape[1] * _FINE))
    if bend is not None:
        grid = grid + cv2.resize(np.ascontiguousarray(bend[..., 1 - axis]), (grid.shape[1], grid.shape[0]))
    place = (grid - low) * (length / size)
    if axis == 1 and spot.flip:
        place = length - place
    return np.ascontiguousarray(place + start, np.float32)
