"""Whatever is asked of the manager, in whatever order and by however many at once: the budget holds, nothing in use goes, every job ends.

The jobs are random, the manager is the real one, the device is made of numbers (tests/fake_device.py), which writes down every broken
promise in `Host.problems`.
"""

from __future__ import annotations

import random
import sys
import threading
import traceback
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as searching
from hypothesis import strategies as st

from studio.creations import Passage, Progress
from studio.errors import Cancelled, NotEnoughMemory
from studio.manager import Manager
from studio.residency import Plan
from tests import fake_device as fake

pytestmark = pytest.mark.usefixtures("small_heap")

BUDGET = 100
SIZES = {"encoder": 12, "unet": 38, "other unet": 41, "vae": 6, "transformer": 55, "writer": 23, "player": 30, "too large": 130}
RECIPES = (
    ("encoder", "unet", "vae"),
    ("encoder", "other unet", "vae"),
    ("encoder", "transformer", "vae"),
    ("writer",),
    ("player", "encoder"),
    ("unet", "other unet"),
    ("too large",),
    ("encoder", "unet", "vae", "writer"),
)


@dataclass(frozen=True)
class Job:
    """One thing that a user or the panel asks for: `ending` says how a run ends, `stop` at which of its reports."""

    what: str
    recipe: int = 0
    working: int = 0
    way: int = 0
    apart: bool = False
    ending: str = "done"
    stop: int = 1


RUNS = st.builds(
    Job,
    what=st.just("run"),
    recipe=st.integers(0, len(RECIPES) - 1),
    working=st.integers(0, 60),
    way=st.sampled_from((0, 0, 5, 20)),
    apart=st.booleans(),
    ending=st.sampled_from(("done", "done", "done", "left", "cancelled", "failed")),
    stop=st.integers(1, 8),
)
OTHERS = st.builds(Job, what=st.sampled_from(("plan", "unload", "unload one", "pin", "unpin", "relieve")), recipe=st.integers(0, 7))


@given(st.lists(st.one_of(RUNS, RUNS, OTHERS), max_size=25), st.sampled_from((fake.Weights, fake.Module)))
@example([Job("run", 2, 20), Job("run", 5, 20), Job("pin", 5), Job("run", 2, 20), Job("run", 3, 5, ending="left")], fake.Module)
@example([Job("run", 0), Job("pin", 0), Job("run", 0, 45, apart=True)], fake.Weights)
@searching(max_examples=100)
def test_any_sequence_keeps_the_budget_and_gives_what_endless_memory_gives(jobs: list[Job], kind: Any) -> None:
    host = fake.Host(BUDGET)
    manager = Manager(fake.device(host))
    for number, job in enumerate(jobs):
        if job.what == "run":
            one_run(manager, host, job, f"job {number}", kind)
        else:
            one_order(manager, host, job, kind)
        settled(manager, host)
    manager.relieve(fake.recipe(host, {}))
    assert host.live == 0 and manager.status().residents == ()


@given(st.lists(RUNS, min_size=1, max_size=12))
@searching(max_examples=50)
def test_a_plan_says_what_the_lease_then_does(jobs: list[Job]) -> None:
    host = fake.Host(BUDGET)
    manager = Manager(fake.device(host))
    for job in jobs:
        what = made(host, job, fake.Weights)
        before = {resident.key for resident in manager.status().residents}
        loaded = Counter(host.loads)
        try:
            plan = manager.plan(what, fake.task())
        except NotEnoughMemory:
            with pytest.raises(NotEnoughMemory):
                fake.run(manager, what, fake.task())
            assert {resident.key for resident in manager.status().residents} == before
            continue
        told = list[Plan]()
        fake.run(manager, what, fake.task(), told=told.append)
        assert told == [plan]
        after = {resident.key for resident in manager.status().residents}
        gone = {*plan.evicts} if plan.way != "apart" else before - after  # what is read first may go again, or send more away
        assert before - after == gone and set(plan.evicts) <= before
        assert sum(SIZES[key] for key in (host.loads - loaded).elements()) == plan.loads


@given(st.lists(st.tuples(st.integers(40, 130), RUNS), max_size=12))
@searching(max_examples=50)
def test_what_other_programs_take_and_give_back_is_followed(jobs: list[tuple[int, Job]]) -> None:
    host = fake.Host(BUDGET)
    manager = Manager(fake.device(host))
    for number, (left, job) in enumerate(jobs):
        host.budget = left
        manager._residents.look_again()  # as a second later
        how = one_run(manager, host, job, f"job {number}", fake.Weights)
        assert host.problems == [] and manager.status().working == 0
        assert how == "refused" or host.live <= left


def test_eight_threads_of_random_jobs_all_end_and_break_no_promise() -> None:
    crowd(threads=8, jobs=250, seed=20_261_122)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3))
def test_eight_threads_of_two_thousand_jobs_each_all_end(seed: int) -> None:
    crowd(threads=8, jobs=2000, seed=seed)


