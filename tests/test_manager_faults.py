"""Whatever fails, and wherever: the device is as free as before, nothing stays leased, and the next job runs.

A short day of five jobs, which share, load, evict, load again and read something first, is run once to see where something can fail
(tests/fake_device.py names the points). Then it is run again for each of those moments and each way to fail, with that one failure in it.
"""

from __future__ import annotations

import ctypes
import gc
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from studio.errors import Cancelled, StudioError
from studio.manager import Manager
from tests import fake_device as fake

pytestmark = pytest.mark.usefixtures("small_heap")

BUDGET = 100
SIZES = {"encoder": 12, "unet": 38, "vae": 6, "transformer": 55, "writer": 23}
DAY: tuple[tuple[tuple[str, ...], int], ...] = (
    (("encoder", "unet", "vae"), 20),
    (("encoder", "transformer", "vae"), 10),
    (("writer",), 5),
    (("encoder", "unet", "vae"), 20),
    (("encoder", "transformer"), 35),  # does not fit as a whole: what it reads first goes before the rest
)


def vanished() -> BaseException:
    return FileNotFoundError(2, "No such file or directory", "model.safetensors")


def full() -> BaseException:
    return OSError(28, "No space left on device")


def lost() -> BaseException:
    return RuntimeError("the device is lost")


def exhausted() -> BaseException:
    return RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")


FAILURES: tuple[Callable[[], BaseException], ...] = (lost, exhausted, MemoryError, vanished, full, Cancelled, SystemExit, KeyboardInterrupt)
"""SystemExit stands for a thread that is ended from outside, KeyboardInterrupt for Ctrl+C."""
KINDS = (fake.Weights, fake.Module)


