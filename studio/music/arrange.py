"""From a melody with chords to a whole piece: what to ask of the composer, and every player's notes. Knows no model and no sound.

A melody stands above its bass, is louder than its chords and keeps to its instrument's range; chords keep to the key unless their genre
wants otherwise; the end is a chord that rings, or in a loop a way back to the beginning. Same plan, lead and seed, same score.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from studio.music import basslines, form, playing, singing
from studio.music.casting import Player, parts_for
from studio.music.chords import coloured, progression, within
from studio.music.composer import Ask
from studio.music.genres import Genre, GenrePart
from studio.music.instruments import INSTRUMENTS, Instrument
from studio.music.plan import Plan
from studio.music.playing import Stage
from studio.music.score import Chord, Key, Lead, Note, Part, Score, Section
from studio.music.touch import settled, strayed, swung

STRANGERS = 0.045
"""The share of notes outside the key that a genre which does not want them may have."""


def ask(plan: Plan, genre: Genre, seed: int) -> Ask:
    """What to ask of the composer for a plan: sections, mode, density, the genre's progressions, and bounds for the melody's player."""
    chords: dict[str, tuple[Chord, ...]] = {}
    lines = _lines(genre, plan.key)
    for section in plan.sections:
        if lines and section.name not in chords:
            rng = random.Random(f"{seed} {genre.name} {section.name}")
            chords[section.name] = _progression(lines, plan, section, rng, chords)
    low, high = singing.bounds(plan)
    down = singing.lift(plan.key)
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
    sections = _sections(plan, lead.bars)
    melody = singing.transposed(lead.notes, plan)
    chords = _harmony(plan, lead, genre, sections, melody, plain)
    stage = Stage(genre, plan.key, plan.meter, chords, sections, not plan.loop, seed)
    melody = singing.in_key(melody, stage, plain)
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
            return singing.sung(melody, part, stage, alone=players == 1)
        case "bass":
            return basslines.bass(part, instrument, stage, tag)
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
    """One that fits into the section: for the first theme one that begins at home, then others; intro and outro go along with the theme."""
    if taken and section.name.casefold() in ("intro", "outro", "ending", "coda"):
        source = next(iter(taken.values()))
    else:
        fitting = [line for line in lines if section.bars % len(line.split()) == 0] or [min(lines, key=lambda line: len(line.split()))]
        made = [progression(line, plan.key.mode, plan.meter.bar) for line in fitting]
        home = [chords for chords in made if chords[0].root == 0] if not taken else []
        fresh = home or [chords for chords in made if chords not in taken.values()] or made
        source = rng.choice(fresh)
    length = section.bars * plan.meter.bar
    return tuple(replace(chord, length=min(chord.length, length - chord.start)) for chord in source if chord.start < length - 1e-6)


def _sections(plan: Plan, bars: int) -> tuple[Section, ...]:
    """The plan's sections; for a lead of another length a usual form with the plan's energy."""
    if bars == plan.bars:
        return plan.sections
    base = sum(section.energy * section.bars for section in plan.sections) / plan.bars
    return form.with_energy(form.usual(bars, plan.loop), plan.energy, base)


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
            found.append(within(coloured(within(chord, scale), scale, genre.colour), scale))
        else:
            found.append(coloured(chord, scale, genre.colour, genre.outside))
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
    if chords[-1].root != chords[0].root:
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


def _strangers(score: Score) -> float:
    """The share of pitched notes outside the key."""
    pitches = [note.pitch % 12 for part in score.parts if not part.drums for note in part.notes]
    return sum(pitch not in score.key.scale for pitch in pitches) / max(1, len(pitches))
