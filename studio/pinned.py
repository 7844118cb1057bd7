"""Weights that stay in the machine's memory where a GPU can fetch them at full speed: a model that had to go is back in no time.

What is on the device is a copy, so letting it go moves nothing. Holds modules by key, the least recently used first out, up to a share of
the memory that was free at first. Knows modules of torch; knows no device's budget, no file and no model family.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
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
        self._asked = Counter[str]()
        self._limit: int | None = None

    @property
    def bytes(self) -> int:
        """Bytes that are kept."""
        return sum(size for _, size in self._kept.values())

    def get(self, key: str, place: str) -> Any:
        """A copy of the module of that key on the device `place`; None where it is not kept."""
        copies = self.copier(key, place)
        if copies is not None:
            return copies()
        with self._lock:
            self._asked[key] += 1
        return None

    def copier(self, key: str, place: str) -> Callable[[], Any] | None:
        """What makes that copy, whatever is kept by then; None where the module is not kept now."""
        with self._lock:
            if key not in self._kept:
                return None
            module = self._kept[key][0]

        def copies() -> Any:
            with self._lock:
                self._asked[key] += 1
                if key in self._kept:
                    self._kept.move_to_end(key)
            return _copied(module, place)

        return copies

    def keep_like(self, key: str, module: Any, size: int) -> bool:
        """Keep the like of a module that is on the device, and stays there: its numbers are copied back, this once."""
        return self._fits(key, size) and self.keep(key, _copied(module, "cpu"), size)

    def keep(self, key: str, module: Any, size: int) -> bool:
        """Keep a module of `size` bytes that is on the CPU, from now on under `key`. False where it is not kept.

        Older ones go for it, unless one of them was asked for more often: that one's lead becomes less by one each time.
        """
        if not self._fits(key, size):
            return False
        with self._lock:
            if key in self._kept or self._limit is None:
                return key in self._kept
            if not self._gives_way(key, self.bytes + size - self._limit):
                return False
            try:
                for tensor in (*module.parameters(), *module.buffers()):
                    tensor.data = self._pin(tensor.data)
            except (RuntimeError, MemoryError) as error:
                log.warning("weights are not kept where a GPU fetches them quickly: %s", error)
                self._limit = 0 if not ran_out(error) else self.bytes
                return False
            self._kept[key] = module, size
            return True

    def _gives_way(self, key: str, need: int) -> bool:
        """Let the least recently used go for `need` bytes; none of them where one was asked for more often than `key`."""
        going, freed = list[str](), 0
        for other, (_, size) in self._kept.items():
            if freed >= need:
                break
            going.append(other)
            freed += size
        ahead = [other for other in going if self._asked[other] > self._asked[key]]
        for other in ahead:
            self._asked[other] -= 1
        if ahead:
            return False
        for other in going:
            del self._kept[other]
        return True

    def _fits(self, key: str, size: int) -> bool:
        with self._lock:
            if self._limit is None:
                self._limit = int(self._room() * SHARE)
            return key in self._kept or size <= self._limit


def _copied(module: Any, place: str) -> Any:
    """The module again, with its numbers on the device; those that parts of it share are shared in the copy too.

    On CUDA they move beside what is being computed, after all that was asked of the device before.
    """
    import torch

    there: dict[int, Any] = {}
    with _beside(place):
        for tensor in (*module.parameters(), *module.buffers()):
            moved = tensor.data.to(place, non_blocking=place != "cpu", copy=True)
            there[id(tensor)] = torch.nn.Parameter(moved, requires_grad=False) if isinstance(tensor, torch.nn.Parameter) else moved
    return copy.deepcopy(module, there)


@contextmanager
def _beside(place: str) -> Generator[None]:
    """A stream of its own for what moves in the block; at its end everything has come."""
    if not place.startswith("cuda"):
        yield
        return
    import torch

    stream = torch.cuda.Stream(place)
    stream.wait_stream(torch.cuda.current_stream(place))
    with torch.cuda.stream(stream):
        yield
    stream.synchronize()
