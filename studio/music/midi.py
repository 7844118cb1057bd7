"""Scores as MIDI files, and melodies with chords from the MIDI files of others. Knows no sound.

Written by `mido`: a track an instrument with its name and program, drums on channel 10, and a first track with tempo, time signature, key
signature and a marker for each section. The same score makes the same bytes.
"""

from __future__ import annotations

import io
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import mido
import numpy as np

from studio.errors import MediaUnreadable
from studio.music.harmony import PALETTES, progression
from studio.music.score import Chord, Key, Lead, Meter, Note, Part, Score
from studio.music.smf import FIELD, Contents, Tone, parse

TICKS = 480
"""Ticks a quarter note in the files written here."""
MINUTES_LIMIT = 30
_MAJOR = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR = ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm")
_ABOVE = {"major": 0, "dorian": 2, "phrygian": 4, "lydian": 5, "mixolydian": 7}
_GRID = 24
Event = tuple[int, int, mido.MetaMessage | mido.Message]
"""Tick, order within the tick, and message."""
# Krumhansl & Kessler 1982, "Tracing the dynamic changes in perceived tonal organization": how well each note fits a key, from its tonic up.
_FITS = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}


@dataclass(frozen=True)
class Heard:
    """What was read from a MIDI file: its melody and chords in C, its tempo in beats of its meter, and the key that it seems to be in."""

    lead: Lead
    bpm: float
    key: Key
    track: str = ""


def to_midi(score: Score, title: str = "") -> bytes:
    """The score as a standard MIDI file of type 1, as long as its bars."""
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS, charset="utf-8")
    end = _ticks(score.quarters)
    events: list[Event] = [
        (0, 0, mido.MetaMessage("track_name", name=_plain(title) or "Score")),
        (0, 1, mido.MetaMessage("set_tempo", tempo=min(16_777_215, round(60_000_000 / score.quarters_a_minute)))),
        (0, 2, mido.MetaMessage("time_signature", numerator=score.meter.beats, denominator=score.meter.unit)),
        (0, 3, mido.MetaMessage("key_signature", key=_signature(score.key))),
    ]
    events += [
        (_ticks(section.bar * score.meter.bar), 4, mido.MetaMessage("marker", text=_plain(section.name))) for section in score.sections
    ]
    file.tracks.append(_track(events, end))
    channels = [channel for channel in range(16) if channel != 9]
    pitched = 0
    for part in score.parts:
        channel = 9 if part.drums else channels[pitched % len(channels)]
        pitched += not part.drums
        file.tracks.append(_track(_messages(part, channel), end))
    written = io.BytesIO()
    file.save(file=written)
    return written.getvalue()


def from_midi(data: bytes) -> Heard:
    """The melody of a MIDI file with a chord a bar. Raises MediaUnreadable, field `reference`, in one sentence for what cannot be read.

    The melody is the top line of the track that sings most; the key is the one whose profile fits all notes best (Krumhansl 1990), low ones
    a little more.
    """
    contents = parse(data)
    pitched = [tone for tone in contents.tones if tone.channel != 9]
    if not pitched:
        raise MediaUnreadable("This MIDI file has drums only: choose one with a melody.", FIELD)
    meter = _meter(contents)
    bpm, scale = _tempo(contents, pitched)
    quarter = contents.division / scale
    if max(tone.start + tone.length for tone in pitched) / quarter / (bpm * meter.beat) > MINUTES_LIMIT:
        raise MediaUnreadable(f"This MIDI file lasts over {MINUTES_LIMIT} minutes: cut out the part with the melody.", FIELD)
    key = key_of(
        np.bincount([tone.pitch % 12 for tone in pitched], [tone.length * (1.5 if tone.pitch < 48 else 1) for tone in pitched], 12)
    )
    track, voice = _melody(pitched, contents)
    first = math.floor(min(tone.start for tone in voice) / quarter / meter.bar + 1e-6) * meter.bar
    notes = _skyline(voice, quarter, first)
    bars = max(1, math.ceil((max(note.start + note.length for note in notes) - 1e-6) / meter.bar))
    down = key.tonic if key.tonic <= 6 else key.tonic - 12
    chords = _chords(pitched, quarter, first, meter, bars, key)
    lead = Lead(
        key.mode,
        meter,
        bars,
        tuple(Note(n.start, n.length, n.pitch - down, n.velocity) for n in notes if 0 <= n.pitch - down <= 127),
        chords,
    )
    return Heard(lead, bpm, key, track)


