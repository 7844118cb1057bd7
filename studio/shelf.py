"""The shelf: creations as a person sorts them. Filters and full-text search, stars, names, tags, projects, notes, trash and lineage.

Knows the index; knows no task, no file format and no page. Every method is about one owner, and one browser session if `session` is
given; ids of others are passed over in silence where several are given, and are NotFound where one is.
"""

# ruff: noqa: A002, S608 - questions are put together from the parts below; every value is bound

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from studio.errors import InvalidInput, NotFound
from studio.index import Index, known_id, moment, to_text
from studio.search import Filter, question

__all__ = ["Choices", "Filter", "Item", "Shelf"]

TITLE_LIMIT = 200
PROJECT_LIMIT = 100
TAG_LIMIT = 60
NOTE_LIMIT = 10_000
RELATIVES_LIMIT = 100
IMPORTED = "imported"
"""Stands in the place of a run where a creation came in a zip."""


@dataclass(frozen=True)
class Item:
    """One creation as a grid shows it. `medium` is "picture", "sound" or "text"; `title` its own name or ''.

    `words` are the first 200 characters of its text or prompt; `trashed` is when it was put in the trash, or ''; `missing` says that
    its file is gone from the disk. `panel` is its place in the storyboard of its project, 0 for none, with words and a sound of its own.
    """

    id: str
    kind: str
    medium: str
    title: str
    words: str
    created: str
    star: bool
    tags: tuple[str, ...]
    project: str
    model: str
    licence: str
    bytes: int
    note: str
    trashed: str
    missing: bool
    panel: int = 0
    panel_words: str = ""
    panel_sound: str = ""
    panel_picture: str = ""
    panel_draft: str = ""


@dataclass(frozen=True)
class Choices:
    """What there is to filter by, each sorted; the trash does not count."""

    kinds: tuple[str, ...]
    models: tuple[str, ...]
    projects: tuple[str, ...]
    tags: tuple[str, ...]
    licences: tuple[str, ...]


