"""What a hole is filled with before a model starts: blurred colours, continued edges, grey, or noise like the picture.

Known pixels come back as they are. It knows no model and no task. Pictures are (h, w, 3) uint8 RGB, holes (h, w) bool, True is to be
filled. Only the hole's neighbourhood is looked at, at a bounded size, so that a photograph of twelve megapixels takes no seconds.
"""

from __future__ import annotations

from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Hole = NDArray[np.bool_]
Floats = NDArray[np.float32]
Box = tuple[slice, slice]
Way = Literal["blur", "edges", "neutral", "noise"]

WAYS: tuple[Way, ...] = get_args(Way)

_GREY = 128
_LARGEST = 1024  # pixels on the longer side at which colours are spread
_FINEST_EDGES = 320  # pixels on the longer side up to which colours keep to their side
_LARGEST_EDGES = 320  # the same for Navier-Stokes, whose time grows with the hole's area times the radius
_TILE = 256  # side of the periodic noise
_AROUND = 48  # pixels from the hole whose colours noise takes on
_SAMPLED, _STEPS = 4096, 2048  # colours that stand for those nearby; steps in which ranks are counted
_ALIKE = 24.0  # levels: colours nearer than this belong to the same side of an edge


def prefilled(pixels: Pixels, hole: Hole, how: Way, seed: int = 0) -> Pixels:
    """The picture with its hole filled; a picture that is all hole becomes grey, whatever the way.

    - "blur": colours spread inwards by a push-pull pyramid (Gortler et al., "The lumigraph", SIGGRAPH 1996) whose upward steps keep to the
      like-coloured side, so that two areas meet in an edge instead of a haze;
    - "edges": lines are continued by Navier-Stokes (Bertalmio et al., CVPR 2001);
    - "neutral": grey, for objects that have nothing to do with what was there;
    - "noise": the surroundings' spectrum with random phases (Galerne et al., "Random phase textures", IEEE TIP 2011) over their blurred
      colours, matched to the colours nearby; `seed` alone decides the phases.
    """
    if how not in WAYS:
        raise ValueError(f"no such prefill: {how}")
    filled = pixels.copy()
    if not hole.any():
        return filled
    box = neighbourhood(hole, 96 if how == "noise" else 64)
    near, empty = pixels[box], hole[box]
    if how == "neutral" or empty.all():  # the neighbourhood reaches known pixels, if there are any
        filled[box][empty] = _GREY
        return filled
    made = _noisy(near, empty, seed) if how == "noise" else _continued(near, empty) if how == "edges" else _blurred(near, empty)
    filled[box][empty] = made[empty]
    return filled


def neighbourhood(hole: Hole, margin: int) -> Box:
    """The bounding box of the hole, grown by `margin` pixels, inside the picture. The hole must not be empty."""
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    return (
        slice(max(0, int(rows[0]) - margin), min(hole.shape[0], int(rows[-1]) + 1 + margin)),
        slice(max(0, int(columns[0]) - margin), min(hole.shape[1], int(columns[-1]) + 1 + margin)),
    )


