"""How much working memory runs really took, learned and kept on disk: a formula first, then 1.1 times the most that was seen.

Knows names and bytes; knows no model, no device and no queue.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path
from typing import cast

from studio.storage import locked

log = logging.getLogger("atelier")

MARGIN = 1.1
"""Times the most that was seen."""
RAISED = 1.3
"""Times what was promised, after it did not do."""
KEPT = 1000
"""Peaks that are remembered; the oldest goes first."""
GRAIN = 1 << 20
"""Bytes: a peak is rounded up to a whole number of these, so that the file is seldom written."""


class Peaks:
    """Thread-safe, and several processes may share the file. None: remembered until the end of the process.

    A file that cannot be read or written costs what was learned, never a run.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._seen: dict[str, int] | None = None
        self._raised: dict[str, int] = {}

    def working(self, name: str, formula: int, *, at_least: bool = False) -> int:
        """Bytes to promise a run of that name: `formula` until one was seen, and `at_least` it where what is seen may be too little."""
        with self._lock:
            seen = self._known().get(name)
            learned = formula if seen is None else max(int(seen * MARGIN), formula if at_least else 0)
            return max(learned, self._raised.get(name, 0))

    def learn(self, name: str, peak: int) -> None:
        """A run took so many bytes."""
        peak = -(-peak // GRAIN) * GRAIN
        with self._lock:
            if peak <= self._known().get(name, 0):
                return
            self._known()[name] = peak
            self._write(name, peak)

    def short(self, name: str, promised: int, most: int | None = None) -> None:
        """So many bytes did not do; promise more, up to `most`. A guess, since others may be the cause: it lasts as long as the process."""
        more = int(promised * RAISED)
        with self._lock:
            self._raised[name] = max(self._raised.get(name, 0), more if most is None else min(more, max(promised, most)))

    def _known(self) -> dict[str, int]:
        if self._seen is None:
            self._seen = self._read()
        return self._seen

    def _read(self) -> dict[str, int]:
        try:
            found: object = json.loads(self._file.read_text("utf-8")) if self._file is not None else {}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            log.warning("what runs took of memory is learned anew: %s", error)
            return {}
        pairs = cast("dict[str, object]", found) if isinstance(found, dict) else {}
        return {name: peak for name, peak in pairs.items() if isinstance(peak, int) and peak >= 0}

    def _write(self, name: str, peak: int) -> None:
        """The file with what other processes learned meanwhile; whole or not at all, whenever this one dies."""
        if self._file is None:
            return
        part = self._file.with_suffix(f".{os.getpid()}.part")
        try:
            with locked(self._file.with_suffix(".lock")):
                found = self._read()
                found = {**{other: size for other, size in found.items() if other != name}, name: max(peak, found.get(name, 0))}
                part.write_text(json.dumps(dict(list(found.items())[-KEPT:])), "utf-8")
                part.replace(self._file)
        except OSError as error:
            log.warning("what a run took of memory was not written down: %s", error)
            part.unlink(missing_ok=True)
