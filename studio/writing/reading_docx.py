"""Word documents: the words of the main text with headings, lists, bold and italics, read from the XML as it streams by.

Macros, pictures, fields, deleted and hidden text are left out; links to other files are never followed. Parts by ECMA-376, part 1.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from studio.writing.reading_blocks import LONGEST, TITLE_LIMIT, BlockKind, Found, Runs, Unreadable
from studio.writing.reading_styles import DEEPEST_LIST, Styles, numbered, whole
from studio.writing.reading_zip import Packed, walk

_DOCUMENT, _STYLES, _NUMBERING, _CORE = "word/document.xml", "word/styles.xml", "word/numbering.xml", "docProps/core.xml"
_FETCHED = re.compile(rb"""relationships/(?:attachedTemplate|image|oleObject|frame|subDocument)["'][^>]*TargetMode\s*=\s*["']External""")
_CODE_FONTS = ("courier", "consolas", "menlo", "monaco", "mono", "cascadia")
_SKIPPED = frozenset(["del", "moveFrom", "Fallback", "pict", "annotation", "comment"])


def read_docx(data: bytes) -> Found:
    """The blocks of a document. Raises Unreadable for one that is damaged, locked or a bomb."""
    packed = Packed(data)
    if _DOCUMENT not in packed.names:
        raise Unreadable("damaged")
    found = Found(title=_title(packed.read(_CORE)))
    _notices(packed, found)
    reader = _Reader(found, Styles(packed.read(_STYLES)), numbered(packed.read(_NUMBERING)))
    with contextlib.suppress(_Enough):
        walk(packed.read(_DOCUMENT), reader.start, reader.end, reader.text)
    return found


class _Enough(Exception):
    """No more of the document is needed."""


@dataclass
class _Open:
    """A paragraph that is being read."""

    runs: Runs = field(default_factory=Runs)
    style: str = ""
    outline: int | None = None
    number: str = ""
    depth: int = 0
    coded: bool = True
    """Whether all its words are in a typewriter's letters."""
    inside: list[str] = field(default_factory=list[str])
    """Properties that are open: of the paragraph ("pPr") or of a run ("rPr")."""
    bold: bool = False
    italic: bool = False
    hidden: bool = False
    typed: bool = False


class _Reader:
    """Follows the elements of the main text."""

    def __init__(self, found: Found, styles: Styles, numbered: frozenset[tuple[str, int]]) -> None:
        self.found, self.styles, self.numbered = found, styles, numbered
        self.open: list[_Open] = []  # a text box has paragraphs inside a paragraph
        self.rows: list[list[list[str]]] = []  # cells of the row that is open, for each table that is
        self.counts: dict[tuple[str, int], int] = {}
        self.skipped = 0
        self.in_text = False
        self.heard = 0

    def start(self, name: str, values: Mapping[str, str]) -> None:
        if self.skipped or name in _SKIPPED:
            self.skipped += 1
            return
        if name == "p":
            self.open.append(_Open())
        elif name == "tr":
            self.rows.append([])
        elif name == "tc" and self.rows:
            self.rows[-1].append([])
        elif self.open:
            self._part(self.open[-1], name, values)

    def end(self, name: str) -> None:
        if self.skipped:
            self.skipped -= 1
            return
        self.in_text = False
        if name == "p" and self.open:
            self._finish(self.open.pop())
        elif name == "tr" and self.rows:
            cells = [" ".join(" ".join(cell).split()) for cell in self.rows.pop()]
            self._put("text", " | ".join(cell for cell in cells if cell))
        elif self.open and self.open[-1].inside and self.open[-1].inside[-1] == name:
            self.open[-1].inside.pop()

    def text(self, words: str) -> None:
        if self.in_text and not self.skipped and self.open:
            now = self.open[-1]
            if now.hidden:
                self.found.notice("Hidden text was left out.")
                return
            now.coded = now.coded and (now.typed or not words.strip())
            now.runs.add(words, now.bold, now.italic)
            self.heard += len(words)
            if self.heard > 2 * LONGEST:
                self._finish(now)
                raise _Enough

    def _part(self, now: _Open, name: str, values: Mapping[str, str]) -> None:
        """What may stand in a paragraph."""
        if now.inside or name in ("pPr", "rPr"):
            if name in ("pPr", "rPr"):
                now.inside.append(name)
            _property(now, name, values)
            return
        match name:
            case "r":
                now.bold = now.italic = now.hidden = now.typed = False
            case "t":
                self.in_text = True
            case "tab":
                now.runs.add("\t")
            case "br" | "cr":
                now.runs.add("\n")
            case "noBreakHyphen":
                now.runs.add("-")
            case "footnoteReference" | "endnoteReference":
                self.found.notice("Footnotes and endnotes were left out.")
            case _:
                pass

    def _finish(self, now: _Open) -> None:
        text, rich = now.runs.taken()
        kind, level = self.styles.kind(now.style, now.outline)
        if kind == "text" and now.coded and text.strip():
            return self._put("code", text)
        if now.number and now.number != "0" and kind != "heading":
            kind, level = "list", min(now.depth + 1, DEEPEST_LIST)
            key = (now.number, now.depth)
            if key in self.numbered and text.strip():
                self.counts[key] = self.counts.get(key, 0) + 1
                text, rich = (f"{self.counts[key]}. {value.lstrip()}" for value in (text, rich))
        return self._put(kind, text, level, rich)

    def _put(self, kind: BlockKind, text: str, level: int = 0, rich: str | None = None) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1].append(text)
        else:
            self.found.add(kind, text, level, rich=rich)
            if self.found.full:
                raise _Enough


def _property(now: _Open, name: str, values: Mapping[str, str]) -> None:
    value = values.get("val", "")
    on = value not in ("0", "false", "off")
    if now.inside[0] == "pPr":
        match name:
            case "pStyle":
                now.style = value
            case "outlineLvl":
                now.outline = whole(value)
            case "numId":
                now.number = value
            case "ilvl":
                now.depth = whole(value) or 0
            case _:
                pass
        return
    match name:
        case "b":
            now.bold = on
        case "i":
            now.italic = on
        case "vanish":
            now.hidden = on
        case "rFonts":
            now.typed = any(font in values.get("ascii", "").lower() for font in _CODE_FONTS)
        case _:
            pass


def _title(data: bytes) -> str:
    """Of the document's properties."""
    found: list[str] = []
    inside: list[str] = []
    if data:
        walk(
            data,
            lambda name, _: inside.append(name),
            lambda _: inside.clear(),
            lambda text: found.append(text) if inside[-1:] == ["title"] else None,
        )
    return " ".join("".join(found).split())[:TITLE_LIMIT]


def _notices(packed: Packed, found: Found) -> None:
    if any(name.endswith(("vbaProject.bin", "vbaData.xml")) for name in packed.names):
        found.notice("It holds macros: they were left out and not run.")
    if any(_FETCHED.search(packed.read(name)) for name in packed.names if name.endswith(".rels")):
        found.notice("It points to files elsewhere: nothing was fetched.")
    if any(name.startswith("word/media/") for name in packed.names):
        found.notice("Pictures were left out.")
