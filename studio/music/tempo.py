"""Tempo and beats heard in a sound, or that there are none. The tracker is never told what was asked for.

Onsets by spectral flux, the period by autocorrelation and a comb, beats by dynamic programming (Ellis 2007, "Beat tracking by dynamic
programming"), the tempo from the slope of a straight line through the beats. Knows samples only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

RATE = 22_050
HOP = 128
"""Samples of `RATE` between two frames: 5.8 ms."""
SLOWEST, FASTEST = 45.0, 220.0
USUAL, SPREAD = 115.0, 0.8
"""Where two tempos fit alike the one nearer to this is taken; the spread is in octaves (Ellis 2007, section 3.2, takes 120 and 0.9)."""
CLEAR = 0.12
"""The least share of the onsets' energy that repeats with the period, for there to be a tempo at all."""
REGULAR = 0.5
"""The least height of the Fourier tempogram: slow swells reach 0.3, chorales begin at 0.6, songs at 0.9."""
SYNCOPATED = (0.5, 0.25)
"""Or: the least of both where much repeats and little of it lies on beats, as in a bossa."""
STEADY = 0.15
"""The most that the distances of beats may differ from whole beats (root mean square)."""

_WINDOW, _BANDS, _LAG = 1024, 40, 3
_TIGHTNESS = 400.0
_LEAD = 8
"""Frames of silence put before the sound, so that what begins with it is an onset."""
_DELAY = 0.006
"""Seconds from the envelope's peak to the attack, by clicks and drums at known times."""
_LEAST_BEATS = 6

Signal = NDArray[np.float32]
Envelope = NDArray[np.float64]


@dataclass(frozen=True)
class Tempo:
    """Beats a minute and the beats in seconds from the beginning; None and () where no beat is clear. `clarity` from 0 to 1."""

    bpm: float | None
    beats: tuple[float, ...]
    clarity: float


def tempo(channel: Signal) -> Tempo:
    """Of one channel at `RATE`. About 0.15 s on one core for half a minute."""
    envelope = onsets(channel)
    nothing = Tempo(None, (), 0.0)
    if envelope.size < 4 * _frames(FASTEST) or not envelope.any():
        return nothing
    period, clarity = _period(envelope)
    period, regular = _refined(envelope, period)
    beats = _tracked(envelope, period)
    clear = (clarity >= CLEAR and regular >= REGULAR) or (clarity >= SYNCOPATED[0] and regular >= SYNCOPATED[1])
    if not clear or beats.size < _LEAST_BEATS:
        return Tempo(None, (), clarity)
    places = _between_frames(envelope, beats)
    slope, unevenness = _line(places, period)
    if unevenness > STEADY:
        return Tempo(None, (), clarity)
    times = (places - _LEAD) * HOP / RATE + _DELAY
    return Tempo(60 * RATE / HOP / slope, tuple(float(time) for time in times if time >= 0), clarity)


