"""The period of the sound's mark: half a second of noise that repeats, and how well a sound that is folded on it fits.

Knows no channels and no files: works on one row of samples at `RATE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from studio.provenance import watermark
from studio.provenance.watermark import Complex, Floats, Lines

RATE = 16_000
"""Samples a second at which a mark is looked for."""
PERIOD = 0.512
"""Seconds of the pattern: no whole tempo has beats, or parts of beats, at its multiples."""
BAND = (600, 7_000)
"""Hertz of its lines, 1.95 Hz apart."""
FINE = 4
"""Steps a sample at `RATE` in which the beginning of a period is searched."""
SPEEDS = tuple(one / other for one, other in permutations((32_000, 44_100, 48_000), 2))
"""Speeds searched beside the right one: of sounds whose rate was read wrongly."""

PLACES = round(PERIOD * RATE) * FINE
"""Beginnings of a period that are searched."""

_PARTS = 10_000
_AT_ONCE = 30 * RATE
THRESHOLD = watermark.threshold(PLACES * (1 + len(SPEEDS) + _PARTS))
"""What a peak must reach: every speed and beginning, and every part of a sound, count as tried."""


@dataclass(frozen=True)
class Match:
    """How well a sound fits: the statistic `peak`, the number that gave it, and the `speed` at which it did."""

    peak: float
    number: int
    speed: float = 1.0


@dataclass(frozen=True)
class Period:
    """One secret's pattern. `places` (n,) are its lines, in periods of PERIOD."""

    places: NDArray[np.intp]
    roles: Lines

    @classmethod
    def of(cls, secret: bytes) -> Period:
        """The pattern of a secret."""
        places = np.arange(round(BAND[0] * PERIOD), round(BAND[1] * PERIOD))
        return cls(places, watermark.lines(secret, "sound", len(places)))

    def wave(self, number: int, rate: int, places: NDArray[np.intp]) -> Floats:
        """(n,) at these samples of any rate: the pattern, repeated, with standard deviation 1; without lines above 0.45 of the rate."""
        spectrum = np.zeros((1 << 17) // 2 + 1, np.complex64)
        kept = self.places < 0.45 * rate * PERIOD
        spectrum[self.places[kept]] = (self.roles.phases * watermark.signs(self.roles, number))[kept]
        fine: Floats = np.fft.irfft(spectrum).astype(np.float32)
        where = places * (len(fine) / (PERIOD * rate)) % len(fine)
        whole = where.astype(np.intp)
        part = (where - whole).astype(np.float32)
        found = fine[whole] * (1 - part) + fine[(whole + 1) % len(fine)] * part
        return (found / max(float(fine.std()), 1e-9)).astype(np.float32)

    def match(self, rest: Floats, speed: float = 1.0) -> Match | None:
        """The best beginning and number for whitened samples (n,) at RATE; None where no number fits."""
        lines, weights, begins = self._begins(rest, speed)
        begin = int(np.argmax(begins))
        cosines = (lines * np.exp(2j * np.pi / PLACES * begin * self.places)).real.astype(np.float32)
        match = watermark.likeliest(self.roles, cosines, weights)
        return None if match is None else Match(match[1], match[0], speed)

    def certainty(self, rest: Floats, number: int) -> float:
        """The statistic of a known number that begins where it was put."""
        lines, weights, _ = self._begins(rest, 1.0)
        return watermark.peak(self.roles, lines.real, weights, number)

    def sync(self, rest: Floats) -> float:
        """The peak of the lines that are always there, wherever a period may begin."""
        return float(self._begins(rest, 1.0)[2].max())

    def _begins(self, rest: Floats, speed: float) -> tuple[Complex, Floats, NDArray[np.float64]]:
        """Each line's direction against its phase, its weight, and (PLACES,) the statistic of the sync lines for each beginning."""
        found = np.fft.rfft(_folded(rest, speed))[self.places]
        size = np.abs(found)
        weights = np.sqrt(np.minimum(size / max(float(np.sqrt((size**2).mean())), 1e-9), 3)).astype(np.float32)
        lines: Complex = (found / np.maximum(size, 1e-9) * self.roles.phases.conj()).astype(np.complex64)
        mine = self.roles.sync
        spectrum = np.zeros(PLACES // 2 + 1, np.complex64)
        spectrum[self.places[mine]] = (lines * weights)[mine]
        energy = float((weights[mine] ** 2).sum())
        return lines, weights, np.fft.irfft(spectrum) * (PLACES / 2 / max(1e-9, energy) ** 0.5)


def _folded(rest: Floats, speed: float) -> NDArray[np.float64]:
    """(PLACES,): the samples at RATE laid over each other, period on period, some at a time."""
    found = np.zeros(PLACES)
    for start in range(0, len(rest), _AT_ONCE):
        part = rest[start : start + _AT_ONCE]
        places = (np.arange(start, start + len(part)) * (FINE * speed) % PLACES).astype(np.intp)
        found += np.bincount(places, part, PLACES)
    return found