def crowd(threads: int, jobs: int, seed: int) -> None:
    """`threads` users with `jobs` jobs each at one manager; every fifth gives up while it waits, loads or runs, every tenth fails."""
    host = fake.Host(BUDGET)
    manager = Manager(fake.device(host), ahead=True)
    ended: Counter[str] = Counter()
    wrong: list[str] = []
    lock = threading.Lock()

    def user(number: int) -> None:
        dice = random.Random(f"{seed} {number}")
        try:
            for count in range(jobs):
                if dice.random() < 0.05:
                    one_order(manager, host, Job(dice.choice(("plan", "unload", "unload one", "relieve")), dice.randrange(8)), fake.Weights)
                ending = dice.choices(("done", "left", "cancelled", "failed"), (6, 1, 2, 1))[0]
                job = Job(
                    "run",
                    dice.randrange(len(RECIPES)),
                    dice.randrange(40),
                    dice.choice((0, 5)),
                    dice.random() < 0.3,
                    ending,
                    dice.randrange(1, 9),
                )
                how = one_run(manager, host, job, f"{number}/{count}", fake.Weights, owner=str(number % 3))
                status = manager.status()
                taken = sum(resident.bytes for resident in status.residents) + status.working
                with lock:
                    ended[how] += 1
                    if taken > status.budget:
                        wrong.append(f"the ledger stood at {taken} of {status.budget}")
        except BaseException as error:  # noqa: BLE001 - it is handed to the test
            wrong.append("".join(traceback.format_exception(error)))

    users = [threading.Thread(target=user, args=(number,), daemon=True) for number in range(threads)]
    for each in users:
        each.start()
    for each in users:
        each.join(240)
    stuck = [sys._current_frames()[each.ident] for each in users if each.is_alive() and each.ident]
    assert not stuck, "".join(line for frame in stuck for line in traceback.format_stack(frame)[-4:])
    assert wrong == [] and host.problems == []
    assert sum(ended.values()) == threads * jobs and {"done", "left", "cancelled", "failed", "refused"} <= set(ended)
    manager.close()
    settled(manager, host)


def one_run(manager: Manager, host: fake.Host, job: Job, name: str, kind: Any, owner: str = "") -> str:
    """Run one job and hold what came out against endless memory. Returns how it ended."""
    task = fake.task(name)
    reports = 0

    def report(event: object) -> None:
        nonlocal reports
        reports += isinstance(event, Progress)
        if reports >= job.stop and job.ending in ("cancelled", "failed"):
            raise Cancelled if job.ending == "cancelled" else ValueError("on purpose")

    try:
        if job.ending == "left":
            with manager.lease(made(host, job, kind), task, report, owner=owner) as pipeline:
                first = next(iter(pipeline(task, report)))
                assert isinstance(first, Passage) and first.text == endless(job.recipe, task)[0]
            return "left"
        came = fake.run(manager, made(host, job, kind), task, report, owner=owner)
    except Cancelled:
        return "cancelled"
    except ValueError:
        return "failed"
    except NotEnoughMemory:
        assert least(manager, job) > host.budget
        return "refused"
    assert came == endless(job.recipe, task)
    return "done"


def one_order(manager: Manager, host: fake.Host, job: Job, kind: Any) -> None:
    """Something that the panel can ask for at any time."""
    key = RECIPES[job.recipe][0]
    if job.what == "plan":
        try:
            manager.plan(made(host, job, kind), fake.task())
        except NotEnoughMemory:
            pass
    elif job.what in ("unload", "unload one"):
        manager.unload("" if job.what == "unload" else key)
    elif job.what == "relieve":
        manager.relieve(made(host, job, kind))
    else:
        manager.pin(key, pinned=job.what == "pin")


def least(manager: Manager, job: Job) -> int:
    """The bytes that the most frugal way of a job needs, beside what is pinned and no part of it."""
    working, parts, first = min(job.working, job.way or job.working), set(RECIPES[job.recipe]), set(apart(job))
    pinned = {resident.key: resident.bytes for resident in manager.status().residents if resident.pinned}

    def stage(keys: set[str], work: int) -> int:
        return sum(SIZES[key] for key in keys) + work + sum(size for key, size in pinned.items() if key not in keys)

    return min(stage(parts, working), max(stage(first, 1), stage(parts - first, working)) if first else stage(parts, working))


def made(host: fake.Host, job: Job, kind: Any) -> Any:
    """The recipe of a job."""
    sizes, ways = {key: SIZES[key] for key in RECIPES[job.recipe]}, {"less": job.way} if job.way else None
    return fake.recipe(host, sizes, job.working, ways=ways, media=2, kind=kind, beside=True, apart=apart(job))


def apart(job: Job) -> tuple[str, ...]:
    """What a job reads first, in its last way."""
    return RECIPES[job.recipe][:1] if job.apart and len(RECIPES[job.recipe]) > 1 else ()


def settled(manager: Manager, host: fake.Host) -> None:
    """Nothing runs: the ledger and the device agree, and nothing was ever broken."""
    status = manager.status()
    assert host.problems == []
    assert status.working == 0 and host.running == 0 and manager.waiting() == 0
    assert not [resident.key for resident in status.residents if resident.in_use]
    assert sum(resident.bytes for resident in status.residents) == host.live <= BUDGET


def endless(number: int, task: Any) -> list[str]:
    """What a run over a recipe gives where memory never ends."""
    return fake.expected({key: SIZES[key] for key in RECIPES[number]}, task, media=2)
