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


def _needed(chosen: list[Holding], spare: int) -> list[Holding]:
    """Those without which it would not do; all together free `spare` bytes too many."""
    stays = set[str]()
    for holding in sorted(chosen, key=lambda holding: holding.bytes, reverse=True):
        if holding.bytes <= spare:
            stays.add(holding.key)
            spare -= holding.bytes
    return [holding for holding in chosen if holding.key not in stays]


class Ledger:
    """The account of one device with a budget in bytes. Not thread-safe by itself: the manager holds its lock around it."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.working = 0
        self._resident = 0
        self._holdings: dict[str, Holding] = {}  # the least recently used first
        self._loose: dict[str, int] = {}  # bytes of those that may go, in the same order
        self._slack = 0  # their sum
        self._pins = set[str]()

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
        return self.working + self._resident - self._slack

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

        The last of them may make earlier ones needless: those stay, the largest first. What waiting jobs need (`awaited`, asked where
        something must go) counts as used last; what is pinned never goes. Raises NotEnoughMemory, touching nothing, if even all of them
        would not do.
        """
        free = self.free if budget is None else self.free + budget - self.budget
        if free >= need:
            return []
        wanted = set(keys)
        most = free + self._slack - sum(self._loose.get(key, 0) for key in wanted)
        if most < need:
            raise self._refusal(wanted, need - most)
        later = awaited() - wanted
        order = dict(self._loose)
        for key in wanted:
            order.pop(key, None)
        if later:
            order |= {key: order.pop(key) for key in list(order) if key in later}
        chosen = list[Holding]()
        for holding in map(self._holdings.__getitem__, order):
            chosen.append(holding)
            free += holding.bytes
            if free >= need:
                break
        return _needed(chosen, free - need)

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
            self._hold(key)

    def release(self, keys: Iterable[str], working: int) -> None:
        """Undo `reserve` after a job; a component that was never loaded loses its place once nobody waits for it."""
        self.working -= working
        for key in keys:
            holding = self._holdings.pop(key)
            holding.leases -= 1
            holding.used = time.monotonic()
            if holding.value is None and holding.leases == 0:
                self._resident -= holding.bytes
                self._pins.discard(key)
            else:
                self._holdings[key] = holding
                self._loosen(holding)

    def remove(self, key: str) -> Holding:
        """Take a component's place away."""
        self._hold(key)
        self._pins.discard(key)
        holding = self._holdings.pop(key)
        self._resident -= holding.bytes
        return holding

    def pin(self, key: str, pinned: bool) -> None:
        """Keep what has a place until somebody unloads it, or no longer; it is as old as its last use."""
        self._holdings[key].pinned = pinned
        (self._pins.add if pinned else self._pins.discard)(key)
        self._loose, self._slack = {}, 0
        for holding in self._holdings.values():
            self._loosen(holding)

    def _loosen(self, holding: Holding) -> None:
        """It may go, if it may; it is the last in use."""
        if not holding.leases and not holding.pinned:
            self._loose[holding.key] = holding.bytes
            self._slack += holding.bytes

    def _hold(self, key: str) -> None:
        """It may not go any more."""
        self._slack -= self._loose.pop(key, 0)

    def _refusal(self, wanted: Set[str], short: int) -> NotEnoughMemory:
        """Where so many bytes are lacking even when all has gone that may go."""
        pins = [self._holdings[key] for key in self._pins - wanted]
        kept = sum(holding.bytes for holding in pins if holding.leases == 0)
        way = "release a model under Models, or choose" if kept >= short else "choose"
        words = f"{short / 1e9:.1f} GB" if short >= 1e9 else f"{max(short / 1e6, 1):.0f} MB"
        return NotEnoughMemory(
            f"This needs {words} more memory than the studio may use: {way} a smaller size, fewer pictures or a smaller model."
        )
