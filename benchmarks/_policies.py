"""Who stays in a device's memory: the policies of other programs, beside the best that could be. Not a script.

Each policy is written from what its program does (the file is named beside it) as far as it decides which weights move; where a program
estimates working memory, it gets the true figure, but for fixed floors that it has. All of them fetch from pageable memory, and those
with `copies` copy back what goes (`.to("cpu")`). All get more than they have: parts are shared between pipelines, and nothing is ever
read from a disk again (InvokeAI's share of the host's memory is not limited). A job's stall is the time its weights take to come, and to
go where the program copies them back, before it runs. Rates are assumptions, the same for all: see RATES.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks._days import GB, JOBS, Job

RATES = {"in": 12.0 * GB, "in, pinned": 50.0 * GB, "out": 8.0 * GB, "pin": 17.0 * GB}
"""MiB a second: host to device from pageable memory (a mapped file), from pinned memory, and back: PCIe 5 x16, assumed. "pin" is a copy
within the host's memory (34 GB/s of reading and writing on the machine that was measured)."""


@dataclass
class Result:
    """What a policy did over a day: seconds of stall, jobs that ran with more than the budget, MiB in and out."""

    stall: float = 0.0
    over: int = 0
    moved: int = 0
    copied: int = 0
    jobs: int = 0

    @property
    def milliseconds(self) -> float:
        """Stall of a job, on average."""
        return 1000 * self.stall / self.jobs


