"""Chords: progressions in Roman numerals, colours such as sevenths, and voicings that move as little as they can. Knows no genre."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise

from studio.errors import InvalidInput
from studio.music.score import MODES, QUALITIES, Chord

_NUMERAL = re.compile(r"([b#]?)(VII|VI|V|IV|III|II|I|vii|vi|v|iv|iii|ii|i)(o|\+|m7b5|maj7|maj9|sus4|sus2|6|7|9)?")
_DEGREES = ("I", "II", "III", "IV", "V", "VI", "VII")
_ENDINGS = {"m7": "m7", "m9": "m9", "m6": "m6"}


def progression(line: str, mode: str, bar: float) -> tuple[Chord, ...]:
    """The chords that "i VI ii,V7 I" means in C: a word a bar of `bar` quarter notes, a comma divides one.

    Capitals are major, small letters minor; `b` and `#` count from the major scale, degrees without them from the mode's. Raises
    InvalidInput for what is no such line.
    """
    chords: list[Chord] = []
    for place, word in enumerate(line.split()):
        numerals = word.split(",")
        for step, numeral in enumerate(numerals):
            length = bar / len(numerals)
            root, quality = _chord(numeral, mode)
            chords.append(Chord(place * bar + step * length, length, root, quality))
    if not chords:
        raise InvalidInput("A progression needs chords such as I vi IV V.")
    return tuple(chords)


def coloured(chord: Chord, scale: Collection[int], colour: str, outside: bool = False) -> Chord:
    """The chord as a style likes it: `triad`, `power` (as it is), `seventh` or `ninth`, with notes of the scale (or freely, `outside`)."""
    plain = list(QUALITIES[chord.quality])
    if colour in ("triad", "power"):
        simple = {"m7": "m", "m9": "m", "maj7": "", "maj9": "", "6": "", "m6": "m", "m7b5": "dim", "9": "7"}
        return replace(chord, quality=simple.get(chord.quality, chord.quality))
    if len(plain) > 4 or plain[1] not in (3, 4) or plain[2] == 8:
        return chord
    minor, diminished = plain[1] == 3, plain[2] == 6
    if diminished:
        return replace(chord, quality="m7b5" if (chord.root + 10) % 12 in scale else "dim")
    flat = (chord.root + 10) % 12 in scale
    ninth = colour == "ninth" and ((chord.root + 2) % 12 in scale or outside)
    if minor:
        quality = ("m9" if ninth else "m7") if flat or outside else "m6" if (chord.root + 9) % 12 in scale else "m"
    elif chord.quality in ("7", "9") or (flat and (chord.root + 11) % 12 not in scale):
        quality = "9" if ninth else "7"
    else:
        quality = ("maj9" if ninth else "maj7") if (chord.root + 11) % 12 in scale else chord.quality
    return replace(chord, quality=quality)


def within(chord: Chord, scale: Sequence[int]) -> Chord:
    """The chord with every note in the scale; one whose root is outside moves to the scale's note below."""
    if all(pitch in scale for pitch in chord.pitches):
        return replace(chord, bass=chord.bass if chord.bass in scale else None)
    root = chord.root if chord.root in scale else (chord.root - 1) % 12
    size = len(QUALITIES[chord.quality])
    for quality in ("", "m", "dim") if size == 3 else ("maj7", "m7", "7", "m7b5", "6", "", "m", "dim"):
        if all((root + step) % 12 in scale for step in QUALITIES[quality]):
            return Chord(chord.start, chord.length, root, quality)
    return Chord(chord.start, chord.length, root, "sus2")


def voicing(chord: Chord, before: Sequence[int], low: int, high: int, voices: int, power: bool = False) -> tuple[int, ...]:
    """`voices` notes of the chord from `low` to `high`, lowest first, moving as little as can be from those `before`.

    Of a chord of more notes the fifth goes first, then the root (the bass has it); `power` keeps root and fifth only.
    """
    steps = [0, 7] if power else _kept(QUALITIES[chord.quality], voices)
    names = [(chord.root + step) % 12 for step in steps]
    best, least = (), float("inf")
    for bottom in range(low, max(low + 1, high - 4)):
        if bottom % 12 not in names:
            continue
        for notes in _stacks(bottom, names, voices):
            if notes[-1] > high:
                continue
            cost = _movement(notes, before) if before else abs(sum(notes) / len(notes) - (low + high) / 2) * 2
            cost += sum(_grind(lower, upper) for lower, upper in pairwise(notes)) + 0.05 * abs(notes[0] - low - 4)
            cost += 4.0 * (len(set(names)) - len({note % 12 for note in notes})) if voices >= len(names) else 0
            if cost < least:
                best, least = notes, cost
    return best or tuple(sorted(low + (name - low) % 12 for name in set(names)))


def _kept(steps: Sequence[int], voices: int) -> list[int]:
    """The notes that say most, when there are more than voices."""
    order = (
        [step for step in steps if step % 12 not in (0, 7)] + [step for step in steps if step == 0] + [step for step in steps if step == 7]
    )
    if 6 in steps or 8 in steps:
        order = [*list(steps)[1:], 0]
    return sorted(order[: max(voices, 1)], key=list(steps).index)


def _stacks(bottom: int, names: Sequence[int], voices: int) -> list[tuple[int, ...]]:
    """Close position from that bottom, and with every second note an octave higher."""
    close = [bottom]
    while len(close) < max(voices, 1):
        close.append(min(close[-1] + ((name - close[-1] - 1) % 12) + 1 for name in names))
    stacks = [tuple(close)]
    if len(close) >= 3:
        stacks.append(tuple(sorted([*close[:1], close[1] + 12, *close[2:]])))
    return stacks


def _grind(lower: int, upper: int) -> float:
    """How muddy two neighbouring notes are: seconds, and thirds far down."""
    gap = upper - lower
    return (3.0 if gap == 1 else 1.5 if gap == 2 and lower < 60 else 0.0) + (1.5 if gap <= 4 and lower < 48 else 0.0)


def _movement(notes: Sequence[int], before: Sequence[int]) -> float:
    up = sum(min(abs(note - other) for other in before) for note in notes)
    down = sum(min(abs(note - other) for note in notes) for other in before)
    return (up + down) / 2 + abs(notes[-1] - before[-1]) * 0.5


def _chord(numeral: str, mode: str) -> tuple[int, str]:
    match = re.fullmatch(r"(.+?)(m7|m9|m6)?", numeral)
    word, ending = (match[1], match[2]) if match and match[2] and not match[1].endswith("b") else (numeral, None)
    found = _NUMERAL.fullmatch(word)
    if found is None:
        raise InvalidInput(f"'{numeral}' is no chord: write such as I, vi7, bVII or V7.")
    scale = MODES["major" if found[1] else mode]
    root = (scale[_DEGREES.index(found[2].upper())] + {"b": -1, "#": 1, "": 0}[found[1]]) % 12
    if ending:
        return root, _ENDINGS[ending]
    small, tail = found[2].islower(), found[3] or ""
    if tail in ("o", "+"):
        return root, "dim" if tail == "o" else "aug"
    if small and tail in ("", "6", "7", "9"):
        return root, f"m{tail}"
    return root, tail
