"""What the next job lacks is loaded while one runs: where it fits beside everything, and never at the cost of who is first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from studio.creations import Progress, Report
from studio.device import Device
from studio.errors import Cancelled
from studio.manager import Component, Manager, Recipe, Way
from studio.recipes import First
from studio.tasks import Write

TASK = Write(prompt="x")
PATIENCE = 20


def quiet(event: object) -> None:
    """A report that nobody reads."""


class Hall:
    """A manager that loads ahead, jobs in threads, and what each part was loaded and closed by."""

    def __init__(self, budget: int = 100) -> None:
        self.manager = Manager(Device("cpu", budget_gb=(budget + 0.5) / 1e9), ahead=True)
        self.log: list[str] = []
        self.slow = threading.Event()
        self.slow.set()
        self.begun = threading.Event()
        self.failing: set[str] = set()
        self.threads: list[threading.Thread] = []

    def recipe(self, working: int = 0, *, beside: bool = True, **sizes: int) -> Recipe:
        return Recipe({key: Component(key, size, self._load(key), beside) for key, size in sizes.items()}, _built, lambda _: working)

    def _load(self, key: str) -> Any:
        def load(report: Report) -> object:
            who = threading.current_thread().name
            self.log.append(f"{who} loads {key}")
            self.begun.set()
            while not self.slow.is_set():
                report(Progress("loading"))
                time.sleep(0.002)
            if who == "loading ahead" and key in self.failing:
                raise OSError("the file has vanished")
            status = self.manager.status()
            assert sum(resident.bytes for resident in status.residents) + status.working <= status.budget
            return object()

        return load

    def job(self, name: str, recipe: Recipe, inside: threading.Event | None = None, report: Report = quiet) -> threading.Event:
        """A job in the queue; it holds the device until the event that is returned is set."""
        go, before = threading.Event(), self.manager.waiting()

        def work() -> None:
            try:
                with self.manager.lease(recipe, TASK, report):
                    self.log.append(f"{name} runs")
                    if inside is not None:
                        inside.set()
                    assert go.wait(PATIENCE)
            except Cancelled:
                self.log.append(f"{name} left")

        thread = threading.Thread(target=work, name=name)
        thread.start()
        self.threads.append(thread)
        assert soon(lambda: self.manager.waiting() > before or not thread.is_alive())
        return go

    def first(self, recipe: Recipe) -> threading.Event:
        """A job that has the device."""
        inside = threading.Event()
        go = self.job("first", recipe, inside)
        assert inside.wait(PATIENCE)
        return go

    def there(self) -> set[str]:
        return {resident.key for resident in self.manager.status().residents if not resident.in_use}

    def over(self, *events: threading.Event) -> None:
        for event in events:
            event.set()
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        status = self.manager.status()
        assert status.working == 0 and not any(resident.in_use for resident in status.residents) and self.manager.waiting() == 0


def _built(values: Any) -> Any:
    assert all(value is not None for value in values.values())
    return lambda task, report: ()


def soon(true: Any) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not true() and time.monotonic() < deadline:
        time.sleep(0.002)
    return bool(true())


@pytest.fixture
def hall() -> Iterator[Hall]:
    hall = Hall()
    yield hall
    hall.slow.set()
    hall.manager.close()
    assert soon(lambda: hall.manager.status().residents == ())


def test_what_the_next_job_lacks_is_there_when_its_turn_comes(hall: Hall) -> None:
    go = hall.first(hall.recipe(20, a=30))
    then = hall.job("second", hall.recipe(20, a=30, b=20, c=10))
    assert soon(lambda: hall.there() == {"b", "c"})
    hall.over(go, then)
    assert hall.log == ["first loads a", "first runs", "loading ahead loads b", "loading ahead loads c", "second runs"]


def test_what_does_not_fit_beside_the_running_job_waits_for_it(hall: Hall) -> None:
    go = hall.first(hall.recipe(20, a=50))
    then = hall.job("second", hall.recipe(0, big=60, small=20))
    assert soon(lambda: hall.there() == {"small"})
    hall.over(go, then)
    assert "second loads big" in hall.log and "loading ahead loads big" not in hall.log


def test_what_somebody_in_the_queue_needs_never_goes_for_it_and_the_rest_does(hall: Hall) -> None:
    hall.over(hall.job("before", hall.recipe(0, old=20)), hall.job("earlier", hall.recipe(0, wanted=30)))
    go = hall.first(hall.recipe(10, a=30))
    jobs = [hall.job("second", hall.recipe(0, b=25, big=40)), hall.job("third", hall.recipe(0, wanted=30))]
    assert soon(lambda: "b" in hall.there())
    assert hall.there() == {"b", "wanted"}
    hall.over(go, *jobs)
    assert "loading ahead loads big" not in hall.log


def test_a_part_that_does_not_say_so_is_not_loaded_ahead(hall: Hall) -> None:
    go = hall.first(hall.recipe(0, a=10))
    then = hall.job("second", hall.recipe(0, beside=False, b=10))
    time.sleep(0.1)
    hall.over(go, then)
    assert hall.log == ["first loads a", "first runs", "second loads b", "second runs"]


def test_a_part_comes_ahead_from_the_copy_that_is_nearby(hall: Hall) -> None:
    plain = hall.recipe(0, beside=False, b=10, c=10)
    copies: dict[str, Any] = {"b": lambda report: hall.log.append("a copy of b comes") or object(), "c": None}
    parts = {key: replace(part, nearby=lambda key=key: copies[key]) for key, part in plain.components.items()}
    go = hall.first(hall.recipe(0, a=10))
    then = hall.job("second", replace(plain, components=parts))
    assert soon(lambda: hall.there() == {"b"})
    hall.over(go, then)
    assert hall.log == ["first loads a", "first runs", "a copy of b comes", "second loads c", "second runs"]


def test_a_job_whose_part_is_on_its_way_waits_for_it_and_loads_it_once(hall: Hall) -> None:
    go = hall.first(hall.recipe(0, a=10))
    hall.slow.clear()
    hall.begun.clear()
    then = hall.job("second", hall.recipe(0, b=10))
    assert hall.begun.wait(PATIENCE)
    go.set()
    time.sleep(0.05)
    hall.slow.set()
    hall.over(then)
    assert [line for line in hall.log if "loads b" in line] == ["loading ahead loads b"]


def test_a_job_that_leaves_ends_what_was_loaded_for_it_and_leaves_no_bytes(hall: Hall) -> None:
    leave = threading.Event()

    def report(event: object) -> None:
        if leave.is_set():
            raise Cancelled

    go = hall.first(hall.recipe(0, a=10))
    hall.slow.clear()
    hall.begun.clear()
    hall.job("second", hall.recipe(0, b=10), report=report)
    assert hall.begun.wait(PATIENCE)
    leave.set()
    assert soon(lambda: hall.log[-1] == "second left" and {r.key for r in hall.manager.status().residents} == {"a"})
    hall.over(go)


def test_a_load_ahead_that_fails_is_done_again_by_the_job_itself(hall: Hall) -> None:
    hall.failing.add("b")
    go = hall.first(hall.recipe(0, a=10))
    then = hall.job("second", hall.recipe(0, b=10))
    assert soon(lambda: "loading ahead loads b" in hall.log)
    hall.over(go, then)
    assert hall.log[-2:] == ["second loads b", "second runs"]


def test_who_comes_first_after_all_gets_the_memory_that_was_taken_ahead(hall: Hall) -> None:
    go = hall.first(hall.recipe(0, a=10))
    hall.slow.clear()
    hall.begun.clear()
    then = hall.job("second", hall.recipe(0, b=60))
    assert hall.begun.wait(PATIENCE)

    def other() -> None:
        with hall.manager.lease(hall.recipe(0, c=80), TASK, quiet, owner="other"):
            hall.log.append("other runs")

    hall.threads.append(threading.Thread(target=other, name="other"))
    hall.threads[-1].start()
    assert soon(lambda: hall.manager.waiting() == 3)
    go.set()
    assert soon(lambda: "other loads c" in hall.log), "b was on its way, and its load ended for this"
    hall.slow.set()
    hall.over(then)
    assert [line for line in hall.log if line.endswith("runs")] == ["first runs", "other runs", "second runs"]


def test_a_closing_studio_keeps_nothing_that_was_loaded_ahead(hall: Hall) -> None:
    go = hall.first(hall.recipe(0, a=10))
    hall.slow.clear()
    hall.begun.clear()
    then = hall.job("second", hall.recipe(0, b=10))
    assert hall.begun.wait(PATIENCE)
    hall.manager.close()
    assert soon(lambda: {r.key for r in hall.manager.status().residents} == {"a"})
    hall.slow.set()
    hall.over(go, then)
    assert hall.log[-2:] == ["second loads b", "second runs"]


def test_on_a_cpu_nothing_is_loaded_ahead_unless_somebody_says_so() -> None:
    hall = Hall()
    hall.manager = Manager(Device("cpu", budget_gb=100e-9))
    go = hall.first(hall.recipe(0, a=10))
    then = hall.job("second", hall.recipe(0, b=10))
    time.sleep(0.05)
    hall.over(go, then)
    assert "second loads b" in hall.log


def test_a_part_on_its_way_for_the_job_itself_goes_back_where_another_must_come_first(hall: Hall) -> None:
    encoder, unet = hall.recipe(encoder=60, beside=False).components["encoder"], hall.recipe(unet=70).components["unet"]
    reading = First({"encoder": encoder}, lambda _: 1, lambda *_: hall.log.append("reads"), lambda *_: False)
    apart = Way("apart", "apart", lambda _: 0, _built, {"unet": unet}, reading)
    go = hall.first(hall.recipe(small=10))
    hall.slow.clear()
    hall.begun.clear()
    second = hall.job("second", Recipe({"encoder": encoder, "unet": unet}, _built, lambda _: 0, (apart,)))
    assert hall.begun.wait(PATIENCE) and "loading ahead loads unet" in hall.log
    go.set()
    assert soon(lambda: "second loads encoder" in hall.log), hall.log
    hall.slow.set()
    assert soon(lambda: "second runs" in hall.log)
    hall.over(second)
    assert hall.log[-4:] == ["second loads encoder", "reads", "second loads unet", "second runs"]
