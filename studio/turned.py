"""Who was turned away at the door, in the audit log: counted for a minute, then one line for each visitor and reason.

So many refusals, so few lines: a flood is a number in a line. A minute names `NAMED` visitors, the rest together; after `A_DAY` lines the
day's further ones are one line an hour for each reason. No line holds what was asked, an address or a path. What is counted when the
process dies is lost. Knows no request.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Literal

from studio.audit import Audit
from studio.index import moment

WHAT = "turned away"
Why = Literal["host", "origin", "size", "closed", "rate", "page", "file", "request", "blocked"]
"""An unknown host; another site's page; too much at once; a closed address; too often; another's page or run; another's file or an address
for one; what cannot be read; an owner who is blocked."""
MINUTE, HOUR = 60.0, 3600.0
"""Seconds that are counted before lines are written: as a rule, and when the day's lines are used up."""
NAMED = 8
"""So many visitors and reasons of one minute have lines of their own."""
A_DAY = 2000
"""Lines a day, of some 300 bytes each, that name visitors."""


class Turned:
    """The counters of one process, over one audit log. Thread-safe; takes no time of who notes, and writes in a thread of its own."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._lock = threading.Lock()
        self._counted: Counter[tuple[Why, str]] = Counter()
        self._day, self._lines = "", 0
        self._timer: threading.Timer | None = None

    def note(self, why: Why, who: str = "") -> None:
        """Count a refusal of `who`, a name that tells nothing to others (see `audit.short`); '' is somebody."""
        with self._lock:
            if (day := moment()[:10]) != self._day:
                self._day, self._lines = day, 0
            spent = self._lines >= A_DAY
            known = (why, who) in self._counted
            self._counted[(why, "" if spent or (len(self._counted) >= NAMED and not known) else who)] += 1
            if self._timer is None:
                self._timer = threading.Timer(HOUR if spent else MINUTE, self.tell)
                self._timer.daemon = True
                self._timer.start()

    def tell(self) -> None:
        """Write down what was counted up to now."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            counted, self._counted, self._timer = self._counted, Counter(), None
            self._lines += len(counted)
        for (why, who), times in counted.items():
            self._audit.note(WHAT, who, why=why, times=times)
