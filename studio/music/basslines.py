"""The bass: roots, fifths, walking lines and ways to the next root, from a genre's patterns. Knows no other part."""

from __future__ import annotations

import random

from studio.music.genres import GenrePart
from studio.music.instruments import Instrument
from studio.music.patterns import Step
from studio.music.playing import BASS_TOP, Stage, energetic, split, steps
from studio.music.score import QUALITIES, Chord, Note


def bass(part: GenrePart, instrument: Instrument, stage: Stage, tag: str) -> list[Note]:
    """The bass: roots, fifths and ways to the next root, never above `BASS_TOP`."""
    rng = random.Random(f"{stage.seed} {tag} bass")
    floor = max(instrument.low, 28 if instrument.roles == ("bass",) else 33)
    notes: list[Note] = []
    before = 0
    for step in split(steps(part, stage, tag), stage):
        place = stage.chord(step.start)
        chord = stage.chords[place]
        first = step.start - chord.start < 1e-6
        sign = "R" if first and step.sign in "57" else step.sign
        pitch = (
            _walk(step, chord, before, floor, stage, rng, first) if step.sign == "w" else _pitch(sign, chord, before, floor, stage, place)
        )
        before = pitch
        loud = part.velocity + (5 if first else 0)
        notes.append(Note(step.start, step.length * part.gate, pitch, energetic(loud, stage.energy(step.start))))
    return notes


def _pitch(sign: str, chord: Chord, before: int, floor: int, stage: Stage, place: int) -> int:
    root = chord.root if chord.bass is None else chord.bass
    low = floor + (root - floor) % 12
    steps_up = QUALITIES[chord.quality]
    if sign == "a":
        following = stage.chords[(place + 1) % len(stage.chords)]
        return _approach(following.root if following.bass is None else following.bass, before or low, floor, stage)
    base = floor + (chord.root - floor) % 12
    fifth = next((step for step in steps_up if step in (6, 7, 8)), 7)
    third = next((step for step in steps_up if step in (3, 4)), fifth)
    seventh = next((step for step in steps_up if step in (9, 10, 11)), 10 if (chord.root + 10) % 12 in stage.key.scale else 12)
    pitch = {"R": low, "8": low + 12, "5": base + fifth, "3": base + third, "7": base + seventh}[sign]
    while pitch > BASS_TOP:
        pitch -= 12
    return pitch if pitch >= floor else pitch + 12


def _approach(root: int, before: int, floor: int, stage: Stage) -> int:
    """A note a step from the next root, on the side that the line comes from."""
    target = min((pitch for pitch in range(floor, BASS_TOP + 1) if pitch % 12 == root), key=lambda pitch: (abs(pitch - before), pitch))
    allowed = range(12) if stage.genre.outside else stage.key.scale
    near = [
        pitch
        for pitch in (target - 1, target - 2, target + 2, target + 1)
        if pitch % 12 in allowed and floor <= pitch <= BASS_TOP and pitch != before
    ]
    side = [pitch for pitch in near if (pitch < target) == (before < target)]
    return (side or near or [target])[0]


def _walk(step: Step, chord: Chord, before: int, floor: int, stage: Stage, rng: random.Random, first: bool) -> int:
    """A walking bass: the root on the chord's first beat, a step towards the next root on its last, chord and scale notes between."""
    if first or not before:
        return _pitch("R", chord, before, floor, stage, 0)
    if step.start + step.length >= chord.start + chord.length - 1e-6:
        return _pitch("a", chord, before, floor, stage, stage.chord(step.start))
    tones = [p for p in range(max(floor, before - 5), min(BASS_TOP, before + 5) + 1) if p % 12 in chord.pitches and p != before]
    steps_near = [p for p in (before - 2, before - 1, before + 1, before + 2) if p % 12 in stage.key.scale and floor <= p <= BASS_TOP]
    upward = before < floor + 9 if rng.random() < 0.7 else rng.random() < 0.5
    pool = [p for p in tones * 2 + steps_near if (p > before) == upward] or tones or steps_near or [before]
    return rng.choice(pool)
