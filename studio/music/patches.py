"""The patches of the studio's own synthesiser, and which of them plays a General MIDI program. Data; knows no score.

`level` in decibels brings every patch to the same loudness at equal velocity (measured by BS.1770 on one phrase, see tests/test_render.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from studio.music.drums import KITS
from studio.music.effects import Effects
from studio.music.struck import Chimed, Hammered, Plucked
from studio.music.voices import Modulated, Scanned, Shape, Spread

Voice = Scanned | Spread | Modulated | Plucked | Hammered | Chimed


@dataclass(frozen=True)
class Patch:
    """A voice, its level in decibels, and the effects it likes."""

    voice: Voice
    level: float = 0.0
    effects: Effects = field(default_factory=Effects)


_BELL = ((1.0, 1.0, 0.8), (2.0, 0.35, 0.6), (2.76, 0.3, 0.4), (5.4, 0.2, 0.3), (8.9, 0.08, 0.12))
_VIBES = ((1.0, 1.0, 1.6), (3.98, 0.25, 0.35), (9.9, 0.06, 0.08))
_MARIMBA = ((1.0, 1.0, 0.32), (3.9, 0.3, 0.08), (9.2, 0.12, 0.03))
_TIMPANI = ((1.0, 1.0, 1.1), (1.5, 0.6, 0.7), (1.98, 0.35, 0.5), (2.44, 0.2, 0.3), (0.5, 0.15, 0.1))
_EPIANO = ((1, 1, 1.1, 0.5, 0.85), (1, 14, 0.12, 0.12, 0.3))
_LOW = Effects(reverb=0.0)
_CHIP = Effects(reverb=0.03, room=0.6)
_WIDE = Effects(chorus=0.5, reverb=0.3, room=2.4)

PATCHES: dict[str, Patch] = {
    # Keys
    "piano": Patch(Hammered(), -4.9, Effects(reverb=0.12)),
    "lofi piano": Patch(Hammered(soft=1.7, knock=0.5), -1.6, Effects(tape=0.6, reverb=0.12)),
    "epiano": Patch(Modulated(_EPIANO, Shape(0.003, 1.6, 0.0, 0.18)), -10.8, Effects(drive=0.08, chorus=0.4, reverb=0.12)),
    "lofi epiano": Patch(Modulated(_EPIANO, Shape(0.005, 1.4, 0.0, 0.18)), -10.0, Effects(drive=0.15, tape=0.6, reverb=0.12)),
    "harpsichord": Patch(Plucked(ring=1.0, place=0.09, loss=0.03, soft=0.75, stiff=0.00002, snap=0.25), -6.9, Effects(reverb=0.15)),
    "clav": Patch(Plucked(ring=0.6, place=0.12, loss=0.06, soft=0.8, release=0.04, snap=0.2), -4.2, Effects(drive=0.2, reverb=0.06)),
    "organ": Patch(
        Scanned("organ", Shape(0.006, 0.1, 1.0, 0.06), cutoff=4500, sweep=0, detune=3), -11.7, Effects(drive=0.08, chorus=0.6, reverb=0.18)
    ),
    # Bars and bells
    "bell": Patch(Chimed(_BELL), -12.2, Effects(reverb=0.25, room=2.0)),
    "fm bell": Patch(
        Modulated(((1, 3.5, 1.6, 0.5, 0.8), (2, 7.01, 0.6, 0.2, 0.2)), Shape(0.002, 0.9, 0, 0.8)), -10.6, Effects(reverb=0.3, room=2.2)
    ),
    "vibes": Patch(Chimed(_VIBES, damped=True, tremolo=0.35), -9.9, Effects(reverb=0.18)),
    "marimba": Patch(Chimed(_MARIMBA), -6.2, Effects(reverb=0.12)),
    "kalimba": Patch(Chimed(((1.0, 1.0, 0.5), (2.0, 0.15, 0.2), (5.4, 0.25, 0.06))), -8.7, Effects(reverb=0.16)),
    "timpani": Patch(Chimed(_TIMPANI), -12.2, Effects(reverb=0.25, room=2.4)),
    # Strings that are plucked
    "nylon": Patch(Plucked(ring=0.9, place=0.28, loss=0.12, soft=1.2, snap=0.1), -8.0, Effects(reverb=0.12)),
    "steel": Patch(Plucked(ring=1.3, place=0.16, loss=0.05, soft=0.95, snap=0.2), -7.5, Effects(reverb=0.12)),
    "guitar": Patch(Plucked(ring=1.3, place=0.22, loss=0.08, soft=1.1, snap=0.1), -8.2, Effects(chorus=0.25, reverb=0.12)),
    "muted": Patch(Plucked(ring=0.22, place=0.2, loss=0.2, soft=1.1, release=0.04, snap=0.25), -0.8, Effects(reverb=0.08)),
    "distorted": Patch(Plucked(ring=3.5, place=0.2, loss=0.02, soft=0.9, snap=0.1), -1.5, Effects(drive=3.5, reverb=0.1)),
    "pluck": Patch(Plucked(ring=0.7, place=0.13, loss=0.06, soft=0.9, snap=0.2), -5.6, Effects(echo=0.18, reverb=0.14)),
    "koto": Patch(Plucked(ring=0.9, place=0.08, loss=0.05, soft=0.85, snap=0.35), -4.7, Effects(reverb=0.15)),
    "harp": Patch(Plucked(ring=1.5, place=0.35, loss=0.1, soft=1.3, release=0.6, snap=0.05), -12.1, Effects(reverb=0.25, room=2.0)),
    "pizzicato": Patch(Plucked(ring=0.25, place=0.25, loss=0.15, soft=1.2, release=0.1, snap=0.1), -3.8, Effects(reverb=0.2, room=1.8)),
    # Basses
    "upright": Patch(Plucked(ring=0.55, place=0.3, loss=0.2, soft=1.3, release=0.07, snap=0.12), -6.4, Effects(reverb=0.04)),
    "bass": Patch(Plucked(ring=0.9, place=0.24, loss=0.12, soft=1.1, release=0.06, snap=0.06), -6.8, _LOW),
    "slap": Patch(Plucked(ring=0.8, place=0.1, loss=0.05, soft=0.9, release=0.05, snap=0.4), -4.2, _LOW),
    "synthbass": Patch(Scanned("saw", Shape(0.004, 0.4, 0.7, 0.06), 260, 2.2, 0.16, 1.3, 0.4, sub=0.4), -4.9, _LOW),
    "acid": Patch(Scanned("saw", Shape(0.003, 0.3, 0.6, 0.05), 300, 3.0, 0.14, 4.0, 0.4), -5.4, Effects(drive=0.4, reverb=0.03)),
    "sub": Patch(Scanned("triangle", Shape(0.006, 0.6, 0.85, 0.08), 220, 0.5, 0.2, 0.7, 0.5), -1.3, Effects(drive=0.15, reverb=0.0)),
    "fm bass": Patch(Modulated(((1, 1, 1.6, 0.18, 0.9), (1, 2, 0.8, 0.08, 0.3)), Shape(0.003, 0.7, 0.25, 0.06), 0.2), -8.7, _LOW),
    # Many players and pads
    "strings": Patch(Spread("saw", Shape(0.09, 1.0, 0.9, 0.3), 16, 2600), -16.4, Effects(reverb=0.25, room=2.0)),
    "choir": Patch(Spread("choir", Shape(0.16, 1.0, 0.95, 0.4), 18, 6000), -16.7, Effects(reverb=0.3, room=2.4)),
    "pad": Patch(Spread("saw", Shape(0.5, 1.5, 0.85, 1.0), 14, 900), -15.4, _WIDE),
    "bright pad": Patch(Spread("saw", Shape(0.3, 1.5, 0.85, 0.9), 20, 3200), -16.8, _WIDE),
    "glass": Patch(Spread("glass", Shape(0.35, 2.0, 0.8, 1.4), 8, 5000), -18.3, Effects(chorus=0.3, echo=0.2, reverb=0.4, room=2.8)),
    "poly": Patch(Scanned("saw", Shape(0.012, 0.8, 0.6, 0.25), 700, 2.0, 0.5, 1.0, 0.5, detune=12), -8.3, Effects(chorus=0.5, reverb=0.16)),
    "super saw": Patch(Spread("saw", Shape(0.01, 0.8, 0.8, 0.2), 26, 5000), -15.7, Effects(reverb=0.18)),
    # Wind
    "brass": Patch(Scanned("saw", Shape(0.05, 0.5, 0.85, 0.1), 600, 2.2, 1.2, 0.8, 0.6, vibrato=(6, 5.0, 0.35)), -8.1, Effects(reverb=0.2)),
    "synthbrass": Patch(
        Scanned("saw", Shape(0.03, 0.6, 0.8, 0.14), 500, 2.5, 0.6, 1.0, 0.6, detune=10), -8.3, Effects(chorus=0.4, reverb=0.15)
    ),
    "sax": Patch(
        Scanned("reed", Shape(0.035, 0.5, 0.9, 0.1), 2200, 0.8, 1.0, 0.8, 0.5, vibrato=(9, 5.3, 0.3), breath=0.02),
        -7.0,
        Effects(reverb=0.18),
    ),
    "reed": Patch(
        Scanned("reed", Shape(0.03, 0.5, 0.9, 0.09), 1700, 0.5, 1.0, 0.8, 0.5, vibrato=(4, 5.0, 0.35)), -6.6, Effects(reverb=0.16)
    ),
    "flute": Patch(
        Scanned("triangle", Shape(0.05, 0.5, 0.92, 0.1), 900, 0.8, 0.8, 0.8, 0.9, vibrato=(7, 5.0, 0.3), breath=0.035),
        -6.7,
        Effects(reverb=0.22),
    ),
    "whistle": Patch(
        Scanned("sine", Shape(0.04, 0.5, 0.95, 0.08), 6000, 0, vibrato=(8, 5.6, 0.25), breath=0.02), -7.1, Effects(reverb=0.25)
    ),
    # Leads and chips
    "lead": Patch(
        Scanned("saw", Shape(0.008, 0.5, 0.75, 0.14), 1100, 1.8, 0.4, 1.4, 0.6, 8, 0.3, (7, 5.4, 0.3)),
        -8.7,
        Effects(echo=0.22, reverb=0.14),
    ),
    "saw": Patch(Scanned("saw", Shape(0.005, 0.4, 0.8, 0.1), 2600, 1.2, 0.4, 1.0, 0.6, detune=10), -8.0, Effects(echo=0.15, reverb=0.12)),
    "square": Patch(
        Scanned("square", Shape(0.005, 0.4, 0.8, 0.08), 3500, 0.8, 0.4, 0.9, 0.6, vibrato=(5, 5.5, 0.3)),
        -6.0,
        Effects(echo=0.12, reverb=0.08),
    ),
    "chip square": Patch(Scanned("square", Shape(0.002, 0.25, 0.65, 0.02), 16_000, 0), -4.5, _CHIP),
    "chip pulse": Patch(Scanned("pulse25", Shape(0.002, 0.2, 0.6, 0.02), 16_000, 0, vibrato=(6, 6.0, 0.25)), -4.5, _CHIP),
    "triangle": Patch(Scanned("triangle", Shape(0.002, 0.4, 0.9, 0.02), 16_000, 0), -4.7, _CHIP),
}
"""The patches by name. Drums are no patches but kits: see drums.py."""

_FAMILIES = (
    "piano piano piano piano epiano epiano harpsichord clav",
    "bell bell bell vibes marimba marimba fm_bell koto",
    "organ organ organ organ organ reed reed reed",
    "nylon steel guitar guitar muted distorted distorted pluck",
    "upright bass bass bass slap slap synthbass fm_bass",
    "strings strings strings strings strings pizzicato harp timpani",
    "strings strings strings bright_pad choir choir choir brass",
    "brass brass brass brass brass brass synthbrass synthbrass",
    "sax sax sax sax reed reed reed reed",
    "flute flute flute flute flute whistle whistle whistle",
    "square saw whistle lead pluck choir super_saw triangle",
    "bright_pad pad poly choir glass bright_pad pad bright_pad",
    "glass pad fm_bell bright_pad glass choir glass pad",
    "koto pluck koto koto kalimba reed strings reed",
    "fm_bell kalimba marimba marimba timpani timpani timpani pad",
    "muted whistle pad whistle fm_bell pad pad pad",
)
PROGRAMS: tuple[str, ...] = tuple(name.replace("_", " ") for family in _FAMILIES for name in family.split())
"""The patch of each of General MIDI's 128 programs."""

_KITS = {8: "acoustic kit", 24: "electronic kit", 25: "electronic kit", 32: "brush kit", 40: "brush kit", 48: "orchestral kit"}
_ALIASES = {"kit": "", "machine": "electronic kit", "brushes": "brush kit", "epiano lofi": "lofi epiano", "guitar lead": "lead"}


def patch_name(patch: str, program: int) -> str:
    """The patch of that name, or else the one that plays the General MIDI program."""
    plain = patch.casefold().replace("-", " ").replace("_", " ")
    return plain if plain in PATCHES else PROGRAMS[program % 128]


def kit_name(patch: str, program: int) -> str:
    """The kit of that name, or else the one of the General MIDI kit number."""
    plain = patch.casefold().replace("-", " ").replace("_", " ").replace("lo fi", "lofi")
    plain = _ALIASES.get(plain, plain)
    return plain if plain in KITS else _KITS.get(program, "acoustic kit")
