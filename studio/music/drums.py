"""Drums of the studio's synthesiser, in General MIDI's numbering. Knows no score and no effect.

A kit is data: how each kind of drum is tuned and how long it sounds. `strike(kit, pitch, force)` gives one stroke.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from studio.music.envelopes import RATE, Signal, noise
from studio.music.struck import partials


@dataclass(frozen=True)
class Kit:
    """How a kit sounds: hertz, seconds and shares from 0 to 1; `level` in decibels makes the kits equally loud."""

    kick: float = 52.0
    kick_sweep: float = 3.0
    kick_length: float = 0.20
    kick_click: float = 0.3
    snare: float = 185.0
    snare_length: float = 0.13
    snare_wires: float = 0.75
    hat: float = 7000.0
    hat_length: float = 0.035
    metal: float = 0.5
    tom_length: float = 0.24
    top: float = 16_000.0
    crunch: float = 0.0
    level: float = 0.0


KITS: dict[str, Kit] = {
    "acoustic kit": Kit(),
    "electronic kit": Kit(
        kick=48, kick_sweep=5, kick_length=0.32, kick_click=0.45, snare=200, snare_length=0.16, hat=8500, metal=0.65, level=-0.7
    ),
    "lofi kit": Kit(
        kick=56, kick_sweep=2.2, kick_length=0.15, kick_click=0.15, snare=170, snare_length=0.11, hat=5500, top=6000, crunch=0.5, level=-2.6
    ),
    "brush kit": Kit(
        kick=58,
        kick_sweep=1.5,
        kick_length=0.14,
        kick_click=0.1,
        snare=190,
        snare_length=0.16,
        snare_wires=0.95,
        hat=6500,
        top=9000,
        level=0.5,
    ),
    "orchestral kit": Kit(
        kick=44, kick_sweep=1.4, kick_length=0.45, kick_click=0.08, snare=210, snare_length=0.18, tom_length=0.5, level=-2.5
    ),
    "chip kit": Kit(
        kick=60, kick_sweep=6, kick_length=0.10, kick_click=0.0, snare=220, snare_length=0.10, metal=0, crunch=0.9, top=9000, level=-2.9
    ),
}
"""The kits by name."""

_KINDS: dict[str, tuple[int, ...]] = {
    "kick": (35, 36),
    "rim": (37, 31, 75, 76, 77, 85),
    "snare": (38, 40, 25, 29),
    "clap": (39, 28, 34),
    "closed hat": (42, 44),
    "open hat": (46,),
    "crash": (49, 52, 55, 57),
    "ride": (51, 59),
    "bell": (53, 56, 67, 68, 80, 81),
    "shaker": (54, 69, 70, 58, 71, 72, 73, 74, 78, 79, 82, 83, 84, 27, 30),
    "tom": (41, 43, 45, 47, 48, 50, 60, 61, 62, 63, 64, 65, 66, 86, 87, 32, 33),
}
_TOMS = {41: 80, 43: 98, 45: 118, 47: 140, 48: 165, 50: 195, 60: 330, 61: 250, 62: 300, 63: 270, 64: 205, 65: 380, 66: 300}
_BELLS = {53: 900, 56: 560, 67: 960, 68: 720, 80: 2300, 81: 2300}
_METAL = np.array([1.0, 1.34, 1.52, 1.78, 2.01, 2.41, 2.86, 3.27])
# Decibels that bring each kind, struck at velocity 100, to its place in a kit.
_LEVELS = {
    "kick": 0.0, "rim": -9.0, "snare": -3.0, "clap": -6.0, "closed hat": -13.0, "open hat": -14.0,
    "crash": -11.0, "ride": -15.0, "bell": -14.0, "shaker": -15.0, "tom": -4.0,
}  # fmt: skip


def kind(pitch: int) -> str:
    """What a General MIDI drum number is: kick, snare, closed hat and so on; a shaker for numbers without a drum."""
    return next((name for name, numbers in _KINDS.items() if pitch in numbers), "shaker")


def strike(kit: str, pitch: int, force: float, turn: int = 0) -> Signal:
    """(1, samples) one stroke on a drum of the kit so named, with `force` from 0 to 1; each `turn` has noise of its own, three in all."""
    return _struck(KITS[kit], pitch, round(force * 8) / 8, turn % 3)


@lru_cache(maxsize=256)
def _struck(kit: Kit, pitch: int, force: float, turn: int) -> Signal:
    name = kind(pitch)
    strikers = {"kick": _kick, "snare": _snare, "clap": _clap, "tom": _tom, "rim": _rim, "bell": _bell}
    made = strikers.get(name, _noisy)(_Stroke(kit, pitch, force, turn))
    if kit.crunch:
        made = np.tanh(made * np.float32(1 + 2 * kit.crunch))
    length = len(made)
    if kit.top < 15_000:
        size = 1 << (length - 1).bit_length()
        hertz = np.fft.rfftfreq(size, 1 / RATE)
        made = np.fft.irfft(np.fft.rfft(made, size) / (1 + (hertz / kit.top) ** 4), size)[:length].astype(np.float32)
    ends = np.ones(length, dtype=np.float32)
    ends[:24] = np.linspace(0, 1, 24)
    ends[-480:] *= np.linspace(1, 0, 480)
    made = made * ends * np.float32(10 ** ((_LEVELS[name] + kit.level) / 20) / max(float(np.abs(made).max()), 1e-6))
    made.flags.writeable = False
    return made[None]


def _seconds(length: float) -> Signal:
    return np.arange(round(length * RATE), dtype=np.float32) / np.float32(RATE)


def _falling(base: float, sweep: float, quick: float, seconds: Signal) -> Signal:
    """A sine that falls from (1 + sweep) times `base` to it with the constant `quick`."""
    turns = base * (seconds + sweep * quick * (1 - np.exp(-seconds / np.float32(quick))))
    return np.sin(np.float32(2 * np.pi) * turns.astype(np.float32))


@dataclass(frozen=True)
class _Stroke:
    """One stroke on one drum of a kit."""

    kit: Kit
    pitch: int
    force: float
    turn: int


def _kick(one: _Stroke) -> Signal:
    seconds = _seconds(one.kit.kick_length * 4)
    base = one.kit.kick * (0.94 if one.pitch == 35 else 1)
    body = _falling(base, one.kit.kick_sweep, 0.022, seconds) * np.exp(-seconds / np.float32(one.kit.kick_length))
    click = noise(len(seconds), 21 + one.turn, 1200, 6000) * np.exp(-seconds / np.float32(0.004))
    return np.tanh(1.6 * body) + np.float32(one.kit.kick_click * one.force * 0.35) * click


def _snare(one: _Stroke) -> Signal:
    seconds = _seconds(one.kit.snare_length * 5)
    tune = one.kit.snare * (1.12 if one.pitch == 40 else 1)
    body = _falling(tune, 0.5, 0.012, seconds) + 0.5 * _falling(tune * 1.78, 0.3, 0.01, seconds)
    body *= np.exp(-seconds / np.float32(one.kit.snare_length * 0.55))
    wires = noise(len(seconds), 31 + one.turn, 1400, 4000 + 7000 * one.force, 0.7) * np.exp(-seconds / np.float32(one.kit.snare_length))
    return np.asarray(np.float32(1 - 0.6 * one.kit.snare_wires) * body + np.float32(0.4 * one.kit.snare_wires) * wires, np.float32)


def _clap(one: _Stroke) -> Signal:
    seconds = _seconds(0.45)
    level = np.zeros_like(seconds)
    for start, fade in ((0.0, 0.005), (0.011, 0.005), (0.022, 0.005), (0.031, 0.08)):
        after = seconds - np.float32(start)
        level += (after >= 0) * np.exp(-np.maximum(after, 0) / np.float32(fade)) * np.minimum(np.maximum(after, 0) / 0.001, 1)
    return noise(len(seconds), 41 + one.turn, 900, 3200 + 2500 * one.force) * level


def _tom(one: _Stroke) -> Signal:
    drum = one.pitch >= 60
    seconds = _seconds(one.kit.tom_length * (2.2 if drum else 4.5))
    base = _TOMS.get(one.pitch, 150)
    body = _falling(base, 0.15 if drum else 0.5, 0.03, seconds) * np.exp(-seconds / np.float32(one.kit.tom_length * (0.45 if drum else 1)))
    body += 0.25 * _falling(base * 1.59, 0.2, 0.02, seconds) * np.exp(-seconds / np.float32(one.kit.tom_length * 0.4))
    slap = noise(len(seconds), 51 + one.turn, 600, 5000) * np.exp(-seconds / np.float32(0.012))
    return np.asarray(body + np.float32(0.22 * one.force) * slap, np.float32)


def _rim(one: _Stroke) -> Signal:
    base = {76: 1050, 77: 780, 75: 2400}.get(one.pitch, 1700)
    made = partials(base * np.array([0.47, 1, 1.52]), np.array([0.5, 1, 0.4]), np.array([0.012, 0.018, 0.008]), round(0.14 * RATE))
    return np.asarray(
        made + np.float32(0.3 * one.force) * noise(len(made), 61 + one.turn, 1500, 9000) * np.exp(-_seconds(0.14) / np.float32(0.003)),
        np.float32,
    )


def _bell(one: _Stroke) -> Signal:
    base = _BELLS.get(one.pitch, 800)
    ring = 0.9 if one.pitch in (53, 81) else 0.16
    ratios = np.array([1.0, 1.48, 2.55, 3.9, 5.2])
    heard = ratios * base < 18_000
    return partials(ratios[heard] * base, np.array([1, 0.8, 0.4, 0.25, 0.15])[heard], ring / ratios[heard] ** 0.6, round(4 * ring * RATE))


def _noisy(one: _Stroke) -> Signal:
    """Hats, cymbals and shakers: noise in a band, and the clang of metal."""
    name = kind(one.pitch)
    fade = {"closed hat": one.kit.hat_length * (1.5 if one.pitch == 44 else 1), "open hat": 0.28, "crash": 0.85, "ride": 0.5}.get(
        name, 0.03
    )
    seconds = _seconds(min(5 * fade, 3.5) + 0.05)
    low = {"crash": one.kit.hat * 0.55, "ride": one.kit.hat * 0.7, "shaker": one.kit.hat * 0.8}.get(name, one.kit.hat)
    made = noise(len(seconds), 71 + one.turn + one.pitch, low, one.kit.top, 1.5) * np.exp(
        -seconds / np.float32(fade * (0.6 + 0.4 * one.force))
    )
    if name == "shaker":
        return made * np.minimum(seconds / np.float32(0.014), 1)
    clang = partials(_METAL * (one.kit.hat * 0.62), one.kit.metal / _METAL, np.full(len(_METAL), fade * 0.8), len(seconds))
    if name == "ride":
        clang += partials(_METAL * 1900, one.kit.metal / _METAL, np.full(len(_METAL), 0.06), len(seconds))
    if name == "crash":
        made += np.float32(0.5) * noise(len(seconds), 81 + one.turn, 900, 5000) * np.exp(-seconds / np.float32(0.3))
    return np.asarray(made + np.float32(0.35) * clang, np.float32)
