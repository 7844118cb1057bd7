"""What the children of the fault tests do. Without pytest, so that they start quickly."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.library import Library
from studio.tasks import TextToImage
from tests.samples import png

CALLS = ("open", "write", "fsync", "replace", "mkdir", "close")
TASK = TextToImage.checked({"prompt": "a red apple", "seed": 1})


def save_one(library: Library, seed: int) -> None:
    data, made = png(seed=seed)
    job = library.journal.begin(TASK, "Sample")
    library.journal.running(job)
    library.keep(data, ".png", made, job=job, attachments={"drawing.svg": b"<svg>%d</svg>" % seed})
    library.journal.finish(job, "done", seconds=1)


def save_on_and_on(home: Path, ready: Any) -> None:
    library = Library(home)
    for seed in range(10_000):
        save_one(library, seed)
        ready.set()


def sort_on_and_on(home: Path, ready: Any) -> None:
    """Save, name, star, tag, throw away and take back, and remove every third for good."""
    library = Library(home)
    shelf = library.shelf
    for seed in range(10_000):
        data, made = png(seed=seed)
        id = library.keep(data, ".png", made, attachments={"drawing.svg": b"<svg>%d</svg>" % seed}).id
        shelf.rename(id, f"apple {seed}")
        shelf.tag([id], add=["red", f"number {seed}"])
        shelf.star([id], on=True)
        shelf.trash([id])
        if seed % 3 == 0:
            shelf.purge([id])
        else:
            shelf.restore([id])
            shelf.tag([id], remove=["red"])
        ready.set()


def take_in_and_stay(home: Path, named: list[str], ready: Any) -> None:
    """Take files in and never come to an end."""
    library = Library(home)
    held = [library.originals.take_in(each) for each in named]
    ready.set()
    while held:
        time.sleep(60)


def save_many(home: Path, first: int, count: int) -> None:
    library = Library(home)
    for seed in range(first, first + count):
        save_one(library, seed)
    library.close()


def save_until_call(home: Path, deadly: int) -> None:
    """Die at the given system call of one save."""
    library = Library(home)
    counted(lambda: os.kill(os.getpid(), signal.SIGKILL), deadly)
    save_one(library, deadly)
    os._exit(0)


def counted(strike: Callable[[], None], at: int, patch: Callable[..., None] = setattr) -> None:
    """Let the `at`-th of CALLS from now on strike instead."""
    seen = 0

    def counting(call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*arguments: Any, **options: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen == at:
                strike()
            return call(*arguments, **options)

        return instead

    for name in CALLS:
        patch(os, name, counting(getattr(os, name)))
