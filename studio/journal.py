"""The journal of runs: each is written down before it starts, and how it ended. A run that a dead process left is 'interrupted'.

Knows tasks and the index; knows no creation and no file.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from studio.creations import Json
from studio.index import Index, known_id, moment, to_text
from studio.storage import new_id
from studio.tasks import Task

MEDIAN_OF = 7

Outcome = Literal["done", "failed", "cancelled"]
State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]


@dataclass(frozen=True)
class Job:
    """One run. `task` as it was asked, `message` why it failed, `created` and `finished` UTC in ISO 8601 ('' while it lasts).

    `seconds` is the time it had the device.
    """

    id: str
    owner: str
    session: str
    kind: str
    model: str
    task: Mapping[str, Json]
    state: State
    message: str
    created: str
    finished: str
    seconds: float


class Journal:
    """Thread-safe, as the index is."""

    def __init__(self, index: Index, run: str) -> None:
        """`run` names this opening of the home: runs of openings that are dead are found by it."""
        self._index = index
        self._run = run

    def begin(self, task: Task, model: str, owner: str = "local", session: str = "", units: float = 0) -> str:
        """Journal a run before it starts, as 'queued'; returns its id. `units` is its size (steps, tokens) for time estimates."""
        job = new_id()
        values = (job, owner, session, self._run, task.kind, model, to_text(task.model_dump(mode="json")), units, moment())
        with self._index.transaction() as index:
            index.execute(
                "INSERT INTO jobs (id, owner, session, run, kind, model, task, state, units, created, schema_version)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, 1)",
                values,
            )
        return job

    def running(self, job: str) -> None:
        """The run has the device."""
        with self._index.transaction() as index:
            index.execute("UPDATE jobs SET state = 'running' WHERE id = ? AND state = 'queued'", (job,))

    def finish(self, job: str, outcome: Outcome, message: str = "", seconds: float = 0) -> None:
        """The run is over; the first outcome told stays. `seconds` is the time it had the device."""
        with self._index.transaction() as index:
            index.execute(
                "UPDATE jobs SET state = ?, message = ?, seconds = ?, finished = ? WHERE id = ? AND state IN ('queued', 'running')",
                (outcome, message, seconds, moment(), job),
            )

    def seconds_per_unit(self, model: str) -> float | None:
        """The median pace of the model's last runs on this home, or None before its first."""
        rows = self._index.rows(
            "SELECT seconds / units AS pace FROM jobs WHERE state = 'done' AND model = ? AND units > 0 AND seconds > 0"
            " ORDER BY seq DESC LIMIT ?",
            *(model, MEDIAN_OF),
        )
        return statistics.median(row["pace"] for row in rows) if rows else None

    def jobs(
        self, states: Sequence[State] = (), kind: str = "", limit: int = 50, owner: str = "local", session: str = ""
    ) -> tuple[Job, ...]:
        """That owner's runs in one of these states, the newest first, without those that were dismissed. () and '' do not filter."""
        rows = self._index.rows(
            "SELECT * FROM jobs WHERE owner = ?1 AND (?2 = '' OR session = ?2) AND (?3 = '' OR kind = ?3) AND NOT dismissed"
            " AND task <> '{}' AND (?4 = '[]' OR state IN (SELECT value FROM json_each(?4))) ORDER BY seq DESC LIMIT ?5",
            *(owner, session, kind, to_text(list(states)), limit),
        )
        return tuple(_job(row) for row in rows)

    def untold(self, kind: str = "", limit: int = 10, owner: str = "local", session: str = "") -> tuple[Job, ...]:
        """That owner's runs whose end nobody was told, the newest first: interrupted ones, and those of pages that failed since yesterday.

        What failed on a page that was still there is `told`. Runs without a session, a command's, tell their end themselves, and so do
        the rows of a batch.
        """
        rows = self._index.rows(
            "SELECT * FROM jobs WHERE owner = ?1 AND (?2 = '' OR session = ?2) AND (?3 = '' OR kind = ?3) AND NOT dismissed"
            " AND task <> '{}' AND session NOT GLOB 'batch-*'"
            " AND (state = 'interrupted' OR (state = 'failed' AND session <> '' AND finished > ?4))"
            " ORDER BY seq DESC LIMIT ?5",
            *(owner, session, kind, moment(-1), limit),
        )
        return tuple(_job(row) for row in rows)

    def told(self, kind: str, owner: str = "local", session: str = "") -> None:
        """A page has shown how its run of this kind failed: the newest failed one of that owner and session is dismissed."""
        with self._index.transaction() as index:
            index.execute(
                "UPDATE jobs SET dismissed = 1 WHERE seq = (SELECT max(seq) FROM jobs"
                " WHERE owner = ?1 AND (?2 = '' OR session = ?2) AND kind = ?3 AND state = 'failed')",
                (owner, session, kind),
            )

    def dismiss(self, job: str, owner: str = "local") -> None:
        """The person has seen it: `jobs` leaves it out from now on. What is no run of that owner, or is not over, stays as it is."""
        with self._index.transaction() as index:
            index.execute(
                "UPDATE jobs SET dismissed = 1 WHERE id = ? AND owner = ? AND state NOT IN ('queued', 'running')", (known_id(job), owner)
            )


def _job(row: sqlite3.Row) -> Job:
    values = {name: row[name] for name in ("id", "owner", "session", "kind", "model", "state", "message", "created", "seconds")}
    return Job(**values, task=json.loads(row["task"]), finished=row["finished"] or "")