@dataclass
class Policy(ABC):
    """What is on the device, in MiB by component, the least recently used first. `copies`: what goes is copied back to the host."""

    budget: int
    rate: str = "in"
    copies: bool = False
    loaded: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int])
    sizes: dict[str, int] = field(default_factory=dict[str, int])
    later: deque[Job] = field(default_factory=deque[Job])

    def run(self, jobs: Sequence[Job]) -> list[Result]:
        """Serve the jobs in the order in which they came; what each day of JOBS cost, the last one as far as it goes."""
        days, self.later = [Result(jobs=min(JOBS, len(jobs) - start)) for start in range(0, len(jobs), JOBS)], deque(jobs)
        for number, job in enumerate(jobs):
            self.later.popleft()
            came, went, peak = self.serve(job)
            result = days[number // JOBS]
            result.moved += came
            result.copied += went if self.copies else 0
            result.over += peak > self.budget
        for result in days:
            result.stall = result.moved / RATES[self.rate] + result.copied / RATES["out"]
        return days

    @abstractmethod
    def serve(self, job: Job) -> tuple[int, int, int]:
        """MiB that came, MiB that went, and the most that was on the device at once."""

    @property
    def taken(self) -> int:
        """MiB on the device."""
        return sum(self.loaded.values())

    def bring(self, part: str, size: int) -> int:
        """Make a component wholly resident, as the last used. Returns the MiB that came."""
        self.sizes[part] = size
        came = size - self.loaded.pop(part, 0)
        self.loaded[part] = size
        return came

    def drop(self, names: Iterable[str], need: int, whole: bool) -> int:
        """Free at least `need` MiB of `names` in their order: exactly that, or whole components. Returns the MiB that went."""
        went = 0
        for name in names:
            if went >= need:
                break
            size = self.loaded[name]
            some = size if whole else min(size, need - went)
            self.loaded[name] -= some
            went += some
            if self.loaded[name] == 0:
                del self.loaded[name]
        return went


class Swap(Policy):
    """`pipe.to("cuda")`, and `.to("cpu")` for all others before it."""

    def serve(self, job: Job) -> tuple[int, int, int]:
        went = self.drop([name for name in self.loaded if name not in job.parts], 1 << 60, whole=True)
        came = sum(self.bring(part, size) for part, size in job.parts.items())
        return came, went, self.taken + job.most


class SwapWhenFull(Swap):
    """All others go, but only where there is no room beside them for the weights that are missing."""

    def serve(self, job: Job) -> tuple[int, int, int]:
        missing = sum(size - self.loaded.get(part, 0) for part, size in job.parts.items())
        if missing > self.budget - self.taken:
            return super().serve(job)
        return sum(self.bring(part, size) for part, size in job.parts.items()), 0, self.taken + job.most


class OneByOne(Policy):
    """accelerate's `enable_model_cpu_offload`: a component comes for its turn and goes back after it, whether or not there is room."""

    def serve(self, job: Job) -> tuple[int, int, int]:
        peak = max(size + job.working.get(part, 0) for part, size in job.parts.items())
        return sum(job.parts.values()), sum(job.parts.values()), peak


class Stepwise(Policy):
    """Programs that make room for a component when its turn comes, not for the whole job.

    `floor`: MiB kept for work in any case; `knows`: of components with that in their names it knows the working bytes, None of none.
    """

    floor = 0
    margin = 1.0
    whole = False
    knows: str | None = ""

    def serve(self, job: Job) -> tuple[int, int, int]:
        came = went = peak = 0
        for part, size in job.parts.items():
            missing = size - self.loaded.get(part, 0)
            known = job.working.get(part, 0) if self.knows is not None and self.knows in part else 0
            need = round(self.margin * missing) + max(self.floor, known) - (self.budget - self.taken)
            others = {name: held for name, held in self.loaded.items() if name != part}
            went += self.drop(self.victims(others, need), need, self.whole)
            came += self.bring(part, size)
            peak = max(peak, self.taken + job.working.get(part, 0))
        return came, went, peak

    @abstractmethod
    def victims(self, others: Mapping[str, int], need: int) -> list[str]:
        """What goes first, for `need` MiB; `need` may be negative."""


class Ordered(Stepwise):
    """Those whose order does not depend on how much is needed."""

    def victims(self, others: Mapping[str, int], need: int) -> list[str]:
        return self.order(others) if need > 0 else []

    @abstractmethod
    def order(self, others: Mapping[str, int]) -> list[str]:
        """What goes first."""


class ComfyUI(Ordered):
    """ComfyUI's model_management.py, static: the most offloaded first, then the smallest; exactly the shortfall; copied back."""

    floor, margin = round(1.2 * GB), 1.1

    def order(self, others: Mapping[str, int]) -> list[str]:
        return sorted(others, key=lambda name: (others[name] - self.sizes[name], others[name]))


class InvokeAI(Ordered):
    """InvokeAI's model_cache.py: the smallest first; exactly the shortfall; the host keeps a copy; 3 GB for work, a VAE's own."""

    floor, knows = 3 * GB, "vae"

    def order(self, others: Mapping[str, int]) -> list[str]:
        return sorted(others, key=lambda name: others[name])


class ComponentsManager(Stepwise):
    """diffusers' components_manager.py: the set of whole components with the smallest sum that makes room; 3 GB for work; copied back."""

    floor, whole, knows = 3 * GB, True, None

    def victims(self, others: Mapping[str, int], need: int) -> list[str]:
        best: dict[int, tuple[str, ...]] = {0: ()}
        for name, size in others.items():
            best |= {total + size: (*chosen, name) for total, chosen in best.items() if total < need and total + size not in best}
        enough = [total for total in best if total >= need]
        return list(best[min(enough)]) if enough else list(others)


class Atomic(Policy):
    """Room is made for the whole job at once: the least recently used goes first, exactly the shortfall or `whole` components."""

    whole = False

    def serve(self, job: Job) -> tuple[int, int, int]:
        need = sum(size - self.loaded.get(part, 0) for part, size in job.parts.items()) + job.most - (self.budget - self.taken)
        went = self.drop(self.order([name for name in self.loaded if name not in job.parts]), need, self.whole)
        return sum(self.bring(part, size) for part, size in job.parts.items()), went, self.taken + job.most

    def order(self, idle: list[str]) -> list[str]:
        """What goes first."""
        return idle


class Belady(Atomic):
    """The offline optimum: what is needed last goes first, since the whole day is known."""

    def order(self, idle: list[str]) -> list[str]:
        found: dict[str, int] = {}
        for number, job in enumerate(self.later):
            for part in job.parts:
                found.setdefault(part, number)
            if all(name in found for name in idle):
                break
        return sorted(idle, key=lambda name: found.get(name, len(self.later)), reverse=True)


class WholeBelady(Belady):
    """The same where a component comes and goes as a whole."""

    whole = True


class WholeAtomic(Atomic):
    """Least recently used, whole components."""

    whole = True
