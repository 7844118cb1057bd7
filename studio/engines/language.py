"""Any causal chat model of transformers, from a folder: an instruction, and the text so far, become more text.

Sampling draws from a generator of the run's own on the CPU, so that a seed gives the same words whatever else runs and on every device
whose arithmetic agrees; where a text carries the studio's invisible mark, the words follow its secret too. Several takes share one reading
of the prompt and are written one after the other: in one batch their last bits, and with them their words, would be others than those of a
take alone (measured). Knows no manager, no download and no page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from studio import components
from studio.creations import Passage, Progress, Report
from studio.device import Device
from studio.engines import _graphs, _lean, _prefix, _takes, _words
from studio.errors import InvalidInput
from studio.manager import Component, Pipeline, Recipe, Way
from studio.models import ModelCard
from studio.tasks import Task, Write
from studio.writing import context, structured

CARDS = components.cards("language")

FIXED_BYTES = 200_000_000
"""Working memory beside cache and activations: sorted probabilities of a whole vocabulary, kernels' work space."""
PREFIX_TOKENS = 4096
"""Of earlier prompts that are kept at most, within a quarter of the weights or PREFIX_BYTES, whichever is more."""
PREFIX_BYTES = 64_000_000
UNRECORDED = "unrecorded"
"""The way of a GPU that has no room for recorded steps."""
SAMPLING: Mapping[str, float] = {
    "temperature": 0.7,
    "top_p": 0.9,
    "top_k": 0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "top_n_sigma": 0.0,
    "repetition_penalty": 1.0,
    "dry_multiplier": 0.0,
    "dry_base": 1.75,
    "dry_allowed_length": 2,
    "xtc_probability": 0.0,
    "xtc_threshold": 0.1,
    "guidance_scale": 1.0,
}
"""Where neither the task, nor the card, nor the model's own generation_config.json says; those from typical_p on change nothing."""


class _Options(BaseModel):
    """`ModelCard.options` of this engine: `template` goes to the chat template; `max_context` (tokens) narrows the model's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    variant: str | None = None
    max_context: int | None = None
    template: Mapping[str, Any] = {"enable_thinking": False}


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The model, its tokenizer, what it read last, and the pipeline over them.

    Raises ModelUnavailable and ModelUnsafe for files that are no usable model.
    """
    options = components.options(card, _Options, "writing")
    folder = components.files_of(card)
    config = components.read_json(card, folder / "config.json")
    dtype = components.number_format(device, options.dtype)
    weights = components.find_weights(card, folder, options.variant)
    own, tokenizer = _lean.whole(card, weights, dtype, device), _tokenizer(card)

    def build(values: Mapping[str, Any], *, recorded: bool) -> Pipeline:
        model, words, prefix = (values[role] for role in ("model", "words", "prefix"))
        return lambda task, report: _passages(model, words, prefix, card, options, task, report, recorded=recorded)

    def parts(kept: _lean.Kept) -> dict[str, Component]:
        return {"model": kept.model, "words": tokenizer, "prefix": _read_before(card, weights, kept, config)}

    def needed(task: Task, kept: _lean.Kept, *, recorded: bool) -> int:
        return 0 if kept.elsewhere else kept.extra + _working_bytes(task, config, dtype.itemsize, recorded=recorded)

    def way(kept: _lean.Kept) -> Way:
        return Way(kept.name, kept.title, partial(needed, kept=kept, recorded=False), partial(build, recorded=False), parts(kept))

    recorded = device.kind in _graphs.KINDS
    ways = [replace(own, name=UNRECORDED, title="token by token, which is slower")] if recorded else []
    ways += _lean.ways(card, config, weights, dtype, device)
    return Recipe(parts(own), partial(build, recorded=recorded), partial(needed, kept=own, recorded=recorded), tuple(map(way, ways)))


def check(card: ModelCard, task: Task) -> None:
    """Refuse at once a form that no answer can have. Raises InvalidInput with the field."""
    if isinstance(task, Write):
        structured.constraint(task)


def words(card: ModelCard) -> tuple[_words.Words, int]:
    """The tokenizer in the model's own form, and how many tokens the model holds; loads no weight."""
    from transformers import AutoConfig

    options = components.options(card, _Options, "writing")
    with components.in_words(card):
        config = AutoConfig.from_pretrained(components.files_of(card), local_files_only=True, trust_remote_code=False)
    return _words.Words(_tokenizer(card).load(lambda _: None).tokenizer, options.template), _context(config, options)


def _passages(
    model: Any,
    vocabulary: _words.Vocabulary,
    prefix: _prefix.Prefix,
    card: ModelCard,
    options: _Options,
    task: Task,
    report: Report,
    *,
    recorded: bool,
) -> Iterator[Passage]:
    """A passage for each take; what was written before a stop is kept and yielded, too. `recorded`: where steps can be (_graphs.py)."""
    assert isinstance(task, Write)
    words, settings = _words.Words(vocabulary.tokenizer, options.template), _sampling(task, vocabulary.settings)
    holds, longest = _context(model.config, options), task.max_new_tokens or context.LONGEST
    full = f"{card.name} needs more memory than is free: shorten the text or choose a smaller model."
    # 1. The prompt as tokens, cut to what the model can hold.
    asked = context.assemble(task, words, holds, longest, card.name)
    # 2. The prompt is read, once for all takes; and the one to keep away from.
    with components.memory_in_words(full):
        read = _prefix.read(model, asked.tokens, prefix, _reading(len(asked.tokens), asked.room, task.count, report))
        away = None
        if settings["guidance_scale"] > 1:
            negative = _negative(task, words, asked, holds)
            away = _prefix.read(model, negative, None, _reading(len(negative), asked.room, task.count, report))
            if away is None:
                raise InvalidInput(f"{card.name} cannot be guided: set Guidance scale to 1 or choose another model.", "guidance_scale")
    # 3. Take after take; `report` raises to stop.
    with components.memory_in_words(full):
        own, other = (_graphs.steps(model, one, asked.room) if recorded else None for one in (read, away))
    mark = _mark(task, card, settings)
    run = _takes.Run(model, vocabulary, words, task, settings, asked, read, away, report, [float("-inf")], mark, own, other)
    try:
        for item in range(task.count):
            with components.memory_in_words(full):
                passage = _takes.take(run, item)
            yield passage
            if passage.finish == "stopped":
                return
    finally:
        for steps in (own, other):
            if steps is not None:
                steps.close()


