"""What may stand next in a melody: durations that fill the bar in usual ways, pitches in range. Knows no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio.music.harmony import PALETTES
from studio.music.score import MODES, QUALITIES
from studio.music.tokens import DURATIONS, HOLD, REST, TOKENS, chord_token, pitch_token

Mask = NDArray[np.float64]
"""Added to logits: 0 where allowed, minus infinity where not, in between where unwelcome."""

_WIDEST = 12
"""The widest leap, in semitones."""


@dataclass(frozen=True)
class Range:
    """Lowest and highest MIDI pitch of a melody."""

    lowest: int
    highest: int


class Grammar:
    """Usual durations by meter and place in the bar (the table that training/composer/data.py counts)."""

    def __init__(self, table: Mapping[str, Mapping[str, Sequence[int]]]) -> None:
        self._usual = {meter: {int(place): tuple(ticks) for place, ticks in places.items()} for meter, places in table.items()}
        self._filling: dict[tuple[str, int], dict[int, bool]] = {}

    def durations(self, meter: str, place: int, stop: int) -> Mask:
        """For an event at `place`: durations from which the bar (or its stretch up to `stop`) can still be filled exactly."""
        mask = np.full(len(DURATIONS), -np.inf)
        for ticks in self._usual[meter].get(place, ()):
            if self._fills(meter, place + ticks, stop):
                mask[DURATIONS.index(ticks)] = 0
        if mask.max() < 0:
            mask[
                DURATIONS.index(max(ticks for ticks in DURATIONS if place + ticks <= stop and (place + ticks == stop or ticks % 12 == 0)))
            ] = 0
        return mask

    def _fills(self, meter: str, place: int, stop: int) -> bool:
        """Whether usual durations lead from `place` to `stop`."""
        known = self._filling.setdefault((meter, stop), {})
        if place not in known:
            ways = self._usual[meter].get(place, ()) if place < stop else ()
            known[place] = place == stop or any(self._fills(meter, place + ticks, stop) for ticks in ways)
        return known[place]


def chords(mode: str) -> Mask:
    """Chord tokens of a mode."""
    mask = np.full(TOKENS, -np.inf)
    for root, quality, _ in PALETTES[mode]:
        mask[chord_token(root, quality)] = 0
    return mask


def notes(bounds: Range, mode: str, chord: tuple[int, str], outside: float, last: int | None, resting: bool, may_hold: bool) -> Mask:
    """Tokens that may follow `last` (MIDI, or None) over a chord: in range, no wide leap, no second rest.

    `outside` weighs foreign notes, from 0 to 1.
    """
    mask = np.full(TOKENS, -np.inf)
    tones = {(chord[0] + step) % 12 for step in QUALITIES[chord[1]]}
    scale = set(MODES[mode])
    altered = {(tone + step) % 12 for tone in tones - scale for step in (-1, 1)} - tones
    foreign = np.log(outside) if outside > 0 else -np.inf
    for pitch in range(bounds.lowest, bounds.highest + 1):
        if last is None or abs(pitch - last) <= _WIDEST:
            step = pitch % 12
            mask[pitch_token(pitch)] = foreign if step not in scale | tones else -1.5 if step in altered else 0.0
    if np.isneginf(mask).all():
        mask[pitch_token(bounds.lowest) : pitch_token(bounds.highest) + 1] = 0
    if not resting:
        mask[REST] = 0
    if may_hold:
        mask[HOLD] = 0
    return mask


def tonic(bounds: Range, last: int | None) -> int:
    """The token of the tonic that is nearest to the last note."""
    near = last if last is not None else (bounds.lowest + bounds.highest) // 2
    return pitch_token(
        min((pitch for pitch in range(bounds.lowest, bounds.highest + 1) if pitch % 12 == 0), key=lambda pitch: abs(pitch - near))
    )
