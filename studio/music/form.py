"""The form of a piece: sections read from words, bars shared out among them, and how the energy goes. Knows no genre and no note."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from studio.errors import InvalidInput
from studio.music.score import Section

SECTIONS_LIMIT = 24
SHORT = ("intro", "outro", "ending", "coda", "interlude", "break", "fill", "tag")
"""Sections that are half as long as others."""
_LIFT = {
    "intro": -0.22, "outro": -0.2, "ending": -0.2, "coda": -0.15, "interlude": -0.15, "break": -0.25, "breakdown": -0.25, "verse": -0.03,
    "chorus": 0.2, "refrain": 0.2, "hook": 0.15, "drop": 0.3, "build": 0.08, "bridge": -0.08, "solo": 0.1, "b": 0.13, "c": -0.08, "d": 0.1,
}  # fmt: skip


def names(text: str) -> tuple[str, ...]:
    """The sections that "Intro A B A Outro", "AABA" or "verse, chorus, verse" names. Raises InvalidInput with the field `form`."""
    words = re.sub(r"(?:->|[,;/|>→–-])", " ", text).split()
    found: list[str] = []
    for word in words:
        if re.fullmatch(r"[A-H]{2,12}", word):
            found += list(word)
        elif re.fullmatch(r"[A-Za-z][A-Za-z']{0,15}\d?", word):
            found.append(word.rstrip("0123456789").capitalize() if len(word) > 2 else word.upper())
        elif not re.fullmatch(r"\d{1,2}", word):
            raise InvalidInput("Form must name sections in order, such as Intro A B A Outro.", "form")
    if len(found) > SECTIONS_LIMIT:
        raise InvalidInput(f"A form has at most {SECTIONS_LIMIT} sections: leave some out.", "form")
    return tuple(found)


def usual(bars: int, loop: bool) -> tuple[tuple[str, int], ...]:
    """A form for that many bars, as (name, bars): themes of four, eight or sixteen bars, and what is left over as intro and outro."""
    unit = 4 if bars < 40 else 8 if bars < 120 else 16
    count, rest = divmod(bars, unit)
    if bars < 6:
        return (("A", bars),)
    if loop:
        return shared(_themes(count), bars)
    intro = count >= 5
    outro = rest > 0 or count >= 6
    themes = _themes(count - intro - (outro and (rest <= unit // 4) and count >= 6))
    if not outro and themes[-1] == "B" and len(themes) > 2:
        themes[-1] = "A"
    return shared(["Intro"] * intro + themes + ["Outro"] * outro, bars)


def shared(order: Sequence[str], bars: int) -> tuple[tuple[str, int], ...]:
    """`bars` shared out among the named sections: equal themes, in fours where that fits; intro, outro and the like take what is left.

    Raises InvalidInput with the field `form` when there are more sections than bars.
    """
    if bars < len(order):
        raise InvalidInput(f"The form has {len(order)} sections but the piece only {bars} bars: ask for a longer duration.", "form")
    short = [name.casefold() in SHORT for name in order]
    if all(short):
        short = [False] * len(order)
    few, full = sum(short), len(order) - sum(short)

    def fits(unit: int) -> bool:
        left = bars - full * unit
        return few <= left <= few * unit + max(1, unit // 4) if few else 0 <= left <= unit // 2

    sizes = range(bars // full, 0, -1)
    unit = next((size for step in (8, 4, 2, 1) for size in sizes if size % step == 0 and fits(size)), 0)
    unit = unit or next(size for size in sizes if bars - full * size >= few)
    lengths, left = [0 if small else unit for small in short], bars - full * unit
    turn = [index for index, small in enumerate(short) if small] or [len(order) - 1]
    for place, index in enumerate(turn):
        share = left // (len(turn) - place)
        share = share if place == len(turn) - 1 else max(1, share // 2 * 2)
        lengths[index] += share
        left -= share
    return tuple(zip(order, lengths, strict=True))


def natural_bars(order: Sequence[str]) -> int:
    """How many bars a form has when nothing else says so: eight for a theme, four for what is short; half of that for long forms."""
    unit = 8 if len(order) <= 4 else 4
    return sum(unit // 2 if name.casefold() in SHORT else unit for name in order)


def with_energy(parts: Sequence[tuple[str, int]], curve: str, base: float) -> tuple[Section, ...]:
    """Sections one after another. `curve` is even, rise, fall or arc; `base` the energy in the middle, 0 to 1."""
    bars, sections, place = sum(length for _, length in parts), [], 0
    for name, length in parts:
        at = (place + length / 2) / bars
        slope = {"rise": 0.7 * (at - 0.6), "fall": 0.7 * (0.4 - at), "arc": 0.55 * (math.sin(math.pi * at) - 0.7)}.get(curve, 0.0)
        lift = _LIFT.get(name.casefold(), 0.0) * (0.5 if curve in ("rise", "fall", "arc") else 1.0)
        sections.append(Section(name, place, length, round(min(1.0, max(0.1, base + slope + lift)), 3)))
        place += length
    return tuple(sections)


def _themes(count: int) -> list[str]:
    if count <= 0:
        return []
    order = {1: "A", 2: "AB", 3: "ABA", 4: "AABA"}.get(count)
    return list(order or ("AABACABA" * (count // 8 + 1))[:count])
