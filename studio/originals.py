"""The files a run was given: named by their content, found again for the one who gave them, and the creations they are.

While a run lasts, its files are its own: no release, no sweep and no other process takes them away. They become objects of the library
with the first creation that is kept with them. Knows the index and the store of the library; knows no task and no picture.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from studio.errors import MediaUnreadable, NotFound
from studio.index import Index
from studio.storage import Store

BY_CONTENT = "sha256:"
"""Begins the name of a file by its content, "sha256:<hex>", where a task names it."""
_GONE = "A file this was made from is not in this library: choose it again."


class Originals:
    """Thread-safe, as the index and the store are."""

    def __init__(self, index: Index, store: Store) -> None:
        self._index = index
        self._store = store

    def take_in(self, named: str, owner: str = "local") -> tuple[str, Path]:
        """Hold a file, given by its path or by a reference of that owner's, until `let_go`: (its reference, where it lies).

        Each call holds a file of its own, which ends with this process at the latest. Its name is its hash and its suffix.
        Raises MediaUnreadable if it cannot be read, NotFound for an unknown reference, StorageFull without room.
        """
        if not named.startswith(BY_CONTENT):
            return self._read(Path(named))
        try:
            return named, self._store.hold(self.find(named, owner).name)
        except OSError:  # it left the library in this moment
            raise NotFound(_GONE) from None

    def let_go(self, paths: Iterable[Path]) -> None:
        """A run is over: its files go. Those that a creation names stay in the library."""
        for path in paths:
            self._store.let_go(path)

    def find(self, reference: str, owner: str = "local") -> Path:
        """Where the bytes behind a reference lie, if a creation of that owner names them; NotFound otherwise."""
        rows = self._index.rows(
            "SELECT object FROM creations WHERE owner = ?1 AND object LIKE ?2 UNION SELECT a.object FROM attachments a"
            " JOIN creations c ON c.id = a.creation WHERE c.owner = ?1 AND a.object LIKE ?2 LIMIT 1",
            *(owner, _pattern(reference)),
        )
        if not rows or not self._store.path(rows[0]["object"]).exists():
            raise NotFound(_GONE)
        return self._store.path(rows[0]["object"])

    def creations(self, references: Sequence[str], owner: str = "local", session: str = "") -> tuple[str, ...]:
        """The ids of that owner's creations whose own file is one of these: the newest for each. '' is every session of the owner."""
        found: list[str] = []
        for reference in references:
            rows = self._index.rows(
                "SELECT id FROM creations WHERE owner = ?1 AND object LIKE ?2 AND (?3 = '' OR session = ?3) ORDER BY seq DESC LIMIT 1",
                *(owner, _pattern(reference), session),
            )
            found += [row["id"] for row in rows]
        return tuple(found)

    def marked(self, number: str, owner: str = "local", session: str = "") -> tuple[str, ...]:
        """The ids of that owner's creations whose invisible mark has this number (five hexadecimal digits), the newest first.

        '' is every session of the owner.
        """
        rows = self._index.rows(
            "SELECT id FROM creations WHERE json_extract(record, '$.marks.watermark.payload') = ?1 AND owner = ?2"
            " AND (?3 = '' OR session = ?3) ORDER BY seq DESC LIMIT 10",
            *(number, owner, session),
        )
        return tuple(row["id"] for row in rows)

    def _read(self, file: Path) -> tuple[str, Path]:
        try:
            data = file.read_bytes()
        except OSError:
            raise MediaUnreadable("The file is still uploading or is gone: wait a moment, or choose it again.") from None
        name = self._store.name(data, _plain_suffix(file))
        return BY_CONTENT + name[:64], self._store.hold(name, data)


def _pattern(reference: str) -> str:
    """What SQL's LIKE finds the object by; nothing for what is no reference."""
    return f"{reference.removeprefix(BY_CONTENT)}.%" if re.fullmatch(f"{BY_CONTENT}[0-9a-f]{{64}}", reference) else "-"


def _plain_suffix(file: Path) -> str:
    """The suffix of a file of any origin, if it is one."""
    suffix = file.suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ".bin"
