"""Melody and chords from a trained model: what an arranger asks for, and what it gets. Knows no key but C, no instrument and no sound.

The weights are a folder (assets/composer); see its MODEL_CARD.md for what it learnt from. Needs numpy alone.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from studio.creations import Progress, Report
from studio.errors import InvalidInput
from studio.music.decoder import Decoder
from studio.music.grammar import Grammar, Range
from studio.music.heard import bars_of
from studio.music.meters import Writing, writing
from studio.music.score import MODES, Chord, Lead, Meter, Section
from studio.music.tokens import DENSITIES, FAMILIES, METERS, Setting
from studio.music.tokens import MODES as KNOWN_MODES
from studio.music.writer import Bar, Writer, modal_chords, modal_notes, notes_of

__all__ = ["FAMILIES", "Ask", "Composer"]

SPARSEST, BUSIEST = 0.5, 2.5
"""Notes a quarter at density 0 and 1."""

_COMMON = Meter(4, 4)
_RELATED = {"phrygian": "minor", "lydian": "major"}
_LONGEST = 1000


@dataclass(frozen=True)
class Ask:
    """What to compose. The tonic is C: chords are given in C, and the lead comes back in C.

    `sections` follow each other without a gap from bar 0; sections of one name (digits and primes at its end aside) are the same music,
    with a new last bar where something else follows. `mode` is one of score.MODES, `family` one of FAMILIES or "". `density` goes from 0
    (half notes) to 1 (busier than a reel); a section's energy moves it a little. `chords` gives progressions by section name ("" for all
    others): they begin at 0, may be shorter than the section and are then repeated; what is not given the model chooses. `close`: end on
    the tonic, chord and note; without it the piece may lead back to its beginning (loops). `outside` is how freely notes leave the scale
    and the chord: 0 never, 1 as the model likes. `lowest` and `highest` bound the melody (MIDI numbers from 48 to 91, at least 16 apart).
    `heard` is what stands before it, in C and of the same meter: it is heard as if it had been written first, and not part of the answer.
    """

    sections: tuple[Section, ...]
    mode: str = "major"
    meter: Meter = _COMMON
    family: str = ""
    density: float = 0.5
    chords: Mapping[str, tuple[Chord, ...]] = field(default_factory=dict[str, "tuple[Chord, ...]"])
    close: bool = True
    seed: int = 0
    temperature: float = 0.9
    top_p: float = 0.95
    outside: float = 0.2
    lowest: int = 57
    highest: int = 84
    heard: Lead | None = None

    @property
    def bars(self) -> int:
        """Length of the piece in bars."""
        return sum(section.bars for section in self.sections)


class Composer:
    """The model in memory. It keeps no state between leads, and several threads may share one."""

    def __init__(self, decoder: Decoder, grammar: Grammar) -> None:
        self.decoder, self.grammar = decoder, grammar

    @classmethod
    def load(cls, folder: Path) -> Composer:
        """Read the weights and tables in `folder`. Raises FileNotFoundError where they are missing."""
        return cls(Decoder.load(folder), Grammar(json.loads((folder / "grammar.json").read_text(encoding="utf-8"))))

    def lead(self, ask: Ask, report: Report | None = None) -> Lead:
        """Compose: exactly `ask.bars` bars, chords without a gap, notes that stay inside the piece, an end on the tonic if it is to close.

        `report` gets a Progress in bars after every bar, and may raise to stop. The same ask gives the same lead. Raises InvalidInput where
        the ask contradicts itself, with the name of the field.
        """
        _check(ask)
        form = writing(ask.meter)
        mode = _RELATED.get(ask.mode, ask.mode)
        writer = Writer(self.decoder, self.grammar, Range(ask.lowest, ask.highest), mode, ask.outside, ask.temperature, ask.top_p, ask.seed)
        written: dict[tuple[str, int], list[Bar]] = {}
        followed: dict[tuple[str, int], str] = {}
        bars: list[Bar] = []
        parts = _parts(ask, form)
        if ask.heard is not None:
            before = bars_of(ask.heard, form, Range(ask.lowest, ask.highest))
            energy = ask.sections[0].energy
            writer.begin(_setting(ask, form, mode, energy), _rate(ask, energy), len(before), 0, False)
            for bar in before:
                writer.bar(bar.ticks, (), False, bar)
        for at, part in enumerate(parts):
            following = parts[at + 1].name if at + 1 < len(parts) else ""
            known = written.get(part.key, [])
            same_end = len(known) == len(part.bars) and followed.get(part.key) == following and not part.closes
            kept = min(len(known), len(part.bars)) - (0 if same_end else len(form.lengths))
            kind = len(written) if not known else list(written).index(part.key)
            writer.begin(_setting(ask, form, mode, part.energy), _rate(ask, part.energy), len(part.bars), kind, at == len(parts) - 1)
            new: list[Bar] = []
            for index, plan in enumerate(part.bars):
                new.append(writer.bar(plan.ticks, plan.chords, plan.closes, known[index] if index < kept else None))
                if report is not None:
                    done = (len(bars) + len(new)) / len(form.lengths)
                    report(Progress("running", math.floor(done), ask.bars, "bars"))
            if len(new) > len(known):
                written[part.key] = new
            followed.setdefault(part.key, following)
            bars += new
        return _finished(ask, form, bars)


@dataclass(frozen=True)
class _BarPlan:
    """A model bar to write: its ticks, the chords of its slots where they are given, and whether it closes the piece."""

    ticks: int
    chords: tuple[tuple[int, str], ...]
    closes: bool


@dataclass(frozen=True)
class _Part:
    """At most eight bars that the model takes for one section."""

    name: str
    key: tuple[str, int]
    bars: tuple[_BarPlan, ...]
    energy: float
    closes: bool


def _check(ask: Ask) -> None:
    if ask.mode not in MODES:
        raise InvalidInput(f"Mode must be one of {', '.join(MODES)}.", "key")
    if ask.family not in ("", *FAMILIES):
        raise InvalidInput(f"Family must be one of {', '.join(FAMILIES)}, or empty.", "genre")
    at = 0
    for section in ask.sections:
        if section.bar != at or section.bars < 1:
            raise InvalidInput("Sections must follow each other from the first bar on, each at least a bar long.", "form")
        at += section.bars
    if not 1 <= at <= _LONGEST:
        raise InvalidInput(f"A piece must have 1 to {_LONGEST} bars.", "form")
    if not 48 <= ask.lowest <= ask.highest - 16 <= 75:
        raise InvalidInput("The melody's range must be at least 16 semitones between 48 and 91.", "")
    if not (0 < ask.temperature <= 2 and 0 <= ask.top_p <= 1 and 0 <= ask.outside <= 1 and 0 <= ask.density <= 1):
        raise InvalidInput("Temperature goes to 2; top-p, density and freedom go from 0 to 1.", "temperature")
    if any(not chords for chords in ask.chords.values()):
        raise InvalidInput("A progression must have at least one chord.", "form")


def _setting(ask: Ask, form: Writing, mode: str, energy: float) -> Setting:
    family = FAMILIES.index(ask.family) + 1 if ask.family else 0
    return Setting(form.meter, KNOWN_MODES.index(mode), family, 1 + int(np.searchsorted(DENSITIES, _rate(ask, energy))))


def _rate(ask: Ask, energy: float) -> float:
    """Notes a quarter, in the model's quarters."""
    return SPARSEST + (BUSIEST - SPARSEST) * min(max(ask.density + 0.3 * (energy - 0.6), 0.0), 1.0)


