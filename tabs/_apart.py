"""Whose is what while the page is served: browser sessions, runs' events and files, each bound to the visitor who first had it.

Files are those of Gradio's temp folder alone. What the studio shows lies there in a folder whose name tells its visitor; what was
uploaded is bound when it arrives. A visitor is a name here; '' is a studio of one person, where only the place of a file counts.
Knows no header and no cookie.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

BONDS = 50_000
"""The oldest are let go beyond so many."""
DEPTH = 40
"""Nested values of a request beyond this depth are refused."""
OTHERS_PAGE = "This page belongs to another visitor, or its cookie is gone: reload it, then go on."
OTHERS_FILE = "This file is not one that you uploaded or made here: choose it again."
NO_ADDRESS = "Files are not fetched from addresses here: upload the file itself."
TOO_DEEP = "This request cannot be read: reload the page, then try again."
_FOLDER = re.compile(r"([0-9a-f]{16})-[0-9a-f]{32}")
_ADDRESS = re.compile(r"\s*[a-z][a-z0-9+.-]*:", re.IGNORECASE)


class Bonds:
    """Things and the visitors they belong to. Thread-safe."""

    def __init__(self) -> None:
        self._owners: OrderedDict[tuple[str, str], set[str]] = OrderedDict()
        self._lock = threading.Lock()

    def claim(self, kind: str, thing: str, visitor: str) -> bool:
        """Whether `thing` is this visitor's, who gets it if nobody has it."""
        with self._lock:
            owners = self._kept((kind, thing))
            if not owners:
                owners.add(visitor)
            return visitor in owners

    def share(self, kind: str, thing: str, visitor: str) -> None:
        """Bind `thing` to this visitor beside others: equal uploads are one file."""
        with self._lock:
            self._kept((kind, thing)).add(visitor)

    def has(self, kind: str, thing: str, visitor: str, *, unknown: bool = False) -> bool:
        """Whether `thing` is this visitor's; `unknown` is the answer for what nobody has."""
        with self._lock:
            owners = self._owners.get((kind, thing))
            return visitor in owners if owners else unknown

    def _kept(self, key: tuple[str, str]) -> set[str]:
        owners = self._owners.setdefault(key, set())
        self._owners.move_to_end(key)
        while len(self._owners) > BONDS:
            self._owners.popitem(last=False)
        return owners


class Files:
    """The files of Gradio's temp folder, by visitor."""

    def __init__(self, folder: Path, bonds: Bonds) -> None:
        self._folder = Path(os.path.realpath(folder))
        self._given = folder
        self._bonds = bonds

    def refusal(self, path: str, visitor: str) -> str:
        """Why this visitor may not use the file at `path`, in a sentence; '' if they may."""
        if _ADDRESS.match(path) and not re.match(r"[a-zA-Z]:[\\/]", path):
            return NO_ADDRESS
        inside = self._inside(path)
        if inside is None:
            return OTHERS_FILE
        if not visitor or self._bonds.has("file", str(inside), visitor):
            return ""
        tagged = _FOLDER.fullmatch(inside.parts[0])
        return "" if tagged and tagged[1] == tag(visitor) else OTHERS_FILE

    def bind(self, path: str, visitor: str) -> None:
        """A file that this visitor uploaded."""
        if visitor and (inside := self._inside(path, there=False)) is not None:
            self._bonds.share("file", str(inside), visitor)

    def forget(self, visitor: str) -> None:
        """Remove what was shown to this visitor."""
        for folder in self._folder.glob(f"{tag(visitor)}-*"):
            if _FOLDER.fullmatch(folder.name):
                shutil.rmtree(folder, ignore_errors=True)

    def _inside(self, path: str, *, there: bool = True) -> Path | None:
        """The place below the folder, if `path` is one there, two levels down at least, with no way around and no link in it."""
        try:
            given = Path(path)
            if "\0" in path or ".." in given.parts or not given.is_absolute():
                return None
            base = next((base for base in (self._given, self._folder) if given.is_relative_to(base)), None)
            if base is None or len((inside := given.relative_to(base)).parts) < 2:
                return None
            real = Path(os.path.realpath(given))
            return inside if real == self._folder / inside and (not there or real.is_file()) else None
        except (OSError, ValueError):
            return None


def folder_for(visitor: str) -> str:
    """The name of a new folder of this visitor in Gradio's temp folder."""
    return f"{tag(visitor)}-{secrets.token_hex(16)}" if visitor else secrets.token_hex(16)


def tag(visitor: str) -> str:
    """What the name of a folder tells of its visitor: 16 hexadecimal digits, no way back to the name."""
    return hashlib.sha256(b"files " + visitor.encode()).hexdigest()[:16]


def paths(value: object, depth: int = 0) -> Iterator[str]:
    """Every path of a file that a request names, at any depth. Raises ValueError for one that is nested too deep."""
    if depth > DEPTH:
        raise ValueError(TOO_DEEP)
    if isinstance(value, dict):
        if isinstance(named := value.get("path"), str):
            yield named
        if isinstance(several := value.get("paths"), list):
            yield from (one for one in several if isinstance(one, str))
        for inner in value.values():
            yield from paths(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, depth + 1)
