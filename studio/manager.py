"""Where models live. The contract first; see ledger.py for the bytes."""
from __future__ import annotations
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from studio.creations import Media, Report
from studio.tasks import Task

Pipeline = Callable[[Task, Report], Iterable[Media]]


@dataclass(frozen=True)
class Component:
    key: str
    bytes: int
    load: Callable[[Report], Any]


@dataclass(frozen=True)
class Recipe:
    components: Mapping[str, Component]
    build: Callable[[Mapping[str, Any]], Pipeline]
    working_bytes: Callable[[Task], int]
