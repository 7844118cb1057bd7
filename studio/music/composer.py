"""Melody and chords from a trained model: what an arranger asks for, and what it gets. Knows no key but C, no instrument and no sound.

The weights are a folder (assets/composer); see its MODEL_CARD.md for what it learnt from. Needs numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from studio.creations import Report
from studio.music.score import Chord, Lead, Meter, Section

FAMILIES = ("air", "reel", "hornpipe", "strathspey", "jig", "slipjig", "waltz", "march", "polka", "chorale")
"""Kinds of tune the model knows; "" leaves it to the meter and the density."""


@dataclass(frozen=True)
class Ask:
    """What to compose. The tonic is C: chords are given in C, and the lead comes back in C.

    `sections` follow each other without a gap from bar 0; sections of one name are the same music, with a new ending where something else
    follows. `mode` is one of score.MODES, `family` one of FAMILIES or "". `density` goes from 0 (long notes) to 1 (as busy as a reel);
    a section's energy moves it a little. `chords` gives progressions by section name ("" for all others): they begin at 0, may be shorter
    than the section and are then repeated; what is not given the model chooses. `outside` is how freely notes leave the scale: 0 never,
    1 as the model likes. `lowest` and `highest` bound the melody (MIDI numbers, at least two octaves apart).
    """

    sections: tuple[Section, ...]
    mode: str = "major"
    meter: Meter = Meter(4, 4)
    family: str = ""
    density: float = 0.5
    chords: Mapping[str, tuple[Chord, ...]] = field(default_factory=dict[str, "tuple[Chord, ...]"])
    seed: int = 0
    temperature: float = 0.9
    top_p: float = 0.95
    outside: float = 0.3
    lowest: int = 57
    highest: int = 84

    @property
    def bars(self) -> int:
        """Length of the piece in bars."""
        return sum(section.bars for section in self.sections)


class Composer:
    """The model in memory. It keeps no state between leads, and several threads may share one."""

    @classmethod
    def load(cls, folder: Path) -> Composer:
        """Read the weights and tables in `folder`. Raises FileNotFoundError where they are missing."""
        raise FileNotFoundError(folder)

    def lead(self, ask: Ask, report: Report | None = None) -> Lead:
        """Compose: exactly `ask.bars` bars, chords without a gap, notes inside their bars' bounds, an end on the tonic chord.

        `report` gets a Progress in bars after every bar, and may raise to stop. The same ask gives the same lead. Raises InvalidInput where
        the ask contradicts itself, with the name of the field.
        """
        raise NotImplementedError