def key_of(weights: Sequence[float] | np.ndarray) -> Key:
    """The major or minor key whose profile correlates best with the weights of the twelve pitch classes."""
    seen = np.asarray(weights, dtype=float)
    best, found = -2.0, (0, "major")
    for mode, profile in _FITS.items():
        for tonic in range(12):
            turned = np.roll(seen, -tonic)
            spread = float(turned.std() * np.std(profile))
            fit = float(np.mean((turned - turned.mean()) * (np.array(profile) - np.mean(profile)))) / spread if spread else 0.0
            if fit > best + 1e-9:
                best, found = fit, (tonic, mode)
    tonic, mode = found
    name = _MINOR[tonic].removesuffix("m") if mode == "minor" else _MAJOR[tonic]
    return Key.read(f"{name} {mode}")


def _track(events: Sequence[Event], end: int) -> mido.MidiTrack:
    """A track of (tick, order, message), closed at `end`."""
    track = mido.MidiTrack()
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - now)))
    return track


def _messages(part: Part, channel: int) -> list[Event]:
    """A part's name, program, volume, place and notes; of one moment, ends come before beginnings."""
    volume = round(min(127, max(1, 100 * part.volume)))
    events: list[Event] = [
        (0, 0, mido.MetaMessage("track_name", name=_plain(part.name))),
        (0, 1, mido.Message("program_change", channel=channel, program=part.program)),
        (0, 2, mido.Message("control_change", channel=channel, control=7, value=volume)),
        (0, 3, mido.Message("control_change", channel=channel, control=10, value=round(min(127, max(0, 64 + 63 * part.pan))))),
    ]
    for note in sorted(part.notes):
        start = _ticks(note.start)
        stop = max(start + 1, _ticks(note.start + note.length))
        events.append((start, 200 + note.pitch, mido.Message("note_on", channel=channel, note=note.pitch, velocity=note.velocity)))
        events.append((stop, 10 + note.pitch, mido.Message("note_off", channel=channel, note=note.pitch, velocity=0)))
    return events


def _ticks(quarters: float) -> int:
    return max(0, round(quarters * TICKS))


def _plain(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:120]


def _signature(key: Key) -> str:
    """The key signature: a minor key's own, for the other modes that of the major key with the same notes."""
    if key.mode == "minor":
        return _MINOR[key.tonic]
    return _MAJOR[(key.tonic - _ABOVE[key.mode]) % 12]


def _meter(contents: Contents) -> Meter:
    """The time signature that holds longest; 4/4 where the file names none that is known here."""
    spans: dict[tuple[int, int], int] = defaultdict(int)
    found = sorted(contents.meters)
    end = max(tone.start + tone.length for tone in contents.tones)
    for place, (tick, beats, unit) in enumerate(found):
        until = found[place + 1][0] if place + 1 < len(found) else max(end, tick + 1)
        spans[beats, unit] += max(0, until - tick)
    known = {meter: span for meter, span in spans.items() if 2 <= meter[0] <= 12 and meter[1] in (2, 4, 8)}
    return Meter(*max(known, key=lambda meter: known[meter])) if known else Meter(4, 4)


def _tempo(contents: Contents, tones: Sequence[Tone]) -> tuple[float, float]:
    """Beats a minute from 30 to 300, and by what the file's quarter notes are stretched to get there.

    The tempo is that which holds longest while notes sound.
    """
    tempos = sorted(contents.tempos) or [(0, 500_000)]
    start, end = min(tone.start for tone in tones), max(tone.start + tone.length for tone in tones)
    spans: dict[int, int] = defaultdict(int)
    for place, (tick, tempo) in enumerate(tempos):
        until = tempos[place + 1][0] if place + 1 < len(tempos) else max(end, tick + 1)
        spans[tempo] += max(0, min(until, end) - max(tick, start)) * 2 + (tick <= start)
    tempo = max(spans, key=lambda tempo: (spans[tempo], -tempo))
    bpm, scale = 60_000_000 / tempo / _meter(contents).beat, 1.0
    while bpm < 30:
        bpm, scale = bpm * 2, scale * 2
    while bpm > 300:
        bpm, scale = bpm / 2, scale / 2
    return round(bpm, 3), scale


