"""One zip of a whole home, consistent while the studio runs. Unzipped into an empty folder it is that home again.

The index, and what is kept of pauses, blocks and shares of the day, are copied by SQLite as they are at one moment; then every file that
the index names is read and held against its name. Knows the layout of a home; knows no task and no picture.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from studio.errors import InvalidInput, StorageFull, StudioError
from studio.index import BUSY_TIMEOUT, reading
from studio.schema import STEPS
from studio.storage import RESERVE, storing

INDEX = "library.sqlite"
ADMISSION = "admission.sqlite"
LEFT_OUT = ("tmp", "thumbs", "objects", *(name + end for name in (INDEX, ADMISSION) for end in ("", "-wal", "-shm")))
"""Of a home: made anew at a start, or written by `backup` itself."""
README = """A backup of an Atelier home: {creations:,} creations in {files:,} files.

To use it, unzip it into an empty folder and start Atelier with --home and that folder.
It holds everything that is in the library, and the keys that your works are signed with if there are any: keep it to yourself.
"""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Backup:
    """What was written: `creations` and `files` counted, `bytes` of the zip. `lacking` are names of files that were gone or changed."""

    creations: int
    files: int
    bytes: int
    lacking: tuple[str, ...]


def backup(home: Path, out: Path) -> Backup:
    """Write the zip `out` and read it back before it takes that name. Raises InvalidInput if there is one, or no such folder.

    Raises StorageFull without room, StudioError if there is no library or it cannot be read.
    """
    if out.exists():
        raise InvalidInput(f"There is a file {out.name} already: choose another name.")
    if not out.parent.is_dir():
        raise InvalidInput(f"There is no folder for {out.name}: make it first, or choose another.")
    with storing(), tempfile.TemporaryDirectory(dir=out.parent, prefix=".backup-") as folder:
        part, copy = Path(folder) / "part.zip", Path(folder) / INDEX
        # 1. the index as it is now
        with reading(home / INDEX, len(STEPS)) as index, closing(sqlite3.connect(copy)) as target:
            index.backup(target)
        tables = [copy, *_also(home, Path(folder))]
        names = _objects(copy)
        _require(home, names, out.parent)
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "w+b") as opened:
            with zipfile.ZipFile(opened, "w") as file:
                # 2. the files that it names; what was forgotten meanwhile is forgotten in the copy too
                lacking = [name for name in names if not _pack(file, home / "objects" / name[:2] / name, f"objects/{name[:2]}/{name}")]
                lacking = _forget(copy, home, lacking)
                # 3. what else there is, and the tables last
                for other in _others(home):
                    _pack(file, other, other.relative_to(home).as_posix())
                for table in tables:
                    file.write(table, table.name)
                creations, files = _count(copy), len(_objects(copy)) - len(lacking)
                file.writestr("README.txt", README.format(creations=creations, files=files))
            opened.flush()
            os.fsync(opened.fileno())
        # 4. read back, and only then given its name
        _verify(part, Path(folder) / "verify", [table.name for table in tables])
        part.replace(out)
    return Backup(creations, files, out.stat().st_size, tuple(lacking))


def _also(home: Path, folder: Path) -> list[Path]:
    """A copy of who may begin a run, where that is kept, as it is at one moment: it may be written while it is read."""
    if not (home / ADMISSION).is_file():
        return []
    address = f"{(home / ADMISSION).absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT)) as kept, closing(sqlite3.connect(folder / ADMISSION)) as target:
        kept.backup(target)
    return [folder / ADMISSION]


def _objects(copy: Path) -> list[str]:
    with closing(sqlite3.connect(copy)) as index:
        rows = index.execute("SELECT object FROM creations UNION SELECT object FROM attachments ORDER BY 1").fetchall()
    return [str(name) for (name,) in rows]


def _require(home: Path, names: list[str], folder: Path) -> None:
    """StorageFull unless there is room for all that will be written."""
    needed = 3 * (home / INDEX).stat().st_size
    for name in names:
        with suppress(OSError):
            needed += (home / "objects" / name[:2] / name).stat().st_size
    free = shutil.disk_usage(folder).free
    if free < needed + RESERVE:
        raise StorageFull(f"There is no room for the backup: free {(needed + RESERVE - free) / 1e6:,.0f} MB, or write it to another disk.")


def _others(home: Path) -> Iterator[Path]:
    """Sets of own pictures, keys and whatever else lies in the home."""
    for entry in sorted(home.iterdir()):
        if entry.name in LEFT_OUT or entry.suffix == ".lock" or entry.is_symlink():
            continue
        yield from (entry,) if entry.is_file() else (file for file in sorted(entry.rglob("*")) if file.is_file() and not file.is_symlink())


def _pack(file: zipfile.ZipFile, path: Path, name: str) -> bool:
    """Write one file; False if it is gone, or an object that is not what its name says (it is written all the same)."""
    read = hashlib.sha256()
    try:
        with path.open("rb") as source, file.open(zipfile.ZipInfo.from_file(path, name, strict_timestamps=False), "w") as target:
            while block := source.read(_BLOCK):
                read.update(block)
                target.write(block)
    except FileNotFoundError:
        return False
    return not name.startswith("objects/") or read.hexdigest() == path.stem


def _forget(copy: Path, home: Path, lacking: list[str]) -> list[str]:
    """Remove from the copy what left the library while it was read; returns the names that the library still lacks."""
    with reading(home / INDEX, len(STEPS)) as index, closing(sqlite3.connect(copy)) as rows:
        now = {str(id) for (id,) in index.execute("SELECT id FROM creations")}
        rows.execute("PRAGMA foreign_keys = ON")
        for name in lacking:
            owners = rows.execute(
                "SELECT id FROM creations WHERE object = ?1 UNION SELECT creation FROM attachments WHERE object = ?1", (name,)
            ).fetchall()
            rows.executemany("DELETE FROM creations WHERE id = ?", [row for row in owners if row[0] not in now])
        rows.commit()
    still = set(_objects(copy))
    return [name for name in lacking if name in still]


def _count(copy: Path) -> int:
    with closing(sqlite3.connect(copy)) as index:
        return index.execute("SELECT count(*) FROM creations").fetchone()[0]


def _verify(part: Path, folder: Path, tables: list[str]) -> None:
    sound = True
    with zipfile.ZipFile(part) as file:
        wrong = file.testzip()
        for table in tables:
            with closing(sqlite3.connect(file.extract(table, folder))) as read:
                sound = sound and read.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    if wrong is not None or not sound:
        raise StudioError("The backup did not read back as it was written: check the disk, then run this again.")
