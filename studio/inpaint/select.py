"""Marks found by the machine, without any model: the subject of a picture, its background, an area of one colour.

The subject is cut by GrabCut (Rother et al., SIGGRAPH 2004) at a bounded size, begun from a box or from what stands apart from the
picture's border, and its edge is then drawn at full size by a guided filter (He & Sun, "Fast guided filter", 2015). It knows no page and
no file. Pictures are (H, W, 3) uint8 RGB, masks (H, W) uint8 with 255 where something is marked.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.errors import InvalidInput

Pixels = NDArray[np.uint8]
Mask = NDArray[np.uint8]
Floats = NDArray[np.float32]
Box = tuple[int, int, int, int]

_CUT = 400  # pixels on the longer side at which the subject is cut
_SALIENT = 96  # the same for what stands apart
_EDGES = 1024  # the same for the coefficients of the guided filter
_ROUNDS = 6
_RIM = 0.03  # share of the shorter side: the picture's border, taken for background
_LEAST = 0.05  # parts below this share of the largest one are no part of the subject
_SEED = 1


def subject(pixels: Pixels, box: Box | None = None, report: Callable[[float], None] = lambda _: None) -> Mask:
    """The mask of the subject, soft over its edge. `box` (left, top, right, bottom) in pixels holds it whole; None looks for it.

    `report` hears the fraction done and stops the work by raising. The same picture gives the same mask; nothing stands apart in a plain
    picture, whose mask is empty. Raises InvalidInput when the box holds no pixel of the picture.
    """
    report(0.0)
    small = _shrunk(pixels, _CUT)
    trimap = _around(small) if box is None else _inside(_scaled(box, pixels.shape, small.shape), small.shape)
    cut = _cut(small, trimap, report)
    mask = edged(pixels, _tidied(cut))
    report(1.0)
    return mask


def background(pixels: Pixels, box: Box | None = None, report: Callable[[float], None] = lambda _: None) -> Mask:
    """Everything that is not the subject."""
    return 255 - subject(pixels, box, report)


def by_colour(pixels: Pixels, x: int, y: int, tolerance: int, *, joined: bool = True) -> Mask:
    """What has the colour of the pixel at column x, row y, within `tolerance` (0 to 255) in every channel.

    `joined`: only what hangs together with that pixel, by its sides. Raises InvalidInput for a place outside the picture.
    """
    height, width = pixels.shape[:2]
    if not (0 <= x < width and 0 <= y < height):
        raise InvalidInput("That place lies outside the picture: point at a pixel of it.")
    if joined:
        mask = np.zeros((height + 2, width + 2), np.uint8)
        flags = 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | (255 << 8)
        within = (float(tolerance),) * 3
        cv2.floodFill(pixels.copy(), mask, (x, y), (0, 0, 0), within, within, flags)
        return mask[1:-1, 1:-1].copy()
    colour = pixels[y, x].astype(int)
    low, high = (np.clip(colour + side * tolerance, 0, 255) for side in (-1, 1))
    return np.asarray(cv2.inRange(pixels, low.astype(np.uint8), high.astype(np.uint8)), np.uint8)


def edged(pixels: Pixels, cut: Mask) -> Mask:
    """A rough cut (h, w) of any size, 1 where something is, as a mask of the picture's size, its edge where the picture's own edge is."""
    height, width = pixels.shape[:2]
    if not cut.any() or cut.all():
        return np.full((height, width), 255 if cut.any() else 0, np.uint8)
    guide = _grey(_shrunk(pixels, _EDGES))
    rough = np.asarray(cv2.resize(cut.astype(np.float32), (guide.shape[1], guide.shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)
    side = 2 * max(2, round(max(guide.shape) / 100)) + 1

    def mean(values: NDArray[np.floating]) -> Floats:
        return np.asarray(cv2.blur(values, (side, side)), np.float32)

    middle, share = mean(guide), mean(rough)
    slope = (mean(guide * rough) - middle * share) / (mean(guide * guide) - middle * middle + 1e-3)
    slope, level = mean(slope), mean(share - slope * middle)
    full = [np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), np.float32) for part in (slope, level)]
    edge = full[0] * _grey(pixels) + full[1]
    return np.rint(255 * np.clip(2.5 * (edge - 0.5) + 0.5, 0, 1)).astype(np.uint8)


def _around(small: Pixels) -> Mask:
    """GrabCut's first guess without a box: what stands apart is probably the subject, the picture's border probably not."""
    apart = _standing_apart(small)
    if apart.max() <= 0:
        return np.full(apart.shape, cv2.GC_BGD, np.uint8)
    level, _ = cv2.threshold(apart, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    trimap = np.where(apart > level, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[apart > level + 0.5 * (255 - level)] = cv2.GC_FGD
    rim = max(1, round(_RIM * min(apart.shape)))
    for edge in (np.s_[:rim], np.s_[:, :rim], np.s_[:, -rim:], np.s_[-rim:]):
        trimap[edge] = np.where(apart[edge] > level, cv2.GC_PR_FGD, cv2.GC_BGD)
    return trimap


def _standing_apart(small: Pixels) -> Mask:
    """0 to 255: how far each pixel's colour is from the border's, over the smoothest way there and by the border's own colours.

    The way is a geodesic (Wei et al., "Geodesic saliency using background priors", ECCV 2012). The lower border counts less: people and
    things stand on it.
    """
    tiny = _shrunk(small, _SALIENT)
    lab = cv2.cvtColor(cv2.GaussianBlur(tiny, (0, 0), 1).astype(np.float32) / 255, cv2.COLOR_RGB2Lab).astype(np.float32)
    across = np.maximum(0, np.sqrt((np.diff(lab, axis=1) ** 2).sum(-1)) - 1)
    along = np.maximum(0, np.sqrt((np.diff(lab, axis=0) ** 2).sum(-1)) - 1)
    way = np.full(lab.shape[:2], np.inf, np.float32)
    way[-1] = 15
    way[0], way[:, 0], way[:, -1] = 0, 0, 0
    for _ in range(2 * sum(way.shape)):
        before = way.copy()
        way[:, 1:] = np.minimum(way[:, 1:], way[:, :-1] + across)
        way[:, :-1] = np.minimum(way[:, :-1], way[:, 1:] + across)
        way[1:] = np.minimum(way[1:], way[:-1] + along)
        way[:-1] = np.minimum(way[:-1], way[1:] + along)
        if (way == before).all():
            break
    border = np.concatenate([lab[0], lab[:, 0], lab[:, -1]])
    other = np.sqrt(((lab[:, :, None] - border[:: max(1, len(border) // 64)]) ** 2).sum(-1))
    other = np.sort(other, axis=-1)[..., : max(1, other.shape[-1] // 8)].mean(-1)
    rows, columns = lab.shape[:2]
    y, x = np.mgrid[:rows, :columns]
    off = ((x / columns - 0.5) ** 2 + (y / rows - 0.5) ** 2) / 0.45**2
    apart = (way + other) * np.exp(-off / 2)
    if apart.max() < 5:  # of CIE Lab: nothing that an eye would call a subject
        return np.zeros(small.shape[:2], np.uint8)
    scaled = (255 * np.sqrt(np.clip(apart / np.percentile(apart, 99.5), 0, 1))).astype(np.uint8)
    return np.asarray(cv2.resize(scaled, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_LINEAR), np.uint8)


def _inside(box: Box, shape: tuple[int, ...]) -> Mask:
    """GrabCut's first guess with a box: the subject is somewhere in it, and nowhere else."""
    trimap = np.full(shape[:2], cv2.GC_BGD, np.uint8)
    left, top, right, bottom = box
    trimap[top:bottom, left:right] = cv2.GC_PR_FGD
    return trimap


