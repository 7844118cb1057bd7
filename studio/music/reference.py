"""What a run of music starts from: notes where the file has notes, sound otherwise.

A take of this studio carries its notes in its record, so that its sound file alone can be gone on from, note for note.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from studio.errors import InvalidInput, StudioError
from studio.music import packed
from studio.music.score import Chord, Lead, Note, Score


@dataclass(frozen=True)
class Reference:
    """A melody with chords, in C, with the tempo and key it had.

    Of a take made here the whole score, its genre, its instruments, and whether it is a loop.
    """

    score: Score | None = None
    lead: Lead | None = None
    bpm: float | None = None
    key: str = ""
    genre: str = ""
    instruments: tuple[str, ...] = ()
    loop: bool = False


def read_notes(file: Path) -> Reference:
    """The notes of a take made here (any format that kept its record) or of a MIDI file.

    Raises InvalidInput or MediaUnreadable, in a sentence about the field `reference`, where there are none.
    """
    with file.open("rb") as opened:
        start = opened.read(4)
    if start in (b"MThd", b"RIFF") and (start == b"MThd" or file.suffix.lower() in (".mid", ".midi", ".rmi")):
        from studio.music.midi import from_midi

        found = from_midi(file.read_bytes())
        return Reference(lead=found.lead, bpm=found.bpm, key=found.key.name)
    from studio.provenance.sounds import read_record

    try:
        record = read_record(file)
    except StudioError:
        record = None
    line = record.facts.get("score") if record is not None else None
    if not isinstance(line, str):
        words = "This file holds sound without notes: choose a MIDI file or a take of the composer, or a model that listens to sound."
        raise InvalidInput(words, "reference")
    score = packed.unpack(line)
    plan = record.facts.get("plan") if record is not None else None
    plan = plan if isinstance(plan, dict) else {}
    players = plan.get("instruments")
    instruments = tuple(str(name) for name in players) if isinstance(players, list) else ()
    genre, loop = str(plan.get("genre") or ""), plan.get("loop") is True
    return Reference(score, lead_of(score), score.bpm, score.key.name, genre, instruments, loop)


def lead_of(score: Score) -> Lead:
    """The melody (the first part) and the chords of a score, in C."""
    down = score.key.tonic if score.key.tonic <= 6 else score.key.tonic - 12
    melody = score.parts[0].notes if score.parts else ()
    return Lead(
        score.key.mode,
        score.meter,
        score.bars,
        tuple(_lowered(note, down) for note in melody if 0 <= note.pitch - down <= 127),
        tuple(_turned(chord, down) for chord in score.chords),
        score.sections,
    )


def _lowered(note: Note, down: int) -> Note:
    return replace(note, pitch=note.pitch - down)


def _turned(chord: Chord, down: int) -> Chord:
    return replace(chord, root=(chord.root - down) % 12, bass=None if chord.bass is None else (chord.bass - down) % 12)
