"""What runs took is learned, kept on disk whole, and shared by processes; a device tells it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from studio import device as machine
from studio.creations import Media
from studio.device import Device
from studio.manager import Component, Manager, Recipe
from studio.peaks import GRAIN, KEPT, Peaks
from studio.tasks import Task, Write

TASK = Write(prompt="x")


def test_a_formula_counts_until_a_run_was_seen_and_then_the_most_that_was_seen(tmp_path: Path) -> None:
    peaks = Peaks(tmp_path / "peaks.json")
    assert peaks.working("sd 512", 700 * GRAIN) == 700 * GRAIN
    for peak in (300, 500, 400):
        peaks.learn("sd 512", peak * GRAIN)
    assert peaks.working("sd 512", 700 * GRAIN) == int(550 * GRAIN)
    assert peaks.working("sd 512", 700 * GRAIN, at_least=True) == 700 * GRAIN
    assert peaks.working("sd 768", 9) == 9


def test_what_was_learned_outlives_the_process_and_what_was_guessed_does_not(tmp_path: Path) -> None:
    peaks = Peaks(tmp_path / "peaks.json")
    peaks.learn("a", 10 * GRAIN)
    peaks.short("b", 100)
    assert peaks.working("b", 100) == 130
    again = Peaks(tmp_path / "peaks.json")
    assert again.working("a", 1) == 11 * GRAIN and again.working("b", 100) == 100


def test_two_processes_keep_what_the_other_learned(tmp_path: Path) -> None:
    one, other = Peaks(tmp_path / "peaks.json"), Peaks(tmp_path / "peaks.json")
    assert one.working("a", 5) == other.working("a", 5) == 5
    one.learn("a", GRAIN)
    other.learn("b", GRAIN)
    assert set(json.loads((tmp_path / "peaks.json").read_text())) == {"a", "b"}


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"a": "much", "b": -1}', "[" * 100_000])
def test_a_damaged_file_costs_what_was_learned_and_no_run(tmp_path: Path, content: str) -> None:
    (tmp_path / "peaks.json").write_text(content)
    peaks = Peaks(tmp_path / "peaks.json")
    assert peaks.working("a", 7) == 7
    peaks.learn("a", GRAIN)
    assert Peaks(tmp_path / "peaks.json").working("a", 7) == int(1.1 * GRAIN)


def test_where_nothing_can_be_written_it_is_learned_all_the_same(tmp_path: Path) -> None:
    peaks = Peaks(tmp_path / "no such folder" / "peaks.json")
    peaks.learn("a", GRAIN)
    assert peaks.working("a", 7) == int(1.1 * GRAIN)


def test_the_file_stays_small(tmp_path: Path) -> None:
    file = tmp_path / "peaks.json"
    file.write_text(json.dumps({str(number): GRAIN for number in range(KEPT + 5)}))
    Peaks(file).learn("new", GRAIN)
    kept = json.loads(file.read_text())
    assert len(kept) == KEPT and "new" in kept and "0" not in kept


def test_a_process_killed_while_it_writes_leaves_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "peaks.json"
    code = f"""
from pathlib import Path
from studio.peaks import GRAIN, Peaks
peaks = Peaks(Path({str(file)!r}))
for number in range(10**6):
    peaks.learn(f"model {{number % 50}}", number * GRAIN)
    print(flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(120):
        process.stdout.readline()
    process.kill()
    process.communicate()
    assert len(json.loads(file.read_text())) == 50


def recipe(block: int) -> Recipe:
    def run(task: Task, report: object) -> tuple[Media, ...]:
        assert np.ones(block, np.uint8).all()
        return ()

    parts = {"a": Component("a", 1000, lambda _: object())}
    return Recipe(parts, lambda values: run, lambda _: 1000, key="model", shape=lambda _: "512x512")


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is known under Linux alone")
def test_the_manager_learns_what_a_run_took_and_promises_it_to_the_next(tmp_path: Path) -> None:
    file = tmp_path / "peaks.json"
    manager = Manager(Device("cpu", 1), 0, Peaks(file))
    large = recipe(200_000_000)
    assert manager.plan(large, TASK).working == 1000
    with manager.lease(large, TASK, lambda _: None) as pipeline:
        list(pipeline(TASK, lambda _: None))
    assert 180e6 < json.loads(file.read_text())["cpu model - 512x512"] < 400e6
    assert 200e6 < Manager(Device("cpu", 1), 0, Peaks(file)).plan(large, TASK).working < 450e6


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is known under Linux alone")
def test_what_ran_is_never_refused_for_what_it_was_seen_to_take() -> None:
    manager = Manager(Device("cpu", 0.1))
    with manager.lease(recipe(150_000_000), TASK, lambda _: None) as pipeline:
        list(pipeline(TASK, lambda _: None))
    assert 60e6 < manager.plan(recipe(1), TASK).working < 100e6


def test_the_room_of_a_device_is_what_is_free_and_held_and_no_more_than_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_free_memory", lambda: 10_000_000_000)
    monkeypatch.setattr(machine, "_own_memory", lambda: 2_000_000_000)
    assert Device("cpu").room(0) == 9_000_000_000
    assert Device("cpu").room(1_000_000_000) == 9_900_000_000
    assert Device("cpu").room(8_000_000_000) == 10_800_000_000, "the rest of what is held are mapped files, which are as good as free"
    assert Device("cpu", 4).room(8_000_000_000) == 4_000_000_000
    assert Device("cpu", 4).memory == 4_000_000_000


def test_a_control_group_s_limit_counts_less_what_it_could_drop(tmp_path: Path) -> None:
    for name, text in (("memory.max", "1000\n"), ("memory.current", "700\n"), ("memory.stat", "anon 500\ninactive_file 150\n")):
        (tmp_path / name).write_text(text)
    left = machine._left
    assert left(tmp_path, "memory.max", "memory.current", "inactive_file") == 450
    (tmp_path / "memory.max").write_text("max\n")
    assert left(tmp_path, "memory.max", "memory.current", "inactive_file") is None
