"""An invisible mark in written words: which of the likely tokens is drawn leans, token by token, on bits that only the secret knows.

SynthID-Text (Dathathri et al., Scalable watermarking for identifying large language model outputs, Nature 634, 2024): a tournament of
LAYERS rounds between the candidates of each draw, judged by bits of a keyed hash of the CONTEXT tokens before and the candidate. Averaged
over secrets every token keeps its probability; where a context returns the draw is left alone. Found again without a model by the
weighted mean of the bits of a text's own tokens. Only the TOP likeliest tokens take part. Lost after rewriting or translation, and hardly
there where words follow of themselves: at low temperature, in quotations, code and lists.

Deciding. In a text that does not lean on this secret the bits are fair coins, whatever the text says, and each group of CONTEXT + 1 tokens
counts once; so the weighted sum is close to normal and its tail is the chance of such a text. Knows no model, no text and no page: tokens
are numbers, and whoever detects needs the tokenizer of the model that may have written.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

LAYERS = 30
CONTEXT = 4
TOP = 256
SHORTEST = 60
"""Different groups of tokens below which nothing is said of a text."""
REPETITIVE = 0.5
"""Share of groups that are new below which a text is too predictable to be judged."""
LIKELY, CERTAIN = 1e-3, 1e-6
"""Chances of a text without this mark up to which one is called likely and certain."""
WINDOW = 200
"""Tokens of the parts that are looked at by themselves, since a text may be a machine's in part."""

Integers = NDArray[np.uint64]
Floats = NDArray[np.float64]
Verdict = Literal["certain", "likely", "none", "short", "predictable"]

_WORDS: dict[Verdict, str] = {
    "certain": "This text carries the mark of this studio: a text without it looks so at most once in a million.",
    "likely": "This text probably carries the mark of this studio: a text without it looks so at most once in a thousand.",
    "none": "No mark of this studio was found. It may be someone else's text, or rewritten, or written at a low temperature.",
    "short": "This text is too short to tell: the mark shows from about 100 words on, better from 200.",
    "predictable": "This text is too predictable to tell: it repeats itself, so that its words could hardly carry a mark.",
}
_WEIGHTS = np.linspace(10, 1, LAYERS)
"""Early rounds say more: there are more different tokens left in them."""
_VARIANCE = float((_WEIGHTS**2).sum()) / 4


@dataclass(frozen=True)
class Finding:
    """`score`: standard deviations above chance. `p_value`: the chance of a text without the mark to look so, all parts looked at counted.

    `start` and `end`: the tokens where it shows best. `words` is a sentence for the page.
    """

    verdict: Verdict
    score: float
    p_value: float
    tokens: int
    start: int
    end: int

    @property
    def words(self) -> str:
        """What that means."""
        return _WORDS[self.verdict]


@dataclass(frozen=True)
class Key:
    """A secret as numbers, one for each round."""

    rounds: Integers

    @classmethod
    def of(cls, secret: bytes) -> Key:
        """The same on every machine."""
        stream = hashlib.shake_256(b"atelier text mark 1\0" + secret).digest(8 * LAYERS)
        return cls(np.frombuffer(stream, "<u8").astype(np.uint64))

    def bits(self, contexts: Integers, tokens: Integers) -> Integers:
        """(n, LAYERS) of 0 and 1, for each of n tokens after its context: (n,) or (1,) from `contexts_of`."""
        mixed = _mix(contexts ^ _mix(tokens + _STEP))
        return _mix(mixed[:, None] ^ self.rounds) >> np.uint64(63)

    def leaned(self, context: Integers, tokens: Integers, chances: Floats) -> Floats:
        """The chances (n,), in sum 1, of the tokens (n,) after one context (1,), when the tournament is over."""
        bits = self.bits(context, tokens).astype(np.float64)
        for layer in range(LAYERS):
            chances = chances * (1 + bits[:, layer] - bits[:, layer] @ chances)
        return chances / chances.sum()


