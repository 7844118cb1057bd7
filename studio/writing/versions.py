"""Versions of a text as rows: each has a parent and what changed since; every 50th is a whole copy, so that any is rebuilt quickly.

Rows are only ever added, so that a version once read stays what it is. Knows their table; knows no owner, no title and no page.
"""

# ruff: noqa: S608 - questions are put together from parts of this module; every value is bound

from __future__ import annotations

import re
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from studio.errors import InvalidInput, NotFound, StudioError
from studio.index import known_id, moment
from studio.storage import new_id
from studio.writing.delta import Delta, applied, delta, spans_from_text, spans_to_text, whole
from studio.writing.spans import Origin, Span, Splice, shares

WHOLE_EVERY = 50
EXCERPT_LIMIT = 120

Rows = Callable[..., Sequence[sqlite3.Row]]
"""Answers one SELECT with its values."""


@dataclass(frozen=True)
class Version:
    """One version as a tree shows it. `parent` is '' for the first; `added` and `removed` count characters.

    `excerpt` is the beginning of what came, or else of what went.
    """

    id: str
    parent: str
    created: str
    note: str
    origin: Origin
    creation: str
    added: int
    removed: int
    excerpt: str


@dataclass(frozen=True)
class Text:
    """A version's own text. `parent` and `redo` are the versions that undo and redo lead to, or ''; `depth` counts from a whole copy."""

    version: str
    text: str
    spans: tuple[Span, ...]
    parent: str = ""
    redo: str = ""
    depth: int = WHOLE_EVERY


def read(rows: Rows, manuscript: str, version: str) -> Text:
    """The text of a version of that manuscript. Raises NotFound if there is none, StudioError if it is damaged."""
    line = rows(_LINE, known_id(version), manuscript)
    if not line:
        raise NotFound("This version of the document is not kept here (any more): reload the page.")
    text, spans = "", ()
    try:
        if line[0]["depth"]:
            raise ValueError("the whole copy is gone")
        for row in line:
            change = Delta(row["kept_before"], row["kept_after"], row["middle"], spans_from_text(row["spans"], row["middle"]))
            text, spans = applied(text, spans, change)
        if zlib.crc32(text.encode()) != line[-1]["crc"]:
            raise ValueError("the text is another")
    except (ValueError, TypeError, InvalidInput) as error:
        raise StudioError("This version of the document is damaged on the disk: open another version, or put back a backup.") from error
    return Text(line[-1]["id"], text, spans, line[-1]["parent"], line[-1]["redo"], line[-1]["depth"])


def add(index: sqlite3.Connection, manuscript: str, base: Text | None, text: str, spans: tuple[Span, ...], said: Version) -> None:
    """Write down a version that follows `base`, or the first one. `said` tells all about it but its text."""
    depth = 0 if base is None else base.depth + 1
    change = whole(text, spans)
    if base is not None and depth < WHOLE_EVERY:
        change = delta(base.text, base.spans, text, spans)
    else:
        depth = 0
    values = {name: getattr(said, name) for name in Version.__dataclass_fields__} | {
        "manuscript": manuscript,
        "depth": depth,
        "kept_before": change.before,
        "kept_after": change.after,
        "middle": change.text,
        "spans": spans_to_text(change.spans),
        "crc": zlib.crc32(text.encode()),
        "words": count_words(text),
        "machine": shares(spans)["machine"],
        "schema_version": 1,
    }
    index.execute(
        f"INSERT INTO manuscript_versions ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
        tuple(values.values()),
    )


def show(index: sqlite3.Connection, manuscript: str, version: str, now: str) -> None:
    """This version becomes what the document holds, and what redo at its parent leads to."""
    index.execute(
        "UPDATE manuscript_versions SET redo = ?1 WHERE id = (SELECT parent FROM manuscript_versions WHERE id = ?1)"
        " AND manuscript = ?2 AND redo <> ?1",
        (version, manuscript),
    )
    index.execute("UPDATE manuscripts SET head = ?, changed = ? WHERE id = ?", (version, now, manuscript))


def first(text: str, spans: Sequence[Span]) -> Version:
    """What is told about a text that a document begins with."""
    machine = next((span for span in spans if span.origin != "human"), Span(0, "human"))
    return Version(new_id(), "", moment(), "", machine.origin, machine.creation, len(text), 0, _excerpt(text))


def following(base: Text, splices: Sequence[Splice], removed: Sequence[str], note: str) -> Version:
    """What is told about a version: `removed` is what each of the splices took away."""
    machine = next((splice for splice in splices if splice.origin != "human" and splice.text), Splice(0, 0, ""))
    came, went = "".join(splice.text for splice in splices), "".join(removed)
    excerpt = _excerpt(came.strip() or went)
    return Version(new_id(), base.version, moment(), note, machine.origin, machine.creation, len(came), len(went), excerpt)


def damaged(index: sqlite3.Connection) -> dict[str, str]:
    """Manuscripts whose text cannot be read, each with its newest version that can, or ''."""

    def rows(question: str, *values: object) -> Sequence[sqlite3.Row]:
        cursor = index.cursor()
        cursor.row_factory = sqlite3.Row
        return cursor.execute(question, values).fetchall()

    found: dict[str, str] = {}
    for row in rows("SELECT id, head FROM manuscripts ORDER BY rowid"):
        if not _sound(rows, row["id"], row["head"]):
            others = rows("SELECT id FROM manuscript_versions WHERE manuscript = ? ORDER BY seq DESC", row["id"])
            found[row["id"]] = next((other["id"] for other in others if _sound(rows, row["id"], other["id"])), "")
    return found


def count_words(text: str) -> int:
    """Words between white space; in scripts that go without it, each character is one."""
    return len(_WORDS.findall(text)) if _SPACELESS.search(text) else len(text.split())


def _sound(rows: Rows, manuscript: str, version: str) -> bool:
    try:
        read(rows, manuscript, version)
    except StudioError:
        return False
    return True


def _excerpt(text: str) -> str:
    words = " ".join(text[: 4 * EXCERPT_LIMIT].split())
    return words if len(words) <= EXCERPT_LIMIT else words[: EXCERPT_LIMIT - 1] + "…"


_LINE = (
    "WITH RECURSIVE line AS (SELECT * FROM manuscript_versions WHERE id = ?1 AND manuscript = ?2 UNION ALL"
    " SELECT v.* FROM line l JOIN manuscript_versions v ON v.id = l.parent AND v.manuscript = ?2 AND v.depth = l.depth - 1"
    " WHERE l.depth > 0) SELECT id, parent, redo, depth, kept_before, kept_after, middle, spans, crc FROM line ORDER BY depth"
)
_SCRIPTS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SPACELESS = re.compile(f"[{_SCRIPTS}]")
_WORDS = re.compile(rf"[{_SCRIPTS}]|[^\s{_SCRIPTS}]+")
