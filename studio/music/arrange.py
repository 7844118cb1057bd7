"""From a melody with chords to a whole piece: what to ask of the composer, and every player's notes. Knows no model and no sound.

A melody stands above its bass, is louder than its chords and keeps to its instrument's range; chords keep to the key unless their genre
wants otherwise; the end is a chord that rings, or in a loop a way back to the beginning. Same plan, lead and seed, same score.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from studio.music import playing
from studio.music.casting import Player, parts_for
from studio.music.chords import coloured, progression, within
from studio.music.composer import Ask
from studio.music.genres import Genre, GenrePart
from studio.music.instruments import INSTRUMENTS, Instrument
from studio.music.plan import Plan
from studio.music.playing import BASS_TOP, Stage
from studio.music.score import Chord, Key, Lead, Note, Part, Score, Section
from studio.music.touch import settled, strayed, swung

STRANGERS = 0.045
"""The share of notes outside the key that a genre which does not want them may have."""


def ask(plan: Plan, genre: Genre, seed: int) -> Ask:
    """What to ask of the composer for a plan: sections, mode, density, the genre's progressions, and bounds that fit the melody's player."""
    bar = plan.meter.bar
    chords: dict[str, tuple[Chord, ...]] = {}
    lines = _lines(genre, plan.key)
    for section in plan.sections:
        if lines and section.name not in chords:
            rng = random.Random(f"{seed} {genre.name} {section.name}")
            chords[section.name] = _progression(lines, plan, section, rng, chords)
    low, high = _melody_bounds(plan)
    down = _down(plan.key)
    density = min(1.0, max(0.0, plan.density))
    outside = 0.35 if genre.outside else 0.1 if genre.cadence else 0.0
    family = genre.family.get(str(plan.meter), "")
    lowest = min(max(48, low - down), 91 - 16)
    return Ask(
        plan.sections, plan.key.mode, plan.meter, family, density, chords, not plan.loop, seed, outside=outside,
        lowest=lowest, highest=min(91, max(high - down, lowest + 16)),
    )  # fmt: skip


def arrange(plan: Plan, lead: Lead, genre: Genre, seed: int) -> Score:
    """The piece that a plan describes, round a lead in C of the plan's meter. The melody is the first part."""
    score = _arranged(plan, lead, genre, seed, plain=False)
    if not genre.outside and _strangers(score) > STRANGERS:
        score = _arranged(plan, lead, genre, seed, plain=True)
    return score


def _arranged(plan: Plan, lead: Lead, genre: Genre, seed: int, plain: bool) -> Score:
    """`plain`: every note in the key."""
    # 1. what all hear
    sections = _fitted(plan.sections, lead.bars)
    melody = _transposed(lead.notes, plan)
    chords = _harmony(plan, lead, genre, sections, melody, plain)
    stage = Stage(genre, plan.key, plan.meter, chords, sections, not plan.loop, seed)
    melody = _in_key(melody, stage, plain)
    # 2. what each plays
    parts: list[Part] = []
    for index, (player, part) in enumerate(parts_for(genre, plan.players)):
        instrument = INSTRUMENTS[player.instrument]
        tag = f"{index} {player.role}"
        notes = _played(player, part, instrument, stage, melody, len(plan.players), tag)
        notes = notes if plan.meter.beat == 1.5 else swung(notes, plan.swing, 4 / genre.swing_unit)
        timing = genre.timing * (0.5 if player.role in ("drums", "bass") else 1.0)
        notes = strayed(notes, timing, genre.touch / 2, part.late, f"{seed} {tag} touch")
        done = settled(notes, stage.total, player.role == "drums")
        patch = genre.patches.get(instrument.name, instrument.patch)
        parts.append(Part(_name(player, parts), instrument.program, done, player.role == "drums", patch, part.volume, part.pan))
    return Score(plan.bpm, plan.key, plan.meter, lead.bars, tuple(parts), chords, sections)


def _played(
    player: Player, part: GenrePart, instrument: Instrument, stage: Stage, melody: Sequence[Note], players: int, tag: str
) -> list[Note]:
    match player.role:
        case "melody":
            return _sung(melody, part, stage, alone=players == 1)
        case "bass":
            return playing.bass(part, instrument, stage, tag)
        case "drums":
            return playing.drums(part, stage, tag)
        case "counter":
            return playing.counter(part, instrument, stage, melody, tag)
        case _:
            return playing.chordal(part, instrument, stage, tag)


def _name(player: Player, before: Sequence[Part]) -> str:
    """The instrument's name; a second part of it says its role, or counts."""
    plain = player.instrument.capitalize()
    names = [part.name for part in before]
    if plain not in names:
        return plain
    name = f"{plain} ({player.role})"
    return name if name not in names else f"{plain} ({player.role} {sum(other.startswith(plain) for other in names)})"


def _lines(genre: Genre, key: Key) -> tuple[str, ...]:
    """The genre's progressions for a mode, or for one with the same third."""
    return genre.progressions.get(key.mode) or genre.progressions.get("minor" if key.minor else "major") or ()


