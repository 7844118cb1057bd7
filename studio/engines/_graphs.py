"""One token after the other through a language model on a GPU, as one recorded piece of work (a CUDA graph).

A step of decoding is hundreds of small kernels whose launches take longer than their work. So its shapes are held still: keys and values
lie in a StaticCache with room for the prompt and the whole answer, the step is recorded once a run, and every token replays it. How much
room there is follows from the task alone, so the numbers of a step do, too. Where a step cannot be recorded it runs unrecorded, with the
same numbers, and the model goes the plain way from the next run on. Knows models of transformers; knows no sampler and no task.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from studio.engines._prefix import Read
from studio.shortage import ran_out

log = logging.getLogger("atelier")

KINDS = frozenset({"cuda"})
"""Devices on which steps are recorded. A CPU launches nothing, and loses 2 to 15 % by keys and values of a fixed length (measured)."""
BUCKET = 256
"""Tokens; room for keys and values comes in multiples of it."""
RECORD_BYTES = 64_000_000
"""Working memory of a recorded step beside its keys and values: its numbers between two kernels, and their work space."""
_PLAIN = "_steps_are_not_recorded"


def room(tokens: int) -> int:
    """Tokens that a cache for so many has room for."""
    return -(-tokens // BUCKET) * BUCKET


def steps(model: Any, read: Read | None, longest: int) -> Steps | None:
    """What writes at most `longest` tokens after what was read; None where the model goes the plain way."""
    from transformers.cache_utils import DynamicLayer, StaticCache, StaticLayer

    if (
        model.device.type not in KINDS
        or read is None
        or getattr(model, _PLAIN, False)
        or not getattr(model, "_can_compile_fullgraph", False)
    ):
        return None
    cache: Any = StaticCache(config=model.config, max_cache_len=room(read.cache.get_seq_length() + longest))
    fitting = len(cache.layers) == len(read.cache.layers) and all(type(layer) is StaticLayer for layer in cache.layers)
    if not fitting or any(type(layer) is not DynamicLayer for layer in read.cache.layers):
        return None  # windows that slide count in Python, which a recording would not hear of
    return Steps(model, cache)


class Steps:
    """A model and its still cache: `begin` with what was read, then call with token after token. One text at a time."""

    def __init__(self, model: Any, cache: Any) -> None:
        import torch

        self._model: Any = model
        self._cache: Any = cache
        self._ids = torch.zeros((1, 1), dtype=torch.long, device=model.device)
        self._graph: Any = None
        self._scores: Any = None  # where a recorded step leaves them
        self._fails = False

    def begin(self, read: Read) -> Steps:
        """Go on from a prompt, whose cache is copied; what was written before is forgotten."""
        for mine, given in zip(self._cache.layers, read.cache.layers, strict=True):
            if not mine.is_initialized:
                mine.lazy_initialization(given.keys, given.values)
            length = given.keys.shape[-2]
            mine.keys[:, :, :length].copy_(given.keys)
            mine.values[:, :, :length].copy_(given.values)
            mine.keys[:, :, length:].zero_()
            mine.values[:, :, length:].zero_()  # nothing is added from there, but not even a number that is none may be
            mine.cumulative_length.fill_(length)
        return self

    def __call__(self, token: int) -> Any:
        """Scores (1, vocabulary) float32 of the token after this one; the next call may write over them."""
        import torch

        self._ids.fill_(token)
        with torch.no_grad():
            if self._graph is None and not self._fails:
                self._record()
            if self._graph is None:
                return self._step()
            self._graph.replay()
            return self._scores

    def close(self) -> None:
        """Free the recording and its memory."""
        if self._graph is not None:
            self._graph.reset()
        self._graph = self._scores = None
        self._cache.layers.clear()

    def _step(self) -> Any:
        return self._model(input_ids=self._ids, past_key_values=self._cache, use_cache=True).logits[:, -1].float()

    def _record(self) -> None:
        """Have a step recorded. What it writes meanwhile lies where the next token will be, and is written over."""
        lengths = [layer.cumulative_length.clone() for layer in self._cache.layers]
        try:
            self._graph, self._scores = _recorded(self._step, lambda: self._back(lengths), self._ids.device)
        except (RuntimeError, AssertionError) as error:  # the second says that this torch was made without CUDA
            if ran_out(error):
                raise
            self._fails = True
            setattr(self._model, _PLAIN, True)
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            log.warning("%s writes without recorded steps, which is slower: %s", type(self._model).__name__, reason)
        finally:
            self._back(lengths)

    def _back(self, lengths: list[Any]) -> None:
        for layer, length in zip(self._cache.layers, lengths, strict=True):
            layer.cumulative_length.copy_(length)


def _recorded(step: Callable[[], Any], back: Callable[[], None], device: Any) -> tuple[Any, Any]:
    """The recording of a step, and where each replay leaves its result. RuntimeError where a step waits for the device.

    `back` undoes a step that was run; one that is recorded is not run.
    """
    import torch

    beside = torch.cuda.Stream(device)
    beside.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(beside):
        for _ in range(2):  # libraries choose their kernels, and take their work space
            step()
            back()
    torch.cuda.current_stream(device).wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=beside, capture_error_mode="thread_local"):  # others may load a model meanwhile
        result = step()
    return graph, result


def working_bytes(config: Mapping[str, Any], tokens: int, token_bytes: int) -> int:
    """Working memory for texts of so many tokens, `token_bytes` each, beside what the plain way takes; heads that share keys get copies."""
    heads = int(config.get("num_attention_heads", 32))
    shared = heads // int(config.get("num_key_value_heads") or heads)
    layers = int(config.get("num_hidden_layers", 32))
    return RECORD_BYTES + room(tokens) * token_bytes * (layers + shared) // layers
