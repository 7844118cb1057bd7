"""What the manager tells of itself: what a job would cost, what is resident, what came and went. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Plan:
    """What a job would cost now: bytes to load, keys to evict, working bytes.

    `way` and `title` name the way it would go (studio/recipes.py), both '' for the recipe's own; `needs` are its bytes all in all.
    """

    loads: int
    evicts: tuple[str, ...]
    working: int
    way: str = ""
    title: str = ""
    needs: int = 0


@dataclass(frozen=True)
class Resident:
    """One line of the status: a component, its bytes, seconds since its last use, and whether a job uses it now or it is pinned."""

    key: str
    bytes: int
    idle: float
    in_use: bool
    pinned: bool = False


@dataclass(frozen=True)
class Moment:
    """A component came or went: `at` in seconds since 1970, `what` one of EVENTS, `seconds` that a load took."""

    at: float
    what: str
    key: str
    bytes: int
    seconds: float = 0.0


EVENTS = ("loaded", "failed", "made room", "unloaded")
"""What may happen to a component: loaded; not loaded after all; gone to make room for a run; gone because it was asked for or idle."""


@dataclass(frozen=True)
class Status:
    """What is resident on the device, newest use first, against the budget in bytes; what came and went, the newest first.

    `traffic` counts all that came and went since the start: times and bytes by EVENTS, empty where no model was asked for yet.
    """

    device: str
    budget: int
    working: int
    residents: tuple[Resident, ...]
    moments: tuple[Moment, ...] = ()
    traffic: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
