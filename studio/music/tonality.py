"""The key heard in a sound: one of 24, by profiles over pitch classes. Knows samples only.

Spectral peaks become a pitch class profile with harmonics taken into account (Gómez 2006, "Tonal description of polyphonic audio"), tuned
to where the peaks lie; the key is the one of the 24 rotated profiles of Krumhansl and Kessler (1982) that correlates best (Krumhansl 1990).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""How well each of the twelve pitch classes, from the tonic up, fits a key: Krumhansl and Kessler 1982, table 1 of Krumhansl 1990."""

_MAJORS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINORS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
KEYS = tuple(f"{name} major" for name in _MAJORS) + tuple(f"{name} minor" for name in _MINORS)

_WINDOW = 16_384
_LOWEST, _HIGHEST = 60.0, 2_500.0
_HALF = 450.0
"""Hz at which a peak counts half: low notes say more about the key than ornaments and overtones do."""
_HARMONICS, _DECAY = 8, 0.8
_LEAST_FIT, _LEAST_SHAPE, _LEAST_CLASSES = 0.5, 0.06, 4

Profile = NDArray[np.float64]


@dataclass(frozen=True)
class Tonality:
    """A key of `KEYS` or None; `confidence` from 0 to 1: how much better it fits than the next that is not its relative.

    `tuning` is how far A4 lies from 440 Hz, in semitones. `chroma` is the pitch class profile, C first, its largest value 1.
    """

    key: str | None
    confidence: float
    tuning: float
    chroma: tuple[float, ...]


def tonality(channel: NDArray[np.float32], rate: int) -> Tonality:
    """Of one channel."""
    frequencies, weights = _peaks(channel, rate)
    if not frequencies.size:
        return Tonality(None, 0.0, 0.0, (0.0,) * 12)
    pitches = 69 + 12 * np.log2(frequencies / 440)
    tuning = float(np.angle(np.sum(weights * np.exp(2j * np.pi * pitches))) / (2 * np.pi))
    chroma = _chroma(pitches - tuning, weights / (1 + (frequencies / _HALF) ** 2))
    chroma /= chroma.max()
    fits = np.array([np.corrcoef(chroma, profile)[0, 1] for profile in _PROFILES])
    best = int(fits.argmax())
    relative = (best + 9) % 12 + 12 if best < 12 else (best + 3) % 12
    clear = float(chroma.std() / chroma.mean()) >= _LEAST_SHAPE and fits[best] >= _LEAST_FIT and int((chroma > 0.1).sum()) >= _LEAST_CLASSES
    confidence = float(np.clip((fits[best] - np.delete(fits, [best, relative]).max()) / 0.25, 0, 1))
    return Tonality(KEYS[best] if clear else None, confidence if clear else 0.0, tuning, tuple(float(value) for value in chroma))


_PROFILES = np.array([np.roll(profile, tonic) for profile in (MAJOR, MINOR) for tonic in range(12)])


def _peaks(channel: NDArray[np.float32], rate: int) -> tuple[Profile, Profile]:
    """Frequencies in Hz and weights: square roots of amplitudes, those of one frame adding up to the square root of its loudest."""
    size = 1 << round(np.log2(_WINDOW * rate / 22_050))
    padded = np.pad(channel, (0, max(0, size - channel.size)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 2]
    window = np.hanning(size).astype(np.float32)
    floor = 1e-5 * size * float(np.abs(channel).max(initial=0)) + 1e-9
    found = [(np.zeros(0), np.zeros(0))]
    for start in range(0, len(frames), 32):
        levels = np.abs(np.asarray(fft.rfft(frames[start : start + 32] * window, axis=1)))
        found += [_tops(levels.astype(np.float64), rate / size, floor)]
    return np.concatenate([frequencies for frequencies, _ in found]), np.concatenate([weights for _, weights in found])


def _tops(levels: Profile, width: float, floor: float) -> tuple[Profile, Profile]:
    """Frequencies and weights of the local maxima of spectra (frames, bins), by parabolas through their logarithms."""
    low, high = int(_LOWEST / width), min(int(_HIGHEST / width), levels.shape[1] - 2)
    middle, left, right = levels[:, low:high], levels[:, low - 1 : high - 1], levels[:, low + 1 : high + 1]
    loudest = middle.max(axis=1, keepdims=True)
    rows, columns = np.nonzero((middle > left) & (middle >= right) & (middle > 0.01 * loudest) & (loudest > floor))
    a, b, c = (np.log(side[rows, columns] + 1e-12) for side in (left, middle, right))
    bins = low + columns + 0.5 * (a - c) / np.minimum(a - 2 * b + c, -1e-9)
    weights = np.sqrt(middle[rows, columns])
    sums = np.bincount(rows, weights, len(levels))[rows]
    return bins * width, weights / sums * np.sqrt(loudest[rows, 0])


def _chroma(pitches: Profile, weights: Profile) -> Profile:
    """Twelve values: every peak counts for the pitches that it may be a harmonic of, less for each further one (Gómez 2006, 3.3)."""
    found = np.zeros(12)
    for number in range(1, _HARMONICS + 1):
        places = (pitches - 12 * np.log2(number)) % 12
        for side in (0, 1):
            classes = (np.floor(places) + side) % 12
            away = np.abs((places - classes + 6) % 12 - 6)
            shares = np.where(away < 0.67, np.cos(np.pi / 2 * away / 0.67) ** 2, 0.0)
            found += np.bincount(classes.astype(np.int64), weights * shares * _DECAY ** (number - 1), 12)
    return found
