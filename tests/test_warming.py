"""What is made ready after the first page, and what a run is said to cost before it begins."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from studio import foresight, models, warming
from studio.creations import Creation, Event, Passage, Progress
from studio.device import Device
from studio.errors import InvalidInput, ModelUnavailable, NotEnoughMemory
from studio.library import Library
from studio.manager import Component, Manager, Recipe, Way
from studio.models import Bundled, ModelCard
from studio.residency import Plan
from studio.settings import Settings
from studio.studio import GUEST, Studio
from studio.tasks import Inpaint, Task, Write
from studio.warming import WarmUp
from tabs import _estimate
from tabs._run import Run

CARD = ModelCard(
    name="Talker", engine="talk", serves=("write",), source=Bundled(path="logo.svg"), starter=True, defaults={"max_new_tokens": 5}
)
LARGE = 600_000_000


class Engine:
    """A writer whose parts have sizes: `working` bytes in its own way, a tenth in the other; it counts what it loads and runs."""

    def __init__(self) -> None:
        self.working = 100
        self.log: list[str] = []
        self.hold = threading.Event()
        self.hold.set()

    def recipe(self, card: ModelCard, task: Task, device: Device) -> Recipe:
        def load(_: object) -> object:
            self.log.append("load")
            return object()

        def build(values: Mapping[str, Any]) -> Any:
            return self._write

        way = Way("short", "a shorter memory", lambda _: self.working // 10, build)
        return Recipe({"model": Component("talker", LARGE, load)}, build, lambda _: self.working, (way,))

    def _write(self, task: Write, report: Any) -> Iterator[Passage]:
        self.log.append(f"run {task.prompt}")
        assert self.hold.wait(20)
        yield Passage("words", 1, 1)


@pytest.fixture(autouse=True)
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """No framework is imported for these tests."""
    monkeypatch.setattr(foresight, "FRAMEWORKS", ("json",))
    monkeypatch.setattr(warming, "FRAMEWORKS", ("json",))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine()
    monkeypatch.setattr(models, "engines", lambda: {"talk": SimpleNamespace(CARDS=(CARD,), recipe=engine.recipe)})
    return engine


@pytest.fixture
def studio(engine: Engine, tmp_path: Path) -> Iterator[Studio]:
    studio = opened(tmp_path)
    yield studio
    studio.close()


def opened(home: Path, **settings: Any) -> Studio:
    made = Settings(home=home / "home", cache=home / "cache", offline=True, **settings)
    device = Device("cpu", 1)
    return Studio(made, (CARD,), device, Manager(device), Library(made.home))


def soon(true: Any) -> bool:
    deadline = time.monotonic() + 20
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(true())


def test_named_models_are_loaded_after_the_first_page_and_no_run_is_made(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming, "AFTER", 0.01)
    studio = opened(tmp_path, warm=" talker , ")
    assert engine.log == []
    for _ in range(3):
        studio.served()
    assert soon(lambda: engine.log and studio.manager.status().residents)
    studio.close()
    assert engine.log == ["load"]


def test_a_name_that_no_model_has_is_refused_at_the_start(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--warm names Nobody"):
        opened(tmp_path, warm="Talker, Nobody")


def test_what_cannot_be_loaded_is_told_in_the_log_and_the_next_one_is(caplog: pytest.LogCaptureFixture) -> None:
    loaded: list[str] = []

    def load(name: str, kind: str) -> Iterator[Event]:
        if name == "Far":
            raise ModelUnavailable("Far is not on this machine yet.")
        loaded.append(f"{name} {kind}")
        yield Progress("loading")

    with caplog.at_level("WARNING"):
        WarmUp([CARD.model_copy(update={"name": "Far"}), CARD], load, after=0).start()
        assert soon(lambda: loaded)
    assert loaded == ["Talker write"] and "Far was not loaded" in caplog.text


def test_frameworks_are_imported_once_the_machine_is_calm_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    load: list[float] = [90.0, 10.0]
    imported: list[str] = []
    monkeypatch.setattr(warming.psutil, "cpu_percent", lambda: load[0])
    monkeypatch.setattr(warming, "LOOK", 0.02)
    monkeypatch.setattr(warming, "importlib", SimpleNamespace(import_module=imported.append))
    monkeypatch.setattr(warming, "FRAMEWORKS", ("json", "no_such_framework"))
    warm = WarmUp([], lambda name, kind: iter(()), after=0)
    warm.start()
    time.sleep(0.1)
    assert imported == []
    load.pop(0)
    assert soon(lambda: imported) and imported == ["json"]


def test_an_ending_studio_warms_nothing_up(engine: Engine, tmp_path: Path) -> None:
    studio = opened(tmp_path, warm="Talker")
    studio.close()
    studio.served()
    time.sleep(0.1)
    assert engine.log == []


def test_before_a_run_the_page_says_what_it_will_do_to_the_memory_and_nothing_once_all_is_there(studio: Studio, engine: Engine) -> None:
    asked = Write(prompt="x")
    assert _estimate.words(studio, asked) == "Needs 600 MB of memory: loads 600 MB."
    engine.working = 500_000_000
    assert _estimate.words(studio, asked) == "Needs 650 MB of memory: loads 600 MB, a shorter memory."
    engine.working = 100
    assert [e.record for e in studio.run(asked) if isinstance(e, Creation)]
    assert _estimate.words(studio, asked) == ""
    engine.working = 10_000_000_000
    assert "choose a smaller size" in _estimate.words(studio, asked)


def test_a_page_waits_for_no_framework_and_no_file_to_be_told_of_memory(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    assert studio.memory(Write(prompt="x")) is not None
    assert not foresight.at_once(Inpaint(image="x", mask="x", prompt="x"))
    monkeypatch.setattr(foresight, "FRAMEWORKS", ("no_such_framework",))
    assert studio.memory(Write(prompt="x")) is None and _estimate.words(studio, Write(prompt="x")) == ""


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Plan(0, (), 10, needs=5_000_000_000), ""),
        (Plan(50_000_000, (), 10, needs=60_000_000), ""),
        (Plan(2_400_000_000, (), 10, needs=3_100_000_000), "Needs 3.1 GB of memory: loads 2.4 GB."),
        (Plan(0, ("a",), 10, needs=3_100_000_000), "Needs 3.1 GB of memory: moves another part out of memory."),
        (Plan(0, ("a", "b"), 1, "singly", "one by one", 3_100_000_000), "Needs 3.1 GB of memory: moves 2 parts out of memory, one by one."),
    ],
)
def test_a_plan_is_told_where_it_says_something(plan: Plan, words: str) -> None:
    assert foresight.in_words(plan) == words


def test_a_result_made_in_less_memory_says_so_in_its_record_and_on_the_page(studio: Studio, engine: Engine) -> None:
    engine.working = 500_000_000
    run = Run(Write(prompt="x"), studio.run(Write(prompt="x")), cast("Any", None))
    (made,) = list(run)[-1].creations
    assert cast("Any", made.record)["facts"]["memory"] == "a shorter memory"
    assert "Made in less memory: a shorter memory." in run.stage()
    engine.working = 100
    run = Run(Write(prompt="x"), studio.run(Write(prompt="x")), cast("Any", None))
    (made,) = list(run)[-1].creations
    assert "memory" not in cast("Any", made.record)["facts"] and "less memory" not in run.stage()


def test_guests_take_turns_by_their_browser_sessions(studio: Studio, engine: Engine) -> None:
    engine.hold.clear()
    threads: list[threading.Thread] = []
    for number, session in enumerate(("one", "one", "one", "two")):
        given = (Write(prompt=f"{session} {number}"), GUEST, session)
        threads.append(threading.Thread(target=lambda given=given: list(studio.run(*given))))
        threads[-1].start()
        assert soon(lambda number=number: studio.manager.waiting() == number + 1)
    engine.hold.set()
    for thread in threads:
        thread.join(20)
    assert [line for line in engine.log if line.startswith("run")] == ["run one 0", "run two 3", "run one 1", "run one 2"]


def test_too_little_memory_is_known_before_anything_is_loaded(studio: Studio, engine: Engine) -> None:
    engine.working = 10_000_000_000
    with pytest.raises(NotEnoughMemory):
        list(studio.run(Write(prompt="x")))
    assert engine.log == []
