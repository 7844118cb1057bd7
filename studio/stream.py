"""A function that reports from a thread becomes an iterator that can be stopped. Knows nothing of models or pages."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from studio.creations import Creation, Event, Preview, Progress
from studio.errors import Cancelled

BEAT = 0.25
"""Seconds: the iterator yields at least this often, so that a closed browser is noticed."""


class Stream:
    """Runs `work(stream)` in a thread of its own; iterating yields its events until it ends.

    Progress and previews are coalesced (a slow reader sees the newest), creations never, and of previews that hold sound none is lost:
    they are joined. While nothing happens the last progress is yielded again. Leaving the iteration stops the work at its next report.
    """

    def __init__(self, work: Callable[[Stream], None], name: str = "run") -> None:
        self._work = work
        self._stopped = threading.Event()
        self._news = threading.Condition()
        self._latest: dict[type[Event], Progress | Preview] = {}
        self._kept: deque[Creation] = deque()
        self._sounds: list[Preview] = []
        self._error: BaseException | None = None
        self._over = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def report(self, event: Progress | Preview) -> None:
        """For the work: pass an event on, or raise Cancelled once the stream was stopped."""
        if self._stopped.is_set():
            raise Cancelled
        with self._news:
            if isinstance(event, Preview) and event.sound is not None:
                self._sounds = _joined(self._sounds, event)
            else:
                self._latest[type(event)] = event
            self._news.notify()

    def deliver(self, creation: Creation) -> None:
        """For the work: hand over a finished creation; works after a stop too."""
        with self._news:
            self._kept.append(creation)
            self._news.notify()

    def stop(self) -> None:
        """Ask the work to end at its next report. Safe to call twice, from any thread."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether somebody asked it to stop."""
        return self._stopped.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the work has ended; True if it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def __iter__(self) -> Iterator[Event]:
        last: Progress = Progress("waiting")
        self._thread.start()
        try:
            while True:
                with self._news:
                    self._news.wait_for(lambda: bool(self._latest or self._sounds or self._kept or self._over), timeout=BEAT)
                    events: list[Event] = [*self._latest.values(), *self._sounds, *self._kept]
                    over = self._over
                    self._latest.clear()
                    self._sounds = []
                    self._kept.clear()
                for event in events or [last]:
                    last = event if isinstance(event, Progress) else last
                    yield event
                if over:
                    break
            if self._error is not None:
                raise self._error
        finally:
            self.stop()

    def _run(self) -> None:
        try:
            self._work(self)
        except BaseException as error:  # noqa: BLE001  handed over to the thread that iterates
            self._error = error
        finally:
            with self._news:
                self._over = True
                self._news.notify()


def _joined(waiting: list[Preview], news: Preview) -> list[Preview]:
    """Previews of sound that nobody has seen yet, with one more: stretches of one item become one."""
    before = waiting[-1] if waiting else None
    if before is None or before.item != news.item or before.sound is None or news.sound is None or before.sound.rate != news.sound.rate:
        return [*waiting, news]
    samples = np.concatenate([before.sound.samples, news.sound.samples], axis=1)
    return [*waiting[:-1], replace(news, sound=replace(news.sound, samples=samples))]
