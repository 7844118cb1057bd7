"""What was refused here and what whoever runs the studio did: lines that are only ever added, each chained to the one before it.

The lines lie in `home/audit`, the newest file last. A line carries the SHA-256 of the line before, so that one that is changed, taken out
or put in between is found; what a crash cut short is taken off and said. No line holds a word of what somebody asked for. Knows no page,
no model and no library.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.creations import Json
from studio.index import moment, to_text
from studio.storage import locked, storing

log = logging.getLogger("atelier.audit")

ROTATED = 1 << 20
"""Bytes from which on a file gets no more lines: a new one is begun."""
KEPT_SECONDS = 90 * 24 * 3600
"""A file goes so long after its last line."""
LONGEST_LINE = 16 << 10
BEGINNING = "0" * 64
"""What the first line of all is chained to."""


@dataclass(frozen=True)
class Entry:
    """One line. `at` is UTC in ISO 8601; `who` whom it is about (see `short`), `by` the login of the admin who did it, or ''."""

    number: int
    at: str
    what: str
    who: str
    by: str
    facts: dict[str, Json]


@dataclass(frozen=True)
class Verdict:
    """What a look at the whole chain found. `first` and `last` are numbers of lines, 0 without any; `wrong` says where it does not hold."""

    first: int
    last: int
    wrong: str = ""


class Audit:
    """The log of one home. Safe for several threads and processes; makes no file before its first line."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "audit"
        self._lock = threading.Lock()

    def note(self, what: str, owner: str = "", by: str = "", **facts: Json) -> None:
        """Add a line. It is on the disk when this returns. A disk that refuses is told in the log of the program, and stops nobody."""
        try:
            with self._lock, storing():
                self._folder.mkdir(parents=True, exist_ok=True)
                with locked(self._folder / "lock"):
                    self._add(what, short(owner) if owner else "", by, facts)
        except Exception as error:  # noqa: BLE001  a run must not fail because it could not be written down
            log.warning("a line of the audit log could not be written (%s): %s", what, error)

    def newest(self, count: int) -> tuple[Entry, ...]:
        """The last lines, the newest first; what cannot be read is left out."""
        found: list[Entry] = []
        for file in reversed(_files(self._folder)):
            lines = [_entry(line) for line in _lines(file)]
            found += [entry for entry in reversed(lines) if entry is not None]
            if len(found) >= count:
                break
        return tuple(found[:count])

    def _add(self, what: str, who: str, by: str, facts: dict[str, Json]) -> None:
        files = _files(self._folder)
        torn = _mend(files[-1]) if files else 0
        number, chained = _end(files)
        rows: list[tuple[str, str, str, dict[str, Json]]] = [("torn", "", "", {"bytes": torn})] if torn else []
        begun = not files or files[-1].stat().st_size > ROTATED
        file = self._folder / f"{number + 1:09d}.jsonl" if begun else files[-1]
        with file.open("ab") as opened:
            for said, about, whose, more in (*rows, (what, who, by, facts)):
                number += 1
                line = {"n": number, "at": moment(), "what": said, "who": about, "by": whose, "facts": more, "before": chained}
                data = to_text(line).encode()
                chained = hashlib.sha256(data).hexdigest()
                opened.write(data + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
        if begun:
            _forget(files)


def short(owner: str) -> str:
    """An owner's id for people to read: 10 hexadecimal digits that say nothing of the name."""
    return hashlib.sha256(b"owner " + owner.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def verified(home: Path) -> Verdict:
    """Read the whole chain. A last line that a crash cut short is no fault, nor are older files that have gone by their age."""
    first = last = 0
    chained = ""
    for file in _files(home / "audit"):
        if last and file.name != f"{last + 1:09d}.jsonl":
            return Verdict(first, last, f"the file after line {last:,} is gone")
        for line in _lines(file):
            entry = _entry(line)
            before = _before(line)
            if entry is None or (last and entry.number != last + 1):
                return Verdict(first, last, f"line {last + 1:,} is missing or cannot be read")
            if (chained and before != chained) or (entry.number == 1 and before != BEGINNING):
                return Verdict(first, last, f"line {entry.number:,} does not follow from the one before it")
            first, last, chained = first or entry.number, entry.number, hashlib.sha256(line).hexdigest()
    return Verdict(first, last)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.jsonl") if file.stem.isdigit()) if folder.is_dir() else []


def _lines(file: Path) -> Iterator[bytes]:
    """Whole lines, without their ends."""
    with file.open("rb") as opened:
        yield from (line[:-1] for line in opened if line.endswith(b"\n"))


def _mend(file: Path) -> int:
    """Take off what a crash cut short; returns how many bytes it were."""
    size = file.stat().st_size
    with file.open("rb+") as opened:
        opened.seek(max(0, size - LONGEST_LINE))
        tail = opened.read()
        torn = len(tail) - (tail.rfind(b"\n") + 1)
        if torn:
            opened.truncate(size - torn)
    return torn


def _end(files: list[Path]) -> tuple[int, str]:
    """The number of the last line, and what the next one is chained to."""
    for file in reversed(files):
        size = file.stat().st_size
        with file.open("rb") as opened:
            opened.seek(max(0, size - 2 * LONGEST_LINE))
            lines = opened.read().splitlines()
        if lines:
            entry = _entry(lines[-1])
            number = entry.number if entry is not None else int(file.stem) + sum(1 for _ in _lines(file)) - 1
            return number, hashlib.sha256(lines[-1]).hexdigest()
    return 0, BEGINNING


def _forget(files: list[Path]) -> None:
    """Older files go once their last line is old enough."""
    for file in files:
        if file.stat().st_mtime >= time.time() - KEPT_SECONDS:
            break
        file.unlink(missing_ok=True)


def _entry(line: bytes) -> Entry | None:
    try:
        value: Any = json.loads(line)
        return Entry(int(value["n"]), str(value["at"]), str(value["what"]), str(value["who"]), str(value["by"]), dict(value["facts"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _before(line: bytes) -> str:
    value: Any = json.loads(line)
    return str(value.get("before", ""))
