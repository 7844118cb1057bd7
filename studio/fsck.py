"""Hold a library against its disk and say what does not fit; repair what can be repaired without losing anything.

Knows the tables and the layout of a home; knows no task and no picture. A studio may be running.
"""

# ruff: noqa: S608 - questions are put together from parts of this module; every value is bound

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from studio.audit import verified
from studio.index import Index, reading
from studio.schema import SEARCH_AGAIN, STEPS
from studio.storage import ORPHAN_AGE, locked, new_id, storing
from studio.writing.versions import damaged

ASIDE = "lost+found"
"""Folder of the home for files that no creation names."""
NAMED = 3
"""Files named in one sentence, at most."""


@dataclass(frozen=True)
class Finding:
    """What does not fit, and what to do about it; `repaired` is what was done, or ''."""

    what: str
    advice: str
    repaired: str = ""


def check(home: Path, repair: bool = False) -> tuple[Finding, ...]:
    """Read every file of the library and its index; () if all fits.

    `repair` forgets rows about nothing, fills the search anew, opens documents that cannot be read at an older version, flags creations
    whose file is gone and moves files that no creation names to `lost+found`. Nothing is removed. Raises StudioError if there is no
    library, its index is damaged beyond reading, of another version, locked, or may not be read.
    """
    with reading(home / "library.sqlite", len(STEPS)) as index:
        broken = [str(line) for (line,) in index.execute("PRAGMA integrity_check(3)") if line != "ok"]
        if broken:
            return (Finding(f"The index is damaged ({broken[0]})", "put back a backup; no file is lost"),)
        found = (*_rows(index), *_search(index), *_documents(index), *_files(index, home), *_audit(home))
    if not repair:
        return tuple(finding for finding, _ in found)
    with storing(), locked(home / "opening.lock"):
        return tuple(finding if mend is None else replace(finding, repaired=mend(home)) for finding, mend in found)


_Mend = Callable[[Path], str] | None


def _rows(index: sqlite3.Connection) -> list[tuple[Finding, _Mend]]:
    """Rows about creations and documents that are not there."""
    found = [index.execute(f"SELECT count(*) FROM {table} WHERE {lost}").fetchone()[0] for table, lost in _DANGLING]
    if not sum(found):
        return []

    def mend(home: Path) -> str:
        _write(home, tuple(f"DELETE FROM {table} WHERE {lost}" for table, lost in _DANGLING))
        return "forgot them"

    return [(Finding(f"{_count(sum(found), 'row')} of the index about creations or documents that are gone", _REPAIR), mend)]


def _search(index: sqlite3.Connection) -> list[tuple[Finding, _Mend]]:
    (apart,) = index.execute(_OUT_OF_STEP).fetchone()
    if not apart:
        return []

    def mend(home: Path) -> str:
        _write(home, SEARCH_AGAIN)
        return "filled it anew"

    return [(Finding(f"The search is out of step with {_count(apart, 'creation')}", _REPAIR), mend)]


def _documents(index: sqlite3.Connection) -> list[tuple[Finding, _Mend]]:
    """Documents whose text cannot be put together."""
    found = damaged(index)
    if not found:
        return []

    def mend(home: Path) -> str:
        for manuscript, version in found.items():
            if version:
                _write(home, ("UPDATE manuscripts SET head = ? WHERE id = ?",), version, manuscript)
        return "opened them at their newest version that can be read"

    whole = any(found.values())
    what = f"{_count(len(found), 'document')} that cannot be read: {_names(list(found))}"
    return [(Finding(what, _REPAIR if whole else "put back a backup"), mend if whole else None)]


