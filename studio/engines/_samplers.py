"""How the next token is chosen: the scores of all tokens go through a chain of samplers, and one is drawn.

The order is that of `Write` and of llama.cpp: repetition penalty, DRY, phrase bias; then top-n-sigma, top-k, typical, top-p, min-p, XTC,
temperature; last the invisible mark, if any, and the draw, from a generator of the run's own on the CPU. Scores are logits, a tensor
(1, vocabulary); a sampler returns new ones, -inf for what it takes out, and never takes out all. Knows no model, no text and no task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import log
from typing import Any

LONGEST_MATCH = 50
"""Tokens of a repeated phrase that DRY counts at most; its penalty would overflow."""
LOOKS = (256, 4096)
"""So many of the likeliest tokens top-p looks at before it sorts a whole vocabulary, which takes twenty times as long (measured)."""
OFF = float("-inf")

Filter = Callable[[Any], Any]


class Chain:
    """The samplers of one take. Settings are those of `Write` by name; `biases` and `breakers` are tokens (see `Bias`, `Dry`).

    `marker` is a `textmark.Marker`: what it makes of the scores leans on the studio's secret; at temperature 0 it is not asked.
    """

    def __init__(
        self,
        settings: Mapping[str, float],
        seed: int,
        biases: Sequence[tuple[float, Sequence[Sequence[int]]]] = (),
        breakers: Iterable[int] = (),
        marker: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        import torch

        self._generator = torch.Generator("cpu").manual_seed(seed)
        self._before = _penalties(settings, biases, breakers)
        self._filters = _filters(settings, self._generator)
        self._greedy = settings["temperature"] == 0
        self._marker, self._ids = marker, None

    def weighed(self, ids: Any, scores: Any) -> Any:
        """The scores after penalties and bias, which depend on the tokens `ids` (1, length) that stand before."""
        self._ids = ids
        for sampler in self._before:
            scores = sampler(ids, scores)
        return scores

    def drawn(self, scores: Any) -> int:
        """One token of the scores weighed last: the likeliest at temperature 0, else by chance among those that the filters leave."""
        if self._greedy:
            return int(scores.argmax())
        for sampler in self._filters:
            scores = sampler(scores)
        if self._marker is not None:
            scores = self._marker(self._ids, scores)
        return draw(scores, self._generator)


def repetition(ids: Any, scores: Any, penalty: float) -> Any:
    """Each token that was there before becomes `penalty` times less likely, roughly (Keskar et al. 2019, CTRL)."""
    seen = scores.gather(1, ids)
    return scores.scatter(1, ids, (seen / penalty).where(seen > 0, seen * penalty))


class Dry:
    """ "Don't repeat yourself" (p-e-w): a token that would prolong a phrase of n tokens that was there before loses
    multiplier * base^(n - allowed); phrases shorter than `allowed` are free.

    A phrase reaches back to the last of the `breakers` at most. Takes time in proportion to the text, not to its square: how long the
    phrase ending at each place matches the end is kept from token to token.
    """

    def __init__(self, multiplier: float, base: float, allowed: int, breakers: Iterable[int]) -> None:
        self._multiplier, self._base, self._allowed = multiplier, base, allowed
        self._breakers = frozenset(breakers)
        self._ids: list[int] = []

    def __call__(self, ids: Any, scores: Any) -> Any:
        """See the class."""
        import numpy

        self._follow(ids)
        places = numpy.flatnonzero(self._matches[:-1] >= self._allowed)
        worst: dict[int, int] = {}
        for place in places.tolist():
            token = self._ids[place + 1]
            if token not in self._breakers:
                worst[token] = max(worst.get(token, 0), int(self._matches[place]))
        if not worst:
            return scores
        import torch

        losses = torch.tensor([[self._multiplier * self._base ** (long - self._allowed) for long in worst.values()]])
        return scores.scatter_add(1, torch.tensor([list(worst)], device=scores.device), -losses.to(scores))

    def _follow(self, ids: Any) -> None:
        """Bring `_matches` to the end of `ids`: at each place, how many tokens up to there equal the last ones."""
        import numpy

        length = ids.shape[1]
        if length != len(self._ids) + 1 or not self._ids:
            self._ids = ids[0].tolist()
            self._row = numpy.array(self._ids)
            self._matches = numpy.zeros(max(0, length - LONGEST_MATCH), numpy.int64)
        else:
            self._ids.append(int(ids[0, -1]))
            self._row = numpy.append(self._row, self._ids[-1])
        for end in range(len(self._matches), length):
            longer = numpy.concatenate(([0], self._matches)) + 1
            same = (self._row[: end + 1] == self._ids[end]) & (self._ids[end] not in self._breakers)
            self._matches = numpy.minimum(longer * same, LONGEST_MATCH)


class Bias:
    """Phrases, each in its tokenised forms, with a number that is added where one would begin or go on; below 0 only where it would end."""

    def __init__(self, biases: Sequence[tuple[float, Sequence[Sequence[int]]]]) -> None:
        self._biases = [(number, [list(form) for form in forms if form]) for number, forms in biases]
        self._longest = max((len(form) for _, forms in self._biases for form in forms), default=0)

    def __call__(self, ids: Any, scores: Any) -> Any:
        """See the class."""
        end: list[int] = ids[0, max(0, ids.shape[1] - self._longest) :].tolist()
        scores = scores.clone()
        for number, forms in self._biases:
            tokens: set[int] = set()
            for form in forms:
                reached = range(len(form)) if number > 0 else (len(form) - 1,)
                tokens |= {form[at] for at in reached if form[:at] == end[len(end) - at :]}
            scores[0, sorted(tokens)] += number
        return scores


def top_n_sigma(scores: Any, count: float) -> Any:
    """Tokens at most `count` standard deviations below the likeliest (Tang et al. 2024)."""
    finite = scores[scores.isfinite()]
    return scores.masked_fill(scores < finite.max() - count * finite.std(correction=0), OFF)


def top_k(scores: Any, count: int) -> Any:
    """The `count` likeliest tokens; those as likely as the last of them, too."""
    least = scores.topk(min(count, scores.shape[-1])).values[:, -1:]
    return scores.masked_fill(scores < least, OFF)


def typical(scores: Any, share: float) -> Any:
    """The tokens whose surprise is nearest to the expected one, up to `share` of probability (Meister et al. 2022)."""
    told = scores.log_softmax(-1)
    shares = told.exp()
    expected = -(told * shares).nansum(-1, keepdim=True)  # nan: -inf times 0
    order = (-told - expected).abs().argsort(stable=True)
    sums = shares.gather(1, order).cumsum(-1)
    keep = sums - shares.gather(1, order) < share
    return scores.masked_fill(~keep.scatter(1, order, keep), OFF)


def top_p(scores: Any, share: float) -> Any:
    """The likeliest tokens up to `share` of probability, the one that crosses it among them (Holtzman et al. 2019)."""
    import torch

    shares = scores.softmax(-1)
    size = shares.shape[-1]
    best = shares.topk(min(LOOKS[0], size))
    for count in (*LOOKS[1:], size):
        if float(best.values.sum()) >= share:
            break
        best = shares.topk(min(count, size))
    sums = best.values.cumsum(-1)
    kept = best.indices[:, : int((sums - best.values < share).sum())]
    return torch.full_like(scores, OFF).scatter(1, kept, scores.gather(1, kept))


def min_p(scores: Any, share: float) -> Any:
    """Tokens at least `share` times as likely as the likeliest (Nguyen et al. 2024)."""
    from torch.nn.functional import threshold  # ten times as fast as a mask (measured); it keeps what is above, not what is at it

    least = float(scores.max()) + log(share)
    return threshold(scores, least - 1e-6 * max(1.0, abs(least)), OFF)


def xtc(scores: Any, threshold: float, probability: float, generator: Any) -> Any:
    """ "Exclude top choices" (p-e-w): so often, of the tokens with at least the probability `threshold` only the least likely stays."""
    import torch

    if float(torch.rand(1, generator=generator)) >= probability:
        return scores
    shares = scores.softmax(-1)
    if float(shares.max()) < threshold:
        return scores
    obvious = (shares >= threshold if threshold else shares > 0)[0].nonzero()[:, 0]
    if len(obvious) < 2:
        return scores
    stays = obvious[scores[0, obvious].argmin()]
    return scores.index_fill(1, obvious[obvious != stays], OFF)


def draw(scores: Any, generator: Any) -> int:
    """One token by inverting the cumulative distribution at a number from the generator."""
    import torch

    heights = torch.softmax(scores.float(), dim=-1).cumsum(dim=-1)  # (1, vocabulary)
    at = 1 - torch.rand(1, 1, generator=generator).to(heights.device)  # in (0, 1]: never a token of probability 0
    chosen = torch.searchsorted(heights, at * heights[:, -1:])
    return min(int(chosen), scores.shape[-1] - 1)


def _penalties(
    settings: Mapping[str, float], biases: Sequence[tuple[float, Sequence[Sequence[int]]]], breakers: Iterable[int]
) -> list[Callable[[Any, Any], Any]]:
    made: list[Callable[[Any, Any], Any]] = []
    if settings["repetition_penalty"] != 1:
        made.append(partial(repetition, penalty=settings["repetition_penalty"]))
    if settings["dry_multiplier"] > 0:
        made.append(Dry(settings["dry_multiplier"], settings["dry_base"], int(settings["dry_allowed_length"]), breakers))
    if biases:
        made.append(Bias(biases))
    return made


def _filters(settings: Mapping[str, float], generator: Any) -> list[Filter]:
    made: list[Filter] = []
    if settings["top_n_sigma"] > 0:
        made.append(partial(top_n_sigma, count=settings["top_n_sigma"]))
    if settings["top_k"] > 0:
        made.append(partial(top_k, count=int(settings["top_k"])))
    if settings["typical_p"] < 1:
        made.append(partial(typical, share=settings["typical_p"]))
    if settings["top_p"] < 1:
        made.append(partial(top_p, share=settings["top_p"]))
    if settings["min_p"] > 0:
        made.append(partial(min_p, share=settings["min_p"]))
    if settings["xtc_probability"] > 0:
        made.append(partial(xtc, threshold=settings["xtc_threshold"], probability=settings["xtc_probability"], generator=generator))
    if settings["temperature"] not in (0, 1):
        made.append(lambda scores: scores / settings["temperature"])
    return made