def _mark(task: Write, card: ModelCard, settings: Mapping[str, float]) -> Any:
    """What the invisible mark is made with, a `textmark.Key`; None where the text gets none."""
    if not task.text_mark or card.mark is None or settings["temperature"] == 0 or task.formed:
        return None
    from studio.writing.textmark import Key  # brings numpy

    return Key.of(bytes.fromhex(card.mark.get_secret_value()))


def _reading(total: int, room: int, items: int, report: Report) -> Callable[[int], None]:
    def read(done: int) -> None:
        note = "Reading" if total <= 4 * _prefix.CHUNK else f"Reading {done:,} of {total:,} tokens"
        report(Progress("running", 0, room, "tokens", items=items, note=note))

    return read


def _sampling(task: Write, own: Mapping[str, Any]) -> dict[str, float]:
    """Each setting from the task (a card's default is in it already), else from the model's own configuration, else from SAMPLING."""
    settings: dict[str, float] = {}
    for name, usual in SAMPLING.items():
        asked = getattr(task, name)
        settings[name] = asked if asked is not None else own[name] if isinstance(own.get(name), int | float) else usual
    return settings


def _negative(task: Write, words: _words.Words, asked: context.Assembled, holds: int) -> list[int]:
    """The prompt to keep away from: the negative prompt as the instruction, before as much of the document as the model reads."""
    opening = words.opening(task.system, task.negative_prompt, bool(task.document))
    space = holds - asked.room - len(opening)
    if space < 0:
        raise InvalidInput("The negative prompt is too long for this model: shorten it.", "negative_prompt")
    text = task.document.rstrip(" ")[asked.cut :]
    return opening + (words.tokens(text)[-space:] if text and space else [])


def _context(config: Any, options: _Options) -> int:
    """Tokens the model can hold, prompt and answer together."""
    own = getattr(config.get_text_config(), "max_position_embeddings", None) or 2048
    return min(own, options.max_context or own)


def _read_before(card: ModelCard, weights: components.Weights, kept: _lean.Kept, config: Mapping[str, Any]) -> Component:
    """What the model read last; other weights read otherwise. It lies where they do."""
    most = min(PREFIX_TOKENS * _cache_numbers(config) * kept.dtype.itemsize, max(PREFIX_BYTES, kept.model.bytes // 4))
    key = components.key(card, weights.files, "prefix", kept.dtype, kept.name or weights.packed)
    return Component(key, 0 if kept.elsewhere else most, lambda _: _prefix.Prefix(most))


def _tokenizer(card: ModelCard) -> Component:
    """The tokenizer, and the model's own generation settings."""
    folder = components.files_of(card)
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and "tokenizer" in path.name]

    def load(_: Report) -> _words.Vocabulary:
        with components.in_words(card):
            from transformers import AutoTokenizer

            words = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            settings = folder / "generation_config.json"
            return _words.Vocabulary(words, components.read_json(card, settings) if settings.is_file() else {})

    return Component(components.key(card, files, "words", "text"), sum(path.stat().st_size for path in files), load)


def _working_bytes(task: Task, config: Mapping[str, Any], itemsize: int, *, recorded: bool = False) -> int:
    """Keys and values of every layer, and one layer's activations, for a token per two characters of prompt and for the whole answer.

    Takes go on from keys and values that stay for the next one; guidance keeps those of a second text. Where steps are `recorded` those
    of every text are there once more.
    """
    assert isinstance(task, Write)
    text: Mapping[str, Any] = config.get("text_config", config)
    hidden = int(text.get("hidden_size", 4096))
    active = 4 * hidden + 3 * int(text.get("intermediate_size") or 4 * hidden)
    said = (task.prompt, task.system, task.document, task.notes, task.cards, task.passages, task.author_note, *(task.turns or ()))
    read = sum(map(len, said)) // 2 + 64
    tokens = min(read + (task.max_new_tokens or context.LONGEST), int(text.get("max_position_embeddings") or 2048))
    texts, token_bytes = 1 + ((task.guidance_scale or 1) > 1), _cache_numbers(config) * itemsize
    still = texts * _graphs.working_bytes(text, tokens, token_bytes) if recorded else 0
    return FIXED_BYTES + tokens * ((1 + (task.count > 1)) * texts * token_bytes + active * itemsize) + still


def _cache_numbers(config: Mapping[str, Any]) -> int:
    """Numbers that the keys and values of one token are, all layers together."""
    text: Mapping[str, Any] = config.get("text_config", config)
    heads, hidden = int(text.get("num_attention_heads", 32)), int(text.get("hidden_size", 4096))
    kept = 2 * int(text.get("num_hidden_layers", 32)) * int(text.get("num_key_value_heads") or heads)
    return kept * int(text.get("head_dim") or hidden // heads)
