"""Where models live: a job leases what it needs, missing components load, the least recently used make room.

One job at a time holds the device; the others wait, owner by owner. The unit of residency is a component: equal keys are one copy,
whoever uses it. Knows no model family, no page and no file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from studio import shortage
from studio.ahead import Ahead
from studio.creations import Media, Progress, Report
from studio.device import Device
from studio.errors import NotEnoughMemory
from studio.ledger import Holding
from studio.peaks import GRAIN, MARGIN, Peaks
from studio.recipes import Component, Pipeline, Recipe, Way
from studio.residency import Plan, Status
from studio.residents import Residents
from studio.tasks import Task
from studio.turns import PATIENCE, Ticket, Turns

__all__ = ["Component", "Manager", "Pipeline", "Recipe", "Way"]


class Manager:
    """Keeps the models of one device. `idle_seconds` > 0 unloads what nobody used for that long; `peaks` is what runs were seen to take.

    `ahead` is whether parts of the next job are loaded while one runs; None: where the device is no CPU, which would run slower by it.
    """

    def __init__(self, device: Device, idle_seconds: float = 0, peaks: Peaks | None = None, ahead: bool | None = None) -> None:
        self._device = device
        self._peaks = peaks or Peaks()
        self._lock = threading.RLock()
        self._turns = Turns(self._lock)
        self._residents = Residents(device, self._lock)
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
        first way that fits the device at all and is not in `skip`; `told` hears which, before anything is loaded. Raises NotEnoughMemory
        before anything is evicted if no way fits, and Cancelled from `report`. The pipeline ends with the block.
        """
        sizes = recipe.sizes
        ticket = Ticket(owner, recipe)
        self._look_ahead()
        with self._turns.turn(ticket, report):
            plan, way = self._admit(ticket, task, skip, report)
            lent = _Lent()
            try:
                if told is not None:
                    told(plan)
                lent.pipeline = way.build(self._loaded(recipe, report))
                self._turns.loaded(ticket)
                before = self._ahead.settled()
                grown = self._device.watch() if recipe.key else None
                yield lent
                if grown is not None and before is not None and before == self._ahead.settled():
                    self._learn(recipe, task, way, grown())
            except BaseException as error:
                shortage.let_go(error)
                raise
            finally:
                lent.pipeline = None
                self._residents.release(sizes, plan.working)

    def plan(self, recipe: Recipe, task: Task, skip: Set[str] = frozenset()) -> Plan:
        """What `lease` would do now. Raises NotEnoughMemory if it would."""
        with self._lock:
            return self._planned(recipe, task, skip)[0]

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
        sizes = recipe.sizes
        freed = self._residents.unload(lambda holding: holding.key not in sizes)
        self._residents.give_back()
        if task is not None and recipe.key:
            gone = next(other for other in (recipe.own, *recipe.ways) if other.name == way)
            most = self.room() - sum(sizes.values()) if freed else None
            self._peaks.short(self._name(recipe, task, gone), self._working(recipe, task, gone), most)
        return freed

    def pin(self, key: str, pinned: bool = True) -> bool:
        """Keep a resident component until somebody unloads it, or no longer. False if it is not resident."""
        return self._residents.pin(key, pinned)

    def close(self) -> None:
        """Unload everything that no job uses, end the idle watch, and load nothing ahead any more."""
        self._closed.set()
        self._ahead.stop()
        self.unload()

    def _admit(self, ticket: Ticket, task: Task, skip: Set[str], report: Report) -> tuple[Plan, Way]:
        """The way that is gone, with its memory. What is loaded ahead for others gives way where this job comes short by it."""
        recipe = ticket.recipe
        while True:
            with self._lock:
                try:
                    plan, way, victims = self._planned(recipe, task, skip)
                    if not plan.way or not self._ahead.give_way(ticket):
                        self._residents.reserve(recipe.sizes, plan.working, victims)
                        return plan, way
                except NotEnoughMemory:
                    if not self._ahead.give_way(ticket):
                        raise
            report(Progress("waiting"))
            self._ahead.wait(PATIENCE)

    def _look_ahead(self) -> None:
        """Where somebody waits already."""
        if self._turns.queue and (self._device.kind != "cpu" if self._looks_ahead is None else self._looks_ahead):
            self._ahead.start()

    def _planned(self, recipe: Recipe, task: Task, skip: Set[str]) -> tuple[Plan, Way, list[Holding]]:
        """The first way that fits once everything has gone that may go."""
        sizes = recipe.sizes
        refusal = NotEnoughMemory("This machine has too little memory for it: choose a smaller size, fewer pictures or a smaller model.")
        for way in (recipe.own, *recipe.ways):
            if way.name in skip:
                continue
            working = self._working(recipe, task, way)
            try:
                victims, loads = self._residents.victims(sizes, working, self._awaited)
            except NotEnoughMemory as error:
                refusal = error
                continue
            evicts = tuple(victim.key for victim in victims)
            return Plan(loads, evicts, working, way.name, way.title, sum(sizes.values()) + working), way, victims
        raise refusal

    def _awaited(self) -> Set[str]:
        return frozenset[str]().union(*(ticket.keys for ticket in self._turns.queue))

    def _name(self, recipe: Recipe, task: Task, way: Way) -> str:
        return " ".join((self._device.kind, recipe.key, way.name or "-", recipe.shape(task)))

    def _working(self, recipe: Recipe, task: Task, way: Way) -> int:
        formula = way.working_bytes(task)
        if not recipe.key:
            return formula
        return self._peaks.working(self._name(recipe, task, way), formula, at_least=self._device.kind == "cpu")

    def _learn(self, recipe: Recipe, task: Task, way: Way, peak: int | None) -> None:
        """What ran has fitted: never is so much learned that the same run would be refused."""
        if peak is not None:
            most = self._residents.account.budget - sum(recipe.sizes.values())
            self._peaks.learn(self._name(recipe, task, way), min(peak, int(most / MARGIN) - GRAIN))

    def _loaded(self, recipe: Recipe, report: Report) -> dict[str, Any]:
        missing = self._residents.missing(recipe.components.values())
        done, total = 0, sum(component.bytes for component in missing)
        for number, component in enumerate(missing, 1):
            report(Progress("loading", done, total, "bytes", number, len(missing)))
            self._residents.bring(component, report)
            done += component.bytes
        return self._residents.values(recipe.components)

    def _sweep(self, idle_seconds: float) -> None:
        while not self._closed.wait(min(idle_seconds, 30)):
            for resident in self.status().residents:
                if resident.idle >= idle_seconds and not resident.pinned:
                    self.unload(resident.key)


@dataclass(eq=False)
class _Lent:
    """A pipeline for as long as its lease lasts: who keeps it longer keeps no model in memory."""

    pipeline: Pipeline | None = None

    def __call__(self, task: Task, report: Report) -> Iterable[Media]:
        if self.pipeline is None:
            raise RuntimeError("the lease of this pipeline is over")
        return self.pipeline(task, report)
