"""Which way a job goes, and what memory each way is promised.

Knows what is in memory and what runs were seen to take; loads nothing and lets nothing go.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

from studio.device import Device
from studio.errors import NotEnoughMemory
from studio.ledger import Holding
from studio.peaks import GRAIN, MARGIN, Peaks
from studio.recipes import Component, First, Recipe, Way, sizes_of
from studio.residency import Plan
from studio.residents import Residents
from studio.tasks import Task


@dataclass(frozen=True)
class Route:
    """A way that fits: what it costs, who must go at once, and what comes first in it, None where nothing does."""

    plan: Plan
    way: Way
    victims: tuple[Holding, ...]
    first: First | None


@dataclass(frozen=True)
class Planner:
    """Pure: it asks and changes nothing. Its caller holds the lock of the residents."""

    device: Device
    residents: Residents
    peaks: Peaks

    def route(self, recipe: Recipe, task: Task, skip: Set[str], awaited: Callable[[], Set[str]]) -> Route:
        """The first way outside `skip` that fits once everything has gone that may go. Raises NotEnoughMemory where none does."""
        refusal = NotEnoughMemory("This machine has too little memory for it: choose a smaller size, fewer pictures or a smaller model.")
        for way in (recipe.own, *recipe.ways):
            if way.name in skip:
                continue
            try:
                return self._gone(recipe, task, way, awaited)
            except NotEnoughMemory as error:
                refusal = error
        raise refusal

    def stage(self, recipe: Recipe, task: Task, way: Way, first: First | None) -> tuple[dict[str, int], int]:
        """Bytes of each part by key, and of the work: in what comes first, or with None in the rest."""
        if first is not None:
            return first.sizes, first.working_bytes(task)
        return sizes_of(recipe.parts(way)), self._working(recipe, task, way)

    def learn(self, recipe: Recipe, task: Task, way: Way, peak: int) -> None:
        """What ran has fitted: never is so much learned that the same run would be refused."""
        most = self.residents.account.budget - sum(sizes_of(recipe.parts(way)).values())
        self.peaks.learn(self._name(recipe, task, way), min(peak, int(most / MARGIN) - GRAIN))

    def short(self, recipe: Recipe, task: Task, way: Way, most: int | None) -> None:
        """What was promised did not do: promise more, up to `most`."""
        self.peaks.short(self._name(recipe, task, way), self._working(recipe, task, way), most)

    def _gone(self, recipe: Recipe, task: Task, way: Way, awaited: Callable[[], Set[str]]) -> Route:
        first = way.first
        if first is not None and first.done(self.residents.present(first.components), task):
            first = None
        own = {part.key for part in parts_of(recipe, way, first)} if first is not None else set[str]()
        waited = awaited if first is None else lambda: awaited() | own
        sizes, working = self.stage(recipe, task, way, None)
        victims, loads = self.residents.victims(sizes, working, waited)
        needs = sum(sizes.values()) + working
        evicts = [victim.key for victim in victims]
        if first is not None:
            before, more = self.stage(recipe, task, way, first)
            victims, _ = self.residents.victims(before, more, waited)
            evicts += [victim.key for victim in victims if victim.key not in sizes]
            loads = self.residents.lacking({**before, **sizes})
            needs = max(needs, sum(before.values()) + more)
        plan = Plan(loads, tuple(dict.fromkeys(evicts)), working, way.name, way.title, needs)
        return Route(plan, way, tuple(victims), first)

    def _name(self, recipe: Recipe, task: Task, way: Way) -> str:
        return " ".join((self.device.kind, recipe.key, way.name or "-", recipe.shape(task)))

    def _working(self, recipe: Recipe, task: Task, way: Way) -> int:
        formula = way.working_bytes(task)
        if not recipe.key:
            return formula
        return self.peaks.working(self._name(recipe, task, way), formula, at_least=self.device.kind == "cpu")


def parts_of(recipe: Recipe, way: Way, first: First | None) -> tuple[Component, ...]:
    """All that a job needs, in the order in which it needs it."""
    return (*(first.components.values() if first is not None else ()), *recipe.parts(way).values())
