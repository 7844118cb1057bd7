"""From words to a plan: genre, mood, tempo, key, meter, players and form, all stated and all editable. Knows no note and no sound.

What a field of the task says wins over the prompt, the prompt over the genre; what nobody says, the seed decides. A plan written back into
the task's fields makes the same plan again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast as typed

from studio.errors import InvalidInput
from studio.music import brief, form
from studio.music.casting import Player, cast
from studio.music.genres import Genre
from studio.music.instruments import BY_WORD, Instrument, instrument, named_in
from studio.music.moods import Mood
from studio.music.score import MODES, Key, Meter, Section
from studio.tasks import Compose

SECONDS = 30.0
"""How long a piece is when nobody says."""
LOOPS = (4, 8, 16)
"""How many bars a loop has when nobody says."""
_TONICS = {False: ("C", "G", "D", "F", "A", "Bb", "Eb", "E"), True: ("A", "D", "E", "G", "C", "B", "F", "F#")}
_HINTS = {
    "distorted guitar": "rock", "square lead": "chiptune", "triangle wave": "chiptune", "church organ": "chorale",
    "saxophone": "jazz", "tenor sax": "jazz", "vibraphone": "jazz", "double bass": "jazz", "electric piano": "lofi",
    "synth": "electronic", "saw lead": "electronic", "synth lead": "electronic", "drum machine": "electronic", "pluck": "electronic",
    "pad": "ambient", "glass pad": "ambient", "brass": "cinematic", "timpani": "cinematic", "choir": "cinematic",
    "strings": "orchestral", "violin": "orchestral", "cello": "orchestral", "oboe": "orchestral", "horn": "orchestral",
    "clarinet": "orchestral", "harpsichord": "orchestral", "flute": "folk", "banjo": "folk", "acoustic guitar": "folk",
    "guitar": "folk", "accordion": "waltz", "recorder": "folk", "bagpipes": "folk", "electric guitar": "rock", "slap bass": "funk",
    "clavinet": "funk", "piano": "ballad", "music box": "ballad", "harp": "ambient",
}  # fmt: skip
_MOOD_HINTS = {
    "calm": "ambient", "dreamy": "ambient", "sad": "ballad", "melancholic": "ballad", "romantic": "ballad", "nostalgic": "lofi",
    "happy": "pop", "playful": "pop", "hopeful": "cinematic", "energetic": "electronic", "triumphant": "cinematic",
    "epic": "cinematic", "dark": "cinematic", "tense": "cinematic", "angry": "rock", "mysterious": "cinematic",
}  # fmt: skip
_GROUPS = {
    "string quartet": ("violin", "violin", "viola", "cello"),
    "string trio": ("violin", "viola", "cello"),
    "jazz trio": ("piano", "piano", "double bass", "brushes"),
    "piano trio": ("violin", "piano", "cello"),
    "wind quintet": ("flute", "oboe", "clarinet", "horn", "bassoon"),
    "brass quintet": ("trumpet", "horn", "trombone", "brass", "tuba"),
    "power trio": ("electric guitar", "distorted guitar", "bass guitar", "drums"),
}
"""Ensembles that play alone."""
_LEADING = re.compile(r"[\w -]{0,24}?\b(?:melody|lead|solo over)\b")
_ANY = ("pop", "lofi", "electronic", "folk", "cinematic", "jazz")
_SECTION = r"intro|verse|pre-?chorus|chorus|refrain|hook|bridge|solo|build|drop|breakdown|break|interlude|outro|coda"
_SECTIONS = re.compile(
    rf"\b(?:{_SECTION})\b(?:\s*(?:,|-|–|->|→|/|then|and)?\s*\b(?:{_SECTION})\b)+|\b[ABCD]{{3,8}}\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Plan:
    """What will be composed. `bpm` counts the meter's beats; `swing` is where the second of two notes falls (0.5: straight).

    `players` come with the melody first. `energy` names the curve, each section has its own value; `density` goes from 0 (long notes) to
    1; `register` moves the melody by semitones; `bank` names what plays.
    """

    genre: str
    mood: str
    bpm: float
    key: Key
    meter: Meter
    players: tuple[Player, ...]
    sections: tuple[Section, ...]
    energy: str
    loop: bool
    swing: float
    density: float
    register: int
    bank: str

    @property
    def bars(self) -> int:
        """Length in bars."""
        return sum(section.bars for section in self.sections)

    @property
    def seconds(self) -> float:
        """Length in seconds, bars-exact."""
        return self.bars * self.meter.bar * 60 / (self.bpm * self.meter.beat)

    @property
    def instruments(self) -> tuple[str, ...]:
        """The instruments in the players' order: one that plays two roles stands twice."""
        return tuple(player.instrument for player in self.players)

    @property
    def form(self) -> str:
        """The names of the sections in order."""
        return " ".join(section.name for section in self.sections)

    def facts(self) -> dict[str, object]:
        """The plan in plain values, for a page and a record."""
        return {
            "genre": self.genre, "mood": self.mood, "bpm": self.bpm, "key": self.key.name, "meter": str(self.meter), "form": self.form,
            "instruments": list(self.instruments), "roles": [player.role for player in self.players], "bars": self.bars,
            "seconds": round(self.seconds, 3), "energy": self.energy, "loop": self.loop, "swing": self.swing, "density": self.density,
            "bank": self.bank, "sections": [{"name": s.name, "bar": s.bar, "bars": s.bars, "energy": s.energy} for s in self.sections],
        }  # fmt: skip

    def fields(self) -> dict[str, object]:
        """The plan as fields of the task `Compose`: with them the same plan is read again."""
        return {
            "genre": self.genre, "mood": self.mood, "bpm": self.bpm, "key": self.key.name, "time_signature": str(self.meter),
            "form": self.form, "instruments": list(self.instruments), "duration": self.seconds, "energy": self.energy, "loop": self.loop,
        }  # fmt: skip


