"""What the composing model hears of music that is there: a melody with chords as the bars it writes itself. Knows no weights."""

from __future__ import annotations

from collections.abc import Sequence

from studio.music.grammar import Range
from studio.music.meters import Writing
from studio.music.score import Lead, Note
from studio.music.tokens import DURATIONS, HOLD, METERS, PITCH, REST, pitch_token
from studio.music.writer import Bar

STEP = 6
"""Ticks that a note is moved to: sixteenths, without swing."""


def bars_of(lead: Lead, form: Writing, bounds: Range) -> list[Bar]:
    """All of a lead in C, in model bars: one voice, its notes within `bounds`, its chords by slots."""
    places, begin = list[tuple[int, int]](), 0
    for _ in range(lead.bars):
        for ticks in form.lengths:
            places.append((begin, ticks))
            begin += ticks
    line = _line(lead.notes, form.quarters, bounds)
    return [Bar(ticks, _chords(lead, form, begin, ticks), _events(line, begin, ticks)) for begin, ticks in places]


def _line(notes: Sequence[Note], quarters: float, bounds: Range) -> list[tuple[int, int, int]]:
    """(start, end, pitch) in ticks, one note at a time."""
    line: list[tuple[int, int, int]] = []
    for note in sorted(notes, key=lambda one: (one.start, -one.pitch)):
        start, end = (round(at / quarters / STEP) * STEP for at in (note.start, note.start + note.length))
        pitch = note.pitch
        while pitch < bounds.lowest:
            pitch += 12
        while pitch > bounds.highest:
            pitch -= 12
        if line and start <= line[-1][0]:
            continue
        if line and line[-1][1] > start:
            line[-1] = (line[-1][0], start, line[-1][2])
        line.append((start, max(end, start + STEP), pitch))
    return line


def _events(line: Sequence[tuple[int, int, int]], begin: int, ticks: int) -> tuple[tuple[int, int], ...]:
    """The bar's events: what a note leaves open is a rest, what goes over the bar line is held."""
    events: list[tuple[int, int]] = []
    place, close = begin, begin + ticks
    for start, end, pitch in line:
        if end <= begin or start >= close:
            continue
        events += _filled(REST, start - place)
        token = HOLD if start < begin else pitch_token(pitch)
        events += _filled(token, min(end, close) - max(start, begin))
        place = min(end, close)
    return (*events, *_filled(REST, close - place))


def _filled(token: int, ticks: int) -> list[tuple[int, int]]:
    """An event of a length that is known, and rests for what is left of it."""
    events: list[tuple[int, int]] = []
    while ticks > 0:
        length = max(known for known in DURATIONS if known <= ticks)
        if not length:
            break
        events.append((token, length))
        token, ticks = (REST if token >= PITCH or token == HOLD else token), ticks - length
    return events


def _chords(lead: Lead, form: Writing, begin: int, ticks: int) -> tuple[tuple[int, str], ...]:
    slot = METERS[form.meter][1]
    found: list[tuple[int, str]] = []
    for start in range(begin, begin + ticks, slot):
        at = start * form.quarters + 1e-6
        chord = next((one for one in lead.chords if one.start <= at < one.start + one.length), None)
        found.append((chord.root, chord.quality) if chord is not None else found[-1] if found else (0, "m" if "minor" in lead.mode else ""))
    return tuple(found)
