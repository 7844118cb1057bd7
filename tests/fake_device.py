"""A device that is made of numbers: it has a budget in bytes, and components that count themselves in and out of it.

It drives the real manager. What the manager promises is checked here and nowhere else, by the things that it moves: a component that is
loaded twice, loaded into a full device, dropped while a run uses it, used after it was dropped or dropped twice writes a sentence into
`Host.problems`. Any point on the way can be made to fail by `Host.at`. Knows no framework and no clock.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from studio.creations import Media, Passage, Progress, Report
from studio.device import Device
from studio.manager import Component, Manager, Pipeline, Recipe, Way
from studio.recipes import First
from studio.tasks import Task, Write

POINTS = ("load", "place", "loaded", "build", "begin", "run", "drop", "release")
"""Where something can fail: before a component's bytes are taken; when half of them are; when all are; while the pipeline is put together;
before and in the middle of a run; when a component is closed; when the device gives memory back."""


class Host:
    """The memory behind a fake device. `at(point, key)` is called at each of POINTS and may raise."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.at: Callable[[str, str], None] = lambda point, key: None
        self.problems: list[str] = []
        self.loads: Counter[str] = Counter()
        self.peak = 0
        self._lock = threading.RLock()
        self._live: Counter[str] = Counter()
        self._used: Counter[str] = Counter()
        self._working = 0

    @property
    def live(self) -> int:
        """Bytes of components that exist, whatever the manager believes."""
        with self._lock:
            return sum(self._live.values())

    @property
    def running(self) -> int:
        """Working bytes of the runs that are under way."""
        return self._working

    def take(self, key: str, size: int, first: bool) -> None:
        """`size` more bytes of `key` exist; `first` where nothing of it may exist yet."""
        with self._lock:
            if first and self._live[key]:
                self.problems.append(f"{key} was loaded while a copy of it existed")
            self._live[key] += size
            self._measure(f"loading {key}")

    def give(self, key: str, size: int) -> None:
        """`size` bytes of `key` are gone."""
        with self._lock:
            if self._used[key]:
                self.problems.append(f"{key} was dropped while a run used it")
            if self._live[key] < size:
                self.problems.append(f"{key} was dropped twice")
            self._live[key] -= size

    @contextmanager
    def using(self, keys: Iterable[str], working: int) -> Generator[None]:
        """A run over `keys` that takes `working` bytes beside them."""
        held = tuple(keys)
        with self._lock:
            self._used.update(held)
            self._working += working
            self._measure(f"a run over {', '.join(held)}")
        try:
            yield
        finally:
            with self._lock:
                self._used.subtract(held)
                self._working -= working

    def _measure(self, what: str) -> None:
        now = sum(self._live.values()) + self._working
        self.peak = max(self.peak, now)
        if now > self.budget:
            self.problems.append(f"{what} took {now} of {self.budget} bytes")


class Weights:
    """A loaded component with a `close()`, as llama.cpp's are: its numbers are gone afterwards."""

    def __init__(self, host: Host, key: str, size: int) -> None:
        self.host, self.key, self.size = host, key, size
        self.numbers = hashlib.sha256(key.encode()).hexdigest()[:8]

    def close(self) -> None:
        """Free it; the bytes go even if the point "drop" fails, as a process's do when its end is reported badly."""
        self.numbers = ""
        self.host.give(self.key, self.size)
        self.host.at("drop", self.key)


class Module:
    """A loaded component that goes when nobody holds it any more, as torch's do: it refers to itself, so only the collector frees it."""

    def __init__(self, host: Host, key: str, size: int) -> None:
        self.key, self.itself = key, self
        self.numbers = hashlib.sha256(key.encode()).hexdigest()[:8]
        weakref.finalize(self, host.give, key, size).atexit = False


@dataclass(frozen=True)
class FakeDevice(Device):
    """A device over `host`; nothing of the machine's own memory is in it."""

    wanted: Any = "cpu"
    host: Host = field(default_factory=lambda: Host(100))

    def room(self, held: int) -> int:
        """Bytes that models may take now: all of it, whatever they hold."""
        return self.host.budget

    def watch(self) -> Callable[[], int | None]:
        """Nothing is measured here."""
        return lambda: None

    def release(self) -> None:
        """Where a real one empties its allocator."""
        self.host.at("release", "")


def device(host: Host) -> FakeDevice:
    """The device that `host` is the memory of."""
    return FakeDevice("cpu", budget_gb=(host.budget + 0.5) / 1e9, host=host)


