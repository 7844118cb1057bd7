"""Where models live: a job leases what it needs, missing components load, the least recently used make room.

One job at a time holds the device; the others wait, owner by owner. The unit of residency is a component: equal keys are one copy,
whoever uses it. Knows no model family, no page and no file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from studio import shortage
from studio.ahead import Ahead
from studio.creations import Media, Progress, Report
from studio.device import Device
from studio.errors import NotEnoughMemory
from studio.ledger import Holding
from studio.peaks import Peaks
from studio.planning import Planner, Route, parts_of
from studio.recipes import Component, Pipeline, Recipe, Way, sizes_of
from studio.residency import Plan, Status
from studio.residents import Residents
from studio.tasks import Task
from studio.turns import PATIENCE, Ticket, Turns

__all__ = ["Component", "Manager", "Pipeline", "Recipe", "Way"]

Taken = TypeVar("Taken")


class Manager:
    """Keeps the models of one device. `idle_seconds` > 0 unloads what nobody used for that long; `peaks` is what runs were seen to take.

    `ahead` is whether parts of the next job are loaded while one runs; None: where the device is no CPU, which would run slower by it.
    """

    def __init__(self, device: Device, idle_seconds: float = 0, peaks: Peaks | None = None, ahead: bool | None = None) -> None:
        self._device = device
        self._lock = threading.RLock()
        self._turns = Turns(self._lock)
        self._residents = Residents(device, self._lock)
        self._planner = Planner(device, self._residents, peaks or Peaks())
        self._ahead = Ahead(self._turns, self._residents)
        self._looks_ahead = ahead
        self._closed = threading.Event()
        if idle_seconds > 0:
            threading.Thread(target=self._sweep, args=(idle_seconds,), name="idle models", daemon=True).start()

    @contextmanager
    def lease(
        self,
        recipe: Recipe,
        task: Task,
        report: Report,
        *,
        owner: str = "",
        skip: Set[str] = frozenset(),
        told: Callable[[Plan], None] | None = None,
    ) -> Generator[Pipeline]:
        """Everything the job needs, for as long as the block runs; nothing of it is evicted meanwhile.

        Waits for the device, reporting how many are ahead; loads what is missing, reporting bytes. Owners take turns. The recipe goes the
        first way that fits the device at all and is not in `skip`; `told` hears which, before anything is loaded. What comes first in
        that way is done before the block begins. Raises NotEnoughMemory before anything is evicted if no way fits, and Cancelled from
        `report`. The pipeline ends with the block.
        """
        ticket, held = Ticket(owner, self._foreseen(recipe, task, skip)), _Held()
        self._look_ahead()
        with self._turns.turn(ticket, report):
            lent = _Lent()
            try:
                route = self._admit(ticket, recipe, task, skip, report, held)
                way = route.way
                if told is not None:
                    told(route.plan)
                if route.first is not None:
                    route.first.run(self._loaded(route.first.components, report), task, report)
                    self._go_on(recipe, task, way, report, held)
                lent.pipeline = way.build(self._loaded(recipe.parts(way), report))
                self._turns.loaded(ticket)
                before = self._ahead.settled()
                grown = self._device.watch() if recipe.key else None
                yield lent
                peak = grown() if grown is not None and before is not None and before == self._ahead.settled() else None
                if peak is not None:
                    self._planner.learn(recipe, task, way, peak)
            except BaseException as error:
                shortage.let_go(error)
                raise
            finally:
                lent.pipeline = None
                self._residents.release(held.sizes, held.working)

    @property
    def device(self) -> Device:
        """Where its models live."""
        return self._device

    def route(self, recipe_on: Callable[[Device], Recipe], task: Task) -> tuple[Manager, Recipe]:  # noqa: ARG002 (where there is a choice)
        """Who should run a job, and what it needs there: this manager, and the recipe on its device."""
        return self, recipe_on(self._device)

    def plan(self, recipe: Recipe, task: Task, skip: Set[str] = frozenset()) -> Plan:
        """What `lease` would do now. Raises NotEnoughMemory if it would."""
        with self._lock:
            return self._planner.route(recipe, task, skip, self._awaited).plan

    def room(self) -> int:
        """Bytes that models may take on the device all in all, as other programs leave them now."""
        return self._residents.room()

    def waiting(self) -> int:
        """Jobs that hold the device or wait for it."""
        with self._lock:
            return len(self._turns.queue)

    def status(self) -> Status:
        """What is resident now."""
        return self._residents.status()

    def statuses(self) -> tuple[Status, ...]:
        """The same, a device each."""
        return (self._residents.status(),)

    def unload(self, key: str = "") -> int:
        """Unload one component, or all for ''; those in use stay. Returns the bytes freed."""
        return self._residents.unload(lambda holding: key in ("", holding.key))

    def relieve(self, recipe: Recipe, task: Task | None = None, way: str = "") -> int:
        """Unload everything that neither a job uses nor `recipe` needs, pinned or not. Returns the bytes freed.

        For a run that found less memory than it was promised: other programs may have taken it. With its `task` and `way`, the next
        run of that shape is promised more; where something was freed, never so much that it could not be tried.
        """
        self._ahead.give_way()
        self._residents.look_again()
        gone = next(other for other in (recipe.own, *recipe.ways) if other.name == way)
        sizes = sizes_of(recipe.parts(gone))
        kept = {**sizes, **(gone.first.sizes if gone.first else {})}
        freed = self._residents.unload(lambda holding: holding.key not in kept)
        self._residents.give_back()
        if task is not None and recipe.key:
            most = self._residents.room() - sum(sizes.values()) if freed else None
            self._planner.short(recipe, task, gone, most)
        return freed

    def pin(self, key: str, pinned: bool = True) -> bool:
        """Keep a resident component until somebody unloads it, or no longer. False if it is not resident."""
        return self._residents.pin(key, pinned)

    def close(self) -> None:
        """Unload everything that no job uses, end the idle watch, and load nothing ahead any more."""
        self._closed.set()
        self._ahead.stop()
        self.unload()

    def _foreseen(self, recipe: Recipe, task: Task, skip: Set[str]) -> tuple[Component, ...]:
        """The parts of the way that the job would go now; others may wait by the time that it goes."""
        if all(way.components is None and way.first is None for way in recipe.ways):
            return tuple(recipe.components.values())
        with self._lock:
            try:
                route = self._planner.route(recipe, task, skip, self._awaited)
            except NotEnoughMemory:
                return ()  # it will be told when it has the device
        return parts_of(recipe, route.way, route.first)

    def _admit(self, ticket: Ticket, recipe: Recipe, task: Task, skip: Set[str], report: Report, held: _Held) -> Route:
        """The way that is gone, with the memory of what comes first in it; all that comes after it will fit."""

        def take() -> Route | None:
            route = self._planner.route(recipe, task, skip, self._awaited)
            if route.plan.way and self._ahead.give_way(ticket):
                return None
            ticket.parts = parts_of(recipe, route.way, route.first)
            held.take(self._residents, *self._planner.stage(recipe, task, route.way, route.first), route.victims)
            return route

        return self._taken(take, report)

    def _go_on(self, recipe: Recipe, task: Task, way: Way, report: Report, held: _Held) -> None:
        """What came first is done: its parts may go, and the rest gets its memory, at one instant."""

        def take() -> bool:
            self._residents.release(held.sizes, held.working)
            held.sizes, held.working = {}, 0
            sizes, working = self._planner.stage(recipe, task, way, None)
            victims, _ = self._residents.victims(sizes, working, self._awaited)
            held.take(self._residents, sizes, working, victims)
            return True

        self._taken(take, report)

    def _taken(self, take: Callable[[], Taken | None], report: Report) -> Taken:
        """What `take` gives, under the lock. What is being loaded ahead gives way where this job comes short by it."""
        while True:
            with self._lock:
                try:
                    if (taken := take()) is not None:
                        return taken
                except NotEnoughMemory:
                    if not self._ahead.give_way():  # not even for this job: the way that is left may do without that part
                        raise
            report(Progress("waiting"))
            self._ahead.wait(PATIENCE)

    def _look_ahead(self) -> None:
        """Where somebody waits already."""
        if self._turns.queue and (self._device.kind != "cpu" if self._looks_ahead is None else self._looks_ahead):
            self._ahead.start()

    def _awaited(self) -> Set[str]:
        return frozenset[str]().union(*(ticket.keys for ticket in self._turns.queue))

    def _loaded(self, parts: Mapping[str, Component], report: Report) -> dict[str, Any]:
        missing = self._residents.missing(parts.values())
        done, total = 0, sum(component.bytes for component in missing)
        for number, component in enumerate(missing, 1):
            report(Progress("loading", done, total, "bytes", number, len(missing)))
            self._residents.bring(component, report)
            done += component.bytes
        return self._residents.values(parts)

    def _sweep(self, idle_seconds: float) -> None:
        while not self._closed.wait(min(idle_seconds, 30)):
            for resident in self._residents.status().residents:
                if resident.idle >= idle_seconds and not resident.pinned:
                    self._residents.unload(lambda holding, key=resident.key: holding.key == key)


@dataclass(eq=False)
class _Held:
    """What a lease holds of the device at the moment."""

    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    working: int = 0

    def take(self, residents: Residents, sizes: Mapping[str, int], working: int, victims: Iterable[Holding]) -> None:
        """A place for each part, and the memory to work with."""
        residents.reserve(sizes, working, victims)
        self.sizes, self.working = sizes, working


@dataclass(eq=False)
class _Lent:
    """A pipeline for as long as its lease lasts: who keeps it longer keeps no model in memory."""

    pipeline: Pipeline | None = None

    def __call__(self, task: Task, report: Report) -> Iterable[Media]:
        if self.pipeline is None:
            raise RuntimeError("the lease of this pipeline is over")
        return self.pipeline(task, report)
