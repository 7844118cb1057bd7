"""Finds the tile of a picture's mark again: as it is, cut, mirrored, at another size, slightly turned.

A picture made of equal tiles resembles itself at the tile's distance, so its autocorrelation says size and angle without the secret
(Kutter, 1998); the secret's tile then decides. Knows no colour: works on brightness, (H, W) float32 from 0 to 255.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.provenance import watermark
from studio.provenance.picture_tile import FINE, SIDE, Match, Tile
from studio.provenance.watermark import Floats, Marked

SMALLEST = 64
"""Pixels of a side below which nothing is searched."""
OCTAVE, TURN = 1000, 0.05
"""The lattice of what is searched: sizes in an octave, degrees between angles."""
OCTAVES, TURNS = (-1.04, 1.04), 3.2
"""How far it reaches: octaves of size, degrees to either side."""
LARGEST, UPRIGHT = 1024, 4096
"""Pixels of a side of the middle part that is searched for another geometry, and as it is."""

_SIZES, _ANGLES, _WINDOWS = 2.4 * OCTAVE, 2 * 3.5 / TURN, 10_000
THRESHOLD = watermark.threshold(2 * (SIDE * FINE) ** 2 * _SIZES * _ANGLES + 2 * SIDE**2 * _WINDOWS)
"""What a peak must reach: every size, angle and place of either side, and every window of the upright picture, count as tried."""

_USUAL = (0.5, 2.0, 0.75, 1.5, 2 / 3, 4 / 3, 0.8, 1.25)
_REACH = 4  # tiles
_CANDIDATES = 5
_WORTH = 3.9  # a peak of the sync lines at which a pose may be nearly right
_AROUND = ((-1, 0), (1, 0), (0, -1), (0, 1))


@dataclass(frozen=True)
class Pose:
    """How a picture lies: its size against the marked one in thousandths of an octave, its angle in 0.05 degrees."""

    size: int = 0
    angle: int = 0
    flipped: bool = False

    @property
    def scale(self) -> float:
        """Its size against the marked one."""
        return 2.0 ** (self.size / OCTAVE)


def search(luma: Floats, tile: Tile) -> Marked | None:
    """The mark in a picture: first as it is, then mirrored, then at usual sizes, then at any size and small angle."""
    sums = folds(whitened(_middle(luma, UPRIGHT)))
    for flipped in (False, True):
        match = _upright(sums[:, ::-1, :, ::-1] if flipped else sums, tile)
        if match is not None and match.peak >= THRESHOLD:
            return Marked(match.number, match.peak, THRESHOLD, flipped=flipped)
    for pose in _poses(luma):
        found = _settled(luma, tile, pose)
        if found is not None:
            return found
    return None


def certainty(luma: Floats, tile: Tile, number: int, where: NDArray[np.bool_] | None) -> float:
    """The statistic of a number that was just put into an upright picture, as `search` would see it.

    Where that sees another number first, as in an edit of a marked picture, what counts is the statistic of the area itself.
    """
    match = _upright(folds(whitened(_middle(luma, UPRIGHT))), tile)
    if match is None or match.number == number:
        return 0.0 if match is None else match.peak
    rest = whitened(luma)
    return tile.certainty(folds(rest if where is None else rest * where).sum((0, 1)), number)


def whitened(luma: Floats) -> Floats:
    """(H, W): what its neighbourhood does not explain, as loud everywhere."""
    rest: Floats = luma - mean_around(luma, 9)
    spread = np.sqrt(np.maximum(mean_around(np.square(rest, dtype=np.float32), 9), 0))
    return np.clip(rest / (spread + np.float32(0.5)), -3, 3).astype(np.float32, copy=False)


def mean_around(values: Floats, side: int) -> Floats:
    """(H, W): the mean of the square of `side` pixels around each."""
    cv2: Any = importlib.import_module("cv2")
    return cv2.blur(values, (side, side))


def folds(rest: Floats) -> Floats:
    """(rows, columns, 128, 128): the picture cut into tiles, filled up with zeros."""
    height, width = rest.shape
    rows, columns = -(-height // SIDE), -(-width // SIDE)
    padded = np.pad(rest, ((0, rows * SIDE - height), (0, columns * SIDE - width)))
    return padded.reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2)


def _upright(sums: Floats, tile: Tile) -> Match | None:
    whole = tile.match(sums.sum((0, 1)), 1)
    if whole is not None and whole.peak >= 1.5 * THRESHOLD:
        return whole
    ranked = sorted(_windows(sums), key=lambda fold: -tile.sync(fold, 1))[:3]
    found = [whole, *(tile.match(fold, 1) for fold in ranked)]
    return max((match for match in found if match is not None), key=lambda match: match.peak, default=None)


def _windows(sums: Floats) -> Iterator[Floats]:
    """The folds of parts of a picture, for a mark in a part: squares of 3, 6, 12... tiles, and at most some hundreds."""
    rows, columns = sums.shape[:2]
    side = 3 * max(1, max(rows, columns) // 24)
    while side < max(rows, columns):
        step = max(1, side // 3)
        for row, column in product(range(0, max(1, rows - side + step), step), range(0, max(1, columns - side + step), step)):
            yield sums[row : row + side, column : column + side].sum((0, 1))
        side *= 2


def _poses(luma: Floats) -> Iterator[Pose]:
    for scale in _USUAL:
        yield Pose(round(np.log2(scale) * OCTAVE))
    import cv2

    yield from _likely(_middle(luma, LARGEST), 0)
    if min(luma.shape) >= 2 * SMALLEST:
        half: Any = cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0] // 2), interpolation=cv2.INTER_AREA)
        yield from _likely(_middle(half, LARGEST), OCTAVE)


def _settled(luma: Floats, tile: Tile, pose: Pose) -> Marked | None:
    """What the secret's tile says to a pose, and to those close to it where it says that one of them may be right."""
    fold = _fold(luma, pose)
    pose, best = max(((pose, tile.sync(fold, 1)), (replace(pose, flipped=True), tile.sync(fold[:, ::-1], 1))), key=lambda found: found[1])
    for step in (4, 2, 1) if best > _WORTH else ():
        near = [replace(pose, size=pose.size + step * size, angle=pose.angle + step * angle) for size, angle in _AROUND]
        better, value = max(((tried, tile.sync(_fold(luma, tried), 1)) for tried in near), key=lambda found: found[1])
        if value > best:
            pose, best = better, value
    match = tile.match(_fold(luma, pose))
    if match is None or match.peak < THRESHOLD:
        return None
    return Marked(match.number, match.peak, THRESHOLD, pose.scale, pose.angle * TURN, pose.flipped)