def read(task: Compose, genres: Mapping[str, Genre]) -> Plan:
    """The plan for a task. Raises InvalidInput with the field for a genre, mood, instrument or form that is none."""
    seed = task.seed or 0
    absent = brief.absent_in(task.prompt)
    text = _without(task.prompt, absent)
    # 1. what it is
    feeling = brief.mood(task.mood) if task.mood.strip() else brief.mood_in(text)
    named = [found for _, found in named_in(_bare(text))]
    genre, phrase = _genre(task, text, feeling, named, genres, seed)
    # 2. who plays
    wanted, only = _wanted(task, _bare(text, phrase))
    avoided = f"{absent} {task.negative_prompt}"
    without = {found.name for _, found in named_in(avoided)} | {
        role for role in ("drums", "bass", "melody") if re.search(rf"\b{role[:4]}\w*", avoided.casefold())
    }
    wanted = wanted if task.instruments else [one for one in wanted if one.name not in without and not set(one.roles) <= without]
    players = cast(genre, wanted, only, without, seed)
    # 3. how it goes
    meter = _meter(task, text, genre)
    key = _key(task, text, genre, feeling, seed)
    bpm = _bpm(task, text, genre, feeling, meter, seed)
    loop = task.loop or brief.loops(text)
    curve = task.energy or brief.energy_in(text) or ("even" if loop else genre.curve)
    lift = feeling.energy if feeling else 0.0
    sections = form.with_energy(_form(task, text, meter.bar * 60 / (bpm * meter.beat), loop), curve, genre.energy + lift)
    density = min(1.0, max(0.0, genre.density + (feeling.density if feeling else 0.0)))
    swing = 0.5 if meter.beat == 1.5 else genre.swing
    name, register = (feeling.name, feeling.register) if feeling else ("", 0)
    bank = task.bank or genre.bank
    return Plan(genre.name, name, bpm, key, meter, players, sections, curve, loop, swing, round(density, 3), register, bank)


def mentions(text: str, genres: Mapping[str, Genre]) -> list[tuple[Genre, str]]:
    """The genres that words name, in order, each with the words that name it."""
    return _mentions(text, {word: genre for genre in genres.values() for word in (*genre.words, genre.name)})


def _without(text: str, absent: str) -> str:
    for words in absent.split(" ; "):
        if words.strip():
            text = re.sub(re.escape(words.strip()), " ", text, count=1, flags=re.IGNORECASE)
    return text


def _bare(text: str, phrase: str = "") -> str:
    """The text without tempo and without the words that name the genre: "120 beats a minute" asks for no drums."""
    text = re.sub(r"\d+(?:\.\d+)?\s*-?\s*(?:bpm|beats?\b)", " ", text.casefold())
    if not phrase or any(phrase in words != phrase and words in text for words in (*BY_WORD, *_GROUPS)) or phrase in _GROUPS:
        return text
    return re.sub(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])", " ", text, count=1)


def _genre(
    task: Compose, text: str, feeling: Mood | None, named: Sequence[Instrument], genres: Mapping[str, Genre], seed: int
) -> tuple[Genre, str]:
    """The genre, and the words that named it."""
    if asked := " ".join(task.genre.casefold().split()):
        for genre in genres.values():
            if asked in (genre.name, genre.title.casefold(), *genre.words):
                return genre, asked
        raise InvalidInput(f"The genre '{task.genre.strip()}' is not known: choose one of {', '.join(genres)}.", "genre")
    found = mentions(text, genres)
    if found:
        return next(((genre, word) for genre, word in found if not genre.broad), found[0])
    if hints := _mentions(text, {word: genre for genre in genres.values() for word in genre.scenes}):
        return hints[0][0], ""
    guesses = [_HINTS.get(one.name, "") for one in named] + [_MOOD_HINTS.get(feeling.name, "") if feeling else ""]
    guesses.append(random.Random(f"{seed} genre").choice(_ANY))
    return next((genres[guess] for guess in guesses if guess in genres), next(iter(genres.values()))), ""


