"""Loudness and true peak: measured, and brought to a target by one gain, with a look-ahead limiter where that is not enough.

Loudness is ITU-R BS.1770-4's by pyloudnorm; true peak its Annex 2's, four times oversampled. Knows no task and no file.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from studio.creations import Sound

CEILING = -1.0
"""dBTP."""
SILENCE = -70.0
"""LUFS, the absolute gate of BS.1770: what is quieter has no loudness."""
LOOK_AHEAD = 0.005
RELEASE = 0.12
"""Seconds: the limiter begins to turn down before a peak, and is back by 63 % after it."""
MOST_LIMITING = 12.0
"""dB that the limiter takes off a peak at most; a target beyond it is missed instead."""

_BLOCK_SECONDS = 0.4
_MARGIN = 0.03
_TAPS, _CHUNK, _STEP = 16, 1 << 14, 8

Curve = NDArray[np.float64]
Levels = NDArray[np.float32]


def lufs(sound: Sound) -> float | None:
    """Integrated loudness in LUFS; None for silence. A sound shorter than the 0.4 s that BS.1770 needs counts as if it were repeated."""
    import pyloudnorm

    least = math.ceil(_BLOCK_SECONDS * sound.rate) + 1
    samples = sound.samples
    if not samples.shape[1]:
        return None
    if samples.shape[1] < least:
        samples = np.tile(samples, (1, -(-least // samples.shape[1])))
    value = float(pyloudnorm.Meter(sound.rate).integrated_loudness(samples.T.astype(np.float64)))
    return value if value > SILENCE else None


def true_peak(sound: Sound, circular: bool = False) -> float:
    """The highest peak, between the samples too, in dBTP; -inf for silence. `circular`: the end goes over into the beginning."""
    return _decibels(float(_levels(sound, circular).max(initial=0)))


def to_target(sound: Sound, target: float | None, ceiling: float = CEILING, *, circular: bool = False) -> tuple[Sound, float, bool]:
    """The sound at `target` LUFS (None: as it is) with no true peak above `ceiling` dBTP; the gain in dB; whether it was limited.

    One gain for all samples wherever that suffices, so that stems scaled by it still add up to the mix. Where peaks would pass the
    ceiling a limiter turns them down, and the gain, which comes before it, makes up for what it takes (within 0.5 LU unless more than
    `MOST_LIMITING` were needed). As it is: turned down by the gain where a peak is above the ceiling, never limited. Silence stays.
    A `circular` sound is limited round its seam, so that a loop stays one. The same sound gives the same samples.
    """
    loud, levels = lufs(sound), _levels(sound, circular)
    room = ceiling - _decibels(float(levels.max(initial=0)))
    if room == math.inf:
        return sound, 0.0, False
    gain = 0.0 if target is None or loud is None else target - loud
    if gain <= room or target is None or loud is None:
        gain = min(gain, room)
        return _scaled(sound, gain), gain, False
    made, tried = sound, list[tuple[float, float]]()
    for _ in range(6):
        gain = min(gain, room + MOST_LIMITING)
        made = _turned_down(sound, levels, gain, ceiling, circular)
        missed = target - (lufs(made) or target)
        if abs(missed) < 0.1 or gain == room + MOST_LIMITING:
            break
        tried.append((gain, missed))
        slope = 1.0 if len(tried) < 2 else (tried[-2][1] - missed) / (gain - tried[-2][0])  # LU for a dB
        gain += missed / min(1.0, max(0.2, slope))
    excess = true_peak(made, circular) - ceiling
    return (_scaled(made, -excess) if excess > 0 else made), gain, True


def _turned_down(sound: Sound, levels: Levels, gain: float, ceiling: float, circular: bool) -> Sound:
    """The sound after `gain` dB with its true peaks turned down to just below `ceiling`, all channels alike.

    The reduction in dB is found for every eight samples: held for the look-ahead before and after a peak, falling off exponentially,
    and smoothed by two moving averages that together are as long as it was held, so that it is never less than a peak needs.
    """
    size = levels.size
    steps = np.pad(levels, (0, -size % _STEP)).reshape(-1, _STEP).max(axis=1).astype(np.float64)
    over = 20 * np.log10(np.maximum(steps, 1e-9)) + (gain - ceiling + _MARGIN)
    curve = gain - _reduction(np.maximum(over, 0), sound.rate / _STEP, circular)
    places = np.arange(curve.size) * float(_STEP) + (_STEP - 1) / 2
    if circular:
        places, curve = np.concatenate([places[-1:] - size, places, places[:1] + size]), np.concatenate([curve[-1:], curve, curve[:1]])
    gains = np.interp(np.arange(size), places, 10 ** (curve / 20)).astype(np.float32)
    return Sound(sound.samples * gains, sound.rate)


def _reduction(over: Curve, rate: float, circular: bool) -> Curve:
    """How much to turn down at each step, from how much each is over; both in dB."""
    half = max(1, round(LOOK_AHEAD * rate / 2))
    mode = "wrap" if circular else "nearest"
    held = ndimage.maximum_filter1d(over, 4 * half + 3, mode=mode)
    falling = np.arange(held.size) / (RELEASE * rate)
    if circular:  # the first lap hands over to the second
        held[0] = max(held[0], float((held * np.exp(falling - falling[-1] - falling[:2][-1])).max()))
    with np.errstate(divide="ignore"):
        released = np.exp(np.maximum.accumulate(np.log(held) + falling) - falling)
    for _ in range(2):
        released = ndimage.uniform_filter1d(released, 2 * half + 1, mode=mode)
    return released


def _scaled(sound: Sound, gain: float) -> Sound:
    return sound if gain == 0 else Sound((sound.samples * np.float32(10 ** (gain / 20))).astype(np.float32, copy=False), sound.rate)


def _levels(sound: Sound, circular: bool) -> Levels:
    """The highest level of any channel at each sample and between it and its neighbours; (samples,)."""
    return np.max([_highest(channel, circular) for channel in sound.samples], axis=0)


def _highest(channel: Levels, circular: bool) -> Levels:
    """The highest level at each sample and between it and its neighbours, from three points between each two samples."""
    padded = np.pad(channel, (_TAPS // 2 - 1, _TAPS // 2), mode="wrap" if circular and channel.size else "constant")
    between = np.empty_like(channel)
    for start in range(0, channel.size, _CHUNK):
        size = min(_CHUNK, channel.size - start)
        block = padded[start : start + size + _TAPS - 1]
        highest = np.zeros(size, np.float32)
        for taps in _POINTS:
            point = taps[0] * block[:size]
            for k in range(1, _TAPS):
                point += taps[k] * block[k : k + size]
            np.maximum(highest, np.abs(point, out=point), out=highest)
        between[start : start + size] = highest
    before = np.roll(between, 1)
    if not circular and before.size:
        before[0] = 0
    return np.maximum(np.abs(channel), np.maximum(between, before))


def _points() -> NDArray[np.float32]:
    """(3, taps): sinc under a Kaiser window for a quarter, a half and three quarters of the way to the next sample."""
    ways = np.arange(1, 4)[:, None] / 4 - np.arange(-_TAPS // 2 + 1, _TAPS // 2 + 1)
    taps = np.sinc(ways) * np.i0(5.0 * np.sqrt(np.maximum(0, 1 - (ways / (_TAPS / 2)) ** 2)))
    return (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)


_POINTS = _points()


def _decibels(level: float) -> float:
    return 20 * math.log10(level) if level > 0 else -math.inf
