"""Sound that is heard before a piece is whole: the beginning first, and all of it what the take will be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from studio.creations import Preview, Progress, Sound, Take
from studio.device import Device
from studio.engines import _notes, starter_composer
from studio.errors import Cancelled
from studio.music import early, packed, render
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
    whole, kept = early.rendered(score, bank, -14.0, None, heard.append)
    assert kept is score
    assert np.array_equal(whole.samples, render.render(score, bank).samples)
    assert [sound.seconds for sound in heard] == [12.0, 12.0, 12.0, 4.0]
    played = np.concatenate([sound.samples for sound in heard], axis=1)
    take = whole.samples[:, : played.shape[1]]
    gain = np.sqrt((played**2).mean() / (take**2).mean())
    assert np.abs(played - take * gain).max() < 0.02  # where one gain suffices
    assert np.abs(played).max() <= early.LOUDEST


def test_a_short_piece_is_heard_as_a_whole(score: Score) -> None:
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


def pressed_after(note: str, events: list[object]) -> Callable[[object], None]:
    """A report that is stopped at the first event of that note which follows the first sound, or at the note alone without one."""

    def report(event: object) -> None:
        events.append(event)
        heard = any(isinstance(one, Preview) and one.sound is not None for one in events)
        if isinstance(event, Progress) and (heard if note == "heard" else event.note == note):
            raise Cancelled

    return report


def take_of(task: Compose, report: Callable[[object], None]) -> Take:
    card = starter_composer.CARDS[0].model_copy(update={"files": ASSETS})
    pipeline = starter_composer.recipe(card, task, Device("cpu")).build({"composer": Composer.load(ASSETS)})
    (take,) = pipeline(task, report)
    assert isinstance(take, Take)
    return take


def test_what_was_heard_before_a_stop_is_kept_with_its_notes() -> None:
    task = Compose.checked({"prompt": "a chiptune, 240 bpm", "duration": 40, "seed": 4, "loop": True})
    events: list[object] = []
    take = take_of(task, pressed_after("heard", events))
    score = packed.unpack(str(take.facts["score"]))
    assert take.finish == "stopped" and early.OPENING <= score.seconds < early.LONG
    assert score.seconds <= take.sound.seconds <= score.seconds + render.TAIL
    assert take.facts["plan"]["bars"] == score.bars and take.facts["measured"]  # type: ignore[index,call-overload]
    (heard,) = [one.sound for one in events if isinstance(one, Preview) and one.sound is not None]
    assert heard.seconds == pytest.approx(score.seconds, abs=0.01)


def test_a_stop_before_anything_sounds_keeps_nothing_and_one_while_measuring_all() -> None:
    task = Compose.checked({"prompt": "a chiptune, 240 bpm", "duration": 2, "seed": 4})
    with pytest.raises(Cancelled):
        take_of(task, stopped_at_once)
    take = take_of(task, pressed_after("measuring", []))
    assert take.finish == "end" and take.sound.seconds >= 2


def stopped_at_once(_: object) -> None:
    raise Cancelled


def test_segments_end_where_the_piece_does() -> None:
    laid = [
        {"start": 0.0, "seconds": 8.0, "words": "a"},
        {"start": 8.0, "seconds": 8.0, "words": "b"},
        {"start": 16.0, "seconds": 8.0, "words": "c"},
    ]
    assert _notes.within([*laid], 12.0) == [laid[0], laid[1] | {"seconds": 4.0}]
    assert _notes.within([*laid], 16.0) == laid[:2]
