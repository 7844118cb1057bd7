"""A score as one short line of text, so that the record of a take carries its notes, and back again from text of any origin.

The line is JSON, deflated, in base 85. Times are kept to a 960th of a quarter note: what goes on from a packed score must be made from
`settled(score)`, which is exactly what comes back.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from typing import Any, cast

from studio.errors import MediaUnreadable
from studio.music.score import MODES, QUALITIES, Chord, Key, Meter, Note, Part, Score, Section

TICKS = 960
"""Parts of a quarter note."""
SIZE_LIMIT = 8_000_000
NOTES_LIMIT = 200_000
TICKS_LIMIT = 1_000_000_000
"""More than the longest meter's 10,000 bars."""
_DAMAGED = "The notes in this file are damaged and were not read: choose another file."


def pack(score: Score) -> str:
    """The score as one line of ASCII; about eight characters a note."""
    parts = [
        [p.name, p.program, int(p.drums), p.patch, round(p.volume, 4), round(p.pan, 4), _steps(p.notes)]  #
        for p in score.parts
    ]
    chords = [[_tick(c.start), _tick(c.length), c.root, c.quality, c.bass] for c in score.chords]
    sections = [[s.name, s.bar, s.bars, round(s.energy, 3)] for s in score.sections]
    key = [score.key.tonic, score.key.mode, score.key.name]
    values = [1, round(score.bpm, 6), key, [score.meter.beats, score.meter.unit], score.bars, parts, chords, sections]
    return base64.b85encode(zlib.compress(json.dumps(values, separators=(",", ":")).encode(), 9)).decode("ascii")


def unpack(line: str) -> Score:
    """The score of such a line. Raises MediaUnreadable for anything else, however large it claims to be."""
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(base64.b85decode(line), SIZE_LIMIT)
        if unpacking.unconsumed_tail:
            raise ValueError("too long")
        return _score(json.loads(text))
    except (ValueError, TypeError, KeyError, IndexError, zlib.error, RecursionError, OverflowError):
        raise MediaUnreadable(_DAMAGED) from None


def settled(score: Score) -> Score:
    """The score with its times as a packed one holds them."""
    return unpack(pack(score))


def joined(first: Score, second: Score) -> Score:
    """`second` after `first`, in the tempo, key and meter of `first`; parts of one name become one."""
    late = first.quarters
    parts = {part.name: part for part in first.parts}
    for part in second.parts:
        moved = tuple(replace(note, start=note.start + late) for note in part.notes)
        known = parts.get(part.name, replace(part, notes=()))
        parts[part.name] = replace(known, notes=(*known.notes, *moved))
    return replace(
        first,
        bars=first.bars + second.bars,
        parts=tuple(parts.values()),
        chords=(*first.chords, *(replace(chord, start=chord.start + late) for chord in second.chords)),
        sections=(*first.sections, *(replace(section, bar=section.bar + first.bars) for section in second.sections)),
    )


def cut(score: Score, bar: int, bars: int) -> Score:
    """`bars` bars of the score from `bar` on, as a score of its own: notes that begin there, none longer than to its end."""
    start, end = bar * score.meter.bar, (bar + bars) * score.meter.bar

    def within(note: Note) -> Note:
        room = end - note.start
        return replace(note, start=note.start - start, length=note.length if note.length <= room + 1e-6 else room)

    parts = tuple(replace(p, notes=tuple(within(n) for n in p.notes if start - 1e-6 <= n.start < end - 1e-6)) for p in score.parts)
    chords = tuple(
        replace(c, start=max(c.start, start) - start, length=min(c.start + c.length, end) - max(c.start, start))
        for c in score.chords
        if c.start < end - 1e-6 and c.start + c.length > start + 1e-6
    )
    sections = tuple(
        Section(s.name, max(s.bar, bar) - bar, min(s.bar + s.bars, bar + bars) - max(s.bar, bar), s.energy)
        for s in score.sections
        if s.bar < bar + bars and s.bar + s.bars > bar
    )
    return replace(score, bars=bars, parts=parts, chords=chords, sections=sections)


def _tick(quarters: float) -> int:
    return round(quarters * TICKS)


def _steps(notes: tuple[Note, ...]) -> list[int]:
    """Four numbers a note: ticks since the note before, length, pitch, velocity."""
    found: list[int] = []
    before = 0
    for note in sorted(notes):
        start = _tick(note.start)
        found += [start - before, max(1, _tick(note.length)), note.pitch, note.velocity]
        before = start
    return found


def _notes(steps: list[int]) -> tuple[Note, ...]:
    if len(steps) % 4 or len(steps) > 4 * NOTES_LIMIT:
        raise ValueError("no notes")
    found: list[Note] = []
    start = 0
    for late, length, pitch, velocity in zip(*(steps[k::4] for k in range(4)), strict=True):
        start += _whole(late, -TICKS, TICKS_LIMIT)
        found.append(
            Note(start / TICKS, _whole(length, 1, TICKS_LIMIT) / TICKS, _whole(pitch, 0, 127), _whole(velocity, 1, 127))  #
        )
    return tuple(found)


def _score(values: Any) -> Score:
    version, bpm, key, meter, bars, parts, chords, sections = cast("list[Any]", values)
    if version != 1 or key[1] not in MODES or meter[1] not in (2, 4, 8):
        raise ValueError("another version")
    return Score(
        _number(bpm, 10, 1000),
        Key(_whole(key[0], 0, 11), key[1], str(key[2])[:20]),
        Meter(_whole(meter[0], 2, 12), _whole(meter[1], 2, 8)),
        _whole(bars, 1, 10_000),
        tuple(
            Part(
                str(name)[:60],
                _whole(program, 0, 127),
                _notes(notes),
                bool(drums),
                str(patch)[:60],
                _number(volume, 0, 4),
                _number(pan, -1, 1),
            )
            for name, program, drums, patch, volume, pan, notes in parts[:64]
        ),
        tuple(
            Chord(
                _whole(start, 0, TICKS_LIMIT) / TICKS,
                _whole(length, 0, TICKS_LIMIT) / TICKS,
                _whole(root, 0, 11),
                _quality(quality),
                None if bass is None else _whole(bass, 0, 11),
            )
            for start, length, root, quality, bass in chords
        ),
        tuple(
            Section(str(name)[:40], _whole(bar, 0, 10_000), _whole(many, 1, 10_000), _number(energy, 0, 1))
            for name, bar, many, energy in sections
        ),
    )


def _quality(name: str) -> str:
    if name not in QUALITIES:
        raise ValueError(f"{name} is no chord")
    return name


def _whole(value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{value} is out of range")
    return value


def _number(value: Any, low: float, high: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{value} is out of range")
    return float(value)
