"""What every voice of the studio's synthesiser is shaped by: the rate, envelopes, phases and noise. Knows no instrument.

Signals are float32 at `RATE`; times are in seconds, `held` counts samples for which a key is down.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
"""Hertz, of everything the synthesiser makes."""

Signal = NDArray[np.float32]
Reals = NDArray[np.floating[Any]]


def envelope(held: int, attack: float, decay: float, sustain: float, release: float) -> Signal:
    """(held + release,) from 0 over 1 to `sustain` (0 to 1) and back to 0, without a corner at either end.

    `attack` and `release` are at least 2 ms; `decay` is a time constant, from the end of the attack on.
    """
    rising, falling = max(attack, 0.002), max(release, 0.002)
    after = round(falling * RATE)
    seconds = np.arange(held + after, dtype=np.float32) / np.float32(RATE)
    level = _smooth(np.clip(seconds / np.float32(rising), 0, 1))
    if sustain < 1:
        level *= sustain + (1 - sustain) * np.exp(-np.maximum(seconds - rising, 0) / np.float32(max(decay, 0.001)))
    left = np.linspace(1, 0, after, dtype=np.float32)
    level[held:] *= left * left * (0.4 + 0.6 * left)
    return level


def phase(frequency: float, length: int, bend: Signal | None = None) -> NDArray[np.uint32]:
    """(length,) phases as 32-bit fractions of a turn, which wrap by themselves. `bend` adds turns, sample by sample."""
    turns = np.arange(length, dtype=np.uint32) * np.uint32(round(frequency / RATE * 2**32) % 2**32)
    return turns if bend is None else turns + (bend.astype(np.float64) * 2**32).astype(np.int64).astype(np.uint32)


def angle(turns: NDArray[np.uint32]) -> Signal:
    """Phases in radians."""
    return turns.astype(np.float32) * np.float32(2 * np.pi / 2**32)


def vibrato(frequency: float, length: int, cents: float, hertz: float, delay: float) -> Signal:
    """(length,) turns to add to a phase: a vibrato of `cents` to either side that grows in from `delay` to twice that."""
    seconds = np.arange(length, dtype=np.float32) / np.float32(RATE)
    depth = _smooth(np.clip((seconds - delay) / np.float32(max(delay, 0.05)), 0, 1))
    turns = frequency * (2 ** (cents / 1200) - 1) / (2 * np.pi * hertz)
    return np.asarray(
        depth * np.float32(turns) * (1 - np.cos(np.float32(2 * np.pi * hertz) * seconds)) - depth * np.float32(turns), np.float32
    )


def noise(length: int, seed: int, low: float = 20.0, high: float = 20_000.0, slope: float = 1.0) -> Signal:
    """(length,) noise between `low` and `high` hertz with standard deviation 1, the same for the same seed.

    `slope` is how steep its edges are: 1 is about 12 dB an octave.
    """
    size = max(64, 1 << (max(length, 1) - 1).bit_length())
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(size))
    hertz = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 1e-3)
    spectrum *= 1 / (1 + (low / hertz) ** (2 * slope)) / (1 + (hertz / high) ** (2 * slope))
    spectrum[0] = 0
    made = np.fft.irfft(spectrum, size)
    return (made[:length] / made.std()).astype(np.float32)


def _smooth(share: Signal) -> Signal:
    """From 0 to 1 with level ends (the cubic 3x^2 - 2x^3)."""
    return share * share * (3 - 2 * share)
