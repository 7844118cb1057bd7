"""What a start puts in order in a home: leftovers of dead processes, runs they left, files and rows that lost each other, the old trash.

Knows the store and the tables; knows no task. Call it inside `locked(...)`, so that no two starts sweep at once.
"""

# ruff: noqa: S608 - questions are put together from parts of this module; every value is bound

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from studio import thumbs
from studio.index import Index, moment, to_text
from studio.storage import ORPHAN_AGE, Store, new_id

TRASH_DAYS = 30


def sweep(index: Index, store: Store) -> None:
    """Put the home in order. What no row names goes after an hour; a row whose file is gone is flagged and stays."""
    live = store.sweep_parts()
    on_disk = store.names()
    with index.transaction() as rows:
        rows.execute(
            "UPDATE jobs SET state = 'interrupted', finished = ? WHERE state IN ('queued', 'running')"
            " AND run NOT IN (SELECT value FROM json_each(?))",
            (moment(), to_text(live)),
        )
        for table in ("batch_rows", "batches"):
            rows.execute(
                f"UPDATE {table} SET state = 'interrupted' WHERE state IN ('going', 'running') AND run NOT IN"
                " (SELECT value FROM json_each(?))",
                (to_text(live),),
            )
        purged = _empty_trash(rows)
        named: set[str] = set()
        for question, flag in _OBJECTS:
            found = rows.execute(question).fetchall()
            named |= {row["object"] for row in found}
            wrong = [(name, was) for name, was in found if was == (name in on_disk or store.path(name).exists())]
            rows.executemany(flag, wrong)
        for name in on_disk - named:
            if name in purged or store.older(name, ORPHAN_AGE):
                store.drop(name)
    thumbs.sweep(store.home, named)


def set_aside(home: Path) -> None:
    """The index is gone: whatever objects there are would look unnamed and be swept, so they move out of the way."""
    for leftover in ("library.sqlite-wal", "library.sqlite-shm"):
        (home / leftover).unlink(missing_ok=True)
    objects = home / "objects"
    if objects.exists() and any(objects.iterdir()):
        objects.rename(home / f"objects-without-index-{new_id()}")


def forget_words(rows: sqlite3.Connection) -> None:
    """Deleted words leave the search for good; until then it only no longer finds them."""
    rows.execute("INSERT INTO search (search) VALUES ('optimize')")


def _empty_trash(rows: sqlite3.Connection) -> set[str]:
    """Remove what lay in the trash for its days, creations and documents; returns the objects it named.

    A clock may be wrong: the days must be over by today's clock and by that of an earlier start on another day. So one that jumps
    ahead takes nothing with it unless it stays wrong, and what was trashed "in the future" stays.
    """
    today = moment()[:10]
    rows.execute("DELETE FROM starts WHERE day > ?", (today,))
    (before,) = rows.execute("SELECT max(day) FROM starts WHERE day < ?", (today,)).fetchone()
    rows.execute("INSERT OR IGNORE INTO starts (day) VALUES (?)", (today,))
    rows.execute("DELETE FROM starts WHERE day < ?", (before or today,))
    if before is None:
        return set()
    limit = (datetime.fromisoformat(before).replace(tzinfo=UTC) + timedelta(days=1 - TRASH_DAYS)).isoformat(timespec="milliseconds")
    due = "trashed <> '' AND trashed < ?"
    objects = rows.execute(
        f"SELECT object FROM creations WHERE {due} UNION SELECT a.object FROM attachments a JOIN creations c ON c.id = a.creation"
        f" WHERE {due}",
        (limit, limit),
    ).fetchall()
    if rows.execute(f"DELETE FROM creations WHERE {due}", (limit,)).rowcount:
        forget_words(rows)
    rows.execute(f"DELETE FROM manuscripts WHERE {due}", (limit,))
    return {row["object"] for row in objects}


_OBJECTS = (
    ("SELECT object, missing FROM creations", "UPDATE creations SET missing = 1 - ?2 WHERE object = ?1 AND missing = ?2"),
    ("SELECT object, missing FROM attachments", "UPDATE attachments SET missing = 1 - ?2 WHERE object = ?1 AND missing = ?2"),
)