def _cut(small: Pixels, trimap: Mask, report: Callable[[float], None]) -> Mask:
    """1 where GrabCut sees the subject."""
    possible = np.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if possible.all() or not possible.any():
        return possible.astype(np.uint8)
    models = np.zeros((1, 65), np.float64), np.zeros((1, 65), np.float64)
    cv2.setRNGSeed(_SEED)
    how = cv2.GC_INIT_WITH_MASK
    for number in range(_ROUNDS):
        before = trimap.copy()
        cv2.grabCut(small, trimap, None, *models, 1, how)  # pyright: ignore[reportCallIssue, reportArgumentType]
        report(0.9 * (number + 1) / _ROUNDS)
        how = cv2.GC_EVAL
        possible = np.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD))
        if (trimap == before).all() or possible.all() or not possible.any():
            break
    return possible.astype(np.uint8)


def _tidied(cut: Mask) -> Mask:
    """Without crumbs, and without small holes."""
    for value in (1, 0):
        labels = np.zeros(cut.shape, np.int32)
        cv2.connectedComponents((cut == value).astype(np.uint8), labels, connectivity=4)
        areas = np.bincount(labels.ravel())
        if len(areas) > 1:
            least = _LEAST * areas[1:].max() if value else _LEAST * (cut == 1).sum()
            small = np.flatnonzero(areas < least)
            cut = np.where(np.isin(labels, small[small > 0]), 1 - value, cut).astype(np.uint8)
    return cut


def _grey(pixels: Pixels) -> Floats:
    """0 to 1."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.float32) / np.float32(255)


def _shrunk(pixels: Pixels, largest: int) -> Pixels:
    """At most so many pixels on the longer side."""
    scale = max(pixels.shape[:2]) / largest
    if scale <= 1:
        return pixels
    size = max(1, round(pixels.shape[1] / scale)), max(1, round(pixels.shape[0] / scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _scaled(box: Box, shape: tuple[int, ...], small: tuple[int, ...]) -> Box:
    """The part of the box inside the picture, in the small picture's pixels, at least one wide and high."""
    left, top, right, bottom = max(0, box[0]), max(0, box[1]), min(shape[1], box[2]), min(shape[0], box[3])
    if right <= left or bottom <= top:
        raise InvalidInput("That box holds nothing of the picture: draw it around the subject.")
    wide, high = small[1] / shape[1], small[0] / shape[0]
    x, y = int(left * wide), int(top * high)
    return x, y, max(x + 1, int(np.ceil(right * wide))), max(y + 1, int(np.ceil(bottom * high)))
