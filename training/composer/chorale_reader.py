"""Reads Bach's four-part chorales from compressed MusicXML: the soprano bar by bar, and what all voices sound."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

from training.composer.abc_reader import TICKS, Measure

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass
class Chorale:
    """The soprano's measures, and for each measure (start, ticks, pitch class, whether it is the bass) of everything that sounds."""

    source: str
    meter: tuple[int, int]
    fifths: int
    mode: str
    last_bass: int
    measures: list[Measure]
    sounds: list[list[tuple[Fraction, Fraction, int, bool]]]


_VOICES = ("soprano", "alto", "tenor", "bass")


def chorale(path: Path) -> Chorale | None:
    """The chorale of a .mxl file, or None where its voices are not the four usual ones, share a staff, or change their meter."""
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("xml") and "META" not in name)
        root = ElementTree.fromstring(archive.read(name))  # noqa: S314 (a file of a package, read while training)
    names = {part.get("id"): (part.findtext("part-name") or "").lower() for part in root.iter("score-part")}
    parts = {names.get(part.get("id"), ""): part for part in root.iter("part")}
    voices = [next((part for name, part in parts.items() if name.startswith(voice)), None) for voice in _VOICES]
    soprano = voices[0]
    if soprano is None:
        return None
    heads = [_head(attributes) for attributes in soprano.iter("attributes") if attributes.find("time") is not None]
    if len({meter for meter, *_ in heads}) != 1:
        return None
    if any(part is not None and (part.find("measure/backup") is not None or part.find("measure/forward") is not None) for part in voices):
        return None
    sung = [_voice(part) for part in voices if part is not None]
    if len(sung) != len(_VOICES) or len({len(voice) for voice in sung}) != 1:
        return None
    sounds: list[list[tuple[Fraction, Fraction, int, bool]]] = [[] for _ in sung[0]]
    last_bass = 0
    for voice in sung:
        for heard, events in zip(sounds, voice, strict=True):
            place = Fraction(0)
            for ticks, pitch, _ in events:
                if pitch is not None:
                    heard.append((place, ticks, pitch % 12, voice is sung[-1]))
                    last_bass = pitch % 12
                place += ticks
    measures = [Measure(events, starts_section=at == 0) for at, events in enumerate(sung[0])]
    return Chorale(path.name, *heads[0], last_bass, measures, sounds)


def _head(attributes: ElementTree.Element) -> tuple[tuple[int, int], int, str]:
    """Meter, sharps of the signature, and the mode it names."""
    meter = (int(attributes.findtext("time/beats") or 4), int(attributes.findtext("time/beat-type") or 4))
    return meter, int(attributes.findtext("key/fifths") or 0), attributes.findtext("key/mode") or "major"


def _voice(part: ElementTree.Element) -> list[list[tuple[Fraction, int | None, bool]]]:
    """The measures of one voice: (ticks, MIDI pitch or None, tied to the next)."""
    divisions = 1
    measures: list[list[tuple[Fraction, int | None, bool]]] = []
    for measure in part.findall("measure"):
        measures.append([])
        for element in measure:
            if element.tag == "attributes":
                divisions = int(element.findtext("divisions") or divisions)
            elif element.tag == "note" and element.find("chord") is None and element.find("grace") is None:
                pitch = None
                if element.find("pitch") is not None:
                    pitch = _STEPS[element.findtext("pitch/step") or "C"] + int(element.findtext("pitch/alter") or 0)
                    pitch += 12 * (int(element.findtext("pitch/octave") or 4) + 1)
                ticks = Fraction(int(element.findtext("duration") or 0) * TICKS, divisions)
                measures[-1].append((ticks, pitch, any(tie.get("type") == "start" for tie in element.findall("tie"))))
    return measures
