"""Ways with parts of their own, and parts that are needed only at first: a job needs the most of its stages, never their sum."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.creations import Progress
from studio.errors import Cancelled, NotEnoughMemory
from studio.ledger import Ledger
from studio.manager import Component, Manager, Way
from studio.residency import Plan
from tests import fake_device as fake

TASK = fake.task()
SIZES = {"encoder": 60, "unet": 70, "vae": 10}


def machine(budget: int = 100, *, ahead: bool | None = None) -> tuple[fake.Host, Manager]:
    host = fake.Host(budget)
    return host, Manager(fake.device(host), ahead=ahead)


def names(manager: Manager) -> set[str]:
    return {resident.key for resident in manager.status().residents}


def test_what_is_read_first_makes_room_for_the_rest_and_the_result_is_the_same() -> None:
    host, manager = machine()
    what = fake.recipe(host, SIZES, 15, apart=("encoder",))
    assert manager.plan(what, TASK) == Plan(140, (), 15, "apart", "apart", 95)
    assert fake.run(manager, what, TASK) == fake.expected(SIZES, TASK)
    assert host.problems == [] and host.peak == 95
    assert names(manager) == {"unet", "vae"} and manager.status().working == 0


def test_what_was_read_before_is_not_read_again() -> None:
    host, manager = machine()
    what = fake.recipe(host, SIZES, 15, apart=("encoder",))
    for _ in range(3):
        assert fake.run(manager, what, TASK) == fake.expected(SIZES, TASK)
    assert host.loads == {"encoder": 1, "unet": 1, "vae": 1}
    assert manager.plan(what, TASK) == Plan(0, (), 15, "apart", "apart", 95)


def test_a_way_is_gone_only_where_both_of_its_stages_fit() -> None:
    for sizes, working in (({**SIZES, "encoder": 100}, 15), (SIZES, 21)):
        host, manager = machine()
        with pytest.raises(NotEnoughMemory):
            fake.run(manager, fake.recipe(host, sizes, working, apart=("encoder",)), TASK)
        assert not host.loads, "nothing is loaded for a job that cannot be done"


@pytest.mark.parametrize("fault", [Cancelled, MemoryError, ValueError])
def test_a_job_that_ends_while_it_reads_holds_nothing(fault: type[BaseException]) -> None:
    host, manager = machine()
    what = fake.recipe(host, SIZES, 15, apart=("encoder",))

    def report(event: object) -> None:
        if isinstance(event, Progress) and event.note == "reading":
            raise fault

    with pytest.raises(fault):
        fake.run(manager, what, TASK, report)
    status = manager.status()
    assert status.working == 0 and not any(resident.in_use for resident in status.residents)
    assert fake.run(manager, what, TASK) == fake.expected(SIZES, TASK)
    assert host.problems == []


def test_a_pinned_encoder_may_keep_the_rest_out_and_it_is_said_in_words() -> None:
    host, manager = machine()
    what = fake.recipe(host, SIZES, 15, apart=("encoder",))

    def report(event: object) -> None:
        if isinstance(event, Progress) and event.note == "reading":
            manager.pin("encoder")

    with pytest.raises(NotEnoughMemory, match="release a model under Models"):
        fake.run(manager, what, TASK, report)
    assert host.problems == [] and manager.status().working == 0


def test_a_way_may_have_parts_of_its_own() -> None:
    host, manager = machine()
    plain = fake.recipe(host, SIZES, 15)
    small = fake.recipe(host, {"small unet": 20, "encoder": 60, "vae": 10}, 5)
    what = replace(plain, ways=(Way("small", "in small numbers", small.working_bytes, small.build, small.components),))
    assert manager.plan(what, TASK) == Plan(90, (), 5, "small", "in small numbers", 95)
    assert fake.run(manager, what, TASK) == fake.expected({"small unet": 20, "encoder": 60, "vae": 10}, TASK)
    assert names(manager) == {"small unet", "encoder", "vae"} and host.problems == []


def test_what_a_job_needs_first_is_loaded_ahead_of_its_turn() -> None:
    host, manager = machine(200, ahead=True)
    what = fake.recipe(host, {"encoder": 90, "unet": 150}, 15, beside=True, apart=("encoder",))
    with manager.lease(fake.recipe(host, {"other": 20}), TASK, lambda _: None):
        import threading

        second = threading.Thread(target=fake.run, args=(manager, what, TASK))
        second.start()
        for _ in range(600):
            if host.loads["encoder"]:
                break
            time.sleep(0.05)
        assert host.loads == {"other": 1, "encoder": 1}
    second.join(60)
    assert host.loads == {"other": 1, "encoder": 1, "unet": 1} and host.problems == []
    manager.close()


def test_a_run_that_finds_too_little_keeps_the_parts_of_its_way_alone() -> None:
    host, manager = machine(300)
    what = fake.recipe(host, SIZES, 15, apart=("encoder",))
    fake.run(manager, what, TASK)
    own = Way("own", "", what.working_bytes, what.build, {"vae": what.components["vae"]})
    assert manager.relieve(replace(what, ways=(own,)), way="own") == 130
    assert names(manager) == {"vae"}


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(("use", "hold", "pin", "free", "drop"))), max_size=40))
def test_what_may_go_is_counted_as_it_stands(orders: list[tuple[str, str]]) -> None:
    ledger, held = Ledger(1000), list[str]()
    for key, order in orders:
        size = 10 * (ord(key) - 90)
        if order in ("use", "hold"):
            ledger.reserve({key: size}, 0)
            ledger.holdings[key].value = key
            held.append(key) if order == "hold" else ledger.release([key], 0)
        elif order == "drop" and key in held:
            held.remove(key)
            ledger.release([key], 0)
        elif key in ledger.holdings:
            ledger.pin(key, order == "pin")
        kept = [holding for holding in ledger.holdings.values() if holding.leases or holding.pinned]
        assert ledger.fixed == sum(holding.bytes for holding in kept)
        loose = [holding for holding in ledger.holdings.values() if holding not in kept]
        if loose:
            assert ledger.victims([], ledger.free + sum(holding.bytes for holding in loose)) == loose
    with pytest.raises(NotEnoughMemory):
        ledger.victims([], ledger.budget - ledger.fixed + 1)


def test_a_decision_among_many_parts_is_quick() -> None:
    host = fake.Host(10_000)
    manager = Manager(fake.device(host))
    for number in range(1000):
        fake.run(manager, fake.recipe(host, {f"part {number}": 10}), TASK)
    newcomer = fake.recipe(host, {"new": 4991}, 1, apart=())
    took = list[float]()
    for _ in range(20):
        began = time.thread_time()
        assert len(manager.plan(newcomer, TASK).evicts) == 500
        took.append(time.thread_time() - began)
    assert min(took) < 0.001  # 70 microseconds


def test_a_component_of_no_bytes_takes_no_room() -> None:
    host, manager = machine(10)
    afar = Component("afar", 0, lambda _: fake.Weights(host, "afar", 0))
    what = replace(fake.recipe(host, {"near": 10}), components={"near": fake.component(host, "near", 10), "afar": afar})
    fake.run(manager, what, TASK)
    fake.run(manager, fake.recipe(host, {"other": 10}), TASK)
    assert "other" in names(manager) and host.problems == []
