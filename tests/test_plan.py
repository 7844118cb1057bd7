"""Words become a plan: what the rules read, what wins over what, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.errors import InvalidInput
from studio.music import brief, form
from studio.music.genres import genres
from studio.music.instruments import INSTRUMENTS
from studio.music.plan import Plan, read
from studio.tasks import Compose

PRESETS = Path(__file__).parents[1] / "presets"
GENRES = genres(PRESETS)


def plan(prompt: str, **fields: object) -> Plan:
    return read(Compose.checked({"prompt": prompt, "seed": 1, **fields}), GENRES)


SAID: list[tuple[str, dict[str, object]]] = [
    (
        "calm rainy-night lo-fi piano, 72 bpm, A minor, loop",
        {"genre": "lofi", "mood": "calm", "bpm": 72, "key": "A minor", "loop": True, "first": "piano", "bars": 8},
    ),
    ("happy ukulele song in C major", {"mood": "happy", "key": "C major", "first": "guitar"}),
    ("epic orchestral battle music with choir and brass", {"genre": "cinematic", "mood": "epic", "first": "choir", "has": "brass"}),
    ("sad solo violin in D minor, slow", {"mood": "sad", "key": "D minor", "instruments": ["violin"]}),
    ("upbeat funk with slap bass at 108 bpm", {"genre": "funk", "bpm": 108, "has": "slap bass"}),
    ("jazz waltz in F, medium tempo", {"genre": "jazz", "meter": "3/4", "tonic": 5}),
    ("dark techno, 130 BPM, no melody", {"genre": "house", "mood": "dark", "bpm": 130, "hasnt": "melody"}),
    ("8-bit video game boss fight, fast", {"genre": "chiptune"}),
    ("bossa nova with guitar and flute, relaxed", {"genre": "bossa", "mood": "calm", "first": "flute", "has": "guitar"}),
    ("ambient space drone, 60 bpm, forty-five seconds", {"genre": "ambient", "bpm": 60, "seconds": 44}),
    ("ambient space drone, 60 bpm, 2 minutes", {"genre": "ambient", "bpm": 60, "seconds": 120}),
    ("a church hymn in G major for organ", {"genre": "chorale", "key": "G major", "first": "organ"}),
    ("Viennese waltz for strings", {"genre": "waltz", "meter": "3/4", "first": "strings"}),
    ("irish jig in 6/8 with fiddle and tin whistle", {"genre": "folk", "meter": "6/8", "first": "violin", "has": "recorder"}),
    ("a quick jig", {"genre": "folk", "meter": "6/8"}),
    ("hard rock anthem in E minor with distorted guitars", {"genre": "rock", "key": "E minor", "has": "distorted guitar"}),
    ("reggae with organ, B flat major", {"genre": "reggae", "key": "Bb major", "first": "organ"}),
    ("12-bar blues in E, harmonica and piano", {"genre": "blues", "tonic": 4, "first": "harmonica", "has": "piano"}),
    ("piano ballad in F sharp minor, andante", {"genre": "ballad", "key": "F# minor", "bpm": 84, "first": "piano"}),
    ("trap beat 140 bpm no drums", {"genre": "hip hop", "bpm": 140, "hasnt": "drums"}),
    ("chill study beats to relax to", {"genre": "lofi", "mood": "calm"}),
    ("cinematic trailer, building tension, 90 seconds", {"genre": "cinematic", "energy": "rise", "seconds": 90}),
    ("drum and bass 174 bpm", {"genre": "drum and bass", "bpm": 174}),
    ("romantic string quartet in A-flat major", {"genre": "orchestral", "mood": "romantic", "key": "Ab major", "players": 4}),
    ("synthwave night drive, 100 bpm, loop", {"genre": "synthwave", "bpm": 100, "loop": True}),
    ("country song with banjo and acoustic guitar", {"genre": "folk", "first": "banjo", "has": "acoustic guitar"}),
    ("D dorian funk groove", {"genre": "funk", "key": "D dorian"}),
    ("lullaby for music box", {"genre": "ballad", "meter": "6/8", "first": "music box"}),
    ("march in 2/4 for brass band", {"genre": "orchestral", "meter": "2/4", "first": "brass"}),
    ("something in 7/8, tense", {"mood": "tense", "meter": "7/8"}),
    ("tempo 96, key of Eb", {"bpm": 96, "tonic": 3}),
    ("Gm boom bap hip hop, 90bpm", {"genre": "hip hop", "key": "G minor", "bpm": 90}),
    ("smooth jazz saxophone over piano and double bass", {"genre": "jazz", "first": "saxophone", "has": "double bass"}),
    ("house music with electric piano, 124 bpm, 16 bars, loop", {"genre": "house", "bpm": 124, "bars": 16, "has": "electric piano"}),
    ("meditation music, very slow, flute", {"genre": "ambient", "first": "flute"}),
    ("verse chorus verse chorus pop song, uplifting", {"genre": "pop", "mood": "happy", "form": "Verse Chorus Verse Chorus"}),
    ("AABA jazz standard", {"genre": "jazz", "form": "A A B A"}),
    ("I am walking home in a minor mood", {"minor": True}),
    ("a major event: the circus is in town", {"genre": "waltz", "minor": False}),
    ("rock with flute melody over heavy guitar", {"genre": "rock", "first": "flute", "has": "distorted guitar"}),
    ("a sad piece without drums or bass", {"mood": "sad", "minor": True, "hasnt": "drums"}),
    ("a sad piece without drums or bass", {"hasnt": "bass"}),
    ("allegro for harpsichord", {"genre": "orchestral", "bpm": 132, "first": "harpsichord"}),
    ("lo-fi hip hop in C# minor at 80 beats per minute for 45 seconds", {"genre": "lofi", "key": "C# minor", "bpm": 80, "seconds": 45}),
    ("solo piano, nocturne, E-flat major", {"genre": "ballad", "key": "Eb major", "instruments": ["piano", "piano", "piano"]}),
    ("not a loop: a short jingle, 10 seconds", {"genre": "pop", "loop": False}),
    ("F#m", {"key": "F# minor"}),
    ("B♭m ambient", {"genre": "ambient", "key": "Bb minor"}),
    ("eine ruhige Melodie 音楽 🎵", {"meter": "4/4"}),
    ("it was never slow", {"loop": False}),
]


@pytest.mark.parametrize(("prompt", "expected"), SAID, ids=[f"{index} {prompt[:40]}" for index, (prompt, _) in enumerate(SAID)])
def test_the_words_of_a_prompt_are_read(prompt: str, expected: dict[str, object]) -> None:
    made = plan(prompt)
    seen: dict[str, object] = {
        **made.facts(),
        "first": made.players[0].instrument,
        "tonic": made.key.tonic,
        "minor": made.key.minor,
        "players": len(made.players),
        "has": expected.get("has") if expected.get("has") in made.instruments else None,
        "hasnt": expected.get("hasnt") if expected.get("hasnt") not in {player.role for player in made.players} else None,
    }
    if "seconds" in expected:
        bar = made.seconds / made.bars
        assert abs(made.seconds - float(str(expected["seconds"]))) <= bar / 2 + 1e-6
    for name, value in expected.items():
        assert name == "seconds" or seen[name] == value, (name, seen[name])


def test_fields_win_over_words() -> None:
    fields: dict[str, object] = {
        "bpm": 120, "key": "D major", "time_signature": "3/4", "genre": "jazz", "mood": "happy", "instruments": ["flute", "guitar"],
        "form": "Intro A B Outro", "energy": "fall", "duration": 24,
    }  # fmt: skip
    made = plan("sad slow lo-fi piano, 72 bpm, A minor, 4/4, AABA, two minutes, building", **fields)
    assert made.fields() | {"duration": 24} == fields | {"loop": False}
    assert made.bars == 16


def test_words_win_over_the_genre_and_the_genre_over_the_seed() -> None:
    for seed in range(8):
        made = plan("lo-fi in 3/4", seed=seed)
        assert str(made.meter) == "3/4"
        assert GENRES["lofi"].bpm[0] <= made.bpm <= GENRES["lofi"].bpm[1]
        assert made.key.mode in GENRES["lofi"].modes


def test_the_seed_decides_what_nobody_said_and_the_same_seed_decides_the_same() -> None:
    plans = [plan("folk", seed=seed) for seed in range(12)]
    assert plans == [plan("folk", seed=seed) for seed in range(12)]
    assert len({made.key.name for made in plans}) > 3
    assert len({made.bpm for made in plans}) > 3
    assert len({made.instruments for made in plans}) > 3


@pytest.mark.parametrize("name", GENRES)
def test_a_plan_written_into_the_fields_is_read_again(name: str) -> None:
    for seed in range(6):
        for loop in (False, True):
            made = plan("music", genre=name, seed=seed, loop=loop)
            assert plan("music", seed=seed, **made.fields()) == made


@pytest.mark.parametrize("name", GENRES)
def test_a_plan_has_four_to_seven_players_and_the_asked_length(name: str) -> None:
    for seconds in (8, 30, 61.5, 180):
        made = plan("music", genre=name, duration=seconds)
        assert 4 <= len(made.players) <= 7
        assert made.players[0].role == "melody"
        assert abs(made.seconds - seconds) <= made.seconds / made.bars / 2 + 1e-6
        assert sum(section.bars for section in made.sections) == made.bars
        assert json.loads(json.dumps(made.facts()))["bars"] == made.bars


def test_loops_have_four_eight_or_sixteen_bars() -> None:
    for name in GENRES:
        for seed in range(3):
            assert plan("a loop", genre=name, seed=seed).bars in (4, 8, 16)
    assert plan("loop", bpm=120, time_signature="4/4", duration=60).bars == 32


def test_no_piece_is_shorter_than_two_bars() -> None:
    assert plan("lo-fi, 60 bpm", duration=1).bars == 2


def test_moods_move_mode_tempo_density_and_register() -> None:
    happy, sad = plan("happy folk"), plan("sad folk")
    assert not happy.key.minor and sad.key.minor
    assert happy.bpm > sad.bpm
    assert happy.density > sad.density
    assert happy.register > sad.register
    assert plan("slow folk").bpm < plan("fast folk").bpm < plan("very fast folk").bpm


def test_an_energy_curve_shapes_the_sections() -> None:
    rise = [section.energy for section in plan("pop", energy="rise", form="A B C D").sections]
    fall = [section.energy for section in plan("pop", energy="fall", form="A B C D").sections]
    arc = [section.energy for section in plan("pop", energy="arc", form="A A A A A").sections]
    even = {section.energy for section in plan("pop", energy="even", form="A A A A").sections}
    assert rise[0] < rise[-1]
    assert fall[0] > fall[-1]
    assert max(arc) == arc[2] > arc[0]
    assert len(even) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"genre": "polka-core"}, "genre"),
        ({"mood": "beige"}, "mood"),
        ({"instruments": ["piano", "vuvuzela"]}, "instruments"),
        ({"form": "Intro {A} B"}, "form"),
        ({"form": "Intro A B A B A B A Outro", "duration": 4}, "form"),
        ({"form": "A " * 40}, "form"),
        ({"prompt": "fast rock at 500 bpm"}, "prompt"),
        ({"prompt": "rock at 5 bpm"}, "prompt"),
        ({"prompt": "rock in 4/16"}, "prompt"),
        ({"prompt": "an hour: 60 minutes of rain"}, "prompt"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence_with_its_field(fields: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        plan(**({"prompt": "rock"} | fields))  # pyright: ignore[reportArgumentType]
    assert refused.value.field == field
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


def test_an_unknown_instrument_or_genre_is_told_of_known_ones() -> None:
    with pytest.raises(InvalidInput, match="piano"):
        plan("rock", instruments=["vuvuzela"])
    with pytest.raises(InvalidInput, match="lofi"):
        plan("rock", genre="noise")


def test_a_field_takes_other_words_for_an_instrument_and_a_genre() -> None:
    made = plan("music", instruments=["Rhodes", "upright bass", "DRUM KIT"], genre="Lo-Fi")
    assert made.instruments == ("electric piano", "double bass", "drums")
    assert made.genre == "lofi"


def test_the_negative_prompt_takes_instruments_away() -> None:
    assert "drums" in {player.role for player in plan("rock").players}
    assert "drums" not in {player.role for player in plan("rock", negative_prompt="drums").players}
    assert "organ" not in plan("reggae", negative_prompt="organ").instruments


def test_sections_share_out_every_bar() -> None:
    for bars in range(2, 200):
        for loop in (False, True):
            assert sum(length for _, length in form.usual(bars, loop)) == bars
        for order in (("A",), ("A", "B"), ("Intro", "Outro"), ("Intro", "A", "B", "A", "Outro")):
            if bars >= len(order):
                parts = form.shared(order, bars)
                assert [name for name, _ in parts] == list(order)
                assert sum(length for _, length in parts) == bars and all(length > 0 for _, length in parts)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200).filter(lambda text: text.strip()))
def test_any_words_make_a_plan_or_a_sentence(text: str) -> None:
    try:
        made = read(Compose.checked({"prompt": text, "seed": 3}), GENRES)
    except InvalidInput:
        return
    else:
        assert 30 <= made.bpm <= 300 and made.bars >= 2


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from([*INSTRUMENTS, *brief.MOODS, *GENRES, "no", "in", "A", "minor", "loop", "solo", "slow", "120 bpm"]),
        min_size=1,
        max_size=8,
    )
)
def test_any_known_words_together_make_a_playable_plan(words: list[str]) -> None:
    made = plan(" ".join(words))
    assert 1 <= len(made.players) <= 7


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("bpm = [68, 88]", "bpm = [88, 68]"), "bpm"),
        (('modes = ["minor"', 'modes = ["jazzy"'), "mode jazzy"),
        (('"electric piano, ', '"'), "lofi.toml"),
        (("R-------|", "R---Q---|"), "no pattern"),
        (("rim ", "rimm "), "no pattern"),
        (("i iv7 ", "i H7 "), "H7"),
        (('role = "bass"', 'role = "solo"'), "role"),
        (("swing = 0.58", "swing = 0.1"), "swing"),
        (("swing = 0.58", "swings = 0.58"), "swings"),
        (('title = "Lo-fi"', "title = "), "lofi.toml"),
    ],
)
def test_a_broken_genre_preset_is_named_with_what_is_wrong(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    folder = tmp_path / "music" / "genres"
    folder.mkdir(parents=True)
    text = (PRESETS / "music" / "genres" / "lofi.toml").read_text("utf-8")
    broken = text.replace(*change)
    if broken == text:
        broken = text + "nonsense"
    (folder / "lofi.toml").write_text(broken, "utf-8")
    with pytest.raises(InvalidInput, match=words) as refused:
        genres(tmp_path)
    assert "lofi.toml" in str(refused.value)


def test_there_are_the_genres_that_the_studio_promises() -> None:
    promised = {"lofi", "jazz", "electronic", "ambient", "cinematic", "orchestral", "folk", "chorale", "rock", "chiptune", "waltz", "bossa"}
    assert promised <= set(GENRES)
    assert {GENRES[name].bank for name in ("electronic", "lofi", "ambient", "chiptune")} == {"synth"}
