"""What a tab sends to the player and what it makes of what comes back, as anybody might send it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.creations import Sound
from studio.errors import MediaUnreadable
from studio.music.score import Key, Meter, Note, Part, Score, Section
from tabs import _player


def spectrogram(draw: Any) -> Any:
    """The function that a browser calls for a player whose spectrograms `draw` makes."""
    return _player.Player(spectrogram=draw).spectrogram


def test_growing_sound_is_sent_as_sixteen_bits_whatever_it_holds() -> None:
    samples = np.array([[0.0, 1.0, -1.0, 0.5], [2.0, -9.0, np.nan, np.inf]], np.float32)
    live = _player.live_value(Sound(samples, 32000), "run", 7, expected=3.0)["live"]
    sent = np.frombuffer(base64.b64decode(live["pcm"]), "<i2").reshape(-1, 2).T
    assert sent.tolist() == [[0, 32767, -32767, 16384], [32767, -32767, 0, 32767]]
    assert (live["run"], live["rate"], live["channels"], live["offset"], live["expected"]) == ("run", 32000, 2, 7, 3.0)


def test_a_waveform_keeps_every_peak_and_short_sounds_have_fewer_stretches() -> None:
    samples = np.zeros((2, 100_000), np.float32)
    samples[0, 4321], samples[1, 77_777] = 0.9, -0.7
    peaks = np.array(_player.peaks_of(samples))
    assert peaks.shape == (_player.COLUMNS, 2)
    assert (peaks.max(), peaks.min()) == (0.9, -0.7)
    assert int(peaks[:, 1].argmax()) == 4321 * _player.COLUMNS // 100_000
    assert _player.peaks_of(samples[:, :3]) == [[0.0, 0.0]] * 3
    assert _player.peaks_of(samples[:, :0]) == []


def test_a_score_becomes_notes_and_sections_in_seconds() -> None:
    piano = Part("Piano", 0, (Note(0, 1, 60), Note(3, 3, 67)))
    drums = Part("Drums", 0, (Note(0, 1, 36),), drums=True)
    score = Score(60, Key.read("C major"), Meter.read("6/8"), 4, (piano, drums), sections=(Section("A", 0, 2), Section("B", 2, 2)))
    assert _player.notes_of(score) == [
        {"start": 0.0, "seconds": 0.6667, "pitch": 60, "part": "Piano"},
        {"start": 2.0, "seconds": 2.0, "pitch": 67, "part": "Piano"},
    ]
    assert _player.sections_of(score) == [{"name": "A", "start": 0.0, "seconds": 4.0}, {"name": "B", "start": 4.0, "seconds": 4.0}]


@pytest.mark.parametrize(
    "data",
    [None, "one", [], {}, {"take": ""}, {"take": 3}, {"take": "x" * 1000}, {"take": None, "start": 0, "end": 1}],
)
def test_what_names_no_take_chooses_none(data: Any) -> None:
    assert _player.chosen(data) is None


@pytest.mark.parametrize(
    ("start", "end", "region"),
    [
        *((1, 2.5, (1.0, 2.5)), (None, None, None), (2, 1, None), (-1, 1, None)),
        *((0, float("inf"), None), (float("nan"), 1, None), ("0", "1", None), (False, True, None)),
    ],
)
def test_a_region_is_two_finite_seconds_in_order_or_none(start: Any, end: Any, region: Any) -> None:
    assert _player.chosen({"take": "one", "start": start, "end": end, "position": -3}) == _player.Chosen("one", region, 0.0)


def test_a_spectrogram_is_drawn_of_served_files_alone(uploads: Path, tmp_path: Path) -> None:
    seen: list[Path] = []
    ask = spectrogram(lambda path: seen.append(path) or b"picture")
    served, secret = uploads / "a.flac", tmp_path / "secret.flac"
    for file in (served, secret):
        file.write_bytes(b"sound")
    (uploads / "link.flac").symlink_to(secret)
    assert base64.b64decode(ask({"path": str(served)})["image"]) == b"picture"
    for path in (str(secret), str(uploads / "link.flac"), f"{uploads}/../secret.flac", "", None, 3, "a\0b", "x" * 9000):
        assert "error" in ask({"path": path})
    assert "error" in ask("nothing") and "error" in ask(None)
    assert seen == [served.resolve()]


def test_a_spectrogram_that_fails_is_said_in_words(uploads: Path) -> None:
    def refuse(path: Path) -> bytes:
        raise MediaUnreadable("This file holds no sound: choose another.")

    def fail(path: Path) -> bytes:
        raise ZeroDivisionError("hop")

    (uploads / "a.flac").write_bytes(b"sound")
    given = {"path": str(uploads / "a.flac")}
    assert spectrogram(refuse)(given) == {"error": "This file holds no sound: choose another."}
    assert "hop" not in spectrogram(fail)(given)["error"]


def test_the_first_take_is_chosen_unless_another_is_named_and_every_value_is_new() -> None:
    take = _player.take_value("a", "A", "/tmp/a.flac", 48000, 1.0, [[-1.0, 1.0]])
    one, two = _player.opened([take]), _player.opened([take, {**take, "id": "b"}], "b", play=True)
    assert (one["chosen"], one["play"], two["chosen"], two["play"]) == ("a", False, "b", True)
    assert one["token"] != two["token"]
    assert _player.opened([])["chosen"] == ""