def _fold(luma: Floats, pose: Pose) -> Floats:
    """The fold of the middle of the picture, brought back to the marked size and turned back."""
    import cv2

    scale, angle = pose.scale, np.deg2rad(pose.angle * TURN)
    height, width = (min(LARGEST, round(side / scale)) for side in luma.shape)
    luma = _middle(luma, round(1.2 * scale * LARGEST))
    if scale > 1.1:
        luma = np.asarray(cv2.GaussianBlur(luma, (0, 0), 0.35 * scale), np.float32)
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre = np.array(luma.shape[::-1]) / 2 - turn @ (np.array([width, height]) / 2)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    lying: Any = cv2.warpAffine(luma, np.column_stack([turn, centre]), (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    fold: Floats = folds(whitened(lying)).sum((0, 1))
    return fold[:, ::-1] if pose.flipped else fold


def _middle(luma: Floats, size: int) -> Floats:
    top, left = (max(0, (side - size) // 2) for side in luma.shape)
    return luma[top : top + size, left : left + size]


def _likely(luma: Floats, octave: int) -> Iterator[Pose]:
    """The likeliest poses of a picture from half to 1.1 times the marked size, likeliest first; `octave` is added to their sizes."""
    import cv2

    alike, reach = _alike(luma)
    sizes = np.arange(round(OCTAVES[0] * OCTAVE), 0.14 * OCTAVE, 2)
    angles = np.arange(-round(TURNS / TURN), round(TURNS / TURN) + 1, 2)
    lag = SIDE * 2.0 ** (sizes[:, None] / OCTAVE)
    turn = np.deg2rad(angles * TURN)[None, :]
    right, down = lag * np.cos(turn), lag * -np.sin(turn)
    score = np.zeros(right.shape, np.float32)
    energy = np.zeros(right.shape, np.float32)
    for across, along in _lattice():
        columns, rows = across * right - along * down, across * down + along * right
        overlap = np.maximum(0, 1 - np.abs(columns) / luma.shape[1]) * np.maximum(0, 1 - np.abs(rows) / luma.shape[0])
        overlap = np.where((np.abs(columns) < reach - 2) & (np.abs(rows) < reach - 2), overlap, 0).astype(np.float32)
        value: Any = cv2.remap(alike, (columns + reach).astype(np.float32), (rows + reach).astype(np.float32), cv2.INTER_LINEAR)
        score += value * overlap
        energy += overlap**2
    score /= np.sqrt(np.maximum(energy, 1e-3))
    for _ in range(_CANDIDATES):
        size, angle = np.unravel_index(int(np.argmax(score)), score.shape)
        yield Pose(int(sizes[size]) + octave, int(angles[angle]))
        score[max(0, size - 5) : size + 6, max(0, angle - 3) : angle + 4] = -np.inf


def _lattice() -> list[tuple[int, int]]:
    """Where a lattice repeats, one of each pair of opposites, in tiles."""
    near = range(-_REACH, _REACH + 1)
    return [(across, along) for across in near for along in range(_REACH + 1) if (along > 0 or across > 0) and across**2 + along**2 <= 18]


def _alike(luma: Floats) -> tuple[NDArray[np.float32], int]:
    """(2 reach + 1, 2 reach + 1): the autocorrelation of a picture, of all frequencies alike, no lag in the middle; and `reach`."""
    height, width = luma.shape
    reach = min(_REACH * SIDE, round(0.8 * max(height, width)))
    tall, wide = (-(-(side + reach) // 64) * 64 for side in (height, width))
    tall, wide = max(tall, 2 * reach + 64), max(wide, 2 * reach + 64)
    power = np.abs(np.fft.rfft2(whitened(luma), (tall, wide))).astype(np.float32) ** 2
    usual = mean_around(power, 31)
    frequency = np.hypot(np.fft.fftfreq(tall)[:, None], np.fft.rfftfreq(wide)[None, :])
    power = np.where((frequency > 0.04) & (frequency < 0.47), np.minimum(power / (usual + 1e-6), 8), 0)
    alike = np.fft.irfft2(power, (tall, wide)).astype(np.float32)
    rows, columns = (np.arange(-reach, reach + 1) % size for size in (tall, wide))
    return np.ascontiguousarray(alike[np.ix_(rows, columns)]), reach
