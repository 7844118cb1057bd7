"""Creations on disk with one SQLite index: the journal of runs, what they made, and drafts. Nothing is lost, nothing half-written stays.

Saving (`keep`) follows one protocol: serialised bytes are read back, room is checked, objects are written to a temporary file, synced
and renamed, and only then one transaction names them. So a row never lacks its file, and a file without a row is swept at a start.
Knows tasks and records; knows no model, no engine and no page.
"""

from __future__ import annotations

import json
import re
import sqlite3
import statistics
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

from studio.creations import Creation, Json
from studio.errors import InvalidInput, NotFound, StudioError
from studio.index import Index
from studio.originals import Originals
from studio.provenance import pictures
from studio.provenance.record import Record, to_json
from studio.schema import STEPS
from studio.storage import ORPHAN_AGE, Store, locked, new_id, storing
from studio.tasks import Task

DRAFT_LIMIT = 1_000_000
MEDIAN_OF = 7

Outcome = Literal["done", "failed", "cancelled"]


class Library:
    """The library in the folder `home`. Safe to use from several threads; several processes may open the same home.

    Opening it sweeps: leftovers of dead processes in tmp/ go, their unfinished jobs become 'interrupted' (and are never run again by
    themselves), creations whose file is gone are flagged, files that no row names go after an hour. If the index is gone but
    files are there, they are set aside, never removed.
    """

    def __init__(self, home: Path) -> None:
        file = home / "library.sqlite"
        with storing():
            home.mkdir(parents=True, exist_ok=True)
            with locked(home / "opening.lock"):
                if not file.exists():
                    _set_aside(home)
                self._store = Store(home)
                try:
                    self._index = Index(file, STEPS)
                    self._sweep()
                except BaseException:
                    self._store.close()
                    raise
        self.originals = Originals(self._index, self._store, self.release)

    def begin(self, task: Task, model: str, owner: str = "local", session: str = "", units: float = 0) -> str:
        """Journal a run before it starts, as 'queued'; returns its id. `units` is its size (steps, tokens) for time estimates."""
        job = new_id()
        values = (job, owner, session, self._store.run, task.kind, model, _json(task.model_dump(mode="json")), units, _now())
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
                (outcome, message, seconds, _now(), job),
            )

    def keep(
        self,
        data: bytes,
        suffix: str,
        record: Record,
        *,
        owner: str = "local",
        session: str = "",
        job: str = "",
        parents: Sequence[str] = (),
        text: str | None = None,
        attachments: Mapping[str, bytes] | None = None,
    ) -> Creation:
        """Save a finished result, all of it or nothing; the returned creation is durable.

        `data` is the whole file, its record inside where the format carries one; `suffix` as in '.png'. `parents` are ids of creations
        it came from, added to the record's. Raises StorageFull without room, MediaUnreadable if `data` does not read back.
        """
        # 1. what was serialised must read back
        _check(data, suffix)
        # 2. there must be room for it
        main = self._store.name(data, suffix)
        companions = {_file_name(name): (self._store.name(extra, _suffix(name)), extra) for name, extra in (attachments or {}).items()}
        objects = {main: data} | dict(companions.values())
        self._store.require(sum(map(len, objects.values())))
        # 3. the bytes first, then in one transaction the rows that name them
        creation = Creation(
            new_id(),
            record.kind,
            self._store.path(main),
            cast("dict[str, Json]", record.model_dump(mode="json")),
            record.created,
            text,
            {name: self._store.path(kept) for name, (kept, _) in companions.items()},
        )
        lineage = tuple(dict.fromkeys((*record.parents, *parents)))
        try:
            for name, content in objects.items():
                self._store.put(name, content)
            with self._index.transaction(durable=True) as index:
                for name, content in objects.items():
                    if not self._store.path(name).exists():  # equal content was just forgotten elsewhere
                        self._store.put(name, content)
                values = (creation.id, owner, session, job, record.kind, str(record.model.get("name") or ""), main, len(data), text)
                index.execute(
                    "INSERT INTO creations (id, owner, session, job, kind, model, object, bytes, text, record, parents, created,"
                    " schema_version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*values, to_json(record), _json(lineage), record.created, record.schema_version),
                )
                index.executemany(
                    "INSERT INTO attachments (creation, name, object, bytes) VALUES (?, ?, ?, ?)",
                    [(creation.id, name, kept, len(extra)) for name, (kept, extra) in companions.items()],
                )
        except BaseException:
            with suppress(StudioError):
                self.release(objects)
            raise
        return creation

    def get(self, creation: str, owner: str = "local") -> Creation:
        """One creation of that owner; NotFound if there is none or its file is gone."""
        rows = self._index.rows("SELECT * FROM creations WHERE id = ? AND owner = ?", _id(creation), owner)
        if not rows:
            raise NotFound("This creation is not in the library (any more): choose another.")
        (found,) = self._creations(rows)
        if not found.path.exists():
            raise NotFound("The file of this creation is gone from the disk: make it again from its settings, or choose another.")
        return found

    def list(self, kind: str = "", owner: str = "local", session: str = "", limit: int = 50, before: str = "") -> tuple[Creation, ...]:
        """Creations of that owner, the newest first: at most `limit`, older than the creation `before`. '' does not filter."""
        rows = self._index.rows(
            "SELECT * FROM creations WHERE seq IN (SELECT seq FROM creations WHERE owner = ?1 AND NOT missing"
            " AND (?2 = '' OR kind = ?2) AND (?3 = '' OR session = ?3)"
            " AND (?4 = '' OR seq < coalesce((SELECT seq FROM creations WHERE id = ?4),"
            " (SELECT max(seq) + 1 FROM creations WHERE id < ?4), 0)) ORDER BY seq DESC LIMIT ?5) ORDER BY seq DESC",
            *(owner, kind, session, before and _id(before), limit),
        )
        return self._creations(rows)

    def forget_session(self, session: str) -> int:
        """Remove the creations and drafts of a browser session, and its words from the journal; returns how many creations went."""
        return self._forget("session", session)

    def forget_owner(self, owner: str) -> int:
        """The same for everything of one owner, such as the guests of a public studio."""
        return self._forget("owner", owner)

    def save_draft(self, draft: str, owner: str, fields: Mapping[str, Json], session: str = "") -> str:
        """Keep a form's fields; returns the draft's id: a new one if `draft` is '' or no draft of this owner."""
        try:
            text = _json(dict(fields))
        except ValueError:
            raise InvalidInput("This draft holds a number that is none and is not kept: correct it.") from None
        if len(text.encode()) > DRAFT_LIMIT:
            raise InvalidInput("This draft is larger than 1 MB and is not kept: shorten it.")
        with self._index.transaction() as index:
            known = index.execute("SELECT 1 FROM drafts WHERE id = ? AND owner = ?", (_id(draft), owner)).fetchone()
            draft = draft if known else new_id()
            index.execute(
                "INSERT INTO drafts (id, owner, session, fields, changed, schema_version) VALUES (?, ?, ?, ?, ?, 1)"
                " ON CONFLICT (id) DO UPDATE SET fields = excluded.fields, changed = excluded.changed",
                (draft, owner, session, text, _now()),
            )
        return draft

    def draft(self, draft: str, owner: str) -> Mapping[str, Json]:
        """The fields of a draft; NotFound if this owner has none of that id."""
        rows = self._index.rows("SELECT fields FROM drafts WHERE id = ? AND owner = ?", _id(draft), owner)
        if not rows:
            raise NotFound("This draft is not kept here (any more): start a new one.")
        return json.loads(rows[0]["fields"])

    def seconds_per_unit(self, model: str) -> float | None:
        """The median pace of the model's last runs on this home, or None before its first."""
        rows = self._index.rows(
            "SELECT seconds / units AS pace FROM jobs WHERE state = 'done' AND model = ? AND units > 0 AND seconds > 0"
            " ORDER BY seq DESC LIMIT ?",
            *(model, MEDIAN_OF),
        )
        return statistics.median(row["pace"] for row in rows) if rows else None

    def close(self) -> None:
        """Give the home up. Jobs that still run count as interrupted at the next start."""
        self._index.close()
        self._store.close()

    def _creations(self, rows: Sequence[sqlite3.Row]) -> tuple[Creation, ...]:
        companions: dict[str, dict[str, Path]] = {row["id"]: {} for row in rows}
        found = self._index.rows(
            "SELECT * FROM attachments WHERE NOT missing AND creation IN (SELECT value FROM json_each(?))", _json(list(companions))
        )
        for row in found:
            companions[row["creation"]][row["name"]] = self._store.path(row["object"])
        return tuple(
            Creation(
                row["id"],
                row["kind"],
                self._store.path(row["object"]),
                json.loads(row["record"]),
                row["created"],
                row["text"],
                companions[row["id"]],
            )
            for row in rows
        )

    def _forget(self, column: Literal["session", "owner"], value: str) -> int:
        if not value:
            return 0
        with self._index.transaction() as index:
            gone = index.execute(_OBJECTS_OF[column], (value,)).fetchall()
            creations, drafts, jobs = _FORGET[column]
            count = index.execute(creations, (value,)).rowcount
            index.execute(drafts, (value,))
            index.execute(jobs, (value,))
        self.release([row["object"] for row in gone])
        return count

    def release(self, names: Iterable[str]) -> None:
        """Remove the objects of these names that no row names; inside a transaction, so that no other save names them meanwhile."""
        with self._index.transaction() as index:
            for name in names:
                if not index.execute(_NAMES_OF, (name,)).fetchone():
                    self._store.drop(name)

    def _sweep(self) -> None:
        live = self._store.sweep_parts()
        on_disk = self._store.names()
        with self._index.transaction() as index:
            index.execute(
                "UPDATE jobs SET state = 'interrupted', finished = ? WHERE state IN ('queued', 'running')"
                " AND run NOT IN (SELECT value FROM json_each(?))",
                (_now(), _json(live)),
            )
            named: set[str] = set()
            for named_here, flag in _OBJECTS:
                rows = index.execute(named_here).fetchall()
                named |= {row["object"] for row in rows}
                wrong = [(name, was) for name, was in rows if was == (name in on_disk or self._store.path(name).exists())]
                index.executemany(flag, wrong)
            for name in on_disk - named:
                if self._store.older(name, ORPHAN_AGE):
                    self._store.drop(name)


