"""An inaudible mark in a sound that says which run made it. Survives everyday edits, not an adversary.

A pattern of secret noise, half a second that repeats, lies 20 dB below whatever sounds at the same moment and pitch. Found again after
MP3, Vorbis and Opus of common quality, another rate or volume, a cut of 5 seconds, a rate that is read wrongly; not after heavy effects,
other changes of tempo or pitch, singing over it, or by someone who knows the method and wants it gone. Knows no file, task or record.
"""

from __future__ import annotations

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
    length = sound.samples.shape[1]
    if sound.seconds < SHORTEST:
        raise TooSmall("This sound is shorter than 3 seconds, too short for an inaudible mark: make a longer one to mark it.")
    period = Period.of(secret)
    wave = period.wave(payload, sound.rate, length)
    if loop:
        steps = min(length // 2, round(_EDGE * sound.rate))
        edge = 0.5 - 0.5 * np.cos(np.pi * np.arange(steps, dtype=np.float32) / steps)
        wave[:steps] *= edge
        wave[length - steps :] *= edge[::-1]
    marks = np.stack([_shaped(channel, wave, sound.rate, loop) for channel in sound.samples])
    marks *= np.float32(min(1.0, LOUDEST * _level(sound.samples) / max(_level(marks), 1e-12)))
    room = _room(sound, loop)
    found = Sound(sound.samples + np.clip(marks, -room, room), sound.rate)
    kept = (np.rint(found.samples * 32768) / 32768).astype(np.float32)  # as 16 bits keep it
    if period.certainty(heard(Sound(kept, found.rate)), payload) < _MARGIN * sound_tile.THRESHOLD:
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
    from studio.music import files

    samples = files.resampled(files.mono(sound), RATE).samples[0]
    size = 1 << round(np.log2(_FRAME * RATE))
    spectra = _frames(samples, size, wrap=False)
    around = _around(np.abs(spectra))
    spectra /= around + 1e-4 * float(around.max(initial=0)) + 1e-9
    return _joined(spectra, size, len(samples))


def _level(samples: Floats) -> float:
    return float(np.sqrt(np.square(samples, dtype=np.float64).mean()))


def _frames(samples: Floats, size: int, wrap: bool) -> NDArray[np.complex64]:
    """(frames, size / 2 + 1): spectra of windowed frames half over each other, the first and last half outside."""
    padded = np.pad(samples, size, mode="wrap" if wrap else "constant")
    count = (len(padded) - size) // (size // 2) + 1
    framed = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 2][:count]
    return np.fft.rfft(framed * _window(size), axis=1).astype(np.complex64)


def _joined(spectra: NDArray[np.complex64], size: int, length: int) -> Floats:
    """(length,): the samples of `_frames`, changed or not."""
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


def _shaped(channel: Floats, wave: Floats, rate: int, loop: bool) -> Floats:
    """The wave (n,) as loud as a share of the channel (n,) in each band and moment."""
    size = 1 << round(np.log2(_FRAME * rate))
    host, mark = _frames(channel, size, loop), _frames(wave, size, loop)
    loud = np.abs(mark)
    usual = float(np.sqrt((loud**2).mean()))
    mark *= DEPTH * _around(np.abs(host)) / np.maximum(usual, 0.5 * loud)
    return _joined(mark, size, len(channel))


def _room(sound: Sound, loop: bool) -> Floats:
    """(channels, n): how far a sample may move: less than the next milliseconds are loud, and not beyond the loudest sample of all."""
    import cv2

    reach = round(0.001 * sound.rate)
    size = np.abs(sound.samples)
    padded = np.pad(size, ((0, 0), (reach, reach)), mode="wrap" if loop else "constant")
    widest: Any = cv2.dilate(padded, np.ones((1, 2 * reach + 1), np.uint8))
    near: Floats = widest[:, reach : reach + size.shape[1]]
    return np.minimum(0.3 * near, 0.8 * (size.max() - near)).astype(np.float32)
