"""Writes bars with the network: asks it for chords and notes one after the other, keeps to the grammar, repeats what is to be repeated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from studio.music import grammar
from studio.music.decoder import Decoder
from studio.music.grammar import Grammar, Range
from studio.music.score import Chord, Note
from studio.music.tokens import CHORD, DURATIONS, HOLD, LOWEST, METERS, PITCH, REST, TICKS, TOKENS, Setting, Track, chord_of, chord_token

_ACCENTS = (96, 88, 80)
"""Velocities: first of the bar, on a beat, off it."""
_BATCH = 96
_STILL = 6
_LENGTHS = np.log2(np.maximum(DURATIONS, 1) / TICKS)
_SLACK = 1.5
"""How many notes a section may be ahead of its density or behind it before the lengths of notes are pulled."""
_MODAL_CHORDS = {
    "phrygian": {(7, ""): (7, "dim"), (7, "7"): (7, "dim"), (7, "m"): (7, "dim"), (10, ""): (10, "m"), (2, "dim"): (1, "")},
    "lydian": {(5, ""): (2, ""), (2, "m"): (2, ""), (7, "7"): (7, "maj7"), (11, "dim"): (11, "m")},
}
_MODAL_STEPS = {"phrygian": {2: -1, 11: -1}, "lydian": {5: 1}}


@dataclass(frozen=True)
class Bar:
    """A written bar: its ticks, the chord of each slot (root, kind), its events (token, ticks)."""

    ticks: int
    chords: tuple[tuple[int, str], ...]
    events: tuple[tuple[int, int], ...]


class Writer:
    """One piece in the making."""

    def __init__(
        self, decoder: Decoder, rules: Grammar, bounds: Range, mode: str, outside: float, temperature: float, top_p: float, seed: int
    ) -> None:
        self._decoder, self._rules, self._bounds, self._mode, self._outside = decoder, rules, bounds, mode, outside
        self._temperature, self._top_p = temperature, top_p
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._track, self._memory = Track(), decoder.memory()
        self._columns: list[list[int]] = []
        self._chords: list[NDArray[np.float32]] = []
        self._last: int | None = None
        self._rate, self._ahead = 1.0, 0.0
        self._palette = grammar.chords(mode)

    def begin(self, setting: Setting, rate: float, bars: int, kind: int, is_final: bool) -> None:
        """Begin a section of about `rate` notes a quarter; see Track.begin."""
        self._track.begin(setting, bars, kind, is_final)
        self._rate, self._ahead = rate, 0.0

    def bar(self, ticks: int, chords: Sequence[tuple[int, str]], closes: bool, known: Bar | None) -> Bar:
        """Write a bar of `ticks`: as `known` where that is given, over `chords` where there are some; `closes` ends on the tonic."""
        self._track.shorten(ticks)
        first = self._track.bar == 0
        if known is not None and known.ticks == ticks:
            chords = known.chords
        heard: list[tuple[int, str]] = []
        while self._track.slot:
            heard.append(self._chord(chords, closes))
        events: list[tuple[int, int]] = []
        if known is not None and known.ticks == ticks:
            for token, length in known.events:
                self._read()
                self._put(token, length)
            return known
        stop = self._closing(ticks) if closes else ticks
        while sum(length for _, length in events) < ticks:
            place = self._track.position
            if place == stop:
                self._read()
                token, length = grammar.tonic(self._bounds, self._last), ticks - stop
            else:
                token, length = self._event(place, stop, may_hold=place == 0 and not first, may_rest=not (closes and stop == ticks))
            self._put(token, length)
            events.append((token, length))
        return Bar(ticks, tuple(heard), tuple(events))

    def _chord(self, given: Sequence[tuple[int, str]], closes: bool) -> tuple[int, str]:
        slot = self._track.slot
        ends = closes and self._track.length <= slot * METERS[self._track.setting.meter][1]
        self._read()
        if given:
            chord = given[slot - 1]
        elif ends:
            chord = (0, "m" if self._mode in ("minor", "dorian") else "")
        else:
            chord = chord_of(self._choose(self._decoder.tokens(self._hidden()) + self._palette + self._tired()))
        self._track.push(chord_token(*chord), 0, chord)
        return chord

    def _tired(self) -> NDArray[np.float64]:
        """Speaks against a chord that has already held for more than a bar."""
        mask = np.zeros(TOKENS)
        heard = [chord for bar in self._track.chords[-_STILL:] for chord in bar] + self._track.slots
        held = next((at for at, chord in enumerate(reversed(heard)) if chord != heard[-1]), len(heard))
        bars = held * METERS[self._track.setting.meter][1] / METERS[self._track.setting.meter][0]
        if heard:
            mask[chord_token(*heard[-1])] = -max(bars - 1, 0.0)
        return mask

    def _event(self, place: int, stop: int, may_hold: bool, may_rest: bool) -> tuple[int, int]:
        self._read()
        hidden = self._hidden()
        mask = grammar.notes(
            self._bounds, self._mode, self._track.chord_at(place), self._outside, self._last,
            resting=self._track.last[0] == REST or not may_rest, may_hold=may_hold and self._track.sounding >= PITCH,
        )  # fmt: skip
        token = self._choose(self._decoder.tokens(hidden) + mask)
        lengths = self._decoder.durations(hidden, token) + self._rules.durations(self._track.setting.meter, place, stop)
        lengths += self._pull() * _LENGTHS
        return token, DURATIONS[self._choose(lengths)]

    def _pull(self) -> float:
        """How much longer notes are wanted than the model would write: above 0 after too many notes in this section."""
        surplus = math.copysign(max(abs(self._ahead) - _SLACK, 0.0), self._ahead)
        return min(max(0.35 * surplus, -2.0), 2.0)

    def _closing(self, ticks: int) -> int:
        """Where the last note begins in a closing bar."""
        if self._track.setting.density <= 1:
            return 0
        slot = METERS[self._track.setting.meter][1]
        return (ticks - 1) // slot * slot if ticks > slot else 24 if ticks >= 48 else 0

    def _read(self) -> None:
        """Note the step that the network must see before what is put next."""
        columns, chords = self._track.row()
        self._columns.append(columns)
        self._chords.append(chords)
        if len(self._columns) >= _BATCH:
            self._hidden()

    def _hidden(self) -> NDArray[np.float32]:
        hidden = self._decoder.step(self._memory, np.array(self._columns), np.array(self._chords))
        self._columns, self._chords = [], []
        return hidden

    def _put(self, token: int, ticks: int) -> None:
        self._track.push(token, ticks)
        self._ahead += (PITCH <= token < CHORD) - self._rate * ticks / TICKS
        if PITCH <= token < CHORD:
            self._last = token - PITCH + LOWEST

    def _choose(self, logits: NDArray[np.float64]) -> int:
        """Nucleus sampling (Holtzman et al. 2019) after the temperature, by cumulative probability."""
        scaled = (logits - logits.max()) / self._temperature
        shares = np.exp(scaled)
        shares /= shares.sum()
        order = np.argsort(-shares, kind="stable")
        heaped = np.cumsum(shares[order])
        kept = int(np.searchsorted(heaped, self._top_p)) + 1 if 0 < self._top_p < 1 else len(order)
        drawn = self._random.random() * heaped[min(kept, len(order)) - 1]
        return int(order[min(int(np.searchsorted(heaped, drawn, side="right")), kept - 1)])


def notes_of(bars: Sequence[Bar], quarters: float, meter: str) -> list[Note]:
    """The melody, held notes in one, with the meter's accents; a tick is `quarters` long."""
    beat = 36 if meter.endswith("/8") else 24
    notes: list[Note] = []
    begin = 0
    for bar in bars:
        place = 0
        for token, ticks in bar.events:
            start, length = (begin + place) * quarters, ticks * quarters
            if token == HOLD and notes:
                notes[-1] = replace(notes[-1], length=notes[-1].length + length)
            elif PITCH <= token < CHORD:
                notes.append(Note(start, length, token - PITCH + LOWEST, _ACCENTS[0 if place == 0 else 1 if place % beat == 0 else 2]))
            place += ticks
        begin += bar.ticks
    return notes


def modal_notes(notes: Sequence[Note], mode: str) -> list[Note]:
    """A melody in minor or major as phrygian or lydian."""
    steps = _MODAL_STEPS.get(mode, {})
    return [replace(note, pitch=note.pitch + steps.get(note.pitch % 12, 0)) for note in notes]


def modal_chords(chords: Sequence[Chord], mode: str) -> list[Chord]:
    """The chords of a melody in minor or major as phrygian or lydian."""
    table = _MODAL_CHORDS.get(mode, {})
    found = [table.get((chord.root, chord.quality), (chord.root, chord.quality)) for chord in chords]
    return [replace(chord, root=root, quality=quality) for chord, (root, quality) in zip(chords, found, strict=True)]
