"""Sounds that strangers hand in: plain WAV is read here, every packed format (MP3, FLAC, OGG, Opus and others) in a child process.

The child has bounded memory and time, and what comes back is samples and sentences: a decoder that is led astray ends the child, and the
studio goes on. The studio's own files need none of this: they are read by `files.read`. Knows no task and no model.
"""

from __future__ import annotations

import json
import struct
import tempfile
from pathlib import Path

import numpy as np

from studio import fetching
from studio.creations import Sound
from studio.errors import MediaUnreadable
from studio.music import decoding

SECONDS = 60.0
"""Most that decoding one sound may take; ten minutes of MP3 take three."""
_PLAIN = (1, 3)
"""Kinds of samples in a WAV that are nothing but numbers: whole ones and fractions."""
_EXTENSIBLE = 0xFFFE
_FIELD = "reference"


def read(path: Path, limit_seconds: float = 600, *, beginning: bool = False) -> Sound:
    """As `decoding.decoded`, in its sentences; what needs a decoder is decoded in a child."""
    if plain(path):
        return decoding.decoded(path, limit_seconds, beginning=beginning)
    with tempfile.TemporaryDirectory(prefix="atelier-sound-") as folder:
        rate = _told(path, folder, str(limit_seconds), "beginning" if beginning else "")
        return Sound(np.load(Path(folder) / "samples.npy", allow_pickle=False), rate)


def check(data: bytes) -> None:
    """Raise MediaUnreadable unless a packed sound decodes to its last sample, which a child tries; no sample comes back."""
    with tempfile.TemporaryDirectory(prefix="atelier-sound-") as folder:
        file = Path(folder) / "sound"
        file.write_bytes(data)
        _told(file, folder, "0", "whole")


def _told(path: Path, folder: str, limit_seconds: str, way: str) -> int:
    """Let the child write into `folder` what it finds; returns the rate of its samples."""
    quiet = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = fetching.python("studio.music.apart_child", str(path.resolve()), folder, limit_seconds, way)
    status, _ = fetching.run_child(command, _nothing, quiet, seconds=SECONDS, cwd=fetching.ROOT)
    found = Path(folder) / "found.json"
    if status is None:
        raise MediaUnreadable("This sound took too long to read: save it as WAV and use that.", _FIELD)
    if status != 0 or not found.exists():
        raise MediaUnreadable(decoding.DAMAGED, _FIELD)
    said = json.loads(found.read_text("utf-8"))
    if said["failed"]:
        raise MediaUnreadable(said["failed"], _FIELD)
    return int(said["rate"])


def plain(path: Path) -> bool:
    """Whether no decoder is needed: for a WAV of plain numbers, and for what is refused by its first bytes, if it has any."""
    try:
        with path.open("rb") as opened:
            start = opened.read(64)
    except OSError:
        return True
    if start[:4] != b"RIFF" or start[8:12] != b"WAVE":
        return not decoding.known(start)
    place = start.find(b"fmt ")
    if place < 0 or len(start) < place + 34:
        return False
    (kind,) = struct.unpack_from("<H", start, place + 8)
    if kind == _EXTENSIBLE:  # the first two bytes of its GUID say what it is
        (kind,) = struct.unpack_from("<H", start, place + 32)
    return kind in _PLAIN


def _nothing(news: str) -> None:
    """Nobody waits."""
