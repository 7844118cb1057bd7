"""Longer prompts by a writer: a choice among the words that a model understands, or free text for picture models that read any.

It makes the request and reads the answer; who runs it is studio.py's to say. Knows no page and no library of creations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from studio.errors import ModelUnavailable
from studio.models import ModelCard
from studio.tasks import PROMPT_LIMIT, Write

WORDS = 60
"""The most words of a free prompt, unless more were typed."""
SYSTEM = (
    "You write prompts for an image generator. Rewrite what the user asks for as one vivid description: subject, setting, light, colours, "
    "composition. Keep every thing the user names. One sentence, fewer than 50 words, no explanations."
)
GRAMMAR_ENGINE = "gguf"


class Asked(Protocol):
    """What a writer is to choose: a question, what the answer goes on from, its grammar, and what is added to beginnings of words."""

    @property
    def question(self) -> str: ...

    @property
    def grammar(self) -> str: ...

    @property
    def document(self) -> str: ...

    @property
    def bias(self) -> tuple[tuple[str, float], ...]: ...

    @property
    def temperature(self) -> float: ...


class Wording(Protocol):
    """What an engine with words of its own offers as `wording(card)`."""

    def asked(self, prompt: str, style: str = "", seed: int = 0) -> Asked:
        """What may be added to the prompt."""
        ...

    def filled(self, prompt: str, answer: str, style: str = "") -> str:
        """The prompt with what was chosen."""
        ...


def writer(here: Mapping[str, ModelCard], constrained: bool) -> ModelCard:
    """The card that writes: for a choice by grammar the smallest that takes one, for free text the best. Raises ModelUnavailable."""
    fitting = [card for card in here.values() if card.engine == GRAMMAR_ENGINE] if constrained else list(here.values())
    if not fitting:
        raise ModelUnavailable("No writer is on this machine yet: run `make starters`, or download one in the Writing tab.")
    if constrained:
        return min(fitting, key=lambda card: (not card.starter, card.memory_gb or 1e9))
    return max(fitting, key=lambda card: (card.quality, card.starter))


def choosing(card: ModelCard, asked: Asked, seed: int) -> tuple[ModelCard, Write]:
    """The card and task that choose by the grammar of `asked`."""
    sampling = {**card.options.get("sampling", {}), "grammar": asked.grammar}
    sampling |= {"logit_bias": [list(pair) for pair in asked.bias]} if asked.bias else {}
    task = Write(
        prompt=asked.question, document=asked.document, model=card.name, max_new_tokens=48, temperature=asked.temperature, top_p=0.95,
        seed=seed,
    )  # fmt: skip
    return card.model_copy(update={"options": {**card.options, "sampling": sampling}}), task


def describing(card: ModelCard, prompt: str, seed: int) -> Write:
    """The task that describes freely."""
    return Write(prompt=prompt, system=SYSTEM, model=card.name, max_new_tokens=120, temperature=0.7, seed=seed)


def described(typed: str, answer: str) -> str:
    """One line of at most `WORDS` words that holds every word that was typed, which stands in front where the writer lost any."""
    typed = " ".join(typed.split())
    said = re.sub(r"^[\"'“]+|[\"'”]+$", "", " ".join(answer.split())).strip()
    said = re.sub(r"^(?:prompt|description)\s*:\s*", "", said, flags=re.IGNORECASE)
    if not _words(typed) <= _words(" ".join(said.split()[:WORDS])):
        said = f"{typed.rstrip(' .,;')}, {said}" if said else typed
    most = max(WORDS, len(typed.split()))
    return " ".join(said.split()[:most]).rstrip(" ,;")[:PROMPT_LIMIT]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold())) - {"a", "an", "the"}
