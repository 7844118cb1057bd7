"""Files that are there completely or not at all: the ground the library stands on.

Knows bytes, names and locks; knows no creation, no task and no picture. Several threads and processes may share one home: each
process holds a lock while it lives, so that another one's start sweeps only what the dead left behind.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import sqlite3
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from studio.errors import Busy, StorageFailed, StorageFull, StudioError

RESERVE = 200_000_000
"""Bytes of the disk that saving leaves free."""
ORPHAN_AGE = 3600.0
"""Seconds after which a file that no row names is swept; younger ones may belong to a save under way."""
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
"""Names that Windows keeps for devices, whatever follows a point: a file of such a name cannot be unpacked there."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32


def new_id() -> str:
    """26 characters that sort by the millisecond they were made in, 80 bits of them random (the layout of ULID)."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


@contextmanager
def storing() -> Generator[None]:
    """What the disk or the index refuses inside becomes a StudioError with a sentence; bugs pass as they are."""
    try:
        yield
    except OSError as error:
        raise disk_error(error.errno or 0) from error
    except sqlite3.DatabaseError as error:
        refusal = index_error(error)
        if refusal is None:
            raise
        raise refusal from error


def disk_error(code: int) -> StudioError:
    """The sentence for an error number of the system."""
    if code in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull("The disk is full, so this was not saved: free some space, then run it again.")
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageFailed("Atelier may not write into its home folder: allow it, or choose another folder with --home.")
    return StorageFailed(f"The disk refused to save this ({os.strerror(code)}): check the disk, then run it again.")


def index_error(error: sqlite3.DatabaseError) -> StudioError | None:
    """The sentence for what SQLite refused, by its primary result code, or None for what is a bug."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return disk_error(errno.ENOSPC)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Busy("Another program is using the library: try again in a moment.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return disk_error(errno.EACCES)
    if code == sqlite3.SQLITE_IOERR:
        return disk_error(errno.EIO)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StorageFailed("The library's index is damaged: move library.sqlite elsewhere and start again; no file is lost.")
    return None


@contextmanager
def locked(file: Path) -> Generator[None]:
    """Alone among all processes that ask for the same file; waits its turn."""
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR)
    try:
        _lock(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder`, such as after a rename, durable. Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Store:
    """Files named by the SHA-256 of their content, under `objects/`; files in the making or held lie under `tmp/<run>/`.

    `run` names this opening of the store. Open it inside `locked(...)`, so that no two openings sweep at once.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.run = new_id()
        self._objects = home / "objects"
        self._parts = home / "tmp" / self.run
        self._objects.mkdir(parents=True, exist_ok=True)
        self._parts.mkdir(parents=True)
        self._alive = os.open(self._parts / "lock", os.O_CREAT | os.O_RDWR)
        _lock(self._alive, wait=False)

    def close(self) -> None:
        """Give the run up: its folder goes, its lock is free."""
        os.close(self._alive)
        shutil.rmtree(self._parts, ignore_errors=True)

    def name(self, data: bytes, suffix: str) -> str:
        """The name `data` is kept under. `suffix` as in '.png'."""
        if not re.fullmatch(r"\.[a-z0-9]{1,8}", suffix):
            raise ValueError(f"{suffix!r} is no file suffix")
        return hashlib.sha256(data).hexdigest() + suffix

    def path(self, name: str) -> Path:
        """Where the object of that name lies or would lie."""
        return self._objects / name[:2] / name

    def require(self, size: int) -> None:
        """StorageFull unless twice `size` bytes and the reserve are free."""
        with storing():
            free = shutil.disk_usage(self.home).free
        if free < 2 * size + RESERVE:
            raise StorageFull(f"The disk is nearly full: free {(2 * size + RESERVE - free) / 1e6:,.0f} MB, then run this again.")

    def put(self, name: str, data: bytes) -> None:
        """Make `data` durable under `name`. Raises StorageFull or StudioError, and then nothing half-written stays."""
        part, target = self._parts / f"{new_id()}.part", self.path(name)
        with storing():
            try:
                if not target.parent.is_dir():
                    target.parent.mkdir(exist_ok=True)
                    sync_folder(self._objects)
                _write(part, data)
                part.replace(target)
                sync_folder(target.parent)
            except BaseException:
                with suppress(OSError):
                    part.unlink(missing_ok=True)
                raise

    def drop(self, name: str) -> None:
        """Remove the object; it may be gone already."""
        with suppress(OSError):
            self.path(name).unlink(missing_ok=True)

    def hold(self, name: str, data: bytes | None = None) -> Path:
        """A file of that name that stays until `let_go` or the end of this run, whatever becomes of the object.

        It is the object itself by a second name where the disk has such, else a copy. With `data` it holds just that, whether or not
        there is such an object. Raises OSError for an object that cannot be read, StorageFull without room.
        """
        held = self._parts / new_id() / name
        with storing():
            held.parent.mkdir()
        try:
            if not (data is None or _holds(self.path(name), data)) or not _linked(self.path(name), held):
                content = self.path(name).read_bytes() if data is None else data
                self.require(len(content))
                with storing():
                    held.write_bytes(content)
        except BaseException:
            self.let_go(held)
            raise
        return held

    def let_go(self, held: Path) -> None:
        """Remove what `hold` returned; it may be gone already. Any other file is left alone."""
        if held.parent.parent == self._parts:
            shutil.rmtree(held.parent, ignore_errors=True)

    def names(self) -> set[str]:
        """Every object on the disk."""
        folders = [folder.path for folder in os.scandir(self._objects) if folder.is_dir(follow_symlinks=False)]
        return {entry.name for folder in folders for entry in os.scandir(folder)}

    def older(self, name: str, seconds: float) -> bool:
        """Whether the object was written more than `seconds` ago; False if it is gone."""
        try:
            return self.path(name).stat().st_mtime < time.time() - seconds
        except OSError:
            return False

    def sweep_parts(self) -> tuple[str, ...]:
        """Remove what dead runs left in tmp/; returns the runs that live, this one among them."""
        live = [self.run]
        for leftover in (self.home / "tmp").iterdir():
            if leftover.name == self.run:
                continue
            if _held(leftover / "lock"):
                live.append(leftover.name)
            elif leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)
        return tuple(live)


def _write(file: Path, data: bytes) -> None:
    descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o644)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _holds(file: Path, data: bytes) -> bool:
    try:
        return file.read_bytes() == data
    except OSError:
        return False


def _linked(file: Path, name: Path) -> bool:
    """Give a file a second name; False where that cannot be."""
    try:
        os.link(file, name)
    except OSError:
        return False
    return True


def _held(file: Path) -> bool:
    """Whether a living process holds the lock of that file."""
    try:
        descriptor = os.open(file, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _lock(descriptor, wait=False)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, wait: bool) -> bool:
    """Take the lock of an open file until it is closed, also by the death of its process; False if another holds it."""
    if sys.platform == "win32":
        import msvcrt

        while True:
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
                return True
            except OSError:
                if not wait:
                    return False
                time.sleep(0.05)
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
