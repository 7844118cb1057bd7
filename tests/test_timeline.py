"""Timelines: segments with words of their own, one after another in one track; and how much is heard of what stands before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.creations import Creation, Progress, Report, Take
from studio.device import Device
from studio.engines import starter_composer
from studio.errors import Cancelled, InvalidInput
from studio.models import ModelCard
from studio.music import packed, segments
from studio.music.composer import Ask, Composer
from studio.music.grammar import Range
from studio.music.heard import bars_of
from studio.music.meters import writing
from studio.music.score import Lead, Meter, Score, Section
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Compose

ASSETS = Path(__file__).resolve().parents[1] / "assets" / "composer"
SEGMENTS = "2: calm piano alone\n2: energetic chiptune\n2: calm piano alone"
TASK = {"prompt": "a small game in C major, 240 bpm", "segments": SEGMENTS, "seed": 5}


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer.load(ASSETS)


@pytest.fixture(scope="module")
def take(card: ModelCard) -> Take:
    """Three segments, the third with the words of the first."""
    return run(card, TASK)[0]


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return starter_composer.CARDS[0].model_copy(update={"files": ASSETS})


def test_lines_are_seconds_and_words() -> None:
    found = segments.read("8: soft piano\n\n 12.5 s : louder, with drums \n4:")
    assert [(one.start, one.seconds, one.words) for one in found] == [(0, 8, "soft piano"), (8, 12.5, "louder, with drums"), (20.5, 4, "")]
    assert found[0].told("a waltz") == "soft piano, a waltz" and found[2].told("a waltz") == "a waltz"


@pytest.mark.parametrize(
    "text", ["piano", "0: piano", "0.5: piano", "700: piano", "-4: piano", "8", "nan: piano", "1\n" * 3, "2: a\n" * 25]
)
def test_what_is_no_timeline_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Compose.checked({"prompt": "x", "segments": text})
    assert refused.value.field == "segments" and str(refused.value).endswith(".") and "\n" not in str(refused.value)


def test_a_timeline_says_how_long_the_piece_is() -> None:
    assert Compose.checked(TASK).duration == 6
    assert Compose.checked({**TASK, "duration": 6}).duration == 6
    with pytest.raises(InvalidInput, match="lasts 6 seconds: leave Duration empty") as refused:
        Compose.checked({**TASK, "duration": 20})
    assert refused.value.field == "duration"


def test_a_timeline_is_refused_where_nothing_new_follows() -> None:
    with pytest.raises(InvalidInput, match="empty it for this") as refused:
        Compose.checked({**TASK, "reference": "x.flac", "reference_use": "cover"})
    assert refused.value.field == "segments"
    assert Compose.checked({**TASK, "reference": "x.flac", "reference_use": "trim", "region_end": 1}).way == "trim"


def test_each_segment_is_planned_from_its_own_words_in_one_tempo_and_key(take: Take) -> None:
    score = packed.unpack(str(take.facts["score"]))
    assert (score.bpm, score.key.name, score.bars) == (240, "C major", 6)
    assert [(section.name, section.bar, section.bars) for section in score.sections] == [
        ("calm piano alone", 0, 2), ("energetic chiptune", 2, 2), ("calm piano alone", 4, 2),
    ]  # fmt: skip
    assert take.facts["segments"] == [
        {"start": float(start), "seconds": 2.0, "words": words}
        for start, words in ((0, "calm piano alone"), (2, "energetic chiptune"), (4, "calm piano alone"))
    ]
    assert players(score, 0) == players(score, 4)
    assert all(name.startswith("Piano") for name in players(score, 0))
    assert len(players(score, 2)) > 1 and not any(name.startswith("Piano") for name in players(score, 2))
    first, third = (packed.cut(score, bar, 2).parts[0].notes for bar in (0, 4))
    assert first and third and [note.pitch for note in first] != [note.pitch for note in third]


def test_a_stop_keeps_the_segments_that_are_whole(card: ModelCard, take: Take) -> None:
    def report(event: Any) -> None:
        if isinstance(event, Progress) and event.note == "Segment 3 of 3":
            raise Cancelled

    (shorter,) = run(card, TASK, report)
    assert shorter.finish == "stopped" and take.finish == "end"
    assert len(list(shorter.facts["segments"] or ())) == 2  # type: ignore[arg-type]
    kept, of = (packed.unpack(str(one.facts["score"])) for one in (shorter, take))
    assert kept.bars == 4 and notes(kept) == notes(packed.cut(of, 0, 4))
    assert shorter.sound.seconds >= kept.seconds

    def at_once(event: Any) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        run(card, TASK, at_once)


def test_its_record_makes_it_again_and_it_goes_on_by_another(tmp_path: Path) -> None:
    studio = Studio.open(Settings(home=tmp_path / "home", offline=True))
    try:
        first = made(studio, {**TASK, "segments": "2: calm piano\n2: loud drums"})
        again = made(studio, dict(first.record["task"]))  # type: ignore[arg-type]
        assert again.attachments["score.mid"].read_bytes() == first.attachments["score.mid"].read_bytes()
        more = {"prompt": "more", "reference": str(first.path), "reference_use": "continue", "segments": "2: a flute\n2: an ending"}
        longer = made(studio, more)
        old, new = (packed.unpack(str(facts(one)["score"])) for one in (first, longer))
        assert [one["start"] for one in facts(longer)["segments"]] == [4.0, 6.0]
        assert notes(packed.cut(new, 0, old.bars)) == notes(old)
    finally:
        studio.close()


def test_a_form_beside_a_timeline_is_refused(card: ModelCard) -> None:
    with pytest.raises(InvalidInput, match="leave Form empty"):
        starter_composer.check(card, Compose.checked({**TASK, "form": "A B"}))


def test_bars_that_are_heard_are_the_melody_as_the_model_writes_it(composer: Composer) -> None:
    lead = composer.lead(Ask((Section("A", 0, 4, 0.6),), seed=3))
    bars = bars_of(lead, writing(Meter(4, 4)), Range(48, 91))
    assert [sum(length for _, length in bar.events) for bar in bars] == [96] * 4
    assert [len(bar.chords) for bar in bars] == [2] * 4
    again = bars_of(lead_with(lead, bars), writing(Meter(4, 4)), Range(48, 91))
    assert again == bars


def test_what_stands_before_changes_what_follows_as_far_as_it_is_heard(composer: Composer) -> None:
    ask = Ask((Section("A", 0, 4, 0.6),), seed=3)
    one, two = (composer.lead(Ask((Section("A", 0, 2, 0.6),), seed=seed)) for seed in (11, 12))
    follows = [composer.lead(Ask(ask.sections, seed=3, heard=heard)) for heard in (None, one, two, one)]
    assert follows[1] == follows[3]
    assert len({tuple(lead.notes) for lead in follows}) == 3


def test_leading_in_refuses_a_context(card: ModelCard, tmp_path: Path) -> None:
    file = tmp_path / "x.mid"
    file.write_bytes(b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x60MTrk\x00\x00\x00\x0c\x00\x90\x3c\x40\x60\x80\x3c\x40\x00\xff\x2f\x00")
    asked = Compose.checked({"prompt": "x", "reference": str(file), "reference_use": "lead", "context": 5})
    with pytest.raises(InvalidInput, match="leave Context at 0"):
        starter_composer.check(card, asked)


def lead_with(lead: Lead, bars: Any) -> Lead:
    """A lead of the notes that bars hold."""
    from studio.music.writer import notes_of

    return Lead(lead.mode, lead.meter, lead.bars, tuple(notes_of(bars, 1 / 24, "4/4")), lead.chords, lead.sections)


def run(card: ModelCard, values: dict[str, Any], report: Report = lambda _: None) -> list[Take]:
    task = Compose.checked(values)
    recipe = starter_composer.recipe(card, task, Device("cpu"))
    pipeline = recipe.build({"composer": Composer.load(ASSETS)})
    return [take for take in _media(pipeline(task, report)) if isinstance(take, Take)]


def _media(made: Any) -> Iterator[Any]:
    yield from made


def made(studio: Studio, values: dict[str, Any]) -> Creation:
    (creation,) = [event for event in studio.run(Compose.checked(values)) if isinstance(event, Creation)]
    return creation


def facts(creation: Creation) -> dict[str, Any]:
    found = creation.record["facts"]
    assert isinstance(found, dict)
    return found


def players(score: Score, bar: int) -> set[str]:
    """Who plays in the two bars from there on."""
    return {part.name for part in packed.cut(score, bar, 2).parts if part.notes}


def notes(score: Score) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
    """What each part plays, and when."""
    return sorted((part.name, tuple((round(note.start * 960), note.pitch) for note in part.notes)) for part in score.parts if part.notes)