_OBJECTS_OF = {
    "session": "SELECT object FROM creations WHERE session = ?1 UNION"
    " SELECT a.object FROM attachments a JOIN creations c ON c.id = a.creation WHERE c.session = ?1",
    "owner": "SELECT object FROM creations WHERE owner = ?1 UNION"
    " SELECT a.object FROM attachments a JOIN creations c ON c.id = a.creation WHERE c.owner = ?1",
}
_FORGET = {
    "session": (
        "DELETE FROM creations WHERE session = ?",
        "DELETE FROM drafts WHERE session = ?",
        "UPDATE jobs SET task = '{}', message = '', session = '' WHERE session = ?",
    ),
    "owner": (
        "DELETE FROM creations WHERE owner = ?",
        "DELETE FROM drafts WHERE owner = ?",
        "UPDATE jobs SET task = '{}', message = '', session = '' WHERE owner = ?",
    ),
}
_OBJECTS = (
    ("SELECT object, missing FROM creations", "UPDATE creations SET missing = 1 - ?2 WHERE object = ?1 AND missing = ?2"),
    ("SELECT object, missing FROM attachments", "UPDATE attachments SET missing = 1 - ?2 WHERE object = ?1 AND missing = ?2"),
)
_NAMES_OF = "SELECT 1 FROM creations WHERE object = ?1 UNION ALL SELECT 1 FROM attachments WHERE object = ?1 LIMIT 1"


def _check(data: bytes, suffix: str) -> None:
    if suffix in (".png", ".jpg", ".webp"):
        pictures.check(data)
    elif suffix == ".flac":
        from studio.provenance import sounds  # brings a sound library, which the first page does without

        sounds.check(data)
    elif suffix == ".txt":
        data.decode("utf-8")


def _set_aside(home: Path) -> None:
    """The index is gone: whatever objects there are would look unnamed and be swept, so they move out of the way."""
    for leftover in ("library.sqlite-wal", "library.sqlite-shm"):
        (home / leftover).unlink(missing_ok=True)
    objects = home / "objects"
    if objects.exists() and any(objects.iterdir()):
        objects.rename(home / f"objects-without-index-{new_id()}")


def _id(text: str) -> str:
    """`text` if it could be an id, else one that nothing has."""
    return text if re.fullmatch("[0-9A-Z]{26}", text) else "-"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace").decode("utf-8")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _file_name(name: str) -> str:
    """The name of an attachment, if it is one plain file name."""
    if not re.fullmatch(r"[^/\\\x00]{1,100}", name) or name in (".", ".."):
        raise ValueError(f"{name!r} is no file name")
    return name


def _suffix(name: str) -> str:
    return Path(name).suffix.lower() or ".bin"
