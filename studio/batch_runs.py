"""Batches worked through: one row after the other, each a run like any other, so that single runs and other people take turns with them.

An owner's batches go one after the other, the oldest first. Nothing goes on by itself after a start. Knows the studio by the few things
that it does here; knows no page.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Literal, Protocol, cast

from studio import batch_lists, failures
from studio.batch_lists import KINDS, Row
from studio.batches import Batch, BatchRow, session_of
from studio.errors import Busy, Cancelled, DeviceLost, InvalidInput, Refused, Stalled, StorageFailed, StorageFull, StudioError
from studio.settings import Settings, on_zero_gpu

if TYPE_CHECKING:
    from collections.abc import Generator

    from studio.creations import Event
    from studio.library import Library
    from studio.tasks import Task

log = logging.getLogger("atelier")

PUBLIC_ROWS = 50
"""Rows of a batch in a public studio with logins; without logins there are no batches there."""
LOOK = 0.3
"""Seconds between two looks at what was said of the row that runs."""
AGAIN = 2.0
"""Seconds until a row that found no place tries again."""
IN_A_ROW = 5
"""Rows that may fail one after the other for the same reason; then the batch is paused."""
PATIENCE = 10.0
"""Seconds that the end of the studio waits for a row to end."""
OURS = (StorageFull, StorageFailed, DeviceLost, Stalled)
"""What would befall every further row, too."""
CLOSED = "Batches are for a studio of your own or one with logins: here, make things one by one."

Act = Literal["pause", "go on", "stop", "retry", "remove", "skip", "first", "up", "down", "last"]
ACTS: tuple[Act, ...] = ("pause", "go on", "stop", "retry", "remove", "skip", "first", "up", "down", "last")
"""What can be done to a batch, and from "skip" on to one of its rows."""


class Maker(Protocol):
    """What a studio does for its batches."""

    settings: Settings
    library: Library

    def run(self, asked: Task, owner: str = "local", session: str = "") -> Iterator[Event]: ...
    def require(self, asked: Task, owner: str = "local") -> None: ...
    def estimate(self, asked: Task) -> float | None: ...
    @property
    def closing(self) -> bool: ...


class BatchRuns:
    """The batches of one studio at work, a thread for each owner who has one. Thread-safe."""

    def __init__(self, studio: Maker) -> None:
        self._studio = studio
        self._batches = studio.library.batches
        self._lock = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}

    @property
    def most(self) -> int:
        """Rows that a batch may have here. Raises Refused where there are no batches."""
        settings = self._studio.settings
        if on_zero_gpu() or (settings.public and settings.auth_file is None):
            raise Refused(CLOSED)
        return PUBLIC_ROWS if settings.public else batch_lists.MOST_ROWS

    def start(self, name: str, kind: str, rows: Sequence[Row], owner: str = "local", what: str = "Row") -> Batch:
        """Check every row, write the batch down, and let it go. Raises InvalidInput that names the rows that cannot be made."""
        if len(rows) > self.most:
            raise InvalidInput(f"The list has {len(rows):,} rows; {self.most:,} are the most here. Make a shorter one.")
        batch_lists.judged(rows, lambda task: self._studio.require(task, owner), what)
        batch = self._batches.new(name, kind, rows, owner)
        self._wake(owner)
        return batch

    def act(self, what: str, id: str, owner: str = "local", row: int = 0) -> None:
        """Do one of ACTS. Raises NotFound for a batch of somebody else, InvalidInput for what is none of them."""
        if what not in ACTS:
            raise InvalidInput(f"A batch can be told {', '.join(ACTS)}: choose one of them.", "act")
        if what in ("pause", "stop"):
            self._batches.hold(id, "paused" if what == "pause" else "stopped", owner)
        elif what == "remove":
            self._batches.remove(id, owner)
        elif what == "skip":
            self._batches.skip(id, row, owner)
        elif what in ("first", "up", "down", "last"):
            self._batches.move(id, row, what, owner)
        else:
            _ = self.most
            if what == "retry":
                self._batches.retry(id, owner)
            else:
                self._batches.go_on(id, owner)
            self._wake(owner)

    def seconds_left(self, batch: Batch) -> float | None:
        """How long the rest should take: from its own rows, else from earlier runs of the same model; None while nothing is known."""
        if not batch.left:
            return 0.0
        if batch.seconds:
            return batch.seconds * batch.left
        rows = self._batches.rows(batch.id, batch.owner, ("running", "waiting", "interrupted"), 1)
        try:
            each = self._studio.estimate(KINDS[batch.kind].checked(rows[0].task)) if rows else None
        except StudioError:
            return None
        return None if each is None else each * batch.left

    def wait(self, owner: str = "local", seconds: float | None = None) -> bool:
        """Until nothing of the owner goes here any more, at most so long; whether that is so."""
        with self._lock:
            thread = self._threads.get(owner)
        if thread is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def close(self) -> None:
        """After the studio began to close: wait for the rows that end."""
        with self._lock:
            threads = list(self._threads.values())
        for thread in threads:
            thread.join(PATIENCE)

    def _wake(self, owner: str) -> None:
        with self._lock:
            if owner not in self._threads and not self._studio.closing:
                self._threads[owner] = threading.Thread(target=self._work, args=(owner,), name="batch", daemon=True)
                self._threads[owner].start()

    def _work(self, owner: str) -> None:
        """Row after row until none waits."""
        told: list[str] = []
        while (begun := self._next(owner)) is not None:
            id, row = begun
            try:
                words = self._row(owner, id, row)
                told = [*told, words][-IN_A_ROW:] if words else []
                if len(told) == IN_A_ROW and len(set(told)) == 1:
                    self._batches.hold(id, "paused", owner, f"{IN_A_ROW} rows in a row failed: {words}")
                    told = []
            except StudioError as error:  # the index refuses, or the batch was removed: what waits stays as it is
                log.warning("a batch could not be written down: %s", error)
                told = []

    def _next(self, owner: str) -> tuple[str, BatchRow] | None:
        with self._lock:
            try:
                begun = None if self._studio.closing else self._batches.begin(owner)
            except StudioError as error:
                log.warning("a batch could not go on: %s", error)
                begun = None
            if begun is None:
                self._threads.pop(owner, None)
            return begun

    def _row(self, owner: str, id: str, row: BatchRow) -> str:
        """Make one row and write down how it ended; returns why it failed, '' if it did not."""
        began = time.monotonic()
        try:
            stopped = not self._made(owner, id, row)
        except Cancelled:  # the studio ends, or all runs of this person were stopped
            self._batches.finish(id, row.number, "interrupted", "", time.monotonic() - began)
            self._batches.hold(id, "interrupted" if self._studio.closing else "paused", owner)
            return ""
        except Exception as error:  # noqa: BLE001  the log has it; the row keeps its sentence
            words = failures.told(error, f"row {row.number} of batch {id}", log).words
            self._batches.finish(id, row.number, "failed", words, time.monotonic() - began)
            if isinstance(error, OURS):
                self._batches.hold(id, "paused", owner, words)
            return words
        self._batches.finish(id, row.number, "interrupted" if stopped else "done", "", time.monotonic() - began)
        return ""

    def _made(self, owner: str, id: str, row: BatchRow) -> bool:
        """Whether the row was made to its end, rather than skipped or stopped meanwhile."""
        task = KINDS[self._batches.batch(id, owner).kind].checked(row.task)
        while True:
            try:
                return self._followed(self._studio.run(task, owner, session_of(id, row.number)), id, row)
            except Busy:
                time.sleep(AGAIN)
            if self._studio.closing:
                raise Cancelled
            if not self._batches.running(id, row.number):
                return False

    def _followed(self, events: Iterator[Event], id: str, row: BatchRow) -> bool:
        looked = time.monotonic()
        with closing(cast("Generator[Event]", events)):
            for _ in events:
                if time.monotonic() - looked >= LOOK:
                    if not self._batches.running(id, row.number):
                        return False
                    looked = time.monotonic()
        return True
