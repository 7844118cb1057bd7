"""The composer that ships with the studio, through the studio: words to takes, takes to further takes, and what is refused."""

from __future__ import annotations

import io
import sqlite3
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from studio import replay
from studio.creations import Creation, Progress, Report, Sound, Take
from studio.device import Device
from studio.engines import starter_composer
from studio.errors import Cancelled, InvalidInput, StudioError
from studio.models import ModelCard
from studio.music import files, packed
from studio.music.composer import Ask
from studio.music.midi import to_midi
from studio.music.package import package
from studio.music.score import Note, Part, Score
from studio.provenance import sounds
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import SEED_LIMIT, Compose

BRIEF = {"prompt": "calm rainy-night lo-fi piano, 72 bpm, A minor, loop", "duration": 10, "seed": 7}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio.open(Settings(home=tmp_path_factory.mktemp("music"), offline=True))
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def take(studio: Studio) -> Creation:
    """Two bars of lo-fi that close on themselves."""
    return made(studio, BRIEF)


@pytest.fixture
def card(studio: Studio) -> ModelCard:
    return studio.here("music")["Atelier Composer"]


def made(studio: Studio, values: dict[str, Any]) -> Creation:
    (creation,) = [event for event in studio.run(Compose.checked(values)) if isinstance(event, Creation)]
    return creation


def jobs(studio: Studio) -> int:
    """Runs in the journal."""
    with sqlite3.connect(next(studio.settings.home.glob("*.sqlite*"))) as index:
        return index.execute("SELECT COUNT(*) FROM jobs").fetchone()[0]


def score_of(creation: Creation) -> Score:
    return packed.unpack(str(facts(creation)["score"]))


def melody(score: Score, bar: int, bars: int) -> tuple[tuple[int, ...], ...]:
    """The notes of the first part in these bars, in 960ths of a quarter note."""
    notes = packed.cut(score, bar, bars).parts[0].notes
    return tuple((round(note.start * 960), round(note.length * 960), note.pitch, note.velocity) for note in notes)


def facts(creation: Creation) -> dict[str, Any]:
    found = creation.record["facts"]
    assert isinstance(found, dict)
    return found


def test_a_take_is_what_the_words_ask_for(take: Creation) -> None:
    plan = facts(take)["plan"]
    assert (plan["genre"], plan["bpm"], plan["key"], plan["loop"]) == ("lofi", 72, "A minor", True)
    assert plan["instruments"][0] == "piano"
    checks = {line["what"]: line for line in facts(take)["checks"]}
    assert checks["tempo"]["ok"] and checks["key"]["ok"] and checks["loudness"]["ok"] and checks["clipping"]["ok"]
    sound = files.read(take.path)
    assert sound.rate == 48_000 and sound.samples.shape == (2, round(score_of(take).seconds * 48_000))
    assert facts(take)["loop"]["jump_db"] < -40


def test_its_midi_has_a_track_for_each_instrument_and_its_tempo(take: Creation) -> None:
    midi = mido.MidiFile(take.attachments["score.mid"])
    names = [next(message.name for message in track if message.type == "track_name") for track in midi.tracks]
    assert names[1:] == [part.name for part in score_of(take).parts]
    tempo = next(message for message in midi.tracks[0] if message.type == "set_tempo")
    assert mido.tempo2bpm(tempo.tempo) == pytest.approx(72, abs=0.01)


def test_the_same_task_gives_the_same_notes_and_samples(studio: Studio, take: Creation) -> None:
    again = made(studio, BRIEF)
    assert again.attachments["score.mid"].read_bytes() == take.attachments["score.mid"].read_bytes()
    assert np.array_equal(sounds.samples_of(again.path), sounds.samples_of(take.path))


def test_takes_of_one_run_have_seeds_of_their_own(studio: Studio, take: Creation) -> None:
    two = [event for event in studio.run(Compose.checked({**BRIEF, "seed": 6, "count": 2})) if isinstance(event, Creation)]
    assert len(two) == 2 and score_of(two[0]) != score_of(two[1])
    assert score_of(two[1]) == score_of(take)


def test_the_record_in_the_file_restores_the_task(take: Creation) -> None:
    record = sounds.read_record(take.path)
    assert record is not None
    assert {name: record.asked[name] for name in BRIEF} == BRIEF
    assert record.task["duration"] == 10 and record.facts["bank"] == {"name": "Atelier Synth", "licence": "Apache-2.0"}


