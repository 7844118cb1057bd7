"""Genres as data: how fast, in which modes and meters, who plays, and in which patterns. Read from presets/music/genres/*.toml.

Knows no prompt and no score. A pattern is a line of steps, four a beat (six a beat where `meter` names 6/8 and the like), with spaces and
bars for the eye; it may be several bars long.
    chords, pads   x all notes (X strong, o soft), b the lowest alone, t all but the lowest, 1 to 9 one of them from below, - held, . silent
    bass           R root, 5 fifth, 3 third, 7 seventh, 8 octave, a a step from the next root, w walking, - held, . silent
    drums          a line an instrument: its name, then X strong, x, o soft, ? sometimes, . silent
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from studio.errors import InvalidInput
from studio.music.chords import progression
from studio.music.instruments import INSTRUMENTS, ROLES
from studio.music.score import MODES, Meter
from studio.music.tokens import FAMILIES

DRUMS = {
    "kick": 36, "snare": 38, "rim": 37, "clap": 39, "hat": 42, "pedal": 44, "open": 46, "ride": 51, "bell": 53, "crash": 49,
    "low": 45, "mid": 47, "high": 50, "floor": 41, "shaker": 70, "tambourine": 54, "cowbell": 56, "conga": 64, "openconga": 63,
    "bongo": 60, "lowbongo": 61, "claves": 75, "wood": 76, "triangle": 81, "guiro": 73,
}  # fmt: skip
"""Drums by name, in General MIDI's numbering."""
_PITCHED = {"bass": "R5387aw-.", "": "xXobt123456789-."}


