"""What words mean in an icon library: phrases to concepts, the surest first. It knows words and names, no sentence and no pixels."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from dataclasses import dataclass

from studio.starter.icons import IconLibrary
from studio.starter.vocabulary import ARTICLES, IRREGULAR

# How sure a meaning is: a name or a listed sense; what is listed as near; a part of a name; a keyword.
NAMED, NEAR, PARTLY, TAGGED = 100, 89, 60, 30


@dataclass(frozen=True)
class Meaning:
    """A concept a phrase may mean; `sureness` is NAMED or NEAR less its place among the senses (at most 9), PARTLY or TAGGED."""

    concept: str
    sureness: int


def words_of(text: str) -> tuple[str, ...]:
    """The words of a name or phrase in lower case, without articles."""
    return tuple(word for word in re.findall(r"[a-z0-9][a-z0-9'.]*", text.lower().replace("-", " ")) if word not in ARTICLES)


def singular(word: str) -> str:
    """The likely singular of an English noun; other words come back as they are."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return word[:-2]
    return word[:-1]


class Lexicon:
    """The words of one library. Build it by `lexicon(library)`, which keeps it."""

    def __init__(self, library: IconLibrary) -> None:
        self.concepts = tuple(dict.fromkeys(icon.concept for icon in library.icons))
        self._order = {concept: place for place, concept in enumerate(self.concepts)}
        self._named: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self._holding: dict[str, list[str]] = defaultdict(list)
        self._tagged: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for word, meant in library.senses.items():
            self._named[_key(word)].extend(meant)
        for concept in self.concepts:
            key = _key(concept)
            if concept not in self._named[key]:
                self._named[key].append(concept)
            for word in dict.fromkeys(key):
                self._holding[word].append(concept)
        for icon in library.icons:
            for keyword in icon.keywords:
                key = _key(keyword)
                if icon.concept not in self._tagged[key]:
                    self._tagged[key].append(icon.concept)
        self._words = [key[0] for key in self._named if len(key) == 1]
        self.longest = max((len(key) for key in self._named), default=1)

    def names(self, words: tuple[str, ...]) -> bool:
        """Whether these words together are a name or a listed sense."""
        key = _key(" ".join(words))
        return len(key) == len(words) and key in self._named

    def bag(self, words: tuple[str, ...]) -> tuple[str, ...] | None:
        """The longest name of two or more words whose words all stand among these, in any order: "running man" -> ("man", "running")."""
        have = {singular(word) for word in words}
        inside = {c for word in have for c in self._holding.get(word, ()) if len(key := _key(c)) > 1 and have.issuperset(key)}
        best = max(inside, key=lambda c: (len(_key(c)), -self._order[c]), default=None)
        return None if best is None else words_of(best)

    def meanings(self, words: tuple[str, ...]) -> list[Meaning]:
        """All concepts these words may mean, the surest first; among equals, things with a last word alike, then the library's order."""
        key = _key(" ".join(words))
        found: dict[str, int] = {}
        for place, concept in enumerate(self._named.get(key, ())):
            sureness = (NEAR if concept.startswith("~") else NAMED) - min(place, 9)
            found[concept.lstrip("~")] = max(sureness, found.get(concept.lstrip("~"), 0))
        if len(key) == 1:
            holding = sorted(self._holding.get(key[0], ()), key=lambda c: (_key(c)[-1] != key[0], len(_key(c)), self._order[c]))
            for concept in holding:
                found.setdefault(concept, PARTLY)
        for concept in sorted(self._tagged.get(key, ()), key=self._order.__getitem__):
            found.setdefault(concept, TAGGED)
        return [Meaning(concept, sureness) for concept, sureness in sorted(found.items(), key=lambda item: -item[1])]

    def knows(self, word: str) -> bool:
        """Whether one word means anything here."""
        key = _key(word)
        return bool(key) and (key in self._named or key in self._tagged or key[-1] in self._holding)

    def alike(self, word: str) -> tuple[str, float] | None:
        """The known word spelt most like this one and how alike they are from 0 to 1; None when nothing comes near."""
        known = [other for other in self._words if abs(len(other) - len(word)) <= 3 and len(other) > 3]
        near = difflib.get_close_matches(word[:24], known, n=3, cutoff=0.6)
        if not near:
            return None
        best = max(near, key=lambda other: (round(difflib.SequenceMatcher(None, word, other).ratio(), 3), other[:1] == word[:1], other))
        return best, difflib.SequenceMatcher(None, word, best).ratio()


def lexicon(library: IconLibrary) -> Lexicon:
    """The library's lexicon, built once for each library and kept with it."""
    return library.derived("lexicon", Lexicon)


def _key(text: str) -> tuple[str, ...]:
    return tuple(singular(word) for word in words_of(text))
