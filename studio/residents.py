"""What is in a device's memory: components are brought, kept, watched and let go, and the ledger is true at every instant.

Knows one device, and components by their keys; knows no queue, no way to run and no task.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

from studio import shortage
from studio.creations import Progress, Report
from studio.device import Device
from studio.ledger import Holding, Ledger
from studio.recipes import Component
from studio.residency import EVENTS, Moment, Resident, Status

log = logging.getLogger("atelier")

KEPT = 200
"""Moments that are remembered."""
LOOK = 1.0
"""Seconds between two looks at the memory that other programs left."""


class Residents:
    """Thread-safe by the lock it is given, which others may hold around several calls."""

    def __init__(self, device: Device, lock: threading.RLock) -> None:
        self._device = device
        self._lock = lock
        self._settled = threading.Condition(lock)
        self._ledger: Ledger | None = None
        self._moments: deque[Moment] = deque(maxlen=KEPT)
        self._traffic: dict[str, tuple[int, int]] = dict.fromkeys(EVENTS, (0, 0))
        self._live, self._looked = 0, float("-inf")

    @property
    def account(self) -> Ledger:
        """The ledger, opened at first use: asking a GPU for its memory imports torch."""
        with self._lock:
            if self._ledger is None:
                self._ledger = Ledger(self._device.room(0))
            return self._ledger

    def room(self) -> int:
        """Bytes that models may take all in all, as other programs leave them now, and never less than what nobody may take back.

        It is looked at once a second at most.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._looked >= LOOK:
                self._live, self._looked = self._device.room(self.account.loaded), now
            return self._allowed()

    def look_again(self) -> None:
        """What was believed to be free was not: the next question asks the device."""
        with self._lock:
            self._looked = float("-inf")

    def victims(self, sizes: Mapping[str, int], working: int, awaited: Callable[[], Set[str]]) -> tuple[list[Holding], int]:
        """Who must go so that `sizes` and `working` bytes fit, and the bytes to load. Raises NotEnoughMemory where nothing would do."""
        with self._lock:
            loads = self.lacking(sizes)
            return self.account.victims(sizes, loads + working, awaited, self.room()), loads

    def lacking(self, sizes: Mapping[str, int]) -> int:
        """Bytes of those that have no place."""
        held = self.account.holdings
        return sum(size for key, size in sizes.items() if key not in held)

    def reserve(self, sizes: Mapping[str, int], working: int, victims: Iterable[Holding]) -> None:
        """Let the victims go, and give a job its places and its working memory, all at once; `release` undoes it.

        The victims are those of the last question, under the same lock.
        """
        with self._lock:
            self.evict(victims, "made room")
            self.account.budget = self._allowed()
            self.account.reserve(sizes, working)

    def release(self, sizes: Mapping[str, int], working: int) -> None:
        """The job is over."""
        with self._lock:
            self.account.release(sizes, working)

    def bring(self, component: Component, report: Report) -> None:
        """Load a component that has a place, unless it is there; where another thread loads it, wait for that. Raises what `load` does."""
        while (mine := self._claim(component.key)) is None:
            report(Progress("loading", 0, component.bytes, "bytes"))
        if not mine:
            return
        holding = self.account.holdings[component.key]
        began = time.monotonic()
        try:
            holding.value = component.load(report)
            self._note("loaded", component.key, component.bytes, time.monotonic() - began)
        except BaseException as error:
            shortage.let_go(error)
            self._note("failed", component.key, component.bytes)
            raise
        finally:
            with self._settled:
                holding.loading = False
                self._settled.notify_all()

    def missing(self, components: Iterable[Component]) -> list[Component]:
        """Those that are not wholly there."""
        with self._lock:
            held = self.account.holdings
            return [c for c in components if c.key not in held or held[c.key].value is None]

    def values(self, components: Mapping[str, Component]) -> dict[str, Any]:
        """What was loaded, by role."""
        with self._lock:
            return {role: self.account.holdings[component.key].value for role, component in components.items()}

    def present(self, components: Mapping[str, Component]) -> dict[str, Any]:
        """Those that are wholly there, by role."""
        with self._lock:
            held = self.account.holdings
            found = {role: held[part.key].value for role, part in components.items() if part.key in held}
            return {role: value for role, value in found.items() if value is not None}

    def evict(self, holdings: Iterable[Holding], why: str) -> int:
        """Let them go, one after the other; returns the bytes freed."""
        with self._lock:
            gone, farewell, freed = list(holdings), shortage.Farewell(), 0
            try:
                for holding in gone:
                    self.account.remove(holding.key)
                    self._note(why, holding.key, holding.bytes)
                    freed += holding.bytes
                    value, holding.value = holding.value, None
                    farewell.close(value, holding.bytes)
                    del value
            finally:
                if gone:
                    farewell.finish()
                    self.give_back()
            return freed

    def unload(self, chosen: Callable[[Holding], bool]) -> int:
        """Let go of those that are chosen and that no job uses; returns the bytes freed."""
        with self._lock:
            if self._ledger is None:
                return 0
            return self.evict([h for h in self.account.holdings.values() if h.leases == 0 and chosen(h)], "unloaded")

    def give_back(self) -> None:
        """Let the device's allocator give back what is free."""
        try:
            self._device.release()
        except Exception:  # the next load finds out what is free
            log.exception("the device did not take freed memory back")

    def pin(self, key: str, pinned: bool) -> bool:
        """Keep a component until somebody unloads it, or no longer. False if it is not there."""
        with self._lock:
            holding = self.account.holdings.get(key) if self._ledger is not None else None
            if holding is None or holding.value is None:
                return False
            self.account.pin(key, pinned)
            return True

    def status(self) -> Status:
        """What is there now."""
        if self._ledger is None:
            return Status("", 0, 0, ())
        with self._lock:
            now = time.monotonic()
            holdings = sorted(self.account.holdings.values(), key=lambda h: h.used, reverse=True)
            told = tuple(Resident(h.key, h.bytes, now - h.used, h.leases > 0, h.pinned) for h in holdings)
            return Status(
                self._device.name, self.account.budget, self.account.working, told, tuple(reversed(self._moments)), dict(self._traffic)
            )

    def _allowed(self) -> int:
        account = self.account
        return self._live if self._live >= account.resident + account.working else max(self._live, account.fixed)

    def _claim(self, key: str) -> bool | None:
        """Whether the caller is the one to load it; None where another thread still does after a moment's wait."""
        with self._settled:
            if not self._settled.wait_for(lambda: not self.account.holdings[key].loading, timeout=0.25):
                return None
            holding = self.account.holdings[key]
            holding.loading = holding.value is None
            return holding.loading

    def _note(self, what: str, key: str, size: int, seconds: float = 0.0) -> None:
        with self._lock:
            self._moments.append(Moment(time.time(), what, key, size, seconds))
            times, moved = self._traffic[what]
            self._traffic[what] = times + 1, moved + size