class Injected:
    """Raises once, at the `ordinal`th visit of `point`; counts the visits."""

    def __init__(self, point: str = "", ordinal: int = 0, failure: Callable[[], BaseException] = lost) -> None:
        self.point, self.ordinal, self.failure = point, ordinal, failure
        self.visits: Counter[str] = Counter()
        self.raised = False

    def __call__(self, point: str, key: str) -> None:
        self.visits[point] += 1
        if point == self.point and self.visits[point] == self.ordinal:
            self.raised = True
            raise self.failure()

    def report(self, event: object) -> None:
        """A report of a run, for the point "report"."""
        self("report", "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("point", [*fake.POINTS, "report"])
def test_a_failure_leaves_no_lease_no_bytes_and_a_manager_that_goes_on(point: str, kind: Any) -> None:
    clean = Injected()
    assert day(fake.Host(BUDGET), clean, kind) == [None] * len(DAY)
    if kind is fake.Module and point == "drop":
        assert clean.visits[point] == 0, "a module is not closed: it goes when nobody holds it"
        return
    assert clean.visits[point] > 1
    for ordinal in range(1, clean.visits[point] + 1):
        for failure in (Cancelled, SystemExit) if point == "report" else FAILURES if kind is fake.Weights else FAILURES[1::2]:
            host, injected = fake.Host(BUDGET), Injected(point, ordinal, failure)
            ends = day(host, injected, kind)
            assert injected.raised and host.problems == []
            hurt = [end for end in ends if end is not None]
            assert len(hurt) <= 1, f"{point} {ordinal}: one failure reached {len(hurt)} jobs"
            if point in ("drop", "release") and issubclass(type(failure()), Exception):
                assert hurt == [], f"{point} {ordinal}: the job that needed the room had no part in it"
            assert not hurt or issubclass(hurt[0], (type(failure()), StudioError)), "the failure itself or a sentence about it"


@pytest.mark.parametrize("failure", [RuntimeError, MemoryError, Cancelled])
def test_a_failure_at_every_second_visit_of_a_point_still_lets_the_manager_go_on(failure: type[BaseException]) -> None:
    for point in fake.POINTS:
        host = fake.Host(BUDGET)
        manager = Manager(fake.device(host))
        visits = Counter[str]()

        def at(here: str, key: str, point: str = point, visits: Counter[str] = visits) -> None:
            visits[here] += 1
            if here == point and visits[here] % 2:
                raise failure

        host.at = at
        for number, (keys, working) in enumerate(DAY * 4):
            one(manager, host, keys, working, number, fake.Weights)
            settled(manager, host)
        host.at = lambda point, key: None
        assert one(manager, host, *DAY[0], 0, fake.Weights) is None


def test_a_pipeline_that_is_closed_half_way_gives_everything_back() -> None:
    host = fake.Host(BUDGET)
    manager = Manager(fake.device(host))
    what = fake.recipe(host, SIZES | {"transformer": 1}, 10, media=3)

    def lent() -> Iterator[str]:
        with manager.lease(what, fake.task(), lambda event: None) as pipeline:
            for medium in pipeline(fake.task(), lambda event: None):
                yield str(medium)

    for taken in range(4):
        stream: Any = lent()
        for _ in range(taken):
            next(stream)
        assert manager.waiting() == (1 if taken else 0)
        stream.close()
        settled(manager, host)
    assert len(fake.run(manager, what, fake.task())) == 3


@pytest.mark.parametrize("where", ["waiting", "load", "run"])
def test_a_thread_that_is_killed_gives_everything_back(where: str) -> None:
    host = fake.Host(BUDGET)
    manager = Manager(fake.device(host))
    inside, go = threading.Event(), threading.Event()
    ended: list[type[BaseException] | None] = []

    def spin(point: str, key: str) -> None:
        if point == where:
            inside.set()
            while not go.is_set():
                time.sleep(0.001)

    def killed() -> None:
        try:
            ended.append(one(manager, host, *DAY[0], 0, fake.Weights, lambda event: inside.set() if where == "waiting" else None))
        except BaseException as error:  # noqa: BLE001 - it may come anywhere in this thread, later than the run, too
            ended.append(type(error))

    thread = threading.Thread(target=killed)
    if where == "waiting":
        with manager.lease(fake.recipe(host, {"writer": 23}), fake.task(), lambda event: None):
            thread.start()
            kill(thread, inside)
    else:
        host.at = spin
        thread.start()
        kill(thread, inside)
    thread.join(20)
    host.at = lambda point, key: None
    assert not thread.is_alive() and ended == [SystemExit]
    settled(manager, host)
    assert day(host, Injected(), fake.Weights, manager) == [None] * len(DAY)


def test_those_who_wait_behind_a_failure_are_served() -> None:
    host = fake.Host(BUDGET)
    manager = Manager(fake.device(host))
    ended: dict[int, type[BaseException] | None] = {}
    inside, go = threading.Event(), threading.Event()

    def first(point: str, key: str) -> None:
        if point == "run" and not inside.is_set():
            inside.set()
            assert go.wait(20)
            raise MemoryError

    def user(number: int) -> None:
        ended[number] = one(manager, host, *DAY[number % len(DAY)], number, fake.Weights)

    host.at = first
    users = [threading.Thread(target=user, args=(number,)) for number in range(6)]
    users[0].start()
    assert inside.wait(20)
    for each in users[1:]:
        each.start()
    while manager.waiting() < 6:
        time.sleep(0.001)
    go.set()
    for each in users:
        each.join(20)
    assert ended == {0: MemoryError, 1: None, 2: None, 3: None, 4: None, 5: None}
    settled(manager, host)


@pytest.mark.parametrize("failure", [lost, MemoryError, vanished, Cancelled])
@pytest.mark.parametrize("point", ["load", "place", "loaded"])
def test_a_load_for_the_next_job_that_fails_hurts_neither_job(point: str, failure: Callable[[], BaseException]) -> None:
    host = fake.Host(BUDGET)
    manager = Manager(fake.device(host), ahead=True)
    inside, failed, go = threading.Event(), threading.Event(), threading.Event()
    ended: dict[str, type[BaseException] | None] = {}

    def at(here: str, key: str) -> None:
        if here == "run" and not inside.is_set():
            inside.set()
            assert go.wait(20)
        if here == point and key == "unet" and not failed.is_set():
            failed.set()
            raise failure()

    def user(name: str, *keys: str) -> None:
        ended[name] = one(manager, host, keys, 5, 1, fake.Weights)

    host.at = at
    users = [threading.Thread(target=user, args=("now", "writer")), threading.Thread(target=user, args=("next", "unet", "vae"))]
    users[0].start()
    assert inside.wait(20)
    users[1].start()
    assert failed.wait(20), "nothing was loaded for the next job while the first ran"
    go.set()
    for each in users:
        each.join(20)
    assert ended == {"now": None, "next": None}
    settled(manager, host)
    manager.close()


def day(host: fake.Host, injected: Injected, kind: Any, manager: Manager | None = None) -> list[type[BaseException] | None]:
    """The five jobs with one failure, then the five without. Returns how each of the first five ended: what it raised, or None."""
    manager = manager or Manager(fake.device(host))
    host.at = injected
    ends: list[type[BaseException] | None] = []
    for number, (keys, working) in enumerate(DAY):
        ends.append(one(manager, host, keys, working, number, kind, injected.report))
        settled(manager, host)
    host.at = lambda point, key: None
    for number, (keys, working) in enumerate(DAY):
        assert one(manager, host, keys, working, number, kind) is None
    settled(manager, host)
    return ends


def one(manager: Manager, host: fake.Host, keys: tuple[str, ...], working: int, number: int, kind: Any, report: Any = None) -> Any:
    """One job; what comes out of it is right. Returns what it raised: the class alone, since a traceback holds what was loaded."""
    sizes, task = {key: SIZES[key] for key in keys}, fake.task(f"job {number}")
    try:
        what = fake.recipe(host, sizes, working, kind=kind, beside=True, apart=keys[:1] if len(keys) > 1 else ())
        came = fake.run(manager, what, task, report or (lambda event: None))
    except BaseException as error:  # noqa: BLE001 - whatever was injected
        return type(error)
    assert came == fake.expected(sizes, task)
    return None


def settled(manager: Manager, host: fake.Host) -> None:
    """Nothing runs, nothing is leased, and the ledger knows of every byte there is."""
    gc.collect()
    status = manager.status()
    assert host.problems == []
    assert status.working == 0 and host.running == 0 and manager.waiting() == 0
    assert not [resident.key for resident in status.residents if resident.in_use]
    assert sum(resident.bytes for resident in status.residents) == host.live <= BUDGET


def kill(thread: threading.Thread, inside: threading.Event) -> None:
    """Raise SystemExit in another thread, at its next line: the hardest end that Python has for one."""
    assert inside.wait(20)
    time.sleep(0.01)
    assert thread.ident is not None
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)) == 1
