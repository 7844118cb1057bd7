"""The studio's own manager over a simulated day: the real one, with its threads and its queue, on a device made of numbers. Not a script.

Time is simulated: a transfer takes its bytes over the rate, a run its seconds, and a day passes in about a second. Every job is a thread
that leases, as in the studio, and the device (tests/fake_device.py) writes down every moment with more than the budget in it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence

from benchmarks._days import GB, JOBS, Job
from benchmarks._policies import RATES, Result
from studio.manager import Manager
from studio.pinned import Pinned
from tests import fake_device as fake

LONGEST = 30.0
"""Real seconds to wait for a thread before it counts as stuck."""
REST = 0.001
"""Real seconds in which nothing was loaded before nothing more is expected to be."""


HOST = 128 * GB
"""MiB of the host's memory that are free at first; pinned copies get their share of it."""


class Ours:
    """Days at a device of `budget` MiB in a host with `host` MiB. Weights are never changed, so nothing is copied back.

    What is read from a file comes as from pageable memory, and is copied into pinned memory once more where Pinned, the studio's own, keeps
    it; from there it comes at that rate. `ahead`: what is pinned is loaded for the next job while one runs, one transfer after the other.
    """

    def __init__(self, budget: int, host: int = HOST, ahead: bool = True) -> None:
        self._host = fake.Host(budget)
        self._host.at = self._transfer
        self._manager = Manager(fake.device(self._host), ahead=ahead)
        self._looks_ahead = ahead
        self._pinned = Pinned(lambda: host)
        self._now = 0.0  # when what happens now happens, in simulated seconds
        self._copied = 0.0  # when the last transfer ends; they go one after the other
        self._ready: dict[str, float] = {}
        self._sizes: dict[str, int] = {}
        self._inside: queue.Queue[tuple[Job, threading.Event]] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self.result = Result(jobs=JOBS)

    def run(self, jobs: Sequence[Job]) -> list[Result]:
        """Serve them; what each day of JOBS cost, the last one as far as it goes.

        A job that waits is known to the manager, one that nobody has asked for yet is not.
        """
        waiting, coming, days = 0, 0, list[Result]()
        for number in range(len(jobs)):
            if number % JOBS == 0:
                self.result = Result(jobs=min(JOBS, len(jobs) - number), over=-len(self._host.problems))
                days.append(self.result)
            if waiting == 0:
                self._now = max(self._now, jobs[coming].at)
            while coming < len(jobs) and jobs[coming].at <= self._now:
                waiting, coming = waiting + 1, coming + 1
                self._ask(jobs[coming - 1], waiting)
            job, leave = self._inside.get(timeout=LONGEST)
            self._settle(waiting)
            ready = max([self._now, *(self._ready[part] for part in job.parts)])
            self.result.stall += ready - self._now
            ends = ready + job.seconds
            while coming < len(jobs) and jobs[coming].at <= ends:
                waiting, coming = waiting + 1, coming + 1
                self._now = max(ready, jobs[coming - 1].at)
                self._ask(jobs[coming - 1], waiting)
            self._now = ends
            leave.set()
            waiting -= 1
            if (number + 1) % JOBS == 0 or number + 1 == len(jobs):
                self.result.over += len(self._host.problems)
        for thread in self._threads:
            thread.join(LONGEST)
        self._manager.close()
        return days

    def _ask(self, job: Job, waiting: int) -> None:
        self._sizes |= job.parts
        self._threads.append(threading.Thread(target=self._serve, args=(job,), daemon=True))
        self._threads[-1].start()
        began = threading.Event()
        while self._manager.waiting() < waiting and not began.wait(0.0001):
            pass
        self._settle(waiting)

    def _settle(self, waiting: int) -> None:
        """Let what is loaded ahead, for the second in the queue, come to its end; the transfers count the simulated time of it."""
        moved = -1
        while self._looks_ahead and waiting > 1 and moved != self.result.moved:
            moved = self.result.moved
            time.sleep(REST)

    def _serve(self, job: Job) -> None:
        recipe = fake.recipe(self._host, job.parts, job.most, steps=1, nearby=self._nearby)
        task, leave = fake.task(job.pipeline), threading.Event()
        with self._manager.lease(recipe, task, _ignored) as pipeline:
            for _ in pipeline(task, _ignored):
                self._inside.put((job, leave))
                leave.wait(LONGEST)

    def _transfer(self, point: str, key: str) -> None:
        if point == "load":
            self._copied = max(self._copied, self._now) + self._seconds(key, self._sizes[key])
            self._ready[key] = self._copied
            self.result.moved += self._sizes[key]

    def _seconds(self, key: str, size: int) -> float:
        """How long it takes to come, as `studio.components.module` loads it."""
        if self._pinned.get(key, "cpu") is not None:
            return size / RATES["in, pinned"]
        kept = self._pinned.keep(key, _Module(), size)
        return size / RATES["in"] + (size / RATES["pin"] if kept else 0.0)

    def _nearby(self, key: str) -> bool:
        return self._pinned.copier(key, "cpu") is not None


class _Module:
    """A module of a size and no numbers."""

    def parameters(self) -> tuple[()]:
        """None."""
        return ()

    def buffers(self) -> tuple[()]:
        """None."""
        return ()


def _ignored(_: object) -> None:
    """A report that nobody reads."""
