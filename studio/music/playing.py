"""How the players of a genre play: chords, arpeggios, pads and drums from patterns, and a counter-melody. Knows no melody maker.

The bass has a file of its own. Everything here gives notes that are exactly in time; swing and touch come last (see touch.py). Times are
quarter notes.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from studio.music.chords import voicing
from studio.music.genres import DRUMS, Genre, GenrePart
from studio.music.instruments import Instrument
from studio.music.patterns import Step, chosen, fill_of, laid
from studio.music.score import Chord, Key, Meter, Note, Section

LOUD = {"X": 16, "x": 0, "o": -20, "?": -28}
BASS_TOP = 50
"""No bass plays above it, no melody below (see singing.py)."""


@dataclass(frozen=True)
class Stage:
    """What all players see: the piece's key, meter, chords and sections, and whether its last bar is an end."""

    genre: Genre
    key: Key
    meter: Meter
    chords: tuple[Chord, ...]
    sections: tuple[Section, ...]
    ends: bool
    seed: int

    @property
    def natural(self) -> Meter:
        """The meter that the genre's patterns are written in."""
        return Meter.read(self.genre.meters[0])

    @property
    def bars(self) -> int:
        """Length in bars."""
        return sum(section.bars for section in self.sections)

    @property
    def total(self) -> float:
        """Length in quarter notes."""
        return self.bars * self.meter.bar

    def chord(self, time: float) -> int:
        """The place in `chords` of the one that sounds."""
        return max(0, bisect_right(self.chords, time + 1e-6, key=lambda chord: chord.start) - 1)

    def energy(self, time: float) -> float:
        """The energy of the section that a time is in."""
        return next((s.energy for s in reversed(self.sections) if s.bar * self.meter.bar <= time + 1e-6), self.sections[0].energy)


def entering(part: GenrePart, stage: Stage) -> tuple[Section, ...]:
    """The sections that a part plays in: those with energy enough, or else the strongest."""
    top = max(section.energy for section in stage.sections)
    return tuple(section for section in stage.sections if section.energy >= min(part.enter, top) - 1e-6)


def steps(part: GenrePart, stage: Stage, tag: str) -> list[Step]:
    """The pattern of a pitched part over the piece; where the piece ends, one strong note for the whole last bar."""
    found: list[Step] = []
    for section in entering(part, stage):
        groove = chosen(part, stage.meter, section, f"{stage.seed} {tag}")
        if groove is not None:
            sounding = laid(groove.rows[0][1], groove, stage.natural, stage.meter, section.bar, section.bars)
            bar = stage.meter.bar
            sign = "R" if part.role == "bass" else "x"
            found += sounding or [Step((section.bar + place) * bar, bar, sign) for place in range(section.bars)]
    if stage.ends and stage.sections[-1] in entering(part, stage):
        last = stage.total - stage.meter.bar
        found = [replace(step, length=min(step.length, last - step.start)) for step in found if step.start < last - 1e-6]
        found.append(Step(last, stage.meter.bar, "R" if part.role == "bass" else "x"))
    return found


def split(found: Sequence[Step], stage: Stage) -> list[Step]:
    """Notes that outlast their chord are struck again with the next one."""
    parts: list[Step] = []
    for step in found:
        start, end = step.start, min(step.start + step.length, stage.total)
        while start < end - 1e-6:
            chord = stage.chords[stage.chord(start)]
            until = min(end, chord.start + chord.length) if chord.start + chord.length > start + 1e-6 else end
            parts.append(Step(start, until - start, step.sign if start == step.start or step.sign != "a" else "R"))
            start = until
    return parts


def energetic(velocity: int, energy: float) -> int:
    """The velocity in a section of that energy."""
    return max(12, min(122, round(velocity * (0.8 + 0.34 * energy))))


def chordal(part: GenrePart, instrument: Instrument, stage: Stage, tag: str) -> list[Note]:
    """Chords, pads and arpeggios: voicings that move as little as they can, struck as the pattern says."""
    low, high = _span(part, instrument)
    power = instrument.name == "distorted guitar"
    voicings: list[tuple[int, ...]] = []
    for chord in stage.chords:
        voicings.append(voicing(chord, voicings[-1] if voicings else (), low, high, part.voices, power))
    notes: list[Note] = []
    last = stage.total - stage.meter.bar if stage.ends else stage.total + 1
    for step in split(steps(part, stage, tag), stage):
        chord = voicings[stage.chord(step.start)]
        rolled = 0.07 if part.role == "arpeggio" and step.start >= last - 1e-6 else 0.0
        gate = 1.0 if step.start >= last - 1e-6 else part.gate
        for place, pitch in enumerate(_struck(chord, step.sign, high)):
            start = step.start + rolled * place
            notes.append(
                Note(start, max(0.1, step.length * gate - rolled * place), pitch, _loud(part, step.sign, stage.energy(step.start)))
            )
    return notes


