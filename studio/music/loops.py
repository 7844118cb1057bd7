"""Loops: whole bars cut out of a sound so that the end goes over into the beginning, and how well it does.

The seam is closed by what was heard just before the loop (its pre-roll). Knows notes' meters but no notes, no task and no file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio.creations import Sound
from studio.errors import InvalidInput
from studio.music.measure import Measured
from studio.music.score import Meter

CROSSFADE = 0.035
"""Seconds, of 0.02 to 0.05."""
DECLICK = 0.003
"""Seconds of a fade where there is nothing before or after a loop to cross over from."""
NOTHING_DB = -120.0
"""What counts as no jump at all."""

Samples = NDArray[np.float32]
_ORDER, _BANDS, _WINDOW = 32, 24, 0.05


@dataclass(frozen=True)
class Seam:
    """How a loop goes over into its beginning.

    `jump_db`: the step at the seam that its surroundings do not explain, relative to the sound's peak in dB; `NOTHING_DB` if none.
    `difference_db`: mean difference of the spectra of 50 ms before and after, above what is usual within the sound. `score`: 0 to 100.
    """

    jump_db: float
    difference_db: float
    score: float


def bars_seconds(bars: int, bpm: float, meter: Meter) -> float:
    """How long that many bars are."""
    return bars * meter.bar / meter.beat * 60 / bpm


def cut(sound: Sound, start: float, bars: int, bpm: float, meter: Meter, crossfade: float = CROSSFADE) -> Sound:
    """`bars` bars of `sound` from `start` seconds, closed on themselves; exactly round(seconds x rate) samples.

    With x the sound, s the start, N the length and F the crossfade in samples, the last F samples become
    (x[s+N-F+i] cos a + x[s-F+i] sin a) / sqrt(1 + r sin 2a), a from 0 to pi/2: the pre-roll leads into the beginning. r is the
    correlation of the two (0 to 1), so that power stays as it was whether they are alike (r = 1: equal gain) or not (r = 0: equal power).
    Without enough pre-roll the beginning is led out of what follows the loop in the same way; without that the ends are faded over
    3 ms. Raises InvalidInput where the sound is too short for the bars.
    """
    rate = sound.rate
    first, length = round(start * rate), round(bars_seconds(bars, bpm, meter) * rate)
    if first < 0 or length < 2 or first + length > sound.samples.shape[1]:
        raise InvalidInput("The sound is too short for that many bars at this tempo: ask for fewer bars or a longer sound.", "duration")
    made = sound.samples[:, first : first + length].copy()
    fade = min(round(crossfade * rate), length // 2)
    if first >= fade > 0:
        made[:, -fade:] = crossed(made[:, -fade:], sound.samples[:, first - fade : first])
    elif first + length + fade <= sound.samples.shape[1] and fade:
        made[:, :fade] = crossed(sound.samples[:, first + length : first + length + fade], made[:, :fade])
    else:
        made = fade_out(fade_in(Sound(made, rate), DECLICK), DECLICK).samples
    return Sound(made, rate)


def cut_by_beats(sound: Sound, measured: Measured, start: float, bars: int, meter: Meter, crossfade: float = CROSSFADE) -> Sound:
    """As `cut`, for a sound whose tempo is only heard: from the beat nearest to `start`, for as many beats as the bars have.

    The end is moved by at most 15 ms to where the sound resembles the pre-roll most, so that phases meet. Raises InvalidInput without
    a clear beat.
    """
    if measured.bpm is None or not measured.beats:
        raise InvalidInput("No steady beat is heard in this sound: say its tempo, or loop it as a whole.", "bpm")
    beats = np.array(measured.beats)
    begin = max(0.0, float(beats[np.abs(beats - start).argmin()]))
    seconds = bars_seconds(bars, measured.bpm, meter)
    first, length = round(begin * sound.rate), round(seconds * sound.rate)
    length += _shift(sound.samples.mean(axis=0), first, length, round(0.015 * sound.rate), round(0.1 * sound.rate))
    bpm = bars_seconds(bars, 1.0, meter) * sound.rate / length
    return cut(sound, begin, bars, bpm, meter, crossfade)


def closed(sound: Sound, crossfade: float = CROSSFADE) -> Sound:
    """The whole sound closed on itself: its first moments become the pre-roll, so that it is shorter by the crossfade."""
    fade = min(round(crossfade * sound.rate), sound.samples.shape[1] // 3)
    made = sound.samples[:, fade:].copy()
    if fade:
        made[:, -fade:] = crossed(made[:, -fade:], sound.samples[:, :fade])
    return Sound(made, sound.rate)


def crossed(out: Samples, into: Samples) -> Samples:
    """From `out` over to `into`, both (channels, samples), at equal power for their correlation; the formula is `cut`'s."""
    power = math.sqrt(float(np.vdot(out, out)) * float(np.vdot(into, into)))
    alike = min(1.0, max(0.0, float(np.vdot(out, into)) / power)) if power > 0 else 0.0
    angle = np.linspace(0, np.pi / 2, out.shape[1])
    scale = 1 / np.sqrt(1 + alike * np.sin(2 * angle))
    return (out * (np.cos(angle) * scale) + into * (np.sin(angle) * scale)).astype(np.float32)


