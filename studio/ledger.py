"""Which bytes are taken on one device: resident components and the working memory of running jobs.

The invariant: `resident + working <= budget`, at every instant. Knows no framework: a holding's value is opaque to it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import Any

from studio.errors import NotEnoughMemory


@dataclass
class Holding:
    """One component that has a place on the device; `value` is None while it loads. `leases` counts the jobs using it.

    What is `pinned` stays until somebody unloads it.
    """

    key: str
    bytes: int
    value: Any = None
    leases: int = 0
    pinned: bool = False
    used: float = field(default_factory=time.monotonic)


class Ledger:
    """The account of one device with a budget in bytes. Not thread-safe by itself: the manager holds its lock around it."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.working = 0
        self.holdings: dict[str, Holding] = {}

    @property
    def resident(self) -> int:
        """Bytes of all components that have a place."""
        return sum(holding.bytes for holding in self.holdings.values())

    @property
    def free(self) -> int:
        """Bytes of the budget that nothing holds."""
        return self.budget - self.resident - self.working

    def victims(self, keys: Iterable[str], need: int, awaited: Set[str] = frozenset()) -> list[Holding]:
        """The least recently used unleased components outside `keys` that must go so that `need` more bytes fit.

        What waiting jobs need (`awaited`) counts as used last; what is pinned never goes. Raises NotEnoughMemory, touching nothing, if
        even all of them would not do.
        """
        wanted, chosen, free = set(keys), list[Holding](), self.free
        idle = [h for h in self.holdings.values() if h.leases == 0 and not h.pinned and h.key not in wanted]
        for holding in sorted(idle, key=lambda h: (h.key in awaited, h.used)):
            if free >= need:
                break
            chosen.append(holding)
            free += holding.bytes
        if free < need:
            short = (need - free) / 1e9
            kept = sum(h.bytes for h in self.holdings.values() if h.pinned and h.leases == 0 and h.key not in wanted)
            way = "release a model under Models, or choose" if free + kept >= need else "choose"
            raise NotEnoughMemory(
                f"This needs {short:.1f} GB more memory than the studio may use: {way} a smaller size, fewer pictures or a smaller model."
            )
        return chosen

    def reserve(self, sizes: dict[str, int], working: int) -> None:
        """Give each component of `sizes` (key to bytes) a place and a lease, and `working` bytes to the job, all at once."""
        missing = {key: size for key, size in sizes.items() if key not in self.holdings}
        need = sum(missing.values()) + working
        if need > self.free:
            raise NotEnoughMemory("The device is full: unload a model under Models, then try again.")
        self.working += working
        for key, size in missing.items():
            self.holdings[key] = Holding(key, size)
        for key in sizes:
            self.holdings[key].leases += 1

    def release(self, keys: Iterable[str], working: int) -> None:
        """Undo `reserve` after a job; a component that was never loaded loses its place."""
        self.working -= working
        for key in keys:
            holding = self.holdings[key]
            holding.leases -= 1
            holding.used = time.monotonic()
            if holding.value is None:
                del self.holdings[key]
