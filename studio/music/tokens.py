"""How the composing model sees a piece: one step an event, beside what is known about the place the next event will take.

A bar is its chords (one for each slot of the bar) and then its notes, each a token and a duration. Times inside a bar are ticks, 24 to a
quarter. Used alike where the model is trained and where it composes; knows no weights.

Beside the last event, every step tells the model the place in the bar, the bar's place in its section, the chord that holds there and
the next one, and what stood at the same place 1, 2, 4 and 8 bars before: repetition is copying from there (the "lookback" features of
Magenta's Lookback RNN, 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio.music.score import QUALITIES

TICKS = 24
LOWEST, HIGHEST = 48, 91
NOTHING, REST, HOLD, PITCH = 0, 1, 2, 3
"""Tokens: none (the beginning), a rest, the last note going on over a bar line, and the first of the pitches."""
CHORD = PITCH + HIGHEST - LOWEST + 1
CHORD_QUALITIES = ("", "m", "dim", "7")
TOKENS = CHORD + 12 * len(CHORD_QUALITIES)
DURATIONS = (0, 3, 4, 6, 8, 9, 12, 15, 16, 18, 21, 24, 30, 32, 36, 42, 48, 54, 60, 66, 72, 84, 96, 108)
"""In ticks; the first belongs to chords."""
METERS = {"4/4": (96, 48), "2/4": (48, 48), "3/4": (72, 72), "6/8": (72, 36), "9/8": (108, 36)}
"""The meters it learns: ticks of a bar, ticks of a chord slot."""
MODES = ("major", "minor", "dorian", "mixolydian")
FAMILIES = ("air", "reel", "hornpipe", "strathspey", "jig", "slipjig", "waltz", "march", "polka", "chorale")
DENSITIES = (0.95, 1.35, 1.75, 2.05)
"""Bounds between the five densities, in notes a quarter."""
BACK = (1, 2, 4, 8)
"""How many bars the lookback goes back."""
LEFT = 8
"""Bars left in a section are counted up to this many."""

COLUMNS = (
    ("token", TOKENS),
    ("duration", len(DURATIONS)),
    ("position", 109),
    ("slot", 4),
    ("meter", len(METERS)),
    ("mode", len(MODES)),
    ("family", len(FAMILIES) + 1),
    ("density", len(DENSITIES) + 2),
    ("bar", 8),
    ("left", LEFT + 1),
    ("section", 3),
    ("final", 2),
    ("back1", 2 * TOKENS),
    ("back2", 2 * TOKENS),
    ("back4", 2 * TOKENS),
    ("back8", 2 * TOKENS),
)
"""The columns of a step, and how many values each takes. The two chords follow as `CHORD_WIDTH` columns of 0 and 1."""
CHORD_WIDTH = 24
"""A chord to the model: its root among twelve, and its pitch classes among twelve."""


@dataclass(frozen=True)
class Setting:
    """What holds for a whole section: indices into the tables above; family and density 0 mean unknown, else one more than the index."""

    meter: str
    mode: int
    family: int
    density: int


def pitch_token(pitch: int) -> int:
    """The token of a MIDI pitch inside LOWEST to HIGHEST."""
    return PITCH + pitch - LOWEST


def chord_token(root: int, quality: str) -> int:
    """The token of a chord; kinds the model does not know count as the triad or seventh they contain."""
    if quality not in CHORD_QUALITIES:
        tones = QUALITIES[quality]
        quality = "dim" if 6 in tones else "m" if 3 in tones else "7" if 10 in tones and 4 in tones else ""
    return CHORD + CHORD_QUALITIES.index(quality) * 12 + root


def chord_of(token: int) -> tuple[int, str]:
    """Root and kind of a chord token."""
    kind, root = divmod(token - CHORD, 12)
    return root, CHORD_QUALITIES[kind]


def chord_columns(root: int, quality: str) -> NDArray[np.float32]:
    """(24,): the root, and the pitch classes."""
    columns = np.zeros(CHORD_WIDTH, np.float32)
    columns[root] = 1
    for step in QUALITIES[quality]:
        columns[12 + (root + step) % 12] = 1
    return columns


class Track:
    """A piece as it grows: take `row` for the next step, `push` what stands there, and so on to the end of the bar.

    `begin` a section before its first bar. `length` is the bar's own length in ticks, for meters made of shortened bars.
    """

    def __init__(self) -> None:
        self.setting = Setting("4/4", 0, 0, 0)
        self.sections = -1
        self.bars_in_section, self.bar, self.is_final = 0, 0, False
        self.kind = 0
        self.bars: list[NDArray[np.int16]] = []
        self.chords: list[list[tuple[int, str]]] = []
        self.last = (NOTHING, 0)
        self.position = self.length = 0
        self.slots: list[tuple[int, str]] = []
        self.sounding = REST

    def begin(self, setting: Setting, bars: int, kind: int, is_final: bool) -> None:
        """A section of `bars` bars: `kind` is 0 for the first tune of a piece, 1 for the second, 2 for all others."""
        self.setting, self.bars_in_section, self.kind, self.is_final, self.bar = setting, bars, kind, is_final, 0
        self._open(METERS[setting.meter][0])

    def shorten(self, length: int) -> None:
        """Give the bar that begins now a length of its own."""
        self.length = length

    @property
    def slot(self) -> int:
        """Which chord is due next, from 1; 0 when the notes are."""
        wanted = -(-self.length // METERS[self.setting.meter][1])
        return len(self.slots) + 1 if len(self.slots) < wanted else 0

    @property
    def position_next(self) -> int:
        """Where in the bar the next event will stand, in ticks."""
        return len(self.slots) * METERS[self.setting.meter][1] if self.slot else self.position

    def chord_at(self, position: int) -> tuple[int, str]:
        """The chord that holds there, in this bar."""
        return self.slots[min(position // METERS[self.setting.meter][1], len(self.slots) - 1)]

    def row(self) -> tuple[list[int], NDArray[np.float32]]:
        """The next step's columns and its two chords (48,)."""
        slot, at = self.slot, self.position_next
        setting = self.setting
        left = self.bars_in_section - self.bar
        columns = [*self.last, at, slot, list(METERS).index(setting.meter), setting.mode, setting.family, setting.density]
        columns += [self.bar % 8, min(left, LEFT), min(self.kind, 2), int(self.is_final)]
        columns += [self._back(bars, at, slot) for bars in BACK]
        chords = np.zeros(2 * CHORD_WIDTH, np.float32)
        if slot:
            before = self.slots[-1] if self.slots else self.chords[-1][-1] if self.chords else None
            if before:
                chords[CHORD_WIDTH:] = chord_columns(*before)
        else:
            chords[:CHORD_WIDTH] = chord_columns(*self.chord_at(at))
            later = at + METERS[setting.meter][1]
            if later < self.length:
                chords[CHORD_WIDTH:] = chord_columns(*self.chord_at(later))
        return columns, chords

    def push(self, token: int, ticks: int, chord: tuple[int, str] | None = None) -> bool:
        """Put an event there; true when that closed the bar. `chord` is what a chord token stands for, where it stands for more."""
        self.last = (token, DURATIONS.index(ticks))
        if token >= CHORD:
            self.slots.append(chord or chord_of(token))
            return False
        if token != HOLD:
            self.sounding = token
        sound = self.bars[-1]
        sound[self.position : self.position + ticks] = self.sounding + TOKENS
        sound[self.position] = token
        self.position += ticks
        if self.position < self.length:
            return False
        self.chords.append(self.slots)
        self.bar += 1
        self._open(METERS[self.setting.meter][0])
        return True

    def _open(self, length: int) -> None:
        if len(self.bars) == len(self.chords):
            self.bars.append(np.zeros(METERS["9/8"][0], np.int16))
        self.slots, self.position, self.length = [], 0, length

    def _back(self, bars: int, at: int, slot: int) -> int:
        index = len(self.bars) - 1 - bars
        if index < 0:
            return 0
        if not slot:
            return int(self.bars[index][at])
        chords = self.chords[index]
        return chord_token(*chords[slot - 1]) if slot <= len(chords) else 0
