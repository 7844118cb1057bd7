"""From what stands in the books to what the model learns: whole bars in C, sections, kinds, chords. Knows no numbers of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from studio.music import harmony
from studio.music.score import MODES
from studio.music.tokens import DURATIONS, FAMILIES, HIGHEST, LOWEST, METERS
from training.composer.abc_reader import Measure, Written, tunes
from training.composer.chorale_reader import Chorale, chorale

Event = tuple[int, int | None, bool]
"""Ticks, MIDI pitch or None for a rest, and whether it is the last note going on."""
BOOKS = {"oneills1850": "O'Neill's Music of Ireland", "ryansMammoth": "Ryan's Mammoth Collection", "airdsAirs": "Aird's Airs"}
_MINOR_LIKE = {"minor", "dorian"}
_WORDS = (
    ("slip jig|hop jig", "slipjig"),
    ("strathspey|highland fling", "strathspey"),
    ("hornpipe|clog", "hornpipe"),
    ("reel", "reel"),
    ("jig", "jig"),
    ("waltz|minuet|menuet", "waltz"),
    ("march|quick ?step|retreat", "march"),
    ("polka|quadrille|cotillon|gavot", "polka"),
    ("air|song", "air"),
)


@dataclass
class Piece:
    """A tune in C: bars of events, where sections begin, and for every slot of every bar its chord (root, kind)."""

    source: str
    name: str
    meter: str
    mode: str
    family: str
    bars: list[list[Event]]
    starts: list[int]
    chords: list[list[tuple[int, str]]]

    @property
    def intervals(self) -> tuple[int, ...]:
        """Steps from note to note."""
        pitches = [pitch for bar in self.bars for _, pitch, held in bar if pitch is not None and not held]
        return tuple(b - a for a, b in pairwise(pitches))


def read(corpus: Path) -> Iterator[Piece]:
    """Every usable piece of music21's corpus folder."""
    for folder in BOOKS:
        for path in sorted((corpus / folder).glob("*.abc")):
            for written in tunes(path):
                piece = _from_book(written, folder)
                if piece is not None:
                    yield piece
    for path in sorted((corpus / "bach").glob("*.mxl")):
        found = chorale(path)
        piece = _from_chorale(found) if found is not None else None
        if piece is not None:
            yield piece


def _from_book(written: Written, folder: str) -> Piece | None:
    meter = f"{written.meter[0]}/{written.meter[1]}"
    if meter not in METERS:
        return None
    whole = _whole_bars(written.measures, METERS[meter][0])
    if whole is None:
        return None
    bars, starts = whole
    notes = sum(pitch is not None for bar in bars for _, pitch, _ in bar)
    if notes < 24:
        return None
    scale = 1
    if meter == "2/4" and notes / len(bars) > 5.2:
        meter, scale = "4/4", 2
    tonic, mode = _tonic(written.fifths, written.tonic, bars)
    kind, source = _family(written, folder, meter), f"{folder}/{written.source}:{written.number}"
    return _piece(Piece(source, written.title, meter, mode, kind, _scaled(bars, scale), starts, []), tonic, None)


