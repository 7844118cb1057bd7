"""What stays in memory, what a change of models costs, and whether memory stays flat: the manager's claims, each with its bar.

1. The studio's own manager, with its threads, its queue and its pinned copies, over four times two simulated days of 400 jobs at 24, 48
   and 80 GB, beside the policies of other programs (_policies.py says from which files) and the offline optimum, which loads when a job
   begins, all of it from pinned memory. The stall of a job is the time for which it waits for weights at assumed rates. On the first day
   every file is read for the first time; the bars are for the second. In a host of 256 GB every copy may stay pinned, in one of 128 GB
   half of them.
2. What a decision costs: `plan` with 22 and with 1,000 components resident, where something must go; the lease of a resident pipeline;
   and the search of diffusers' ComponentsManager, the library's own code, over 15 to 22 modules.
3. Real memory: two tiny but real diffusion pipelines under a budget that holds one of them, loaded, run and let go by turns.
"""

from __future__ import annotations

import gc
import importlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import _measure

from benchmarks._cycles import cycles, leaves
from benchmarks._days import GB, JOBS, Job
from benchmarks._days import day as jobs_of
from benchmarks._policies import (
    Atomic,
    Belady,
    ComfyUI,
    ComponentsManager,
    InvokeAI,
    OneByOne,
    Result,
    Swap,
    SwapWhenFull,
    WholeAtomic,
    WholeBelady,
)
from benchmarks._simulation import Ours
from studio.manager import Manager, Recipe
from tests import fake_device as fake

SEEDS = range(4)
BUDGETS = (24, 48, 80)
CYCLES = 200
Days = Callable[[int, int], list[Result]]
PINNED = "in, pinned"
OURS = ("the studio, host of 256 GB", "the same, nothing loaded ahead", "the studio, host of 128 GB")


def day(seed: int, budget: int) -> list[Job]:
    """Two days."""
    return jobs_of(seed, budget, 2 * JOBS)


POLICIES: dict[str, Days] = {
    "accelerate, component by component": lambda budget, seed: OneByOne(budget, copies=True).run(day(seed, budget)),
    'swapping by .to("cpu")': lambda budget, seed: Swap(budget, copies=True).run(day(seed, budget)),
    "the same, only where it is full": lambda budget, seed: SwapWhenFull(budget, copies=True).run(day(seed, budget)),
    "diffusers ComponentsManager": lambda budget, seed: ComponentsManager(budget, copies=True).run(day(seed, budget)),
    "ComfyUI, legacy": lambda budget, seed: ComfyUI(budget, copies=True).run(day(seed, budget)),
    "InvokeAI": lambda budget, seed: InvokeAI(budget).run(day(seed, budget)),
    "least recently used, whole": lambda budget, seed: WholeAtomic(budget).run(day(seed, budget)),
    "least recently used, in parts": lambda budget, seed: Atomic(budget).run(day(seed, budget)),
    "optimum, whole components": lambda budget, seed: WholeBelady(budget, PINNED).run(day(seed, budget)),
    "optimum, parts of components": lambda budget, seed: Belady(budget, PINNED).run(day(seed, budget)),
    OURS[0]: lambda budget, seed: Ours(budget, 256 * GB).run(day(seed, budget)),
    OURS[1]: lambda budget, seed: Ours(budget, 256 * GB, ahead=False).run(day(seed, budget)),
    OURS[2]: lambda budget, seed: Ours(budget).run(day(seed, budget)),
}
BARS = (
    ("optimum, whole components", 1.3),
    ("optimum, parts of components", 1.3),
    ('swapping by .to("cpu")', 0.15),
    ("the same, only where it is full", 0.15),
    ("ComfyUI, legacy", 0.1),
    ("InvokeAI", 0.25),
)


def main() -> None:
    """Measure and print."""
    gc.collect()
    gc.freeze()
    simulated()
    decisions()
    memory()
    print(f"  {_measure.machine()}")


def verdict(value: float, bar: float) -> str:
    """Whether a figure is at most its bar."""
    return f"(bar {bar:g}: {'passed' if value <= bar else 'missed'})"


