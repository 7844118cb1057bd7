"""How many runs ended since the start, how, and how long they had the device. Numbers alone: knows no prompt, no owner and no model."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

BOUNDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds up to which a run is counted in a class of its own; longer ones are in one more."""


@dataclass(frozen=True)
class Count:
    """Runs of one kind that ended alike. `classes` are counts by `BOUNDS`, the last of them without a bound."""

    runs: int = 0
    seconds: float = 0.0
    classes: tuple[int, ...] = field(default=(0,) * (len(BOUNDS) + 1))

    def with_one(self, seconds: float) -> Count:
        """The same and one more run."""
        place = next((number for number, bound in enumerate(BOUNDS) if seconds <= bound), len(BOUNDS))
        classes = tuple(count + (number == place) for number, count in enumerate(self.classes))
        return Count(self.runs + 1, self.seconds + seconds, classes)


class Tally:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], Count] = {}

    def ended(self, kind: str, outcome: str, seconds: float) -> None:
        """Count a run of this kind of task; `outcome` as the journal has it, `seconds` the time it had the device."""
        with self._lock:
            self._counts[kind, outcome] = self._counts.get((kind, outcome), Count()).with_one(seconds)

    def counts(self) -> Mapping[tuple[str, str], Count]:
        """By kind and outcome, as they are now."""
        with self._lock:
            return MappingProxyType(dict(self._counts))
