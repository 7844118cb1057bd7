"""A score becomes sound: parts played one by one, balanced by what they do, and summed. Knows no task and no file format.

Stems and mix lie on the same grid of 2^-22 and are scaled by powers of two alone, so that the stems' sum is the mix to the last bit,
in whatever order they are added.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

import numpy as np
from numpy.typing import NDArray

from studio.creations import Progress, Report, Sound
from studio.music import soundfont, synth
from studio.music.banks import Bank
from studio.music.envelopes import RATE, Signal
from studio.music.score import Part, Score

TAIL = 6.0
"""Seconds that may ring on after the last bar."""

_SILENT = 10 ** (-70 / 20)
_HIGHEST = 0.98
_STEP = 2.0**-22
# Decibels by what a part does: scores say by volume and velocity what stays behind, this makes good what ears hear more or less of.
_BALANCE = {"melody": 0.0, "line": 3.0, "drums": -3.5, "bass": 1.0, "arpeggio": -2.0, "chords": -2.0, "pad": -2.0}


def render(score: Score, bank: Bank, tail: float = TAIL, report: Report | None = None) -> Sound:
    """The whole piece in stereo at 48 kHz: its bars exactly, and what rings on after them for at most `tail` seconds.

    Its peak is below 1, and its end is cut where it falls below -70 dBFS. Raises Cancelled from `report`, and InvalidInput with the field
    `bank` for a soundfont that cannot be played.
    """
    mix = np.zeros((2, _length(score, tail)), dtype=np.float32)
    for _, sound in _parts(score, bank, tail, report):
        mix += sound
    mix *= _headroom(score, mix)
    return Sound(_ended(mix[:, : _end(score, mix)], score), RATE)


def stems(score: Score, bank: Bank, tail: float = TAIL, report: Report | None = None) -> dict[str, NDArray[np.float32]]:
    """Each part alone by its name, (2, samples) as long as what `render` gives; their sum is that, to the last bit."""
    made: dict[str, Signal] = {}
    mix = np.zeros((2, _length(score, tail)), dtype=np.float32)
    for name, sound in _parts(score, bank, tail, report):
        made[name] = sound
        mix += sound
    gain = _headroom(score, mix)
    end = _end(score, mix * gain)
    return {name: _ended(sound[:, :end] * gain, score) for name, sound in made.items()}


def fold(sound: Sound, seconds: float) -> Sound:
    """A loop of exactly round(seconds * rate) samples: what rings on after them is added to the beginning."""
    length = max(1, round(seconds * sound.rate))
    folded = np.zeros((sound.samples.shape[0], length), dtype=np.float32)
    for start in range(0, sound.samples.shape[1], length):
        piece = sound.samples[:, start : start + length]
        folded[:, : piece.shape[1]] += piece
    peak = float(np.abs(folded).max(initial=0))
    return Sound(folded if peak < 1 else folded * np.float32(_HIGHEST / peak), sound.rate)


def role(part: Part, first: bool = False) -> str:
    """What a part does, by its name or its notes: drums, bass, melody (a line that is the first part), line, arpeggio, chords or pad."""
    words = part.name.casefold()
    if part.drums or not part.notes:
        return "drums"
    for said in ("melody", "arpeggio", "bass", "pad", "chords", "lead"):
        if said in words:
            return "melody" if said == "lead" else said
    if 32 <= part.program < 40 or median(note.pitch for note in part.notes) < 45:
        return "bass"
    together = 1 - len({round(note.start, 2) for note in part.notes}) / len(part.notes)
    if together < 0.4:
        return "melody" if first else "line"
    return "pad" if median(note.length for note in part.notes) >= 3 else "chords"


def _parts(score: Score, bank: Bank, tail: float, report: Report | None) -> Iterator[tuple[str, Signal]]:
    """Every part by a name of its own, balanced, panned and on the grid."""
    length = _length(score, tail)
    names: dict[str, int] = {}
    for number, part in enumerate(score.parts):

        def tell(number: int = number, name: str = part.name) -> None:
            if report is not None:
                report(Progress("running", number, len(score.parts), "parts", note=name))

        tell()
        again = names[part.name] = names.get(part.name, 0) + 1
        if bank.file is None:
            played = synth.play(score, part, length, tell)
        else:
            played = soundfont.play(score, part, length, bank.file, tell)
        played *= _sides(part, role(part, number == 0))
        fade = min(round(max(0.0, tail) * RATE), RATE)
        played[:, length - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
        yield part.name if again == 1 else f"{part.name} {again}", np.rint(played * np.float32(1 / _STEP)) * np.float32(_STEP)


def _sides(part: Part, does: str) -> Signal:
    """(2, 1) gains: the part's balance and volume, and its place between the sides at constant power."""
    gain = part.volume * 10 ** (_BALANCE[does] / 20)
    turn = (min(max(part.pan, -1.0), 1.0) + 1) * np.pi / 4
    return np.array([[gain * np.cos(turn) * np.sqrt(2)], [gain * np.sin(turn) * np.sqrt(2)]], dtype=np.float32)


def _length(score: Score, tail: float) -> int:
    return round((score.seconds + max(0.0, tail)) * RATE)


def _headroom(score: Score, mix: Signal) -> np.float32:
    """The power of two, 1 at most, that keeps the peak below 1, also once the tail is folded into the beginning."""
    bars = round(score.seconds * RATE)
    rings = min(bars, mix.shape[1] - bars)
    folded = mix[:, :rings] + mix[:, bars : bars + rings]
    peak = max(float(np.abs(mix).max(initial=0)), float(np.abs(folded).max(initial=0)), _HIGHEST)
    return np.float32(2.0 ** -int(np.ceil(np.log2(peak / _HIGHEST))))


def _end(score: Score, mix: Signal) -> int:
    """The samples to keep: the bars, and what is heard after them."""
    bars = round(score.seconds * RATE)
    heard = np.flatnonzero(np.abs(mix[:, bars:]).max(axis=0, initial=0) > _SILENT)
    return bars if heard.size == 0 else bars + int(heard[-1]) + 1


def _ended(sound: Signal, score: Score) -> Signal:
    """The sound, halved every millisecond over the last 8 ms of what rings on: halves keep the stems' sum exact."""
    rings = sound.shape[1] - round(score.seconds * RATE)
    step = RATE // 1000
    for number in range(min(8, rings // step)):
        sound[:, sound.shape[1] - (number + 1) * step :] *= np.float32(0.5)
    return sound
