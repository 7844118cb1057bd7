"""Small things of a person that are kept in home by name, such as text styles and voices: one file a session of an owner.

Knows where the files lie and how they are changed at once or not at all; knows neither what they hold nor a page.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from studio.storage import locked, storing

Thing = TypeVar("Thing")


class Owned(Generic[Thing]):
    """Things by name under the folder `root`, in files that end with `suffix`. With `session` '' all of an owner's are meant.

    `read` makes things of a file's text, None (or a ValueError) where it cannot; `write` is its inverse.
    """

    def __init__(
        self, root: Path, suffix: str, read: Callable[[str], Mapping[str, Thing] | None], write: Callable[[Iterable[Thing]], str]
    ) -> None:
        self._root, self._suffix = root, suffix
        self._parse, self._text = read, write

    def of(self, owner: str = "local", session: str = "") -> dict[str, Thing]:
        """The things by name, in the order they came. A file that cannot be read any more has none."""
        found: dict[str, Thing] = {}
        for file in self._files(owner, session):
            found |= self._read(file) or {}
        return found

    @contextmanager
    def changing(self, owner: str, session: str) -> Generator[tuple[dict[str, Thing], bool]]:
        """The things of one session, to be changed in place: they are kept when the block ends, and stay as they were if it raises.

        The second value says that the file could not be read any more and was put aside, with a name that ends with .damaged.
        """
        with self._alone():
            file = self._file(owner, session)
            things = self._read(file)
            damaged = things is None and file.exists()
            if damaged:
                file.rename(file.with_suffix(f".{secrets.token_hex(4)}.damaged"))
            changed = things or {}
            yield changed, damaged
            self._write(file, changed.values())

    def delete(self, name: str, owner: str, session: str) -> bool:
        """Remove a thing; False where there is none of that name."""
        found = False
        with self._alone():
            for file in self._files(owner, session):
                things = self._read(file) or {}
                if things.pop(name, None) is not None:
                    self._write(file, things.values())
                    found = True
        return found

    def forget(self, owner: str, session: str = "") -> None:
        """Remove all things of an owner, or of one of their browser sessions."""
        with storing():
            for file in self._files(owner, session):
                file.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Generator[None]:
        with storing():
            self._root.mkdir(parents=True, exist_ok=True)
            with locked(self._root / "lock"):
                yield

    def _file(self, owner: str, session: str) -> Path:
        return self._root / _key(owner) / f"{_key(session)}{self._suffix}"

    def _files(self, owner: str, session: str) -> tuple[Path, ...]:
        folder = self._root / _key(owner)
        files = sorted(folder.glob(f"*{self._suffix}")) if folder.is_dir() else ()
        return tuple(file for file in files if not session or file == self._file(owner, session))

    def _read(self, file: Path) -> dict[str, Thing] | None:
        try:
            found = self._parse(file.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return None if found is None else dict(found)

    def _write(self, file: Path, things: Iterable[Thing]) -> None:
        """All or nothing: a new file in the place of the old one."""
        file.parent.mkdir(exist_ok=True)
        part = file.with_suffix(f".{secrets.token_hex(4)}.part")
        try:
            part.write_text(self._text(things), "utf-8")
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
