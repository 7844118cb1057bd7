"""Creations on disk with one SQLite index: saved, found again, forgotten. Nothing is lost, nothing half-written stays.

Saving (`keep`) follows one protocol: serialised bytes are read back, room is checked, objects are written to a temporary file, synced
and renamed, and only then one transaction names them. So a row never lacks its file, and a file without a row is swept at a start.
Holds the parts that share the index: journal, drafts, shelf, storyboards, meanings, originals, manuscripts and their search, batches.
Knows tasks and records; knows no model and no page.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, cast

from studio import thumbs
from studio.batches import Batches
from studio.creations import Creation, Json
from studio.document_search import DocumentSearch
from studio.drafts import Drafts
from studio.errors import NotFound, StudioError
from studio.incoming import Incoming
from studio.index import Index, known_id, to_text
from studio.journal import Journal, Outcome
from studio.meanings import Meanings
from studio.originals import Originals
from studio.provenance import pictures
from studio.provenance.record import Record, to_json
from studio.schema import STEPS
from studio.shelf import Shelf
from studio.storage import Store, locked, new_id, storing
from studio.storyboards import Storyboards
from studio.sweep import forget_words, set_aside, sweep
from studio.writing.manuscripts import Manuscripts

__all__ = ["Library", "Outcome"]


class Library:
    """The library in the folder `home`. Safe to use from several threads; several processes may open the same home.

    Opening it sweeps: leftovers of dead processes in tmp/ go, their unfinished jobs become 'interrupted' (and are never run again by
    themselves), creations whose file is gone are flagged, files that no row names go after an hour, what lay in the trash for 30 days
    goes for good. If the index is gone but files are there, they are set aside, never removed.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        file = home / "library.sqlite"
        with storing():
            home.mkdir(parents=True, exist_ok=True)
            with locked(home / "opening.lock"):
                if not file.exists():
                    set_aside(home)
                self._store = Store(home)
                try:
                    self._index = Index(file, STEPS)
                    sweep(self._index, self._store)
                except BaseException:
                    self._store.close()
                    raise
        self.journal = Journal(self._index, self._store.run)
        self.drafts = Drafts(self._index)
        self.shelf = Shelf(self._index, self.release)
        self.storyboards = Storyboards(self._index)
        self.meanings = Meanings(self._index, self._store.path)
        self.originals = Originals(self._index, self._store)
        self.manuscripts = Manuscripts(self._index)
        self.documents = DocumentSearch(self._index)
        self.incoming = Incoming(self._index, self._store, self.release)
        self.batches = Batches(self._index, self._store.run)

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
                    (*values, to_json(record), to_text(lineage), record.created, record.schema_version),
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

    def get(self, creation: str, owner: str = "local", *, trashed: bool = False) -> Creation:
        """One creation of that owner; NotFound if there is none, its file is gone, or it is in the trash (unless `trashed`)."""
        rows = self._index.rows("SELECT * FROM creations WHERE id = ? AND owner = ?", known_id(creation), owner)
        if not rows:
            raise NotFound("This creation is not in the library (any more): choose another.")
        if rows[0]["trashed"] and not trashed:
            raise NotFound("This creation is in the trash: take it out of there first, or choose another.")
        (found,) = self._creations(rows)
        if not found.path.exists():
            raise NotFound("The file of this creation is gone from the disk: make it again from its settings, or choose another.")
        return found

    def list(self, kind: str = "", owner: str = "local", session: str = "", limit: int = 50, before: str = "") -> tuple[Creation, ...]:
        """Creations of that owner, the newest first: at most `limit`, older than the creation `before`. '' does not filter.

        The trash is left out; see `shelf` for more filters.
        """
        rows = self._index.rows(
            "SELECT * FROM creations WHERE seq IN (SELECT seq FROM creations WHERE owner = ?1 AND NOT missing AND trashed = ''"
            " AND (?2 = '' OR kind = ?2) AND (?3 = '' OR session = ?3)"
            " AND (?4 = '' OR seq < coalesce((SELECT seq FROM creations WHERE id = ?4),"
            " (SELECT max(seq) + 1 FROM creations WHERE id < ?4), 0)) ORDER BY seq DESC LIMIT ?5) ORDER BY seq DESC",
            *(owner, kind, session, before and known_id(before), limit),
        )
        return self._creations(rows)

    def forget_session(self, session: str) -> int:
        """Remove what a browser session made, drafts and documents too, and its words from the journal; returns how many creations went."""
        return self._forget("session", session)

    def forget_owner(self, owner: str) -> int:
        """The same for everything of one owner, such as the guests of a public studio."""
        return self._forget("owner", owner)

    def close(self) -> None:
        """Give the home up. Jobs that still run count as interrupted at the next start."""
        self.documents.close()
        self._index.close()
        self._store.close()

    def _creations(self, rows: Sequence[sqlite3.Row]) -> tuple[Creation, ...]:
        companions: dict[str, dict[str, Path]] = {row["id"]: {} for row in rows}
        found = self._index.rows(
            "SELECT * FROM attachments WHERE NOT missing AND creation IN (SELECT value FROM json_each(?))", to_text(list(companions))
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
            creations, *others = _FORGET[column]
            count = index.execute(creations, (value,)).rowcount
            for other in others:
                index.execute(other, (value,))
            if count:
                forget_words(index)
        self.release([row["object"] for row in gone])
        return count

    def release(self, names: Iterable[str]) -> None:
        """Remove the objects of these names that no row names; inside a transaction, so that no other save names them meanwhile."""
        with self._index.transaction() as index:
            for name in names:
                if not index.execute(_NAMES_OF, (name,)).fetchone():
                    self._store.drop(name)
                    thumbs.drop(self._store.home, name)


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
        "DELETE FROM manuscripts WHERE session = ?",
        "DELETE FROM batches WHERE session = ?",
        "UPDATE jobs SET task = '{}', message = '', session = '' WHERE session = ?",
    ),
    "owner": (
        "DELETE FROM creations WHERE owner = ?",
        "DELETE FROM drafts WHERE owner = ?",
        "DELETE FROM manuscripts WHERE owner = ?",
        "DELETE FROM batches WHERE owner = ?",
        "UPDATE jobs SET task = '{}', message = '', session = '' WHERE owner = ?",
    ),
}
_NAMES_OF = "SELECT 1 FROM creations WHERE object = ?1 UNION ALL SELECT 1 FROM attachments WHERE object = ?1 LIMIT 1"


def _check(data: bytes, suffix: str) -> None:
    if suffix in (".png", ".jpg", ".webp"):
        pictures.check(data)
    elif suffix == ".flac":
        from studio.provenance import sounds  # brings a sound library, which the first page does without

        sounds.check(data)
    elif suffix == ".txt":
        data.decode("utf-8")


def _file_name(name: str) -> str:
    """The name of an attachment, if it is one plain file name."""
    if not re.fullmatch(r"[^/\\\x00]{1,100}", name) or name in (".", ".."):
        raise ValueError(f"{name!r} is no file name")
    return name


def _suffix(name: str) -> str:
    return Path(name).suffix.lower() or ".bin"
