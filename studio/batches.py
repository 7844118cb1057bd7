"""Batches: lists of tasks that are made one after the other, kept so that they outlive a page and a process.

A batch is going, paused, stopped, over or interrupted; a row of it is waiting, running, done, failed, skipped or interrupted. Nothing
that a dead process left goes on by itself. Knows the index and tasks; runs nothing.
"""

# ruff: noqa: S608 - questions are put together from parts of this module; every value is bound

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from studio.batch_lists import Row
from studio.creations import Json
from studio.errors import Busy, InvalidInput, NotFound
from studio.index import Index, known_id, moment, to_text
from studio.storage import new_id

BatchState = Literal["going", "paused", "stopped", "over", "interrupted"]
RowState = Literal["waiting", "running", "done", "failed", "skipped", "interrupted"]
MOST_KEPT = 50
"""Batches an owner may keep."""
NAME_LIMIT = 100
SESSION = "batch-"
"""How the browser session of a row's run begins: no page has such a one."""
_GONE = "This batch is not there (any more): look at the list again."


@dataclass(frozen=True)
class Batch:
    """One batch. `counts` says how many rows are in each state, `seconds` how long its finished rows took in the middle, 0 for none."""

    id: str
    owner: str
    name: str
    kind: str
    state: BatchState
    message: str
    created: str
    counts: Mapping[str, int]
    seconds: float

    @property
    def total(self) -> int:
        """Rows."""
        return sum(self.counts.values())

    @property
    def left(self) -> int:
        """Rows that are still to be made."""
        return sum(self.counts.get(state, 0) for state in ("waiting", "running", "interrupted"))


@dataclass(frozen=True)
class BatchRow:
    """One row. `task` as it was asked, `message` why it failed, `seconds` how long it took."""

    number: int
    task: Mapping[str, Json]
    state: RowState
    message: str
    seconds: float


