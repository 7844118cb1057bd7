"""What a run will cost before it is begun, in one quiet line: its time, and what happens in memory first. Knows no form and no tab."""

from __future__ import annotations

from studio import foresight
from studio.errors import NotEnoughMemory
from studio.studio import Studio
from studio.tasks import Task
from studio.zero import ZeroStudio
from tabs import _status

LONG = 10
"""Seconds; a shorter run is over before its time is read."""


def words(studio: Studio, task: Task) -> str:
    """For example 'This takes about 40 s here. Needs 3.1 GB of memory: loads 2.4 GB.'; '' where there is nothing to say.

    A run that does not fit says so here, before it is begun. Raises StudioError for a task that could not be run at all.
    """
    if isinstance(studio, ZeroStudio) and (lent := studio.lending(task)):
        return f"Takes up to {lent} s of the GPU time that the Hub gives you for a day."
    seconds = studio.estimate(task)
    time = f"This takes {_status.duration(seconds)} here." if seconds is not None and seconds >= LONG else ""
    try:
        plan = studio.memory(task)
    except NotEnoughMemory as error:
        return " ".join(part for part in (time, str(error)) if part)
    memory = foresight.in_words(plan) if plan is not None else ""
    return " ".join(part for part in (time, memory) if part)
