"""An inaudible mark in a sound that says which run made it. Survives everyday edits, not an adversary.

A pattern of secret noise, half a second that repeats, lies 20 dB below whatever sounds at the same moment and pitch. Found again after
MP3, Vorbis and Opus of common quality, another rate or volume, a cut of 5 seconds, a rate that is read wrongly; not after heavy effects,
other changes of tempo or pitch, singing over it, or by someone who knows the method and wants it gone. Knows no file, task or record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.creations import Sound
from studio.provenance import sound_tile
from studio.provenance.sound_tile import RATE, Period
from studio.provenance.watermark import Floats, Marked, TooSmall

SHORTEST = 3.0
"""Seconds."""
DEPTH = 0.12
"""The mark as a share of the sound around it, in each band and moment."""
LOUDEST = 10 ** (-32 / 20)
"""The mark's level at most, against the whole sound's: 32 dB below it."""

STRETCH = 30.0
"""Seconds of a sound that are worked on at once, so that an hour needs hardly more memory than its samples."""

_FRAME = 0.032
_EDGE = 0.05
_PART = 10 * RATE
_MARGIN = 1.25  # of the threshold, for what comes after


def embed(sound: Sound, payload: int, secret: bytes, loop: bool = False) -> Sound:
    """A copy of `sound` that carries the number `payload` (20 bits) by `secret`, with its channels, length and rate (8 to 96 kHz).

    No sample is louder than the loudest was, and silence stays silent. A `loop` is marked round its seam, with nothing on the seam
    itself. The same input gives the same samples. Raises TooSmall for less than 3 seconds, and where the mark would not be found again
    before any edit, such as silence.
    """
    if sound.samples.ndim != 2 or sound.samples.shape[0] not in (1, 2):
        raise ValueError(f"sound must be (1 or 2 channels, samples), not {sound.samples.shape}")
    if sound.seconds < SHORTEST:
        raise TooSmall("This sound is shorter than 3 seconds, too short for an inaudible mark: make a longer one to mark it.")
    period = Period.of(secret)
    found = _added(sound, period, payload, loop)
    if period.certainty(_whitened(found, as_kept=True), payload) < _MARGIN * sound_tile.THRESHOLD:
        raise TooSmall("This sound holds too little between 600 and 7,000 hertz for an inaudible mark: it is left without one.")
    return found


def detect(sound: Sound, secret: bytes) -> Marked | None:
    """The mark of `secret` in a sound of any rate, or None: in all of it, in parts of ten seconds, in one whose rate was read wrongly.

    Of sounds without a mark of this secret at most one in a million is called marked (`watermark.threshold`).
    """
    if not sound.samples.size:
        return None
    rest = heard(sound)
    period = Period.of(secret)
    step = max(_PART // 2, len(rest) // 5_000)
    parts = [rest, *(rest[start : start + _PART] for start in range(0, len(rest) - step, step) if len(rest) > _PART)]
    for part, speed in [*((part, 1.0) for part in parts), *((rest, speed) for speed in sound_tile.SPEEDS)]:
        match = period.match(part, speed)
        if match is not None and match.peak >= sound_tile.THRESHOLD:
            return Marked(match.number, match.peak, sound_tile.THRESHOLD, scale=speed)
    return None


def heard(sound: Sound) -> Floats:
    """(n,) at RATE: all channels together, as loud in all bands at all times, silence apart."""
    return _whitened(sound)


def _added(sound: Sound, period: Period, payload: int, loop: bool) -> Sound:
    """A copy with the mark in it."""
    samples, rate = sound.samples, sound.rate
    length = samples.shape[1]
    stretches = _stretches(length, round(STRETCH * rate), _size(rate))
    found = _shaped(sound, period, payload, loop, stretches)
    scale = np.float32(min(1.0, LOUDEST * _level(samples, stretches) / max(_level(found, stretches), 1e-12)))
    loudest = max(samples.max(), -samples.min())
    for start, stop in stretches:
        reach = round(0.001 * rate)
        room = _room(_taken(samples, _places(start, stop, reach, length, loop)), reach, loudest)
        marks = found[:, start:stop] * scale
        found[:, start:stop] = samples[:, start:stop] + np.clip(marks, -room, room)
    return Sound(found, rate)


def _shaped(sound: Sound, period: Period, payload: int, loop: bool, stretches: Sequence[tuple[int, int]]) -> Floats:
    """(channels, n): the mark as loud as a share of each channel in each band and moment."""
    length, size = sound.samples.shape[1], _size(sound.rate)
    found = np.empty(sound.samples.shape, np.float32)
    usual = 0.0
    for start, stop in stretches:
        places = _places(start, stop, size, length, loop)
        wave = period.wave(payload, sound.rate, places)
        wave[places < 0] = 0
        mark = _frames(wave * _faded(places, length, sound.rate) if loop else wave, size)
        loud = np.abs(mark)
        usual = usual or float(np.sqrt((loud**2).mean()))  # equal in all stretches: the pattern repeats
        for channel, host in enumerate(_taken(sound.samples, places)):
            shaped = mark * (DEPTH * _around(np.abs(_frames(host, size))) / np.maximum(usual, 0.5 * loud))
            found[channel, start:stop] = _joined(shaped, size, stop - start)
    return found


def _whitened(sound: Sound, as_kept: bool = False) -> Floats:
    """What `heard` gives; `as_kept`, of the samples as 16 bits keep them."""
    from studio.music import files

    ratio = Fraction(RATE, sound.rate)
    size, length = _size(RATE), sound.samples.shape[1]
    unit = ratio.denominator * (size // math.gcd(size, ratio.numerator))  # so that every stretch begins with a frame
    margin = unit * math.ceil((2 * size + 40 * max(ratio, 1)) / (unit * ratio))  # the filter that changes the rate reaches 32 samples
    found = np.zeros(math.ceil(length * ratio), np.float32)
    loudest = 0.0
    for start, stop in _stretches(length, round(STRETCH * sound.rate), unit):
        first = max(0, start - margin)
        given = sound.samples[:, first : stop + margin]
        given = (np.rint(given * 32768) / 32768).astype(np.float32) if as_kept else given
        part = files.resampled(files.mono(Sound(given, sound.rate)), RATE).samples
        begin, end, before = int(start * ratio), math.ceil(stop * ratio), int(first * ratio)
        spectra = _frames(_taken(part, _places(begin - before, end - before, size, part.shape[1], loop=False))[0], size)
        around = _around(np.abs(spectra))
        loudest = max(loudest, float(around.max(initial=0)))
        spectra /= around + 1e-4 * loudest + 1e-9
        found[begin:end] = _joined(spectra, size, end - begin)
    return found


def _stretches(length: int, about: int, unit: int) -> tuple[tuple[int, int], ...]:
    """(start, stop) of the stretches of `about` so many samples: each begins at a multiple of `unit`."""
    step = max(1, about // unit) * unit
    return tuple((start, min(start + step, length)) for start in range(0, length, step))


def _places(start: int, stop: int, margin: int, length: int, loop: bool) -> NDArray[np.intp]:
    """(stop - start + 2 margin,): which samples a stretch takes with what lies round it; -1 where there is none. A loop wraps."""
    places = np.arange(start - margin, stop + margin)
    return places % length if loop else np.where((places < 0) | (places >= length), -1, places)


def _taken(samples: Floats, places: NDArray[np.intp]) -> Floats:
    """(channels, places): those samples of each channel, 0 at -1."""
    found = samples[:, places]
    found[:, places < 0] = 0
    return found


def _faded(places: NDArray[np.intp], length: int, rate: int) -> Floats:
    """(places,): how much of the mark there is at places of a loop: none on its seam, all of it a moment later."""
    steps = min(length // 2, round(_EDGE * rate))
    edge = (0.5 - 0.5 * np.cos(np.pi * np.arange(steps, dtype=np.float32) / steps)).astype(np.float32)
    return np.append(edge, np.float32(1))[np.minimum(np.minimum(places, length - 1 - places), steps)]


def _level(samples: Floats, stretches: Sequence[tuple[int, int]]) -> float:
    energy = sum(np.square(samples[:, start:stop], dtype=np.float64).sum() for start, stop in stretches)
    return float(np.sqrt(energy / samples.size))


def _size(rate: int) -> int:
    return 1 << round(np.log2(_FRAME * rate))


def _frames(samples: Floats, size: int) -> NDArray[np.complex64]:
    """(frames, size / 2 + 1): spectra of windowed frames half over each other."""
    count = (len(samples) - size) // (size // 2) + 1
    framed = np.lib.stride_tricks.sliding_window_view(samples, size)[:: size // 2][:count]
    return np.fft.rfft(framed * _window(size), axis=1).astype(np.complex64)


def _joined(spectra: NDArray[np.complex64], size: int, length: int) -> Floats:
    """(length,): the samples of `_frames`, changed or not, without the `size` samples before the stretch and those after it."""
    framed = np.fft.irfft(spectra, size, axis=1).astype(np.float32) * _window(size)
    found = np.zeros((len(framed) + 1, size // 2), np.float32)
    found[:-1] += framed[:, : size // 2]
    found[1:] += framed[:, size // 2 :]
    out = found.ravel()[size : size + length]
    return np.pad(out, (0, length - len(out)))


def _window(size: int) -> Floats:
    """The root of a Hann window, so that analysis and synthesis together add up to one."""
    return np.sin(np.pi * np.arange(size, dtype=np.float32) / size)


def _around(size: NDArray[np.float32]) -> Floats:
    """Magnitudes (frames, bins) averaged over nine bins."""
    import cv2

    found: Any = cv2.blur(size, (9, 1), borderType=cv2.BORDER_REPLICATE)
    return found


def _room(samples: Floats, reach: int, loudest: Any) -> Floats:
    """(channels, n): how far a sample may move: less than the next milliseconds are loud, and not beyond the loudest sample of all.

    `samples` (channels, n + 2 reach) are a stretch with what lies round it.
    """
    import cv2

    widest: Any = cv2.dilate(np.abs(samples), np.ones((1, 2 * reach + 1), np.uint8))
    near: Floats = widest[:, reach : samples.shape[1] - reach]
    return np.minimum(0.3 * near, 0.8 * (loudest - near)).astype(np.float32)
