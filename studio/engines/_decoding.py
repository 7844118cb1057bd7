"""Token after token out of a model that has read its prompt: what scores go through before one is chosen, and how the choice is kept.

The chosen token is the only one left among the scores, so that transformers' `generate` runs the model and draws nothing itself; where
_graphs.py runs it, it is asked for the next scores and no more. Knows samplers, bans and forms by what they offer, and no tokenizer and
no page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from studio.engines._lookup import Lookup
from studio.engines._prefix import Read
from studio.errors import InvalidInput

OTHERS = 9
"""Tokens that are told beside the chosen one."""


Step = Callable[[int], Any]
"""Scores (1, vocabulary) float32 of the token that follows the one given."""


class Sampler(Protocol):
    """`_samplers.Chain`."""

    def weighed(self, ids: Any, scores: Any) -> Any:
        """Scores after what depends on the tokens before."""
        ...

    def drawn(self, scores: Any) -> int:
        """One token."""
        ...


class Bans(Protocol):
    """`_words.Ban`."""

    def completes(self, ids: Any, token: int) -> bool:
        """Whether the token may not follow."""
        ...


@dataclass(frozen=True)
class Chances:
    """How likely a token was to the model alone, and the likeliest tokens with their probabilities, likeliest first."""

    probability: float
    likeliest: tuple[tuple[int, float], ...]


class Choice:
    """Chooses each token of one take: guidance, then the form of the answer, then samplers, and again where a banned phrase would end.

    With `tells`, `chances` is what the model alone thought of the token chosen last.
    """

    def __init__(
        self,
        sampler: Sampler,
        guide: Guide | None = None,
        form: Callable[[Any, Any], Any] | None = None,
        ban: Bans | None = None,
        tells: bool = False,
    ) -> None:
        self._sampler, self._guide, self._form, self._ban, self._tells = sampler, guide, form, ban, tells
        self.chances = Chances(1.0, ())

    def __call__(self, ids: Any, scores: Any) -> int:
        """The token that follows `ids` (1, length), by scores (1, vocabulary)."""
        own = scores
        if self._guide is not None:
            scores = self._guide(ids, scores)
        if self._form is not None:
            scores = self._form(ids, scores)
        scores = self._sampler.weighed(ids, scores)
        token = self._sampler.drawn(scores)
        while self._ban is not None and self._ban.completes(ids, token):
            scores = scores.clone()
            scores[0, token] = float("-inf")
            if not bool(scores.isfinite().any()):
                raise InvalidInput("The banned phrases leave no word that could follow: take some out.", "ban")
            token = self._sampler.drawn(scores)
        if self._tells:
            self.chances = _chances(own, token)
        return token


class Guide:
    """Classifier-free guidance (Sanchez et al. 2023): away from what the model would say after the negative prompt, which was `read`.

    Scores become log probabilities: negative + scale * (own - negative). It runs the model a second time for each token, by `step` where
    there is one that has begun with `read`.
    """

    def __init__(self, model: Any, read: Read, scale: float, step: Step | None = None) -> None:
        self._model, self._read, self._scale, self._begun, self._step = model, read.fork(), scale, False, step

    def __call__(self, ids: Any, scores: Any) -> Any:
        """See the class; called once a token."""
        import torch

        if self._begun and self._step is not None:
            self._read.scores = self._step(int(ids[0, -1]))
        elif self._begun:
            with torch.no_grad():
                said = self._model(input_ids=ids[:, -1:], past_key_values=self._read.cache, use_cache=True).logits
            self._read.scores = said[:, -1].float()
        self._begun = True
        away = self._read.scores.log_softmax(-1)
        return away + self._scale * (scores.log_softmax(-1) - away)


def write(
    model: Any,
    ids: Sequence[int],
    read: Read | None,
    ends: Sequence[int],
    longest: int,
    choose: Callable[[Any, Any], int],
    watch: Callable[[int], bool],
    step: Step | None = None,
    guesses: Lookup | None = None,
) -> None:
    """Let the model go on after the tokens `ids` for at most `longest` more, or until one of `ends`, or until `watch(token)` says so.

    `read` is what came of reading them; its cache is used up. Where it is None the model reads them itself. A `step` that has begun with
    `read` runs the model in place of `generate`; with `guesses`, which know `ids`, it reads several tokens at once where they are right.
    """
    import torch
    from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

    prompt = torch.tensor([ids], device=model.device)
    given: dict[str, Any] = {}
    if read is not None:
        token = choose(prompt, read.scores)
        if watch(token) or token in ends or longest == 1:
            return
        if step is not None:
            _stepped(prompt, token, ends, longest - 1, choose, watch, step)
            return
        if guesses is not None:
            _guessed(model, read.cache, prompt, token, ends, longest - 1, choose, watch, guesses)
            return
        prompt = torch.cat((prompt, prompt.new_tensor([[token]])), dim=1)
        given, longest = {"past_key_values": read.cache}, longest - 1
    config = GenerationConfig(
        max_new_tokens=longest,
        do_sample=False,
        num_beams=1,
        temperature=1.0,
        top_k=50,
        top_p=1.0,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        use_cache=True,
        eos_token_id=list(ends) or None,
        pad_token_id=ends[0] if ends else 0,
    )
    model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        generation_config=config,
        logits_processor=LogitsProcessorList([_processor(choose)]),
        stopping_criteria=StoppingCriteriaList([_criterion(watch)]),
        **given,
    )


def _stepped(
    ids: Any,
    token: int,
    ends: Sequence[int],
    longest: int,
    choose: Callable[[Any, Any], int],
    watch: Callable[[int], bool],
    step: Step,
) -> None:
    """The same from the first token that was chosen, at most `longest` more."""
    import torch

    for _ in range(longest):
        ids = torch.cat((ids, ids.new_tensor([[token]])), dim=1)
        token = choose(ids, step(token))
        if watch(token) or token in ends:
            return


def _guessed(
    model: Any,
    cache: Any,
    ids: Any,
    token: int,
    ends: Sequence[int],
    longest: int,
    choose: Callable[[Any, Any], int],
    watch: Callable[[int], bool],
    guesses: Lookup,
) -> None:
    """The same, with what may follow read along: each token is chosen once, after exactly those before it, whatever was guessed."""
    import torch

    guesses.add(token)
    while longest:
        guess = guesses.guess(longest - 1)
        with torch.no_grad():
            scores = model(input_ids=ids.new_tensor([[token, *guess]]), past_key_values=cache, use_cache=True).logits.float()
        for at in range(len(guess) + 1):
            ids = torch.cat((ids, ids.new_tensor([[token]])), dim=1)
            token = choose(ids, scores[:, at])
            guesses.add(token)
            longest -= 1
            if watch(token) or token in ends or not longest:
                return
            if guess[at : at + 1] != [token]:
                break
        if (beyond := cache.get_seq_length() - ids.shape[1]) > 0:
            cache.crop(-beyond)


def _chances(scores: Any, token: int) -> Chances:
    shares = scores[0].float().softmax(-1)
    best = shares.topk(min(OTHERS + 1, len(shares)))
    return Chances(float(shares[token]), tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True)))


def _processor(choose: Callable[[Any, Any], int]) -> Any:
    import torch
    from transformers import LogitsProcessor

    class Chosen(LogitsProcessor):
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            left = torch.full_like(scores, float("-inf"))
            left[0, choose(input_ids, scores)] = 0.0
            return left

    return Chosen()


def _criterion(watch: Callable[[int], bool]) -> Any:
    import torch
    from transformers import StoppingCriteria

    class Watch(StoppingCriteria):
        def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
            return torch.full((input_ids.shape[0],), watch(int(input_ids[0, -1])), device=input_ids.device)

    return Watch()
