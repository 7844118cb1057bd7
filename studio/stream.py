"""A function that reports from a thread becomes an iterator that can be stopped. Knows nothing of models or pages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import replace

import numpy as np

from studio.creations import Creation, Event, Preview, Progress
from studio.errors import Cancelled

BEAT = 0.25
"""Seconds: the iterator yields at least this often, so that a closed browser is noticed."""


class Stream:
    """Runs `work(stream)` in a thread of its own, in the context of who made it.

    Iterating yields its events until it ends, and leaving the iteration stops it.

    Progress and previews are coalesced (a slow reader sees the newest), creations never, and of previews that hold sound none is lost:
    they are joined. While nothing happens the last progress is yielded again.
    """

    def __init__(self, work: Callable[[Stream], None], name: str = "run") -> None:
        self._work = work
        self._stopped = threading.Event()
        self._news = threading.Condition()
        self._newest: dict[type[Event], Progress | Preview] = {}
        self._made: list[Creation] = []
        self._readers: list[_Reader] = []
        self._error: BaseException | None = None
        self._started = self._over = False
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,), name=name, daemon=True)

    def report(self, event: Progress | Preview) -> None:
        """For the work: pass an event on, or raise Cancelled once the stream was stopped."""
        if self._stopped.is_set():
            raise Cancelled
        with self._news:
            if not (isinstance(event, Preview) and event.sound is not None):
                self._newest[type(event)] = event
            self._tell(event)

    def deliver(self, creation: Creation) -> None:
        """For the work: hand over a finished creation; works after a stop too."""
        with self._news:
            self._made.append(creation)
            self._newest.pop(Preview, None)
            self._tell(creation)

    def stop(self) -> None:
        """Ask the work to end at its next report. Safe to call twice, from any thread."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether somebody asked it to stop."""
        return self._stopped.is_set()

    @property
    def over(self) -> bool:
        """Whether the work has ended."""
        return self._over

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the work has ended; True if it has. What was stopped before anybody read it has nothing to wait for."""

        def idle() -> bool:
            return self._over or (self.stopped and not self._started)

        with self._news:
            ended, begun = self._news.wait_for(idle, timeout), self._started
        if ended and begun:
            self._thread.join()  # it has nothing left to do
        return ended

    def __iter__(self) -> Iterator[Event]:
        try:
            yield from self.follow()
        finally:
            self.stop()

    def follow(self) -> Iterator[Event]:
        """The events for one reader more, who may leave without stopping the work.

        Who comes late gets what is finished and the newest progress and preview first; sound that was played before is not repeated.
        """
        reader = self._joined_by()
        last: Progress = Progress("waiting")
        try:
            while True:
                with self._news:
                    self._news.wait_for(lambda: reader.waiting or self._over, timeout=BEAT)
                    events, over = reader.take(), self._over
                for event in events or [last]:
                    last = event if isinstance(event, Progress) else last
                    yield event
                if over:
                    break
            if self._error is not None:
                raise self._error
        finally:
            with self._news:
                self._readers.remove(reader)

    def _joined_by(self) -> _Reader:
        """A new reader. The first one starts the work."""
        reader = _Reader()
        with self._news:
            for event in (*self._newest.values(), *self._made):
                reader.give(event)
            self._readers.append(reader)
            if not self._started:
                self._started = True
                self._thread.start()
        return reader

    def _tell(self, event: Event) -> None:
        for reader in self._readers:
            reader.give(event)
        self._news.notify_all()

    def _run(self) -> None:
        try:
            self._work(self)
        except BaseException as error:  # noqa: BLE001  handed over to the threads that iterate
            self._error = error
        finally:
            with self._news:
                self._over = True
                self._news.notify_all()


class _Reader:
    """What one reader has not seen yet. Guarded by the stream's condition."""

    def __init__(self) -> None:
        self._latest: dict[type[Event], Progress | Preview] = {}
        self._kept: list[Creation] = []
        self._sounds: list[Preview] = []

    @property
    def waiting(self) -> bool:
        return bool(self._latest or self._sounds or self._kept)

    def give(self, event: Event) -> None:
        if isinstance(event, Creation):
            self._kept.append(event)
        elif isinstance(event, Preview) and event.sound is not None:
            self._sounds = _joined(self._sounds, event)
        else:
            self._latest[type(event)] = event

    def take(self) -> list[Event]:
        events: list[Event] = [*self._latest.values(), *self._sounds, *self._kept]
        self._latest, self._kept, self._sounds = {}, [], []
        return events


def _joined(waiting: list[Preview], news: Preview) -> list[Preview]:
    """Previews of sound that nobody has seen yet, with one more: stretches of one item become one."""
    before = waiting[-1] if waiting else None
    if before is None or before.item != news.item or before.sound is None or news.sound is None or before.sound.rate != news.sound.rate:
        return [*waiting, news]
    samples = np.concatenate([before.sound.samples, news.sound.samples], axis=1)
    return [*waiting[:-1], replace(news, sound=replace(news.sound, samples=samples))]
