"""What an engine hands to the manager: parts that stay in memory, and how a pipeline is made of them. Plain data; knows no manager."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from studio.creations import Media, Report
from studio.tasks import Task

Pipeline = Callable[[Task, Report], Iterable[Media]]
"""Runs a resolved task, yields each medium as soon as it is finished; `report` raises Cancelled, which it lets pass."""


@dataclass(frozen=True)
class Component:
    """The unit of residency. `key` is "source@revision/subfolder:dtype:quantisation"; `bytes` is known before loading.

    `load` imports its framework inside; only the manager calls it. A loaded value with a `close()` is closed when it goes. `beside` is
    for a load that changes nothing that a pipeline could read which runs at the same time (torch's default number format is such a
    thing): it may be done ahead, while another job has the device. `nearby` gives a load of that kind where one is to be had now: from
    a copy that is in the machine's memory.
    """

    key: str
    bytes: int
    load: Callable[[Report], Any]
    beside: bool = False
    nearby: Callable[[], Callable[[Report], Any] | None] | None = None

    def ahead(self) -> Component | None:
        """The same as it may be loaded ahead, while another job has the device; None where it may not."""
        if self.beside:
            return self
        load = self.nearby() if self.nearby is not None else None
        return None if load is None else replace(self, load=load)


@dataclass(frozen=True)
class First:
    """What a way does before all else, over parts that it needs for nothing after it: when the rest is loaded they may have gone.

    What `run` finds out it leaves in a value that the way's own components have too. `done` looks at those of its parts that are in
    memory, by role, and says whether they hold it already: then nothing of this is loaded. It is asked often, and must be quick.
    """

    components: Mapping[str, Component]
    working_bytes: Callable[[Task], int]
    run: Callable[[Mapping[str, Any], Task, Report], None]
    done: Callable[[Mapping[str, Any], Task], bool]

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each component, by key."""
        return sizes_of(self.components)


@dataclass(frozen=True)
class Way:
    """One way to run a recipe in less memory, slower, or not the same to the last pixel.

    `name` is a stable id, `title` what the page says of it. `components` are its own, None: the recipe's; `first` comes before them.
    """

    name: str
    title: str
    working_bytes: Callable[[Task], int]
    build: Callable[[Mapping[str, Any]], Pipeline]
    components: Mapping[str, Component] | None = None
    first: First | None = None


def _alike(_: Task) -> str:
    return ""


@dataclass(frozen=True)
class Recipe:
    """A pipeline over components, by role. `build` reads no weight; `working_bytes` is memory beside the weights while a task runs.

    `ways` are others to the same end, in the order in which they are tried where this one does not fit. `key` names what a measured
    peak belongs to (model and kind), '' where nothing is learned; tasks of equal `shape` take about equal memory.
    """

    components: Mapping[str, Component]
    build: Callable[[Mapping[str, Any]], Pipeline]
    working_bytes: Callable[[Task], int]
    ways: tuple[Way, ...] = ()
    key: str = ""
    shape: Callable[[Task], str] = _alike

    @property
    def own(self) -> Way:
        """The recipe's own way, which has no name."""
        return Way("", "", self.working_bytes, self.build)

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each component, by key."""
        return sizes_of(self.components)

    def parts(self, way: Way) -> Mapping[str, Component]:
        """The components that a way keeps while it runs, by role."""
        return self.components if way.components is None else way.components


def sizes_of(components: Mapping[str, Component]) -> dict[str, int]:
    """Bytes of each component, by key."""
    return {component.key: component.bytes for component in components.values()}
