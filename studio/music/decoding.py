"""A sound file of any origin as samples, in this process: which file is let near libsndfile, and how much of it. Knows no encoder.

Of what strangers hand in this process decodes plain WAV alone; everything else goes through a child (see `apart`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from studio.creations import Sound
from studio.errors import MediaUnreadable
from studio.provenance.tags import cut_off

BLOCK = 1 << 16
"""Samples of each channel that are read at once."""
SHORTEST = 0.1
"""Seconds; less than this is no reference."""
RATES = (4_000, 192_000)
CHANNELS = 8
UNKNOWN_LENGTH = 1 << 62
"""libsndfile's count of samples for a stream that does not tell."""
DAMAGED = "This sound file is damaged or cut off: use another copy of it."
_FIELD = "reference"


def decoded(path: Path, limit_seconds: float, *, beginning: bool = False) -> Sound:
    """The sound in a WAV, FLAC, OGG, Opus, MP3, AIFF or CAF file of any origin, at its own rate, with one or two channels.

    More than two channels are averaged into one; floats beyond 1 are scaled so that the loudest is 1. Read block by block, so that a
    header that lies costs nothing. `beginning` takes the first `limit_seconds` of a longer one, all channels averaged. Raises
    MediaUnreadable with the field `reference` for what is none of these, empty, damaged, cut off, silent about its rate, too long or too
    short, has more than eight channels or holds values that are no numbers.
    """
    try:
        if path.is_dir():
            raise MediaUnreadable("This is a folder: choose one sound file.", _FIELD)
        if not path.is_file():
            raise MediaUnreadable("This sound file is not there: choose it again.", _FIELD)
        with path.open("rb", buffering=0) as file:  # libsndfile goes on from where the descriptor stands
            _refuse_strangers(file.read(16))
            if cut_off(file) and not beginning:
                raise MediaUnreadable(DAMAGED, _FIELD)
            file.seek(0)
            with soundfile.SoundFile(file.fileno(), closefd=False) as sound:
                _judge(sound, None if beginning else limit_seconds)
                return _read(sound, round(limit_seconds * sound.samplerate) if beginning else None)
    except OSError:
        raise MediaUnreadable("This sound file cannot be opened: choose it again.", _FIELD) from None
    except soundfile.LibsndfileError:
        raise MediaUnreadable(DAMAGED, _FIELD) from None


def whole(path: Path) -> None:
    """Raise MediaUnreadable unless the sound decodes to its last sample, however long it is. Never holds more than a block."""
    try:
        with soundfile.SoundFile(str(path)) as sound:
            done = 0
            while count := len(sound.read(BLOCK, "float32", always_2d=True)):
                done += count
            if done != sound.frames:
                raise MediaUnreadable(DAMAGED)
    except (OSError, soundfile.SoundFileError):
        raise MediaUnreadable(DAMAGED) from None


def known(start: bytes) -> bool:
    """Whether a file that begins so is of a format that is meant: libsndfile knows many more."""
    return (
        start[:4] in (b"fLaC", b"OggS", b"caff", b"RF64", b"riff")
        or (start[:4] == b"RIFF" and start[8:12] == b"WAVE")
        or (start[:4] == b"FORM" and start[8:12] in (b"AIFF", b"AIFC"))
        or start[:3] == b"ID3"
        or (len(start) > 1 and start[0] == 0xFF and start[1] & 0xE6 in (0xE2, 0xE4, 0xE6))  # MPEG audio, a layer that exists
    )


def _refuse_strangers(start: bytes) -> None:
    if not start:
        raise MediaUnreadable("This sound file is empty: choose another one.", _FIELD)
    if not known(start):
        raise MediaUnreadable("This is no sound that can be read here: use a WAV, FLAC, OGG, MP3 or Opus file.", _FIELD)


def _judge(sound: soundfile.SoundFile, limit_seconds: float | None) -> None:
    """Refuse by what the header says, before a sample is read."""
    rate, channels = sound.samplerate, sound.channels
    if not RATES[0] <= rate <= RATES[1]:
        raise MediaUnreadable(f"This sound says that it has {rate:,} samples a second: save it again at 44,100 or 48,000.", _FIELD)
    if not 1 <= channels <= CHANNELS:
        raise MediaUnreadable(f"This sound has {channels} channels: mix it down to stereo first.", _FIELD)
    if limit_seconds is None:
        return
    if sound.frames >= UNKNOWN_LENGTH:
        raise MediaUnreadable("This sound does not say how long it is: save it again as a file instead of a stream.", _FIELD)
    if sound.frames > limit_seconds * rate:
        raise MediaUnreadable(f"This sound is longer than {_minutes(limit_seconds)}: cut out the part that matters and use that.", _FIELD)


def _read(sound: soundfile.SoundFile, most: int | None) -> Sound:
    """All samples, or at most so many of them with their channels averaged."""
    parts, done = list[NDArray[np.float32]](), 0
    while most is None or done < most:
        block: NDArray[Any] = sound.read(BLOCK if most is None else min(BLOCK, most - done), "float32", always_2d=True)
        done += len(block)
        if not len(block):
            break
        if not np.isfinite(block).all():
            raise MediaUnreadable("This sound holds values that are no numbers: export it again as 16 or 24 bit.", _FIELD)
        mixed = sound.channels > (2 if most is None else 1)
        parts.append(block.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32) if mixed else block)
    if most is None and done != sound.frames:
        raise MediaUnreadable(DAMAGED, _FIELD)
    if done < SHORTEST * sound.samplerate:
        raise MediaUnreadable("This sound is shorter than a tenth of a second: choose a longer one.", _FIELD)
    samples = np.ascontiguousarray(np.concatenate(parts).T)
    loudest = max(float(samples.max()), -float(samples.min()))
    return Sound(samples / np.float32(loudest) if loudest > 1 else samples, sound.samplerate)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