def test_going_on_keeps_every_note_that_was_there(studio: Studio, take: Creation) -> None:
    longer = made(studio, {"prompt": "more of it", "reference": str(take.path), "reference_use": "continue", "duration": 7, "seed": 1})
    old, new = score_of(take), score_of(longer)
    assert new.bars > old.bars and new.bpm == old.bpm and new.key == old.key
    assert melody(new, 0, old.bars) == melody(old, 0, old.bars)
    assert longer.record["parents"] == [take.id]


def test_leading_in_puts_new_bars_before_the_old(studio: Studio, take: Creation) -> None:
    longer = made(studio, {"prompt": "a beginning", "reference": str(take.path), "reference_use": "lead", "duration": 7, "seed": 1})
    old, new = score_of(take), score_of(longer)
    assert melody(new, new.bars - old.bars, old.bars) == melody(old, 0, old.bars)


def test_a_region_is_made_anew_in_whole_bars_and_nothing_else_is(studio: Studio) -> None:
    take = made(studio, {"prompt": "a chiptune loop in C major, 240 bpm", "duration": 4, "seed": 7})
    assert score_of(take).bars == 4
    bar = score_of(take).seconds / score_of(take).bars
    region = {"reference_use": "repaint", "region_start": bar * 0.9, "region_end": bar * 2.1}
    other = made(studio, {"prompt": "another idea", "reference": str(take.path), "seed": 3, **region})
    old, new = score_of(take), score_of(other)
    assert new.bars == old.bars
    assert melody(new, 0, 1) == melody(old, 0, 1) != () and melody(new, 2, 2) == melody(old, 2, 2) != ()
    assert melody(new, 1, 1) != melody(old, 1, 1)
    assert facts(other)["plan"]["loop"] and facts(other)["loop"]["jump_db"] < -40
    assert sounds.samples_of(other.path).shape == sounds.samples_of(take.path).shape


@pytest.mark.parametrize(
    ("prompt", "use", "stays"),
    [
        ("more of it", "continue", True),
        ("a beginning", "lead", True),
        ("a rock band", "cover", True),
        ("with an ending, no loop", "continue", False),
        ("a rock band", "melody", False),
    ],
)
def test_what_starts_from_a_loop_stays_one_unless_the_words_say_otherwise(
    take: Creation, prompt: str, use: str, stays: bool, card: ModelCard
) -> None:
    asked = Compose.checked({"prompt": prompt, "reference": str(take.path), "reference_use": use, "duration": 4, "seed": 1})
    starter_composer.check(card, asked)
    padded = asked.model_copy(update={"format": "mp3"})
    if stays:
        with pytest.raises(InvalidInput, match="would not close"):
            starter_composer.check(card, padded)
    else:
        starter_composer.check(card, padded)


def test_what_leads_into_a_piece_does_not_end_before_it(studio: Studio) -> None:
    piece = made(studio, {"prompt": "a chiptune in C major, 120 bpm", "duration": 4, "seed": 2})
    longer = made(studio, {"prompt": "a beginning", "reference": str(piece.path), "reference_use": "lead", "duration": 4, "seed": 1})
    old, new = score_of(piece), score_of(longer)
    last = packed.cut(new, new.bars - old.bars - 1, 1).chords
    assert [chord.root for chord in packed.cut(old, old.bars - 1, 1).chords] == [old.key.tonic]
    assert last[-1].root != new.key.tonic


def test_a_midi_file_is_a_melody_to_play_in_another_genre(studio: Studio, take: Creation, tmp_path: Path) -> None:
    file = tmp_path / "tune.mid"
    file.write_bytes(take.attachments["score.mid"].read_bytes())
    other = made(studio, {"prompt": "a rock band", "reference": str(file), "seed": 5})
    assert facts(other)["plan"]["genre"] == "rock"
    assert score_of(other).bpm == pytest.approx(72, abs=0.1)
    tones = {note.pitch % 12 for note in score_of(other).parts[0].notes}
    assert tones & {note.pitch % 12 for note in score_of(take).parts[0].notes}


