"""Scores as one line of text: everything comes back, nothing hostile does harm, cutting and joining lose no note."""

from __future__ import annotations

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import MediaUnreadable
from studio.music.packed import cut, joined, pack, settled, unpack
from studio.music.score import Chord, Key, Meter, Note, Part, Score, Section

NOTES = st.builds(
    Note,
    st.integers(0, 16 * 960).map(lambda tick: tick / 960),
    st.integers(1, 4000).map(lambda tick: tick / 960),
    st.integers(0, 127),
    st.integers(1, 127),
)
PARTS = st.builds(
    Part, st.sampled_from(["Piano", "Bass", "Drums"]), st.integers(0, 127), st.lists(NOTES).map(lambda n: tuple(sorted(n))), st.booleans()
)


def score(*parts: Part) -> Score:
    chords = (Chord(0, 8, 9, "m7"), Chord(8, 8, 5, "maj7", 0))
    return Score(72.5, Key.read("A minor"), Meter(4, 4), 4, parts, chords, (Section("A", 0, 2), Section("B", 2, 2, 0.9)))


@given(st.lists(PARTS, max_size=3))
def test_a_packed_score_comes_back_whole(parts: list[Part]) -> None:
    assert unpack(pack(score(*parts))) == score(*parts)


def test_settling_twice_changes_nothing_more() -> None:
    uneven = score(Part("Piano", 0, (Note(0.33333, 0.1111, 60), Note(1 / 7, 2.0, 64))))
    assert settled(settled(uneven)) == settled(uneven) != uneven


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: base64.b85encode(data).decode()))
def test_other_text_is_refused_in_a_sentence(line: str) -> None:
    with pytest.raises(MediaUnreadable, match="choose another file"):
        unpack(line)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.__setitem__(0, 2),
        lambda v: v.__setitem__(1, 1e9),
        lambda v: v.__setitem__(4, 10**9),
        lambda v: v[5][0].__setitem__(6, [0, 1, 60]),
        lambda v: v[5][0].__setitem__(6, [0, 1, 600, 90]),
        lambda v: v[6].append([0, 1, 0, "no chord", None]),
        lambda v: v[3].__setitem__(0, "4"),
        lambda v: v[3].__setitem__(1, 3),
        lambda v: v[5][0].__setitem__(4, float("nan")),
        lambda v: v[5][0].__setitem__(5, float("inf")),
        lambda v: v[6][0].__setitem__(0, -960),
        lambda v: v[7][0].__setitem__(3, float("nan")),
    ],
)
def test_values_out_of_range_are_refused(change: object) -> None:
    values = json.loads(zlib.decompress(base64.b85decode(pack(score(Part("Piano", 0, (Note(0, 1, 60),)))))))
    change(values)  # pyright: ignore[reportCallIssue]
    with pytest.raises(MediaUnreadable):
        unpack(base64.b85encode(zlib.compress(json.dumps(values).encode())).decode())


def test_a_bomb_does_not_go_off() -> None:
    with pytest.raises(MediaUnreadable):
        unpack(base64.b85encode(zlib.compress(b"[" * 50_000_000)).decode())


@given(st.lists(PARTS, max_size=3, unique_by=lambda part: part.name), st.integers(1, 3))
def test_cutting_and_joining_keep_every_note(parts: list[Part], bar: int) -> None:
    whole = score(*(Part(p.name, p.program, tuple(n for n in p.notes if n.start < 16), p.drums) for p in parts))
    again = joined(cut(whole, 0, bar), cut(whole, bar, 4 - bar))
    kept = {p.name: sorted((round(n.start * 960), n.pitch, n.velocity) for n in p.notes) for p in again.parts}
    assert kept == {p.name: sorted((round(n.start * 960), n.pitch, n.velocity) for n in p.notes) for p in whole.parts}
    assert again.bars == whole.bars and sum(s.bars for s in again.sections) == 4
    assert sum(c.length for c in again.chords) == pytest.approx(16)
