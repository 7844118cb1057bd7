"""What a run will cost before it is started: time, learned from earlier runs, and memory, where that is worth a word.

Knows cards and recipes by their estimates; knows no page. Words for a page are made here, so that every page says the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

from studio.residency import Plan
from studio.tasks import Compose, Inpaint, Narrate, Task, TextToImage, Write

USUAL_SECONDS = 30.0
"""The length of a piece whose length the words or the notes decide, for estimates of time."""
WORTH_SAYING = 100_000_000
"""Bytes; smaller loads are over before they are read about."""
FRAMEWORKS = ("torch", "diffusers", "transformers")
"""What a recipe may import, which takes seconds: a page is told of memory only once they are there."""


def units(task: Task) -> float:
    """The size of a task in units whose time is about constant for one model: megapixel-steps, tokens, seconds, or characters."""
    match task:
        case TextToImage():
            return task.count * (task.steps or 1) * (task.width or 1) * (task.height or 1) / 1e6
        case Inpaint():
            return float(task.count * (task.steps or 1))
        case Write():
            return float(task.max_new_tokens or 1)
        case Compose():
            return task.count * (task.duration or USUAL_SECONDS)
        case Narrate():
            return float(len(task.text))
        case _:
            return 1.0


def at_once(task: Task) -> bool:
    """Whether a recipe for it can be made without waiting: the frameworks are there, and so are the files that the task names."""
    files = [str(getattr(task, name)) for name in task.files if getattr(task, name)]
    return all(name in sys.modules for name in FRAMEWORKS) and all(Path(file).is_file() for file in files)


def in_words(plan: Plan) -> str:
    """For example 'Needs 3.1 GB of memory: loads 2.4 GB, one picture after the other.'; '' where nothing has to happen first."""
    happens = [f"loads {_size(plan.loads)}"] if plan.loads >= WORTH_SAYING else []
    if plan.evicts:
        happens.append("moves another part out of memory" if len(plan.evicts) == 1 else f"moves {len(plan.evicts)} parts out of memory")
    happens += [plan.title] if plan.title else []
    return f"Needs {_size(plan.needs)} of memory: {', '.join(happens)}." if happens else ""


def _size(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"
