"""Documents of the writing tab found by words that stand in them, or by what they mean.

A document is kept as the changes that led to it, so its text is read when a search first needs it, and held in a full-text index that
ends with the process. Knows the library's index; knows no model, no task and no page.
"""

# ruff: noqa: S608 - questions are put together from parts of this module; every value is bound

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.errors import StudioError
from studio.index import Index, to_text
from studio.meanings import LEAST
from studio.search import terms
from studio.writing import versions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Embed = Callable[[Sequence[str]], NDArray[np.float32]]

PIECE = 1000
"""Characters that are compared by meaning at once: about what all-MiniLM-L6-v2 reads of a text."""
PIECES = 12
"""Pieces of a long document, spread over all of it; the nearest counts."""
HELD = 30_000_000
"""Characters of all documents in memory; beyond them those of others are let go."""


@dataclass(frozen=True)
class Hit:
    """A document that was found; `excerpt` is where the words stand, or how it begins. `changed` is UTC in ISO 8601."""

    id: str
    title: str
    changed: str
    words: int
    excerpt: str


@dataclass(frozen=True)
class Found:
    """The best first; `left` documents were not read yet, and are by the next searches."""

    hits: tuple[Hit, ...]
    left: int


class DocumentSearch:
    """Thread-safe. What is changed, removed or somebody else's by now is never found as it was."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._texts: sqlite3.Connection | None = None
        self._held: dict[str, _Held] = {}
        self._next = 1

    def find(
        self, words: str, owner: str = "local", session: str = "", *, embed: Embed | None = None, limit: int = 12, seconds: float = 1.0
    ) -> Found:
        """The owner's documents (and the session's, if any) outside the trash that hold all the words, at most `limit`.

        With `embed` (n texts -> (n, width) of length 1) those whose meaning is near. Reading ends after about `seconds`.
        """
        rows = self._index.rows(_LISTED, owner, session, session)
        until = time.monotonic() + seconds
        with self._lock:
            self._forget()
            left = [row for row in rows if not self._read(row, until)]
            here = {held.place: row for row in rows if (held := self._held.get(row["id"])) and row not in left}
            if embed is None:
                best = self._matching(words, list(here), limit)
            else:
                best, unread = self._near(words, here, embed, limit, until)
                left += unread
        hits = [Hit(row["id"], row["title"], row["changed"], row["words"], said) for place, said in best for row in (here[place],)]
        return Found(tuple(hits), len(left))

    def close(self) -> None:
        """Let go of what was read."""
        with self._lock:
            if self._texts is not None:
                self._texts.close()
            self._texts, self._held = None, {}

    def _forget(self) -> None:
        """What is no longer kept, or more than is held at once."""
        kept = {row["id"] for row in self._index.rows("SELECT id FROM manuscripts")}
        full = sum(held.length for held in self._held.values()) > HELD
        for id in [id for id in self._held if full or id not in kept]:
            self._table.execute("DELETE FROM texts WHERE rowid = ?", (self._held.pop(id).place,))

    def _read(self, row: sqlite3.Row, until: float) -> bool:
        """Whether the document is held as it stands."""
        known = self._held.get(row["id"])
        if known is not None and (known.version, known.title) == (row["head"], row["title"]):
            return True
        if time.monotonic() >= until:
            return False
        try:
            text = versions.read(self._index.rows, row["id"], row["head"]).text
        except StudioError:
            text = ""  # damaged: found by its title
        place = known.place if known else self._next
        self._next = max(self._next, place + 1)
        self._table.execute("INSERT OR REPLACE INTO texts (rowid, title, text) VALUES (?, ?, ?)", (place, row["title"], text))
        self._held[row["id"]] = _Held(place, row["head"], row["title"], len(text))
        return True

    def _matching(self, words: str, places: Sequence[int], limit: int) -> list[tuple[int, str]]:
        match, letters = terms(words)
        if not match and not letters:
            return []
        question = "SELECT rowid, " + (_EXCERPT if match else _AROUND) + " FROM texts WHERE rowid IN (SELECT value FROM json_each(?))"
        values: list[object] = [letters[0]] * 2 if not match else []
        question += " AND texts MATCH ?" * bool(match) + " AND instr(title || ' ' || text, ?)" * len(letters)
        question += (" ORDER BY rank" if match else " ORDER BY rowid DESC") + " LIMIT ?"
        given = (*values, to_text(list(places)), *([match] if match else []), *letters, limit)
        return [(place, " ".join(str(said).split())) for place, said in self._table.execute(question, given).fetchall()]

    def _near(
        self, words: str, here: dict[int, sqlite3.Row], embed: Embed, limit: int, until: float
    ) -> tuple[list[tuple[int, str]], list[sqlite3.Row]]:
        """The places of the nearest with their nearest piece, and rows there was no time for."""
        word, near, unread = embed([words[:PIECE]])[0], list[tuple[float, int, str]](), list[sqlite3.Row]()
        for place, row in here.items():
            held = self._held[row["id"]]
            pieces = self._pieces(place)
            if held.vectors is None and time.monotonic() >= until:
                unread.append(row)
                continue
            if held.vectors is None:
                held.vectors = embed(pieces)
            scores = held.vectors @ word
            best = int(scores.argmax())
            near.append((float(scores[best]), place, " ".join(pieces[best].split())[:160]))
        near.sort(key=lambda one: -one[0])
        return [(place, said) for score, place, said in near[:limit] if score >= LEAST], unread

    def _pieces(self, place: int) -> list[str]:
        ((title, text),) = self._table.execute("SELECT title, text FROM texts WHERE rowid = ?", (place,)).fetchall()
        whole = f"{title}\n{text}".strip()
        count = max(1, min(PIECES, -(-len(whole) // PIECE)))
        step = max(0, len(whole) - PIECE) / max(1, count - 1)
        return [whole[round(number * step) :][:PIECE] for number in range(count)]

    @property
    def _table(self) -> sqlite3.Connection:
        if self._texts is None:
            self._texts = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            self._texts.execute(_TEXTS)
        return self._texts


@dataclass
class _Held:
    """A document in the index of this process; `vectors` (pieces, width) once it was compared by meaning."""

    place: int
    version: str
    title: str
    length: int
    vectors: Any = None


_LISTED = (
    "SELECT m.id, m.title, m.head, m.changed, v.words FROM manuscripts m JOIN manuscript_versions v ON v.id = m.head"
    " WHERE m.trashed = '' AND m.owner = ? AND (? = '' OR m.session = ?) ORDER BY m.changed DESC, m.rowid DESC"
)
_TEXTS = "CREATE VIRTUAL TABLE texts USING fts5 (title, text, tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3')"
_EXCERPT = "snippet(texts, -1, '', '', '…', 24)"
_AROUND = "substr(text, max(1, instr(text, ?) - 40 * (instr(text, ?) > 40)), 120)"
