"""The composing model as it is shipped: what an arranger may rely on."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.creations import Preview, Progress
from studio.errors import Cancelled, InvalidInput
from studio.music.composer import Ask, Composer
from studio.music.meters import writing
from studio.music.score import MODES, Chord, Lead, Meter, Section

WEIGHTS = Path(__file__).parent.parent / "assets" / "composer"
METERS = ("4/4", "3/4", "2/4", "6/8", "9/8", "12/8", "2/2", "3/8", "5/4", "7/8", "6/4", "11/8")


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer.load(WEIGHTS)


def form(*sections: tuple[str, int]) -> tuple[Section, ...]:
    made: list[Section] = []
    for name, bars in sections:
        made.append(Section(name, sum(section.bars for section in made), bars))
    return tuple(made)


ABA = form(("A", 8), ("B", 8), ("A", 8))


def melody(lead: Lead, first: int, bars: int) -> list[tuple[float, float, int]]:
    """The notes of some bars, from their beginning on."""
    begin, end = first * lead.meter.bar, (first + bars) * lead.meter.bar
    return [(round(note.start - begin, 6), note.length, note.pitch) for note in lead.notes if begin - 1e-6 <= note.start < end - 1e-6]


def asks() -> Iterator[Ask]:
    for at, meter in enumerate(METERS):
        yield Ask(form(("A", 5), ("B", 7)), tuple(MODES)[at % len(MODES)], Meter.read(meter), density=at % 6 / 5, seed=at)


def test_the_same_ask_gives_the_same_lead(composer: Composer) -> None:
    assert composer.lead(Ask(ABA, seed=3)) == composer.lead(Ask(ABA, seed=3))
    assert Composer.load(WEIGHTS).lead(Ask(ABA, seed=3)) == composer.lead(Ask(ABA, seed=3))


def test_another_seed_gives_another_melody(composer: Composer) -> None:
    melodies = {tuple(note.pitch for note in composer.lead(Ask(form(("A", 8)), seed=seed)).notes) for seed in range(5)}
    assert len(melodies) == 5


@pytest.mark.parametrize("ask", list(asks()), ids=METERS)
def test_bars_are_exact_in_every_meter(composer: Composer, ask: Ask) -> None:
    lead = composer.lead(ask)
    total = 12 * ask.meter.bar
    assert lead.bars == 12 and lead.sections == ask.sections and sum(writing(ask.meter).lengths) > 0
    ends = [note.start + note.length for note in lead.notes]
    assert all(end <= after.start + 1e-6 for end, after in zip(ends, lead.notes[1:], strict=False))
    assert ends[-1] == pytest.approx(total) and lead.notes[0].start >= 0
    assert all(note.length > 0 and ask.lowest - 1 <= note.pitch <= ask.highest + 1 and 1 <= note.velocity <= 127 for note in lead.notes)
    at = 0.0
    for chord in lead.chords:
        assert chord.start == pytest.approx(at) and chord.length > 0
        at = chord.start + chord.length
    assert at == pytest.approx(total)


@pytest.mark.parametrize(
    "mode", [pytest.param(mode, marks=pytest.mark.thorough if number > 1 else ()) for number, mode in enumerate(MODES)]
)
def test_pieces_end_on_the_tonic_and_stay_in_their_scale(composer: Composer, mode: str) -> None:
    foreign = notes = 0
    for seed in range(4):
        lead = composer.lead(Ask(form(("A", 8), ("B", 8)), mode, seed=seed))
        assert lead.chords[-1].root == 0 and lead.chords[-1].pitches[1] == MODES[mode][2]
        assert lead.notes[-1].pitch % 12 == 0 and lead.notes[-1].length >= 1
        leading = {11} if mode == "minor" else set[int]()
        foreign += sum(note.pitch % 12 not in {*MODES[mode], *leading} for note in lead.notes)
        notes += len(lead.notes)
    assert foreign <= 0.05 * notes


def test_nothing_leaves_the_scale_where_that_is_forbidden(composer: Composer) -> None:
    lead = composer.lead(Ask(ABA, outside=0, temperature=1.5, top_p=1))
    tones = {pitch for chord in lead.chords for pitch in chord.pitches}
    assert {note.pitch % 12 for note in lead.notes} <= {*MODES["major"], *tones}


def test_sections_of_one_name_repeat_up_to_their_last_bar(composer: Composer) -> None:
    lead = composer.lead(Ask(ABA, seed=8))
    assert melody(lead, 0, 7) == melody(lead, 16, 7)
    assert melody(lead, 0, 7) != melody(lead, 8, 7)
    again = composer.lead(Ask(form(("Verse 1", 8), ("Chorus", 8), ("Verse 2", 8), ("Chorus", 8)), seed=8, close=False))
    assert melody(again, 0, 8) == melody(again, 16, 8)
    assert melody(again, 8, 7) == melody(again, 24, 7)


def test_given_progressions_are_kept_and_closed(composer: Composer) -> None:
    turn = (Chord(0, 4, 2, "m9"), Chord(4, 4, 7, "9"), Chord(8, 8, 0, "maj7"))
    lead = composer.lead(Ask(form(("A", 8), ("B", 6)), chords={"A": turn}, seed=2))
    assert [(chord.start, chord.root, chord.quality) for chord in lead.chords if chord.start < 32][:6] == [
        (0, 2, "m9"), (4, 7, "9"), (8, 0, "maj7"), (16, 2, "m9"), (20, 7, "9"), (24, 0, "maj7"),
    ]  # fmt: skip
    loop = (Chord(0, 2, 9, "m7"), Chord(2, 2, 5, "maj7"), Chord(4, 4, 7))
    ended = composer.lead(Ask(form(("A", 4)), chords={"": loop}))
    assert (ended.chords[-1].root, ended.chords[-1].start, ended.notes[-1].pitch % 12) == (0, 12, 0)
    open_end = composer.lead(Ask(form(("A", 4)), chords={"": loop}, close=False))
    assert (open_end.chords[-1].root, open_end.chords[-1].length) == (7, 4)


def test_given_chords_are_heard_in_the_melody(composer: Composer) -> None:
    def share(quality: str, root: int) -> float:
        chords = (Chord(0, 4, root, quality),)
        lead = composer.lead(Ask(form(("A", 8), ("B", 8)), chords={"": chords}, seed=4, close=False, outside=1))
        tones = chords[0].pitches
        strong = [note for note in lead.notes if note.start % 2 == 0]
        return sum(note.pitch % 12 in tones for note in strong) / len(strong)

    assert min(share("", 0), share("", 5), share("", 7), share("m", 9)) > 0.5


def test_density_decides_how_many_notes_there_are(composer: Composer) -> None:
    counts = [
        sum(len(composer.lead(Ask(form(("A", 16)), density=density, seed=seed)).notes) for seed in range(3)) for density in (0, 0.5, 1)
    ]
    assert counts[0] < 0.75 * counts[1] < 0.75 * counts[2]


def test_a_lead_is_at_least_ten_times_faster_than_it_sounds(composer: Composer) -> None:
    ask = Ask(form(("A", 8), ("B", 8), ("C", 8), ("D", 8)), seed=1)
    began = time.process_time()
    composer.lead(ask)
    assert time.process_time() - began < ask.bars * 4 * 60 / 100 / 10


def test_it_reports_every_bar_and_stops_there(composer: Composer) -> None:
    seen: list[float] = []

    def report(event: Progress | Preview) -> None:
        assert isinstance(event, Progress)
        seen.append(event.done)
        if event.done == 3 and len(seen) < 4:
            raise Cancelled

    with pytest.raises(Cancelled):
        composer.lead(Ask(ABA), report)
    assert seen == [1, 2, 3]
    seen += [0]
    composer.lead(Ask(ABA), report)
    assert seen[4:] == list(range(1, 25))


def test_a_long_piece_outlasts_what_the_model_remembers(composer: Composer) -> None:
    lead = composer.lead(Ask(form(*((f"part {chr(97 + at)}", 8) for at in range(12))), density=0.9))
    assert len(lead.notes) > 512 and lead.bars == 96 and lead.notes[-1].pitch % 12 == 0


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (Ask(()), "form"),
        (Ask((Section("A", 4, 4),)), "form"),
        (Ask((Section("A", 0, 0),)), "form"),
        (Ask((Section("A", 0, 100_000),)), "form"),
        (Ask(ABA, mode="locrian"), "key"),
        (Ask(ABA, family="techno"), "genre"),
        (Ask(ABA, temperature=0), "temperature"),
        (Ask(ABA, temperature=float("nan")), "temperature"),
        (Ask(ABA, lowest=60, highest=64), ""),
        (Ask(ABA, chords={"": ()}), "form"),
    ],
)
def test_what_contradicts_itself_is_refused_by_field(composer: Composer, ask: Ask, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        composer.lead(ask)
    assert refused.value.field == field


def test_composing_needs_no_torch() -> None:
    code = "import sys; from pathlib import Path; from studio.music.composer import Ask, Composer; from studio.music.score import Section\n"
    code += f"Composer.load(Path({str(WEIGHTS)!r})).lead(Ask((Section('A', 0, 2),))); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=WEIGHTS.parent.parent)
    assert done.stdout.strip() == "False"


def test_missing_weights_are_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Composer.load(tmp_path)
