"""Documents that a person writes with: their text and who wrote which part of it, every version of it, and what belongs to them.

A change never overwrites: it adds a version to the one it was made on, so two pages that change the same version make two branches,
and undo is a step to the parent. Every method is about one owner, and one browser session if `session` is given; a document of others
is NotFound. Knows the index; knows no task, no model and no page.
"""

# ruff: noqa: S608 - questions are put together from the parts below; every value is bound

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from studio.creations import Json
from studio.errors import InvalidInput, NotFound
from studio.index import Index, known_id, moment
from studio.storage import new_id
from studio.writing import belongings, versions
from studio.writing.belongings import SourceRow
from studio.writing.chats import Chats
from studio.writing.spans import Span, Splice, checked, covering, spliced
from studio.writing.versions import Text, Version

__all__ = ["Listed", "Manuscript", "Manuscripts", "SourceRow", "Version"]

SPLICES_LIMIT = 2_000
DOCUMENTS_LIMIT = 1_000


@dataclass(frozen=True)
class Manuscript:
    """A document as it stands. `version` is the one whose `text` this is; `undo` and `redo` say whether there is a step to take.

    `fields` are what a page keeps with it; `changed` is when (UTC, ISO 8601).
    """

    id: str
    title: str
    version: str
    text: str
    spans: tuple[Span, ...]
    fields: Mapping[str, Json]
    undo: bool
    redo: bool
    changed: str


@dataclass(frozen=True)
class Listed:
    """A document in a list. `machine` is the share of its characters, 0..1, that a model wrote and nobody edited."""

    id: str
    title: str
    changed: str
    words: int
    machine: float


