"""Several devices: a job goes where its model is, to free room, past a long queue, and never where it does not fit."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio import device as devices
from studio.creations import Creation
from studio.device import Device
from studio.errors import NotEnoughMemory
from studio.manager import Manager, Recipe
from studio.pinned import Pinned
from studio.settings import Settings
from studio.several import PATIENT, Several
from studio.studio import Studio
from studio.tasks import TextToImage
from tests import fake_device as fake

SIZES: Mapping[str, Mapping[str, int]] = {"a": {"a": 60}, "b": {"b": 60}, "c": {"c": 30, "shared": 20}, "d": {"d": 30, "shared": 20}}


class Hall:
    """A manager of several fake devices, with the memory behind each."""

    def __init__(self, *budgets: int) -> None:
        self.hosts = [fake.Host(budget) for budget in budgets]
        first, *others = map(fake.device, self.hosts)
        self.manager = Several(first, found=lambda: others)

    def place(self, sizes: Mapping[str, int], working: int = 10) -> tuple[int, Manager, Recipe]:
        """Where a job would go now."""
        manager, recipe = self.manager.route(self.on(sizes, working), fake.task())
        return self.hosts.index(host_of(manager.device)), manager, recipe

    def run(self, name: str) -> int:
        """Run a job of SIZES to its end; returns where."""
        number, manager, recipe = self.place(SIZES[name])
        assert fake.run(manager, recipe, fake.task()) == fake.expected(SIZES[name], fake.task())
        return number

    @staticmethod
    def on(sizes: Mapping[str, int], working: int) -> Callable[[Device], Recipe]:
        return lambda device: fake.recipe(host_of(device), sizes, working)


def met(both: threading.Barrier) -> Callable[[str, str], None]:
    """What lets a run begin when the other has begun."""

    def at(point: str, key: str) -> None:
        del key
        if point == "begin":
            both.wait()

    return at


def host_of(device: Device) -> fake.Host:
    assert isinstance(device, fake.FakeDevice)
    return device.host


def test_a_model_goes_where_there_is_room_and_stays_there() -> None:
    hall = Hall(100, 100)
    assert [hall.run(name) for name in ("a", "b", "a", "b", "b", "a")] == [0, 1, 0, 1, 1, 0]
    assert [dict(host.loads) for host in hall.hosts] == [{"a": 1}, {"b": 1}]


def test_a_job_goes_where_it_fits() -> None:
    hall = Hall(50, 200)
    assert hall.place({"large": 150})[0] == 1
    number, manager, recipe = hall.place({"huge": 500})
    assert number == 0
    with pytest.raises(NotEnoughMemory):
        fake.run(manager, recipe, fake.task())


def test_a_device_where_a_job_needs_no_way_in_less_memory_comes_first() -> None:
    hall = Hall(70, 100)
    manager, recipe = hall.manager.route(lambda device: fake.recipe(host_of(device), {"a": 60}, 30, ways={"tiled": 5}), fake.task())
    assert host_of(manager.device) is hall.hosts[1] and manager.plan(recipe, fake.task()).way == ""


def test_a_job_leaves_its_model_for_a_queue_that_is_shorter_by_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall(100, 100)
    assert hall.run("a") == 0
    ahead = {hall.manager: PATIENT - 1}
    monkeypatch.setattr(Manager, "waiting", lambda manager: ahead.get(manager, 0))
    assert hall.place(SIZES["a"])[0] == 0
    ahead[hall.manager] = PATIENT
    assert hall.place(SIZES["a"])[0] == 1


def test_of_two_devices_without_the_model_the_one_with_the_shorter_queue_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall(100, 100)
    monkeypatch.setattr(Manager, "waiting", lambda manager: int(manager is hall.manager))
    assert hall.place(SIZES["a"])[0] == 1


def test_two_devices_work_at_the_same_time() -> None:
    hall = Hall(100, 100)
    assert (hall.run("a"), hall.run("b")) == (0, 1)
    both = threading.Barrier(2, timeout=20)
    for host in hall.hosts:
        host.at = met(both)
    ran = [threading.Thread(target=hall.run, args=(name,)) for name in ("a", "b")]
    for thread in ran:
        thread.start()
    for thread in ran:
        thread.join(30)
    assert not both.broken and not any(thread.is_alive() for thread in ran)


def test_what_is_resident_is_told_for_each_device_and_for_all() -> None:
    hall = Hall(100, 200)
    assert hall.manager.status().residents == () and len(hall.manager.statuses()) == 1
    assert (hall.run("a"), hall.run("b")) == (0, 1)
    assert [[resident.key for resident in status.residents] for status in hall.manager.statuses()] == [["a"], ["b"]]
    whole = hall.manager.status()
    assert {resident.key for resident in whole.residents} == {"a", "b"} and whole.budget == 300
    assert whole.traffic["loaded"] == (2, 120) and [moment.key for moment in whole.moments] == ["b", "a"]
    assert hall.manager.room() == 200 and hall.manager.waiting() == 0


def test_parts_are_kept_and_let_go_wherever_they_are() -> None:
    hall = Hall(100, 100)
    assert (hall.run("a"), hall.run("b")) == (0, 1)
    assert hall.manager.pin("b") and not hall.manager.pin("nothing")
    assert [resident.pinned for status in hall.manager.statuses() for resident in status.residents] == [False, True]
    assert hall.manager.unload("b") == 60 and hall.manager.unload() == 60
    hall.run("a")
    hall.manager.close()
    assert [host.live for host in hall.hosts] == [0, 0]


@pytest.mark.parametrize("seed", range(3))
def test_many_jobs_on_three_devices_end_as_they_would_alone(seed: int) -> None:
    hall = Hall(80, 100, 130)
    problems: list[Exception] = []

    def work(number: int) -> None:
        chance = random.Random(seed * 100 + number)
        try:
            for _ in range(60):
                hall.run(chance.choice(list(SIZES)))
        except Exception as error:  # noqa: BLE001 - told by the test
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not problems and not any(thread.is_alive() for thread in threads)
    assert [host.problems for host in hall.hosts] == [[], [], []]
    assert all(host.loads for host in hall.hosts)


# The machine's own devices -----------------------------------------------------------------------------------------------------------


def test_the_devices_of_a_machine_have_places_and_share_pinned_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    first = Device("cuda", 4.0)
    others = first.others()
    assert [first.place, *(other.place for other in others)] == ["cuda", "cuda:1", "cuda:2"]
    assert [other.budget_gb for other in others] == [None, None]
    assert isinstance(first.pinned, Pinned) and all(other.pinned is first.pinned for other in others)
    assert [other.others() for other in others] == [(), ()]
    assert Device("cpu").others() == () and Device("cpu").place == "cpu"
    assert replace(others[0], wanted="cpu", index=None).place == "cpu"


def test_each_device_is_asked_for_its_own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    free = {None: 10_000_000_000, 1: 20_000_000_000}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (free[index], 0))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda index: 0)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda index: 0)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU {index or 0}")
    rooms = {device.name: device.room(0) for device in (Device("cuda"), Device("cuda", index=1))}
    assert rooms == {"GPU 0": int(10e9 * devices.SHARE), "GPU 1": int(20e9 * devices.SHARE)}


def test_a_studio_makes_the_same_picture_on_each_device_and_the_record_says_which(
    starter_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Device, "name", property(lambda device: "first" if device.budget_gb is None else "second"))
    studio = Studio.open(Settings(home=tmp_path / "home", cache=starter_cache, offline=True, device="cpu"))
    studio.manager = Several(studio.device, found=lambda: [Device("cpu", 2.0)])
    asked: dict[str, Any] = {"prompt": "a red apple", "seed": 7, "width": 128, "height": 128}
    made: list[tuple[str, bytes]] = []
    try:
        for ahead in (0, PATIENT):
            with monkeypatch.context() as patched:
                patched.setattr(Manager, "waiting", lambda manager, ahead=ahead: ahead if manager is studio.manager else 0)
                (creation,) = (event for event in studio.run(TextToImage.checked(asked)) if isinstance(event, Creation))
            made.append((str(creation.record["device"]), creation.path.read_bytes()))
    finally:
        studio.close()
    assert [name for name, _ in made] == ["first", "second"]
