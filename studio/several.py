"""Several devices of one kind in one machine: a manager for each, and every job goes to the one where it begins soonest.

A job prefers the device where its model is resident. It goes to another one where its queue is shorter by `PATIENT` jobs, and a model that
is nowhere yet goes where there is free room for it. Knows managers and recipes; knows no engine, no page and no file.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Sequence

from studio.device import Device
from studio.errors import NotEnoughMemory
from studio.manager import Manager
from studio.peaks import Peaks
from studio.recipes import Recipe
from studio.residency import Status
from studio.residents import KEPT
from studio.tasks import Task

PATIENT = 2
"""Jobs that a queue may be longer than another before a job leaves its resident model for a device that must load it."""


class Several(Manager):
    """The manager of the first device, which knows those of the others: they are looked for when the first job comes.

    `found` gives the other devices; None: those of the machine. All else as `Manager`.
    """

    def __init__(
        self,
        device: Device,
        idle_seconds: float = 0,
        peaks: Peaks | None = None,
        ahead: bool | None = None,
        found: Callable[[], Sequence[Device]] | None = None,
    ) -> None:
        peaks = peaks or Peaks()
        super().__init__(device, idle_seconds, peaks, ahead)
        self._found = found or device.others
        self._manage: Callable[[Device], Manager] = lambda other: Manager(other, idle_seconds, peaks, ahead)
        self._others: tuple[Manager, ...] | None = None
        self._finding = threading.Lock()

    def route(self, recipe_on: Callable[[Device], Recipe], task: Task) -> tuple[Manager, Recipe]:
        """Who should run a job, and what it needs there. Where it fits nowhere, the first device tells so when it is asked."""
        managers = self._all()
        if len(managers) == 1:
            return super().route(recipe_on, task)
        routes = [Manager.route(manager, recipe_on, task) for manager in managers]
        waiting = [Manager.waiting(manager) for manager in managers]  # each for its own device alone
        ranks = [_rank(manager, recipe, task, ahead - min(waiting)) for (manager, recipe), ahead in zip(routes, waiting, strict=True)]
        return routes[ranks.index(min(ranks))]

    def managers(self) -> tuple[Manager, ...]:
        """One for each device that a job may go to; until the first job came, the first alone."""
        return (self, *(self._others or ()))

    def room(self) -> int:
        """Bytes that models may take on the device that has most."""
        return max(super().room(), *(manager.room() for manager in self.managers()[1:]), 0)

    def waiting(self) -> int:
        """Jobs that hold a device or wait for one."""
        return super().waiting() + sum(manager.waiting() for manager in self.managers()[1:])

    def status(self) -> Status:
        """What is resident on all devices."""
        every = self.statuses()
        if len(every) == 1:
            return every[0]
        traffic = {what: [one.traffic[what] for one in every if what in one.traffic] for one in every for what in one.traffic}
        return Status(
            ", ".join(one.device for one in every if one.device),
            sum(one.budget for one in every),
            sum(one.working for one in every),
            tuple(sorted((resident for one in every for resident in one.residents), key=lambda resident: resident.idle)),
            tuple(heapq.nlargest(KEPT, (moment for one in every for moment in one.moments), key=lambda moment: moment.at)),
            {what: (sum(times for times, _ in told), sum(size for _, size in told)) for what, told in traffic.items()},
        )

    def statuses(self) -> tuple[Status, ...]:
        """The same, a device each."""
        return (super().status(), *(manager.status() for manager in self.managers()[1:]))

    def unload(self, key: str = "") -> int:
        """Unload one component wherever it is, or all for ''; those in use stay. Returns the bytes freed."""
        return super().unload(key) + sum(manager.unload(key) for manager in self.managers()[1:])

    def pin(self, key: str, pinned: bool = True) -> bool:
        """Keep a resident component wherever it is until somebody unloads it, or no longer. False if it is resident nowhere."""
        return any([super().pin(key, pinned), *(manager.pin(key, pinned) for manager in self.managers()[1:])])

    def close(self) -> None:
        """As the manager's, for all devices."""
        for manager in self.managers()[1:]:
            manager.close()
        super().close()

    def _all(self) -> tuple[Manager, ...]:
        with self._finding:
            if self._others is None:
                self._others = tuple(map(self._manage, self._found()))
        return self.managers()


def _rank(manager: Manager, recipe: Recipe, task: Task, behind: int) -> tuple[bool, bool, bool, bool, bool, int]:
    """The lower, the sooner a job begins there; `behind` is by how many jobs this queue is longer than the shortest."""
    try:
        plan = manager.plan(recipe, task)
    except NotEnoughMemory:
        return True, True, True, True, True, behind
    return False, bool(plan.way), behind >= PATIENT, plan.loads > 0, bool(plan.evicts), behind
