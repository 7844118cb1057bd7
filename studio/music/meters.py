"""How any meter is written in the bars a composing model knows: 12/8 as two bars of 6/8, 5/4 as 3/4 and 2/4. Knows no model."""

from __future__ import annotations

from dataclasses import dataclass

from studio.music.score import Meter
from studio.music.tokens import METERS, TICKS


@dataclass(frozen=True)
class Writing:
    """A bar as model bars: the meter they are told to be in, the ticks of each, and how many quarter notes a tick stands for."""

    meter: str
    lengths: tuple[int, ...]
    quarters: float


_QUARTERS = {
    2: ("2/4", (48,)),
    3: ("3/4", (72,)),
    4: ("4/4", (96,)),
    5: ("3/4", (72, 48)),
    6: ("3/4", (72, 72)),
    7: ("4/4", (96, 72)),
    8: ("4/4", (96, 96)),
    9: ("3/4", (72, 72, 72)),
    10: ("3/4", (72, 48, 72, 48)),
    11: ("4/4", (96, 96, 72)),
    12: ("4/4", (96, 96, 96)),
}


def writing(meter: Meter) -> Writing:
    """How to write `meter`. Twos and eighths that do not go in threes are quarters, twice as long or half as long."""
    if meter.unit == 8 and meter.beats in (6, 9, 12):
        return Writing("9/8" if meter.beats == 9 else "6/8", {6: (72,), 9: (108,), 12: (72, 72)}[meter.beats], 1 / TICKS)
    if meter.unit == 2 and meter.beats == 2:
        return Writing("4/4", (METERS["4/4"][0],), 1 / TICKS)
    name, lengths = _QUARTERS[meter.beats]
    return Writing(name, lengths, 4 / meter.unit / TICKS)
