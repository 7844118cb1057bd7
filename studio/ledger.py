"""Which bytes are taken on one device: resident components and the working memory of running jobs.

The invariant: `resident + working <= budget`, at every instant. Knows no framework: a holding's value is opaque to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from types import MappingProxyType
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
    loading: bool = False


def _nothing() -> Set[str]:
    return frozenset()


class Ledger:
    """The account of one device with a budget in bytes. Not thread-safe by itself: the manager holds its lock around it."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.working = 0
        self._resident = 0
        self._holdings: dict[str, Holding] = {}  # the least recently used first

    @property
    def holdings(self) -> Mapping[str, Holding]:
        """Every component that has a place, by key, the least recently used first."""
        return MappingProxyType(self._holdings)

    @property
    def resident(self) -> int:
        """Bytes of all components that have a place."""
        return self._resident

    @property
    def fixed(self) -> int:
        """Bytes that nobody may take back now: of what jobs use, of what is pinned, and of their work."""
        return self.working + sum(holding.bytes for holding in self._holdings.values() if holding.leases or holding.pinned)

    @property
    def loaded(self) -> int:
        """Bytes of the components that are wholly there."""
        return sum(holding.bytes for holding in self._holdings.values() if holding.value is not None)

    @property
    def free(self) -> int:
        """Bytes of the budget that nothing holds."""
        return self.budget - self._resident - self.working

    def victims(
        self, keys: Iterable[str], need: int, awaited: Callable[[], Set[str]] = _nothing, budget: int | None = None
    ) -> list[Holding]:
        """The least recently used unleased components outside `keys` that must go so that `need` more bytes fit `budget`, or the own one.

        What waiting jobs need (`awaited`, asked where something must go) counts as used last; what is pinned never goes. Raises
        NotEnoughMemory, touching nothing, if even all of them would not do.
        """
        free = self.free if budget is None else self.free + budget - self.budget
        if free >= need:
            return []
        wanted, later, chosen = set(keys), awaited(), list[Holding]()
        for waits in (False, True):
            for holding in self._holdings.values():
                if holding.leases or holding.pinned or holding.key in wanted or (holding.key in later) is not waits:
                    continue
                chosen.append(holding)
                free += holding.bytes
                if free >= need:
                    return chosen
        kept = sum(h.bytes for h in self._holdings.values() if h.pinned and h.leases == 0 and h.key not in wanted)
        way = "release a model under Models, or choose" if free + kept >= need else "choose"
        short = need - free
        words = f"{short / 1e9:.1f} GB" if short >= 1e9 else f"{max(short / 1e6, 1):.0f} MB"
        raise NotEnoughMemory(
            f"This needs {words} more memory than the studio may use: {way} a smaller size, fewer pictures or a smaller model."
        )

    def reserve(self, sizes: Mapping[str, int], working: int) -> None:
        """Give each component of `sizes` (key to bytes) a place and a lease, and `working` bytes to the job, all at once."""
        missing = {key: size for key, size in sizes.items() if key not in self._holdings}
        need = sum(missing.values()) + working
        if need > self.free:
            raise NotEnoughMemory("The device is full: unload a model under Models, then try again.")
        self.working += working
        self._resident += need - working
        for key, size in missing.items():
            self._holdings[key] = Holding(key, size)
        for key in sizes:
            self._holdings[key].leases += 1

    def release(self, keys: Iterable[str], working: int) -> None:
        """Undo `reserve` after a job; a component that was never loaded loses its place once nobody waits for it."""
        self.working -= working
        for key in keys:
            holding = self._holdings.pop(key)
            holding.leases -= 1
            holding.used = time.monotonic()
            if holding.value is None and holding.leases == 0:
                self._resident -= holding.bytes
            else:
                self._holdings[key] = holding

    def remove(self, key: str) -> Holding:
        """Take a component's place away."""
        holding = self._holdings.pop(key)
        self._resident -= holding.bytes
        return holding
