"""What a program may ask about sources over HTTP, and which models can answer from passages. Knows no document and no page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.models import ModelCard
from studio.tasks import Write
from studio.writing import citations, retrieval
from studio.writing.passages import Passage
from tabs import _sources_kept

LEAST_PARAMS = 1.0
"""Billions: smaller models answer without looking at the passages."""
MOST = 6
"""Passages of one run, and of one request that asks for no other number."""
TEXTS_LIMIT = 1_000_000
"""Characters of all texts of one HTTP request."""
COMPARED = 4_000_000
"""Sentences times characters of passages that one HTTP request may compare, which takes seconds."""


def too_small(card: ModelCard | None, cards: Sequence[ModelCard]) -> str:
    """Why a model is not asked to answer from passages, and which one of `cards` would do; '' where it can."""
    if card is None or card.params is None or card.params >= LEAST_PARAMS:
        return ""
    fitting = [one for one in cards if Write.kind in one.serves and (one.params or 0) >= LEAST_PARAMS and one.commercial is not False]
    best = min(fitting, key=lambda one: one.params or 0, default=None)
    other = f" {best.name} would do." if best is not None else ""
    return (
        f"{card.name} is too small to answer from passages: that takes a model of {LEAST_PARAMS:g} billion parameters or more.{other} "
        "Finding passages, quoting them and checking citations work with any model."
    )


def asked_passages(texts: list[str], question: str, most: int = MOST) -> list[dict[str, Any]]:
    """For a program: the passages of plain texts that answer a question best, the best first."""
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts) or not isinstance(question, str):
        raise gr.Error("Send a list of texts and a question.", print_exception=False)
    if sum(map(len, texts)) > TEXTS_LIMIT:
        raise gr.Error(f"These texts have more than {TEXTS_LIMIT:,} characters: send fewer.", print_exception=False)
    try:
        known = _sources_kept.pasted(texts)
    except StudioError as error:
        raise gr.Error(str(error), print_exception=False) from None
    count = most if isinstance(most, int) and 1 <= most <= 50 else MOST
    return [_sources_kept.as_json(one.passage, place, one.score) for place, one in enumerate(retrieval.search(question, known, count), 1)]


def asked_verdicts(answer: str, passages: list[str]) -> list[dict[str, Any]]:
    """For a program: each sentence of an answer with its verdict; [n] cites the n-th passage."""
    if not isinstance(passages, list) or not all(isinstance(text, str) for text in passages) or not isinstance(answer, str):
        raise gr.Error("Send an answer and a list of passages.", print_exception=False)
    if len(answer) + sum(map(len, passages)) > TEXTS_LIMIT:
        raise gr.Error(f"Answer and passages have more than {TEXTS_LIMIT:,} characters: send less.", print_exception=False)
    if (answer.count("[") + 1) * sum(map(len, passages)) > COMPARED:
        raise gr.Error("These are too many sentences for passages so long: send fewer, or shorter passages.", print_exception=False)
    known = [Passage("", number, "", None, 0, len(text), text) for number, text in enumerate(passages, 1)]
    return [{**asdict(one), "numbers": list(one.numbers)} for one in citations.check(answer, known)]