def test_all_parts_sum_to_the_mix(studio: Studio) -> None:
    plain = made(studio, {"prompt": "an orchestral waltz", "duration": 4, "seed": 2, "loudness": "-23", "bank": "Atelier Synth"})
    assert not facts(plain)["loudness"]["limited"]
    with zipfile.ZipFile(io.BytesIO(package(plain))) as archive:
        names = archive.namelist()
        stems = [sounds.samples_of(archive.read(name)).astype(np.int64) for name in names if name.startswith("stems/")]
        assert {"mix.wav", "score.mid", "tempo-map.csv", "recipe.json", "LICENCES.txt"} <= set(names)
        assert len(archive.read("tempo-map.csv").splitlines()) == score_of(plain).bars + 1
    mix = sounds.samples_of(plain.path)
    assert len(stems) == len(score_of(plain).parts)
    assert np.abs(sum(stems) - mix).max() <= len(stems)


def test_the_plan_is_told_before_anything_runs(studio: Studio) -> None:
    told = studio.plan(Compose.checked({"prompt": "fast jazz trio in F major, 200 bpm"}))
    assert (told["genre"], told["bpm"], told["key"]) == ("jazz", 200, "F major")
    assert "seconds" in told


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"instruments": "theremin of glass"}, "instrument"),
        ({"genre": "polkabilly"}, "genre"),
        ({"mood": "zzz"}, "mood"),
        ({"key": "H#"}, "Key must be"),
        ({"bpm": 5}, "from 30 to 300"),
        ({"bpm": 500}, "from 30 to 300"),
        ({"duration": 0}, "Duration"),
        ({"duration": -5}, "Duration"),
        ({"duration": float("nan")}, "Duration"),
        ({"duration": 9999}, "Duration"),
        ({"lyrics": "la la la"}, "does not use Lyrics"),
        ({"bank": "nothing"}, "choose one of"),
        ({"format": "aac"}, "must be one of"),
        ({"loop": True, "format": "mp3"}, "would not close"),
        ({"prompt": "a tune that loops", "format": "opus"}, "would not close"),
        ({"reference_use": "continue"}, "Reference is missing"),
        ({"region_end": 3.0}, "Reference is missing"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_before_anything_is_journaled(studio: Studio, values: dict[str, Any], words: str) -> None:
    before = jobs(studio)
    with pytest.raises(InvalidInput, match=words):
        list(studio.run(Compose.checked({"prompt": "a tune", **values})))
    assert jobs(studio) == before


@pytest.mark.parametrize(
    ("prompt", "bars", "seconds"), [("an 8-bar lo-fi loop, 120 bpm", 8, 16.0), ("a rock jingle of 10 seconds, 120 bpm", 5, 10.0)]
)
def test_words_say_how_long_it_is(studio: Studio, prompt: str, bars: int, seconds: float) -> None:
    told = studio.plan(Compose.checked({"prompt": prompt}))
    assert (told["bars"], told["seconds"]) == (bars, seconds)


def test_a_piece_is_not_made_longer_than_can_be_started_from_again(take: Creation, card: ModelCard, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="300 is the most"):
        starter_composer.check(card, Compose(prompt="eight minutes of ambient"))
    long = replace(score_of(take), bars=200)
    assert long.seconds > 600
    tune = tmp_path / "long.mid"
    tune.write_bytes(to_midi(replace(long, parts=(Part("Piano", 0, (Note(0, 1, 60), Note(long.quarters - 1, 1, 64))),))))
    with pytest.raises(InvalidInput, match="ten is the most"):
        starter_composer.check(card, Compose(prompt="x", reference=str(tune)))
    with pytest.raises(InvalidInput, match="is a melody here"):
        starter_composer.check(card, Compose(prompt="x", reference=str(tune), reference_use="continue"))


def test_the_plan_and_the_memory_count_what_is_started_from(take: Creation) -> None:
    more = Compose(prompt="a jazz trio", reference=str(take.path), reference_use="continue", duration=30, seed=1)
    told = starter_composer.plan(more)
    assert (told["bpm"], told["key"], told["loop"]) == (72, "A minor", True)
    other = starter_composer.plan(more.model_copy(update={"reference_use": "cover", "bpm": 100.0, "key": "E minor"}))
    assert (other["bpm"], other["key"]) == (100, "E minor")
    assert starter_composer.working_bytes(more) > starter_composer.working_bytes(more.model_copy(update={"reference": ""}))


def test_all_choices_are_kept_where_top_p_is_0(card: ModelCard) -> None:
    asks: list[Ask] = []

    class Asked(Exception):
        """Nothing more is to be seen."""

    class Watched:
        def lead(self, ask: Ask, report: Report) -> None:
            asks.append(ask)
            raise Asked

    for top_p in (0.0, 0.5):
        task = Compose(prompt="x", seed=1, top_p=top_p)
        with pytest.raises(Asked):
            list(starter_composer.recipe(card, task, Device("cpu")).build({"composer": Watched()})(task, lambda event: None))
    assert [ask.top_p for ask in asks] == [0.0, 0.5]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("words.wav", b"these are words"),
        ("empty.mid", b""),
        ("broken.mid", b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0MTrk\x00\x00\xff\xff\x00"),
        ("lying.wav", bytes.fromhex("52494646ffffffff57415645666d7420100000000100020080bb000000ee02000400100064617461ffffffff")),
    ],
)
def test_a_reference_that_is_no_music_is_refused_in_a_sentence(studio: Studio, tmp_path: Path, name: str, data: bytes) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    for use in ("melody", "trim"):
        with pytest.raises(StudioError) as refused:
            list(studio.run(Compose.checked({"prompt": "x", "reference": str(file), "reference_use": use, "region_end": 1.0})))
        assert str(refused.value).endswith(".") and len(str(refused.value)) < 200