def component(
    host: Host,
    key: str,
    size: int,
    kind: Callable[[Host, str, int], Any] = Weights,
    beside: bool = False,
    nearby: Callable[[str], bool] | None = None,
) -> Component:
    """A component of `size` bytes; `kind` is Weights or Module. A load that fails gives back what it took, as Python's do.

    `beside`: it may be loaded for a job that waits, while another runs; so it may where `nearby` says that a copy of it is at hand.
    """

    def load(report: Report) -> Any:
        half = size // 2
        host.at("load", key)
        host.take(key, half, first=True)
        try:
            host.at("place", key)
            report(Progress("loading", half, size, "bytes"))
        except BaseException:
            host.give(key, half)
            raise
        host.take(key, size - half, first=False)
        value = kind(host, key, size)
        try:
            host.at("loaded", key)
        except BaseException:
            if isinstance(value, Weights):
                value.close()
            raise
        host.loads[key] += 1
        return value

    return Component(key, size, load, beside, None if nearby is None else lambda: load if nearby(key) else None)


def recipe(
    host: Host,
    sizes: Mapping[str, int],
    working: int = 0,
    *,
    ways: Mapping[str, int] | None = None,
    steps: int = 2,
    media: int = 1,
    kind: Callable[[Host, str, int], Any] = Weights,
    beside: bool = False,
    nearby: Callable[[str], bool] | None = None,
    apart: Iterable[str] = (),
) -> Recipe:
    """A recipe over components of `sizes`; `ways` are others by name, with the working bytes of each.

    `apart` are components that the last way, of that name, reads first and needs no more afterwards.
    """

    def builder(needed: int) -> Callable[[Mapping[str, Any]], Pipeline]:
        return lambda values: _pipeline(host, values, needed, steps, media)

    parts = {key: component(host, key, size, kind, beside, nearby) for key, size in sizes.items()}
    others = tuple(Way(name, name, lambda _, needed=needed: needed, builder(needed)) for name, needed in (ways or {}).items())
    if apart:
        others = (*others, _apart(host, parts, tuple(apart), min([working, *(ways or {}).values()]), (steps, media)))
    return Recipe(parts, builder(working), lambda _: working, others)


def run(manager: Manager, what: Recipe, task: Task, report: Report = lambda event: None, **lease: Any) -> list[str]:
    """Lease, run to the end, and return what came out."""
    with manager.lease(what, task, report, **lease) as pipeline:
        return [medium.text for medium in pipeline(task, report) if isinstance(medium, Passage)]


def expected(sizes: Mapping[str, int], task: Task, media: int = 1) -> list[str]:
    """What a run over these components gives where memory never ends."""
    host = Host(1 << 40)
    return run(Manager(device(host)), recipe(host, sizes, media=media), task)


def task(prompt: str = "x") -> Task:
    """A small task."""
    return Write(prompt=prompt)


@dataclass(frozen=True)
class _Read:
    """What was read from a component that has gone since."""

    key: str
    numbers: str


def _apart(host: Host, parts: Mapping[str, Component], apart: tuple[str, ...], working: int, counts: tuple[int, int]) -> Way:
    read = dict[str, _Read]()

    def reading(values: Mapping[str, Any], asked: Task, report: Report) -> None:
        del asked
        host.at("begin", "")
        with host.using((value.key for value in values.values()), 1):
            report(Progress("running", note="reading"))
            _look(host, values, "read")
            read.update({role: _Read(value.key, value.numbers) for role, value in values.items()})

    first = First({role: parts[role] for role in apart}, lambda _: 1, reading, lambda values, asked: len(read) == len(apart))
    rest = {role: part for role, part in parts.items() if role not in apart}
    return Way("apart", "apart", lambda _: working, lambda values: _pipeline(host, values, working, *counts, read), rest, first)


def _pipeline(
    host: Host, values: Mapping[str, Any], working: int, steps: int, media: int, read: Mapping[str, _Read] | None = None
) -> Pipeline:
    host.at("build", "")
    _look(host, values, "put together")
    known = {**(read or {}), **values}

    def work(asked: Task, report: Report) -> Iterable[Media]:
        host.at("begin", "")
        with host.using((value.key for value in values.values()), working):
            for number in range(media):
                for step in range(steps):
                    report(Progress("running", step, steps, item=number + 1, items=media))
                    host.at("run", "")
                    _look(host, values, "run")
                seen = "+".join(f"{role}={value.numbers}" for role, value in sorted(known.items()))
                yield Passage(f"{seen} {asked} {number}", 1, 1)

    return work


def _look(host: Host, values: Mapping[str, Any], what: str) -> None:
    gone = [value.key for value in values.values() if not value.numbers]
    if gone:
        host.problems.append(f"a pipeline was {what} over {', '.join(gone)}, which had been dropped")