def _mentions(text: str, words: Mapping[str, Genre]) -> list[tuple[Genre, str]]:
    pattern = r"(?<![\w-])(?:" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + r")(?![\w-])"
    return [(words[found[0]], found[0]) for found in re.finditer(pattern, " ".join(text.casefold().split()))] if words else []


def _wanted(task: Compose, text: str) -> tuple[list[Instrument], bool]:
    """The instruments asked for, and whether they alone shall play."""
    if task.instruments:
        return _several([instrument(name) for name in task.instruments]), True
    if group := next((names for words, names in _GROUPS.items() if re.search(rf"\b{words}\b", text)), None):
        return [instrument(name) for name in group], True
    places = named_in(text)
    found = list(dict.fromkeys(one for _, one in places))
    singer = next((one for one in found if "melody" in one.roles and not one.many), None)
    leads = (one for at, one in places if _LEADING.match(text[at:]) and "melody" in one.roles)
    lead = next(leads, singer)
    if lead is not None:
        found = [lead, *(one for one in found if one != lead)]
    alone = len(found) == 1 and re.search(r"\bsolo\b|\bonly\b|\bjust\b|\balone\b|\bunaccompanied\b", text)
    return (_several(found), True) if alone else (found, False)


def _several(found: list[Instrument]) -> list[Instrument]:
    """One that can play chords accompanies itself when it is alone."""
    if len(found) == 1 and found[0].many:
        return found * (3 if "bass" in found[0].roles else 2)
    return found


def _meter(task: Compose, text: str, genre: Genre) -> Meter:
    if task.time_signature.strip():
        return Meter.read(task.time_signature)
    return brief.meter_in(text) or Meter.read(genre.meters[0])


def _key(task: Compose, text: str, genre: Genre, feeling: Mood | None, seed: int) -> Key:
    rng = random.Random(f"{seed} {genre.name} key")
    if task.key.strip():
        return Key.read(task.key)
    key, mode = brief.key_in(text)
    if key is not None and mode is None:
        return key
    if mode in (None, "?"):
        fitting = [name for name in genre.modes if feeling is None or feeling.minor is None or (MODES[name][2] == 3) == feeling.minor]
        fallback = ["minor" if feeling and feeling.minor else "major"]
        weights = [1 / (1 + index) for index in range(len(fitting) or 1)]
        mode = rng.choices(fitting or fallback, weights)[0]
    mode = typed("str", mode)
    tonic = key.name.split()[0] if key is not None else rng.choice(_TONICS[MODES[mode][2] == 3])
    return Key.read(f"{tonic} {mode}")


def _bpm(task: Compose, text: str, genre: Genre, feeling: Mood | None, meter: Meter, seed: int) -> float:
    said = task.bpm or brief.bpm_in(text) or brief.tempo_in(text)
    if said:
        return float(said)
    low, high = genre.bpm
    pace = brief.pace_in(text)
    if pace is None:
        pace = (feeling.pace if feeling else 0.0) + random.Random(f"{seed} {genre.name} bpm").uniform(-0.35, 0.35)
        pace = max(-1.0, min(1.0, pace))
    value = low + (high - low) * (0.5 + pace / 2)
    return float(min(240, max(36, round(value * (0.72 if meter.beat == 1.5 else 1.0)))))


def _form(task: Compose, text: str, bar: float, loop: bool) -> tuple[tuple[str, int], ...]:
    """Sections as (name, bars); `bar` is a bar's length in seconds."""
    asked = task.form.strip()
    spoken = None if asked else _SECTIONS.search(text)
    order = form.names(asked) if asked else form.names(re.sub(r"\b(?:then|and)\b", " ", spoken[0], flags=re.IGNORECASE)) if spoken else ()
    bars = brief.bars_in(text) if task.duration is None else None
    seconds = task.duration or brief.seconds_in(text)
    if bars is None and seconds:
        bars = max(2, round(seconds / bar))
        if loop and task.form == "":
            bars = min((2, *range(4, bars + 8, 4)), key=lambda count: (round(abs(count * bar - seconds), 6), count % 8))
    if bars is None and order:
        bars = form.natural_bars(order)
    if bars is None:
        bars = min(LOOPS, key=lambda count: abs(count * bar - SECONDS)) if loop else max(2, round(SECONDS / bar))
    if not order:
        return form.usual(bars, loop)
    return form.shared(order, bars if asked else max(bars, len(order)))
