"""Finding the passages that answer a question: by their words (BM25), and by their meaning where a model for that is here.

Both lists are merged by reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009). Everything stays in memory and on this
machine. Knows passages; knows no page, no model file and no source's format: what turns texts into vectors is handed in.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.writing.passages import LIMIT, PATH, Passage
from studio.writing.terms import terms

K1, B = 1.2, 0.75
"""BM25's two numbers, as Lucene has them."""
FUSED = 60
"""The constant of reciprocal rank fusion."""
DEEP = 100
"""Places of each list that count in the merged one."""
EMBEDDED = 2000
"""Passages up to which all are compared by meaning; of more, the `NEAREST` by words alone."""
NEAREST = 400

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
        self._words = _bm25([[*terms(passage.text), *_above(passage)] for passage in self.passages])
        self._vectors: dict[int, NDArray[np.float32]] = {}
        self._lock = threading.Lock()

    def search(self, question: str, most: int = 6, embed: Embed | None = None) -> tuple[Found, ...]:
        """As the function `search`."""
        by_words = self._by_words(question)
        ranks = [[place for place, _ in by_words[:DEEP]]]
        if embed is not None and self.passages and question.strip():
            ranks.append(self._by_meaning(question, embed, [place for place, _ in by_words])[:DEEP])
        if len(ranks) == 1:
            return tuple(Found(self.passages[place], score) for place, score in by_words[:most])
        scores: dict[int, float] = {}
        for order in ranks:
            for rank, place in enumerate(order, 1):
                scores[place] = scores.get(place, 0.0) + 1 / (FUSED + rank)
        best = sorted(scores, key=lambda place: (-scores[place], place))[:most]
        return tuple(Found(self.passages[place], scores[place]) for place in best)

    def _by_words(self, question: str) -> list[tuple[int, float]]:
        """Places of passages that share a term with the question, with their BM25 scores, the best first."""
        asked = [term for term in dict.fromkeys(terms(question)) if self._words is not None and term in self._words.vocab_dict]
        if self._words is None or not asked:
            return []
        scores: NDArray[np.float32] = self._words.get_scores(asked)
        order = np.argsort(-scores, kind="stable")
        return [(int(place), float(scores[place])) for place in order[: max(DEEP, NEAREST)] if scores[place] > 0]

    def _by_meaning(self, question: str, embed: Embed, by_words: Sequence[int]) -> list[int]:
        """Places by the cosine of their vectors with the question's, the best first."""
        places = list(range(len(self.passages))) if len(self.passages) <= EMBEDDED else list(by_words[:NEAREST])
        if not places:
            return []
        with self._lock:
            lacking = [place for place in places if place not in self._vectors]
            if lacking:
                made = embed([_whole(self.passages[place]) for place in lacking])
                self._vectors.update(zip(lacking, made, strict=True))
            vectors = np.stack([self._vectors[place] for place in places])
        near = vectors @ embed([question])[0]
        return [places[i] for i in np.argsort(-near, kind="stable")]


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


def _whole(passage: Passage) -> str:
    return f"{passage.heading.replace(PATH, ', ')}: {passage.text}" if passage.heading else passage.text
