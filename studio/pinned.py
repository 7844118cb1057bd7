"""Weights that stay in the machine's memory where a GPU can fetch them at full speed: a model that had to go is back in no time.

What is on the device is a copy, so letting it go moves nothing. Holds modules by key, the least recently used first out, up to a share of
the memory that was free at first. Knows modules of torch; knows no device's budget, no file and no model family.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from studio.shortage import ran_out

log = logging.getLogger("atelier")

SHARE = 0.4
"""Of the machine's free memory: it cannot be paged out, and others need some too."""


class Pinned:
    """Thread-safe. `room` tells the machine's free bytes, asked once; `pin` moves a tensor to where it is fetched quickly."""

    def __init__(self, room: Callable[[], int], pin: Callable[[Any], Any] = lambda tensor: tensor.pin_memory()) -> None:
        self._room, self._pin = room, pin
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._limit: int | None = None

    @property
    def bytes(self) -> int:
        """Bytes that are kept."""
        return sum(size for _, size in self._kept.values())

    def get(self, key: str, place: str) -> Any:
        """A copy of the module of that key on the device `place`; None where it is not kept."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            module = self._kept[key][0]
        return _copied(module, place)

    def keep(self, key: str, module: Any, size: int) -> bool:
        """Keep a module of `size` bytes that is on the CPU, from now on under `key`; older ones go for it. False where it is not kept."""
        with self._lock:
            if self._limit is None:
                self._limit = int(self._room() * SHARE)
            if size > self._limit or key in self._kept:
                return key in self._kept
            while self.bytes + size > self._limit:
                self._kept.popitem(last=False)
            try:
                for tensor in (*module.parameters(), *module.buffers()):
                    tensor.data = self._pin(tensor.data)
            except (RuntimeError, MemoryError) as error:
                log.warning("weights are not kept where a GPU fetches them quickly: %s", error)
                self._limit = 0 if not ran_out(error) else self.bytes
                return False
            self._kept[key] = module, size
            return True


def _copied(module: Any, place: str) -> Any:
    """The module again, with its numbers on the device; those that parts of it share are shared in the copy too."""
    import torch

    there: dict[int, Any] = {}
    for tensor in (*module.parameters(), *module.buffers()):
        moved = tensor.data.to(place, non_blocking=True, copy=True)
        there[id(tensor)] = torch.nn.Parameter(moved, requires_grad=False) if isinstance(tensor, torch.nn.Parameter) else moved
    return copy.deepcopy(module, there)
