"""The rules of presets/rules.toml, and which of them a text breaks. Knows no task, no model and no page.

A rule refuses a term of its own, or a pair: a term of one group with one of another. Terms are whole words, folded as the text is
(see folding.py); "word*" is any word that begins so, also at the end of a phrase. Where a pair is looked for depends on the medium:
see `[within]` of the file.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from studio.safety.folding import YOUNG, Folded, fold, is_unspaced

AGES = "<18"
"""The term that stands for an age below eighteen."""

CHARACTERS = 3
"""Characters that count as a word in a script without spaces."""

LONGEST = 24
"""Letters of a word that may be two terms written as one."""

Terms = Mapping[str, tuple[Annotated[str, Field(min_length=1)], ...]]
"""Terms by language, as ISO 639 codes."""


class Rule(BaseModel):
    """One rule: its id, what it refuses in words, where it holds, and the groups of terms that it is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[A-Z]\d+$")
    refuses: str = Field(min_length=1)
    instead: str = Field(min_length=1)
    everywhere: bool = False
    media: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    stops: tuple[str, ...] = Field(min_length=1)
    passes: tuple[str, ...] = Field(min_length=1)


class Looks(BaseModel):
    """How pictures of a public studio are judged: from which score on one is withheld, and why from there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    withheld_from: float = Field(gt=0, le=1)
    reason: str = Field(min_length=1)


class Rules(BaseModel):
    """The file: `within` counts words between the two of a pair by medium, 0 for anywhere; `innocent` phrases hide their words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(ge=1)
    within: Mapping[str, int]
    pictures: Looks
    innocent: Terms
    groups: Mapping[str, Terms]
    rule: tuple[Rule, ...]

    @model_validator(mode="after")
    def _known(self) -> Rules:
        """Every group that a rule names is there."""
        named = {name for rule in self.rule for name in (*rule.terms, *(name for pair in rule.pairs for name in pair))}
        if unknown := named - self.groups.keys():
            raise ValueError(f"no group {', '.join(sorted(unknown))}")
        return self


