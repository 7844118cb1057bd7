"""A prompt becomes a scene: things are found in the icon library, coloured and placed; what could not be taken as written goes into notes.

The file to read first of the reader of prompts; grammar.py takes sentences apart, lexicon.py knows meanings, candidates.py chooses icons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from studio.errors import InvalidInput
from studio.starter.candidates import Choice, choose
from studio.starter.grammar import Reading, clean, parse
from studio.starter.icons import IconLibrary
from studio.starter.lexicon import NAMED, NEAR, PARTLY, TAGGED, Lexicon, Meaning, lexicon, singular, words_of
from studio.starter.phrases import Thing
from studio.starter.scene import Candidate, Part, Scene
from studio.starter.vocabulary import COLOURS, FILLER, MIXED, STYLES

SPELT = 0.78  # likeness of spelling from which a word counts as misspelt


__all__ = ["MIXED", "STYLES", "Candidate", "Nearest", "Part", "Scene", "needs_encoder", "read"]


class Nearest(Protocol):
    """What knows which captions of the library lie nearest to a text in meaning (features.Encoder)."""

    def nearest(self, text: str, k: int) -> list[tuple[str, float]]:
        """The `k` captions nearest to `text` with their cosines, the nearest first."""
        ...


def read(prompt: str, negative: str, style: str, library: IconLibrary, encoder: Nearest | None = None) -> Scene:
    """The scene that `prompt` asks for, without what `negative` names.

    `style` is one of STYLES or "" (Mixed, unless the prompt names a style). `encoder` finds the nearest thing for words that no name,
    keyword or spelling explains. Raises InvalidInput when nothing can be drawn.
    """
    known = lexicon(library)
    reading = parse(prompt, known, library.emoji)
    reader = _Reader(library, known, encoder, _style(style, reading, library), _ruled_out(negative, known, library), list(reading.notes))
    alone = len(set(reading.things)) == 1
    parts = [part for thing in reading.things if (part := reader.part(thing, alone)) is not None]
    if not parts:
        raise InvalidInput(_unknown(reading.things[0], known), "prompt")
    return Scene(tuple(parts), reading.relation if len(parts) > 1 else "", reading.background, tuple(dict.fromkeys(reader.notes)))


def needs_encoder(prompt: str, library: IconLibrary) -> bool:
    """Whether `prompt` has a word that only an encoder could explain. Cheap: reads names only. False for prompts that `read` refuses."""
    known = lexicon(library)
    try:
        things = parse(prompt, known, library.emoji).things
    except InvalidInput:
        return False
    return any(not known.meanings(thing.noun) and _spelt(thing, known, SPELT) is None for thing in things)


class _Ruled:
    """What a negative prompt rules out: concepts by name, words in names, styles."""

    def __init__(self, concepts: frozenset[str], words: frozenset[str], styles: frozenset[str]) -> None:
        self._concepts, self._words, self._styles = concepts, words, styles

    def allows(self, concept: str, style: str) -> bool:
        return style not in self._styles and concept not in self._concepts and self._words.isdisjoint(map(singular, words_of(concept)))


@dataclass(frozen=True)
class _Reader:
    """One reading of one prompt; `notes` grow while its things are looked up."""

    library: IconLibrary
    known: Lexicon
    encoder: Nearest | None
    style: str
    ruled_out: _Ruled
    notes: list[str]

    def part(self, thing: Thing, alone: bool) -> Part | None:
        """The part for one thing; None when nobody knows what it is (said in the notes)."""
        meanings, note = self._meanings(thing, alone)
        if not meanings:
            self.notes.append(_unknown(thing, self.known))
            return None
        colour = None if thing.hue is None else COLOURS.get(thing.hue, thing.hue)
        coloured = [m for m in meanings if thing.hue is not None and thing.hue in words_of(m.concept) and m.sureness >= PARTLY]
        if coloured:  # "a yellow heart": there is one with the colour in its name
            meanings, colour = coloured, None
        choice = choose(self.library, meanings, self.style, colour, self.ruled_out.allows)
        if choice is None:
            raise InvalidInput(f"The negative prompt rules out every “{thing.words}” here: take a word out of it.", "negative_prompt")
        self.notes.extend([note.format(choice.concept)] if note else self._remarks(thing, meanings, choice))
        return Part(thing.words, choice.candidates, thing.hue or _hue_of_its_name(thing.noun))

    def _meanings(self, thing: Thing, alone: bool) -> tuple[list[Meaning], str]:
        """What the thing's noun may mean, by name, by spelling, by the encoder's nearest caption; and a note with a place for the concept.

        Without an encoder a thing that is `alone` is taken for whatever is spelt at all like it; among others it is better left out.
        """
        found = self.known.meanings(thing.noun)
        if found:
            return found, ""
        said = " ".join(thing.noun)
        note = f"No icon is called “{said[:40]}”: the nearest is “{{}}”."
        near = _spelt(thing, self.known, SPELT)
        if near is None and self.encoder is not None:
            captions = [caption for caption, _ in self.encoder.nearest(said, 4)]
            concepts = dict.fromkeys(meaning.concept for caption in captions for meaning in self.known.meanings(words_of(caption))[:1])
            return [Meaning(concept, NAMED - 25 * place) for place, concept in enumerate(concepts)], note
        near = near or (_spelt(thing, self.known, 0.0) if alone else None)
        return ([], "") if near is None else (self.known.meanings((near,)), note)

    def _remarks(self, thing: Thing, meanings: list[Meaning], choice: Choice) -> list[str]:
        """What the page should say where the drawing is not quite what was asked for."""
        first = meanings[0]
        if choice.other_style:
            drawn = self.library.icons[choice.candidates[0].index].style
            if self.style == self.library.own_style:
                return [f"“{choice.concept}” is not among your pictures: it is drawn in their colours."]
            if self.style == "Mixed":
                return [f"The only “{choice.concept}” here is one of the style {drawn}."]
            return [
                f"There is no “{choice.concept}” in the style {self.style}: it is drawn in {'mixed styles' if drawn in MIXED else drawn}."
            ]
        if PARTLY < choice.sureness <= NEAR:
            return [f"“{' '.join(thing.noun)}” is drawn as “{choice.concept}”, the nearest thing here."]
        if choice.sureness <= TAGGED:
            return [f"“{' '.join(thing.noun)}” is drawn as “{choice.concept}”."]
        if first.sureness == NAMED and first.concept != choice.concept and words_of(first.concept) == thing.noun:
            return [f"“{first.concept}” is not here in this style: “{choice.concept}” is drawn."]
        return []


def _style(style: str, reading: Reading, library: IconLibrary) -> str:
    """The style chosen in the form; where that leaves it open, the style the prompt names."""
    if not style or style.casefold() == "mixed":
        return reading.style or "Mixed"
    for one in (*STYLES, library.own_style):
        if one.casefold() == style.casefold():
            return one
    raise InvalidInput(f"Atelier Icons has no style of that name; it has {', '.join(STYLES)}.", "style")


def _hue_of_its_name(noun: tuple[str, ...]) -> str | None:
    """The colour word in a longer name, such as that of a red apple: what is named so keeps its hue."""
    return next((word for word in noun if word in COLOURS), None) if len(noun) > 1 else None


def _spelt(thing: Thing, known: Lexicon, least: float) -> str | None:
    near = known.alike(singular(thing.noun[-1]))
    return near[0] if near is not None and near[1] >= least else None


def _unknown(thing: Thing, known: Lexicon) -> str:
    near = known.alike(singular(thing.noun[-1]))
    other = f"“{near[0]}”" if near is not None else "“cat” or “castle”"
    return f"No icon is called “{' '.join(thing.noun)[:40]}”: try a simpler word, such as {other}."


def _ruled_out(negative: str, known: Lexicon, library: IconLibrary) -> _Ruled:
    every = words_of(clean(negative, library.emoji))
    words = [word for word in every if word not in FILLER]
    concepts: set[str] = set()
    for length in (3, 2, 1):
        for start in range(len(words) - length + 1):
            meant = known.meanings(tuple(words[start : start + length]))
            concepts.update(meaning.concept for meaning in meant[:1] if meaning.sureness == NAMED)
    styles = {one for one in STYLES if one.casefold() in every}
    return _Ruled(frozenset(concepts), frozenset(map(singular, words)), frozenset(styles))