def onsets(channel: Signal) -> Envelope:
    """How much begins at each frame: the rises of log energy in bands spaced as by ear, above their mean over half a second.

    The first `_LEAD` frames lie before the sound.
    """
    padded = np.pad(channel, (_WINDOW // 2 + _LEAD * HOP, _WINDOW // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP]
    bands = np.empty((len(frames), _BANDS), np.float32)
    shape, window = _filters(), np.hanning(_WINDOW).astype(np.float32)
    for start in range(0, len(frames), 512):
        bands[start : start + 512] = np.abs(np.asarray(fft.rfft(frames[start : start + 512] * window, axis=1))) @ shape
    loudest = float(bands.max(initial=0))
    if loudest <= 1e-6:
        return np.zeros(len(frames))
    heard = np.log1p(bands * (1000 / loudest))
    rises = np.zeros(len(frames))
    rises[_LAG:] = np.maximum(heard[_LAG:] - heard[:-_LAG], 0).mean(axis=1)
    rises = ndimage.gaussian_filter1d(rises, 1.5)
    rises = np.maximum(rises - ndimage.uniform_filter1d(rises, _frames(120)), 0)
    some = rises[rises > 0]
    return np.minimum(rises, 2 * np.quantile(some, 0.95)) if some.size else rises  # one crash is no rhythm


def _frames(bpm: float) -> int:
    return round(60 / bpm * RATE / HOP)


def _filters() -> NDArray[np.float32]:
    """(bins, bands): triangles, evenly spaced on the mel scale (Stevens and Volkmann, by O'Shaughnessy 1987) from 30 Hz to 10 kHz."""
    mels = np.linspace(1127 * np.log1p(30 / 700), 1127 * np.log1p(10_000 / 700), _BANDS + 2)
    places = 700 * np.expm1(mels / 1127) * _WINDOW / RATE
    bins = np.arange(_WINDOW // 2 + 1)[:, None]
    low, middle, high = places[:-2], places[1:-1], places[2:]
    rising, falling = (bins - low) / np.maximum(middle - low, 1), (high - bins) / np.maximum(high - middle, 1)
    shape = np.maximum(0, np.minimum(rising, falling))
    return (shape / np.maximum(shape.sum(axis=0), 1e-6)).astype(np.float32)


def _period(envelope: Envelope) -> tuple[float, float]:
    """The period in frames whose multiples fit best, and the share of energy that repeats with it."""
    centred = envelope - envelope.mean()
    size = 1 << (2 * centred.size - 1).bit_length()
    spectrum = np.asarray(fft.rfft(centred, size))
    repeats = np.asarray(fft.irfft(np.abs(spectrum) ** 2, size))[: centred.size]
    repeats = repeats / max(float(repeats[0]), 1e-12) * (centred.size / np.arange(centred.size, 0, -1))
    tempos = np.geomspace(SLOWEST, FASTEST, 400)
    periods = 60 / tempos * RATE / HOP
    most = min(0.75 * centred.size, centred.size - 1)
    lags = periods[:, None] * np.arange(1, 5)
    fits = np.where(lags <= most, np.interp(lags, np.arange(repeats.size), repeats), np.nan)
    comb = np.nanmean(np.where(np.isnan(fits[:, :1]), -1.0, fits), axis=1)
    preferred = np.exp(-0.5 * (np.log2(tempos / USUAL) / SPREAD) ** 2)
    best = int(np.argmax(np.maximum(comb, 0) * preferred))
    return float(periods[best]), float(np.clip(comb[best], 0, 1))


def _refined(envelope: Envelope, period: float) -> tuple[float, float]:
    """The period within 3 % at which the envelope's Fourier tempogram, with its first three harmonics, is highest; and how high.

    Onsets at no regular times are near 0; those that all lie on beats reach 3.
    """
    frames, height = np.arange(envelope.size), 0.0
    for reach, steps in ((0.03, 121), (0.0005, 11)):
        near = period * np.linspace(1 - reach, 1 + reach, steps)
        heights = np.zeros(near.size)
        for number, some in enumerate(near):
            turns = np.exp((-2j * np.pi / some) * frames)
            heights[number] = sum(abs(np.vdot(turns**harmonic, envelope)) for harmonic in (1, 2, 3))
        period, height = float(near[heights.argmax()]), float(heights.max())
    return period, height / float(envelope.sum())


def _tracked(envelope: Envelope, period: float) -> NDArray[np.int64]:
    """Frames of beats that lie on onsets and about a period apart: Ellis 2007, equations 5 to 8."""
    level = envelope / max(float(envelope.std()), 1e-12)
    lags = np.arange(-round(2 * period), -round(period / 2) + 1)
    cost = _TIGHTNESS * np.log(-lags / period) ** 2
    total, previous = level.copy(), np.full(level.size, -1)
    for frame in range(-int(lags[-1]), level.size):
        first = max(0, -(frame + int(lags[0])))
        scores = total[frame + int(lags[0]) + first : frame + int(lags[-1]) + 1] - cost[first:]
        best = int(scores.argmax())
        if scores[best] > 0:
            total[frame] += scores[best]
            previous[frame] = frame + int(lags[0]) + first + best
    frame = level.size - round(period) + int(total[-round(period) :].argmax())
    beats = list[int]()
    while frame >= 0:
        beats.append(frame)
        frame = int(previous[frame])
    return np.array(beats[::-1])


def _between_frames(envelope: Envelope, beats: NDArray[np.int64]) -> Envelope:
    """Beats moved to the highest frame within three, and to the top of the parabola through it."""
    moved = np.empty(beats.size)
    for number, beat in enumerate(beats):
        first = max(0, beat - 3)
        top = first + int(envelope[first : beat + 4].argmax())
        left, middle, right = envelope[max(0, top - 1)], envelope[top], envelope[min(envelope.size - 1, top + 1)]
        bend = left - 2 * middle + right
        moved[number] = top + (0.5 * (left - right) / bend if bend < 0 else 0.0)
    return moved


def _line(beats: Envelope, period: float) -> tuple[float, float]:
    """Slope (frames a beat) of the least-squares line through the beats, and how uneven their distances are, in beats.

    Beats are counted by their place on the grid of `period`, so that one left out or put in does not bend the line; those a tenth of a
    beat off are left out. Where most are, the tempo wanders and `period`, its mean, stands.
    """
    slope, counts = period, np.maximum(1, np.rint(np.diff(beats) / period))
    offset = float(np.angle(np.exp(2j * np.pi * beats / period).mean())) / (2 * np.pi) * period
    for _ in range(3):
        numbers = np.rint((beats - offset) / slope)
        near = np.abs(beats - offset - slope * numbers) < 0.1 * slope
        if near.sum() <= beats.size / 2 or np.ptp(numbers[near]) == 0:
            slope = period
            break
        slope, offset = (float(value) for value in np.polyfit(numbers[near], beats[near], 1))
    return slope, float(np.sqrt(np.mean((np.diff(beats) / slope - counts) ** 2)))
