"""Voices that ring by themselves: strings, bars and bells as sums of fading partials. Knows no score and no effect.

A plucked string is the string of Karplus and Strong (1983) in the form of its modes: partials whose loss grows with the square of their
number. All partials of a note come out of one matrix product: what fades and turns evenly over time is a product of what it does from
block to block and within a block, so that a note costs about as much as copying it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from studio.music.envelopes import RATE, Reals, Signal, noise
from studio.music.voices import TOP

_BLOCK = 256
_ALONE = 1 << 18  # multiplications: up to here OpenBLAS stays in its caller's thread, which costs less and always adds in one order


@dataclass(frozen=True)
class Plucked:
    """A string: `ring` seconds at middle C, plucked at `place` of its length; `loss` is how much sooner the high partials fade.

    `soft` darkens it, `stiff` stretches its partials; `release` seconds damp it when the key goes up; `snap` is the noise of the finger.
    """

    ring: float = 1.2
    place: float = 0.18
    loss: float = 0.06
    soft: float = 1.0
    stiff: float = 0.00005
    release: float = 0.08
    snap: float = 0.15

    def note(self, frequency: float, held: int, force: float) -> Signal:
        """(1, samples)."""
        number = np.arange(1, max(1, min(90, int(TOP / frequency))) + 1)
        hertz = frequency * number * np.sqrt((1 + self.stiff * number**2) / (1 + self.stiff))
        power = self.soft + 0.7 * (1 - force)
        amplitudes = np.sin(np.pi * number * self.place) / number**power
        ring = self.ring * (261.6 / frequency) ** 0.45 / (1 + self.loss * (number**1.6 - 1) * min(3.0, (frequency / 220) ** 0.5))
        scattered = np.pi * number**2 / len(number)  # M. Schroeder (1970): the lowest peaks for the same loudness
        made = _damped(partials(hertz, amplitudes, ring, _length(held, self.release, ring), scattered), held, self.release)
        snap = min(len(made), 1400)
        made[:snap] += self.snap * force * _bump(snap) * noise(snap, 3, 3 * frequency, 12 * frequency)
        return _rising(made, 96)[None]


@dataclass(frozen=True)
class Hammered:
    """A soft piano: stiff strings that fade first fast, then slowly, and beat a little; felt that hardens with force."""

    ring: float = 2.2
    soft: float = 1.1
    stiff: float = 0.0003
    release: float = 0.16
    knock: float = 0.25

    def note(self, frequency: float, held: int, force: float) -> Signal:
        """(1, samples)."""
        number = np.arange(1, max(1, min(36, int(10_000 / frequency))) + 1)
        stiff = self.stiff * (frequency / 261.6) ** 0.9
        hertz = frequency * number * np.sqrt((1 + stiff * number**2) / (1 + stiff))
        dark = (0.16 + 0.16 * (1 - force)) * self.soft * (frequency / 261.6) ** 0.55
        amplitudes = np.abs(np.sin(np.pi * number / 8.3)) / number**0.35 * np.exp(-dark * number)
        slow = self.ring * (261.6 / frequency) ** 0.5 / (1 + 0.16 * (number - 1))
        beat = 0.12 + 0.05 * number[:12]
        both = np.concatenate([hertz, hertz[:12] + beat, hertz[:12] - beat])
        strengths = np.concatenate([np.where(number > 12, 0.8, 0.5) * amplitudes, amplitudes[:12] * 0.25, amplitudes[:12] * 0.25])
        rings = np.concatenate([slow * np.where(number > 12, 0.6, 0.3), slow[:12], slow[:12]])
        made = _damped(partials(both, strengths, rings, _length(held, self.release, slow)), held, self.release)
        thump = min(len(made), 3600)
        made[:thump] += self.knock * (0.3 + force) * 0.12 * _bump(thump) * noise(thump, 5, 90, 700)
        return _rising(made, 120)[None]


@dataclass(frozen=True)
class Chimed:
    """A bar or a bell: `modes` are (ratio, level, ring in seconds at middle C); `damped` says whether the key going up stops it."""

    modes: tuple[tuple[float, float, float], ...]
    damped: bool = False
    hard: float = 0.5
    tremolo: float = 0.0

    def note(self, frequency: float, held: int, force: float) -> Signal:
        """(1, samples)."""
        ratios, levels, rings = (np.array(column) for column in zip(*self.modes, strict=True))
        heard = ratios * frequency < TOP
        levels = levels[heard] * (0.4 + 0.6 * force) ** (self.hard * np.arange(heard.sum()))
        rings = np.minimum(rings[heard] * (261.6 / frequency) ** 0.4, 3.0)
        release = 0.2 if self.damped else 0.02
        length = _length(held if self.damped else 10**9, release, rings)
        made = _damped(partials(ratios[heard] * frequency, levels, rings, length), held if self.damped else length, release)
        if self.tremolo:
            made *= 1 - np.float32(self.tremolo) * np.sin(np.arange(length, dtype=np.float32) * np.float32(2 * np.pi * 5.5 / RATE)) ** 2
        return _rising(made, 96)[None]


def partials(
    hertz: Reals,
    amplitudes: Reals,
    rings: Reals,
    length: int,
    phases: Reals | float = 0.0,
) -> Signal:
    """(length,) the sum of sines that start at their phases (radians) and fade by 1/e in `rings` seconds. All arguments (partials,)."""
    rows = max(1, _ALONE // (2 * len(hertz) * _BLOCK))
    blocks = -(-length // (_BLOCK * rows)) * rows
    between = np.outer(np.arange(blocks) * _BLOCK, hertz / RATE)
    swing = ((between % 1) * (2 * np.pi) + phases).astype(np.float32)
    strength = np.exp(np.outer(np.arange(blocks) * _BLOCK, -1 / (RATE * rings)).astype(np.float32)) * amplitudes.astype(np.float32)
    within = np.outer(hertz * (2 * np.pi / RATE), np.arange(_BLOCK)).astype(np.float32)
    fade = np.exp(np.outer(-1 / (RATE * rings), np.arange(_BLOCK)).astype(np.float32))
    left = np.concatenate([strength * np.sin(swing), strength * np.cos(swing)], axis=1)
    right = np.concatenate([fade * np.cos(within), fade * np.sin(within)])
    return (left.reshape(-1, rows, left.shape[1]) @ right).reshape(-1)[:length]


def _length(held: int, release: float, rings: Reals) -> int:
    """Samples until the key's release is over, or until nothing is heard any more (-80 dB)."""
    return int(min(held + release * RATE, 9.2 * float(rings.max()) * RATE, 8 * RATE))


def _damped(made: Signal, held: int, release: float) -> Signal:
    """The sound, stopped within `release` seconds after the key went up, and in any case without a click at its end."""
    start = min(held, max(0, len(made) - round(release * RATE)))
    left = np.linspace(1, 0, len(made) - start, dtype=np.float32)
    made[start:] *= left * left * (3 - 2 * left)
    return made


def _rising(made: Signal, samples: int) -> Signal:
    """The sound with a start that is not too sharp."""
    made[:samples] *= np.linspace(0, 1, samples, dtype=np.float32)[: len(made)]
    return made


def _bump(length: int) -> Signal:
    """(length,) a quick rise and a longer fall, for the noise of a finger or a hammer."""
    share = np.linspace(0, 1, length, dtype=np.float32)
    return np.minimum(share * 12, 1) * (1 - share) ** 3
