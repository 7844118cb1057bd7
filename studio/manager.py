"""Where models live: a job leases what it needs, missing components load, the least recently used make room.

One job at a time holds the device; the others wait their turn in order of arrival. The unit of residency is a component: equal keys
are one copy, whoever uses it. Knows no model family, no page and no file.
"""

from __future__ import annotations

import gc
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from studio.creations import Media, Progress, Report
from studio.device import Device
from studio.ledger import Holding, Ledger
from studio.residency import Moment, Plan, Resident, Status
from studio.tasks import Task

KEPT = 200
"""Moments that are remembered."""

Pipeline = Callable[[Task, Report], Iterable[Media]]
"""Runs a resolved task, yields each medium as soon as it is finished; `report` raises Cancelled, which it lets pass."""


@dataclass(frozen=True)
class Component:
    """The unit of residency. `key` is "source@revision/subfolder:dtype:quantisation"; `bytes` is known before loading.

    `load` imports its framework inside; only the manager calls it. A loaded value with a `close()` is closed when it goes.
    """

    key: str
    bytes: int
    load: Callable[[Report], Any]


@dataclass(frozen=True)
class Way:
    """One way to run a recipe in less memory: slower, or not the same to the last pixel. `name` is a stable id, `title` what the page says."""

    name: str
    title: str
    working_bytes: Callable[[Task], int]
    build: Callable[[Mapping[str, Any]], Pipeline]


@dataclass(frozen=True)
class Recipe:
    """A pipeline over components, by role. `build` reads no weight; `working_bytes` is memory beside the weights while a task runs.

    `ways` are others with the same components, in the order in which they are tried where this one does not fit. `key` names what a
    measured peak belongs to (model and kind), '' where nothing is learned; tasks of equal `shape` take about equal memory.
    """

    components: Mapping[str, Component]
    build: Callable[[Mapping[str, Any]], Pipeline]
    working_bytes: Callable[[Task], int]
    ways: tuple[Way, ...] = ()
    key: str = ""
    shape: Callable[[Task], str] = lambda task: ""


@dataclass(eq=False)
class _Ticket:
    """A job in the queue, and the components that it needs."""

    keys: frozenset[str]


