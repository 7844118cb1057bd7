"""The manager loads lazily, shares, evicts what is idle, and serves one job at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from studio.creations import Media, Passage, Progress, Report
from studio.device import Device
from studio.errors import Cancelled, NotEnoughMemory
from studio.manager import Component, Manager, Recipe
from studio.tasks import Task, Write

TASK = Write(prompt="x")


class Weights:
    """Stands for a loaded module: it knows how often it was loaded and closed."""

    def __init__(self, log: list[str], key: str) -> None:
        self.log, self.key = log, key
        log.append(f"load {key}")

    def close(self) -> None:
        self.log.append(f"close {self.key}")


def quiet(event: object) -> None:
    """A report that nobody reads."""


def recipe(log: list[str], sizes: Mapping[str, int], working: int = 0) -> Recipe:
    def build(values: Mapping[str, Any]) -> Any:
        assert all(isinstance(value, Weights) for value in values.values())

        def run(task: Task, report: Report) -> Iterable[Media]:
            yield Passage("+".join(values), 1, 1)

        return run

    parts = {key: Component(key, size, lambda report, key=key: Weights(log, key)) for key, size in sizes.items()}
    return Recipe(parts, build, lambda task: working)


@pytest.fixture
def manager() -> Manager:
    return Manager(Device("cpu", budget_gb=100e-9))


def use(manager: Manager, what: Recipe) -> str:
    with manager.lease(what, TASK, quiet) as pipeline:
        return next(m.text for m in pipeline(TASK, quiet) if isinstance(m, Passage))


def test_a_second_job_loads_nothing(manager: Manager) -> None:
    log: list[str] = []
    assert use(manager, recipe(log, {"unet": 40, "vae": 10})) == "unet+vae"
    use(manager, recipe(log, {"unet": 40, "vae": 10}))
    assert log == ["load unet", "load vae"]


def test_two_recipes_share_the_components_they_have_in_common(manager: Manager) -> None:
    log: list[str] = []
    use(manager, recipe(log, {"text encoder": 30, "unet": 30}))
    use(manager, recipe(log, {"text encoder": 30, "vae": 30}))
    assert log.count("load text encoder") == 1
    assert {r.key for r in manager.status().residents} == {"text encoder", "unet", "vae"}


def test_the_least_recently_used_makes_room_and_is_closed(manager: Manager) -> None:
    log: list[str] = []
    for key in ("a", "b", "a", "c"):
        use(manager, recipe(log, {key: 45}))
    assert log == ["load a", "load b", "close b", "load c"]
    assert {r.key for r in manager.status().residents} == {"a", "c"}


def test_working_memory_counts_while_a_job_runs(manager: Manager) -> None:
    log: list[str] = []
    use(manager, recipe(log, {"a": 60}))
    use(manager, recipe(log, {"b": 10}, working=50))
    assert log == ["load a", "close a", "load b"]
    assert manager.status().working == 0


def test_a_job_that_can_never_fit_is_refused_and_evicts_nothing(manager: Manager) -> None:
    log: list[str] = []
    use(manager, recipe(log, {"a": 60}))
    with pytest.raises(NotEnoughMemory), manager.lease(recipe(log, {"b": 60}, working=60), TASK, quiet):
        pass
    assert log == ["load a"]
    assert use(manager, recipe(log, {"a": 60})) == "a"


def test_a_load_that_fails_leaves_no_trace(manager: Manager) -> None:
    def broken(report: Report) -> Any:
        raise OSError("truncated")

    what = Recipe({"a": Component("a", 50, broken)}, lambda values: lambda task, report: (), lambda task: 20)
    with pytest.raises(OSError, match="truncated"), manager.lease(what, TASK, quiet):
        pass
    assert manager.status().residents == () and manager.status().working == 0


def test_a_cancelled_load_frees_the_device(manager: Manager) -> None:
    def stopped(event: object) -> None:
        raise Cancelled

    log: list[str] = []
    with pytest.raises(Cancelled), manager.lease(recipe(log, {"a": 50}), TASK, stopped):
        pass
    assert manager.waiting() == 0 and manager.status().residents == ()
    assert use(manager, recipe(log, {"a": 50})) == "a"


def test_loading_is_reported_in_bytes(manager: Manager) -> None:
    seen: list[Progress] = []
    with manager.lease(recipe([], {"a": 40, "b": 20}), TASK, lambda e: seen.append(e) if isinstance(e, Progress) else None):
        pass
    assert [(p.phase, p.done, p.total, p.item, p.items) for p in seen] == [("loading", 0, 60, 1, 2), ("loading", 40, 60, 2, 2)]


def test_jobs_take_turns_in_order_and_never_overlap(manager: Manager) -> None:
    log: list[str] = []
    order: list[int] = []
    running = 0
    peak = 0

    def job(number: int) -> None:
        nonlocal running, peak
        with manager.lease(recipe(log, {"a": 10}), TASK, quiet):
            running += 1
            peak = max(peak, running)
            order.append(number)
            time.sleep(0.02)
            running -= 1

    threads = [threading.Thread(target=job, args=(n,)) for n in range(6)]
    for number, thread in enumerate(threads):
        thread.start()
        while manager.waiting() < number + 1 and thread.is_alive() and number not in order:
            time.sleep(0.001)
    for thread in threads:
        thread.join(10)
    assert peak == 1 and order == sorted(order) and len(order) == 6


def test_a_waiting_job_is_told_how_many_are_ahead_and_can_give_up(manager: Manager) -> None:
    release = threading.Event()

    def holder() -> None:
        with manager.lease(recipe([], {"a": 10}), TASK, quiet):
            release.wait(5)

    thread = threading.Thread(target=holder)
    thread.start()
    while manager.waiting() == 0:
        time.sleep(0.001)
    seen: list[float] = []

    def report(event: object) -> None:
        if isinstance(event, Progress):
            seen.append(event.total)
            raise Cancelled

    with pytest.raises(Cancelled), manager.lease(recipe([], {"a": 10}), TASK, report):
        pass
    release.set()
    thread.join(5)
    assert seen == [1] and manager.waiting() == 0


def test_unloading_spares_what_a_job_uses(manager: Manager) -> None:
    log: list[str] = []
    use(manager, recipe(log, {"b": 20}))
    with manager.lease(recipe(log, {"a": 50}), TASK, quiet):
        assert manager.unload() == 20
        assert [r.key for r in manager.status().residents if r.in_use] == ["a"]
    assert manager.unload("a") == 50 and "close a" in log


def test_the_plan_foretells_the_lease(manager: Manager) -> None:
    log: list[str] = []
    use(manager, recipe(log, {"a": 60}))
    plan = manager.plan(recipe(log, {"b": 30}, working=20), TASK)
    assert (plan.loads, plan.evicts, plan.working) == (30, ("a",), 20)
    assert log == ["load a"]


def test_idle_models_are_unloaded_when_asked_to() -> None:
    manager = Manager(Device("cpu", budget_gb=100e-9), idle_seconds=0.1)
    log: list[str] = []
    use(manager, recipe(log, {"a": 50}))
    deadline = time.monotonic() + 5
    while manager.status().residents and time.monotonic() < deadline:
        time.sleep(0.05)
    manager.close()
    assert log == ["load a", "close a"]


def test_what_is_pinned_stays_and_the_refusal_says_what_to_release(manager: Manager) -> None:
    log: list[str] = []
    use(manager, recipe(log, {"kept": 60}))
    assert manager.pin("kept") and not manager.pin("unknown")
    use(manager, recipe(log, {"other": 40}))
    use(manager, recipe(log, {"third": 40}))
    assert "close other" in log and "close kept" not in log
    with pytest.raises(NotEnoughMemory, match="release a model under Models"):
        use(manager, recipe(log, {"large": 80}))
    assert manager.pin("kept", pinned=False)
    use(manager, recipe(log, {"large": 80}))
    assert "close kept" in log


def test_what_a_waiting_job_needs_goes_last(manager: Manager) -> None:
    log: list[str] = []
    use(manager, recipe(log, {"awaited": 30}))
    use(manager, recipe(log, {"newer": 30}))
    inside, going = threading.Event(), threading.Event()

    def holding() -> None:
        with manager.lease(recipe(log, {"running": 40}), TASK, quiet):
            inside.set()
            assert going.wait(20)

    def after(what: Recipe) -> threading.Thread:
        thread = threading.Thread(target=use, args=(manager, what))
        thread.start()
        return thread

    first = threading.Thread(target=holding)
    first.start()
    assert inside.wait(20)
    second = after(recipe(log, {"large": 30}))
    while manager.waiting() < 2:
        time.sleep(0.01)
    third = after(recipe(log, {"awaited": 30}))
    while manager.waiting() < 3:
        time.sleep(0.01)
    going.set()
    for thread in (first, second, third):
        thread.join(20)
    assert log.count("load awaited") == 1, "it was the least recently used, but a job in the queue needed it"
    assert "close newer" in log


def test_relieving_leaves_a_recipe_and_the_rest_goes_even_if_pinned(manager: Manager) -> None:
    log: list[str] = []
    own = recipe(log, {"own": 30})
    use(manager, own)
    use(manager, recipe(log, {"other": 30}))
    manager.pin("other")
    assert manager.relieve(own) == 30
    assert [resident.key for resident in manager.status().residents] == ["own"]
    assert manager.relieve(own) == 0


def test_what_came_and_went_is_told_newest_first(manager: Manager) -> None:
    log: list[str] = []
    use(manager, recipe(log, {"a": 60}))
    use(manager, recipe(log, {"b": 60}))
    manager.unload()

    def fails(report: Report) -> Any:
        raise Cancelled

    failing = Recipe({"c": Component("c", 1, fails)}, recipe(log, {}).build, lambda _: 0)
    with pytest.raises(Cancelled), manager.lease(failing, TASK, quiet):
        pass
    told = [(moment.what, moment.key, moment.bytes) for moment in reversed(manager.status().moments)]
    assert told == [("loaded", "a", 60), ("made room", "a", 60), ("loaded", "b", 60), ("unloaded", "b", 60), ("failed", "c", 1)]
    assert all(moment.at > 1e9 and moment.seconds >= 0 for moment in manager.status().moments)