class Manuscripts:
    """Thread-safe, as the index is."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.chats = Chats(index)
        """The conversations beside them."""

    def new(self, owner: str, session: str = "", title: str = "", text: str = "", spans: Sequence[Span] = ()) -> Manuscript:
        """A new document; a text without spans is a person's own."""
        title, held = belongings.line(title, "Title"), covering(checked(text), spans)
        id, said = new_id(), versions.first(text, held)
        with self._index.transaction() as index:
            (count,) = index.execute(f"SELECT count(*) FROM manuscripts WHERE {_MINE}", (owner, session, session)).fetchone()
            if count >= DOCUMENTS_LIMIT:
                raise InvalidInput(f"There are {DOCUMENTS_LIMIT:,} documents already, those in the trash among them: start no more.")
            index.execute(
                "INSERT INTO manuscripts (id, owner, session, title, head, created, changed, schema_version)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
                (id, owner, session, title, said.id, said.created, said.created),
            )
            versions.add(index, id, None, text, held, said)
        return self.open(id, owner, session)

    def list(self, owner: str, session: str = "", trashed: bool = False) -> tuple[Listed, ...]:
        """The documents, the one changed last first; those in the trash instead if `trashed`."""
        rows = self._index.rows(
            "SELECT m.id, m.title, m.changed, v.words, v.machine FROM manuscripts m JOIN manuscript_versions v ON v.id = m.head"
            f" WHERE (m.trashed <> '') = ? AND {_MINE} ORDER BY m.changed DESC, m.rowid DESC LIMIT ?",
            *(trashed, owner, session, session, DOCUMENTS_LIMIT),
        )
        return tuple(Listed(*row) for row in rows)

    def open(self, id: str, owner: str, session: str = "") -> Manuscript:
        """The document as it stands."""
        row = self._row(id, owner, session)
        return _shown(row, versions.read(self._index.rows, row["id"], row["head"]), row["changed"])

    def change(self, id: str, owner: str, session: str, base: str, splices: Sequence[Splice], note: str = "") -> Manuscript:
        """Change version `base`: each splice counts its places in what the one before it left. The outcome is what the document holds.

        If the document holds another version by now, that one stays in the tree as a branch. What changes nothing adds no version.
        """
        if len(splices) > SPLICES_LIMIT:
            raise InvalidInput(f"These are more than {SPLICES_LIMIT:,} changes at once: make them in several steps.")
        note = belongings.line(note, "Note")
        row = self._row(id, owner, session)
        old = versions.read(self._index.rows, row["id"], base)
        text, spans = old.text, old.spans
        removed: list[str] = []
        for splice in splices:
            went = text[max(0, splice.start) : max(0, splice.end)]
            text, spans = spliced(text, spans, splice)
            removed.append(went)
        if (text, spans) == (old.text, old.spans):
            return self.open(id, owner, session)
        said = versions.following(old, splices, removed, note)
        with self._index.transaction() as index:
            row = _mine(index, id, owner, session)
            versions.add(index, id, old, text, spans, said)
            versions.show(index, id, said.id, said.created)
        return _shown(row, Text(said.id, text, spans, base), said.created)

    def undo(self, id: str, owner: str, session: str = "") -> Manuscript:
        """A step back, to the version that the one shown was made on; the first version stays."""
        return self._step("parent", id, owner, session)

    def redo(self, id: str, owner: str, session: str = "") -> Manuscript:
        """A step forward, to the version that was last shown of those made on this one; the newest stays."""
        return self._step("redo", id, owner, session)

    def go(self, id: str, owner: str, session: str, version: str) -> Manuscript:
        """Show any version of the document."""
        id = self._row(id, owner, session)["id"]
        versions.read(self._index.rows, id, version)
        with self._index.transaction() as index:
            _mine(index, id, owner, session)
            versions.show(index, id, version, moment())
        return self.open(id, owner, session)

    def tree(self, id: str, owner: str, session: str = "", limit: int = 500) -> tuple[Version, ...]:
        """The newest versions, at most `limit`; the oldest of them first, so that parents stand before what was made on them."""
        row = self._row(id, owner, session)
        names = ", ".join(field.name for field in fields(Version))
        found = self._index.rows(
            f"SELECT {names} FROM manuscript_versions WHERE manuscript = ? ORDER BY seq DESC LIMIT ?", row["id"], max(0, limit)
        )
        return tuple(Version(*version) for version in reversed(found))

    def rename(self, id: str, owner: str, session: str, title: str) -> None:
        """Give it a title; '' takes it away."""
        self._set("title = ?, changed = ?", (belongings.line(title, "Title"), moment()), id, owner, session)

    def set_fields(self, id: str, owner: str, session: str, fields: Mapping[str, Json]) -> None:
        """Keep these fields with it; those that are not named stay as they are, one that is None goes."""
        with self._index.transaction() as index:
            row = _mine(index, id, owner, session)
            text = belongings.fields_with(row["fields"], fields)
            index.execute("UPDATE manuscripts SET fields = ?, changed = ? WHERE id = ?", (text, moment(), row["id"]))

    def remove(self, id: str, owner: str, session: str = "") -> None:
        """Put it in the trash, where it stays for 30 days."""
        self._set("trashed = ?", (moment(),), id, owner, session)

    def restore(self, id: str, owner: str, session: str = "") -> Manuscript:
        """Take it out of the trash, as it was."""
        self._set("trashed = ''", (), id, owner, session, "trashed <> ''")
        return self.open(id, owner, session)

    def add_source(self, id: str, owner: str, session: str, name: str, kind: str, content: Mapping[str, Json]) -> str:
        """Keep a source with it; returns its id."""
        with self._index.transaction() as index:
            return belongings.add_source(index, _mine(index, id, owner, session)["id"], name, kind, content)

    def sources(self, id: str, owner: str, session: str = "") -> tuple[SourceRow, ...]:
        """Its sources, the oldest first."""
        return belongings.sources(self._index, self._row(id, owner, session)["id"])

    def drop_source(self, id: str, owner: str, session: str, source: str) -> None:
        """Take a source away for good."""
        with self._index.transaction() as index:
            belongings.drop_source(index, _mine(index, id, owner, session)["id"], source)

    def _step(self, to: str, id: str, owner: str, session: str) -> Manuscript:
        with self._index.transaction() as index:
            row = _mine(index, id, owner, session)
            (version,) = index.execute(f"SELECT {to} FROM manuscript_versions WHERE id = ?", (row["head"],)).fetchone()
            if version:
                versions.show(index, row["id"], version, moment())
        return self.open(id, owner, session)

    def _set(self, change: str, values: Sequence[object], id: str, owner: str, session: str, only: str = "trashed = ''") -> None:
        with self._index.transaction() as index:
            place = (known_id(id), owner, session, session)
            if not index.execute(f"UPDATE manuscripts SET {change} WHERE id = ? AND {_MINE} AND {only}", (*values, *place)).rowcount:
                raise NotFound(_GONE)

    def _row(self, id: str, owner: str, session: str) -> sqlite3.Row:
        return _found(self._index.rows(_DOCUMENT, known_id(id), owner, session, session))


_MINE = "owner = ? AND (? = '' OR session = ?)"
_DOCUMENT = f"SELECT * FROM manuscripts WHERE id = ? AND {_MINE}"
_GONE = "This document is not kept here (any more): open another, or start a new one."
_TRASHED = "This document is in the trash: take it out of there first, or open another."


def _shown(row: sqlite3.Row, text: Text, changed: str) -> Manuscript:
    steps = {"undo": bool(text.parent), "redo": bool(text.redo)}
    return Manuscript(row["id"], row["title"], text.version, text.text, text.spans, json.loads(row["fields"]), changed=changed, **steps)


def _mine(index: sqlite3.Connection, id: str, owner: str, session: str) -> sqlite3.Row:
    return _found(index.execute(_DOCUMENT, (known_id(id), owner, session, session)).fetchall())


def _found(rows: Sequence[sqlite3.Row]) -> sqlite3.Row:
    if not rows or rows[0]["trashed"]:
        raise NotFound(_TRASHED if rows else _GONE)
    return rows[0]
