"""What the styles and lists of a Word document mean: which paragraphs are headings, entries, numbered. Knows no text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from studio.writing.reading_blocks import BlockKind
from studio.writing.reading_zip import walk

DEEPEST_LIST = 3


class Styles:
    """Which styles are headings and lists, also by what they come from."""

    def __init__(self, data: bytes) -> None:
        self._known: dict[str, _Style] = {}
        self._now = _Style()
        if data:
            walk(data, self._start)

    def _start(self, name: str, values: Mapping[str, str]) -> None:
        if name == "style":
            self._now = self._known[values.get("styleId", "")] = _Style()
        elif name == "name":
            self._now.name = values.get("val", "").lower()
        elif name == "basedOn":
            self._now.parent = values.get("val", "")
        elif name == "outlineLvl":
            self._now.outline = whole(values.get("val", ""))

    def kind(self, style: str, outline: int | None) -> tuple[BlockKind, int]:
        """(kind, level) of a paragraph with that style and an outline level of its own."""
        for _ in range(10):
            if outline is not None and outline < 9:
                return "heading", min(outline + 1, 6)
            known = self._known.get(style)
            if known is None:
                break
            if known.name == "title":
                return "heading", 1
            if heading := re.fullmatch(r"heading ([1-9])", known.name):
                return "heading", min(int(heading[1]), 6)
            if entry := re.fullmatch(r"list(?: bullet| number)?(?: ([1-5]))?", known.name):
                return "list", min(int(entry[1] or 1), DEEPEST_LIST)
            style, outline = known.parent, known.outline
        return "text", 0


def numbered(data: bytes) -> frozenset[tuple[str, int]]:
    """(number's id, depth) of the lists whose entries are numbered with digits."""
    formats: set[tuple[str, int]] = set()
    abstracts: dict[str, str] = {}
    abstract = number = ""
    depth = 0

    def start(name: str, values: Mapping[str, str]) -> None:
        nonlocal abstract, number, depth
        value = values.get("val", "")
        if name == "abstractNum":
            abstract = values.get("abstractNumId", "")
        elif name == "lvl":
            depth = whole(values.get("ilvl", "")) or 0
        elif name == "numFmt" and value.startswith("decimal"):
            formats.add((abstract, depth))
        elif name == "num":
            number = values.get("numId", "")
        elif name == "abstractNumId" and number:
            abstracts[number] = value

    if data:
        walk(data, start)
    return frozenset((number, depth) for number, abstract in abstracts.items() for known, depth in formats if known == abstract)


def whole(written: str) -> int | None:
    """A number of at most three digits, or None."""
    return int(written) if re.fullmatch(r"\d{1,3}", written) else None


@dataclass
class _Style:
    """A paragraph style: what it is called and comes from."""

    name: str = ""
    parent: str = ""
    outline: int | None = None