class Marker:
    """A sampler for one answer: the last before the draw, after temperature and all that takes tokens out."""

    def __init__(self, key: Key) -> None:
        self._key = key
        self._seen: set[int] = set()
        self._at, self._open = -1, False

    def __call__(self, ids: Any, scores: Any) -> Any:
        """Scores (1, vocabulary) as a tensor, -inf for what is out, after the tokens `ids` (1, length); the marked ones.

        It may be asked again at one place, where the token that was drawn may not stand.
        """
        import torch

        if ids.shape[1] < CONTEXT:
            return scores
        context = contexts_of([*ids[0, -CONTEXT:].tolist(), 0])
        if ids.shape[1] != self._at:
            self._at, self._open = ids.shape[1], int(context[0]) not in self._seen
            self._seen.add(int(context[0]))
        if not self._open:
            return scores
        best = scores[0].topk(min(TOP, scores.shape[-1]))
        there = best.values > float("-inf")
        told, tokens = best.values[there].double(), best.indices[there]
        whole = told.logsumexp(0)
        leaned = self._key.leaned(context, tokens.cpu().numpy().astype(np.uint64), (told - whole).exp().cpu().numpy())
        made = torch.from_numpy(np.log(np.maximum(leaned, 1e-300))).to(whole.device) + whole
        return scores.scatter(1, tokens[None], made.to(scores)[None])


def processor(secret: bytes) -> Marker:
    """A marker for one answer by the studio's secret."""
    return Marker(Key.of(secret))


def detect(tokens: Sequence[int], secret: bytes, looks: int = 1) -> Finding:
    """Whether a text, as the tokens of the model that may have written it, carries the mark of `secret`, in all or in part of it.

    `looks`: how many models' tokens the text is looked at in; the more, the likelier one shows something by chance.
    """
    heights, places = _heights(tokens, Key.of(secret))
    total = max(0, len(tokens) - CONTEXT)
    if len(heights) < SHORTEST:
        predictable = total >= SHORTEST
        return Finding("predictable" if predictable else "short", 0.0, 1.0, len(tokens), 0, len(tokens))
    parts = [(0, len(heights))]
    if len(heights) > 1.5 * WINDOW:
        parts += [(start, start + WINDOW) for start in range(0, len(heights) - WINDOW + 1, WINDOW // 2)]
    sums = np.concatenate(([0.0], heights.cumsum()))
    scores = [float(sums[end] - sums[start]) / math.sqrt((end - start) * _VARIANCE) for start, end in parts]
    best = max(range(len(parts)), key=scores.__getitem__)
    start, end = int(places[parts[best][0]]), int(places[parts[best][1] - 1]) + 1
    chance = min(1.0, looks * len(parts) * 0.5 * math.erfc(scores[best] / math.sqrt(2)))
    verdict: Verdict = "certain" if chance <= CERTAIN else "likely" if chance <= LIKELY else "none"
    if verdict == "none" and len(heights) < REPETITIVE * total:
        verdict = "predictable"
    return Finding(verdict, scores[best], chance, len(tokens), start, end)


def contexts_of(tokens: Sequence[int]) -> Integers:
    """(length - CONTEXT,): a number for the CONTEXT tokens before each token that has so many."""
    row = np.array(tokens, np.uint64)
    found = np.zeros(max(0, len(row) - CONTEXT), np.uint64)
    for place in range(CONTEXT):
        found = _mix((found ^ row[place : len(row) - CONTEXT + place]) + _STEP)
    return found


def _heights(tokens: Sequence[int], key: Key) -> tuple[Floats, NDArray[np.intp]]:
    """How far the weighted bits of each group of tokens, counted once, lie above chance; and where each ends."""
    if len(tokens) <= CONTEXT:
        return np.zeros(0), np.zeros(0, np.intp)
    contexts = contexts_of(tokens)
    last = np.array(tokens[CONTEXT:], np.uint64)
    _, first = np.unique(contexts, return_index=True)  # a context that returned was not marked
    first.sort()
    bits = key.bits(contexts[first], last[first]).astype(np.float64)
    return (bits - 0.5) @ _WEIGHTS, first + CONTEXT


def _mix(values: Any) -> Any:
    """SplitMix64's finisher (Steele, Lea and Flood 2014): every bit of a number changes every bit of what comes out."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))


_STEP = np.uint64(0x9E3779B97F4A7C15)
