"""A lead becomes a piece: every genre in its key, its ranges and its groove, the same from the same seed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from studio.music.arrange import arrange, ask
from studio.music.chords import coloured, progression, voicing, within
from studio.music.composer import Ask
from studio.music.genres import Groove, genres
from studio.music.instruments import INSTRUMENTS
from studio.music.patterns import laid
from studio.music.plan import Plan, read
from studio.music.score import MODES, Chord, Lead, Meter, Note, Part, Score
from studio.music.touch import settled, swung
from studio.tasks import Compose

GENRES = genres(Path(__file__).parents[1] / "presets")
TUNE = ((0, 1.0), (2, 0.5), (4, 0.5), (3, 1.0), (1, 1.0), (2, 1.5), (5, 0.5), (4, 1.0), (-1, 1.0), (0, 2.0))
"""A tune by hand: (degree of the scale, quarter notes)."""


def lead_for(asked: Ask, strange: int = 0) -> Lead:
    """The tune over and over, with the chords that were asked for; `strange` semitones off the scale on every tenth note."""
    scale, bar = MODES[asked.mode], asked.meter.bar
    total = asked.bars * bar
    notes: list[Note] = []
    time = 0.0
    while time < total - 1e-6:
        degree, length = TUNE[len(notes) % len(TUNE)]
        pitch = 72 + 12 * (degree // 7) + scale[degree % 7] + (strange if len(notes) % 10 == 4 else 0)
        notes.append(Note(time, min(length, total - time), pitch))
        time += length
    chords: list[Chord] = []
    for section in asked.sections:
        given = asked.chords.get(section.name) or progression("i VI III VII" if scale[2] == 3 else "I vi IV V", asked.mode, bar)
        span, place = given[-1].start + given[-1].length, 0.0
        while place < section.bars * bar - 1e-6:
            chords += [
                replace(chord, start=section.bar * bar + place + chord.start)
                for chord in given
                if place + chord.start < section.bars * bar - 1e-6
            ]
            place += span
    return Lead(asked.mode, asked.meter, asked.bars, tuple(notes), tuple(chords), asked.sections)


def piece(genre: str, seed: int = 1, strange: int = 0, **fields: object) -> tuple[Plan, Score]:
    plan = read(Compose.checked({"prompt": "music", "genre": genre, "seed": seed, **fields}), GENRES)
    return plan, arrange(plan, lead_for(ask(plan, GENRES[genre], seed), strange), GENRES[genre], seed)


def pitched(score: Score) -> list[Part]:
    return [part for part in score.parts if not part.drums]


def role(plan: Plan, score: Score, name: str) -> list[Part]:
    return [part for player, part in zip(plan.players, score.parts, strict=True) if player.role == name]


@pytest.mark.parametrize("name", GENRES)
def test_a_piece_has_four_to_seven_parts_that_all_play(name: str) -> None:
    for seed in range(4):
        plan, score = piece(name, seed)
        assert 4 <= len(score.parts) <= 7
        assert all(part.notes for part in score.parts), [part.name for part in score.parts if not part.notes]
        assert len({part.name for part in score.parts}) == len(score.parts)
        assert (score.bpm, score.key, score.meter, score.bars) == (plan.bpm, plan.key, plan.meter, plan.bars)


@pytest.mark.parametrize("name", GENRES)
def test_the_same_seed_makes_the_same_piece_and_another_one_another(name: str) -> None:
    assert piece(name, 5)[1] == piece(name, 5)[1]
    plan = read(Compose.checked({"prompt": "music", "genre": name, "seed": 5}), GENRES)
    lead = lead_for(ask(plan, GENRES[name], 5))
    assert arrange(plan, lead, GENRES[name], 5).parts != arrange(plan, lead, GENRES[name], 6).parts


@pytest.mark.parametrize("name", [name for name, genre in GENRES.items() if not genre.outside])
def test_notes_keep_to_the_key(name: str) -> None:
    for seed in range(3):
        for strange in (0, 1):
            _, score = piece(name, seed, strange)
            notes = [note for part in pitched(score) for note in part.notes]
            outside = sum(note.pitch % 12 not in score.key.scale for note in notes)
            assert outside <= 0.05 * len(notes)


@pytest.mark.parametrize("name", GENRES)
@pytest.mark.parametrize("loop", [False, True])
def test_notes_are_playable_and_none_overlaps_its_like(name: str, loop: bool) -> None:
    for seed in range(3):
        plan, score = piece(name, seed, loop=loop)
        for player, part in zip(plan.players, score.parts, strict=True):
            instrument = INSTRUMENTS[player.instrument]
            latest: dict[int, float] = defaultdict(lambda: -1.0)
            for note in part.notes:
                assert instrument.low <= note.pitch <= instrument.high
                assert note.length > 0 and 1 <= note.velocity <= 127
                assert 0 <= note.start < score.quarters
                assert note.start + note.length <= score.quarters + 1e-6
                assert note.start >= latest[note.pitch] - 1e-9
                latest[note.pitch] = note.start + note.length


@pytest.mark.parametrize("name", GENRES)
def test_the_bass_lies_under_the_melody_and_the_melody_is_louder_than_the_chords(name: str) -> None:
    plan, score = piece(name, 2)
    melody = score.parts[0]
    lowest = min(note.pitch for note in melody.notes)
    for part in role(plan, score, "bass"):
        assert max(note.pitch for note in part.notes) < lowest

    def loudness(part: Part) -> float:
        return part.volume * sum(note.velocity for note in part.notes) / len(part.notes)

    for part in (*role(plan, score, "chords"), *role(plan, score, "pad"), *role(plan, score, "arpeggio"), *role(plan, score, "counter")):
        assert loudness(part) < loudness(melody), part.name


@pytest.mark.parametrize("name", GENRES)
def test_a_piece_ends_on_a_chord_of_its_tonic_that_rings_to_the_last_moment(name: str) -> None:
    _, score = piece(name, 3)
    last = score.quarters - score.meter.bar
    assert score.chords[-1].root == score.key.tonic
    ending = [note for part in pitched(score) for note in part.notes if note.start + note.length >= score.quarters - 0.02]
    assert len(ending) >= 2
    assert score.key.tonic in {note.pitch % 12 for note in ending}
    assert not [note for part in score.parts if part.drums for note in part.notes if note.start > last + 0.2]


@pytest.mark.parametrize("name", GENRES)
def test_a_loop_leads_back_to_its_beginning(name: str) -> None:
    for seed in range(3):
        _, score = piece(name, seed, loop=True)
        assert score.chords[-1].root != score.chords[0].root
        assert all(part.notes[0].start < 2 * score.meter.bar * (score.bars // 2) for part in score.parts)


def test_a_loop_on_one_chord_turns_away_before_it_begins_again() -> None:
    plan = read(
        Compose.checked({"prompt": "music", "genre": "pop", "key": "C major", "loop": True, "seed": 1, "duration": 8, "bpm": 120}), GENRES
    )
    lead = Lead("major", plan.meter, 4, (Note(0, 4, 67), Note(12, 4, 67)), (Chord(0, 16, 0),))
    score = arrange(plan, lead, GENRES["pop"], 1)
    assert score.chords[0].root == 0
    assert score.chords[-1].root == 7 and score.chords[-1].start == 14


@pytest.mark.parametrize("meter", ["2/4", "3/4", "5/4", "6/8", "7/8", "9/8", "12/8", "3/8", "2/2"])
def test_every_genre_plays_in_every_meter(meter: str) -> None:
    for name in GENRES:
        _, score = piece(name, 1, time_signature=meter)
        assert str(score.meter) == meter
        assert score.bars >= 2
        for part in score.parts:
            assert part.notes and part.notes[-1].start < score.quarters


def test_sections_of_little_energy_are_thinner_and_softer() -> None:
    plan, score = piece("rock", 1, form="Intro A B Outro", duration=60, energy="even")

    def inside(part: Part, place: int) -> list[int]:
        section = score.sections[place]
        begin, end = section.bar * 4 - 0.05, (section.bar + section.bars) * 4 - 0.05
        return [note.velocity for note in part.notes if begin <= note.start < end]

    playing = [sum(bool(inside(part, place)) for part in score.parts) for place in range(3)]
    assert playing[0] < playing[1] <= playing[2]
    (bass,) = role(plan, score, "bass")
    force = [sum(inside(bass, place)) / len(inside(bass, place)) for place in range(3)]
    assert force[0] < force[1] < force[2]


def test_drums_fill_before_the_next_section() -> None:
    plan, score = piece("rock", 1, form="A B", duration=40)
    (drums,) = role(plan, score, "drums")
    bars: dict[int, list[int]] = defaultdict(list)
    for note in drums.notes:
        bars[int((note.start + 0.03) // 4)].append(note.pitch)
    assert {45, 47, 50} <= set(bars[score.sections[0].bars - 1])
    assert not {45, 47, 50} & set(bars[1])
    assert 49 in bars[score.sections[1].bar]


def test_jazz_swings_and_rock_does_not() -> None:
    def places(genre: str) -> set[float]:
        plan, score = piece(genre, 1)
        (drums,) = role(plan, score, "drums")
        return {round(note.start % 1, 1) for note in drums.notes}

    assert 0.6 in places("jazz") and 0.5 not in places("jazz")
    assert 0.5 in places("rock") and 0.6 not in places("rock")


def test_swing_moves_the_second_of_two_and_nothing_else() -> None:
    notes = [Note(0, 0.5, 60), Note(0.5, 0.5, 62), Note(1, 1, 64)]
    assert swung(notes, 0.6, 0.5) == [Note(0, 0.6, 60), Note(0.6, 0.4, 62), Note(1, 1, 64)]
    assert swung(notes, 0.5, 0.5) == notes


def test_notes_of_one_pitch_give_way_to_the_next() -> None:
    assert settled([Note(0, 2, 60), Note(1, 9, 60)], 4) == (Note(0, 0.995, 60), Note(1, 3, 60))
    assert settled([Note(0, 2, 60), Note(0, 1, 60), Note(4, 1, 60)], 4) == (Note(0, 2, 60),)


def test_progressions_are_read_in_their_mode() -> None:
    found = progression("i iv7 VI,V7 bII", "minor", 4)
    assert [(chord.start, chord.length, chord.root, chord.quality) for chord in found] == [
        (0, 4, 0, "m"), (4, 4, 5, "m7"), (8, 2, 8, ""), (10, 2, 7, "7"), (12, 4, 1, ""),
    ]  # fmt: skip


def test_chords_take_the_colours_of_the_scale() -> None:
    scale = (0, 2, 4, 5, 7, 9, 11)
    plain = [Chord(0, 4, root, quality) for root, quality in ((0, ""), (2, "m"), (7, ""), (11, "dim"))]
    assert [coloured(chord, scale, "ninth").quality for chord in plain] == [
        "maj9", "m9", "9", "m7b5",
    ]  # fmt: skip
    assert coloured(Chord(0, 4, 4, "m"), scale, "ninth").quality == "m7"
    assert within(Chord(0, 4, 2, ""), scale).quality == "m"
    assert within(Chord(0, 4, 1, "m"), scale).root == 0


def test_voicings_move_little_and_stay_in_range() -> None:
    before: tuple[int, ...] = ()
    for chord in progression("I vi IV V I", "major", 4):
        notes = voicing(chord, before, 50, 72, 4)
        assert all(50 <= note <= 72 for note in notes)
        assert set(chord.pitches) == {note % 12 for note in notes}
        if before:
            assert sum(abs(one - other) for one, other in zip(notes, before, strict=True)) <= 10
        before = notes


def test_grooves_of_four_beats_fill_other_bars() -> None:
    groove = Groove(steps="x...o...x...o...")

    def places(meter: str) -> list[float]:
        return [step.start for step in laid(groove.rows[0][1], groove, Meter(4, 4), Meter.read(meter), 0, 1)]

    assert places("4/4") == [0, 1, 2, 3]
    assert places("3/4") == [0, 1, 2]
    assert places("5/4") == [0, 1, 2, 3, 4]
    assert places("6/8") == [0, 1.5]
    assert places("7/8") == [0, 1, 2]


def test_what_is_asked_of_the_composer_fits_the_plan() -> None:
    for name, genre in GENRES.items():
        for tonic in ("C", "F#", "B", "Eb"):
            plan = read(Compose.checked({"prompt": "music", "genre": name, "key": f"{tonic} minor", "seed": 4}), GENRES)
            asked = ask(plan, genre, 4)
            assert (asked.bars, asked.mode, asked.meter, asked.close) == (plan.bars, "minor", plan.meter, True)
            assert 48 <= asked.lowest <= asked.highest - 16 <= 91 - 16
            for section in plan.sections:
                for chord in asked.chords.get(section.name, ()):
                    assert chord.start + chord.length <= section.bars * plan.meter.bar + 1e-6


def test_a_lead_of_another_length_is_arranged_whole() -> None:
    plan = read(Compose.checked({"prompt": "music", "genre": "folk", "seed": 1, "bpm": 120, "duration": 30}), GENRES)
    lead = lead_for(replace(ask(plan, GENRES["folk"], 1), sections=(replace(plan.sections[0], bars=21),)))
    score = arrange(plan, lead, GENRES["folk"], 1)
    assert score.bars == 21 == sum(section.bars for section in score.sections)


def test_a_lead_without_notes_or_chords_still_makes_a_piece() -> None:
    plan = read(Compose.checked({"prompt": "music", "genre": "lofi", "seed": 1}), GENRES)
    score = arrange(plan, Lead(plan.key.mode, plan.meter, plan.bars, (), ()), GENRES["lofi"], 1)
    assert all(part.notes for part in score.parts)


def test_only_the_instruments_of_the_field_play() -> None:
    plan, score = piece("jazz", instruments=["violin", "cello"])
    assert [part.name for part in score.parts] == ["Violin", "Cello"]
    assert plan.instruments == ("violin", "cello")
