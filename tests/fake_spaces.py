"""A stand-in for the Hub's package `spaces` on ZeroGPU, after the source of its version 0.51.

What it keeps: one forked worker for each decorated function, used again while it is idle; arguments, results and their order over pipes,
pickled; a generator that is closed is closed in the worker at its next item, and the closing waits for that; errors of the worker
arrive by the name of their class alone; a quota, a largest duration and a queue that refuse before anything is forked. What it leaves
out: tensors, tokens, and the moving of weights.
"""

from __future__ import annotations

import inspect
import multiprocessing
import pickle
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import Any

FORK = multiprocessing.get_context("fork")


class Error(Exception):
    """What Gradio's error looks like from outside."""

    def __init__(self, message: str, title: str) -> None:
        super().__init__(message)
        self.message, self.title = message, title


@dataclass
class Spaces:
    """The package: `GPU` decorates. `quota` are a visitor's seconds left, `longest` the most that one call may ask for."""

    quota: float = 300
    longest: float = 120
    crowded: bool = False
    asked: list[float] = field(default_factory=list[float])
    forks: int = 0
    decorated: list[Any] = field(default_factory=list[Any])
    workers: list[_Worker] = field(default_factory=list["_Worker"])

    def GPU(self, *, duration: Callable[..., float]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # noqa: N802 (its name)
        def decorate(task: Callable[..., Any]) -> Callable[..., Any]:
            assert inspect.isgeneratorfunction(task)
            self.decorated.append(task)

            def handler(*args: Any) -> Generator[Any]:
                self._schedule(duration(*args))
                worker = self._worker(task)
                worker.calls.send_bytes(pickle.dumps(args))
                yield from self._results(worker)

            return handler

        return decorate

    def close(self) -> None:
        """End every worker."""
        for worker in self.workers:
            worker.end()

    def _schedule(self, seconds: float) -> None:
        self.asked.append(seconds)
        if seconds > self.longest:
            raise Error("The requested GPU duration is larger than the maximum allowed", "ZeroGPU illegal duration")
        if seconds > self.quota:
            raise Error("You have exceeded your free ZeroGPU quota", "ZeroGPU quota exceeded")
        if self.crowded:
            raise Error("No GPU was available after 60s", "ZeroGPU queue timeout")

    def _worker(self, task: Callable[..., Any]) -> _Worker:
        for worker in self.workers:
            if worker.idle and worker.process.is_alive():
                worker.idle = False
                return worker
        self.forks += 1
        self.workers.append(_Worker(task))
        return self.workers[-1]

    def _results(self, worker: _Worker) -> Generator[Any]:
        over = False
        try:
            while True:
                try:
                    kind, value = pickle.loads(worker.results.recv_bytes())
                except EOFError:
                    over = True
                    raise Error("GPU task aborted", "ZeroGPU worker error") from None
                if kind == "end":
                    over = True
                    worker.idle = True
                    return
                if kind == "error":
                    raise Error(value, "ZeroGPU worker error")
                yield value
        finally:
            if not over:
                worker.stop.set()
                while pickle.loads(worker.results.recv_bytes())[0] != "end":
                    pass
                worker.idle = True


class _Worker:
    def __init__(self, task: Callable[..., Any]) -> None:
        taken, self.calls = FORK.Pipe(duplex=False)
        self.results, given = FORK.Pipe(duplex=False)
        self.stop = FORK.Event()
        self.idle = False
        self.process: BaseProcess = FORK.Process(target=_serve, args=(task, taken, given, self.stop, self.calls, self.results), daemon=True)
        self.process.start()
        taken.close()
        given.close()

    def end(self) -> None:
        self.calls.close()
        self.process.join(10)
        self.process.close()
        self.results.close()


def _serve(task: Callable[..., Any], calls: Connection, results: Connection, stop: Event, *others: Connection) -> None:
    """The worker's own loop."""
    for end in others:
        end.close()
    while True:
        try:
            args = pickle.loads(calls.recv_bytes())
        except EOFError:
            return
        stop.clear()
        running = task(*args)
        while True:
            try:
                item = next(running)
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001  handed over
                results.send_bytes(pickle.dumps(("error", type(error).__name__)))
                break
            if stop.is_set():
                running.close()
                break
            results.send_bytes(pickle.dumps(("item", item)))
        results.send_bytes(pickle.dumps(("end", None)))
