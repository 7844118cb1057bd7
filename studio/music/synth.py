"""The studio's own synthesiser: one part of a score becomes sound. Knows no file and no other part.

Notes of the same pitch, length (to 5 ms) and force (to an eighth) are computed once a part; each begins on its exact sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from studio.music.drums import kind, strike
from studio.music.effects import reverb
from studio.music.envelopes import RATE, Signal
from studio.music.patches import PATCHES, kit_name, patch_name
from studio.music.score import Note, Part, Score

_GRID = 240
_DRUMS = 0.32
_DRUM_PAN = {"closed hat": 0.25, "open hat": 0.25, "ride": -0.3, "crash": 0.35, "shaker": -0.35, "bell": 0.3, "rim": -0.15}
_ROOMS = {"brush kit": 0.1, "orchestral kit": 0.25, "chip kit": 0.02, "electronic kit": 0.06}


def play(score: Score, part: Part, length: int, tell: Callable[[], None] = lambda: None) -> Signal:
    """(2, length) the part at velocity's own level, unpanned, with its patch's effects; later samples are left out.

    `tell` is called every now and then, and may raise.
    """
    if part.drums:
        return _drums(score, part, length)
    patch = PATCHES[patch_name(part.patch, part.program)]
    made = np.zeros((2, length), dtype=np.float32)
    known: dict[tuple[int, int, float], Signal] = {}
    kept = 0
    for note, start, held in _placed(score, part.notes, length):
        key = (note.pitch, max(_GRID, round(held / _GRID) * _GRID), max(1, round(note.velocity / 127 * 8)) / 8)
        if key not in known:
            tell()
            known = {} if kept > _KEPT else known
            known[key] = patch.voice.note(440 * 2 ** ((note.pitch - 69) / 12), key[1], key[2])
            kept = known[key].size + (kept if len(known) > 1 else 0)
        sound = known[key][:, : length - start]
        made[:, start : start + sound.shape[1]] += sound * _loudness(note.velocity)
    made *= np.float32(_BASE)
    return patch.effects.over(made, 60 / score.quarters_a_minute) * np.float32(10 ** (patch.level / 20))


_BASE = 0.25  # one note at velocity 100 leaves room for a chord before it drives what saturates
_KEPT = 50_000_000  # samples of notes that are kept at once


def _drums(score: Score, part: Part, length: int) -> Signal:
    """(2, length) the strokes; an open hat is choked by the next closed one."""
    kit = kit_name(part.patch, part.program)
    made = np.zeros((2, length), dtype=np.float32)
    placed = _placed(score, part.notes, length)
    closing = [start for note, start, _ in placed if note.pitch in (42, 44)]
    for turn, (note, start, _) in enumerate(placed):
        sound = strike(kit, note.pitch, note.velocity / 127, turn)[:, : length - start]
        if note.pitch == 46:
            stop = next((at - start for at in closing if at > start), sound.shape[1])
            sound = _choked(sound, stop)
        side = _DRUM_PAN.get(kind(note.pitch), (note.pitch - 45) / 30 if kind(note.pitch) == "tom" else 0.0)
        sides = np.array([[min(1, 1 - side)], [min(1, 1 + side)]], dtype=np.float32)
        made[:, start : start + sound.shape[1]] += sides * (sound * _loudness(note.velocity))
    made *= np.float32(_DRUMS)
    return reverb(made, _ROOMS.get(kit, 0.06), 0.9)


def _placed(score: Score, notes: tuple[Note, ...], length: int) -> list[tuple[Note, int, int]]:
    """The notes with the sample on which each begins and the samples for which it is held."""
    scale = 60 / score.quarters_a_minute * RATE
    placed = list[tuple[Note, int, int]]()
    for note in sorted(notes):
        if (start := max(0, round(note.start * scale))) < length:
            bounded = replace(note, pitch=min(max(note.pitch, 0), 127), velocity=min(max(note.velocity, 1), 127))
            placed.append((bounded, start, min(round(note.length * scale), length)))
    return placed


def _loudness(velocity: int) -> np.float32:
    """1 at velocity 100; 7 dB less at half of it."""
    return np.float32((velocity / 100) ** 1.2)


def _choked(sound: Signal, stop: int) -> Signal:
    """The sound, silent from `stop` on after 10 ms."""
    if stop >= sound.shape[1]:
        return sound
    kept = sound[:, : stop + 480].copy()
    kept[:, stop:] *= np.linspace(1, 0, kept.shape[1] - stop, dtype=np.float32)
    return kept
