"""Any causal chat model of transformers, from a folder: an instruction, and the text so far, become more text.

Sampling draws from a generator of the run's own on the CPU, so that a seed gives the same words whatever else runs and on every device
whose arithmetic agrees. Knows no manager, no download and no page.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from studio import components
from studio.creations import Json, Passage, Preview, Progress, Report
from studio.device import Device
from studio.engines import _words
from studio.errors import Cancelled, InvalidInput
from studio.manager import Component, Pipeline, Recipe
from studio.models import ModelCard
from studio.tasks import Task, Write

CARDS = components.cards("language")

PREVIEW_SECONDS = 0.05
LONGEST = 512
"""Tokens of an answer where neither the task nor the card says."""
LEAST = 16
"""Tokens that must remain for the answer, or the instruction is refused as too long."""
FIXED_BYTES = 200_000_000
"""Working memory beside cache and activations: sorted probabilities of a whole vocabulary, kernels' work space."""
SAMPLING: Mapping[str, float] = {"temperature": 0.7, "top_p": 0.9, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
"""Where neither the task, nor the card, nor the model's own generation_config.json says."""


class _Options(BaseModel):
    """`ModelCard.options` of this engine: `template` goes to the chat template; `max_context` (tokens) narrows the model's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    variant: str | None = None
    max_context: int | None = None
    template: Mapping[str, Any] = {"enable_thinking": False}


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The model, its tokenizer, and the pipeline over them. Raises ModelUnavailable and ModelUnsafe for files that are no usable model."""
    options = components.options(card, _Options, "writing")
    folder = components.files_of(card)
    config = components.read_json(card, folder / "config.json")
    dtype = components.number_format(device, options.dtype)
    weights = components.find_weights(card, folder, options.variant)
    parts = {
        "model": components.module(card, weights, "model", ("transformers", "AutoModelForCausalLM"), dtype, device),
        "words": _tokenizer(card),
    }

    def build(values: Mapping[str, Any]) -> Pipeline:
        words, own = values["words"]
        return lambda task, report: _passages(values["model"], words, own, card, options, task, report)

    return Recipe(parts, build, lambda task: _working_bytes(task, config, dtype.itemsize))


def _passages(
    model: Any, words: Any, own: Mapping[str, Any], card: ModelCard, options: _Options, task: Task, report: Report
) -> Iterator[Passage]:
    """One passage; what was written before a stop is kept and yielded, too."""
    assert isinstance(task, Write)
    seed, sampling = task.seed or 0, _sampling(task, own)
    # 1. The prompt as tokens, cut to what the model can hold.
    opening = _words.opening(words, task, dict(options.template))
    context = _context(model, options)
    ids, room, lost = _fitted(words, opening, task, context, card)
    ends = _words.end_tokens(model, words)
    answer = _words.Answer(words, ids, ends, task.stop, task.document)
    report(Progress("running", 0, room, "tokens", note="Reading"))
    # 2. Token after token; `report` raises to stop.
    finish: Literal["end", "length", "stop", "stopped"] = "length"
    try:
        with components.memory_in_words(f"{card.name} needs more memory than is free: shorten the text or choose a smaller model."):
            _words.generate(model, ids, ends, room, seed, sampling, _watch(answer, room, report))
        finish = "stop" if answer.stopped else "end" if answer.ended else "length"
    except Cancelled:
        if not answer.tokens:
            raise
        finish = "stopped"
    # 3. The new text alone, and what the record should know.
    facts: dict[str, Json] = {"dtype": str(model.dtype).removeprefix("torch."), **sampling}
    if lost:
        facts["cut"] = lost
    yield Passage(answer.text, seed, answer.tokens, finish, facts)


def _watch(answer: _words.Answer, room: int, report: Report) -> Any:
    """Takes each new token into the answer, reports it, and says whether to stop; previews at most every PREVIEW_SECONDS."""
    shown = float("-inf")

    def watch(token: int) -> bool:
        nonlocal shown
        answer.add(token)
        report(Progress("running", answer.tokens, room, "tokens"))
        if time.monotonic() - shown >= PREVIEW_SECONDS:
            report(Preview(text=answer.shown))
            shown = time.monotonic()
        return answer.stopped

    return watch


def _sampling(task: Write, own: Mapping[str, Any]) -> dict[str, float]:
    """Each setting from the task (a card's default is in it already), else from the model's own configuration, else from SAMPLING."""
    settings: dict[str, float] = {}
    for name, usual in SAMPLING.items():
        asked = getattr(task, name)
        settings[name] = asked if asked is not None else own[name] if isinstance(own.get(name), int | float) else usual
    return settings


def _fitted(words: Any, opening: str, task: Write, context: int, card: ModelCard) -> tuple[list[int], int, int]:
    """The prompt's tokens, how many the answer may have, and how many characters of the document's beginning were left out."""
    longest = task.max_new_tokens or LONGEST
    document = task.document.rstrip(" ")  # words carry the space before them: the answer would begin with a second one
    ids: list[int] = words(opening + document, add_special_tokens=False).input_ids
    if len(ids) + longest <= context:
        return ids, longest, 0
    fixed: list[int] = words(opening, add_special_tokens=False).input_ids
    if len(fixed) + min(longest, LEAST) > context:
        most = context - min(longest, LEAST)
        raise InvalidInput(f"The instruction is {len(fixed):,} tokens long; {card.name} reads {most:,} at most. Shorten it.", "prompt")
    if not document:
        return fixed, context - len(fixed), 0
    room = min(longest, max((context - len(fixed)) // 2, min(longest, LEAST)))
    tokens: list[int] = words(document, add_special_tokens=False).input_ids
    kept = tokens[-(context - len(fixed) - room) :]
    return fixed + kept, room, len(document) - len(words.decode(kept, clean_up_tokenization_spaces=False))


def _context(model: Any, options: _Options) -> int:
    """Tokens the model can hold, prompt and answer together."""
    own = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 2048
    return min(own, options.max_context or own)


def _tokenizer(card: ModelCard) -> Component:
    """The tokenizer, and the model's own generation settings, as one pair."""
    folder = components.files_of(card)
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and "tokenizer" in path.name]

    def load(_: Report) -> tuple[Any, dict[str, Any]]:
        with components.in_words(card):
            from transformers import AutoTokenizer

            words = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            settings = folder / "generation_config.json"
            return words, components.read_json(card, settings) if settings.is_file() else {}

    return Component(components.key(card, files, "words", "text"), sum(path.stat().st_size for path in files), load)


def _working_bytes(task: Task, config: Mapping[str, Any], itemsize: int) -> int:
    """Keys and values of every layer, and one layer's activations, for a token per two characters of prompt and for the whole answer."""
    assert isinstance(task, Write)
    text: Mapping[str, Any] = config.get("text_config", config)
    heads, hidden = int(text.get("num_attention_heads", 32)), int(text.get("hidden_size", 4096))
    kept = 2 * int(text.get("num_hidden_layers", 32)) * int(text.get("num_key_value_heads") or heads)
    cache = kept * int(text.get("head_dim") or hidden // heads)
    active = 4 * hidden + 3 * int(text.get("intermediate_size") or 4 * hidden)
    read = (len(task.prompt) + len(task.system) + len(task.document)) // 2 + 64
    tokens = min(read + (task.max_new_tokens or LONGEST), int(text.get("max_position_embeddings") or 2048))
    return FIXED_BYTES + tokens * (cache + active) * itemsize