class _Preset(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Groove(_Preset):
    """A pattern that a part plays from an `energy` on. `meter` names the only meter it is for; `fill` marks it for the ends of sections."""

    steps: str = Field(min_length=1)
    energy: float = Field(default=0, ge=0, le=1)
    meter: str = ""
    fill: bool = False

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """Its lines without spaces and bars: (drum, steps); the drum is '' in a pitched part."""
        return tuple(_row(line) for line in self.steps.strip().splitlines())


class GenrePart(_Preset):
    """A player of a genre. `instruments` are tried in order of liking; `low` and `high` bound the chords it plays, of `voices` notes.

    `enter` is the energy from which it plays; `pan` from -1 to 1; `late` shifts it by quarter notes; `gate` shortens its notes; `octave`
    moves a melody.
    """

    role: str
    instruments: tuple[str, ...] = Field(min_length=1)
    volume: float = Field(default=0.8, gt=0, le=1.5)
    velocity: int = Field(default=72, ge=20, le=115)
    pan: float = Field(default=0, ge=-1, le=1)
    enter: float = Field(default=0, ge=0, le=1)
    low: int = Field(default=50, ge=24, le=96)
    high: int = Field(default=74, ge=24, le=108)
    voices: int = Field(default=4, ge=1, le=6)
    late: float = Field(default=0, ge=-0.1, le=0.1)
    gate: float = Field(default=1, gt=0, le=1)
    octave: int = Field(default=0, ge=-2, le=2)
    groove: tuple[Groove, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.role not in ROLES:
            raise ValueError(f"a role is one of {', '.join(ROLES)}")
        if unknown := [name for name in self.instruments if name not in INSTRUMENTS]:
            raise ValueError(f"there is no instrument {unknown[0]}")
        if self.role not in ("melody", "counter") and not any(not groove.fill for groove in self.groove):
            raise ValueError(f"the {self.role} have no groove")
        for groove in self.groove:
            for name, line in groove.rows:
                allowed = "Xxo?." if self.role == "drums" else _PITCHED.get(self.role, _PITCHED[""])
                if (self.role == "drums") != bool(name) or set(line) - set(allowed):
                    raise ValueError(f"the line '{name} {line}' of the {self.role} is no pattern")
        return self


class Genre(_Preset):
    """One genre. `words` name it; `scenes` only hint at it; a `broad` one gives way to a genre named beside it.

    `modes` and `meters`: the first is the likeliest. `swing` is where the second of two notes falls, 0.5 in the middle; `swing_unit` the
    note that swings, 8 or 16. `colour` is what chords get. `outside`: notes outside the key belong to the style; `cadence`: a minor key
    borrows the major dominant at the ends of sections. `energy` and `curve` hold when nobody says; `family` by meter and `density` go to
    the composer. `bank` is what plays; `patches` name the synthesiser's voice where the genre wants one of its own. `timing` (quarter
    notes) and `touch` (velocity) say how far players stray. `progressions` are lines of chords by mode.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9 -]*$", max_length=40)
    title: str = Field(min_length=1, max_length=40)
    words: tuple[str, ...] = Field(min_length=1)
    scenes: tuple[str, ...] = ()
    bpm: tuple[int, int]
    modes: tuple[str, ...] = Field(min_length=1)
    meters: tuple[str, ...] = Field(min_length=1)
    swing: float = Field(default=0.5, ge=0.5, le=0.75)
    swing_unit: Literal[8, 16] = 8
    colour: Literal["triad", "seventh", "ninth", "power"] = "triad"
    broad: bool = False
    curve: Literal["even", "rise", "fall", "arc"] = "even"
    outside: bool = False
    cadence: bool = False
    energy: float = Field(default=0.55, ge=0, le=1)
    density: float = Field(default=0.5, ge=0, le=1)
    family: Mapping[str, str] = Field(default_factory=dict)
    bank: Literal["synth", "gm"] = "gm"
    timing: float = Field(default=0.012, ge=0, le=0.05)
    touch: int = Field(default=6, ge=0, le=20)
    progressions: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    patches: Mapping[str, str] = Field(default_factory=dict)
    part: tuple[GenrePart, ...] = Field(min_length=4, max_length=7)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not 30 <= self.bpm[0] <= self.bpm[1] <= 300:
            raise ValueError("bpm goes from the slowest to the fastest, 30 to 300")
        if unknown := [mode for mode in (*self.modes, *self.progressions) if mode not in MODES]:
            raise ValueError(f"there is no mode {unknown[0]}")
        meters = [*self.meters, *self.family, *(groove.meter for part in self.part for groove in part.groove if groove.meter)]
        if any(str(Meter.read(meter)) != meter for meter in meters) or self.meters[0] not in ("4/4", "3/4"):
            raise ValueError("meters are such as 3/4, the first is 4/4 or 3/4")
        if unknown := [name for name in self.patches if name not in INSTRUMENTS]:
            raise ValueError(f"there is no instrument {unknown[0]}")
        if unknown := [family for family in self.family.values() if family not in FAMILIES]:
            raise ValueError(f"there is no family {unknown[0]}")
        for mode, lines in self.progressions.items():
            for line in lines:
                progression(line, mode, 4)
        if self.part[0].role != "melody":
            raise ValueError("the first part is the melody")
        return self


def genres(folder: Path) -> Mapping[str, Genre]:
    """All genres by name. Raises InvalidInput with the file's name for a preset that is none."""
    found: dict[str, Genre] = {}
    for file in sorted((folder / "music" / "genres").glob("*.toml")):
        try:
            genre = Genre.model_validate(tomllib.loads(file.read_text("utf-8")))
        except ValidationError as error:
            first = error.errors()[0]
            place = " ".join(str(step) for step in first["loc"]) or "as a whole"
            raise InvalidInput(f"The genre preset {file.name} cannot be read: {place}, {first['msg']}.", "genre") from None
        except (tomllib.TOMLDecodeError, InvalidInput, UnicodeDecodeError) as error:
            raise InvalidInput(f"The genre preset {file.name} cannot be read: {error}.", "genre") from None
        found[genre.name] = genre
    return found


def _row(line: str) -> tuple[str, str]:
    words = line.replace("|", " ").split()
    name = words[0] if words and words[0] in DRUMS else ""
    return name, "".join(words[1:] if name else words)