def _from_chorale(found: Chorale) -> Piece | None:
    meter = f"{found.meter[0]}/{found.meter[1]}"
    if meter not in ("4/4", "3/4"):
        return None
    length = METERS[meter][0]
    measures, sounds = _regrouped(found, length)
    whole = _whole_bars(measures, length) if measures else None
    if whole is None:
        return None
    bars, _ = whole
    starts = [at for at in range(0, len(bars), 8) if at == 0 or len(bars) - at >= 4]
    signature = (found.fifths * 7) % 12
    minor = found.last_bass == (signature + 9) % 12 or (found.mode == "minor" and found.last_bass != signature)
    tonic, mode = (signature + 9) % 12 if minor else signature, "minor" if minor else "major"
    slot = METERS[meter][1]
    weights = np.zeros((len(bars) * (length // slot), 12))
    for at, bar in enumerate(sounds[: len(bars)]):
        for start, ticks, pitch, bass in bar:
            for part in range(length // slot):
                overlap = float(min(start + ticks, (part + 1) * slot) - max(start, part * slot))
                if overlap > 0:
                    weights[at * (length // slot) + part, (pitch - tonic) % 12] += overlap * (2.0 if bass else 1.0)
    return _piece(Piece(f"bach/{found.source}", found.source, meter, mode, "chorale", bars, starts, []), tonic, weights)


def _regrouped(found: Chorale, length: int) -> tuple[list[Measure], list[list[tuple[Fraction, Fraction, int, bool]]]]:
    """Whole bars from the first one on, whatever the bar lines that repeats put in between."""
    upbeat = found.measures[0].ticks % length
    count = int((sum(measure.ticks for measure in found.measures) - upbeat) // length) + 1
    measures = [Measure(starts_section=at == 0) for at in range(count)]
    sounds: list[list[tuple[Fraction, Fraction, int, bool]]] = [[] for _ in range(count)]
    begin = -upbeat
    for measure, heard in zip(found.measures, found.sounds, strict=True):
        place = begin
        for ticks, pitch, tie in measure.events:
            left = ticks
            while left > 0 and place >= 0:
                part = min(left, length - place % length)
                measures[int(place // length)].events.append((part, pitch, tie or part < left))
                place, left = place + part, left - part
            place += left
        for start, ticks, pitch, bass in heard:
            if begin + start >= 0 and (begin + start) // length < count:
                sounds[int((begin + start) // length)].append(((begin + start) % length, ticks, pitch, bass))
        begin += measure.ticks
    return [measure for measure in measures if measure.events], sounds


def _piece(piece: Piece, tonic: int, weights: np.ndarray | None) -> Piece | None:
    """The piece in C with its chords, or None where it is too short, too long, too wide, or foreign to its scale."""
    bars, mode, meter = piece.bars, piece.mode, piece.meter
    pitches = [pitch for bar in bars for _, pitch, _ in bar if pitch is not None]
    if len(bars) < 8 or len(bars) > 64 or len(pitches) < 24:
        return None
    mean = sum(pitches) / len(pitches)
    shift = min((-tonic + 12 * octave for octave in range(-3, 4)), key=lambda shift: abs(mean + shift - 69))
    if min(pitches) + shift < LOWEST or max(pitches) + shift > HIGHEST:
        return None
    moved = [[(ticks, None if pitch is None else pitch + shift, held) for ticks, pitch, held in bar] for bar in bars]
    if any(ticks not in DURATIONS for bar in moved for ticks, *_ in bar):
        return None
    scale = {step % 12 for step in MODES[mode]} | ({11, 9} if mode == "minor" else {11} if mode == "dorian" else set())
    if sum((pitch + shift) % 12 not in scale for pitch in pitches) / len(pitches) > 0.1:
        return None
    slots = METERS[meter][0] // METERS[meter][1]
    ends = ends_of(piece.starts, len(bars), slots)
    if weights is None:
        found = harmony.progression(weights_of(moved, meter), mode, ends)
    else:
        found = harmony.progression(weights, mode, ends[-1:], trust=9.0, changes=0.1)
    return replace(piece, bars=moved, chords=[found[at * slots : (at + 1) * slots] for at in range(len(bars))])


def weights_of(bars: list[list[Event]], meter: str) -> np.ndarray:
    """(slots, 12): how much of each pitch class the melody sounds in each slot; what begins on a beat counts more."""
    length, slot = METERS[meter]
    beat = 36 if meter in ("6/8", "9/8") else 24
    weights = np.zeros((len(bars) * (length // slot), 12))
    for at, bar in enumerate(bars):
        place = 0
        for ticks, pitch, _ in bar:
            for part in range(length // slot):
                overlap = min(place + ticks, (part + 1) * slot) - max(place, part * slot)
                if overlap > 0 and pitch is not None:
                    strong = 2.0 if place % slot == 0 else 1.5 if place % beat == 0 else 1.0
                    weights[at * (length // slot) + part, pitch % 12] += overlap * strong
            place += ticks
    return weights


def ends_of(starts: list[int], bars: int, slots: int) -> list[int]:
    """The slots where four-bar phrases end."""
    ends: list[int] = []
    for start, stop in zip(starts, [*starts[1:], bars], strict=True):
        ends += [bar * slots + slots - 1 for bar in range(start + 3, stop, 4)]
        if not ends or ends[-1] != stop * slots - 1:
            ends.append(stop * slots - 1)
    return ends


def _whole_bars(measures: list[Measure], length: int) -> tuple[list[list[Event]], list[int]] | None:
    """The bars from the first whole one on, and the bars where sections begin; an upbeat ends the bar before it."""
    kept: list[tuple[list[tuple[Fraction, int | None, bool]], bool]] = []
    at, pending = 0, True
    while at < len(measures):
        measure, following = measures[at], measures[at + 1] if at + 1 < len(measures) else None
        starts = measure.starts_section or pending
        pending = False
        if measure.ticks == length:
            kept.append((measure.events, starts))
        elif measure.ticks > length:
            return None
        elif starts and kept == []:
            pending = True
        elif following is not None and measure.ticks + following.ticks == length:
            kept.append((measure.events + following.events, starts))
            pending, at = following.starts_section, at + 1
        elif following is None or following.starts_section:
            ticks, pitch, tie = measure.events[-1]
            kept.append(([*measure.events[:-1], (ticks + length - measure.ticks, pitch, tie)], starts))
        elif starts:
            pending = True
        else:
            return None
        at += 1
    bars = _joined([events for events, _ in kept])
    return None if bars is None else (bars, _sections([at for at, (_, starts) in enumerate(kept) if starts], len(bars)))


def _joined(measures: list[list[tuple[Fraction, int | None, bool]]]) -> list[list[Event]] | None:
    """Bars of events: tied notes in one, and marked as going on where a bar line parts them. None where a length is no tick."""
    bars: list[list[Event]] = []
    tied: int | None = None
    for events in measures:
        bar: list[Event] = []
        for ticks, pitch, tie in events:
            if ticks.denominator != 1:
                return None
            held = tied is not None and tied == pitch
            if held and bar and bar[-1][1] == pitch:
                bar[-1] = (bar[-1][0] + int(ticks), pitch, bar[-1][2])
            else:
                bar.append((int(ticks), pitch, held))
            tied = pitch if tie else None
        bars.append([piece for event in bar for piece in _writable(event)])
    return bars


def _writable(event: Event) -> list[Event]:
    ticks, pitch, held = event
    if ticks in DURATIONS:
        return [event]
    for first in reversed(DURATIONS):
        if 0 < first < ticks and ticks - first in DURATIONS:
            return [(first, pitch, held), (ticks - first, pitch, pitch is not None)]
    return [event]


def _sections(starts: list[int], bars: int) -> list[int]:
    kept = [0]
    for start in starts:
        if start - kept[-1] >= 4 and bars - start >= 4:
            kept.append(start)
    split: list[int] = []
    for start, stop in zip(kept, [*kept[1:], bars], strict=True):
        split += list(range(start, stop, 8)) if (stop - start) % 8 == 0 else [start]
    return split


def _scaled(bars: list[list[Event]], scale: int) -> list[list[Event]]:
    return (
        [[piece for ticks, pitch, held in bar for piece in _writable((ticks * scale, pitch, held))] for bar in bars] if scale > 1 else bars
    )


def _tonic(fifths: int, named: int, bars: list[list[Event]]) -> tuple[int, str]:
    """Tonic and mode: what the key names, unless the tune ends and dwells on another degree of the same signature."""
    major = (fifths * 7) % 12
    degrees = {0: "major", 2: "dorian", 7: "mixolydian", 9: "minor"}
    counts = np.zeros(12)
    for bar in bars:
        place = 0
        for ticks, pitch, _ in bar:
            if pitch is not None:
                counts[pitch % 12] += ticks * (1.5 if place == 0 else 1.0)
            place += ticks
    counts /= counts.sum()
    last = next((pitch for bar in reversed(bars) for _, pitch, _ in reversed(bar) if pitch is not None), major) % 12

    def score(tonic: int) -> float:
        third = (tonic + (3 if degrees[(tonic - major) % 12] in _MINOR_LIKE else 4)) % 12
        return counts[tonic] + 0.7 * counts[(tonic + 7) % 12] + 0.5 * counts[third] + (0.25 if tonic == last else 0)

    candidates = [(major + degree) % 12 for degree in degrees]
    named = named if named in candidates else major
    best = max(candidates, key=lambda tonic: score(tonic) + (0.12 if tonic == named else 0))
    return best, degrees[(best - major) % 12]


def _family(written: Written, folder: str, meter: str) -> str:
    text = f"{written.rhythm} {written.title.lower()}"
    word = next((family for words, family in _WORDS if re.search(rf"\b({words})", text)), "")
    if word:
        return word
    digits = re.sub(r"\D", "", written.number)
    number = int(digits) if digits else 0
    if folder == "oneills1850":
        if number < 640:
            return "air"
        spans = ((1116, "jig"), (1176, "slipjig"), (1556, "reel"), (1781, "hornpipe"), (9999, "march"))
        family = next(family for end, family in spans if number < end)
        return {"6/8": "jig", "9/8": "slipjig"}.get(meter, family if family not in ("jig", "slipjig") else "reel")
    return {"6/8": "jig", "9/8": "slipjig", "3/4": "waltz", "2/4": "polka"}.get(meter, "reel" if folder == "ryansMammoth" else "march")


assert {family for _, family in _WORDS} <= set(FAMILIES)
