"""The files a run was given: kept by their content, found again for the one who gave them, and the creations they are.

Knows the index and the store of the library; knows no task and no picture.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from studio.errors import MediaUnreadable, NotFound
from studio.index import Index
from studio.storage import Store

BY_CONTENT = "sha256:"
"""Begins the name of a file by its content, "sha256:<hex>", where a task names it."""


class Originals:
    """Thread-safe, as the index and the store are."""

    def __init__(self, index: Index, store: Store, release: Callable[[Iterable[str]], None]) -> None:
        """`release` removes the objects of these names that no row of the index names."""
        self._index = index
        self._store = store
        self._release = release
        self._in_use: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take_in(self, named: str, owner: str = "local") -> tuple[str, Path]:
        """Keep a file, given by its path or by a reference of that owner's, until `let_go`: (its reference, where it lies).

        Raises MediaUnreadable if it cannot be read, NotFound for an unknown reference, StorageFull without room.
        """
        with self._lock:
            reference, path = (named, self.find(named, owner)) if named.startswith(BY_CONTENT) else self._read(Path(named))
            self._in_use[path.name] += 1
        return reference, path

    def let_go(self, paths: Iterable[Path]) -> None:
        """A run is over: of its files those stay that a creation names or another run needs."""
        with self._lock:
            names = [path.name for path in paths]
            self._in_use.subtract(names)
            free = {name for name in names if self._in_use[name] <= 0}
            for name in free:
                del self._in_use[name]
            if free:
                self._release(free)

    def find(self, reference: str, owner: str = "local") -> Path:
        """Where the bytes behind a reference lie, if a creation of that owner names them; NotFound otherwise."""
        rows = self._index.rows(
            "SELECT object FROM creations WHERE owner = ?1 AND object LIKE ?2 UNION SELECT a.object FROM attachments a"
            " JOIN creations c ON c.id = a.creation WHERE c.owner = ?1 AND a.object LIKE ?2 LIMIT 1",
            *(owner, _pattern(reference)),
        )
        if not rows or not self._store.path(rows[0]["object"]).exists():
            raise NotFound("A file this was made from is not in this library: choose it again.")
        return self._store.path(rows[0]["object"])

    def creations(self, references: Sequence[str], owner: str = "local") -> tuple[str, ...]:
        """The ids of that owner's creations whose own file is one of these: the newest for each."""
        found: list[str] = []
        for reference in references:
            rows = self._index.rows(
                "SELECT id FROM creations WHERE owner = ? AND object LIKE ? ORDER BY seq DESC LIMIT 1", owner, _pattern(reference)
            )
            found += [row["id"] for row in rows]
        return tuple(found)

    def marked(self, number: str, owner: str = "local") -> tuple[str, ...]:
        """The ids of that owner's creations whose invisible mark has this number (five hexadecimal digits), the newest first."""
        rows = self._index.rows(
            "SELECT id FROM creations WHERE json_extract(record, '$.marks.watermark.payload') = ? AND owner = ? ORDER BY seq DESC LIMIT 10",
            *(number, owner),
        )
        return tuple(row["id"] for row in rows)

    def _read(self, file: Path) -> tuple[str, Path]:
        try:
            data = file.read_bytes()
        except OSError:
            raise MediaUnreadable("The file is still uploading or is gone: wait a moment, or choose it again.") from None
        name = self._store.name(data, _plain_suffix(file))
        if not self._store.path(name).exists():
            self._store.require(len(data))
            self._store.put(name, data)
        return BY_CONTENT + name[:64], self._store.path(name)


def _pattern(reference: str) -> str:
    """What SQL's LIKE finds the object by; nothing for what is no reference."""
    return f"{reference.removeprefix(BY_CONTENT)}.%" if re.fullmatch(f"{BY_CONTENT}[0-9a-f]{{64}}", reference) else "-"


def _plain_suffix(file: Path) -> str:
    """The suffix of a file of any origin, if it is one."""
    suffix = file.suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ".bin"
