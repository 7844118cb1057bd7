"""A run that finds too little memory is tried once more: in the next way, or in the same one with all others gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from studio import attempts
from studio.creations import Media, Passage, Report
from studio.device import Device
from studio.errors import NotEnoughMemory
from studio.manager import Component, Manager, Recipe, Way
from studio.tasks import Task, Write

TASK = Write(prompt="x")
SHORT: tuple[BaseException, ...] = (
    MemoryError(),
    NotEnoughMemory("Too large: choose a smaller size."),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
)


def quiet(event: object) -> None:
    """A report that nobody reads."""


@dataclass
class Model:
    """An engine in small: `broken` are the ways that run out of memory, `fault` how; `after` so many media. It counts what it began."""

    broken: set[str] = field(default_factory=set[str])
    fault: BaseException = field(default_factory=MemoryError)
    after: int = 0
    began: list[str] = field(default_factory=list[str])
    loads: list[str] = field(default_factory=list[str])
    lasting: bool = True

    def recipe(self, working: int = 30, key: str = "") -> Recipe:
        ways = (self._way("singly", "one after the other", working // 2), self._way("tiled", "in tiles", working // 4))
        return Recipe({"a": Component("a", 40, self._load)}, self._build(""), lambda _: working, ways, key)

    def _load(self, report: Report) -> object:
        self.loads.append("a")
        return object()

    def _way(self, name: str, title: str, working: int) -> Way:
        return Way(name, title, lambda _: working, self._build(name))

    def _build(self, way: str) -> Any:
        def run(task: Task, report: Report) -> Iterator[Media]:
            self.began.append(way)
            for number in range(2):
                if way in self.broken and number == self.after:
                    if not self.lasting:
                        self.broken.clear()
                    raise self.fault
                yield Passage(f"{way} {number}", 1, 1)

        return lambda values: run


@pytest.fixture
def manager() -> Manager:
    return Manager(Device("cpu", budget_gb=100e-9))


def made(manager: Manager, model: Model, working: int = 30, **options: Any) -> list[Passage]:
    return [m for m, _ in attempts.made(manager, model.recipe(working), TASK, quiet, **options) if isinstance(m, Passage)]


def occupy(manager: Manager, size: int = 20) -> None:
    other = Recipe({"o": Component("other", size, lambda _: object())}, lambda values: lambda task, report: (), lambda _: 0)
    with manager.lease(other, TASK, quiet):
        pass


def keys(manager: Manager) -> set[str]:
    return {resident.key for resident in manager.status().residents}


@pytest.mark.parametrize("fault", SHORT, ids=lambda fault: type(fault).__name__)
def test_a_run_that_runs_out_of_memory_goes_the_next_way_and_says_so(manager: Manager, fault: BaseException) -> None:
    model = Model({""}, fault)
    results = made(manager, model)
    assert model.began == ["", "singly"] and model.loads == ["a"]
    assert [m.text for m in results] == ["singly 0", "singly 1"]
    assert [m.facts for m in results] == [{"memory": "one after the other"}] * 2
    assert manager.status().working == 0 and manager.waiting() == 0


def test_where_others_were_unloaded_the_same_way_is_tried_again_and_nothing_is_said(manager: Manager) -> None:
    model = Model({""}, lasting=False)
    occupy(manager)
    assert [dict(m.facts) for m in made(manager, model)] == [{}, {}]
    assert model.began == ["", ""] and keys(manager) == {"a"}


def test_there_is_one_second_attempt_and_no_third(manager: Manager) -> None:
    model = Model({"", "singly", "tiled"})
    with pytest.raises(MemoryError):
        made(manager, model)
    assert model.began == ["", "singly"]
    assert manager.status().working == 0 and manager.waiting() == 0


def test_a_run_of_which_something_came_out_is_not_repeated(manager: Manager) -> None:
    model = Model({""}, after=1)
    results: list[Media] = []
    with pytest.raises(MemoryError):
        for media, _ in attempts.made(manager, model.recipe(), TASK, quiet):
            results.append(media)
    assert len(results) == 1 and model.began == [""]


def test_what_is_not_about_memory_is_not_tried_again(manager: Manager) -> None:
    model = Model({""}, RuntimeError("the device is lost"))
    with pytest.raises(RuntimeError, match="lost"):
        made(manager, model)
    assert model.began == [""]


def test_a_job_that_fits_in_no_way_is_refused_before_anything_runs(manager: Manager) -> None:
    model = Model()
    with pytest.raises(NotEnoughMemory, match="choose a smaller size"):
        made(manager, model, working=400)
    assert model.began == [] and model.loads == []


def test_a_job_too_large_for_the_first_way_goes_a_smaller_one_at_once(manager: Manager) -> None:
    model = Model()
    assert {str(m.facts["memory"]) for m in made(manager, model, working=100)} == {"one after the other"}
    assert {str(m.facts["memory"]) for m in made(manager, model, working=200)} == {"in tiles"}
    assert model.began == ["singly", "tiled"]


def test_a_result_is_made_again_in_the_way_it_was_made(manager: Manager) -> None:
    model = Model()
    assert {str(m.facts["memory"]) for m in made(manager, model, like="in tiles")} == {"in tiles"}
    assert [dict(m.facts) for m in made(manager, model, like="a way that is gone")] == [{}, {}]


def test_a_load_that_runs_out_of_memory_is_tried_again_with_others_gone(manager: Manager) -> None:
    tries: list[int] = []

    def load(report: Report) -> object:
        tries.append(len(keys(manager)))
        if len(tries) == 1:
            raise RuntimeError("CUDA out of memory.")
        return object()

    occupy(manager)
    attempts.loaded(manager, Recipe({"a": Component("a", 40, load)}, _never, lambda _: 0), TASK, quiet)
    assert tries == [2, 1] and keys(manager) == {"a"}


def _never(values: Mapping[str, Any]) -> Any:
    def run(task: Task, report: Report) -> Iterable[Media]:
        raise AssertionError("loading runs nothing")

    return run


def test_a_shape_that_ran_out_of_memory_is_promised_more_the_next_time(manager: Manager) -> None:
    model = Model({""})
    for _ in range(2):
        assert [m for m, _ in attempts.made(manager, model.recipe(55, "model"), TASK, quiet)]
    assert model.began == ["", "singly", "singly"], "55 bytes did not do, and 71 do not fit beside 40 of 100"