class Shelf:
    """Thread-safe, as the index is."""

    def __init__(self, index: Index, release: Callable[[Iterable[str]], None]) -> None:
        """`release` removes the objects of these names that no row of the index names."""
        self._index = index
        self._release = release

    def page(self, filter: Filter, limit: int = 60, before: str = "", owner: str = "local", session: str = "") -> tuple[Item, ...]:
        """At most `limit` items, the newest first, older than the item `before`."""
        asked = question(filter, owner, session)
        older, place = "", ()
        if before:
            (row,) = self._index.rows(_PLACE, known_id(before))
            older, place = f" AND {asked.age} < ?", (row["seq"],)
        found = f"SELECT c.seq FROM {asked.source} WHERE {asked.condition}{older} ORDER BY {asked.age} DESC LIMIT ?"
        return self._items(found, *asked.values, *place, limit)

    def these(self, seqs: Sequence[int], owner: str = "local", session: str = "") -> tuple[Item, ...]:
        """The items of these rows, in their order; those that are gone by now are passed over."""
        listed = "SELECT seq FROM creations WHERE seq IN (SELECT value FROM json_each(?)) AND " + _MINE
        rows = self._index.rows(f"SELECT seq, id FROM creations WHERE seq IN ({listed})", to_text(list(seqs)), owner, session, session)
        places = {row["id"]: seqs.index(row["seq"]) for row in rows}
        return tuple(sorted(self._items(listed, to_text(list(seqs)), owner, session, session), key=lambda item: places[item.id]))

    def count(self, filter: Filter, owner: str = "local", session: str = "") -> int:
        """How many items all pages hold."""
        asked = question(filter, owner, session)
        (row,) = self._index.rows(f"SELECT count(*) AS many FROM {asked.source} WHERE {asked.condition}", *asked.values)
        return row["many"]

    def choices(self, owner: str = "local", session: str = "") -> Choices:
        """The values that filters can take here."""
        kinds, models, projects, licences = (self._values(column, owner, session) for column in ("kind", "model", "project", "licence"))
        rows = self._index.rows(_TAGS, owner, session, session)
        return Choices(kinds, models, projects, tuple(sorted((row["tag"] for row in rows), key=str.casefold)), licences)

    def item(self, id: str, owner: str = "local", session: str = "") -> Item:
        """One item, in the trash or not."""
        found = self._items(f"SELECT seq FROM creations WHERE id = ? AND {_MINE}", known_id(id), owner, session, session)
        if not found:
            raise NotFound(_GONE)
        return found[0]

    def star(self, ids: Sequence[str], on: bool, owner: str = "local", session: str = "") -> None:
        """Give or take the star."""
        self._change("star = ?", (on,), ids, owner, session)

    def rename(self, id: str, title: str, owner: str = "local", session: str = "") -> None:
        """Give it a name of its own; '' takes it away."""
        if not self._change("title = ?", (line(title, "Name", TITLE_LIMIT),), [id], owner, session):
            raise NotFound(_GONE)

    def note(self, id: str, words: str, owner: str = "local", session: str = "") -> None:
        """Write beside it what is to be remembered; '' takes the note away."""
        if not self._change("note = ?", (note(words),), [id], owner, session):
            raise NotFound(_GONE)

    def move(self, ids: Sequence[str], project: str, owner: str = "local", session: str = "") -> None:
        """Put them into a project; '' takes them out of theirs, and out of its storyboard.

        A project is there as long as something is in it.
        """
        name = line(project, "Project", PROJECT_LIMIT)
        self._change("panel = iif(project = ?, panel, 0), project = ?", (name, name), ids, owner, session)

    def tag(self, ids: Sequence[str], add: Sequence[str] = (), remove: Sequence[str] = (), owner: str = "local", session: str = "") -> None:
        """Give tags and take tags. Two that differ only in capitals are one."""
        given = [tag for tag in (line(tag, "Tag", TAG_LIMIT) for tag in add) if tag]
        taken = [tag for tag in (line(tag, "Tag", TAG_LIMIT) for tag in remove) if tag]
        with self._index.transaction() as index:
            mine = [row["seq"] for row in index.execute(f"SELECT seq {_THESE}", (to_text(list(ids)), owner, session, session))]
            index.executemany("DELETE FROM tags WHERE creation = ? AND tag = ?", [(seq, tag) for seq in mine for tag in taken])
            index.executemany("INSERT OR IGNORE INTO tags (creation, tag) VALUES (?, ?)", [(seq, tag) for seq in mine for tag in given])

    def trash(self, ids: Sequence[str], owner: str = "local", session: str = "") -> tuple[str, ...]:
        """Put them in the trash, where they stay for 30 days; returns those that went there now, for undo."""
        return self._change("trashed = ?", (moment(),), ids, owner, session, "trashed = ''")

    def restore(self, ids: Sequence[str], owner: str = "local", session: str = "") -> tuple[str, ...]:
        """Take them out of the trash, as they were; returns those that came."""
        return self._change("trashed = ?", ("",), ids, owner, session, "trashed <> ''")

    def purge(self, ids: Sequence[str], owner: str = "local", session: str = "") -> tuple[str, ...]:
        """Remove from the trash for good, files included; returns those that went. What is not in the trash stays."""
        return self._purge(f"{_THESE} AND trashed <> ''", to_text(list(ids)), owner, session, session)

    def empty_trash(self, owner: str = "local", session: str = "") -> tuple[str, ...]:
        """The same for all that is in the trash."""
        return self._purge(f"FROM creations WHERE trashed <> '' AND {_MINE}", owner, session, session)

    def came(self, id: str, owner: str = "local", session: str = "") -> bool:
        """Whether it came in a zip rather than being made here."""
        mine = (known_id(id), IMPORTED, owner, session, session)
        return bool(self._index.rows(f"SELECT 1 FROM creations WHERE id = ? AND job = ? AND {_MINE}", *mine))

    def lineage(self, id: str, owner: str = "local", session: str = "") -> tuple[tuple[Item, ...], tuple[Item, ...]]:
        """What it came from, the nearest first, and what came of it, the oldest first: at most 100 each, through all generations."""
        self.item(id, owner, session)
        relatives: list[tuple[Item, ...]] = []
        for step, order in _STEPS:
            found = (
                f"WITH RECURSIVE line (seq) AS (SELECT seq FROM creations WHERE id = ?1 UNION {step}) SELECT seq FROM creations"
                f" WHERE seq IN (SELECT seq FROM line) AND id <> ?1 AND owner = ?2 AND (?3 = '' OR session = ?3)"
                f" ORDER BY seq {order} LIMIT {RELATIVES_LIMIT}"
            )
            items = self._items(found, id, owner, session)
            relatives.append(items if order == "DESC" else items[::-1])
        return relatives[0], relatives[1]

    def _values(self, column: str, owner: str, session: str) -> tuple[str, ...]:
        """The different values of a column, from one to the next in its index: there are few of them and many rows."""
        if session:
            rows = self._index.rows(f"SELECT DISTINCT {column} FROM creations WHERE trashed = '' AND {_MINE}", owner, session, session)
        else:
            following = f"(SELECT min({column}) FROM creations WHERE owner = ?1 AND trashed = '' AND {column} > value)"
            rows = self._index.rows(
                f"WITH RECURSIVE found (value) AS (SELECT '' UNION ALL SELECT {following} FROM found WHERE value IS NOT NULL)"
                f" SELECT value AS {column} FROM found WHERE value <> ''",
                owner,
            )
        return tuple(sorted((row[column] for row in rows if row[column]), key=str.casefold))

    def _items(self, seqs: str, *values: object) -> tuple[Item, ...]:
        """The items of a SELECT of `seq`s, the newest first."""
        rows = self._index.rows(f"{_ITEMS} WHERE seq IN ({seqs}) ORDER BY seq DESC", *values)
        return tuple(_item(row) for row in rows)

    def _change(
        self, change: str, values: Sequence[object], ids: Sequence[str], owner: str, session: str, only: str = "TRUE"
    ) -> tuple[str, ...]:
        """Change those of `ids` that are this owner's and for which `only` holds; returns them."""
        question = (to_text(list(ids)), owner, session, session)
        with self._index.transaction() as index:
            found = index.execute(f"SELECT id, seq {_THESE} AND {only}", question).fetchall()
            index.executemany(f"UPDATE creations SET {change} WHERE seq = ?", [(*values, row["seq"]) for row in found])
        return tuple(row["id"] for row in found)

    def _purge(self, these: str, *values: object) -> tuple[str, ...]:
        with self._index.transaction() as index:
            ids = tuple(row["id"] for row in index.execute(f"SELECT id {these}", values))
            objects = index.execute(
                "SELECT object FROM creations WHERE id IN (SELECT value FROM json_each(?1)) UNION"
                " SELECT object FROM attachments WHERE creation IN (SELECT value FROM json_each(?1))",
                (to_text(ids),),
            ).fetchall()
            index.execute("DELETE FROM creations WHERE id IN (SELECT value FROM json_each(?))", (to_text(ids),))
        self._release([row["object"] for row in objects])
        return ids