def simulated() -> None:
    """The days."""
    importlib.import_module("torch")  # what is pinned is a module of it
    sizes = ", ".join(f"{size} GB" for size in BUDGETS)
    print(f"stall per job in ms, and jobs over budget of {JOBS}, on the second of two days, {len(SEEDS)} times, at {sizes}; the first")
    stalls: dict[str, list[float]] = {}
    for name, serve in POLICIES.items():
        days = [[serve(size * GB, seed) for seed in SEEDS] for size in BUDGETS]
        first, stalls[name] = ([statistics.mean(pair[number].milliseconds for pair in found) for found in days] for number in (0, 1))
        over = [statistics.mean(pair[1].over for pair in found) for found in days]
        table = "".join(f"{ms:8.1f}{jobs:6.0f}" for ms, jobs in zip(stalls[name], over, strict=True))
        print(f"  {name:34}{table};" + "".join(f"{ms:8.1f}" for ms in first), flush=True)
        if name in OURS:
            most = sum(result.over for found in days for pair in found for result in pair)
            print(f"    its jobs over budget: {most} {verdict(most, 0)}")
    for ours in OURS:
        print(f"  {ours}, against")
        for name, bar in BARS:
            ratios = [a / b for a, b in zip(stalls[ours], stalls[name], strict=True)]
            print(f"    {name:32}" + "  ".join(f"{ratio:5.2f} {verdict(ratio, bar)}" for ratio in ratios))


def decisions() -> None:
    """What a decision costs."""
    for count in (22, 1000):
        manager, newcomer = crowded(count)
        cost = best(lambda manager=manager, newcomer=newcomer: manager.plan(newcomer, fake.task()))
        print(f"plan with {count} components, one of which must go: {1e6 * cost:.0f} microseconds {verdict(1e6 * cost, 100)}")
    host = fake.Host(100)
    manager, what = Manager(fake.device(host)), fake.recipe(host, {"a": 10, "b": 10, "c": 10, "d": 10}, 5)
    fake.run(manager, what, fake.task())
    cost = best(lambda: leased(manager, what))
    print(f"lease of a resident pipeline: {1000 * cost:.3f} ms {verdict(1000 * cost, 0.2)}")
    theirs = {count: searching(count) for count in (15, 18, 20, 22)}
    print("diffusers ComponentsManager, its search: " + ", ".join(f"{cost:.2f} s at {count}" for count, cost in theirs.items()))


def crowded(count: int) -> tuple[Manager, Recipe]:
    """A manager that is full with `count` components, and a recipe of four others for which one must go."""
    host = fake.Host(10 * count)
    manager = Manager(fake.device(host))
    for number in range(count):
        fake.run(manager, fake.recipe(host, {f"part {number}": 10}), fake.task())
    return manager, fake.recipe(host, {"new a": 3, "new b": 3, "new c": 2, "new d": 1}, 1)


def leased(manager: Manager, recipe: Recipe) -> None:
    """A lease in which nothing is done."""
    with manager.lease(recipe, fake.task(), lambda _: None):
        pass


def best(work: Callable[[], object], rounds: int = 7, times: int = 300) -> float:
    """Seconds of one call: the median over rounds of the mean."""
    return statistics.median(_measure.cpu_seconds(lambda: [work() for _ in range(times)]) / times for _ in range(rounds))


def searching(count: int) -> float:
    """CPU-seconds in which diffusers' own code chooses what to offload, with `count` modules on a full device."""
    theirs: Any = importlib.import_module("diffusers.modular_pipelines.components_manager")

    def module(gigabytes: float) -> Any:
        return SimpleNamespace(get_memory_footprint=lambda: round(gigabytes * (1 << 30)))

    hooks = [SimpleNamespace(model_id=f"m{number}", model=module(0.17 + 0.61 * number)) for number in range(count)]
    full = SimpleNamespace(mem_get_info=lambda: (3 << 30, 80 << 30))
    with mock.patch.object(theirs, "TorchDeviceBackend", return_value=full):
        choose = theirs.AutoOffloadStrategy("3GB")
        return _measure.cpu_seconds(lambda: choose(hooks, "new", module(30), "cuda"))


def memory() -> None:
    """Resident memory over `CYCLES` changes between two pipelines."""
    folder = Path(tempfile.mkdtemp(prefix="atelier-bench-"))
    found = cycles(folder, CYCLES)
    first, warm, last = found[1], found[len(found) // 10], statistics.median(found[-5:])  # the second load is the first that evicts
    print(f"resident memory after {CYCLES} load and evict cycles: {last / first:.4f} of the first {verdict(last / first, 1.02)},")
    print(f"  {last / warm:.4f} of cycle {len(found) // 10}; {first / 1e6:.0f} MB after the first")
    print(f"  what reading the same files as often leaves in safetensors itself: {leaves(folder, CYCLES) / 1e6:.1f} MB")


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    print(f"  {time.perf_counter() - began:.0f} s", file=sys.stderr)
