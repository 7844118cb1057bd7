"""Music as notes: plain data that composing, arranging, rendering, MIDI and the page share. Knows no sound and no file.

Times and lengths are in quarter notes from the beginning of the piece, floats; pitches are MIDI numbers (60 is middle C), velocities
MIDI velocities (1 to 127).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from studio.errors import InvalidInput

MODES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
"""The scales, as semitones above the tonic."""

QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus4": (0, 5, 7),
    "sus2": (0, 2, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "m7b5": (0, 3, 6, 10),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "9": (0, 4, 7, 10, 14),
    "maj9": (0, 4, 7, 11, 14),
    "m9": (0, 3, 7, 10, 14),
}
"""Kinds of chord as they are written after a root, as semitones above it."""

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_KEY = re.compile(r"([A-Ga-g])\s*(#|b|♯|♭|-sharp|-flat| sharp| flat)?\s*(maj(?:or)?|min(?:or)?|m|M|dorian|phrygian|lydian|mixolydian)?")


@dataclass(frozen=True)
class Key:
    """A tonic as a pitch class (0 is C) with its spelling, and a mode of `MODES`."""

    tonic: int
    mode: str
    name: str

    @classmethod
    def read(cls, text: str) -> Key:
        """The key that "A minor", "f# major", "Bbm", "D dorian" or "E" (major) means. Raises InvalidInput with the field `key`."""
        found = _KEY.fullmatch(text.strip())
        if found is None:
            raise InvalidInput("Key must be a note and a mode, such as A minor, F# major or D dorian.", "key")
        step, sign, mode = found[1].upper(), (found[2] or "").strip(" -"), found[3] or "major"
        sign = {"♯": "#", "sharp": "#", "♭": "b", "flat": "b"}.get(sign, sign)
        mode = "major" if mode in ("maj", "M") else "minor" if mode in ("min", "m") else mode
        tonic = (_STEPS[step] + {"#": 1, "b": -1, "": 0}[sign]) % 12
        return cls(tonic, mode, f"{step}{sign} {mode}")

    @property
    def scale(self) -> tuple[int, ...]:
        """The seven pitch classes from the tonic up."""
        return tuple((self.tonic + step) % 12 for step in MODES[self.mode])

    @property
    def minor(self) -> bool:
        """Whether the third above the tonic is minor."""
        return MODES[self.mode][2] == 3


@dataclass(frozen=True)
class Meter:
    """A time signature. A beat is what bpm counts: a dotted quarter in 6/8, 9/8 and 12/8, else the note that `unit` names."""

    beats: int
    unit: int

    @classmethod
    def read(cls, text: str) -> Meter:
        """From "3/4" and the like. Raises InvalidInput with the field `time_signature`."""
        found = re.fullmatch(r"\s*(\d{1,2})\s*/\s*(2|4|8)\s*", text)
        if found is None or not 2 <= int(found[1]) <= 12:
            raise InvalidInput("Time signature must be such as 4/4, 3/4 or 6/8.", "time_signature")
        return cls(int(found[1]), int(found[2]))

    @property
    def bar(self) -> float:
        """Length of a bar in quarter notes."""
        return self.beats * 4 / self.unit

    @property
    def beat(self) -> float:
        """Length in quarter notes of the beat that bpm counts."""
        return 1.5 if self.unit == 8 and self.beats % 3 == 0 and self.beats > 3 else 4 / self.unit

    def __str__(self) -> str:
        return f"{self.beats}/{self.unit}"


@dataclass(frozen=True, order=True)
class Note:
    """One note: start and length in quarter notes, MIDI pitch and velocity."""

    start: float
    length: float
    pitch: int
    velocity: int = 90


@dataclass(frozen=True)
class Chord:
    """A chord from `start` for `length` quarter notes: pitch class of its root, its kind (of `QUALITIES`), pitch class of its bass."""

    start: float
    length: float
    root: int
    quality: str = ""
    bass: int | None = None

    @property
    def pitches(self) -> tuple[int, ...]:
        """Its pitch classes, root first."""
        return tuple((self.root + step) % 12 for step in QUALITIES[self.quality])


@dataclass(frozen=True)
class Section:
    """A stretch of bars with a name, such as Intro, A or Chorus; `energy` from 0 to 1."""

    name: str
    bar: int
    bars: int
    energy: float = 0.6


@dataclass(frozen=True)
class Lead:
    """What a composer hands to an arranger: a melody and its chords over `bars` bars, with C as the tonic whatever the key will be."""

    mode: str
    meter: Meter
    bars: int
    notes: tuple[Note, ...]
    chords: tuple[Chord, ...]
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Part:
    """One instrument: a General MIDI `program` (0 to 127), or drums in General MIDI's drum numbering; `pan` from -1 to 1.

    `patch` names a voice of the studio's own synthesiser. `volume` scales the sound, 1 is as played.
    """

    name: str
    program: int
    notes: tuple[Note, ...]
    drums: bool = False
    patch: str = ""
    volume: float = 1.0
    pan: float = 0.0


@dataclass(frozen=True)
class Score:
    """A whole piece. `bpm` counts the meter's beats in a minute; `bars` is its exact length, whatever rings on after it."""

    bpm: float
    key: Key
    meter: Meter
    bars: int
    parts: tuple[Part, ...]
    chords: tuple[Chord, ...] = ()
    sections: tuple[Section, ...] = ()

    @property
    def quarters_a_minute(self) -> float:
        """The tempo as MIDI counts it."""
        return self.bpm * self.meter.beat

    @property
    def quarters(self) -> float:
        """Length in quarter notes."""
        return self.bars * self.meter.bar

    @property
    def seconds(self) -> float:
        """Length in seconds, bars-exact, without what rings on."""
        return self.quarters * 60 / self.quarters_a_minute

    def alone(self, part: Part) -> Score:
        """The same piece with that part only."""
        return replace(self, parts=(part,))
