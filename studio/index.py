"""One SQLite file that several threads and processes write: transactions, and steps from every earlier version of its tables.

Knows SQL; knows none of the tables.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from studio.errors import NotFound, StudioError
from studio.storage import storing

BUSY_TIMEOUT = 5.0
"""Seconds a transaction waits for those of other processes."""
CACHE = 16 << 20
"""Bytes of the file that stay in memory."""
_NEWER = "This library was used by a newer Atelier: update this one, or choose another folder with --home."


class Index:
    """One SQLite file. `steps` are SQL scripts: step k brings a file of version k to version k + 1, each in one transaction."""

    def __init__(self, file: Path, steps: Sequence[str]) -> None:
        self._lock = threading.RLock()
        with storing():
            self._connection = sqlite3.connect(file, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
            try:
                self._connection.row_factory = sqlite3.Row
                self._connection.text_factory = _text
                self._connection.execute(f"PRAGMA cache_size = -{CACHE >> 10}")
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA foreign_keys = ON")
                self._connection.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten
                self._migrate(steps)
            except BaseException:
                self._connection.close()
                raise

    def rows(self, question: str, *values: object) -> list[sqlite3.Row]:
        """The answer to one SELECT."""
        with self._lock, storing():
            return self._connection.execute(question, values).fetchall()

    @contextmanager
    def transaction(self, durable: bool = False) -> Generator[sqlite3.Connection]:
        """All that is done inside, or nothing. Holds the index against writers of every process: keep it short.

        What is committed survives the death of the process; if `durable`, a power cut too, for one more fsync.
        """
        with self._lock, storing():
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _migrate(self, steps: Sequence[str]) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > len(steps):
            raise StudioError(_NEWER)
        for number in range(version, len(steps)):
            try:
                self._connection.executescript(f"BEGIN IMMEDIATE;\n{steps[number]};\nPRAGMA user_version = {number + 1};\nCOMMIT;")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


@contextmanager
def reading(file: Path, version: int) -> Generator[sqlite3.Connection]:
    """The file of an index that others may be writing, to read from alone. Raises StudioError where there is none of that version."""
    if not file.is_file():
        raise NotFound("There is no library in this folder: name another with --home.")
    with storing(), closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT)) as connection:
        connection.text_factory = _text
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > version:
            raise StudioError(_NEWER)
        if found < version:
            raise StudioError("This library was last used by an earlier Atelier: start this one once, then try again.")
        yield connection


def known_id(text: str) -> str:
    """`text` if it could be an id, else one that nothing has."""
    return text if re.fullmatch("[0-9A-Z]{26}", text) else "-"


def to_text(value: object) -> str:
    """JSON that is valid UTF-8 whatever strings it holds. Raises ValueError for numbers that are none."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace").decode("utf-8")


def moment(days: float = 0) -> str:
    """UTC in ISO 8601 with milliseconds, so many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="milliseconds")


def _text(data: bytes) -> str:
    """SQL's JSON functions make half a surrogate pair out of its escape, which is no UTF-8."""
    return data.decode("utf-8", "replace")
