"""Packed sounds are decoded in a child: the same samples come back, and what goes wrong there ends the child alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from studio.errors import MediaUnreadable
from studio.music import apart, decoding
from tests.attacks.promise import is_a_sentence
from tests.attacks.test_sound_files import RATE, lying_flac, poisoned, tone, wav


def saved(path: Path, form: str, kind: str) -> Path:
    soundfile.write(path, tone(0.5).samples.T, RATE, kind, format=form)
    return path


@pytest.mark.parametrize(("form", "kind"), [("FLAC", "PCM_24"), ("MP3", "MPEG_LAYER_III"), ("WAV", "IMA_ADPCM")])
def test_a_child_gives_what_this_process_would(form: str, kind: str, tmp_path: Path) -> None:
    file = saved(tmp_path / "a.sound", form, kind)
    assert not apart.plain(file)
    there, here = apart.read(file), decoding.decoded(file, 600)
    assert there.rate == here.rate == RATE and np.array_equal(there.samples, here.samples)


@pytest.mark.parametrize("kind", ["PCM_16", "PCM_24", "PCM_U8", "FLOAT", "DOUBLE"])
def test_plain_wav_needs_no_child(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart.fetching, "run_child", None)
    assert apart.read(saved(tmp_path / "a.wav", "WAV", kind)).samples.shape == (2, RATE // 2)
    extensible = saved(tmp_path / "b.wav", "WAVEX", kind)
    assert apart.plain(extensible) and apart.read(extensible).samples.shape == (2, RATE // 2)


def test_what_is_no_sound_is_refused_without_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart.fetching, "run_child", None)
    (tmp_path / "page.mp3").write_bytes(b"<html>" * 20)
    (tmp_path / "empty.mp3").write_bytes(b"")
    (tmp_path / "numbers.wav").write_bytes(poisoned(np.nan))
    for name in ("page.mp3", "empty.mp3", "nothing.mp3", "numbers.wav", "."):
        with pytest.raises(MediaUnreadable) as said:
            apart.read(tmp_path / name)
        assert is_a_sentence(str(said.value)) and said.value.field == "reference"


def test_what_a_child_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    (tmp_path / "lies.flac").write_bytes(lying_flac(4_000_000_000))
    with pytest.raises(MediaUnreadable, match="longer than 10 minutes") as said:
        apart.read(tmp_path / "lies.flac")
    assert said.value.field == "reference" and is_a_sentence(str(said.value))


def test_a_sound_that_comes_in_a_zip_is_decoded_to_its_end_elsewhere(tmp_path: Path) -> None:
    data = saved(tmp_path / "a.flac", "FLAC", "PCM_24").read_bytes()
    apart.check(data)
    for broken in (data[: len(data) // 2], lying_flac(4_000_000_000), b"fLaC" + bytes(200)):
        with pytest.raises(MediaUnreadable, match="damaged or cut off"):
            apart.check(broken)


def test_only_the_beginning_is_read_where_that_is_enough(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.flac", "FLAC", "PCM_16")
    (tmp_path / "a.wav").write_bytes(wav(tone(0.5).samples.T))
    for each in (file, tmp_path / "a.wav"):
        assert apart.read(each, 0.25, beginning=True).samples.shape == (1, RATE // 4)
    with pytest.raises(MediaUnreadable, match="longer"):
        decoding.decoded(file, 0.25)


def test_a_child_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "SECONDS", 0.01)
    with pytest.raises(MediaUnreadable, match="took too long"):
        apart.read(saved(tmp_path / "a.flac", "FLAC", "PCM_16"))
