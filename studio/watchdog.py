"""Runs that hang are given up in words, and a studio that ends lets the others finish. Knows streams and seconds, no model and no page.

A thread cannot be ended from outside. A run that is given up tells its readers at once and ends at its next report; until then it keeps
the device, and nothing new is let in after a while: whoever runs the studio must start it again.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

from studio.creations import Creation, Preview, Progress
from studio.errors import Busy, Stalled
from studio.settings import Settings
from studio.stream import Stream

AT_HOME, IN_PUBLIC = 600.0, 120.0
"""Seconds without progress that a run is given where the settings say nothing."""
GRACE = 30.0
"""Seconds after which a run that was given up and has not ended counts as hanging."""
BEAT = 0.5
"""Seconds between two looks at all runs."""

DRAIN = 15.0
"""Seconds that runs under way are given once a supervisor ends the studio; ten more go by where one does not stop."""


def until_told() -> None:
    """Wait in the main thread until a supervisor ends the program (SIGTERM). Ctrl+C raises KeyboardInterrupt as ever.

    Meanwhile the page is served on, also while `drain` waits afterwards: who follows a run sees its end.
    """
    told = threading.Event()

    def tell(_number: int, _frame: object) -> None:
        told.set()

    signal.signal(signal.SIGTERM, tell)
    while not told.wait(BEAT):
        pass


class Watchdog:
    """The runs of one studio. `patience` is in seconds; 0 gives nothing up. Thread-safe."""

    def __init__(self, patience: float, grace: float = GRACE) -> None:
        self._patience, self._grace = patience, grace
        self._streams: list[Watched] = []
        self._changed = threading.Condition()
        self._closed = self._draining = self._looking = False

    @classmethod
    def of(cls, settings: Settings) -> Watchdog:
        """The watchdog that the settings ask for."""
        usual = IN_PUBLIC if settings.public else AT_HOME
        return cls(usual if settings.patience is None else settings.patience)

    def admit(self) -> None:
        """Busy while the studio is ending, and where a run hangs that nothing can end."""
        if self._draining:
            raise Busy("The studio is closing: try again in a few minutes.")
        if self.hanging:
            raise Busy("An earlier run hangs and holds the device: the studio must be started again by whoever runs it.")

    def stream(self, work: Callable[[Stream], None], name: str = "run") -> Stream:
        """A stream that is looked after from its first event to its end."""
        watched = Watched(work, name)
        with self._changed:
            self._streams = [one for one in self._streams if not one.ended]
            self._streams.append(watched)
            if self._patience and not self._looking:
                self._looking = True
                threading.Thread(target=self._look, name="watchdog", daemon=True).start()
        return watched

    @property
    def hanging(self) -> int:
        """Runs that were given up a while ago and go on: a server with one is not ready."""
        with self._changed:
            return sum(one.hangs(self._grace) for one in self._streams)

    def drain(self, seconds: float) -> int:
        """Let nothing new in and wait for the runs under way, at most so long; returns how many go on."""
        self._draining = True
        end = time.monotonic() + seconds
        with self._changed:
            under_way = [one for one in self._streams if one.begun and not one.over]
        for one in under_way:
            one.wait(max(0.0, end - time.monotonic()))
        return sum(not one.ended for one in under_way)

    def close(self) -> None:
        """End the looking."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _look(self) -> None:
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._closed, timeout=BEAT):
                    return
                streams = self._streams = [one for one in self._streams if not one.ended]
            for one in streams:
                if one.quiet > self._patience:
                    one.give_up(_words(self._patience))


class Watched(Stream):
    """A stream that knows when it last moved, and can be given up."""

    def __init__(self, work: Callable[[Stream], None], name: str) -> None:
        super().__init__(self._begun_by(work), name)
        self._moved: float | None = None
        self._given_up: float | None = None
        self._why = ""

    def report(self, event: Progress | Preview) -> None:
        """As a stream's; raises Stalled once it was given up."""
        self._moved = time.monotonic()
        if self._given_up is not None:
            raise Stalled(self._why)
        super().report(event)

    def deliver(self, creation: Creation) -> None:
        """As a stream's."""
        self._moved = time.monotonic()
        super().deliver(creation)

    def give_up(self, why: str) -> None:
        """Tell all who follow that it has failed, and why; the work is told at its next report. Does nothing once it is over."""
        with self._news:
            if self._over:
                return
            self._given_up, self._why = time.monotonic(), why
            self._error, self._over = Stalled(why), True
            self._news.notify_all()

    @property
    def begun(self) -> bool:
        """Whether its work has started."""
        return self._moved is not None

    @property
    def ended(self) -> bool:
        """Whether its work has ended, given up or not."""
        return self.begun and not self._thread.is_alive()

    @property
    def quiet(self) -> float:
        """Seconds since it last moved; 0 before it starts and once it is over."""
        return 0.0 if self._moved is None or self._over else time.monotonic() - self._moved

    def hangs(self, grace: float) -> bool:
        """Whether it was given up more than `grace` seconds ago and its work goes on."""
        return self._given_up is not None and not self.ended and time.monotonic() - self._given_up > grace

    def _begun_by(self, work: Callable[[Stream], None]) -> Callable[[Stream], None]:
        def begin(stream: Stream) -> None:
            self._moved = time.monotonic()
            work(stream)

        return begin


def _words(seconds: float) -> str:
    long = f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    return f"There was no progress for {long}, so this run was stopped: try a smaller size, fewer steps or another model."