class Manager:
    """Keeps the models of one device. `idle_seconds` > 0 unloads what nobody used for that long."""

    def __init__(self, device: Device, idle_seconds: float = 0) -> None:
        self._device = device
        self._ledger: Ledger | None = None
        self._lock = threading.RLock()
        self._turns: deque[_Ticket] = deque()
        self._moments: deque[Moment] = deque(maxlen=KEPT)
        self._moved = threading.Condition(self._lock)
        self._closed = threading.Event()
        if idle_seconds > 0:
            threading.Thread(target=self._sweep, args=(idle_seconds,), name="idle models", daemon=True).start()

    @contextmanager
    def lease(self, recipe: Recipe, task: Task, report: Report) -> Generator[Pipeline]:
        """Everything the job needs, for as long as the block runs; nothing of it is evicted meanwhile.

        Waits for the device, reporting how many are ahead; loads what is missing, reporting bytes. Raises NotEnoughMemory before
        anything is evicted if the job cannot fit, and Cancelled from `report`.
        """
        working = recipe.working_bytes(task)
        sizes = {component.key: component.bytes for component in recipe.components.values()}
        with self._turn(_Ticket(frozenset(sizes)), report):
            with self._lock:
                for victim in self._victims(sizes, working):
                    self._evict(victim, "made room")
                self._account.reserve(sizes, working)
            try:
                values = self._load(recipe, report)
                yield recipe.build(values)
            finally:
                with self._lock:
                    self._account.release(sizes, working)

    def plan(self, recipe: Recipe, task: Task) -> Plan:
        """What `lease` would do now. Raises NotEnoughMemory if it would."""
        working = recipe.working_bytes(task)
        sizes = {component.key: component.bytes for component in recipe.components.values()}
        with self._lock:
            loads = sum(size for key, size in sizes.items() if key not in self._account.holdings)
            return Plan(loads, tuple(victim.key for victim in self._victims(sizes, working)), working)

    def waiting(self) -> int:
        """Jobs that hold the device or wait for it."""
        with self._lock:
            return len(self._turns)

    def status(self) -> Status:
        """What is resident now."""
        if self._ledger is None:
            return Status("", 0, 0, ())
        with self._lock:
            now = time.monotonic()
            holdings = sorted(self._account.holdings.values(), key=lambda h: h.used, reverse=True)
            residents = tuple(Resident(h.key, h.bytes, now - h.used, h.leases > 0, h.pinned) for h in holdings)
            return Status(self._device.name, self._account.budget, self._account.working, residents, tuple(reversed(self._moments)))

    def unload(self, key: str = "") -> int:
        """Unload one component, or all for ''; those in use stay. Returns the bytes freed."""
        with self._lock:
            return self._drop(h for h in self._account.holdings.values() if h.leases == 0 and key in ("", h.key))

    def relieve(self, recipe: Recipe) -> int:
        """Unload everything that neither a job uses nor `recipe` needs, pinned or not. Returns the bytes freed.

        For a run that found less memory than it was promised: other programs may have taken it.
        """
        keys = {component.key for component in recipe.components.values()}
        with self._lock:
            return self._drop(h for h in self._account.holdings.values() if h.leases == 0 and h.key not in keys)

    def pin(self, key: str, pinned: bool = True) -> bool:
        """Keep a resident component until somebody unloads it, or no longer. False if it is not resident."""
        with self._lock:
            holding = self._account.holdings.get(key)
            if holding is None or holding.value is None:
                return False
            holding.pinned = pinned
            return True

    def close(self) -> None:
        """Unload everything that no job uses and end the idle watch."""
        self._closed.set()
        if self._ledger is not None:
            self.unload()

    @property
    def _account(self) -> Ledger:
        """The ledger, opened at first use: asking a GPU for its memory imports torch."""
        with self._lock:
            if self._ledger is None:
                self._ledger = Ledger(self._device.memory)
            return self._ledger

    @contextmanager
    def _turn(self, ticket: _Ticket, report: Report) -> Generator[None]:
        with self._lock:
            self._turns.append(ticket)
        try:
            while True:
                with self._moved:
                    ahead = self._turns.index(ticket)
                    if ahead == 0:
                        break
                report(Progress("waiting", 0, ahead, "runs ahead"))
                with self._moved:
                    self._moved.wait_for(lambda: self._turns[0] is ticket, timeout=0.25)
            yield
        finally:
            with self._moved:
                self._turns.remove(ticket)
                self._moved.notify_all()

    def _victims(self, sizes: Mapping[str, int], working: int) -> list[Holding]:
        missing = sum(size for key, size in sizes.items() if key not in self._account.holdings)
        awaited = frozenset[str]().union(*(ticket.keys for ticket in self._turns))
        return self._account.victims(sizes, missing + working, awaited)

    def _load(self, recipe: Recipe, report: Report) -> dict[str, Any]:
        missing = [c for c in recipe.components.values() if self._account.holdings[c.key].value is None]
        done, total = 0, sum(component.bytes for component in missing)
        for number, component in enumerate(missing, 1):
            report(Progress("loading", done, total, "bytes", number, len(missing)))
            began = time.monotonic()
            try:
                value = component.load(report)
            except BaseException:
                self._note("failed", component.key, component.bytes)
                raise
            with self._lock:
                self._account.holdings[component.key].value = value
            self._note("loaded", component.key, component.bytes, time.monotonic() - began)
            done += component.bytes
        return {role: self._account.holdings[component.key].value for role, component in recipe.components.items()}

    def _drop(self, holdings: Iterable[Holding]) -> int:
        gone = list(holdings)
        for holding in gone:
            self._evict(holding, "unloaded")
        return sum(holding.bytes for holding in gone)

    def _note(self, what: str, key: str, size: int, seconds: float = 0.0) -> None:
        with self._lock:
            self._moments.append(Moment(time.time(), what, key, size, seconds))

    def _evict(self, holding: Holding, why: str) -> None:
        del self._account.holdings[holding.key]
        self._note(why, holding.key, holding.bytes)
        close = getattr(holding.value, "close", None)
        holding.value = None
        if close is not None:
            close()
        gc.collect()
        self._device.release()

    def _sweep(self, idle_seconds: float) -> None:
        while not self._closed.wait(min(idle_seconds, 30)):
            for resident in self.status().residents:
                if resident.idle >= idle_seconds and not resident.pinned:
                    self.unload(resident.key)
