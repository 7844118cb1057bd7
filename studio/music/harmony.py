"""Chords for a melody that has none: the likeliest diatonic progression under it. Knows no model and no key but C.

A template search: each slot of the bar scores every chord of the mode by the melody's time on and off the chord's tones (more on the
beat), each change by how usual it is, and the best path wins (Viterbi 1967).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from studio.music.score import QUALITIES

PALETTES: dict[str, tuple[tuple[int, str, float], ...]] = {
    "major": ((0, "", 0.5), (7, "", 0.3), (5, "", 0.2), (9, "m", 0.0), (2, "m", 0.0), (7, "7", 0.1), (4, "m", -0.4), (11, "dim", -0.8)),
    "minor": (
        *((0, "m", 0.5), (7, "", 0.15), (7, "m", 0.0), (10, "", 0.2), (3, "", 0.15), (8, "", 0.1), (5, "m", 0.1)),
        *((7, "7", 0.0), (2, "dim", -0.6)),
    ),
    "dorian": ((0, "m", 0.5), (10, "", 0.4), (5, "", 0.1), (3, "", 0.0), (7, "m", 0.0), (2, "m", -0.3)),
    "mixolydian": ((0, "", 0.5), (10, "", 0.35), (5, "", 0.2), (7, "m", -0.1), (2, "m", -0.1), (9, "m", -0.2), (7, "", -0.2)),
}
"""Chords of each mode: root, kind, and how welcome it is."""

_AWAY = {0: 0.0, 5: 0.35, 7: 0.2, 2: 0.1, 10: 0.1, 9: 0.05, 3: 0.0, 8: 0.0, 4: -0.1, 1: -0.3, 11: -0.2, 6: -0.5}
"""How natural it is for the root to move by so many semitones upwards."""


def progression(
    weights: NDArray[np.float64], mode: str, ends: Sequence[int], trust: float = 3.0, changes: float = 0.5
) -> list[tuple[int, str]]:
    """The chords, root and kind, of each slot.

    `weights` (slots, 12): how much of each pitch class sounds there; `mode` one of PALETTES; `ends`: slots where a phrase ends, which
    prefer the tonic and the dominant, the last one the tonic. `trust` says how much the notes decide (more where all voices are known),
    `changes` what a change of chord costs.
    """
    palette = PALETTES[mode]
    tones = np.full((len(palette), 12), -1.0)
    for row, (root, quality, _) in zip(tones, palette, strict=True):
        for at, step in enumerate(QUALITIES[quality]):
            row[(root + step) % 12] = (1.0, 0.8, 0.75, 0.4)[at]
    total = weights.sum(1, keepdims=True)
    fit = trust * (weights @ tones.T) / np.maximum(total, 1e-9) + np.array([welcome for *_, welcome in palette])
    for end in ends:
        for at, (root, quality, _) in enumerate(palette):
            fit[end, at] += 1.2 if root == 0 else 0.5 if root == 7 and quality != "7" else 0.0
    if ends:
        fit[ends[-1], 0] += 2.0
    moves = np.array([[0.0 if a == b else _AWAY[(b[0] - a[0]) % 12] - changes for b in palette] for a in palette])
    best, origin = fit[0], np.zeros(fit.shape, int)
    for slot in range(1, len(fit)):
        paths = best[:, None] + moves
        origin[slot] = paths.argmax(0)
        best = paths.max(0) + fit[slot]
    at = int(best.argmax())
    chosen = [at]
    for slot in range(len(fit) - 1, 0, -1):
        at = int(origin[slot, at])
        chosen.append(at)
    return [palette[at][:2] for at in reversed(chosen)]
