"""Taking an object out of a picture without any model: the hole is completed from what the rest of the picture shows.

Completion from coarse to fine as in Wexler et al., "Space-time completion of video" (IEEE TPAMI 2007), with the searches of patchmatch.py
and the peeled beginning of Newson et al., "Video inpainting of complex scenes" (SIAM J. Imaging Sciences 2014). It works at a bounded
size; the places it copies from are then carried up, so that the grain of a large photograph stays sharp.

Chosen over the two completions of OpenCV's xphoto by measurement (benchmarks/seams.py): frequency selective reconstruction is faster but
loses a quarter to nearly half of the contrast of textures and walls; shift maps step where shades or grain should run on.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.inpaint.patchmatch import Matching
from studio.inpaint.prefill import membrane, neighbourhood, prefilled, reduced
from studio.inpaint.relaxing import relaxed

Pixels = NDArray[np.uint8]
Hole = NDArray[np.bool_]
Floats = NDArray[np.float32]

_WORKING = 512  # pixels on the longer side at which places are searched
_COARSEST = 3.0  # pixels: how deep the hole may be where the search begins
_SMALLEST = 32  # pixels: sides below this hold too few patches
_FEWEST = 64  # known patches below which there is nothing to copy from
_ROUNDS = (14, 8, 5, 4, 3)  # searches and votes, from the coarsest size on; the last number for all finer ones
_BEGINNINGS = 3  # sizes at which the search begins
_SHADE = 24.0  # levels of 255 a colour is moved at most so that shades run on; a larger difference is content
_SETTLED = 0.4  # levels of 255: a mean change below which a size is finished


def erased(pixels: Pixels, hole: Hole, report: Callable[[float], None], seed: int = 0) -> Pixels:
    """(h, w, 3) uint8: the picture without what the hole (h, w) bool holds. Known pixels come back as they are.

    `report` hears the fraction done, 0 to 1, and stops the work by raising. The same seed gives the same picture.
    """
    report(0.0)
    if not hole.any():
        return pixels.copy()
    result = prefilled(pixels, hole, "blur")
    box = neighbourhood(hole, _context(hole))
    near, empty = result[box], hole[box]
    best = _searched(near, empty, report, seed)
    if best is not None:
        near[empty] = _carried(near, empty, best)[empty]
    report(1.0)
    return result


def _context(hole: Hole) -> int:
    """Pixels around the hole to copy from: as much again on every side."""
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    return max(96, int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)


def _searched(near: Pixels, empty: Hole, report: Callable[[float], None], seed: int) -> Matching | None:
    """The matches at the working size, found from coarse to fine; None where too little is known to copy from.

    The coarsest sizes decide what goes where. The search begins at each of the first few, and what explains the picture best is refined.
    """
    sizes = [reduced(near, empty, _WORKING)]
    while _depth(sizes[-1][1]) > _COARSEST and min(sizes[-1][1].shape) >= 2 * _SMALLEST:
        sizes.append(_halved(*sizes[-1]))
    sizes = [size for size in reversed(sizes) if (size[1] < 0.5).any()]
    beginnings = sizes[: min(_BEGINNINGS, len(sizes))]
    works = [(first, number) for first in range(len(beginnings)) for number in range(first, len(beginnings))]
    works += [(-1, number) for number in range(len(beginnings), len(sizes))]
    efforts = [float((sizes[number][1] < 0.5).sum()) * _rounds(number) for _, number in works]
    best: Matching | None = None
    found: Matching | None = None
    for place, (first, number) in enumerate(works):

        def tell(part: float, before: float = sum(efforts[:place]), effort: float = efforts[place]) -> None:
            report(0.95 * (before + part * effort) / sum(efforts))

        random = np.random.default_rng([seed, first + 1, number])
        if first < 0:
            best = _refined(sizes[number], best, _rounds(number), random, tell) or best
            continue
        found = _refined(sizes[number], None if number == first else found, _rounds(number), random, tell)
        if number == len(beginnings) - 1 and found is not None and (best is None or found.unlike < best.unlike):
            best = found
    return best


def _rounds(number: int) -> int:
    return _ROUNDS[min(number, len(_ROUNDS) - 1)]


def _refined(
    size: tuple[Floats, Floats], coarser: Matching | None, rounds: int, random: np.random.Generator, tell: Callable[[float], None]
) -> Matching | None:
    """The matches at one size, from those at half of it, or from the hole peeled; None if there are too few patches to copy from."""
    values, known = size
    matching = Matching(_estimated(values, known), known < 0.5, random)
    if len(matching.sources) < _FEWEST:
        return None
    matching.start(coarser)
    if coarser is None:
        matching.peel()
    else:
        matching.paste()
    for turn in range(rounds):
        matching.search(2)
        tell((turn + 1) / rounds)
        if matching.vote() < _SETTLED:
            break
    return matching


def _carried(near: Pixels, empty: Hole, matching: Matching) -> Pixels:
    """The hole at full size: the working picture's shades, and the detail of the places they were found in."""
    working = matching.picture
    shaded = np.clip(relaxed(working, matching.hole, *matching.slopes) - working, -_SHADE, _SHADE) + working
    made = near.copy()
    if shaded.shape == near.shape:
        made[empty] = np.rint(np.clip(shaded[empty], 0, 255)).astype(np.uint8)
        return made
    offsets, there = matching.offsets
    shades = shaded - matching.copied
    tall, wide = empty.shape[0] / there.shape[0], empty.shape[1] / there.shape[1]
    rows, columns = np.nonzero(empty)
    y, x = (rows + 0.5) / tall - 0.5, (columns + 0.5) / wide - 0.5
    total, share = np.zeros((len(rows), 3), np.float32), np.zeros((len(rows), 1), np.float32)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):  # the four nearest, in their bilinear proportions
        top, left = np.floor(y).astype(int) + down, np.floor(x).astype(int) + right
        part = (1 - np.abs(y - top)) * (1 - np.abs(x - left))
        top, left = np.clip(top, 0, there.shape[0] - 1), np.clip(left, 0, there.shape[1] - 1)
        to_row = np.clip(rows + np.rint(offsets[top, left, 0] * tall).astype(int), 0, empty.shape[0] - 1)
        to_column = np.clip(columns + np.rint(offsets[top, left, 1] * wide).astype(int), 0, empty.shape[1] - 1)
        part = (part * there[top, left] * ~empty[to_row, to_column]).astype(np.float32)[:, None]
        total += part * (near[to_row, to_column] + shades[top, left])
        share += part
    colours = np.rint(np.clip(total / np.maximum(share, 1e-6), 0, 255))
    made[rows, columns] = np.where(share > 0, colours, near[rows, columns]).astype(np.uint8)
    return made


def _depth(known: Floats) -> float:
    """How deep the hole is at its deepest, in pixels."""
    return float(cv2.distanceTransform((known < 0.5).astype(np.uint8), cv2.DIST_L2, 3).max())


def _halved(values: Floats, known: Floats) -> tuple[Floats, Floats]:
    """Half the size: means of what is known of every two by two pixels, and how much that is."""
    odd = ((0, known.shape[0] % 2), (0, known.shape[1] % 2))
    share = np.pad(known, odd, mode="edge")
    sums = np.pad(values * known[..., None], (*odd, (0, 0)), mode="edge")
    rows, columns = share.shape[0] // 2, share.shape[1] // 2
    share = share.reshape(rows, 2, columns, 2).mean((1, 3))
    sums = sums.reshape(rows, 2, columns, 2, 3).mean((1, 3))
    return np.divide(sums, np.maximum(share, 1e-6)[..., None], dtype=np.float32), share


def _estimated(values: Floats, known: Floats) -> Floats:
    """What is known where most of a pixel is, colours spread from there elsewhere."""
    sure = (known >= 0.5).astype(np.float32)
    return np.where(sure[..., None] > 0, values, membrane(values, sure)).astype(np.float32)
