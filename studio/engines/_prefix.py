"""What a model has read, kept for the next prompt that begins alike: exactly as if everything were read anew.

Attention is computed in pieces of CHUNK tokens at fixed places. A piece has the same shapes and sees the same numbers whether what stands
before it was read now or earlier, so kept keys and values are cut where a piece ends and nothing depends on them but time. What was
written token by token has other last bits and is never kept: a text that goes on is read again from the piece in which it was continued.
Knows caches of transformers, and no tokenizer, no task and no manager.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

CHUNK = 128
"""Tokens that are read at once; a stop is noticed after each such piece."""


@dataclass
class Read:
    """A prompt that was read: the cache after its last token, and the scores (1, vocabulary) of the token that comes next."""

    cache: Any
    scores: Any

    def fork(self) -> Read:
        """The same for one more take; nothing is copied until it is written to."""
        return Read(_forked(self.cache), self.scores)


class Prefix:
    """The beginnings of a model's last prompts, up to `most` bytes together; the longest unused goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[tuple[list[int], Any]] = []  # tokens, and the cache after them; the last used is last

    @property
    def bytes(self) -> int:
        """What is held now."""
        return sum(_size(cache) for _, cache in self._kept)

    @property
    def tokens(self) -> int:
        """How many tokens are held now."""
        return sum(len(ids) for ids, _ in self._kept)

    def begun(self, ids: Sequence[int]) -> tuple[int, Any]:
        """How many of the tokens, in whole pieces, were read before, and the cache after them; (0, None) for none."""
        best, found = 0, -1
        for number, (kept, cache) in enumerate(self._kept):
            same = _whole(ids, next((at for at, (a, b) in enumerate(zip(kept, ids, strict=False)) if a != b), min(len(kept), len(ids))))
            if same > best and (same == len(kept) or _croppable(cache)):
                best, found = same, number
        if not best:
            return 0, None
        kept, cache = self._kept.pop(found)
        self._kept.append((kept, cache))
        cache = _forked(cache)
        if best < len(kept):
            cache.crop(best - len(kept))
        return best, cache

    def keep(self, ids: Sequence[int], cache: Any) -> None:
        """Hold the cache after these tokens, if it is not too large; it may be written to afterwards. What it goes on from goes."""
        size = _size(cache)
        if size > self._most:
            return
        self._kept = [(kept, old) for kept, old in self._kept if kept != list(ids[: len(kept)])]
        while self._kept and self.bytes + size > self._most:
            self._kept.pop(0)
        self._kept.append((list(ids), _forked(cache)))

    def close(self) -> None:
        """Let go of everything."""
        self._kept.clear()


def read(model: Any, ids: Sequence[int], prefix: Prefix | None, report: Callable[[int], object]) -> Read | None:
    """Have the model read the tokens, from where the prefix ends; `report` gets the number read before each piece and may raise.

    None for models that keep no plain keys and values (state spaces, recurrence): they read by themselves.
    """
    import torch
    from transformers import DynamicCache

    config = model.config.get_text_config(decoder=True)
    if not _plain(model, made := DynamicCache(config=config)):
        return None
    begin, cache = prefix.begun(ids) if prefix is not None else (0, None)
    cache = made if cache is None else cache
    last = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
    whole, scores = _whole(ids, len(ids)), None
    with torch.no_grad():
        for start in range(begin, len(ids), CHUNK):
            report(start)
            piece = torch.tensor([ids[start : start + CHUNK]], device=model.device)
            scores = model(input_ids=piece, past_key_values=cache, use_cache=True, **last).logits[:, -1].float()
            if prefix is not None and start + CHUNK <= whole:
                prefix.keep(ids[: start + CHUNK], cache)
    return Read(cache, scores)


def _whole(ids: Sequence[int], same: int) -> int:
    """The end of the last whole piece within the first `same` tokens that leaves at least one token to read."""
    return min(same, len(ids) - 1) // CHUNK * CHUNK


def _plain(model: Any, cache: Any) -> bool:
    from transformers.cache_utils import DummyLayer, DynamicLayer, DynamicSlidingWindowLayer

    kinds = (DynamicLayer, DynamicSlidingWindowLayer, DummyLayer)
    supported = not getattr(model, "_is_stateful", False) and model._supports_default_dynamic_cache()  # noqa: SLF001 (asked by generate, too)
    return supported and bool(cache.layers) and all(type(layer) in kinds for layer in cache.layers)


def _forked(cache: Any) -> Any:
    """A cache of its own over the same tensors: plain layers replace their tensors as they grow, and never change them."""
    made = copy.copy(cache)
    made.layers = [copy.copy(layer) for layer in cache.layers]
    return made


def _croppable(cache: Any) -> bool:
    """Whether all that was read is still there: a sliding window that was filled has let go of its beginning."""
    return all(layer.get_seq_length() < layer.sliding_window for layer in cache.layers if getattr(layer, "is_sliding", False))


def _size(cache: Any) -> int:
    tensors = (tensor for layer in cache.layers for tensor in (layer.keys, layer.values) if tensor is not None)
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors)
