"""The last hand on what players play: swing, small strayings of time and force, and notes that get out of each other's way.

Knows no chord and no pattern; the seed decides every straying.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from studio.music.score import Note


def swung(notes: Sequence[Note], swing: float, unit: float) -> list[Note]:
    """Of two notes of `unit` quarter notes the second begins at the share `swing` of both (0.5: in the middle)."""
    if swing <= 0.5:
        return list(notes)

    def warped(time: float) -> float:
        pair, place = divmod(time, 2 * unit)
        place /= 2 * unit
        place = place * 2 * swing if place < 0.5 else swing + (place - 0.5) * 2 * (1 - swing)
        return (pair + place) * 2 * unit

    moved = []
    for note in notes:
        start = warped(note.start)
        moved.append(replace(note, start=start, length=max(0.05, warped(note.start + note.length) - start)))
    return moved


def strayed(notes: Sequence[Note], timing: float, force: float, late: float, seed: str) -> list[Note]:
    """Notes a little early, late, strong or weak: normal with those deviations (quarter notes, velocity), at most two and a half of them.

    Notes that begin together stay together.
    """
    rng = random.Random(seed)
    shifts: dict[float, float] = {}
    found = []
    for note in notes:
        if note.start not in shifts:
            shifts[note.start] = max(-2.5 * timing, min(2.5 * timing, rng.gauss(0, timing))) if timing else 0.0
        start = note.start + shifts[note.start] + late
        velocity = note.velocity + round(max(-2.5 * force, min(2.5 * force, rng.gauss(0, force)))) if force else note.velocity
        found.append(replace(note, start=max(0.0, start), velocity=max(10, min(126, velocity))))
    return found


def settled(notes: Sequence[Note], total: float, drums: bool = False) -> tuple[Note, ...]:
    """Notes in order, within `total` quarter notes, of which none overlaps another of its pitch; times to a thousandth."""
    tidy: list[Note] = []
    latest: dict[int, int] = {}
    for note in sorted(notes, key=lambda note: (round(note.start, 3), note.pitch, -note.length)):
        start = round(note.start, 3)
        length = round(min(note.length, total - start), 3)
        if start >= total - 0.02 or length <= 0.01:
            continue
        before = latest.get(note.pitch)
        if before is not None and tidy[before].start + tidy[before].length > start - 0.001:
            free = round(start - tidy[before].start - 0.005, 3)
            if free < (0.02 if drums else 0.05):
                continue
            tidy[before] = replace(tidy[before], length=free)
        latest[note.pitch] = len(tidy)
        tidy.append(Note(start, length, note.pitch, note.velocity))
    return tuple(tidy)
