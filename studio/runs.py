"""The runs under way: whose they are, who follows them, and how their people stop them. Knows no model, no journal and no page."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from studio.creations import Event
from studio.stream import Stream
from studio.tasks import Task

PATIENCE = 10.0
"""Seconds that an ending run is waited for; it ends at its next step."""


@dataclass
class _Run:
    owner: str
    sessions: set[str]
    asked: Task | None = None
    stream: Stream = field(kw_only=True)
    began: float = field(default_factory=time.monotonic)

    @property
    def goes_on(self) -> bool:
        return not self.stream.over and not self.stream.stopped


@dataclass(eq=False)
class Place:
    """A run that was let in: its stream once it has one. It is given back when the stream is over, or by `left`."""

    stream: Stream | None = None
    left: bool = False

    @property
    def free(self) -> bool:
        return self.left or (self.stream is not None and self.stream.over)


class Runs:
    """Thread-safe."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._places: list[Place] = []
        self._lock = threading.Lock()

    def let_in(self, most: int) -> Place | None:
        """A place for one more run; None while `most` have one. Of many who ask at once no more are let in."""
        with self._lock:
            self._places = [place for place in self._places if not place.free]
            if len(self._places) >= most:
                return None
            place = Place()
            self._places.append(place)
            return place

    def follow(self, stream: Stream, owner: str, session: str, asked: Task | None = None, *, stays: bool = False) -> Iterator[Event]:
        """Start a stream and yield its events. Leaving the iteration stops it, unless it `stays`: then others may `join` it."""
        with self._lock:
            self._runs = [run for run in self._runs if not run.stream.over]
            self._runs.append(_Run(owner, {session}, asked if stays else None, stream=stream))
        return stream.follow() if stays else iter(stream)

    def join(self, kind: str, owner: str, session: str) -> tuple[Task, Iterator[Event], float] | None:
        """The newest run of this kind and owner that stays, for a page that came later: what was asked, its events from now on, its age.

        The age is in seconds. From then on all of them are this session's runs too: `stop` ends them.
        """
        with self._lock:
            mine = [run for run in self._runs if run.owner == owner and run.asked is not None and run.asked.kind == kind and run.goes_on]
            for run in mine:
                run.sessions.add(session)
        if not mine or mine[-1].asked is None:
            return None
        return mine[-1].asked, mine[-1].stream.follow(), time.monotonic() - mine[-1].began

    def stop(self, owner: str | None = None, session: str | None = None, *, wait: bool = False) -> int:
        """Stop the runs of an owner (None: everybody's) or of one of their browser sessions; returns how many there were.

        Each ends at its next report; `wait` for that.
        """
        with self._lock:
            mine = [run.stream for run in self._runs if owner in (None, run.owner) and (session is None or session in run.sessions)]
        ending = [stream for stream in mine if not stream.stopped]
        for stream in ending:
            stream.stop()
        for stream in mine if wait else ():
            stream.wait(PATIENCE)
        return len(ending)
