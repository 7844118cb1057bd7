"""A voice: how a sample of somebody's writing sounds, in words that a writer can follow, kept as a preset of its owner.

What is measured is said as what it is: lengths, marks and favourite words in any language that puts spaces between words; person, tense,
formality and reading ease in English alone. Knows no model and no page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from studio.errors import InvalidInput, NotFound
from studio.owned import Owned
from studio.provenance.foreign import loose_json
from studio.tasks import Write
from studio.writing.sentences import sentences
from studio.writing.voice_measures import HABITS, Measured, measure

EXAMPLE_LIMIT = 400
"""Characters of the sample that a writer reads as an example."""
DESCRIPTION_LIMIT, NAME_LIMIT, SAMPLE_LIMIT = 2_000, 60, 60_000
LEAST = 40
"""Words of a sample."""
MOST = 200
"""Voices of one session."""


@dataclass(frozen=True)
class Voice:
    """A preset: `description` says how it sounds, `example` is a piece of the sample or ''."""

    name: str
    description: str
    example: str = ""


def heard(sample: str) -> tuple[str, str]:
    """The description of a sample, one sentence or more, and an example of whole sentences. Raises InvalidInput for too short a sample."""
    if len(sample) > SAMPLE_LIMIT:
        raise InvalidInput(f"The sample is {len(sample):,} characters long; {SAMPLE_LIMIT:,} is the most. Shorten it.", "sample")
    found = measure(sample)
    if found.words < LEAST:
        raise InvalidInput(f"The sample has {found.words} words: give at least {LEAST}, better some hundred.", "sample")
    return described(found), example(sample, found.sentence_words)


def described(found: Measured) -> str:
    """What was measured, as instructions."""
    said = [f"Sentences of about {found.sentence_words:.0f} words, {_spread(found)}."]
    if found.english:
        said.append(f"{_person(found)}, {_tense(found)}; {_formality(found)}; {_ease(found)}.")
    said += filter(None, (_marks(found), _paragraphs(found)))
    if found.favourites:
        said.append(f"Words it likes: {', '.join(found.favourites)}.")
    return " ".join(said)


def example(sample: str, usual: float) -> str:
    """Neighbouring whole sentences of about `usual` words, at most EXAMPLE_LIMIT characters together; '' if all are longer."""
    ranges = sentences(sample)
    best, found = float("inf"), ""
    for first, (begin, _) in enumerate(ranges):
        until = [place for place in range(first, min(first + 12, len(ranges))) if ranges[place][1] - begin <= EXAMPLE_LIMIT]
        if not until:
            continue
        text = sample[begin : ranges[until[-1]][1]]
        off = abs(len(text.split()) / len(until) - usual) + max(0, EXAMPLE_LIMIT // 2 - len(text)) / 10
        if off < best:
            best, found = off, " ".join(text.split())
    return found


def system(voice: Voice, before: str = "") -> str:
    """The system prompt for a writer with this voice, after what the person says there."""
    shown = f"\nAn example of its sound (never reuse its content): “{voice.example}”" if voice.example else ""
    return f"{before}\n\nWrite in this voice. {voice.description}{shown}".strip()


class Voices:
    """The voices under `home`. With `session` '' all of an owner's are meant."""

    def __init__(self, home: Path) -> None:
        self._kept = Owned(home / "voices", ".json", _read, _text)

    def of(self, owner: str = "local", session: str = "") -> Mapping[str, Voice]:
        """The voices by name, in the order they came. A file that cannot be read any more has none."""
        return self._kept.of(owner, session)

    def save(self, name: str, description: str, example: str = "", owner: str = "local", session: str = "") -> Voice:
        """Keep a voice; one of the same name is replaced. Raises InvalidInput in a sentence."""
        voice = Voice(" ".join(name.split()), description.strip(), example.strip())
        for text, limit, words in ((voice.name, NAME_LIMIT, "name"), (voice.description, DESCRIPTION_LIMIT, "description")):
            if not 0 < len(text) <= limit:
                raise InvalidInput(f"The {words} of a voice has 1 to {limit:,} characters.", words)
        if len(voice.example) > EXAMPLE_LIMIT:
            raise InvalidInput(f"The example of a voice has at most {EXAMPLE_LIMIT} characters: shorten it.", "example")
        Write.checked({"prompt": voice.name, "system": system(voice)})  # nothing invisible, nothing too long
        with self._kept.changing(owner, session) as (voices, _):
            voices[voice.name] = voice
            if len(voices) > MOST:
                raise InvalidInput(f"You have {MOST:,} voices, and that is the most: delete some first.")
        return voice

    def delete(self, name: str, owner: str = "local", session: str = "") -> None:
        """Remove a voice; texts written with it stay. Raises NotFound."""
        if not self._kept.delete(name, owner, session):
            raise NotFound("You have no voice of that name (any more): choose one from the list.")

    def forget(self, owner: str, session: str = "") -> None:
        """Remove all voices of an owner, or of one of their browser sessions."""
        self._kept.forget(owner, session)


def _read(text: str) -> dict[str, Voice] | None:
    found = loose_json.anything(text)
    if not isinstance(found, list):
        return None
    rows = [[row.get(name) for name in ("name", "description", "example")] for row in loose_json.tables(found)]
    voices = [Voice(*map(str, row)) for row in rows if all(isinstance(value, str) for value in row)]
    return {voice.name: voice for voice in voices}


def _text(voices: Iterable[Voice]) -> str:
    return json.dumps([asdict(voice) for voice in voices], ensure_ascii=False, indent=1)


def _spread(found: Measured) -> str:
    if found.sentence_spread > 0.75:
        return "short ones beside long ones"
    return "all of about the same length" if found.sentence_spread < 0.35 else "of varied length"


def _person(found: Measured) -> str:
    return {
        "I": "First person (I)",
        "we": "First person plural (we)",
        "you": "The reader is spoken to (you)",
        "they": "Third person",
        "": "No person stands out",
    }[found.person]


def _tense(found: Measured) -> str:
    return {"past": "mostly past tense", "present": "mostly present tense", "": "past and present tense mixed"}[found.tense]


def _formality(found: Measured) -> str:
    if found.contractions >= 1.5:
        return "informal, with contractions"
    return "formal, no contractions" if found.contractions < 0.1 and found.word_letters > 4.7 else "neither stiff nor chatty"


def _ease(found: Measured) -> str:
    ease = found.reading_ease
    steps = ((80, "very plain words"), (60, "plain words"), (30, "demanding words"), (0, "very demanding words"))
    return f"{next(words for least, words in steps if ease >= least)} (reading ease {ease:.0f})"


def _marks(found: Measured) -> str:
    """Habits of punctuation that stand out, from their count in 100 sentences."""
    habits = [name for name, count in found.marks.items() if count >= HABITS[name]]
    return f"It uses {', '.join(habits)}." if habits else ""


def _paragraphs(found: Measured) -> str:
    return f"Paragraphs of about {found.paragraph_sentences:.0f} sentences." if found.paragraphs >= 3 else ""
