"""The studio's manager waits for weights no longer than it must: two simulated days beside other programs' policies and the best possible.

benchmarks/residency.py does the same with eight days and prints the table.
"""

from __future__ import annotations

import pytest

from benchmarks._days import GB, JOBS, PARTS, PIPELINES, day
from benchmarks._policies import Atomic, Belady, ComfyUI, ComponentsManager, InvokeAI, OneByOne, Policy, Swap, WholeAtomic, WholeBelady
from benchmarks._simulation import Ours

pytestmark = pytest.mark.usefixtures("small_heap")

SEEDS = (1, 2)


def stall(make: type[Policy], budget: int, copies: bool = False, jobs: int = JOBS) -> float:
    """Milliseconds a job, over both days."""
    return sum(make(budget, copies=copies).run(day(seed, budget, jobs))[0].milliseconds for seed in SEEDS) / len(SEEDS)


def test_a_day_is_the_same_at_every_call_and_asks_for_everything_there_is() -> None:
    jobs = day(1, 48 * GB)
    assert jobs == day(1, 48 * GB) and jobs != day(2, 48 * GB)
    assert (len(jobs), len(PARTS), len(PIPELINES)) == (JOBS, 20, 10)
    assert {part for job in jobs for part in job.parts} == set(PARTS)
    assert all(sum(job.parts.values()) + job.most <= 24 * GB for job in day(1, 24 * GB))


@pytest.mark.parametrize("gigabytes", [24, 48])
def test_the_manager_stalls_little_more_than_the_offline_optimum_and_far_less_than_others(gigabytes: int) -> None:
    budget = gigabytes * GB
    results = [Ours(budget).run(day(seed, budget))[0] for seed in SEEDS]
    ours = sum(result.milliseconds for result in results) / len(SEEDS)
    assert [result.over for result in results] == [0, 0]
    assert 0 < ours <= 1.3 * stall(WholeBelady, budget)
    assert ours <= 0.3 * stall(Swap, budget, copies=True)
    assert ours <= 0.2 * stall(OneByOne, budget, copies=True)
    assert ours <= 0.45 * stall(ComfyUI, budget, copies=True)
    assert ours <= 0.45 * stall(ComponentsManager, budget, copies=True)
    assert ours <= 0.85 * stall(InvokeAI, budget)


def test_loading_ahead_shortens_the_stall_and_never_passes_the_budget() -> None:
    budget, jobs, host = 48 * GB, day(1, 48 * GB, 2 * JOBS), 256 * GB
    first, ahead = Ours(budget, host).run(jobs)
    assert first.over == ahead.over == 0
    assert 0 < ahead.stall <= 0.9 * Ours(budget, host, ahead=False).run(jobs)[1].stall
    assert ahead.stall <= 1.2 * Belady(budget, rate="in, pinned").run(jobs)[1].stall


def test_the_optimum_is_below_every_policy_and_a_large_device_moves_each_weight_once() -> None:
    for gigabytes in (24, 80):
        budget = gigabytes * GB
        best = stall(Belady, budget, jobs=120)
        others = (WholeBelady, Atomic, WholeAtomic, InvokeAI, ComfyUI, ComponentsManager, Swap)
        assert best <= min(stall(make, budget, jobs=120) for make in others)
    everything = sum(PARTS.values())
    for make in (Belady, Atomic, WholeAtomic, InvokeAI, ComfyUI, ComponentsManager):
        assert make(4 * everything).run(day(1, 4 * everything))[0].moved == everything
    assert Ours(4 * everything).run(day(1, 4 * everything))[0].moved == everything