class Book:
    """The rules, ready to be held against texts. Immutable."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._index = _Index()
        for name, group in {_INNOCENT: rules.innocent, **rules.groups}.items():
            for term in (term for terms in group.values() for term in terms):
                self._index.add(term, name)

    @classmethod
    def read(cls, file: Path) -> Book:
        """The rules of a TOML file; the same object while the file says the same. Raises ValueError for one that is none."""
        return _book(file.read_text("utf-8"))

    def broken(self, text: str, medium: str, *, public: bool) -> Rule | None:
        """The first rule that a text for a medium ("picture", "sound", "text") breaks; None for one that is welcome."""
        places = self._index.places(fold(text))
        within = self.rules.within.get(medium, 0)
        for rule in self.rules.rule if places else ():
            if not (public or rule.everywhere) or (rule.media and medium not in rule.media):
                continue
            if any(places.get(group) for group in rule.terms):
                return rule
            if any(_near(places.get(one, []), places.get(other, []), within) for one, other in rule.pairs):
                return rule
        return None


@lru_cache(maxsize=2)
def _book(toml: str) -> Book:
    return Book(Rules.model_validate(tomllib.loads(toml)))


class _Index:
    """Folded terms and the groups they belong to: words, phrases by their first word, beginnings by their first three letters.

    `_solid` are all of them without spaces, for letters that were set apart; `_unspaced` those of scripts without spaces.
    """

    def __init__(self) -> None:
        self._words: dict[str, list[str]] = {}
        self._starts: dict[str, list[tuple[str, str]]] = {}
        self._phrases: dict[str, list[tuple[list[str], str, bool]]] = {}
        self._solid: dict[str, list[tuple[str, str]]] = {}
        self._unspaced: dict[str, str] = {}
        self._begins: set[str] = {YOUNG}

    def add(self, term: str, group: str) -> None:
        """Take a term in."""
        folded = fold(term.removesuffix("*"))
        words = folded.words
        if term == AGES:
            self._words.setdefault(YOUNG, []).append(group)
        elif is_unspaced(term):
            self._unspaced[folded.unspaced] = group
        elif len(words) > 1:
            self._phrases.setdefault(words[0], []).append((words, group, term.endswith("*")))
        elif term.endswith("*"):
            self._starts.setdefault(words[0][:3], []).append((words[0], group))
        else:
            self._words.setdefault(words[0], []).append(group)
        self._begins.add((words or [YOUNG])[0][:3])
        if group != _INNOCENT and len(solid := "".join(words)) > 3:
            self._solid.setdefault(solid[:3], []).append((solid, group))

    def places(self, text: Folded) -> dict[str, list[int]]:
        """The numbers of the words at which terms of a group stand, by group; without what is part of an innocent phrase."""
        found = self._words_in(text.words)
        for number, word in text.readings:
            if word[:3] in self._begins:
                found += [(number, 1, group) for group in self._groups(word)]
                found += [(number, 1, group) for solid, group in self._solid.get(word[:3], ()) if solid == word]
        for number, letters in text.joined:
            found += [(number, 1, group) for group in self._inside(letters)]
        found += self._unspaced_in(text.unspaced) if text.unspaced else []
        hidden = {number + more for number, length, group in found if group == _INNOCENT for more in range(length)}
        places: dict[str, list[int]] = {}
        for number, _, group in found:
            if group != _INNOCENT and number not in hidden:
                places.setdefault(group, []).append(number)
        return places

    def _words_in(self, words: list[str]) -> list[tuple[int, int, str]]:
        known = set(words)
        hits = {word: groups for word in known if word[:3] in self._begins and (groups := self._groups(word))}
        found = [(number, 1, group) for number, word in enumerate(words) if word in hits for group in hits[word]] if hits else []
        return found if self._phrases.keys().isdisjoint(known) else found + self._phrases_in(words)

    def _groups(self, word: str) -> list[str]:
        """The groups of a word, or of the two terms that it is made of ("kidsex")."""
        starts = self._starts.get(word[:3], ())
        found = self._words.get(word, []) + [group for start, group in starts if word.startswith(start)]
        for cut in range(3, len(word) - 2) if not found and len(word) <= LONGEST else ():
            if word[:cut] in self._words and word[cut:] in self._words:
                return self._words[word[:cut]] + self._words[word[cut:]]
        return found

    def _phrases_in(self, words: list[str]) -> list[tuple[int, int, str]]:
        return [
            (number, len(phrase), group)
            for number, word in enumerate(words)
            if word in self._phrases
            for phrase, group, begins in self._phrases[word]
            if _is(phrase, words[number : number + len(phrase)], begins)
        ]

    def _inside(self, letters: str) -> set[str]:
        """The groups of the terms anywhere in a row of letters."""
        begins = {letters[begin : begin + 3] for begin in range(len(letters) - 3)} & self._solid.keys()
        return {group for begin in begins for solid, group in self._solid[begin] if solid in letters}

    def _unspaced_in(self, letters: str) -> list[tuple[int, int, str]]:
        terms = re.compile("|".join(map(re.escape, sorted(self._unspaced, key=len, reverse=True))))
        return [(match.start() // CHARACTERS, 0, self._unspaced[match.group()]) for match in terms.finditer(letters)]


_INNOCENT = "innocent"


def _is(phrase: list[str], words: list[str], begins: bool) -> bool:
    """Whether words are a phrase, or begin it: the last one may go on where it `begins` only."""
    return words == phrase or (begins and words[:-1] == phrase[:-1] and len(words) == len(phrase) and words[-1].startswith(phrase[-1]))


def _near(some: list[int], others: list[int], within: int) -> bool:
    """Whether one of each is at most `within` words away from the other; 0: anywhere."""
    if not some or not others or not within:
        return bool(some and others)
    begins = sorted(others)
    return any(bisect_right(begins, one + within) > bisect_left(begins, one - within) for one in some)
