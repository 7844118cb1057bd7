"""Finding the passages that answer a question: by their words (BM25), and by their meaning where a model for that is here.

Meanings are compared window by window, a few sentences each, and a passage means what its best window does. Both scores are added, that
by words as a share of the best one's. Everything stays in memory and on this machine. Knows passages; knows no page, no model file and
no source's format: what turns texts into vectors is handed in.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.writing.passages import LIMIT, PATH, Passage, windows
from studio.writing.questions import looked_for
from studio.writing.terms import terms

K1, B = 1.2, 0.75
"""BM25's two numbers, as Lucene has them."""
CLOSE, WINDOW = 0.6, 20
"""How much it counts that the question's terms stand within so many terms of one another."""
BESIDE = 0.4
"""Share of the better neighbour's score that a passage gets."""
MEANT = 0.8
"""Weight of the cosine of a passage's best window with the question, beside 1 for the best score by words."""
DEEP = 400
"""Passages of the list by words."""
EMBEDDED, NEAREST = 500, 40
"""Passages up to which all are compared by meaning; of more, those nearest by words alone: their vectors take about three seconds."""
PATIENCE = 3.0
"""Seconds that one question waits for vectors of passages; those that are not there by then come with a later question."""
BATCH = 8
"""Passages whose vectors are made before it looks at the time."""

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to vectors of length 1: (n texts) -> (n, size)."""


@dataclass(frozen=True)
class Found:
    """A passage and how well it fits: higher is better, and comparable within one search alone."""

    passage: Passage
    score: float


def search(question: str, passages: Sequence[Passage], most: int = 6, embed: Embed | None = None) -> tuple[Found, ...]:
    """The passages that fit a question best, the best first; none where no word of it occurs and nothing compares meanings."""
    return Index(passages).search(question, most, embed)


class Index:
    """Passages made ready for many questions. Thread-safe. Raises ValueError for more than `LIMIT` of them."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        if len(passages) > LIMIT:
            raise ValueError(f"{len(passages)} passages; {LIMIT} are the most")
        self.passages = tuple(passages)
        self._terms = [terms(passage.text) + _above(passage) for passage in self.passages]
        self._counts = Counter(term for found in self._terms for term in set(found))
        self._words = _bm25(self._terms)
        self._vectors: dict[int, NDArray[np.float32]] = {}
        self._lock = threading.Lock()

    def search(self, question: str, most: int = 6, embed: Embed | None = None) -> tuple[Found, ...]:
        """As the function `search`."""
        by_words = self._by_words(question)
        if embed is None or not self.passages or not question.strip():
            return tuple(Found(self.passages[place], score) for place, score in by_words[:most])
        best = by_words[0][1] if by_words else 1.0
        scores = {place: score / best for place, score in by_words}
        meant = self._by_meaning(question, embed, [place for place, _ in by_words])
        least = min(meant.values(), default=0.0)  # what has no vector is taken to mean as little as that which has one and means least
        for place in scores.keys() | meant.keys():
            scores[place] = scores.get(place, 0.0) + MEANT * meant.get(place, least)
        order = sorted(scores, key=lambda place: (-scores[place], place))[:most]
        return tuple(Found(self.passages[place], scores[place]) for place in order)

    def _by_words(self, question: str) -> list[tuple[int, float]]:
        """Places of passages that share a term with the question, with their scores, the best first."""
        if self._words is None:
            return []
        things: list[dict[str, float]] = []
        asked = False
        for thing in looked_for(question):
            if known := {term: weight for term, weight in thing.items() if term in self._words.vocab_dict}:
                things.append(known)
                asked |= max(thing.values()) == 1
        if not asked:
            return []
        scores = np.zeros(len(self.passages), np.float32)
        for thing in things:
            scores += np.max([weight * self._words.get_scores([term]) for term, weight in thing.items()], axis=0)
        scores = self._beside(scores)
        order = [int(place) for place in np.argsort(-scores, kind="stable")[:DEEP] if scores[place] > 0]
        values = [{term: weight * self._rarity(term) for term, weight in thing.items()} for thing in things]
        close = {place: scores[place] + CLOSE * self._closeness(place, values) for place in order}
        return sorted(((place, float(score)) for place, score in close.items()), key=lambda one: (-one[1], one[0]))

    def _beside(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores with a share of the better neighbour's in the same source: what is spoken of is often named just before."""
        if len(scores) < 2:
            return scores
        same = np.array([a.source == b.source for a, b in pairwise(self.passages)])
        before, after = np.zeros_like(scores), np.zeros_like(scores)
        before[1:] = np.where(same, scores[:-1], 0)
        after[:-1] = np.where(same, scores[1:], 0)
        return np.where(scores > 0, scores + BESIDE * np.maximum(before, after), 0).astype(np.float32)

    def _rarity(self, term: str) -> float:
        count = self._counts[term]
        return math.log(1 + (len(self.passages) - count + 0.5) / (count + 0.5))

    def _closeness(self, place: int, values: Sequence[Mapping[str, float]]) -> float:
        """The most that what is asked is worth together in `WINDOW` terms on end."""
        of: dict[str, list[int]] = {}
        for thing, value in enumerate(values):
            for term in value:
                of.setdefault(term, []).append(thing)
        hits = [(at, term) for at, term in enumerate(self._terms[place]) if term in of]
        best = 0.0
        for first, (start, _) in enumerate(hits):
            found: dict[int, float] = {}
            for _, term in takewhile(lambda one, over=start + WINDOW: one[0] < over, hits[first:]):
                for thing in of[term]:
                    found[thing] = max(found.get(thing, 0.0), values[thing][term])
            best = max(best, sum(found.values()))
        return best

    def _by_meaning(self, question: str, embed: Embed, by_words: Sequence[int]) -> dict[int, float]:
        """The cosine of the question with the best window of each place whose vectors are there in time."""
        near = list(by_words[:NEAREST])
        wanted = near if len(self.passages) > EMBEDDED else [*near, *sorted(set(range(len(self.passages))) - set(near))]
        with self._lock:
            ends = time.monotonic() + PATIENCE
            lacking = [place for place in wanted if place not in self._vectors]
            for start in range(0, len(lacking), BATCH):
                self._embed(lacking[start : start + BATCH], embed)
                if time.monotonic() > ends:  # the next question goes on
                    break
            known = {place: self._vectors[place] for place in wanted if place in self._vectors}
        if not known:
            return {}
        asked = embed([question])[0]
        return {place: float(np.max(vectors @ asked)) for place, vectors in known.items()}

    def _embed(self, places: Sequence[int], embed: Embed) -> None:
        """Keep the vectors of these places' windows: (windows, size) each."""
        texts = [self._windows(place) for place in places]
        vectors = embed([text for those in texts for text in those])
        start = 0
        for place, those in zip(places, texts, strict=True):
            self._vectors[place] = vectors[start : start + len(those)]
            start += len(those)

    def _windows(self, place: int) -> list[str]:
        """The windows of a passage under its headings, without what the passage before it has already."""
        passage = self.passages[place]
        before = self.passages[place - 1] if place else None
        follows = before is not None and before.source == passage.source and before.start < passage.start
        after = before.end if before is not None and follows else 0
        above = f"{passage.heading.replace(PATH, ', ')}: " if passage.heading else ""
        return [above + window for window in windows(passage, after) or windows(passage) or [passage.text]]


class Indexes:
    """The indexes of the documents that were asked last. Thread-safe."""

    def __init__(self, most: int = 4) -> None:
        self._most = most
        self._kept: OrderedDict[str, Index] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, document: str, passages: Sequence[Passage]) -> Index:
        """The document's index; made anew where its passages are not those that it was made of."""
        passages = tuple(passages)
        with self._lock:
            index = self._kept.get(document)
            if index is not None and index.passages == passages:
                self._kept.move_to_end(document)
                return index
        index = Index(passages)
        with self._lock:
            self._kept[document] = index
            self._kept.move_to_end(document)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return index

    def forget(self, document: str) -> None:
        """Let a document's index go."""
        with self._lock:
            self._kept.pop(document, None)


def _bm25(texts: list[list[str]]) -> Any:
    """The index by words; None where there are none."""
    if not any(texts):
        return None
    import bm25s  # untyped, hence Any; of Lucene's BM25 no score is below zero

    index = bm25s.BM25(method="lucene", k1=K1, b=B, backend="numpy")
    index.index(texts, show_progress=False)
    return index


def _above(passage: Passage) -> list[str]:
    """The terms of the headings: they say what a passage is about that does not say it itself."""
    return terms(passage.heading) if passage.heading else []