def membrane(values: Floats, known: Floats, smooth: float = 0.0, alike: float = 0.0) -> Floats:
    """(h, w, c) values everywhere, from where `known` (h, w) is above 0: there a weighted mean, elsewhere what lies around it.

    A push-pull pyramid. `smooth`: detail finer than about so many pixels is dropped, in known places too. `alike` > 0: a pixel takes
    after those of its coarser neighbours that are within about `alike` of its interpolated value.
    """
    height, width = known.shape
    weighted = np.dstack([values * known[..., None], known]).astype(np.float32)
    pyramid = [weighted]
    while max(pyramid[-1].shape[:2]) > 1:
        rows, columns = pyramid[-1].shape[:2]
        smaller = cv2.resize(pyramid[-1], ((columns + 1) // 2, (rows + 1) // 2), interpolation=cv2.INTER_AREA)
        pyramid.append(np.asarray(smaller, np.float32).reshape((rows + 1) // 2, (columns + 1) // 2, -1))
    finest = min(int(np.log2(max(1.0, smooth))), len(pyramid) - 1)
    spread = np.divide(pyramid[-1][..., :-1], np.maximum(pyramid[-1][..., -1:], 1e-12), dtype=np.float32)
    for level in reversed(pyramid[finest:-1]):
        weight = level[..., -1:]
        above = _enlarged(spread, level.shape[0], level.shape[1], alike)
        trust = np.minimum(1, weight * 4)  # a quarter of the place known is enough
        spread = np.asarray(trust * (level[..., :-1] / np.maximum(weight, 1e-12)) + (1 - trust) * above, np.float32)
    if spread.shape[:2] != (height, width):
        spread = cv2.resize(spread, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(spread, np.float32).reshape(height, width, -1)


def _enlarged(coarse: Floats, height: int, width: int, alike: float) -> Floats:
    """Twice the size, linear; with `alike`, each pixel then leans to the like-coloured ones of its nine coarse neighbours."""
    smooth = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32).reshape(height, width, -1)
    if alike <= 0 or min(height, width) < 4 or max(height, width) > _FINEST_EDGES:
        return smooth
    total, share = np.zeros_like(smooth), np.zeros((height, width, 1), np.float32)
    padded = np.pad(coarse, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows, columns = coarse.shape[:2]
    for down in range(3):
        for right in range(3):
            moved = padded[down : down + rows, right : right + columns].repeat(2, 0).repeat(2, 1)[:height, :width]
            apart = moved - smooth
            near = np.exp(np.einsum("ijk,ijk->ij", apart, apart) / (-2 * alike * alike))[..., None]
            total += near * moved
            share += near
    return np.divide(total, np.maximum(share, 1e-6), dtype=np.float32)


def _blurred(near: Pixels, empty: Hole) -> Pixels:
    """Spread colours, at most _LARGEST pixels a side."""
    small, known = reduced(near, empty, _LARGEST)
    spread = membrane(small, known, alike=_ALIKE)
    return _restored(spread, near.shape)


def _continued(near: Pixels, empty: Hole) -> Pixels:
    """Navier-Stokes at a bounded size; the holes that reducing leaves are filled with what is known of them first."""
    small, known = reduced(near, empty, _LARGEST_EDGES)
    unknown = (known < 0.5).astype(np.uint8)
    if unknown.all() or min(unknown.shape) < 3:  # OpenCV's result for a single row depends on what was in memory
        return _restored(membrane(small, known), near.shape)
    flow = cv2.inpaint(np.rint(small).astype(np.uint8), unknown * 255, 3, cv2.INPAINT_NS)
    return _restored(flow.astype(np.float32), near.shape)


def _noisy(near: Pixels, empty: Hole, seed: int) -> Pixels:
    """Random phases under the spectrum of what is known, over its low frequencies; then its histogram."""
    height, width = empty.shape
    known = (~empty).astype(np.float32)
    low = membrane(near.astype(np.float32), known, smooth=max(4.0, min(height, width) / 16))
    rows, columns = _best_window(~empty)
    rest = (near.astype(np.float32) - low)[rows, columns] * known[rows, columns][..., None]
    share = float(known[rows, columns].mean())
    spectrum = np.fft.rfft2(rest, axes=(0, 1)) / np.sqrt(max(share, 1e-3))
    random = np.random.default_rng(seed).standard_normal(rest.shape[:2])
    phases = np.fft.rfft2(random)
    spectrum *= (phases / np.maximum(np.abs(phases), 1e-9))[..., None]  # one phase for all channels keeps the colours together
    noise = np.fft.irfft2(spectrum, s=rest.shape[:2], axes=(0, 1))
    down, right = np.nonzero(empty)
    wanted = low[down, right] + noise[down % noise.shape[0], right % noise.shape[1]]
    around = (cv2.distanceTransform(empty.astype(np.uint8) ^ 1, cv2.DIST_L2, 3) <= _AROUND) & ~empty
    made = near.copy()
    made[empty] = _matched(wanted.astype(np.float32), near[around])
    return made


def _best_window(known: Hole) -> Box:
    """At most _TILE pixels square, where the most is known; of several the first."""
    height, width = min(_TILE, known.shape[0]), min(_TILE, known.shape[1])
    table = np.asarray(cv2.integral(known.astype(np.uint8)), np.int32)
    places = [(y, x) for y in range(0, known.shape[0] - height + 1, 16) for x in range(0, known.shape[1] - width + 1, 16)]
    y, x = max(places, key=lambda place: _counted(table, place, height, width))
    return slice(y, y + height), slice(x, x + width)


def _counted(table: NDArray[np.int32], place: tuple[int, int], height: int, width: int) -> int:
    """What a summed-area table holds in a rectangle."""
    y, x = place
    return int(table[y + height, x + width] - table[y, x + width] - table[y + height, x] + table[y, x])


def _matched(values: Floats, like: Pixels) -> Pixels:
    """(n, 3) values moved, in order, to the distribution of `like` (m, 3) along each principal axis of its colours, so that hues stay."""
    centre = like.mean(0, dtype=np.float64)
    _, axes = np.linalg.eigh(np.cov((like - centre).T) + 1e-6 * np.eye(3) if len(like) > 1 else np.eye(3))
    moved = ((values - centre) @ axes).astype(np.float32)
    wanted = np.sort(((like[:: max(1, len(like) // _SAMPLED)] - centre) @ axes), axis=0)
    places = np.linspace(0, 1, len(wanted))
    for axis in range(3):
        low, high = moved[:, axis].min(), moved[:, axis].max()
        step = ((moved[:, axis] - low) * (_STEPS / max(high - low, np.float32(1e-6)))).astype(np.int32)
        counts = np.bincount(step, minlength=_STEPS + 1)
        moved[:, axis] = np.interp((np.cumsum(counts) - counts / 2) / len(step), places, wanted[:, axis])[step]
    return np.rint(np.clip(moved @ axes.T + centre, 0, 255)).astype(np.uint8)


def reduced(near: Pixels, empty: Hole, largest: int) -> tuple[Floats, Floats]:
    """The picture at a bounded size, means of known pixels only; and how much of each pixel is known."""
    known = (~empty).astype(np.float32)
    values = near.astype(np.float32) * known[..., None]
    scale = max(empty.shape) / largest
    if scale <= 1:
        return values, known
    size = max(1, round(empty.shape[1] / scale)), max(1, round(empty.shape[0] / scale))
    share = np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_AREA), np.float32)
    small = np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
    return np.divide(small, np.maximum(share, 1e-6)[..., None], dtype=np.float32), share


def _restored(small: Floats, shape: tuple[int, ...]) -> Pixels:
    """Back to the full size."""
    if small.shape[:2] != shape[:2]:
        small = np.asarray(cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)
    return np.rint(np.clip(small, 0, 255)).astype(np.uint8)