class Batches:
    """Thread-safe, as the index is. Every method but `begin` is about one owner; batches of others are NotFound."""

    def __init__(self, index: Index, run: str) -> None:
        """`run` names this opening of the home: batches of openings that are dead are found by it."""
        self._index = index
        self._run = run

    def new(self, name: str, kind: str, rows: Sequence[Row], owner: str = "local", session: str = "") -> Batch:
        """Write a batch down, going. Raises Busy where the owner keeps too many, InvalidInput for too long a name."""
        name = " ".join(name.split()) or f"Batch of {moment()[:16].replace('T', ' ')}"
        if len(name) > NAME_LIMIT:
            raise InvalidInput(f"Name is {len(name):,} characters long; {NAME_LIMIT} is the most. Shorten it.", "name")
        id = new_id()
        with self._index.transaction(durable=True) as index:
            (many,) = index.execute("SELECT count(*) FROM batches WHERE owner = ?", (owner,)).fetchone()
            if many >= MOST_KEPT:
                raise Busy(f"You keep {MOST_KEPT} batches already: remove one that is over first.")
            values = (id, owner, session, self._run, name, kind, moment())
            seq = index.execute(
                "INSERT INTO batches (id, owner, session, run, name, kind, state, created, schema_version)"
                " VALUES (?, ?, ?, ?, ?, ?, 'going', ?, 1)",
                values,
            ).lastrowid
            index.executemany(
                "INSERT INTO batch_rows (batch, number, place, task, state) VALUES (?, ?, ?, ?, 'waiting')",
                [(seq, row.number, place, to_text(row.task.model_dump(mode="json"))) for place, row in enumerate(rows, 1)],
            )
        return self.batch(id, owner)

    def list(self, owner: str = "local", limit: int = MOST_KEPT) -> tuple[Batch, ...]:
        """The owner's batches, the newest first."""
        return tuple(self._batch(row) for row in self._index.rows(f"{_BATCHES} WHERE owner = ? ORDER BY seq DESC LIMIT ?", owner, limit))

    def batch(self, id: str, owner: str = "local") -> Batch:
        """One batch."""
        found = self._index.rows(f"{_BATCHES} WHERE id = ? AND owner = ?", known_id(id), owner)
        if not found:
            raise NotFound(_GONE)
        return self._batch(found[0])

    def rows(self, id: str, owner: str = "local", states: Sequence[RowState] = (), limit: int = 1000) -> tuple[BatchRow, ...]:
        """Rows in their order; () does not filter."""
        found = self._index.rows(
            f"SELECT r.* FROM batch_rows r JOIN batches b ON b.seq = r.batch WHERE {_THIS} AND (?3 = '[]' OR r.state IN"
            " (SELECT value FROM json_each(?3))) ORDER BY r.place LIMIT ?4",
            *(known_id(id), owner, to_text([*states]), limit),
        )
        return tuple(_row(row) for row in found)

    def begin(self, owner: str) -> tuple[str, BatchRow] | None:
        """The next row of the owner's oldest batch that goes in this process, now running, with its batch's id; None if nothing waits."""
        with self._index.transaction() as index:
            found = index.execute(
                "SELECT b.id, r.* FROM batches b JOIN batch_rows r ON r.batch = b.seq WHERE b.owner = ? AND b.run = ? AND b.state = 'going'"
                " AND r.state = 'waiting' ORDER BY b.seq, r.place LIMIT 1",
                (owner, self._run),
            ).fetchone()
            if found is None:
                return None
            place = (self._run, found["batch"], found["number"])
            index.execute("UPDATE batch_rows SET state = 'running', message = '', run = ? WHERE batch = ? AND number = ?", place)
        return found["id"], _row(found)

    def running(self, id: str, number: int) -> bool:
        """Whether the row is still meant to run: neither skipped nor stopped meanwhile, and its batch is there."""
        return bool(
            self._index.rows(
                "SELECT 1 FROM batch_rows r JOIN batches b ON b.seq = r.batch WHERE b.id = ? AND r.number = ? AND r.state = 'running'",
                *(id, number),
            )
        )

    def finish(self, id: str, number: int, state: RowState, message: str = "", seconds: float = 0) -> None:
        """How a running row ended; what was said of it meanwhile (skipped, stopped) stays. After its last row the batch is over.

        What it made is put into the project that is called as the batch is.
        """
        with self._index.transaction() as index:
            index.execute(
                "UPDATE batch_rows SET state = ?, message = ?, seconds = ? WHERE state = 'running' AND number = ?"
                " AND batch = (SELECT seq FROM batches WHERE id = ?)",
                (state, message, seconds, number, id),
            )
            _file(index, id, number)
            _end(index, id)

    def hold(self, id: str, state: Literal["paused", "stopped", "interrupted"], owner: str = "local", message: str = "") -> None:
        """No further row begins. What runs goes on to its end where it is paused, and ends now where it is stopped."""
        with self._acting(id, owner) as (index, seq):
            index.execute("UPDATE batches SET state = ?, message = ? WHERE seq = ? AND state = 'going'", (state, message, seq))
            if state == "stopped":
                index.execute("UPDATE batches SET state = 'stopped' WHERE seq = ? AND state = 'paused'", (seq,))
            if state != "paused":
                index.execute("UPDATE batch_rows SET state = 'interrupted' WHERE batch = ? AND state = 'running'", (seq,))

    def go_on(self, id: str, owner: str = "local") -> None:
        """Let it go in this process: rows that were interrupted wait again."""
        with self._acting(id, owner) as (index, seq):
            left = index.execute("SELECT number FROM batch_rows WHERE batch = ? AND state = 'interrupted'", (seq,)).fetchall()
            for row in left:
                _file(index, id, row["number"])
            index.execute("UPDATE batch_rows SET state = 'waiting' WHERE batch = ? AND state = 'interrupted'", (seq,))
            self._go(index, seq)

    def retry(self, id: str, owner: str = "local") -> int:
        """Let the rows that failed wait again, behind the others, and the batch go; returns how many they are."""
        with self._acting(id, owner) as (index, seq):
            change = (
                "UPDATE batch_rows SET state = 'waiting', message = '', place = place +"
                " (SELECT max(place) FROM batch_rows WHERE batch = ?1) WHERE batch = ?1 AND state = 'failed'"
            )
            many = index.execute(change, (seq,)).rowcount
            self._go(index, seq)
        return many

    def skip(self, id: str, number: int, owner: str = "local") -> None:
        """Leave a row out, also one that runs; one that was skipped waits again."""
        with self._acting(id, owner) as (index, seq):
            index.execute(
                "UPDATE batch_rows SET state = iif(state = 'skipped', 'waiting', 'skipped') WHERE batch = ? AND number = ?"
                " AND state IN ('waiting', 'running', 'interrupted', 'failed', 'skipped')",
                (seq, number),
            )
            if index.execute("SELECT 1 FROM batch_rows WHERE batch = ? AND state = 'waiting'", (seq,)).fetchone():
                index.execute("UPDATE batches SET state = 'paused' WHERE seq = ? AND state = 'over'", (seq,))
            _end(index, id)

    def move(self, id: str, number: int, where: Literal["first", "up", "down", "last"], owner: str = "local") -> None:
        """Put a row that waits elsewhere among those that wait."""
        with self._acting(id, owner) as (index, seq):
            question = "SELECT number, place FROM batch_rows WHERE batch = ? AND state = 'waiting' ORDER BY place"
            rows = index.execute(question, (seq,)).fetchall()
            order, places = [row["number"] for row in rows], [row["place"] for row in rows]
            if number not in order:
                return
            now = order.index(number)
            order.insert({"first": 0, "up": max(0, now - 1), "down": now + 1, "last": len(order)}[where], order.pop(now))
            change = "UPDATE batch_rows SET place = ? WHERE batch = ? AND number = ?"
            index.executemany(change, [(place, seq, moved) for place, moved in zip(places, order, strict=True)])

    def remove(self, id: str, owner: str = "local") -> None:
        """Take a batch off the list; what it made stays in the library. One that goes is stopped."""
        with self._acting(id, owner) as (index, seq):
            index.execute("DELETE FROM batches WHERE seq = ?", (seq,))

    def _go(self, index: sqlite3.Connection, seq: int) -> None:
        waits = "EXISTS (SELECT 1 FROM batch_rows WHERE batch = ?1 AND state = 'waiting')"
        index.execute(f"UPDATE batches SET state = 'going', message = '', run = ?2 WHERE seq = ?1 AND {waits}", (seq, self._run))

    @contextmanager
    def _acting(self, id: str, owner: str) -> Generator[tuple[sqlite3.Connection, int]]:
        """A transaction about one batch of an owner: the index, and the batch's number."""
        with self._index.transaction() as index:
            found = index.execute("SELECT seq FROM batches WHERE id = ? AND owner = ?", (known_id(id), owner)).fetchone()
            if found is None:
                raise NotFound(_GONE)
            yield index, found["seq"]

    def _batch(self, row: sqlite3.Row) -> Batch:
        counts = self._index.rows("SELECT state, count(*) AS many FROM batch_rows WHERE batch = ? GROUP BY state", row["seq"])
        took = self._index.rows("SELECT seconds FROM batch_rows WHERE batch = ? AND state = 'done' ORDER BY seconds", row["seq"])
        values = {name: row[name] for name in ("id", "owner", "name", "kind", "state", "message", "created")}
        middle = float(took[len(took) // 2]["seconds"]) if took else 0.0
        return Batch(**values, counts={one["state"]: one["many"] for one in counts}, seconds=middle)


_BATCHES = "SELECT seq, id, owner, name, kind, state, message, created FROM batches"
_THIS = "b.id = ?1 AND b.owner = ?2"


def session_of(id: str, number: int) -> str:
    """The browser session that a row's run has, by which its results are found again."""
    return f"{SESSION}{id}-{number}"


def _row(row: sqlite3.Row) -> BatchRow:
    return BatchRow(row["number"], json.loads(row["task"]), row["state"], row["message"], row["seconds"])


def _end(index: sqlite3.Connection, id: str) -> None:
    """The batch is over once none of its rows is still to be made."""
    index.execute(
        "UPDATE batches SET state = 'over', message = '' WHERE id = ? AND NOT EXISTS (SELECT 1 FROM batch_rows WHERE batch = seq"
        " AND state IN ('waiting', 'running', 'interrupted'))",
        (id,),
    )


def _file(index: sqlite3.Connection, id: str, number: int) -> None:
    """Put what a row made into the batch's project, unless it was put into another one."""
    index.execute(
        "UPDATE creations SET project = b.name FROM (SELECT name, owner FROM batches WHERE id = ?1) AS b"
        " WHERE creations.session = ?2 AND creations.owner = b.owner AND creations.project = ''",
        (id, session_of(id, number)),
    )