def test_sound_without_notes_is_no_melody_here(studio: Studio, tmp_path: Path) -> None:
    file = tmp_path / "hum.wav"
    file.write_bytes(files.encode(Sound(np.zeros((1, 48_000), np.float32), 48_000), "wav16", files.Tags()))
    with pytest.raises(InvalidInput, match="sound without notes"):
        list(studio.run(Compose.checked({"prompt": "x", "reference": str(file)})))


def test_stopping_ends_it_within_a_step_and_the_studio_goes_on(studio: Studio) -> None:
    running = studio.run(Compose.checked({"prompt": "a long cinematic piece", "duration": 200, "seed": 1}))
    for event in running:
        if isinstance(event, Progress) and event.phase == "running":
            studio.stop()
            break
    with pytest.raises(Cancelled):
        list(running)
    assert made(studio, {"prompt": "a short tune", "duration": 4, "seed": 1}).id


@pytest.mark.parametrize(
    ("misses", "attempts", "best"),
    [((2, 0, 1, 1), 2, 1), ((2, 1, 2, 2), 4, 1), ((1, 1, 1, 1), 4, 0), ((0, 0, 0, 0), 1, 0)],
)
def test_a_take_that_misses_the_brief_is_tried_again_within_the_budget(
    card: ModelCard, monkeypatch: pytest.MonkeyPatch, misses: tuple[int, ...], attempts: int, best: int
) -> None:
    tried: list[int] = []

    def taken(_self: object, task: Compose, seed: int, attempt: int, *_: object) -> tuple[int, Take]:
        tried.append(seed)
        sound = Sound(np.zeros((2, 100), np.float32), 48_000)
        return misses[attempt - 1], Take(sound, task.seed or 0, facts={"attempt": attempt})

    recipe = starter_composer.recipe(card, Compose(prompt="x"), Device("cpu"))
    monkeypatch.setattr(starter_composer._Player, "_take", taken)
    player = recipe.build({"composer": None})
    (take,) = player(Compose(prompt="x", seed=SEED_LIMIT, retries=3), lambda event: None)
    assert isinstance(take, Take)
    assert len(tried) == len(set(tried)) == attempts and max(tried) <= SEED_LIMIT
    assert take.facts == {"attempt": best + 1} and take.seed == SEED_LIMIT == tried[0]


def test_a_replay_from_the_file_alone_gives_identical_samples(studio: Studio, take: Creation, tmp_path: Path) -> None:
    file = tmp_path / "taken-away.flac"
    file.write_bytes(take.path.read_bytes())
    record = replay.read(file, studio.library)
    found = [replay.compare(file, event).words for event in replay.again(studio, record) if isinstance(event, Creation)]
    assert found == ["identical samples"]
