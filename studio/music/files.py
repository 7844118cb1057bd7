"""Sound as files: reads what strangers hand in, writes what artists take away, without ffmpeg. Knows no record and no library.

Samples are float32 (channels, samples) in [-1, 1], one or two channels. libsndfile decodes and encodes; which file is let near it is
decided here, by its first bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal

from studio.creations import Sound
from studio.errors import InvalidInput, MediaUnreadable
from studio.music.decoding import CHANNELS, DAMAGED, RATES, SHORTEST, decoded
from studio.music.views import peaks, spectrogram_png
from studio.provenance.tags import Tags, with_id3, with_info, with_source

__all__ = [
    "CHANNELS",
    "RATES",
    "SHORTEST",
    "Tags",
    "blocks",
    "encode",
    "mono",
    "peaks",
    "quantised",
    "read",
    "resampled",
    "spectrogram_png",
    "stereo",
]

BLOCK = 1 << 16
"""Samples of each channel that are read or written at once. libsndfile's Vorbis encoder overflows its stack on minutes at once."""
FULL_SCALE_24 = 1 << 23

_FORMATS = {
    "flac": ("FLAC", "PCM_24"),
    "wav16": ("WAV", "PCM_16"),
    "wav24": ("WAV", "PCM_24"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
}
_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


def read(path: Path, limit_seconds: float = 600) -> Sound:
    """The sound in a file of the studio's own, as `decoding.decoded` gives it: what strangers hand in is read by `apart.read`."""
    return decoded(path, limit_seconds)


def blocks(data: bytes | Path) -> Iterator[NDArray[np.int32]]:
    """The samples of a file in order, each block (channels, at most `BLOCK`) as 24-bit integers.

    Raises MediaUnreadable where the file ends before its header says, or cannot be decoded. Never holds more than a block.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(data) if isinstance(data, bytes) else str(data)) as sound:
            whole, done = sound.subtype.startswith("PCM_"), 0
            while True:
                block: NDArray[Any] = sound.read(BLOCK, "int32" if whole else "float32", always_2d=True)
                done += len(block)
                if not len(block):
                    break
                yield block.T >> 8 if whole else quantised(Sound(block.T, sound.samplerate))
            if done != sound.frames:
                raise MediaUnreadable(DAMAGED)
    except (OSError, soundfile.SoundFileError):
        raise MediaUnreadable(DAMAGED) from None


def quantised(sound: Sound) -> NDArray[np.int32]:
    """The samples as 24-bit integers (channels, samples), as FLAC and 24-bit WAV hold them: rounded, and cut off at full scale."""
    scaled = np.rint(sound.samples.astype(np.float64) * FULL_SCALE_24)
    return np.clip(scaled, -FULL_SCALE_24, FULL_SCALE_24 - 1).astype(np.int32)


def encode(sound: Sound, format: str, tags: Tags) -> bytes:  # noqa: A002 - the word of the task
    """The sound as a file of one of tasks.SOUND_FORMATS, with tags.

    FLAC and 24-bit WAV hold exactly `quantised(sound)`; 16-bit WAV is dithered (triangular, +-1 step; Lipshitz, Wannamaker and
    Vanderkooy 1992) by a fixed seed. MP3 is VBR at its best quality (V0), Vorbis quality 8, Opus about 210 kbit/s and always 48 kHz.
    All of them keep the exact count of samples; MP3 and Opus at rates that they know (another is resampled). The same sound makes
    the same samples. Raises InvalidInput for an unknown format.
    """
    if sound.samples.ndim != 2 or sound.samples.shape[0] not in (1, 2) or not sound.samples.size:
        raise ValueError(f"sound must be (1 or 2 channels, samples), not {sound.samples.shape}")
    if format not in _FORMATS:
        raise InvalidInput(f"Format must be one of {', '.join(_FORMATS)}.", "format")
    if format == "opus":
        sound = resampled(sound, 48_000)
    elif format == "mp3" and sound.rate not in _MP3_RATES:
        sound = resampled(sound, 44_100 if sound.rate % 11_025 == 0 else 48_000)
    own = {"mp3": with_id3, "wav16": with_info, "wav24": with_info}.get(format)
    data = _written(sound, format, Tags(artist="") if own else tags)
    if format == "flac":
        return with_source(data, tags)
    return own(data, tags) if own else data


def resampled(sound: Sound, rate: int) -> Sound:
    """At another rate, by a polyphase filter (Kaiser window, stop band below -90 dB). Its length is rounded up to a whole sample."""
    if rate == sound.rate:
        return sound
    ratio = Fraction(rate, sound.rate)
    up, down = ratio.numerator, ratio.denominator
    reach = 32 * max(up, down)
    places = np.arange(-reach, reach + 1) * (0.94 / max(up, down))
    window = np.sinc(places) * np.kaiser(2 * reach + 1, 9.0)
    window = (window / window.sum()).astype(np.float32)
    return Sound(np.asarray(signal.resample_poly(sound.samples, up, down, axis=1, window=window), np.float32), rate)


def mono(sound: Sound) -> Sound:
    """All channels averaged into one."""
    return sound if sound.samples.shape[0] == 1 else Sound(sound.samples.mean(axis=0, keepdims=True, dtype=np.float32), sound.rate)


def stereo(sound: Sound) -> Sound:
    """Two channels: a single one twice, the first two of more."""
    return Sound(np.repeat(sound.samples, 2, axis=0) if sound.samples.shape[0] == 1 else sound.samples[:2], sound.rate)


def _written(sound: Sound, format: str, tags: Tags) -> bytes:  # noqa: A002 - as above
    container, kind = _FORMATS[format]
    file = io.BytesIO()
    quality = {
        "mp3": {"bitrate_mode": "VARIABLE", "compression_level": 0.0},
        "ogg": {"compression_level": 0.2},
        "opus": {"compression_level": 0.6},
    }.get(format, {})
    with soundfile.SoundFile(file, "w", sound.rate, sound.samples.shape[0], kind, format=container, **quality) as out:
        for name, text in tags.clean().items():
            setattr(out, name, text)
        for block in _integers(sound, format):
            out.write(block)
    return file.getvalue()


def _integers(sound: Sound, format: str) -> Iterator[NDArray[Any]]:  # noqa: A002 - as above
    """Blocks (samples, channels) as the format wants them."""
    dither = np.random.default_rng(0)
    for start in range(0, sound.samples.shape[1], BLOCK):
        block = Sound(sound.samples[:, start : start + BLOCK], sound.rate)
        if format == "wav16":
            noise = dither.random((2, *block.samples.shape), np.float32)
            scaled = np.rint(block.samples * 32768 + noise[0] - noise[1])
            yield np.clip(scaled, -32768, 32767).astype(np.int16).T
        elif format in ("wav24", "flac"):
            yield quantised(block).T << 8
        else:
            yield np.clip(block.samples, -1, 1).T
