"""Drafts: the fields of a form as they stand while someone works on them. Knows the index; knows no form and no task."""

from __future__ import annotations

import json
from collections.abc import Mapping

from studio.creations import Json
from studio.errors import InvalidInput, NotFound
from studio.index import Index, known_id, moment, to_text
from studio.storage import new_id

DRAFT_LIMIT = 1_000_000


class Drafts:
    """Thread-safe, as the index is."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def save(self, draft: str, owner: str, fields: Mapping[str, Json], session: str = "") -> str:
        """Keep a form's fields; returns the draft's id: a new one if `draft` is '' or no draft of this owner."""
        try:
            text = to_text(dict(fields))
        except ValueError:
            raise InvalidInput("This draft holds a number that is none and is not kept: correct it.") from None
        if len(text.encode()) > DRAFT_LIMIT:
            raise InvalidInput("This draft is larger than 1 MB and is not kept: shorten it.")
        with self._index.transaction() as index:
            known = index.execute("SELECT 1 FROM drafts WHERE id = ? AND owner = ?", (known_id(draft), owner)).fetchone()
            draft = draft if known else new_id()
            index.execute(
                "INSERT INTO drafts (id, owner, session, fields, changed, schema_version) VALUES (?, ?, ?, ?, ?, 1)"
                " ON CONFLICT (id) DO UPDATE SET fields = excluded.fields, changed = excluded.changed",
                (draft, owner, session, text, moment()),
            )
        return draft

    def get(self, draft: str, owner: str) -> Mapping[str, Json]:
        """The fields of a draft; NotFound if this owner has none of that id."""
        rows = self._index.rows("SELECT fields FROM drafts WHERE id = ? AND owner = ?", known_id(draft), owner)
        if not rows:
            raise NotFound("This draft is not kept here (any more): start a new one.")
        return json.loads(rows[0]["fields"])