def _melody(tones: Sequence[Tone], contents: Contents) -> tuple[str, list[Tone]]:
    """The track and channel that sing most: one note at a time, high, varied, in no even rhythm, loud, perhaps so named."""
    voices: dict[tuple[int, int], list[Tone]] = defaultdict(list)
    for tone in tones:
        voices[tone.track, tone.channel].append(tone)
    most = max(len(voice) for voice in voices.values())

    def singing(place: tuple[int, int]) -> float:
        voice = sorted(voices[place], key=lambda tone: (tone.start, -tone.pitch))
        moments = {tone.start for tone in voice}
        lone = len(moments) / len(voice)
        mean = sum(tone.pitch for tone in voice) / len(voice)
        variety = min(1.0, len({tone.pitch for tone in voice}) / 8)
        gaps = Counter(round((after - before) * 8 / contents.division) for before, after in pairwise(sorted(moments)))
        regular = max(gaps.values(), default=1) / max(1, sum(gaps.values()))
        loud = sum(tone.velocity for tone in voice) / len(voice) / 127
        name = contents.names.get(place[0], "").casefold()
        named = any(word in name for word in ("melod", "lead", "vocal", "voice", "solo", "right", "soprano", "violin 1"))
        low = any(word in name for word in ("bass", "left", "pad", "drum"))
        sung = 2 * lone + min(1.0, max(0.0, (mean - 40) / 30)) + variety + min(1.0, 4 * len(voice) / most)
        return sung + 1.5 * (1 - regular) + 2 * loud + 1.5 * named - low

    place = max(sorted(voices), key=singing)
    return contents.names.get(place[0], ""), voices[place]


def _skyline(voice: Sequence[Tone], quarter: float, first: float) -> list[Note]:
    """The highest note of each moment, on a grid of 24 a quarter note, each no longer than to the next."""
    notes: list[Note] = []
    for tone in sorted(voice, key=lambda tone: (round(tone.start / quarter * _GRID), -tone.pitch, tone.length)):
        start = round(tone.start / quarter * _GRID) / _GRID - first
        length = max(1, round(tone.length / quarter * _GRID)) / _GRID
        if notes and notes[-1].start == start:
            continue
        if notes and notes[-1].start + notes[-1].length > start:
            held = notes[-1]
            if tone.pitch < held.pitch - 11 and held.start + held.length > start + length / 2:
                continue
            notes[-1] = Note(held.start, start - held.start, held.pitch, held.velocity)
        notes.append(Note(start, length, tone.pitch, max(1, tone.velocity)))
    return notes


def _chords(tones: Sequence[Tone], quarter: float, first: float, meter: Meter, bars: int, key: Key) -> tuple[Chord, ...]:
    """A chord a bar in C: the likeliest progression under everything that sounds."""
    weights = np.zeros((bars, 12))
    for tone in tones:
        start = tone.start / quarter - first
        end = min(start + tone.length / quarter, start + 4 * meter.bar)
        for bar in range(max(0, math.floor(start / meter.bar)), min(bars, math.ceil(end / meter.bar))):
            shared = min(end, (bar + 1) * meter.bar) - max(start, bar * meter.bar)
            weights[bar, (tone.pitch - key.tonic) % 12] += max(0.0, shared) * (1.4 if tone.pitch < 48 else 1.0)
    mode = key.mode if key.mode in PALETTES else "major"
    found = progression(weights, mode, [bars - 1], trust=5.0, changes=0.0)
    return tuple(Chord(bar * meter.bar, meter.bar, root, quality) for bar, (root, quality) in enumerate(found))
