"""The settings of a task in llama.cpp's names: samplers and their order, bias, banned phrases, the form of the answer.

Knows no model; tokens of words come from whoever asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from studio.errors import InvalidInput
from studio.tasks import Write
from studio.writing.structured import Constraint

NEUTRAL = {
    "max_new_tokens": 512, "temperature": 0.7, "top_p": 0.95, "top_k": 40, "min_p": 0.0, "typical_p": 1.0, "top_n_sigma": 0.0,
    "repetition_penalty": 1.0, "dry_multiplier": 0.0, "dry_base": 1.75, "dry_allowed_length": 2, "xtc_probability": 0.0,
    "xtc_threshold": 0.1,
}  # fmt: skip
"""For a field that neither task nor card fills."""
PENALTY_WINDOW = 256
"""Tokens that the repetition penalty looks back on."""
DRY_WINDOW = 8192
"""The same of DRY."""
ORDER = ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"]
"""The order that `Write` states, in llama.cpp's names; it adds bias before all of them."""
_NAMES = {
    "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p", "typical_p": "typical_p",
    "top_n_sigma": "top_n_sigma", "repetition_penalty": "repeat_penalty", "dry_multiplier": "dry_multiplier", "dry_base": "dry_base",
    "dry_allowed_length": "dry_allowed_length", "xtc_probability": "xtc_probability", "xtc_threshold": "xtc_threshold",
}  # fmt: skip


def check(task: Write, name: str) -> None:
    """Refuse what llama.cpp cannot do. Raises InvalidInput with the field."""
    if task.negative_prompt.strip() or (task.guidance_scale or 1) != 1:
        field = "negative_prompt" if task.negative_prompt.strip() else "guidance_scale"
        raise InvalidInput(f"{name} cannot be guided away from a negative prompt: leave it empty, or choose another model.", field)
    if task.ban and (task.output_schema.strip() or task.output_regex or task.output_choices):
        raise InvalidInput(f"{name} cannot keep to a form and to banned phrases at once: leave one of them empty.", "ban")


def fields(task: Write, form: Constraint | None, tokens: Callable[[str], Sequence[int]]) -> dict[str, Any]:
    """What llama.cpp is asked for, without length and seed. Raises InvalidInput for a bias on a phrase of several tokens."""
    settings = settled(task)
    found: dict[str, Any] = {theirs: settings[ours] for ours, theirs in _NAMES.items()}
    found |= {"repeat_last_n": PENALTY_WINDOW, "dry_penalty_last_n": DRY_WINDOW, "samplers": ORDER}
    if task.bias:
        found["logit_bias"] = [entry for line in task.bias for entry in _bias(line, tokens)]
    if form is not None:
        found["grammar"] = form.grammar
    elif task.ban:
        found["grammar"] = _without(task.ban)
    return found


def settled(task: Write) -> dict[str, float]:
    """The task's numbers, with a neutral value for each that is open."""
    return {name: neutral if getattr(task, name) is None else getattr(task, name) for name, neutral in NEUTRAL.items()}


def _bias(line: str, tokens: Callable[[str], Sequence[int]]) -> list[list[float]]:
    """A phrase with and without the space before it, as far as each is one token."""
    phrase, _, number = line.rpartition(":")
    forms = [tokens(form) for form in dict.fromkeys((phrase.strip(), f" {phrase.strip()}"))]
    single = dict.fromkeys(form[0] for form in forms if len(form) == 1)
    if not single:
        words = f"Phrase bias: {phrase.strip()[:60]!r} is several tokens for this model, which can favour single ones only: "
        raise InvalidInput(f"{words}choose a shorter word, or leave it out.", "bias")
    return [[token, float(number)] for token in single]


def _without(phrases: Sequence[str]) -> str:
    """A grammar of all texts in which none of the phrases stands, in capitals or not."""
    listed = "|".join(_literal(phrase.strip()) for phrase in phrases)
    return f"%llguidance {{}}\nstart: TEXT\nTEXT: /(?s:.*)/ & ~/(?s:.*)(?i:{listed})(?s:.*)/\n"


def _literal(phrase: str) -> str:
    """The phrase as a regular expression; any white space stands for any other."""
    return r"\s+".join(re.sub(r"[^\w]", lambda found: f"\\x{{{ord(found[0]):x}}}", word) for word in phrase.split())
