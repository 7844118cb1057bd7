"""Books in EPUB 2 and 3: their chapters in reading order. What is locked or lies elsewhere is not read."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from urllib.parse import unquote

from studio.writing.reading_blocks import TITLE_LIMIT, Found, Unreadable
from studio.writing.reading_html import read_html
from studio.writing.reading_text import decoded
from studio.writing.reading_zip import Packed, walk

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"


def read_epub(data: bytes) -> Found:
    """The blocks of a book. Raises Unreadable for one that is damaged, protected or empty."""
    book = Packed(data)
    packages: list[str] = []
    walk(book.read(_CONTAINER), lambda name, values: packages.append(values.get("full-path", "")) if name == "rootfile" else None)
    if not packages or packages[0] not in book.names:
        raise Unreadable("damaged")
    package = _Package(packages[0], book.read(packages[0]))
    locked = _locked(book)
    if locked and locked.issuperset(package.chapters):
        raise Unreadable("protected")
    found = Found(title=" ".join("".join(package.title).split())[:TITLE_LIMIT])
    for name in package.chapters:
        if name not in book.names or name in locked:
            found.notice("Some of its chapters are missing or locked and were left out.")
        elif not found.full:
            text, _ = decoded(book.read(name))
            read_html(text, found)
    return found


class _Package:
    """The title of a book, and its chapters' names in order."""

    def __init__(self, path: str, data: bytes) -> None:
        self.title: list[str] = []
        self.chapters: list[str] = []
        self._items: dict[str, str] = {}
        self._order: list[str] = []
        self._open = False
        walk(data, self._start, self._end, lambda text: self.title.append(text) if self._open else None)
        folder = posixpath.dirname(path)
        for key in self._order:
            address = unquote(self._items.get(key, "")).partition("#")[0]
            if address and "://" not in address:
                self.chapters.append(posixpath.normpath(posixpath.join(folder, address)))

    def _start(self, name: str, values: Mapping[str, str]) -> None:
        self._open = name == "title" and not self.title
        if name == "item" and values.get("media-type", "") in ("application/xhtml+xml", "text/html"):
            self._items[values.get("id", "")] = values.get("href", "")
        elif name == "itemref":
            self._order.append(values.get("idref", ""))

    def _end(self, name: str) -> None:
        self._open = self._open and name != "title"


def _locked(book: Packed) -> set[str]:
    """Names of the files that are encrypted; fonts often are, chapters only in books that are protected."""
    if _ENCRYPTION not in book.names:
        return set()
    names: set[str] = set()
    walk(
        book.read(_ENCRYPTION),
        lambda name, values: names.add(unquote(values.get("URI", ""))) if name == "CipherReference" else None,
    )
    return names
