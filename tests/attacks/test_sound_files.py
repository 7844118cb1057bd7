"""Rows 68 to 79: sounds that strangers hand in, through a whole run that cuts them."""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import ArrayLike

from studio.creations import Sound
from studio.music.files import Tags, encode, read
from studio.studio import Studio
from studio.tasks import Compose
from tests.attacks.promise import made, opened, refused

RATE = 48_000


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    yield from opened(tmp_path_factory.mktemp("sounds"))


def wav(samples: ArrayLike, rate: int = RATE, kind: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.asarray(samples), rate, kind, format="WAV")
    return file.getvalue()


def tone(seconds: float = 1.0) -> Sound:
    wave = 0.4 * np.sin(np.arange(round(seconds * RATE)) * 0.03)
    return Sound(np.stack([wave, wave]).astype(np.float32), RATE)


def said(data: bytes, place: int, form: str, value: int) -> bytes:
    """A file whose header says another number at a place."""
    changed = bytearray(data)
    struct.pack_into(form, changed, place, value)
    return bytes(changed)


def lying_flac(samples: int) -> bytes:
    data = bytearray(encode(tone(), "flac", Tags()))
    data[21] = data[21] & 0xF0 | samples >> 32
    data[22:26] = struct.pack(">I", samples & 0xFFFFFFFF)
    return bytes(data)


def poisoned(value: float) -> bytes:
    samples = np.zeros(RATE)
    samples[RATE // 2] = value
    return wav(samples, kind="FLOAT")


WAV = wav(np.zeros(RATE))
BAD: dict[str, bytes] = {
    "68 no sample": wav([]),
    "69 one sample": wav([0.0]),
    "70 cut FLAC": encode(tone(), "flac", Tags())[:3000],
    "70 cut MP3": encode(tone(), "mp3", Tags())[:300],
    "70 cut OGG": encode(tone(), "ogg", Tags())[:2500],
    "71 ten hours by its header": said(said(WAV, 4, "<I", 2**32 - 9), 40, "<I", 2**32 - 100),
    "72 four thousand million samples": lying_flac(4_000_000_000),
    "73 a rate of 0": said(WAV, 24, "<I", 0),
    "73 a rate of 1": said(WAV, 24, "<I", 1),
    "73 a rate of 4e9": said(WAV, 24, "<I", 4_000_000_000),
    "74 64 channels": wav(np.zeros((9600, 64))),
    "74 65,535 channels": said(WAV, 22, "<H", 65_535),
    "75 no number": poisoned(np.nan),
    "75 infinite": poisoned(np.inf),
    "78 a film": b"\0\0\0\x18ftypmp42" + bytes(4000),
    "78 words": b"Dear diary, today it rained.\n" * 50,
    "78 a page": b"<html><script>alert(1)</script></html>",
}


def asked(folder: Path, data: bytes) -> Compose:
    (folder / "sound.wav").write_bytes(data)
    cut = {"reference_use": "trim", "region_start": 0.1, "region_end": 0.6, "prompt": "x", "seed": 1}
    return Compose.checked({"reference": str(folder / "sound.wav"), **cut})


@pytest.mark.parametrize("name", BAD)
def test_a_sound_that_is_none_is_refused_and_leaves_nothing(name: str, studio: Studio, tmp_path: Path) -> None:
    began = time.process_time()
    with refused(growth=300 << 20):
        made(studio, asked(tmp_path, BAD[name]))
    assert time.process_time() - began < 20


def test_floats_far_beyond_full_scale_are_turned_down(tmp_path: Path) -> None:
    samples = np.zeros((RATE, 1), np.float32)
    samples[100] = 1e30
    (tmp_path / "loud.wav").write_bytes(wav(samples, kind="FLOAT"))
    assert np.abs(read(tmp_path / "loud.wav").samples).max() == 1.0


def test_silence_and_a_clipping_square_wave_are_cut_as_any_sound_is(studio: Studio, tmp_path: Path) -> None:
    square = np.sign(np.sin(np.arange(RATE) * 0.05))
    for samples in (np.zeros(RATE), square):
        (creation,) = made(studio, asked(tmp_path, wav(samples)))
        assert creation.path.stat().st_size > 0


def test_a_tag_of_fifty_megabytes_is_passed_over(tmp_path: Path) -> None:
    size = 50 << 20
    digits = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    began = time.process_time()
    (tmp_path / "tagged.mp3").write_bytes(b"ID3\x03\0\0" + digits + bytes(size) + encode(tone(), "mp3", Tags()))
    assert read(tmp_path / "tagged.mp3").samples.shape[1] > 0
    assert time.process_time() - began < 10
