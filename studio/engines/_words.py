"""Between text and tokens: the chat a model reads, sampling with a private generator, and an answer that grows by whole characters.

Knows transformers' tokenizers and `generate`, and no model family.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from studio.tasks import Write

MARK = "⟦here the text goes on⟧"
WINDOW = 8
"""Tokens of the prompt that are decoded together with the answer's first, since some tokenizers drop a space at the very beginning."""


class Answer:
    """The new text of a run. Only whole characters are in `text`; `shown` holds back what may turn out to begin a stop text."""

    def __init__(self, words: Any, prompt: Sequence[int], ends: Sequence[int], stop: Sequence[str], document: str) -> None:
        self._words = words
        self._ends = frozenset(ends)
        self._ids = list(prompt[-WINDOW:])
        self._begin, self._read = 0, len(self._ids)
        self._stop = tuple(stop)
        self._space = " " if document.endswith(" ") else ""
        self._raw = ""
        self.tokens = 0
        self.stopped = False
        self.ended = False

    def add(self, token: int) -> None:
        """Take one more token."""
        if token in self._ends:
            self.ended = True
            return
        self.tokens += 1
        self._ids.append(token)
        known = self._decode(self._ids[self._begin : self._read])
        whole = self._decode(self._ids[self._begin :])
        if whole.endswith("\ufffd"):  # half a character: the rest is in the next token
            return
        self._begin, self._read = self._read, len(self._ids)
        self._take(whole[len(known) :])

    @property
    def text(self) -> str:
        """The text so far; a space that the document already ends with is not said twice."""
        return self._raw.removeprefix(self._space)

    @property
    def shown(self) -> str:
        """The text that nothing can take back any more."""
        longest = max(map(len, self._stop), default=1) - 1
        for size in range(min(longest, len(self._raw)), 0, -1):
            if any(len(stop) > size and stop.startswith(self._raw[-size:]) for stop in self._stop):
                return self._raw[:-size].removeprefix(self._space)
        return self.text

    def _take(self, more: str) -> None:
        old = len(self._raw)
        self._raw += more
        found = [place for stop in self._stop if (place := self._raw.find(stop, max(0, old - len(stop) + 1))) >= 0]
        if found:
            self._raw = self._raw[: min(found)]
            self.stopped = True

    def _decode(self, ids: list[int]) -> str:
        return self._words.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def opening(words: Any, task: Write, template: dict[str, Any]) -> str:
    """All that stands before the document: the chat up to the first character of the model's own turn.

    The template is rendered around a mark, so that a template that trims the turn cannot change the document.
    """
    if not getattr(words, "chat_template", None):
        return "".join(f"{part}\n\n" for part in (task.system, task.prompt) if part)
    from jinja2 import TemplateError

    said = {"role": "user", "content": task.prompt}
    chat = [{"role": "system", "content": task.system}, said] if task.system else [said]
    try:
        return _rendered(words, chat, template, bool(task.document))
    except TemplateError:  # a model without a system turn
        merged = [{"role": "user", "content": f"{task.system}\n\n{task.prompt}"}]
        return _rendered(words, merged, template, bool(task.document))


def generate(
    model: Any, ids: list[int], ends: list[int], longest: int, seed: int, sampling: Mapping[str, float], watch: Callable[[int], bool]
) -> None:
    """Let the model go on after the tokens `ids` for at most `longest` more, or until one of `ends`, or until `watch(token)` says so.

    Sampling (see `_Draw`) happens among the logits, so `generate` itself is greedy and touches no global generator.
    """
    import torch
    from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

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
        eos_token_id=ends or None,
        pad_token_id=ends[0] if ends else 0,
    )
    prompt = torch.tensor([ids], device=model.device)
    model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        generation_config=config,
        logits_processor=LogitsProcessorList(_processors(seed, sampling)),
        stopping_criteria=StoppingCriteriaList([_criterion(watch)]),
    )


def end_tokens(model: Any, words: Any) -> list[int]:
    """The tokens that end an answer: those of the model's generation settings and the tokenizer's own."""
    own = getattr(model.generation_config, "eos_token_id", None)
    listed = own if isinstance(own, list) else [own]
    return sorted({int(token) for token in (*listed, words.eos_token_id) if token is not None})


def _rendered(words: Any, chat: list[dict[str, str]], template: dict[str, Any], goes_on: bool) -> str:
    if not goes_on:
        return words.apply_chat_template(chat, tokenize=False, add_generation_prompt=True, **template)
    chat = [*chat, {"role": "assistant", "content": MARK}]
    text: str = words.apply_chat_template(chat, tokenize=False, continue_final_message=True, **template)
    return text[: text.rindex(MARK)]


def _processors(seed: int, sampling: Mapping[str, float]) -> list[Any]:
    from transformers import (
        MinPLogitsWarper,
        RepetitionPenaltyLogitsProcessor,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    chain: list[Any] = []
    if sampling["repetition_penalty"] != 1:
        chain.append(RepetitionPenaltyLogitsProcessor(float(sampling["repetition_penalty"])))
    if sampling["temperature"] == 0:
        return chain
    chain.append(TemperatureLogitsWarper(float(sampling["temperature"])))
    if sampling["top_k"] > 0:
        chain.append(TopKLogitsWarper(int(sampling["top_k"])))
    if sampling["top_p"] < 1:
        chain.append(TopPLogitsWarper(float(sampling["top_p"])))
    if sampling["min_p"] > 0:
        chain.append(MinPLogitsWarper(float(sampling["min_p"])))
    return [*chain, _drawing(seed)]


def _drawing(seed: int) -> Any:
    """Chooses one token by inverting the cumulative distribution at a number from a CPU generator; all others become impossible."""
    import torch
    from transformers import LogitsProcessor

    generator = torch.Generator("cpu").manual_seed(seed)

    class Draw(LogitsProcessor):
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            heights = torch.softmax(scores.float(), dim=-1).cumsum(dim=-1)  # (1, vocabulary)
            at = 1 - torch.rand(1, 1, generator=generator).to(heights.device)  # in (0, 1]: never a token of probability 0
            chosen = torch.searchsorted(heights, at * heights[:, -1:]).clamp_(max=scores.shape[-1] - 1)
            return torch.full_like(scores, float("-inf")).scatter_(1, chosen, 0.0)

    return Draw()


def _criterion(watch: Callable[[int], bool]) -> Any:
    import torch
    from transformers import StoppingCriteria

    class Watch(StoppingCriteria):
        def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
            return torch.full((input_ids.shape[0],), watch(int(input_ids[0, -1])), device=input_ids.device)

    return Watch()
