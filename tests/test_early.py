"""Sound that is heard before a piece is whole: the beginning first, and all of it what the take will be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studio.creations import Preview, Sound, Take
from studio.device import Device
from studio.engines import starter_composer
from studio.music import early, render
from studio.music.banks import OWN, bank_named
from studio.music.composer import Composer
from studio.music.score import Chord, Key, Meter, Note, Part, Score, Section
from studio.tasks import Compose

ASSETS = Path(__file__).resolve().parents[1] / "assets" / "composer"


@pytest.fixture(scope="module")
def score() -> Score:
    """Forty seconds of long notes and drums."""
    notes = tuple(Note(4.0 * bar, 7.5, 60 + bar % 5, 90) for bar in range(20))
    beats = tuple(Note(float(beat), 0.5, 36, 100) for beat in range(80))
    parts = (Part("Pad", 89, notes), Part("Drums", 0, beats, drums=True))
    return Score(120.0, Key.read("C major"), Meter(4, 4), 20, parts, (Chord(0, 80, 0, ""),), (Section("A", 0, 20, 0.5),))


def test_what_is_heard_early_is_the_take_from_its_beginning(score: Score) -> None:
    heard: list[Sound] = []
    bank = bank_named(OWN, None)
    whole = early.rendered(score, bank, -14.0, None, heard.append)
    assert np.array_equal(whole.samples, render.render(score, bank).samples)
    assert [sound.seconds for sound in heard] == [12.0, 12.0, 12.0, 4.0]
    played = np.concatenate([sound.samples for sound in heard], axis=1)
    take = whole.samples[:, : played.shape[1]]
    gain = np.sqrt((played**2).mean() / (take**2).mean())
    assert np.abs(played - take * gain).max() < 0.02  # where one gain suffices
    assert np.abs(played).max() <= early.LOUDEST


def test_a_short_piece_is_heard_as_a_whole(score: Score) -> None:
    from studio.music import packed

    heard: list[Sound] = []
    early.rendered(packed.cut(score, 0, 4), bank_named(OWN, None), None, None, heard.append)
    assert [sound.seconds for sound in heard] == [8.0]


@pytest.mark.parametrize(("retries", "sounds"), [(0, 1), (1, 0)])
def test_takes_are_heard_before_they_are_measured_unless_another_may_be_kept(retries: int, sounds: int) -> None:
    card = starter_composer.CARDS[0].model_copy(update={"files": ASSETS})
    task = Compose.checked({"prompt": "a chiptune, 240 bpm", "duration": 2, "seed": 4, "retries": retries})
    events: list[object] = []
    pipeline = starter_composer.recipe(card, task, Device("cpu")).build({"composer": Composer.load(ASSETS)})
    (take,) = pipeline(task, events.append)
    assert isinstance(take, Take)
    assert sum(isinstance(event, Preview) and event.sound is not None for event in events) == sounds
