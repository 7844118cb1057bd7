"""What every attack of docs/attacks.md must meet: a sentence or a result, the process alive, memory bounded, nothing left behind."""

from __future__ import annotations

import re
import resource
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from studio.creations import Creation
from studio.errors import StudioError
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Task

GROWTH = 400 << 20
"""Bytes that the process may grow by while it refuses something."""
TELLTALE = re.compile(r"Traceback|File \"|/home/|/tmp/|/root/|/usr/|site-packages|\.py\b|hf_[A-Za-z0-9]{8}|0x[0-9a-f]{8}")
"""What no answer may hold: traces, folders of the machine, tokens, addresses in memory."""


def peak() -> int:
    """The most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def is_a_sentence(text: str) -> bool:
    """Whether an artist could be shown it: one line, ended, and silent about the machine."""
    return text.endswith((".", "?")) and "\n" not in text and len(text) < 400 and not TELLTALE.search(text)


def opened(folder: Path) -> Iterator[Studio]:
    """A real studio with what ships with it, on the CPU, offline; closed afterwards."""
    studio = Studio.open(Settings(home=folder / "home", cache=folder / "cache", offline=True, device="cpu"))
    yield studio
    studio.close()


@contextmanager
def refused(studio: Studio | None = None, words: str = "", growth: int = GROWTH) -> Generator[None]:
    """Within it something is refused in a sentence that holds `words`; the studio is then as it was before."""
    before, most = _kept(studio), peak()
    with pytest.raises(StudioError) as said:
        yield
    assert is_a_sentence(str(said.value)), str(said.value)
    assert words in str(said.value), str(said.value)
    assert peak() - most < growth
    assert _kept(studio) == before
    assert studio is None or studio.manager.waiting() == 0


def made(studio: Studio, task: Task, owner: str = "local") -> list[Creation]:
    """What a run finished; its place at the device is free again."""
    found = [event for event in studio.run(task, owner) if isinstance(event, Creation)]
    assert studio.manager.waiting() == 0
    return found


def _kept(studio: Studio | None) -> tuple[set[Path], int]:
    if studio is None:
        return set(), 0
    home = studio.settings.home
    files = {file for folder in ("objects", "tmp", "drafts") for file in (home / folder).rglob("*") if file.is_file()}
    return files, len(studio.library.list())
