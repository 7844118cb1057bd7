"""While one job has the device, what the next one lacks is loaded beside it, in one thread.

Only parts that say so are loaded ahead (`Component.ahead`), only into memory that nobody else will need, and whoever has the device and
comes short of it goes first. Knows the queue and the parts; knows no task.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

from studio.creations import Preview, Progress
from studio.errors import Cancelled, NotEnoughMemory
from studio.recipes import Component
from studio.residents import Residents
from studio.turns import Ticket, Turns

log = logging.getLogger("atelier")


@dataclass(eq=False)
class _Load:
    """One part on its way, for a job that waits."""

    ticket: Ticket
    component: Component
    ended: bool = False


@dataclass(eq=False)
class Ahead:
    """Thread-safe by the lock of the queue, which is also that of the parts."""

    turns: Turns
    residents: Residents
    _begun: int = 0
    _now: _Load | None = None
    _tried: set[tuple[int, str]] = field(default_factory=set[tuple[int, str]])
    _over: bool = False
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look, unless it has begun."""
        with self.turns.moved:
            if self._thread is None and not self._over:
                self._thread = threading.Thread(target=self._work, name="loading ahead", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End: what is being loaded ends at its next report, and is kept by nobody."""
        with self.turns.moved:
            self._over = True
            self.give_way()
            self.turns.moved.notify_all()

    def give_way(self, ticket: Ticket | None = None) -> bool:
        """Ask what is being loaded to end, unless the ticket needs it itself; whether there was anything of that kind."""
        with self.turns.moved:
            now = self._now
            if now is None or (ticket is not None and now.component.key in ticket.keys):
                return False
            now.ended = True
            return True

    def settled(self) -> int | None:
        """A number that changes with everything that is loaded ahead; None while something is."""
        with self.turns.moved:
            return self._begun if self._now is None else None

    def wait(self, seconds: float) -> None:
        """Wait until nothing is being loaded ahead, but no longer than that."""
        with self.turns.moved:
            self.turns.moved.wait_for(lambda: self._now is None, timeout=seconds)

    def _work(self) -> None:
        while (load := self._next()) is not None:
            try:
                self.residents.bring(load.component, lambda event, load=load: self._report(event, load))
            except Cancelled:
                pass
            except Exception as error:  # noqa: BLE001  the job itself will meet it, and tell
                log.info("%s was not loaded ahead: %s", load.component.key, error)
            finally:
                self._done(load.component)

    def _done(self, part: Component) -> None:
        with self.turns.moved:
            self.residents.release({part.key: part.bytes}, 0)
            if self._over:
                self.residents.unload(lambda holding: holding.key == part.key)
            self._now = None
            self.turns.moved.notify_all()

    def _report(self, event: Progress | Preview, load: _Load) -> None:
        del event
        with self.turns.moved:
            if load.ended or self._over or load.ticket not in self.turns.queue:
                raise Cancelled

    def _next(self) -> _Load | None:
        """The next part to load, which has its place then; None at the end."""
        with self.turns.moved:
            while not self._over:
                if (load := self._found()) is not None:
                    self._now = load
                    self._begun += 1
                    return load
                self.turns.moved.wait()
            return None

    def _found(self) -> _Load | None:
        """What the next job lacks and what fits beside all that anybody in the queue needs; each part is tried once for a job."""
        queue = self.turns.queue
        self._tried = {(ticket, key) for ticket, key in self._tried if any(id(one) == ticket for one in queue)}
        if len(queue) < 2 or not queue[0].loaded:
            return None
        ticket = queue[1]
        needed = {key: 0 for one in queue for key in one.keys}
        for part in self.residents.missing(ticket.parts):
            if (id(ticket), part.key) in self._tried or (ready := part.ahead()) is None:
                continue
            self._tried.add((id(ticket), part.key))
            if part.key in self.residents.account.holdings:
                continue  # somebody is at it
            try:
                victims = self.residents.account.victims(needed, part.bytes, budget=self.residents.room())
            except NotEnoughMemory:
                continue
            self.residents.reserve({part.key: part.bytes}, 0, victims)
            return _Load(ticket, ready)
        return None
