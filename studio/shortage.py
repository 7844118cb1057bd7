"""Memory that ran out, and memory that is given back: how either is recognised and done, whatever library is behind it.

The only judge of which errors mean that memory ran out. Knows no model, no ledger and no queue.
"""

from __future__ import annotations

import gc
import logging
import sys
import traceback
import weakref
from collections.abc import Iterable, Mapping
from typing import Any, cast

from studio.errors import NotEnoughMemory

log = logging.getLogger("atelier")

WORDS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "defaultcpuallocator",
    "failed to allocate",
)
"""What the allocators of torch, CUDA, Metal and llama.cpp say, in lower case."""
WORTH_A_SEARCH = 16_000_000
"""Bytes from which a value that cannot be watched is looked for in cycles of references: a search takes up to a second."""


def ran_out(error: BaseException) -> bool:
    """Whether the error, or what it was raised from, says that memory ran out."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (NotEnoughMemory, MemoryError)) or type(seen).__name__ == "OutOfMemoryError":
            return True
        if isinstance(seen, RuntimeError) and any(words in str(seen).lower() for words in WORDS):
            return True
        seen = seen.__cause__
    return False


def let_go(error: BaseException) -> None:
    """Drop what the ended functions in the tracebacks of an error still hold: half a model may be among it.

    The error keeps its lines; functions that still run keep what they have.
    """
    seen = set[int]()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        traceback.clear_frames(one.__traceback__)
        waiting += [one.__cause__, one.__context__]


class Farewell:
    """Values that go: `close` each and hold it no longer, then `finish`.

    The interpreter's search for cycles of references, which costs up to a second, runs only where something is left.
    """

    def __init__(self) -> None:
        self._traces: list[weakref.ref[Any]] = []
        self._blind = False

    def close(self, value: Any, size: int) -> None:
        """Close a value that has a `close()`; what it reports is only logged. `size` is its bytes."""
        found = list(_traces(value))
        self._traces += found
        self._blind = self._blind or (not found and size >= WORTH_A_SEARCH)
        try:
            if (close := getattr(value, "close", None)) is not None:
                close()
        except Exception:  # its place is given up all the same
            log.exception("a model reported a failure while it was unloaded")

    def finish(self) -> None:
        """Free what only holds itself."""
        if self._blind or any(trace() is not None for trace in self._traces):
            gc.collect()


def _traces(value: Any) -> Iterable[weakref.ref[Any]]:
    """What tells later whether the value, and each tensor of a module, is gone."""
    parts: list[Any] = [*cast("Mapping[Any, Any]", value).values()] if isinstance(value, Mapping) else [value]
    torch = sys.modules.get("torch")
    kind = getattr(getattr(torch, "nn", None), "Module", None)  # another thread may be in the middle of importing it
    if kind is not None:
        for part in [part for part in parts if isinstance(part, kind)]:
            parts += [*part.parameters(), *part.buffers()]
    for part in parts:
        try:
            yield weakref.ref(part)
        except TypeError:
            continue
