"""Cuts the words of a prompt into phrases that name one thing each, and finds the noun in a phrase.

A name of several words stays whole whatever words it holds ("cup with straw"). It chooses no icons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from studio.starter.lexicon import Lexicon, singular
from studio.starter.vocabulary import COLOURS, CONTAINERS, COUNTS, FILLER, MEASURES, RELATION_WORDS, THINGS_TOO

Words = tuple[str, ...]


@dataclass(frozen=True)
class Thing:
    """One thing asked for: the prompt's `words`, the `noun` to look up, its colour word, and the words that were passed over."""

    words: str
    noun: Words
    hue: str | None = None
    passed: Words = ()


@dataclass
class Phrase:
    """The words between two relations: names, colours and single words in their order. `led_by` is the relation or comma before it."""

    led_by: str = ""
    items: list[tuple[str, Words]] = field(default_factory=list[tuple[str, Words]])

    @property
    def said(self) -> str:
        return " ".join(word for _, words in self.items for word in words)


class Rank(IntEnum):
    """How likely an item is the noun of its phrase."""

    NOTHING = 0
    UNKNOWN = 1
    FILLER = 2  # "magic", "party": things, but mostly said of others
    COLOUR = 3  # "orange", "rose"
    MENTIONED = 4  # in a longer name or a keyword
    NAMED = 5
    LONG_NAME = 6


def phrases(tokens: list[str], known: Lexicon) -> list[Phrase]:
    """The tokens (lower-case words, colours "#rrggbb", punctuation) cut at relations and punctuation."""
    found = [Phrase()]
    place = 0
    while place < len(tokens):
        name = _longest(tokens, place, known.longest, known.names)
        relation = _longest(tokens, place, 4, lambda words: " ".join(words) in RELATION_WORDS)
        colour = _longest(tokens, place, 2, lambda words: " ".join(words) in COLOURS or (words[0][0] == "#" and len(words) == 1))
        length = max(name if name > 1 else 0, relation, colour, 1)
        words = tuple(tokens[place : place + length])
        if name > 1 and name == length:
            found[-1].items.append(("name", words))
        elif relation == length:
            _lead(found, " ".join(words))
        elif words[0] == "of":
            _of(found)
        elif not words[0][0].isalnum() and words[0][0] != "#":
            _lead(found, ",")
        elif words[0].endswith("ing") and not known.names(words) and noun(found[-1].items, known)[1] >= Rank.NAMED:
            _lead(found, "and")  # "a dog chasing a ball"
        else:
            found[-1].items.append(("colour" if colour == length else "word", words))
        place += length
    return [phrase for phrase in found if phrase.items]


def things(phrase: Phrase, known: Lexicon, least: Rank) -> list[Thing]:
    """The thing a phrase names (several equal ones for "two cats"); none when its noun ranks lower than `least`."""
    count = max((COUNTS.get(words[0], 1) for kind, words in phrase.items if kind == "word"), default=1)
    items = [(kind, words) for kind, words in phrase.items if words[0] not in COUNTS] or phrase.items
    head, rank = noun(items, known)
    if rank < max(least, Rank.UNKNOWN) or (rank == Rank.FILLER and least == Rank.UNKNOWN):
        return []
    named = items[head][1]
    others = [words for place, (_, words) in enumerate(items) if place != head]
    hue = next((" ".join(words) for words in others if " ".join(words) in COLOURS or words[0].startswith("#")), None)
    wider = known.bag(tuple(word for _, words in items for word in words)) if len(named) == 1 else None
    if wider is not None and singular(named[0]) in map(singular, wider):  # "running man": there is a "man running"
        named, hue = wider, None if hue in wider else hue
    used = {singular(word) for word in named} | set((hue or "").split())
    passed = tuple(word for words in others for word in words if word not in FILLER and singular(word) not in used)
    said = " ".join(word for _, words in items for word in words if word not in FILLER or word in named)
    return [Thing(said, named, hue, passed)] * count


def noun(items: list[tuple[str, Words]], known: Lexicon) -> tuple[int, Rank]:
    """The place of the item that names the thing, and its rank: of the highest ranks the last."""
    ranks = [_rank(kind, words, known) for kind, words in items]
    best = max(ranks, default=Rank.NOTHING)
    return (len(ranks) - 1 - ranks[::-1].index(best), best) if ranks else (0, best)


def _rank(kind: str, words: Words, known: Lexicon) -> Rank:
    if kind == "name":
        return Rank.LONG_NAME
    if kind == "colour":
        return Rank.COLOUR if words[0] in THINGS_TOO else Rank.NOTHING
    filler = words[0] in FILLER
    if known.names(words):
        return Rank.FILLER if filler else Rank.NAMED
    if filler or not words[0][0].isalpha():
        return Rank.NOTHING
    return Rank.MENTIONED if known.knows(words[0]) else Rank.UNKNOWN


def _lead(found: list[Phrase], relation: str) -> None:
    """Begins a new phrase, unless the present one has no words yet: then the stronger relation leads it."""
    if found[-1].items:
        found.append(Phrase(relation))
    elif len(found) > 1 and RELATION_WORDS.get(relation, "and") != "and":
        found[-1].led_by = relation


def _of(found: list[Phrase]) -> None:
    """ "a bowl of cherries" is cherries in a bowl; "a slice of cake" is a cake."""
    if not found[-1].items:
        return
    last = singular(found[-1].items[-1][1][-1])
    if last in CONTAINERS:
        found.append(Phrase(f"of {last}"))
    elif last in MEASURES:
        found[-1].items.pop()


def _longest(tokens: list[str], place: int, most: int, fits: Callable[[Words], bool]) -> int:
    """How many tokens from `place` fit together, at most `most`; 0 when none do."""
    for length in range(min(most, len(tokens) - place), 0, -1):
        if fits(tuple(tokens[place : place + length])):
            return length
    return 0
