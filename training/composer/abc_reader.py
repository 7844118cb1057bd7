"""Reads melodies in ABC notation: the subset the public-domain tune books use. Knows nothing of the model.

Lengths are in ticks, 24 to a quarter note. Grace notes, ornaments, slurs and chord symbols are left out; of double stops the upper note
stays; a first ending gives way to the second. The notation: abcnotation.com, standard 2.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

TICKS = 24
_LETTER = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHARPS = "FCGDAEB"
_MAJOR = {
    "C": 0,
    "G": 1,
    "D": 2,
    "A": 3,
    "E": 4,
    "B": 5,
    "F#": 6,
    "C#": 7,
    "F": -1,
    "Bb": -2,
    "Eb": -3,
    "Ab": -4,
    "Db": -5,
    "Gb": -6,
    "Cb": -7,
}
_MODES = {"maj": 0, "ion": 0, "mix": 1, "dor": 2, "min": 3, "m": 3, "aeo": 3, "phr": 4, "loc": 5, "lyd": -1}
_KEY = re.compile(r"\s*([A-G][#b]?)\s*([A-Za-z]*)")
_TOKEN = re.compile(
    r'(?P<skip>"[^"]*"|![^!]*!|\{[^}]*\}|\+[^+]*\+|%.*)'
    r"|(?P<field>\[[A-Za-z]:[^\]]*\])"
    r"|(?P<bar>:*\|+[\]:]*|\[\||::+|\|\])\s*(?P<ending>\[?[12](?![0-9]))?"
    r"|(?P<ending2>\[[12])"
    r"|(?P<tuplet>\((?P<p>\d)(?::(?P<q>\d?))?(?::(?P<r>\d?))?)"
    r"|(?P<chord>\[(?P<inner>[^\]:]*)\](?P<chord_length>\d*/*\d*)(?P<chord_tie>-?))"
    r"|(?P<note>(?P<acc>\^\^|__|\^|_|=)?(?P<letter>[A-Ga-gzx])(?P<octave>[,']*)(?P<length>\d*/*\d*)(?P<tie>-?))"
    r"|(?P<broken>>+|<+)"
)
_NOTE = re.compile(r"(\^\^|__|\^|_|=)?([A-Ga-g])([,']*)(\d*/*\d*)")


@dataclass
class Measure:
    """What stands between two bar lines: (ticks, MIDI pitch or None for a rest, tied to the next) in order."""

    events: list[tuple[Fraction, int | None, bool]] = field(default_factory=list[tuple[Fraction, "int | None", bool]])
    starts_section: bool = False
    ending: int = 0

    @property
    def ticks(self) -> Fraction:
        """Its length."""
        return sum((event[0] for event in self.events), Fraction(0))


@dataclass
class Written:
    """A tune as it stands in the book. `fifths` counts the sharps of the signature, `tonic` is the pitch class the key names."""

    source: str
    number: str
    title: str
    meter: tuple[int, int]
    fifths: int
    tonic: int
    rhythm: str
    measures: list[Measure]


def tunes(path: Path) -> Iterator[Written]:
    """Every tune of a file that this reader understands."""
    text = path.read_text(encoding="utf-8", errors="replace")
    for block in re.split(r"(?m)^(?=X:)", text):
        if block.startswith("X:"):
            tune = _tune(block, path)
            if tune is not None:
                yield tune


def _tune(block: str, path: Path) -> Written | None:
    heads: dict[str, str] = {}
    body: list[str] = []
    for line in block.splitlines():
        found = re.match(r"([A-Za-z]):(.*)", line)
        if found and "K" not in heads:
            heads.setdefault(found[1], found[2].split("%")[0].strip().strip('"'))
        elif found and found[1] in "PKML" and "K" in heads:
            body.append(f" [{found[1]}:{found[2].split('%')[0].strip()}] ")
        elif not found and "K" in heads:
            body.append(line.split("%")[0].rstrip("\\") + " ")
    meter = _meter(heads.get("M", ""))
    key = _key(heads.get("K", ""))
    if meter is None or key is None:
        return None
    unit = _unit(heads["L"]) if "L" in heads else Fraction(TICKS, 2) if meter[0] / meter[1] >= 0.75 else Fraction(TICKS, 4)
    measures = _Body(unit, key[0]).read("".join(body))
    if measures is None:
        return None
    return Written(path.name, heads["X"], heads.get("T", ""), meter, key[0], key[1], heads.get("R", "").lower(), measures)


def _meter(text: str) -> tuple[int, int] | None:
    text = text.strip()
    if text in ("C", "C|"):
        return (4, 4)
    found = re.match(r"(\d+)/(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def _unit(text: str) -> Fraction:
    return Fraction(text.strip()) * 4 * TICKS


def _key(text: str) -> tuple[int, int] | None:
    found = _KEY.match(text)
    if found is None or found[1] not in _MAJOR:
        return None
    word = found[2].lower()
    shift = next(
        (steps for name, steps in _MODES.items() if word == name or (len(name) == 3 and word.startswith(name))), 0 if not word else None
    )
    if shift is None:
        return None
    tonic = (_LETTER[found[1][0]] + {"#": 1, "b": -1, "": 0}[found[1][1:]]) % 12
    return _MAJOR[found[1]] - shift, tonic


class _Body:
    """Reads the notes of one tune."""

    def __init__(self, unit: Fraction, fifths: int) -> None:
        self.unit, self.fifths = unit, fifths
        self.accidentals: dict[tuple[str, str], int] = {}
        self.measures: list[Measure] = [Measure(starts_section=True)]
        self.tuplet: list[Fraction] = []
        self.broken = Fraction(1)

    def read(self, text: str) -> list[Measure] | None:
        """The measures, or None where something is beyond this reader."""
        for found in _TOKEN.finditer(text):
            kind = found.lastgroup
            if found["field"]:
                if found["field"][1] in "KML":
                    return None
                self._bar(section=True)
            elif found["bar"]:
                self._bar(section=found["bar"] != "|")
                self._ending(found["ending"])
            elif found["ending2"]:
                self._bar(section=False)
                self._ending(found["ending2"])
            elif found["tuplet"]:
                p = int(found["p"])
                q = int(found["q"] or 0) or {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(p, 2)
                self.tuplet = [Fraction(q, p)] * (int(found["r"] or 0) or p)
            elif found["chord"]:
                pitches = [self._pitch(acc, letter, octave) for acc, letter, octave, _ in _NOTE.findall(found["inner"])]
                inner = _NOTE.findall(found["inner"])
                if pitches:
                    self._note(max(pitches), (found["chord_length"] or inner[0][3]), bool(found["chord_tie"]))
            elif found["note"]:
                rest = found["letter"] in "zx"
                self._note(
                    None if rest else self._pitch(found["acc"], found["letter"], found["octave"]), found["length"], bool(found["tie"])
                )
            elif found["broken"]:
                self._break(found["broken"])
            elif kind is None:
                return None
        kept = [measure for measure in self.measures if measure.events]
        return _without_first_endings(kept)

    def _bar(self, section: bool) -> None:
        if self.measures[-1].events:
            self.measures.append(Measure(starts_section=section))
        elif section:
            self.measures[-1].starts_section = True
        self.accidentals = {}

    def _ending(self, text: str | None) -> None:
        if text:
            self.measures[-1].ending = int(text[-1])

    def _pitch(self, acc: str | None, letter: str, octave: str) -> int:
        name = letter.upper()
        if acc:
            self.accidentals[name, ""] = {"^": 1, "_": -1, "=": 0, "^^": 2, "__": -2}[acc]
        sharp = self.accidentals.get((name, ""))
        if sharp is None:
            sharp = _signature(self.fifths, name)
        base = 72 if letter.islower() else 60
        return base + _LETTER[name] + sharp + 12 * (octave.count("'") - octave.count(","))

    def _note(self, pitch: int | None, length: str, tie: bool) -> None:
        ticks = self.unit * _length(length) * self.broken
        self.broken = Fraction(1)
        if self.tuplet:
            ticks *= self.tuplet.pop()
        self.measures[-1].events.append((ticks, pitch, tie))

    def _break(self, signs: str) -> None:
        if not self.measures[-1].events:
            return
        short = Fraction(1, 2 ** len(signs))
        first = 2 - short if signs[0] == ">" else short
        ticks, pitch, tie = self.measures[-1].events[-1]
        self.measures[-1].events[-1] = (ticks * first, pitch, tie)
        self.broken = 2 - first


def _length(text: str) -> Fraction:
    if not text:
        return Fraction(1)
    if "/" not in text:
        return Fraction(int(text))
    above, _, below = text.partition("/")
    slashes = 1 + below.count("/")
    digits = below.strip("/")
    return Fraction(int(above or 1), int(digits) if digits and int(digits) else 2**slashes)


def _signature(fifths: int, name: str) -> int:
    if fifths > 0:
        return int(name in _SHARPS[:fifths])
    return -int(name in _SHARPS[fifths:]) if fifths < 0 else 0


def _without_first_endings(measures: list[Measure]) -> list[Measure]:
    kept: list[Measure] = []
    skipping = False
    for at, measure in enumerate(measures):
        if measure.ending == 1 and any(later.ending == 2 for later in measures[at + 1 : at + 6]):
            skipping = True
        elif measure.ending == 2:
            skipping, measure.starts_section = False, False
        if not skipping:
            kept.append(measure)
    return kept