def _parts(ask: Ask, form: Writing) -> list[_Part]:
    """The sections in stretches of four to eight model bars where they are longer than that."""
    parts: list[_Part] = []
    for section in ask.sections:
        name = re.sub(r"[\s\d'′]+$", "", section.name).casefold()
        plans = [
            _BarPlan(ticks, _given(ask, form, section, bar, at), False)
            for bar in range(section.bars)
            for at, ticks in enumerate(form.lengths)
        ]
        is_last = section.bar + section.bars == ask.bars
        if is_last and ask.close:
            plans[-1] = _BarPlan(plans[-1].ticks, plans[-1].chords, True)
        for index, stretch in enumerate(_stretches(len(plans), len(form.lengths))):
            chosen, plans = plans[:stretch], plans[stretch:]
            parts.append(_Part(name, (name, index), tuple(chosen), section.energy, chosen[-1].closes))
    return parts


def _stretches(bars: int, unit: int) -> list[int]:
    """Eights, and what is left in one or two parts of at least four, never parting what is one bar to the listener."""
    parts: list[int] = []
    while bars > 8:
        part = 8 if bars >= 12 or bars - 8 >= 4 else 4
        part = max(part // unit, 1) * unit
        parts.append(part)
        bars -= part
    return [*parts, bars] if bars else parts


def _progression(ask: Ask, section: Section) -> tuple[Chord, ...]:
    return ask.chords.get(section.name, ask.chords.get("", ()))


def _laid(ask: Ask, section: Section) -> list[Chord]:
    """The given chords of a whole section, from its beginning on, repeated and cut to its length."""
    given = _progression(ask, section)
    total, laid, at = section.bars * ask.meter.bar, list[Chord](), 0.0
    while given and at < total - 1e-9:
        for chord in given:
            if at + chord.start < total - 1e-9:
                length = min(chord.length, total - at - chord.start)
                laid.append(Chord(at + chord.start, length, chord.root, chord.quality, chord.bass))
        at += given[-1].start + given[-1].length
    if laid and section.bar + section.bars == ask.bars and ask.close:
        tonic = next((chord for chord in laid if chord.root == 0), Chord(0, 0, 0, "m" if MODES[ask.mode][2] == 3 else ""))
        begin = total - ask.meter.bar
        before = [chord for chord in laid if chord.start < begin - 1e-9]
        laid = [Chord(c.start, min(c.length, begin - c.start), c.root, c.quality, c.bass) for c in before]
        laid.append(Chord(begin, ask.meter.bar, 0, tonic.quality))
    return laid


def _given(ask: Ask, form: Writing, section: Section, bar: int, at: int) -> tuple[tuple[int, str], ...]:
    """For each slot of a model bar the given chord that sounds in it longest; empty where none are given."""
    laid = _laid(ask, section)
    if not laid:
        return ()
    slot = METERS[form.meter][1]
    begin = bar * ask.meter.bar + sum(form.lengths[:at]) * form.quarters
    chosen: list[tuple[int, str]] = []
    for start in range(0, form.lengths[at], slot):
        low = begin + start * form.quarters
        high = begin + min(start + slot, form.lengths[at]) * form.quarters
        best = max(laid, key=lambda chord: min(chord.start + chord.length, high) - max(chord.start, low))
        chosen.append((best.root, best.quality))
    return tuple(chosen)


def _finished(ask: Ask, form: Writing, bars: list[Bar]) -> Lead:
    notes = modal_notes(notes_of(bars, form.quarters, form.meter), ask.mode)
    slot = METERS[form.meter][1]
    chords: list[Chord] = []
    place = 0
    for bar in bars:
        for at, (root, quality) in enumerate(bar.chords):
            start = place + at * slot
            length = min(slot, bar.ticks - at * slot)
            chords.append(Chord(start * form.quarters, length * form.quarters, root, quality))
        place += bar.ticks
    chords = _merged(modal_chords(chords, ask.mode))
    for section in ask.sections:
        begin, end = section.bar * ask.meter.bar, (section.bar + section.bars) * ask.meter.bar
        laid = _laid(ask, section)
        if laid:
            outside = [piece for chord in chords for piece in _cut(chord, begin, end)]
            chords = sorted([*outside, *(Chord(begin + c.start, c.length, c.root, c.quality, c.bass) for c in laid)], key=lambda c: c.start)
    return Lead(ask.mode, ask.meter, ask.bars, tuple(notes), tuple(chords), ask.sections)


def _cut(chord: Chord, begin: float, end: float) -> list[Chord]:
    """What of a chord lies outside begin to end."""
    stop = chord.start + chord.length
    pieces = [(chord.start, min(stop, begin)), (max(chord.start, end), stop)]
    return [Chord(low, high - low, chord.root, chord.quality, chord.bass) for low, high in pieces if high - low > 1e-9]


def _merged(chords: list[Chord]) -> list[Chord]:
    merged: list[Chord] = []
    for chord in chords:
        if merged and (merged[-1].root, merged[-1].quality) == (chord.root, chord.quality):
            merged[-1] = Chord(merged[-1].start, merged[-1].length + chord.length, chord.root, chord.quality)
        else:
            merged.append(chord)
    return merged
