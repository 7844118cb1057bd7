"""The melody of a piece: a composer's lead moved to its key and its player, kept to the chords, and sung with a little swell.

Knows no other part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from studio.music.genres import GenrePart
from studio.music.instruments import INSTRUMENTS
from studio.music.plan import Plan
from studio.music.playing import BASS_TOP, Stage
from studio.music.score import Key, Note


def bounds(plan: Plan) -> tuple[int, int]:
    """Lowest and highest note of the melody: a good register of its player, above every bass."""
    name = next((player.instrument for player in plan.players if player.role == "melody"), "piano")
    player = INSTRUMENTS[name]
    low, high = max(player.low + 2, BASS_TOP + 5), min(player.high - 2, 88)
    middle = min(max((low + high) // 2, 69), 75) + plan.register
    middle = max(low + 8, min(middle, high - 8))
    return max(low, middle - 9), min(high, middle + 11)


def lift(key: Key) -> int:
    """By how much a lead in C moves: to the nearest tonic."""
    return key.tonic if key.tonic <= 6 else key.tonic - 12


def transposed(notes: Sequence[Note], plan: Plan) -> list[Note]:
    """The lead's notes in the key, in the octave that fits the player best; what still lies outside is folded in, and one voice is kept."""
    low, high = bounds(plan)
    move = lift(plan.key)
    pitches = [note.pitch + move for note in notes]
    middle = (low + high) / 2

    def misfit(octave: int) -> float:
        outside = sum(max(0, low - pitch - octave, pitch + octave - high) for pitch in pitches)
        return outside * 4 + abs(sum(pitches) / max(1, len(pitches)) + octave - middle)

    octave = min((-24, -12, 0, 12, 24), key=misfit)
    found: list[Note] = []
    for note, pitch in zip(notes, pitches, strict=True):
        placed = pitch + octave
        while placed < low:
            placed += 12
        while placed > high and placed - 12 >= low:
            placed -= 12
        found.append(replace(note, pitch=placed))
    found.sort(key=lambda note: (note.start, -note.pitch))
    voice: list[Note] = []
    for note in found:
        if voice and note.start < voice[-1].start + 0.03:
            continue
        if voice and voice[-1].start + voice[-1].length > note.start:
            voice[-1] = replace(voice[-1], length=note.start - voice[-1].start)
        voice.append(note)
    return voice


def in_key(melody: Sequence[Note], stage: Stage, plain: bool) -> list[Note]:
    """The melody with notes of the key, or of the chord that sounds; long notes that grind against their chord give way a step."""
    scale = stage.key.scale
    found: list[Note] = []
    for note in melody:
        chord = stage.chords[stage.chord(note.start)]
        pitch = note.pitch
        if not stage.genre.outside and pitch % 12 not in scale and (plain or pitch % 12 not in chord.pitches):
            pitch += -1 if (pitch - 1) % 12 in scale else 1
        if note.length >= 1 and any((pitch - 1) % 12 == tone for tone in chord.pitches) and pitch % 12 not in chord.pitches:
            near = [pitch + step for step in (-1, 2, 1, -2, -3, 3) if (pitch + step) % 12 in chord.pitches]
            pitch = near[0] if near else pitch
        found.append(replace(note, pitch=pitch))
    return found


def sung(melody: Sequence[Note], part: GenrePart, stage: Stage, alone: bool) -> list[Note]:
    """The melody as it is played: it waits for the intro, swells over four bars, leans on the beat, and closes on the last chord."""
    bar = stage.meter.bar
    silent = [s for s in stage.sections if s.name.casefold() == "intro" and not alone and len(stage.sections) > 1]
    notes: list[Note] = []
    last = stage.total - bar
    for note in melody:
        if any(s.bar * bar <= note.start < (s.bar + s.bars) * bar - 1e-6 for s in silent):
            continue
        if stage.ends and note.start >= last - 1e-6:
            continue
        place = (note.start / bar) % 4 / 4
        beat = 4 if note.start % bar < 0.01 else 1 if note.start % stage.meter.beat < 0.01 else -3
        energy = stage.energy(note.start)
        velocity = round((part.velocity + 6) * (0.84 + 0.28 * energy)) + beat + round(5 * (1 - abs(2 * place - 1)) - 2)
        length = min(note.length, last - note.start) if stage.ends else min(note.length, stage.total - note.start)
        notes.append(replace(note, velocity=max(30, min(124, velocity)), length=max(0.05, length * part.gate)))
    if stage.ends:
        notes += _closing(melody, notes, stage, part)
    return notes


def _closing(melody: Sequence[Note], before: Sequence[Note], stage: Stage, part: GenrePart) -> list[Note]:
    """The melody's last bar: its own last notes if they come to rest on the chord, else one note of it, held to the end."""
    last = stage.total - stage.meter.bar
    chord = stage.chords[-1]
    own = [note for note in melody if note.start >= last - 1e-6]
    velocity = round((part.velocity + 4) * (0.84 + 0.28 * stage.energy(last)))
    if own and own[-1].pitch % 12 in chord.pitches[:3] and own[-1].start < stage.total - stage.meter.beat + 1e-6 and len(own) <= 4:
        kept = [replace(note, velocity=velocity) for note in own]
        kept[-1] = replace(kept[-1], length=stage.total - kept[-1].start)
        return kept
    near = own[-1].pitch if own else before[-1].pitch if before else 67
    pitch = min((p for p in range(near - 7, near + 8) if p % 12 == chord.root), key=lambda p: abs(p - near))
    return [Note(last, stage.meter.bar, pitch, velocity)]
