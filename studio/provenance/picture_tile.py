"""The tile of the picture's mark: a square of noise in a middle band of frequencies that repeats over the whole picture.

Knows which lines of its spectrum carry what, and how well a folded picture fits it. Knows no picture and no geometry: who folds decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio.provenance import watermark
from studio.provenance.watermark import Complex, Floats, Lines

SIDE = 128
"""Pixels of the tile's side."""
BAND = (7.0, 30.0)
"""Lines within this radius are used, in periods a tile: 0.055 to 0.23 periods a pixel, what JPEG, WebP and half the size keep."""
FINE = 2
"""Steps a pixel in which the place of a tile that was warped is searched."""

_HOPELESS = 3.4
"""A peak of the sync lines below this is not decoded: of 65,536 places without a mark the best reaches it as a rule."""
_BLOCK = 16  # a line at multiples of it is where blocks of 8 pixels leave their traces


@dataclass(frozen=True)
class Match:
    """How well a fold fits: the statistic `peak`, the number that gave it, and the row and column at which a tile begins."""

    peak: float
    number: int
    row: float
    column: float


@dataclass(frozen=True)
class Tile:
    """One secret's tile."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    roles: Lines

    @classmethod
    def of(cls, secret: bytes) -> Tile:
        """The tile of a secret."""
        rows, columns = (place.ravel() for place in np.mgrid[0 : SIDE // 2, 1 - SIDE // 2 : SIDE // 2])
        radius = np.hypot(rows, columns)
        half = (rows > 0) | (columns > 0)
        block = (rows % _BLOCK == 0) & (columns % _BLOCK == 0)
        used = (radius >= BAND[0]) & (radius <= BAND[1]) & half & ~block
        return cls(rows[used], columns[used], watermark.lines(secret, "picture", int(used.sum())))

    def pattern(self, number: int) -> Floats:
        """(128, 128) with mean 0 and standard deviation 1."""
        spectrum = np.zeros((SIDE, SIDE), np.complex64)
        lines = self.roles.phases * watermark.signs(self.roles, number)
        spectrum[self.rows, self.columns] = lines
        spectrum[-self.rows, -self.columns] = lines.conj()
        found = np.fft.ifft2(spectrum).real
        return (found / found.std()).astype(np.float32)

    def sync(self, fold: Floats, fine: int = FINE) -> float:
        """The peak of the lines that are always there, anywhere: cheap, to rank folds."""
        lines, weights = self._lines(fold)
        return float(self._places(lines, weights, fine).max())

    def certainty(self, fold: Floats, number: int) -> float:
        """The statistic of a known number at the place where it was put."""
        lines, weights = self._lines(fold)
        return watermark.peak(self.roles, (lines * self.roles.phases.conj()).real.astype(np.float32), weights, number)

    def match(self, fold: Floats, fine: int = FINE) -> Match | None:
        """The best place and number for a fold (128, 128), places in steps of 1 / `fine` pixel; None where no number fits."""
        lines, weights = self._lines(fold)
        places = self._places(lines, weights, fine)
        best = np.unravel_index(int(np.argmax(places)), places.shape)
        if places[best] < _HOPELESS:
            return None
        row, column = float(best[0]) / fine, float(best[1]) / fine
        turned = lines * np.exp(2j * np.pi / SIDE * (self.rows * row + self.columns * column))
        cosines = (turned * self.roles.phases.conj()).real.astype(np.float32)
        found = watermark.likeliest(self.roles, cosines, weights)
        return None if found is None else Match(found[1], found[0], row, column)

    def _lines(self, fold: Floats) -> tuple[Complex, Floats]:
        """Each line's direction, unit, and its weight: the root of how far it stands out from others of its frequency."""
        found = np.fft.fft2(fold)[self.rows, self.columns]
        size = np.abs(found)
        ring = np.rint(np.hypot(self.rows, self.columns) / 3).astype(np.intp)
        usual = np.sqrt(np.bincount(ring, size**2) / np.maximum(1, np.bincount(ring)))[ring]
        weights = np.sqrt(np.minimum(size / np.maximum(usual, 1e-9), 3))
        return (found / np.maximum(size, 1e-9)).astype(np.complex64), weights.astype(np.float32)

    def _places(self, lines: Complex, weights: Floats, fine: int) -> Floats:
        """(128 fine, 128 fine): the statistic of the sync lines for each place."""
        mine = self.roles.sync
        spectrum = np.zeros((SIDE * fine, SIDE * fine), np.complex64)
        spectrum[self.rows[mine], self.columns[mine]] = (lines * self.roles.phases.conj() * weights)[mine]
        energy = float((weights[mine] ** 2).sum())
        return np.fft.ifft2(spectrum).real * (spectrum.size / max(1e-9, energy) ** 0.5)
