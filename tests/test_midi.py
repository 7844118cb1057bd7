"""Scores as MIDI files: everything is in them, and strangers' files are read or refused in one sentence."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.errors import MediaUnreadable
from studio.music import smf
from studio.music.midi import from_midi, key_of, to_midi
from studio.music.score import Chord, Key, Meter, Note, Part, Score, Section

MELODY = tuple(Note(step * 0.5, 0.5, 69 + (0, 2, 3, 5, 7, 5, 3, 2)[step % 8], 100) for step in range(32))
BASS = tuple(Note(bar * 4.0, 4.0, pitch, 70) for bar, pitch in enumerate((45, 38, 45, 40)))
CHORDS = tuple(
    Note(bar * 4.0, 4.0, pitch, 60) for bar, triad in enumerate(((57, 60, 64), (57, 62, 65), (57, 60, 64), (55, 59, 64))) for pitch in triad
)
SCORE = Score(
    72.5,
    Key.read("A minor"),
    Meter(4, 4),
    4,
    (
        Part("Piano", 0, MELODY, pan=0.5),
        Part("Strings", 48, CHORDS, volume=0.5, pan=-1),
        Part("Bass", 33, BASS),
        Part("Drums", 0, tuple(Note(float(beat), 0.2, 36) for beat in range(16)), drums=True),
    ),
    (Chord(0, 16, 9, "m"),),
    (Section("Intro", 0, 1), Section("A", 1, 3)),
)


def opened(data: bytes) -> mido.MidiFile:
    return mido.MidiFile(file=io.BytesIO(data), charset="utf-8")


def test_a_file_holds_tempo_meter_key_and_sections_in_its_first_track() -> None:
    file = opened(to_midi(SCORE, "Rain – 雨"))
    first = {message.type: message for message in file.tracks[0]}
    assert file.type == 1
    assert first["track_name"].name == "Rain – 雨"
    assert mido.tempo2bpm(first["set_tempo"].tempo) == pytest.approx(72.5, abs=0.001)
    assert (first["time_signature"].numerator, first["time_signature"].denominator) == (4, 4)
    assert first["key_signature"].key == "Am"
    assert [message.text for message in file.tracks[0] if message.type == "marker"] == ["Intro", "A"]


def test_a_track_an_instrument_with_its_name_program_and_notes() -> None:
    file = opened(to_midi(SCORE))
    for part, track in zip(SCORE.parts, file.tracks[1:], strict=True):
        assert track.name == part.name
        channels = {message.channel for message in track if not message.is_meta}
        assert (channels == {9}) == part.drums and len(channels) == 1
        assert [message.program for message in track if message.type == "program_change"] == [part.program]
        now, sounding, notes = 0, {}, []
        for message in track:
            now += message.time
            if message.type == "note_on":
                assert message.note not in sounding
                sounding[message.note] = (now, message.velocity)
            elif message.type == "note_off":
                start, velocity = sounding.pop(message.note)
                notes.append(Note(start / 480, (now - start) / 480, message.note, velocity))
        assert not sounding
        assert sorted(notes) == sorted(
            replace(note, start=round(note.start * 480) / 480, length=round(note.length * 480) / 480) for note in part.notes
        )


def test_a_file_is_as_long_as_its_bars_and_the_same_score_makes_the_same_bytes() -> None:
    data = to_midi(SCORE, "Rain")
    assert data == to_midi(SCORE, "Rain")
    assert opened(data).length == pytest.approx(SCORE.seconds, abs=0.01)


@pytest.mark.parametrize(("meter", "bpm", "quarters"), [("6/8", 60, 90), ("3/4", 60, 60), ("2/2", 60, 120), ("7/8", 120, 60)])
def test_the_tempo_counts_quarters_in_the_file_and_beats_in_the_score(meter: str, bpm: float, quarters: float) -> None:
    score = replace(SCORE, meter=Meter.read(meter), bpm=bpm)
    tempo = next(message.tempo for message in opened(to_midi(score)).tracks[0] if message.type == "set_tempo")
    assert mido.tempo2bpm(tempo) == pytest.approx(quarters)
    heard = from_midi(to_midi(score))
    assert (heard.bpm, heard.lead.meter) == (pytest.approx(bpm, abs=0.01), Meter.read(meter))


@pytest.mark.parametrize(
    ("key", "signature"), [("F# major", "F#"), ("D dorian", "C"), ("E phrygian", "C"), ("G mixolydian", "C"), ("Bb minor", "Bbm")]
)
def test_every_mode_has_a_key_signature(key: str, signature: str) -> None:
    file = opened(to_midi(replace(SCORE, key=Key.read(key))))
    assert next(message.key for message in file.tracks[0] if message.type == "key_signature") == signature


def test_twenty_parts_share_the_channels_and_leave_the_drums_theirs() -> None:
    score = replace(SCORE, parts=tuple(Part(f"Part {number}", 0, MELODY) for number in range(20)))
    file = opened(to_midi(score))
    assert len(file.tracks) == 21
    assert 9 not in {message.channel for track in file.tracks for message in track if not message.is_meta}


def test_a_file_gives_its_melody_in_c_with_tempo_key_and_chords() -> None:
    heard = from_midi(to_midi(SCORE))
    assert heard.bpm == pytest.approx(72.5, abs=0.001)
    assert heard.key.name == "A minor" and heard.track == "Piano"
    assert (heard.lead.mode, heard.lead.bars, heard.lead.meter) == ("minor", 4, Meter(4, 4))
    assert [(note.start, note.length, note.pitch) for note in heard.lead.notes] == [
        (note.start, note.length, note.pitch + 3) for note in MELODY
    ]
    assert [(chord.start, chord.length) for chord in heard.lead.chords] == [(bar * 4.0, 4.0) for bar in range(4)]
    assert [(chord.root, chord.quality) for chord in heard.lead.chords[:3]] == [(0, "m"), (5, "m"), (0, "m")]


def test_the_melody_is_the_top_line_from_its_first_bar_on() -> None:
    late = tuple(replace(note, start=note.start + 8) for note in MELODY)
    doubled = tuple(sorted((*late, *(replace(note, pitch=note.pitch - 4) for note in late))))
    heard = from_midi(to_midi(replace(SCORE, bars=6, parts=(Part("Melody", 0, doubled), *SCORE.parts[2:]))))
    assert [note.pitch for note in heard.lead.notes] == [note.pitch + 3 for note in MELODY]
    assert heard.lead.notes[0].start == 0 and heard.lead.bars == 4


def test_keys_are_told_by_their_profile() -> None:
    for name in ("C major", "F# minor", "Eb major", "Bb minor"):
        key = Key.read(name)
        weights = [0.0] * 12
        for place, pitch in enumerate(key.scale):
            weights[pitch] = (5, 1, 3, 2, 4, 1, 1)[place]
        assert key_of(weights) == key
    assert key_of([0.0] * 12).mode in ("major", "minor")


def chunk(body: bytes, kind: bytes = b"MTrk") -> bytes:
    return kind + len(body).to_bytes(4, "big") + body


HEAD = chunk(bytes([0, 1, 0, 1, 1, 224]), b"MThd")
NOTE = bytes([0, 0x90, 60, 90, 96, 0x80, 60, 0])
END = bytes([0, 0xFF, 0x2F, 0])
BAD = {
    "nothing": b"",
    "text": b"do re mi fa so la ti do",
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "header only": HEAD,
    "half a header": HEAD[:10],
    "header that lies": b"MThd\xff\xff\xff\xff" + HEAD[8:] + chunk(NOTE),
    "no notes": HEAD + chunk(END),
    "no tracks but another chunk": HEAD + chunk(b"hello", b"XFIH"),
    "track that lies": HEAD + b"MTrk\x7f\xff\xff\xff" + NOTE,
    "cut short": HEAD + chunk(NOTE * 4)[:-3],
    "division 0": chunk(bytes([0, 1, 0, 1, 0, 0]), b"MThd") + chunk(NOTE),
    "tempo 0": HEAD + chunk(bytes([0, 0xFF, 0x51, 3, 0, 0, 0]) + NOTE),
    "running status without status": HEAD + chunk(bytes([0, 60, 90, 0, 61, 90])),
    "data above 127": HEAD + chunk(bytes([0, 0x90, 200, 90])),
    "endless delta": HEAD + chunk(b"\xff" * 40),
    "real-time junk": HEAD + chunk(bytes([0, 0xF8, 0, 0xFE])),
    "meta that lies": HEAD + chunk(bytes([0, 0xFF, 0x51, 0x7F, 1])),
    "drums only": HEAD + chunk(bytes([0, 0x99, 36, 90, 96, 0x89, 36, 0])),
    "a million events": HEAD + chunk(NOTE * 500_000),
    "too large": HEAD + bytes(smf.SIZE_LIMIT),
    "eleven days": HEAD + chunk(NOTE + bytes([0xFF, 0xFF, 0xFF, 0x7F, 0x90, 60, 90, 96, 0x80, 60, 0])),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_melody_is_refused_at_once_in_one_sentence(name: str) -> None:
    begun = time.monotonic()
    with pytest.raises(MediaUnreadable) as refused:
        from_midi(BAD[name])
    assert time.monotonic() - begun < 10
    assert refused.value.field == "reference"
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


def test_files_of_every_make_are_read() -> None:
    unended = HEAD + chunk(bytes([0, 0x90, 60, 90, 96, 62, 90, 96, 60, 0, 0, 62, 0]))
    assert [note.pitch % 12 for note in from_midi(unended).lead.notes]
    film = chunk(bytes([0, 0, 0, 1, 0xE7, 40]), b"MThd") + chunk(NOTE + END)
    assert from_midi(film).bpm == 120
    riff = b"RIFF" + bytes(4) + b"RMIDdata" + len(HEAD + chunk(NOTE)).to_bytes(4, "little") + HEAD + chunk(NOTE)
    assert len(from_midi(riff).lead.notes) == 1
    odd = HEAD + chunk(bytes([0, 0xFF, 0x58, 4, 21, 4, 24, 8, 0, 0xF0, 2, 1, 0xF7]) + NOTE)
    assert from_midi(odd).lead.meter == Meter(4, 4)


@pytest.mark.parametrize(("micros", "bpm"), [(4_000_000, 30), (15_000_000, 32), (100_000, 300)])
def test_tempos_that_nobody_can_count_are_counted_in_other_beats(micros: int, bpm: float) -> None:
    heard = from_midi(HEAD + chunk(bytes([0, 0xFF, 0x51, 3]) + micros.to_bytes(3, "big") + NOTE))
    assert heard.bpm == bpm
    seconds = 96 / 480 * micros / 1_000_000
    assert heard.lead.notes[0].length * 60 / heard.bpm == pytest.approx(seconds, rel=0.2)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 600), st.integers(0, 255))
def test_broken_bytes_give_a_melody_or_a_sentence(junk: bytes, place: int, value: int) -> None:
    whole = bytearray(to_midi(SCORE))
    whole[place % len(whole)] = value
    for data in (
        junk,
        b"MThd" + junk,
        HEAD + chunk(junk),
        HEAD + chunk(NOTE + junk),
        bytes(whole),
        bytes(whole[:-place]),
        HEAD + junk + chunk(NOTE),
    ):
        try:
            heard = from_midi(data)
        except MediaUnreadable:
            continue
        else:
            assert heard.lead.notes and 30 <= heard.bpm <= 300
            assert all(0 <= note.pitch <= 127 for note in heard.lead.notes)


def test_a_note_held_for_years_costs_nothing() -> None:
    body = b"\x00\x90\x3c\x40" + b"\xff\xff\xff\x7f\x80\x3c\x00" + b"\x00\xff\x2f\x00"
    file = b"MThd" + bytes((0, 0, 0, 6, 0, 0, 0, 1, 0, 1)) + b"MTrk" + len(body).to_bytes(4, "big") + body
    with pytest.raises(MediaUnreadable, match="30 minutes"):
        from_midi(file)
