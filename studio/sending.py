"""A pipeline as a sequence of what it reports and makes, with signs of life between: for a process that can only send things one by one.

Everything sent can be pickled, and errors for artists keep their words. Knows no model and no package that runs such processes.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

from studio import shortage
from studio.creations import Preview, Progress, Report
from studio.errors import Cancelled, NotEnoughMemory, StudioError
from studio.recipes import Pipeline
from studio.tasks import Task

BEAT = 0.25
"""Seconds between two things that are sent: a stop acts at the next one."""


@dataclass(frozen=True)
class Failure:
    """A refusal in words: raised in another process, nothing but the name of its class might come here."""

    error: StudioError


@dataclass(frozen=True)
class Took:
    """The run is over: how many seconds it took."""

    seconds: float


def sent(build: Callable[[], Pipeline], task: Task) -> Generator[object]:
    """Progress, previews and media as they come, then `Took`; a `Failure` ends it. Closing it stops the pipeline at its next report."""
    outbox: queue.SimpleQueue[object] = queue.SimpleQueue()
    stopped = threading.Event()

    def report(event: Progress | Preview) -> None:
        if stopped.is_set():
            raise Cancelled
        outbox.put(event)

    thread = threading.Thread(target=_run, args=(build, task, report, outbox), name="worker", daemon=True)
    thread.start()
    last: object = Progress("running")
    try:
        while (event := _next(outbox, last)) is not None:
            last = event if isinstance(event, Progress) else last
            if isinstance(event, Exception):
                raise event
            yield event
    finally:
        stopped.set()
        thread.join()


def _run(build: Callable[[], Pipeline], task: Task, report: Report, outbox: queue.SimpleQueue[object]) -> None:
    began = time.monotonic()
    try:
        for media in build()(task, report):
            outbox.put(media)
        outbox.put(Took(time.monotonic() - began))
    except Cancelled:
        pass
    except StudioError as error:
        outbox.put(Failure(error))
    except Exception as error:  # noqa: BLE001  handed over to the thread that sends
        few = Failure(NotEnoughMemory("The GPU has too little memory for this: choose a smaller size or fewer results."))
        outbox.put(few if shortage.ran_out(error) else error)
    finally:
        outbox.put(None)


def _next(outbox: queue.SimpleQueue[object], last: object) -> object:
    try:
        return outbox.get(timeout=BEAT)
    except queue.Empty:
        return last
