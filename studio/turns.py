"""Who has the device next: owners take turns, and each owner's own jobs keep their order. Knows no model and no memory.

Jobs of one recipe are not run as one batch, however close together they come: pixels would hang on whose job came beside, and no record
could make them again (engines/_painting.py has the measure).
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from studio.creations import Progress, Report
from studio.recipes import Component

PATIENCE = 0.25
"""Seconds between two looks of a waiting job: each tells how many are ahead, and ends the job where it was stopped."""


@dataclass(eq=False)
class Ticket:
    """A job in the queue, whose it is and the parts it needs. It goes in round `round`: one job of each owner goes in a round.

    It is `loaded` once it has the device and all that it needs.
    """

    owner: str
    parts: tuple[Component, ...]
    round: int = 0
    loaded: bool = False

    @property
    def keys(self) -> frozenset[str]:
        """Of its parts."""
        return frozenset(part.key for part in self.parts)


class Turns:
    """The queue of one device. `lock` guards it, and whatever else its owner guards by the same lock."""

    def __init__(self, lock: threading.RLock) -> None:
        self.moved = threading.Condition(lock)
        self._queue: list[Ticket] = []
        self._served: dict[str, int] = {}

    @property
    def queue(self) -> Sequence[Ticket]:
        """All jobs in the order in which they will go; the first has the device. Read it under the lock."""
        return self._queue

    @contextmanager
    def turn(self, ticket: Ticket, report: Report) -> Generator[None]:
        """Wait for the ticket's turn, reporting how many are ahead; it lasts as long as the block. Raises Cancelled from `report`."""
        with self.moved:
            self._enter(ticket)
            self.moved.notify_all()
        try:
            while True:
                with self.moved:
                    ahead = self._queue.index(ticket)
                    if ahead == 0:
                        self._served[ticket.owner] = ticket.round
                        break
                report(Progress("waiting", 0, ahead, "runs ahead"))
                with self.moved:
                    self.moved.wait_for(lambda: self._queue[0] is ticket, timeout=PATIENCE)
            yield
        finally:
            with self.moved:
                self._queue.remove(ticket)
                if not self._queue:
                    self._served.clear()
                self.moved.notify_all()

    def loaded(self, ticket: Ticket) -> None:
        """The ticket's job has all that it needs."""
        with self.moved:
            ticket.loaded = True
            self.moved.notify_all()

    def _enter(self, ticket: Ticket) -> None:
        """Behind every job of an earlier or the same round: nobody is overtaken by more than one job of each other owner."""
        now = self._queue[0].round if self._queue else 0
        self._served = {owner: served for owner, served in self._served.items() if served >= now}
        own = [other.round for other in self._queue if other.owner == ticket.owner]
        ticket.round = max(now, max([self._served.get(ticket.owner, -1), *own]) + 1)
        place = len(self._queue)
        while place > 0 and self._queue[place - 1].round > ticket.round:
            place -= 1
        self._queue.insert(place, ticket)