def drums(part: GenrePart, stage: Stage, tag: str) -> list[Note]:
    """The drums: grooves by energy, a fill before the next section, a cymbal where a strong one begins."""
    rng = random.Random(f"{stage.seed} {tag} drums")
    notes: list[Note] = []
    fill = fill_of(part, stage.meter)
    playing = entering(part, stage)
    last = stage.bars - 1 if stage.ends else stage.bars
    for index, section in enumerate(playing):
        groove = chosen(part, stage.meter, section, f"{stage.seed} {tag}")
        if groove is None:
            continue
        end = min(section.bar + section.bars, last)
        filled = fill is not None and end - section.bar >= 2 and section.energy > 0.3
        spans = [(groove, section.bar, end - section.bar - filled, 0)] + ([(fill, end - 1, 1, 1)] if filled and fill else [])
        for pattern, first, bars, at in spans:
            for name, row in pattern.rows:
                struck = laid(row, pattern, stage.natural, stage.meter, first, bars, at)
                struck = [step for step in struck if step.sign != "?" or rng.random() < 0.5]
                notes += [Note(step.start, 0.2, DRUMS[name], _loud(part, step.sign, section.energy)) for step in struck]
        if section.energy >= 0.66 and (index or section.bar == 0) and stage.genre.energy >= 0.58:
            notes.append(Note(section.bar * stage.meter.bar, 0.5, DRUMS["crash"], _loud(part, "x", section.energy) - 6))
    if stage.ends and playing and playing[-1] == stage.sections[-1]:
        names = ("kick", "crash") if playing[-1].energy >= 0.4 else ("kick",)
        notes += [Note(last * stage.meter.bar, 0.5, DRUMS[name], _loud(part, "x", playing[-1].energy)) for name in names]
    return notes


def counter(part: GenrePart, instrument: Instrument, stage: Stage, melody: Sequence[Note], tag: str) -> list[Note]:
    """A second line: chord notes under the melody, a new one each half bar or chord, by small steps, in thirds and sixths where it can."""
    rng = random.Random(f"{stage.seed} {tag} counter")
    low, high = _span(part, instrument)
    notes: list[Note] = []
    before = (low + high) // 2
    unit = stage.meter.beat * (2 if stage.meter.beats % 2 == 0 and stage.meter.beat == 1 else 1)
    unit = stage.meter.bar if stage.meter.bar <= 3 else unit
    last = stage.total - stage.meter.bar if stage.ends else stage.total
    for section in entering(part, stage):
        time = section.bar * stage.meter.bar
        end = (section.bar + section.bars) * stage.meter.bar
        while time < end - 1e-6:
            chord = stage.chords[stage.chord(time)]
            until = min(chord.start + chord.length, time + unit, end) if time < last - 1e-6 else end
            over = next((note.pitch for note in melody if note.start <= time + 0.26 and note.start + note.length > time + 0.1), None)
            before = _second(chord, over, before, low, high, rng)
            if (
                notes
                and notes[-1].pitch == before
                and abs(notes[-1].start + notes[-1].length - time) < 1e-6
                and notes[-1].length < stage.meter.bar
            ):
                notes[-1] = replace(notes[-1], length=until - notes[-1].start)
            else:
                notes.append(Note(time, until - time, before, energetic(part.velocity, section.energy)))
            time = until
    return notes


def _second(chord: Chord, over: int | None, before: int, low: int, high: int, rng: random.Random) -> int:
    tones = [pitch for pitch in range(low, high + 1) if pitch % 12 in chord.pitches and (over is None or pitch < over - 2)]
    tones = tones or [pitch for pitch in range(low, high + 1) if pitch % 12 in chord.pitches] or [before]

    def cost(pitch: int) -> float:
        sweet = over is not None and (over - pitch) % 12 in (3, 4, 8, 9)
        same = over is not None and (over - pitch) % 12 == 0
        return abs(pitch - before) + (1.2 if pitch == before else 0) - 2.0 * sweet + 3.0 * same + rng.random() * 0.5

    return min(tones, key=cost)


def _span(part: GenrePart, instrument: Instrument) -> tuple[int, int]:
    """The range of a part on its instrument: the part's own where it can, else moved into what the instrument plays."""
    low, high = max(part.low, instrument.low), min(part.high, instrument.high)
    if high - low >= 14:
        return low, high
    span = max(14, part.high - part.low)
    if part.low < instrument.low:
        return instrument.low, min(instrument.high, instrument.low + span)
    return max(instrument.low, instrument.high - span), instrument.high


def _struck(chord: Sequence[int], sign: str, high: int) -> list[int]:
    if sign == "b":
        return [chord[0]]
    if sign == "t":
        return list(chord[1:]) or list(chord)
    if sign.isdigit():
        turn, place = divmod(int(sign) - 1, len(chord))
        pitch = chord[place] + 12 * turn
        return [pitch if pitch <= high + 5 else chord[place]]
    return list(chord)


def _loud(part: GenrePart, sign: str, energy: float) -> int:
    return energetic(part.velocity + LOUD.get(sign, 0), energy)