def line(text: str, what: str, limit: int) -> str:
    """One line without what a name, a project or a tag cannot hold. Raises InvalidInput for one that is too long."""
    return _short(" ".join(_plain(text).split()), what, limit)


def note(text: str) -> str:
    """A note without what it cannot hold. Raises InvalidInput for one that is too long."""
    return _short(_plain(text), "Note", NOTE_LIMIT)


_MINE = "+owner = ? AND (? = '' OR session = ?)"  # the + keeps its index out of questions about ids
_THESE = f"FROM creations WHERE id IN (SELECT value FROM json_each(?)) AND {_MINE}"
_PLACE = "SELECT coalesce((SELECT seq FROM creations WHERE id = ?1), (SELECT max(seq) + 1 FROM creations WHERE id < ?1), 0) AS seq"
_ITEMS = (
    "SELECT id, kind, medium, title, caption, created, star, project, model, licence, bytes, note, trashed, missing, panel,"
    " panel_words, panel_sound, panel_picture, panel_draft,"
    " (SELECT group_concat(tag, char(10)) FROM tags WHERE creation = seq) AS tags FROM creations"
)
_TAGS = (
    "WITH RECURSIVE found (value) AS (SELECT min(tag) FROM tags UNION ALL SELECT (SELECT min(tag) FROM tags WHERE tag > value)"
    " FROM found WHERE value IS NOT NULL) SELECT value AS tag FROM found WHERE value IS NOT NULL AND EXISTS"
    f" (SELECT 1 FROM tags t CROSS JOIN creations c ON c.seq = t.creation WHERE t.tag = value AND trashed = '' AND {_MINE})"
)
_STEPS = (
    ("SELECT c.seq FROM line l JOIN origins o ON o.creation = l.seq JOIN creations c ON c.id = o.parent", "DESC"),
    ("SELECT o.creation FROM line l JOIN creations p ON p.seq = l.seq JOIN origins o ON o.parent = p.id", "ASC"),
)
_GONE = "This creation is not in the library (any more): choose another."


def _item(row: sqlite3.Row) -> Item:
    tags = tuple(sorted(row["tags"].split("\n"), key=str.casefold)) if row["tags"] else ()
    values = {name: row[name] for name in row.keys() if name not in ("caption", "tags", "star", "missing")}  # noqa: SIM118 - no mapping
    return Item(**values, words=row["caption"], tags=tags, star=bool(row["star"]), missing=bool(row["missing"]))


def _short(text: str, what: str, limit: int) -> str:
    if len(text) > limit:
        raise InvalidInput(f"{what} is {len(text):,} characters long; {limit:,} is the most. Shorten it.", what.lower())
    return text


def _plain(text: str) -> str:
    """Without control characters but line breaks and tabs, and without those that turn the direction of what follows."""
    return _UNSEEN.sub("", text).strip()


_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
