"""What goes along with a picture or a sound that is sent to another tab: the settings it was made with, where that tab has such fields.

Knows records and fields; knows no single tab.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.batch_lists import ABOUT_FILES
from studio.creations import Creation
from studio.errors import StudioError
from studio.provenance import record
from studio.studio import Studio
from studio.tasks import Task

WORDS = ("prompt", "lyrics")
"""Fields that are filled only while they are empty: there the artist has said something."""
OF_THE_MODEL = ("model", "style", "steps", "guidance_scale", "scheduler", "temperature", "top_k", "top_p", "bank")
"""Fields whose values mean something to one model alone: they go along with it or not at all."""
SIDES = ("left", "right", "top", "bottom")
STAY = ("mode", "count", "format", "retries", "loudness", "duration", "form", "segments", "loop", "context", *SIDES, *ABOUT_FILES)
"""Fields about one run: what it does to a file, how long it is, how it is taken away."""


def names(task: type[Task]) -> tuple[str, ...]:
    """The fields of a task that settings can come to."""
    return tuple(name for name in task.model_fields if name not in (*task.files, *STAY))


def values(studio: Studio, creation: Creation, task: type[Task], words: Mapping[str, Any]) -> dict[str, Any]:
    """What of a creation's settings the fields of `task` take over, by name. `words` are those of WORDS as they stand.

    They are as the artist left them, but for the seed, which is this creation's own; what was left open changes no field. Nothing comes
    of a creation of another medium than what the task makes, of one that was not made of a prompt (what a voice was told says nothing of
    music), or of a record that is not known here.
    """
    try:
        entry = record.Record.model_validate(dict(creation.record))
        made = record.task_of(entry.model_copy(update={"task": {**entry.asked, "seed": entry.task.get("seed")}}))
    except (StudioError, ValueError):
        return {}
    given = made.model_dump()
    if made.medium != task.medium or "prompt" not in given:
        return {}
    together = given.get("model") in studio.here(task.kind)
    found: dict[str, Any] = {}
    for name in (name for name in names(task) if name in given):
        value = list(given[name]) if isinstance(given[name], tuple) else given[name]
        taken = together if name in OF_THE_MODEL else value not in (None, "", [])
        if taken and not (name in WORDS and str(words.get(name) or "").strip()):
            found[name] = value
    return found