def _files(index: sqlite3.Connection, home: Path) -> list[tuple[Finding, _Mend]]:
    named = {str(name): bool(flagged) for name, flagged in index.execute(_OBJECTS)}
    there = {file.name: file for file in (home / "objects").glob("*/*") if file.is_file() and file.parent.name == file.name[:2]}
    gone = sorted(named.keys() - there.keys())
    changed = sorted(name for name in named.keys() & there.keys() if _sha256(there[name]) != Path(name).stem)
    orphans = [file for file in (home / "objects").rglob("*") if file.is_file() and not _known(file, named) and _old(file)]
    found: list[tuple[Finding, _Mend]] = []
    if gone:
        fresh = [name for name in gone if not named[name]]
        finding = Finding(f"{_count(len(gone), 'file')} gone from the disk: {_names(gone)}", "put back their files from a backup")
        found.append((finding, (lambda home: _flag(home, fresh)) if fresh else None))
    if changed:
        found.append((Finding(f"{_count(len(changed), 'file')} changed since: {_names(changed)}", "put them back from a backup"), None))
    if orphans:
        finding = Finding(f"{_count(len(orphans), 'file')} that no creation names: {_names([file.name for file in orphans])}", _REPAIR)
        found.append((finding, lambda home: _move(home, orphans)))
    return found


def _audit(home: Path) -> list[tuple[Finding, _Mend]]:
    found = verified(home)
    return [(Finding(f"The audit log is not whole: {found.wrong}", "compare its folder with a backup"), None)] if found.wrong else []


def _known(file: Path, named: Collection[str]) -> bool:
    return file.name in named and file.parent.name == file.name[:2] and file.parent.parent.name == "objects"


def _old(file: Path) -> bool:
    """Whether it is old enough not to belong to a save under way."""
    with suppress(OSError):
        return file.stat().st_mtime < time.time() - ORPHAN_AGE
    return False


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""


def _flag(home: Path, names: Collection[str]) -> str:
    for name in names:
        if not (home / "objects" / name[:2] / name).exists():
            _write(home, tuple(f"UPDATE {table} SET missing = 1 WHERE object = ?" for table in ("creations", "attachments")), name)
    return "flagged their creations, which stay on the shelf without them"


def _move(home: Path, files: Collection[Path]) -> str:
    (home / ASIDE).mkdir(exist_ok=True)
    for file in files:
        with suppress(FileNotFoundError):  # a start of the studio swept it meanwhile
            aside = home / ASIDE / file.name
            file.replace(aside if not aside.exists() else aside.with_name(f"{new_id()} {file.name}"))
    return f"moved to {ASIDE} in the home folder"


def _write(home: Path, changes: Collection[str], *values: object) -> None:
    index = Index(home / "library.sqlite", STEPS)
    try:
        with index.transaction(durable=True) as rows:
            for change in changes:
                rows.execute(change, values)
    finally:
        index.close()


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"


def _names(names: Collection[str]) -> str:
    return ", ".join(list(names)[:NAMED]) + (" and more" if len(names) > NAMED else "")


_REPAIR = "run this again with --repair"
_DANGLING = (
    ("attachments", "creation NOT IN (SELECT id FROM creations)"),
    ("tags", "creation NOT IN (SELECT seq FROM creations)"),
    ("origins", "creation NOT IN (SELECT seq FROM creations)"),
    ("manuscript_versions", "manuscript NOT IN (SELECT id FROM manuscripts)"),
    ("manuscript_sources", "manuscript NOT IN (SELECT id FROM manuscripts)"),
    ("chats", "manuscript NOT IN (SELECT id FROM manuscripts)"),
    ("chat_turns", "chat NOT IN (SELECT id FROM chats)"),
)
_OBJECTS = (
    "SELECT object, max(missing) FROM (SELECT object, missing FROM creations UNION ALL SELECT object, missing FROM attachments)"
    " GROUP BY object"
)
_OUT_OF_STEP = (
    "SELECT (SELECT count(*) FROM creations c LEFT JOIN search s ON s.rowid = c.seq"
    " WHERE s.rowid IS NULL OR s.title <> c.title OR s.note <> c.note OR s.text <> coalesce(c.text, ''))"
    " + (SELECT count(*) FROM search WHERE rowid NOT IN (SELECT seq FROM creations))"
)