def trim(sound: Sound, start: float, end: float | None = None) -> Sound:
    """From `start` to `end` seconds (None: its end), each rounded to a sample. Raises InvalidInput where nothing would be left."""
    first, last = round(start * sound.rate), sound.samples.shape[1] if end is None else round(end * sound.rate)
    if not 0 <= first < last <= sound.samples.shape[1]:
        raise InvalidInput(f"Choose a stretch within the {sound.seconds:.2f} seconds of this sound.", "region_end")
    return Sound(sound.samples[:, first:last].copy(), sound.rate)


def fade_in(sound: Sound, seconds: float) -> Sound:
    """Its beginning rises from silence along a quarter of a sine; as long as before."""
    size = min(round(seconds * sound.rate), sound.samples.shape[1])
    made = sound.samples.copy()
    made[:, :size] *= np.sin(np.arange(size) / max(1, size) * np.pi / 2).astype(np.float32)
    return Sound(made, sound.rate)


def fade_out(sound: Sound, seconds: float) -> Sound:
    """Its end falls to silence along a quarter of a cosine; as long as before."""
    backwards = fade_in(Sound(sound.samples[:, ::-1], sound.rate), seconds)
    return Sound(np.ascontiguousarray(backwards.samples[:, ::-1]), sound.rate)


def seam(sound: Sound) -> Seam:
    """How well the end of `sound` goes over into its beginning when it is played round."""
    peak = float(np.abs(sound.samples).max(initial=0))
    size = round(_WINDOW * sound.rate)
    if peak == 0 or sound.samples.shape[1] < 4 * size:
        return Seam(NOTHING_DB if peak == 0 else _decibels(_step(sound.samples) / peak), 0.0, 100.0 if peak == 0 else 0.0)
    jump = _decibels(max(_jump(channel, size) for channel in sound.samples.astype(np.float64)) / peak)
    difference = _difference(sound.samples.mean(axis=0), size, sound.rate)
    lost = 60 * np.clip((jump + 60) / 40, 0, 1) + 40 * np.clip(difference / 12, 0, 1)
    return Seam(jump, difference, float(100 - lost))


def _step(samples: Samples) -> float:
    return float(np.abs(samples[:, 0] - samples[:, -1]).max(initial=0))


def _jump(channel: NDArray[np.float64], size: int) -> float:
    """What linear prediction (order 32, least squares over 50 ms) does not foresee at the seam, above what it usually misses.

    Foreseen from both sides; the side that misses less counts, for an onset on the first beat is no click. What it usually misses is
    three times its mean error, as noise has it.
    """
    before, after = channel[-size:], channel[:size]
    return min(_missed(before, after), _missed(after[::-1], before[::-1]))


def _missed(known: NDArray[np.float64], following: NDArray[np.float64]) -> float:
    rows = np.lib.stride_tricks.sliding_window_view(known[:-1], _ORDER)
    wanted = known[_ORDER:]
    weight = 1e-9 * float(np.vdot(known, known)) + 1e-12
    weights = np.linalg.solve(rows.T @ rows + weight * np.eye(_ORDER), rows.T @ wanted)
    usual = float(np.sqrt(np.mean((wanted - rows @ weights) ** 2)))
    return max(0.0, abs(float(following[0] - known[-_ORDER:] @ weights)) - 3 * usual)


def _difference(channel: Samples, size: int, rate: int) -> float:
    """Of the spectra on both sides of the seam, in dB over bands, above the largest tenth of such differences within the sound."""
    frames = channel[: channel.size // size * size].reshape(-1, size)
    at_seam = np.stack([channel[-size:], channel[:size]])
    window = np.hanning(size).astype(np.float32)
    edges = np.unique(np.geomspace(40, rate / 2, _BANDS + 1) * size / rate).astype(int).clip(1, size // 2 - 1)
    edges = np.unique(edges)

    def levels(some: Samples) -> NDArray[np.float64]:
        power = np.abs(np.fft.rfft(some * window, axis=1)) ** 2
        bands = np.add.reduceat(power, edges, axis=1)
        return 10 * np.log10(np.maximum(bands, 1e-7 * float(power.sum(axis=1).max()) + 1e-12))

    within = np.abs(np.diff(levels(frames), axis=0)).mean(axis=1)
    return max(0.0, float(np.abs(np.diff(levels(at_seam), axis=0)).mean()) - float(np.quantile(within, 0.9)))


def _shift(channel: Samples, first: int, length: int, reach: int, size: int) -> int:
    """By how many samples, at most `reach` either way, the end of a loop must move to resemble what precedes its beginning."""
    size = min(size, first)
    last = first + length
    if size < reach or last + reach > channel.size or last - size - reach < first:
        return 0
    wanted = channel[first - size : first].astype(np.float64)
    around = channel[last - size - reach : last + reach].astype(np.float64)
    sums = np.correlate(around, wanted, "valid")
    energy = np.convolve(around**2, np.ones(size), "valid")
    return int(np.argmax(sums / np.sqrt(energy + 1e-9))) - reach


def _decibels(ratio: float) -> float:
    return max(NOTHING_DB, 20 * math.log10(ratio)) if ratio > 0 else NOTHING_DB
