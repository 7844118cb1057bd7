"""Patterns laid out in time: the steps of a groove over the bars of a section, in any meter. Knows no pitch.

A groove written for four beats fills a bar of three, five or six by leaving beats out or repeating some; in 6/8 and its like each of its
beats becomes a dotted quarter, as a shuffle.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from studio.music.genres import GenrePart, Groove
from studio.music.score import Meter, Section

_ORDER = {
    4: {1: (0,), 3: (0, 1, 3), 5: (0, 1, 2, 1, 3), 6: (0, 1, 2, 1, 2, 3), 7: (0, 1, 2, 3, 0, 1, 3)},
    3: {1: (0,), 2: (0, 2), 4: (0, 1, 2, 1), 5: (0, 1, 2, 0, 1), 7: (0, 1, 2, 1, 0, 1, 2)},
}
"""By the beats that a groove has and those that a bar has: which of its beats to play."""
_SHUFFLE = (0.0, 0.5, 1.0, 1.25, 1.5)


@dataclass(frozen=True)
class Step:
    """What stands at a place of a pattern: start and length in quarter notes of the piece, and the sign."""

    start: float
    length: float
    sign: str


def chosen(part: GenrePart, meter: Meter, section: Section, seed: str) -> Groove | None:
    """The groove for a section's energy; of several as fitting ones the seed takes one, the same in sections of one name."""
    fitting = [groove for groove in part.groove if not groove.fill and groove.meter == str(meter)]
    fitting = fitting or [groove for groove in part.groove if not groove.fill and (not groove.meter or _twice(groove, meter))]
    if not fitting:
        return None
    level = max([groove.energy for groove in fitting if groove.energy <= section.energy], default=min(groove.energy for groove in fitting))
    return random.Random(f"{seed} {section.name} {level}").choice([groove for groove in fitting if groove.energy == level])


def fill_of(part: GenrePart, meter: Meter) -> Groove | None:
    """The groove for the last bar of a section, if the part has one for this meter."""
    fills = [groove for groove in part.groove if groove.fill and groove.meter in ("", str(meter))]
    return fills[0] if fills else None


def laid(row: str, groove: Groove, natural: Meter, meter: Meter, first: int, bars: int, at: int = 0) -> list[Step]:
    """A row over `bars` bars from bar `first` of the piece, beginning with its bar `at`; holds are joined to what they hold."""
    cells: list[Step] = []
    for bar in range(bars):
        start = (first + bar) * meter.bar
        cells += [Step(start + place, length, sign) for place, length, sign in _bar(row, groove, natural, meter, at + bar)]
    steps: list[Step] = []
    for cell in cells:
        if cell.sign == "-" and steps and steps[-1].sign != ".":
            steps[-1] = Step(steps[-1].start, cell.start + cell.length - steps[-1].start, steps[-1].sign)
        elif cell.sign != "-":
            steps.append(cell)
    return [step for step in steps if step.sign != "."]


def _bar(row: str, groove: Groove, natural: Meter, meter: Meter, bar: int) -> list[tuple[float, float, str]]:
    """One bar as (start, length, sign) in quarter notes from its beginning."""
    if groove.meter == str(meter) or _twice(groove, meter):
        size = round(Meter.read(groove.meter).bar * 4)
        count = round(meter.bar * 4)
        signs = [row[(bar * count + step) % len(row)] for step in range(count)] if len(row) % size == 0 else list(row[:count])
        return [(step / 4, 0.25, sign) for step, sign in enumerate(signs)]
    beats = round(natural.bar)
    if meter.beat == 1.5:
        order, lengths = _beats(beats, round(meter.bar / 1.5), bar, len(row) // 4), (1.5,) * round(meter.bar / 1.5)
    else:
        whole = int(meter.bar)
        lengths = (1.0,) * (whole if whole == meter.bar else whole - 1) + (() if whole == meter.bar else (1.5,))
        order = _beats(beats, len(lengths), bar, len(row) // 4)
    cells: list[tuple[float, float, str]] = []
    place = 0.0
    for beat, length in zip(order, lengths, strict=True):
        marks = _SHUFFLE if meter.beat == 1.5 else (0.0, 0.25, 0.5, 0.75, length)
        cells += [(place + marks[step], marks[step + 1] - marks[step], row[beat * 4 + step]) for step in range(4)]
        place += length
    return cells


def _beats(have: int, need: int, bar: int, total: int) -> Sequence[int]:
    """Which beats of a pattern of `total` beats, `have` to its bar, a bar of `need` beats plays."""
    if have == need:
        order, source = tuple(range(have)), bar
    elif need == 2 and have == 4:
        order, source = ((0, 1), (2, 3))[bar % 2], bar // 2
    else:
        order = _ORDER.get(have, {}).get(need) or tuple(step % have for step in range(need))
        source = bar
    return [(source * have + beat) % total for beat in order]


def _twice(groove: Groove, meter: Meter) -> bool:
    return groove.meter == "6/8" and str(meter) == "12/8"
