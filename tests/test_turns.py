"""Owners take turns; each one's own jobs keep their order, and everybody is told how many are ahead."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from studio.creations import Progress
from studio.device import Device
from studio.errors import Cancelled
from studio.manager import Component, Manager, Recipe
from studio.tasks import Write

TASK = Write(prompt="x")
RECIPE = Recipe({"a": Component("a", 10, lambda _: object())}, lambda values: lambda task, report: (), lambda _: 0)


def quiet(event: object) -> None:
    """A report that nobody reads."""


class Day:
    """Jobs that are lined up behind one that waits for `go`, and the order in which they had the device."""

    def __init__(self) -> None:
        self.manager = Manager(Device("cpu", budget_gb=100e-9))
        self.order: list[str] = []
        self.go = threading.Event()
        self._threads: list[threading.Thread] = []
        self.line_up("first", hold=self.go)

    def line_up(self, owner: str, report: Callable[[object], None] = quiet, hold: threading.Event | None = None) -> None:
        """One job more; returns once it is in the queue."""
        before = self.manager.waiting()

        def job() -> None:
            try:
                with self.manager.lease(RECIPE, TASK, report, owner=owner):
                    self.order.append(owner)
                    assert hold is None or hold.wait(20)
            except Cancelled:
                self.order.append(f"{owner} left")

        thread = threading.Thread(target=job)
        thread.start()
        self._threads.append(thread)
        deadline = time.monotonic() + 20
        while self.manager.waiting() == before and time.monotonic() < deadline:
            time.sleep(0.001)

    def over(self) -> list[str]:
        """The order once all are done, without the job that held them up."""
        self.go.set()
        for thread in self._threads:
            thread.join(20)
        assert self.manager.waiting() == 0
        return self.order[1:]


@pytest.fixture
def day() -> Day:
    return Day()


def test_ten_jobs_of_one_owner_let_the_first_of_another_go_after_one(day: Day) -> None:
    for _ in range(10):
        day.line_up("ann")
    day.line_up("bob")
    order = day.over()
    assert order.index("bob") == 1 and order.count("ann") == 10


def test_owners_alternate_for_as_long_as_both_have_jobs(day: Day) -> None:
    for owner in ("ann", "ann", "ann", "bob", "bob", "carl"):
        day.line_up(owner)
    assert day.over() == ["ann", "bob", "carl", "ann", "bob", "ann"]


def test_who_has_the_device_goes_to_the_end_of_the_round(day: Day) -> None:
    day.line_up("first")
    day.line_up("ann")
    assert day.over() == ["ann", "first"]


def test_a_waiting_job_is_told_how_many_are_ahead_when_others_come_between(day: Day) -> None:
    told: list[float] = []

    def report(event: object) -> None:
        if isinstance(event, Progress) and event.phase == "waiting":
            told.append(event.total)

    day.line_up("ann")
    day.line_up("ann", report)
    day.line_up("bob")
    deadline = time.monotonic() + 20
    while told[-1:] != [3] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert day.over() == ["ann", "bob", "ann"]
    assert told[0] == 2 and 3 in told


def test_jobs_that_gave_up_cost_their_owner_no_turn(day: Day) -> None:
    leave = threading.Event()

    def report(event: object) -> None:
        if leave.is_set():
            raise Cancelled

    for _ in range(4):
        day.line_up("ann", report)
    leave.set()
    deadline = time.monotonic() + 20
    while day.manager.waiting() > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    for owner in ("bob", "bob", "ann"):
        day.line_up(owner)
    assert [owner for owner in day.over() if "left" not in owner] == ["bob", "ann", "bob"]