def _progression(
    lines: Sequence[str], plan: Plan, section: Section, rng: random.Random, taken: dict[str, tuple[Chord, ...]]
) -> tuple[Chord, ...]:
    """One that fits into the section and, where there is a choice, is not the last section's; intro and outro go along with the theme."""
    if taken and section.name.casefold() in ("intro", "outro", "ending", "coda"):
        source = next(iter(taken.values()))
    else:
        fitting = [line for line in lines if section.bars % len(line.split()) == 0] or [min(lines, key=lambda line: len(line.split()))]
        made = [progression(line, plan.key.mode, plan.meter.bar) for line in fitting]
        fresh = [chords for chords in made if chords not in taken.values()] or made
        source = rng.choice(fresh)
    length = section.bars * plan.meter.bar
    return tuple(replace(chord, length=min(chord.length, length - chord.start)) for chord in source if chord.start < length - 1e-6)


def _down(key: Key) -> int:
    """By how much a lead in C moves: to the nearest tonic."""
    return key.tonic if key.tonic <= 6 else key.tonic - 12


def _melody_bounds(plan: Plan) -> tuple[int, int]:
    """Lowest and highest note of the melody: a good register of its player, above every bass."""
    name = next((player.instrument for player in plan.players if player.role == "melody"), "piano")
    player = INSTRUMENTS[name]
    low = max(player.low + (2 if player.low < 60 else 0), BASS_TOP + 5)
    high = min(player.high - 2, 86)
    middle = min(max((low + high) // 2, 66), 76) + plan.register
    return max(low, min(middle - 13, high - 16)), min(high, max(middle + 13, low + 16))


def _fitted(sections: tuple[Section, ...], bars: int) -> tuple[Section, ...]:
    """The plan's sections over as many bars as the lead has: the last is cut, or goes on."""
    kept = [section for section in sections if section.bar < bars]
    last = kept[-1]
    return (*kept[:-1], replace(last, bars=bars - last.bar))


def _transposed(notes: Sequence[Note], plan: Plan) -> list[Note]:
    """The lead's notes in the key, in the octave that fits the player best; what still lies outside is folded in, and one voice is kept."""
    low, high = _melody_bounds(plan)
    move = _down(plan.key)
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


def _harmony(plan: Plan, lead: Lead, genre: Genre, sections: Sequence[Section], melody: Sequence[Note], plain: bool) -> tuple[Chord, ...]:
    """The lead's chords in the key, without a gap, in the genre's colours, with an end or a way back."""
    scale, bar = plan.key.scale, plan.meter.bar
    total = lead.bars * bar
    moved = [
        replace(c, root=(c.root + plan.key.tonic) % 12, bass=None if c.bass is None else (c.bass + plan.key.tonic) % 12)
        for c in lead.chords
    ]
    moved = _whole(moved, plan.key, total)
    if plan.loop:
        moved = _turned(moved, plan, melody, total)
    else:
        moved = [replace(chord, length=min(chord.length, total - bar - chord.start)) for chord in moved if chord.start < total - bar - 1e-6]
        moved.append(Chord(total - bar, bar, plan.key.tonic, "m" if plan.key.minor else ""))
    ends = [(section.bar + section.bars) * bar for section in sections]
    found: list[Chord] = []
    for chord in moved:
        dominant = (
            genre.cadence
            and not plain
            and chord.root == (plan.key.tonic + 7) % 12
            and any(0 < end - chord.start <= 2 * bar + 1e-6 for end in ends)
        )
        if not genre.outside and not dominant:
            chord = within(chord, scale)
        chord = coloured(chord, scale, genre.colour, genre.outside)
        found.append(chord if genre.outside or dominant else within(chord, scale))
    return tuple(found)


def _whole(chords: Sequence[Chord], key: Key, total: float) -> list[Chord]:
    """Chords in order from 0 to `total`, each to the beginning of the next."""
    kept = sorted((chord for chord in chords if 0 <= chord.start < total - 1e-6), key=lambda chord: chord.start)
    kept = kept or [Chord(0, total, key.tonic, "m" if key.minor else "")]
    kept[0] = replace(kept[0], start=0.0)
    ends = [chord.start for chord in kept[1:]] + [total]
    return [replace(chord, length=end - chord.start) for chord, end in zip(kept, ends, strict=True) if end - chord.start > 1e-6]


def _turned(chords: list[Chord], plan: Plan, melody: Sequence[Note], total: float) -> list[Chord]:
    """A loop that ends on the chord it begins with takes a step away in its last half bar, one that the melody allows."""
    if len(chords) < 2 or chords[-1].root != chords[0].root:
        return chords
    at = total - (plan.meter.bar / 2 if plan.meter.bar % 2 == 0 else plan.meter.bar if plan.meter.bar <= 3 else plan.meter.beat)
    at = max(at, chords[-1].start)
    held = max(
        (note for note in melody if note.start + note.length > at + 0.1),
        key=lambda note: note.start + note.length - max(at, note.start),
        default=None,
    )
    for degree in (4, 3, 1, 6, 5):
        root = plan.key.scale[degree]
        chord = within(Chord(at, total - at, root), plan.key.scale)
        if chord.quality != "dim" and (held is None or held.pitch % 12 in chord.pitches):
            shorter = [replace(chords[-1], length=at - chords[-1].start)] if at > chords[-1].start + 1e-6 else []
            return [*chords[:-1], *shorter, chord]
    return chords


def _in_key(melody: Sequence[Note], stage: Stage, plain: bool) -> list[Note]:
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


def _sung(melody: Sequence[Note], part: GenrePart, stage: Stage, alone: bool) -> list[Note]:
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


def _strangers(score: Score) -> float:
    """The share of pitched notes outside the key."""
    pitches = [note.pitch % 12 for part in score.parts if not part.drums for note in part.notes]
    return sum(pitch not in score.key.scale for pitch in pitches) / max(1, len(pitches))
