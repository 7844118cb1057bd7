"""Voices that sound while a key is held: scanned waves, spread waves and frequency modulation. Knows no score and no effect.

A voice is data with one method, `note(frequency, held, force)`: hertz, samples for which the key is down, and how hard it was struck
(0 to 1; it changes the tone, the level is the caller's). It gives (1 or 2, samples) float32, which begin and end at 0.

Nothing aliases: waves are built from the partials below `TOP` alone. The spread waves are Paul Nasca's PADsynth (2005); the scanned ones
are a subtractive synthesiser's oscillator and filter, computed partial by partial for every step of the filter's way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from studio.music.envelopes import RATE, Reals, Signal, angle, envelope, noise, phase, vibrato

TOP = 18_000.0
"""Hertz: no partial lies above."""

_CYCLE = 2048
_EVEN = ("pulse25", "triangle")
_SPREAD = 1 << 17
_PIECE = 1 << 13


@dataclass(frozen=True)
class Shape:
    """An envelope: attack, decay constant and release in seconds, sustain from 0 to 1."""

    attack: float = 0.004
    decay: float = 0.3
    sustain: float = 0.7
    release: float = 0.12

    def over(self, held: int) -> Signal:
        """It, for a key that is held for so many samples."""
        return envelope(held, self.attack, self.decay, self.sustain, self.release)


@dataclass(frozen=True)
class Scanned:
    """An oscillator behind a low-pass filter that an envelope moves.

    `wave` is saw, square, pulse25, triangle, sine, reed or organ; the filter begins at `cutoff` hertz plus `track` of the note's
    octaves above middle C, opens by `sweep` octaves and closes with the constant `close`. `detune` in cents adds a second oscillator.
    """

    wave: str = "saw"
    shape: Shape = Shape()
    cutoff: float = 1500.0
    sweep: float = 1.5
    close: float = 0.25
    resonance: float = 0.9
    track: float = 0.6
    detune: float = 0.0
    sub: float = 0.0
    vibrato: tuple[float, float, float] = (0.0, 5.2, 0.25)
    breath: float = 0.0

    def note(self, frequency: float, held: int, force: float) -> Signal:
        """(1, samples)."""
        level = self.shape.over(held)
        low = np.clip(self.cutoff * (frequency / 261.6) ** self.track * 2 ** (1.2 * (force - 0.7)), 60, TOP)
        opened = self.sweep * (0.6 + 0.6 * force)
        steps = round(abs(opened) * 4)
        cutoffs = low * 2 ** (opened * np.arange(steps + 1) / max(steps, 1))
        tables = _cycles(self.wave, frequency, cutoffs, self.resonance, self.sub)
        place = _closing(len(level), self.shape.attack, self.close) * np.float32(steps)
        cents, hertz, delay = self.vibrato
        bend = vibrato(frequency, len(level), cents, hertz, delay) if cents else None
        ratio = 2 ** (self.detune / 2400) / (2 if self.sub else 1)
        made = _scan(tables, place, phase(frequency * ratio, len(level), bend))
        if self.detune:
            made += _scan(tables, place, phase(frequency / (4 if self.sub else 1) / ratio, len(level), bend) + np.uint32(1 << 30))
            made *= np.float32(0.7)
        if self.breath:
            made += np.float32(self.breath) * noise(len(level), 7, frequency, 6 * frequency)
        return (made * level)[None]


@dataclass(frozen=True)
class Spread:
    """A wave whose every partial is a narrow band `cents` wide, as of many players at once; stereo. `cutoff` hertz darkens it.

    `wave` as in Scanned, or choir or glass. `partials` scale: how fast the bands widen with their number (1 is in proportion).
    """

    wave: str = "saw"
    shape: Shape = Shape(0.4, 1.0, 0.9, 0.9)
    cents: float = 18.0
    cutoff: float = 1800.0
    widen: float = 1.0
    seed: int = 1

    def note(self, frequency: float, held: int, force: float) -> Signal:
        """(2, samples)."""
        level = self.shape.over(held)
        table = _spread(self, frequency, round(force * 4) / 4)
        start = round(frequency * 997) % _SPREAD
        left, right = (np.resize(np.roll(table, -at), len(level)) for at in (start, start + _SPREAD // 2))
        return np.asarray(np.stack([left + np.float32(0.35) * right, right + np.float32(0.35) * left]) * level, np.float32)


@dataclass(frozen=True)
class Modulated:
    """Sines that bend the phase of sines (Chowning 1973). Every pair is (carrier, modulator, index, fade, level): ratios to the note,

    the modulation's depth in radians, the constant in seconds with which it fades, and the pair's level.
    """

    pairs: tuple[tuple[float, float, float, float, float], ...]
    shape: Shape = Shape(0.002, 1.2, 0.0, 0.15)
    stretch: float = 0.5
    vibrato: tuple[float, float, float] = (0.0, 5.0, 0.3)

    def note(self, frequency: float, held: int, force: float) -> Signal:
        """(1, samples). High notes fade sooner by the power `stretch`."""
        factor = min(2.0, (261.6 / frequency) ** self.stretch)
        shape = Shape(self.shape.attack, self.shape.decay * factor, self.shape.sustain, self.shape.release)
        level = shape.over(held)
        seconds = np.arange(len(level), dtype=np.float32) / np.float32(RATE)
        cents, hertz, delay = self.vibrato
        bend = vibrato(frequency, len(level), cents, hertz, delay) if cents else None
        made = np.zeros(len(level), dtype=np.float32)
        for carrier, modulator, index, fade, strength in self.pairs:
            depth = index * (0.25 + force) * min(1.0, (TOP / frequency - carrier) / (3 * modulator * max(index, 0.3)))
            if depth <= 0:
                continue
            bending = np.sin(angle(phase(frequency * modulator, len(level)))) * np.float32(depth)
            bending *= np.exp(-seconds / np.float32(fade * factor))
            made += np.float32(strength) * np.sin(angle(phase(frequency * carrier, len(level), bend)) + bending)
        return np.asarray((made * level)[None], np.float32)


@lru_cache(maxsize=64)
def _spread(voice: Spread, frequency: float, force: float) -> Signal:
    """One loop of a spread wave, with standard deviation 1."""
    from scipy.fft import irfft

    cutoff = np.array([voice.cutoff * (frequency / 261.6) ** 0.4 * 2 ** (1.2 * (force - 0.7))])
    strengths = _partials(voice.wave, frequency) * _low_pass(frequency * np.arange(1, _count(frequency) + 1), cutoff, 0.7)[0]
    bins = np.zeros(_SPREAD // 2 + 1, dtype=np.float32)
    step = RATE / _SPREAD
    for number in np.flatnonzero(np.abs(strengths) > 1e-3 * np.abs(strengths).max()) + 1:
        centre = number * frequency
        width = max(frequency * number**voice.widen * (2 ** (voice.cents / 1200) - 1), 1.5 * step)
        near = np.arange(max(int((centre - 3 * width) / step), 1), min(int((centre + 3 * width) / step) + 2, len(bins)))
        profile = np.exp(-(((near * step - centre) / width) ** 2))
        bins[near] += abs(strengths[number - 1]) * profile / np.sqrt((profile**2).sum())
    turns = np.random.default_rng(voice.seed).random(len(bins), dtype=np.float32) * np.float32(2 * np.pi)
    made = np.asarray(irfft(bins * np.cos(turns) + 1j * (bins * np.sin(turns)), _SPREAD))
    made = (made / made.std()).astype(np.float32)
    made.flags.writeable = False
    return made


# The partials of a wave, and the way through its filter -----------------------------------------------------------------------------


def _count(frequency: float) -> int:
    """How many partials a note has below `TOP`."""
    return max(1, min(_CYCLE // 2 - 1, int(TOP / frequency)))


def _partials(wave: str, frequency: float) -> Reals:
    """(partials,) amplitudes of a wave."""
    number = np.arange(1, _count(frequency) + 1)
    odd = number % 2 == 1
    if wave == "saw":
        return 1 / number
    if wave == "square":
        return odd / number
    if wave == "pulse25":
        return np.sin(np.pi * number * 0.25) / number * 1.2
    if wave == "triangle":
        return odd / number**2.0
    if wave == "reed":
        return (0.35 + 0.65 * odd) / number**0.8 * np.exp(-(((number * frequency - 1100) / 1600) ** 2) * 0.5)
    if wave == "organ":
        return np.isin(number, (1, 2, 3, 4, 6, 8)) * np.interp(number, (1, 2, 3, 4, 6, 8), (1, 0.8, 0.55, 0.4, 0.2, 0.25))
    if wave == "choir":
        hertz = number * frequency
        formants = sum(
            gain * np.exp(-(((hertz - at) / wide) ** 2)) for at, wide, gain in ((600, 180, 1), (1040, 200, 0.5), (2700, 350, 0.16))
        )
        return (formants + 0.45 * (number == 1) + 0.02) / number**0.4
    if wave == "glass":
        return np.isin(number, (1, 2, 5, 8, 12)) / number**0.9
    return (number == 1).astype(float)


def _low_pass(hertz: Reals, cutoffs: Reals, resonance: float) -> Reals:
    """(cutoffs, hertz) gains of two two-pole filters in a row, the first with `resonance` as its quality."""
    ratio = (hertz[None] / cutoffs[:, None]) ** 2
    return 1 / np.sqrt((1 - ratio) ** 2 + ratio / resonance**2) / np.sqrt(1 + 0.3 * ratio + ratio**2 * 0.4)


def _cycles(wave: str, frequency: float, cutoffs: Reals, resonance: float, sub: float) -> Signal:
    """(cutoffs + 1, cycle + 1) one turn of the wave behind each cutoff, with the first sample and the last row repeated.

    The open wave has standard deviation near 0.5. With `sub` a turn holds two periods, and a square an octave below.
    """
    periods = 2 if sub else 1
    strengths = _partials(wave, frequency)
    strengths = strengths[: (_CYCLE // 2 - 1) // periods]
    spectrum = np.zeros((len(cutoffs), _CYCLE // 2 + 1), dtype=np.complex128)
    passed = strengths * _low_pass(frequency * np.arange(1, len(strengths) + 1), cutoffs, resonance)
    turned = 1 if wave in _EVEN else -1j
    spectrum[:, periods : periods * (len(strengths) + 1) : periods] = turned * passed
    if sub:
        below = np.arange(1, 8, 2)
        spectrum[:, below] += -1j * sub / below * _low_pass(frequency / 2 * below, cutoffs, 0.7)
    turns = np.fft.irfft(spectrum, _CYCLE, axis=1) * (_CYCLE * 0.25)
    turns = np.concatenate([turns, turns[:, :1]], axis=1)
    return np.concatenate([turns, turns[-1:]]).astype(np.float32)


def _closing(length: int, attack: float, close: float) -> Signal:
    """(length,) from 1 towards 0 after a quick opening: how far along its way the filter is."""
    seconds = np.arange(length, dtype=np.float32) / np.float32(RATE)
    rise = max(attack, 0.003)
    return np.clip(seconds / np.float32(rise), 0, 1) * np.exp(-np.maximum(seconds - rise, 0) / np.float32(close))


def _scan(tables: Signal, place: Signal, turns: NDArray[np.uint32]) -> Signal:
    """The tables read at `turns`, between the rows that `place` names."""
    made = np.empty(len(turns), dtype=np.float32)
    flat = tables.ravel()
    for start in range(0, len(turns), _PIECE):
        here, row = turns[start : start + _PIECE], place[start : start + _PIECE].astype(np.int32)
        at = (here >> np.uint32(21)).astype(np.int32)
        part = (here & np.uint32((1 << 21) - 1)).astype(np.float32) * np.float32(1 / (1 << 21))
        at += row * np.int32(_CYCLE + 1)
        lower = flat.take(at)
        lower += (flat.take(at + 1) - lower) * part
        if len(tables) > 2:
            at += np.int32(_CYCLE + 1)
            upper = flat.take(at)
            upper += (flat.take(at + 1) - upper) * part
            lower += (upper - lower) * (place[start : start + _PIECE] - row.astype(np.float32))
        made[start : start + _PIECE] = lower
    return made
