"""Answers of a given form: JSON by a schema, a pattern, or one of several choices. Knows no engine, no model and no page.

The form becomes a grammar of `llguidance`, which both engines follow token by token. What cannot be followed is refused at once, in one
sentence with the field. A grammar is narrower than the schema: what the schema leaves open (how long a text or a list may be) is bounded so
that the answer ends within its length. The little that no grammar keeps (`oneOf`, some `uniqueItems`) is checked afterwards: `exact` is
False, and an engine writes again, at most `ATTEMPTS` times.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from studio.errors import InvalidInput
from studio.tasks import Write
from studio.writing import _schemas

ATTEMPTS = 3
"""How often an engine may write before it hands over an answer that is not of its form, and says so."""
AGAIN = 1_000_003
"""From one attempt's seed to the next one's."""
TOKENS = 300
"""Length of an answer where the task leaves it open."""
_STYLE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": ", "coerce_one_of": True}
_LARK = "%llguidance {}\n"


@dataclass(frozen=True)
class Constraint:
    """The form of an answer. `grammar` is Lark as llguidance and llama.cpp read it; `exact`: whatever it lets end is valid."""

    field: str
    grammar: str
    exact: bool = True
    schema: Mapping[str, Any] | None = None
    choices: tuple[str, ...] = ()


def constraint(task: Write, attempt: int = 0) -> Constraint | None:
    """The form that the task asks for, or None. A later `attempt` (from 1) bounds what is open more tightly.

    Raises InvalidInput with the field: no JSON, no schema, references to elsewhere, too large, unsatisfiable, a pattern that cannot be
    followed, or a longest answer in which the form does not fit.
    """
    if task.output_schema.strip():
        return _by_schema(task.output_schema, task.max_new_tokens or TOKENS, tight=attempt > 0)
    if task.output_regex:
        _schemas.check_pattern(task.output_regex, "output_regex", "Pattern")
        body = task.output_regex.replace("\n", "\\n").replace("/", "\\/")
        return _followed(Constraint("output_regex", f"{_LARK}start: /{body}/"), "Pattern")
    if task.output_choices:
        choices = tuple(dict.fromkeys(task.output_choices))
        body = " | ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)
        return _followed(Constraint("output_choices", f"{_LARK}start: {body}", choices=choices), "Choices")
    return None


def valid(constraint: Constraint, text: str) -> bool:
    """Whether the text is of the form: JSON that the whole schema accepts, a match of the whole pattern, one of the choices."""
    if constraint.schema is not None:
        return _schemas.accepts(constraint.schema, text)
    if constraint.choices:
        return text in constraint.choices
    matcher = _matcher(constraint.grammar)
    data = list(text.encode("utf-8", "replace"))
    return matcher.try_consume_tokens(data) == len(data) and matcher.is_accepting()


def processor(constraint: Constraint, tokenizer: Any, vocab_size: int, end_tokens: Sequence[int]) -> Held:
    """What holds `generate` of transformers to the form, for any number of rows at once.

    `tokenizer` is a fast tokenizer, `vocab_size` the width of the model's scores, `end_tokens` all that end an answer.
    """
    from llguidance.hf import from_tokenizer

    return Held(constraint, from_tokenizer(tokenizer, n_vocab=vocab_size, eos_token=list(end_tokens)), tuple(end_tokens))


class Held:
    """A logits processor: leaves only tokens by which the answer stays of its form, and its end where it is complete."""

    def __init__(self, constraint: Constraint, vocabulary: Any, ends: tuple[int, ...]) -> None:
        self._constraint, self._vocabulary, self._ends = constraint, vocabulary, ends
        self._rows: list[Any] = []
        self._read = 0

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """`input_ids` (rows, tokens so far), `scores` (rows, vocabulary) -> scores with -inf where a token is not allowed."""
        import numpy as np
        import torch

        if not self._rows:
            self._rows = [_matcher(self._constraint.grammar, self._vocabulary) for _ in range(input_ids.shape[0])]
            self._read = input_ids.shape[1]
        new, self._read = input_ids[:, self._read :].tolist(), input_ids.shape[1]
        allowed = np.zeros(tuple(scores.shape), dtype=bool)
        for row, matcher in enumerate(self._rows):
            if not matcher.is_stopped():
                matcher.try_consume_tokens(new[row])
            if matcher.is_stopped() or matcher.is_error():
                allowed[row, list(self._ends)] = True
                continue
            bits = np.frombuffer(cast("bytes", matcher.compute_bitmask()), np.uint8)
            bits = np.unpackbits(bits, bitorder="little")[: allowed.shape[1]]
            allowed[row, : len(bits)] = bits.astype(bool)
            if not allowed[row].any():
                allowed[row, list(self._ends)] = True
        return scores.masked_fill(~torch.from_numpy(allowed).to(scores.device), float("-inf"))


def _by_schema(text: str, tokens: int, tight: bool) -> Constraint:
    schema = _schemas.read(text)
    error = InvalidInput("JSON schema cannot be followed.", "output_schema")
    for capped in (True, False) if '"pattern' in text else (True,):  # a bound on the length of texts may contradict their pattern
        narrow = _schemas.narrowed(schema, tokens, tight, capped)
        grammar = f"{_LARK}start: %json {json.dumps({**narrow.schema, 'x-guidance': _STYLE}, ensure_ascii=False)}"
        try:
            return _followed(Constraint("output_schema", grammar, narrow.exact, schema), "JSON schema")
        except InvalidInput as refused:
            error = refused
    raise error


def _followed(made: Constraint, title: str) -> Constraint:
    """The constraint, if llguidance takes its grammar and can begin with it."""
    matcher = _matcher(made.grammar)
    if not matcher.is_error():
        mask = matcher.compute_bitmask()
        if any(mask) and not matcher.is_error():
            return made
    raise InvalidInput(_schemas.told(title, matcher.get_error()), made.field)


def _matcher(grammar: str, vocabulary: Any = None) -> Any:
    from llguidance import LLMatcher, LLTokenizer

    return LLMatcher(vocabulary or LLTokenizer("byte"), LLMatcher.grammar_from_lark(grammar), log_level=0)
