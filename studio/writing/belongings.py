"""What belongs to a document beside its text: its name, the fields of its page, and its sources as rows.

Checks what a person or a page hands in. Knows their table; knows no owner, no page and no file format.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from studio.creations import Json
from studio.errors import InvalidInput
from studio.index import Index, known_id, moment, to_text
from studio.storage import new_id

LINE_LIMIT = 200
FIELDS_LIMIT = 1_000_000
SOURCES_LIMIT = 100
SOURCE_LIMIT = 10_000_000


@dataclass(frozen=True)
class SourceRow:
    """A source of a document. `passages` counts the entries of `content["passages"]`."""

    id: str
    name: str
    kind: str
    created: str
    passages: int
    content: Mapping[str, Json]


def add_source(index: sqlite3.Connection, manuscript: str, name: str, kind: str, content: Mapping[str, Json]) -> str:
    """Keep a source with the document; returns its id."""
    text = _json(content, SOURCE_LIMIT, f"This source holds more than {SOURCE_LIMIT // 10**6} MB of text: use a part of it.")
    passages = content.get("passages")
    (count,) = index.execute("SELECT count(*) FROM manuscript_sources WHERE manuscript = ?", (manuscript,)).fetchone()
    if count >= SOURCES_LIMIT:
        raise InvalidInput(f"This document has {SOURCES_LIMIT} sources already: take one away first.")
    source = new_id()
    index.execute(
        "INSERT INTO manuscript_sources (id, manuscript, name, kind, content, passages, created, schema_version)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
        (
            *(source, manuscript, line(name, "Name") or "Source", line(kind, "Kind")),
            *(text, len(passages) if isinstance(passages, list) else 0, moment()),
        ),
    )
    return source


def sources(index: Index, manuscript: str) -> tuple[SourceRow, ...]:
    """The sources of a document, the oldest first."""
    rows = index.rows(
        "SELECT id, name, kind, created, passages, content FROM manuscript_sources WHERE manuscript = ? ORDER BY seq", manuscript
    )
    return tuple(
        SourceRow(row["id"], row["name"], row["kind"], row["created"], row["passages"], json.loads(row["content"])) for row in rows
    )


def drop_source(index: sqlite3.Connection, manuscript: str, source: str) -> None:
    """Take a source away for good; it may be gone already."""
    index.execute("DELETE FROM manuscript_sources WHERE id = ? AND manuscript = ?", (known_id(source), manuscript))


def fields_with(kept: str, more: Mapping[str, Json]) -> str:
    """The fields that are kept, as JSON, with those of `more`: one that is None goes."""
    fields = {name: value for name, value in {**json.loads(kept), **more}.items() if value is not None}
    return _json(fields, FIELDS_LIMIT, "What is kept with this document is larger than 1 MB: shorten its notes or cards.")


def line(text: str, what: str) -> str:
    """One line without what a name cannot hold."""
    text = " ".join(_UNSEEN.sub("", text).split())
    if len(text) > LINE_LIMIT:
        raise InvalidInput(f"{what} is {len(text):,} characters long; {LINE_LIMIT:,} is the most. Shorten it.", what.lower())
    return text


def _json(value: Mapping[str, Json], limit: int, too_large: str) -> str:
    try:
        text = to_text(dict(value))
    except (ValueError, RecursionError):
        raise InvalidInput("What should be kept with this document holds a number that is none, or too many layers: correct it.") from None
    if len(text.encode()) > limit:
        raise InvalidInput(too_large)
    return text


_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
