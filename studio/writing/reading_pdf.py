"""PDF files: the words of their pages in paragraphs, with headings by the size of their letters. Pictures of text are not read.

A PDF says where letters stand, not what a paragraph is: what is joined here is a good guess, pages are right. pypdf reads; files made to
harm may keep it busy for ever, so this runs in a child process only.
"""

from __future__ import annotations

import io
import re
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.writing.reading_blocks import LONGEST, TITLE_LIMIT, BlockKind, Found, Unreadable

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

MOST_PAGES = 2_000
SECONDS = 90.0
"""After so long no further page is begun."""
_END = re.compile(r"[.!?…:][\"'”’»)\]]*$")
_ENTRY = re.compile(r"(?:(?P<bullet>[•◦▪‣·*–-])|(?P<number>\d{1,3})[.)])\s+(?P<text>\S.*)")
_NUMBER = re.compile(r"(?:[-–] ?)?(?:\d{1,4}|[ivxlc]{1,6})(?: ?[-–])?")
_DOTS = re.compile(r"(?: ?\.){5,}")
_HYPHEN = re.compile(r"[^\W\d_](?:-|\u00ad)$")
_CATALOGUE = re.compile(rb"\b(\d{1,9}) (\d{1,5}) obj\s{0,9}<<[^>]{0,400}/Type\s{0,9}/Catalog\b")
_OF_PROGRAMS = re.compile(r"untitled|microsoft \w+ - |.*\.(?:docx?|indd|tex|dvi|pdf|odt|rtf)$", re.IGNORECASE)


@dataclass(frozen=True)
class _Line:
    text: str
    size: float
    """Of its letters, in points; 0 where the file does not say."""


def read_pdf(data: bytes, seconds: float = SECONDS) -> Found:
    """The blocks of a file, each with its page. Raises Unreadable for one that is locked, damaged or holds pictures only."""
    from pypdf.errors import PyPdfError

    end = time.monotonic() + seconds
    found = Found()
    try:
        reader = _opened(data)
        total = len(reader.pages)
    except PyPdfError:
        reader, total = _mended(data)
        found.notice("It is damaged or cut off: what could be found in it was read.")
    if not total:
        raise Unreadable("damaged")
    found.title = _title(reader)
    pages, damaged = _pages(reader, total, end)
    empty = sum(not lines for lines in pages)
    if empty == len(pages):
        raise Unreadable("damaged" if damaged * 2 > empty else "pictures")
    if len(pages) < total:
        found.notice(f"Only the first {len(pages):,} of {total:,} pages were read.")
    if empty:
        found.notice(f"{empty:,} of {len(pages):,} pages hold no text that could be read, such as pictures of pages.")
    _put(found, _without_running_heads(pages))
    return found


def _opened(data: bytes) -> PdfReader:
    from pypdf import PasswordType, PdfReader
    from pypdf.errors import DependencyError

    reader = PdfReader(io.BytesIO(data), strict=False)
    if reader.is_encrypted:
        try:
            if reader.decrypt("") == PasswordType.NOT_DECRYPTED:
                raise Unreadable("encrypted")
        except (DependencyError, NotImplementedError):
            raise Unreadable("encrypted") from None
    return reader


def _mended(data: bytes) -> tuple[PdfReader, int]:
    """A file without its end, given another that points to its catalogue if it still has one; and its number of pages."""
    from pypdf.errors import PyPdfError

    catalogue = _CATALOGUE.search(data)
    if catalogue is None:
        raise Unreadable("damaged")
    trailer = b"\ntrailer\n<</Size 1/Root %s %s R>>\nstartxref\n0\n%%%%EOF\n" % catalogue.groups()
    try:
        reader = _opened(data.replace(b"%%EOF", b"%%___") + trailer)
        return reader, len(reader.pages)
    except PyPdfError:
        raise Unreadable("damaged") from None


def _pages(reader: PdfReader, total: int, end: float) -> tuple[list[list[_Line]], int]:
    """The lines of each page until there are enough or the time is over, and how many of them are damaged."""
    pages: list[list[_Line]] = []
    damaged = length = 0
    for number in range(min(total, MOST_PAGES)):
        try:
            pages.append(_lines(reader.pages[number]))
        except Exception:  # noqa: BLE001 (whatever pypdf raises over a damaged page: the others are still read)
            pages.append([])
            damaged += 1
        length += sum(len(line.text) for line in pages[-1])
        if length > 2 * LONGEST or time.monotonic() > end:
            break
    return pages, damaged


def _title(reader: PdfReader) -> str:
    """What the file calls itself, unless a program only put its own name or the file's there."""
    try:
        title = " ".join(str((reader.metadata and reader.metadata.title) or "").split())[:TITLE_LIMIT]
    except Exception:  # noqa: BLE001 (whatever a damaged entry raises: a title is not worth the document)
        return ""
    return "" if _OF_PROGRAMS.match(title) else title


def _lines(page: PageObject) -> list[_Line]:
    """Lines of a page from top to bottom, as its content gives them."""
    pieces: list[tuple[str, float]] = []

    def visit(text: str, matrix: Sequence[float], place: Sequence[float], font: Any, size: float) -> None:
        del font
        if text:
            pieces.append((text, abs(float(size or 0)) * _scale(matrix) * _scale(place)))

    page.extract_text(visitor_text=visit)
    found: list[_Line] = []
    words, sizes = "", Counter[float]()
    for text, size in [*pieces, ("\n", 0.0)]:
        for number, part in enumerate(text.split("\n")):
            if number:
                if words.strip():
                    found.append(_Line(_DOTS.sub(" …", " ".join(words.split())), sizes.most_common(1)[0][0] if sizes else 0))
                words, sizes = "", Counter[float]()
            words += part
            sizes[round(size * 2) / 2] += len(part.strip())
    return found


def _scale(matrix: Sequence[float]) -> float:
    """How much larger a matrix makes letters."""
    return float((matrix[1] ** 2 + matrix[3] ** 2) ** 0.5) or 1.0


def _without_running_heads(pages: Sequence[list[_Line]]) -> list[list[_Line]]:
    """Without the first and last lines that most pages share but for a number, and without numbers of pages."""
    shared: set[tuple[int, str]] = set()
    for place in (0, -1):
        seen = Counter(re.sub(r"\d+", "#", lines[place].text) for lines in pages if lines)
        shared |= {(place, text) for text, count in seen.items() if count > 3 and count * 2 > len(pages)}

    def runs(lines: list[_Line], place: int) -> bool:
        text = lines[place].text
        return len(lines) > 2 and (_NUMBER.fullmatch(text) is not None or (place, re.sub(r"\d+", "#", text)) in shared)

    return [lines[int(runs(lines, 0)) : len(lines) - int(runs(lines, -1))] if lines else [] for lines in pages]


def _put(found: Found, pages: Sequence[list[_Line]]) -> None:
    """Lines become paragraphs."""
    every = [line for lines in pages for line in lines]
    weights = Counter[float]()
    for line in every:
        weights[line.size] += len(line.text)
    body = weights.most_common(1)[0][0] if every else 0.0
    sizes = sorted({line.size for line in every if _is_heading(line, body)}, reverse=True)
    lengths = [len(line.text) for line in every if not _is_heading(line, body)]
    paragraphs = _Paragraphs(found, statistics.quantiles(lengths, n=10)[-1] if len(lengths) > 1 else 0.0)
    for number, lines in enumerate(pages, 1):
        for line in lines:
            paragraphs.add(line.text, number, min(sizes.index(line.size) + 1, 4) if _is_heading(line, body) else 0)
    paragraphs.flush()


class _Paragraphs:
    """Joins lines: one goes on from the line before unless that ends a sentence short of the margin, or at the end of a page."""

    def __init__(self, found: Found, width: float) -> None:
        self.found, self.width = found, width
        self.kind: BlockKind = "text"
        self.level, self.page, self.line_page = 0, 1, 1
        self.text = self.last = ""

    def add(self, line: str, page: int, heading: int) -> None:
        """The next line; `heading`: its level, or 0."""
        entry = None if heading else _ENTRY.fullmatch(line)
        if not self._goes_on(page, heading, begins=entry is not None):
            self.flush()
            self.kind = "heading" if heading else "list" if entry else "text"
            self.level, self.page = heading or int(entry is not None), page
        words = (f"{entry['number']}. " if entry["number"] else "") + entry["text"] if entry else line
        self.text = _joined(self.text, words)
        self.last, self.line_page = line, page

    def flush(self) -> None:
        """The paragraph ends here."""
        self.found.add(self.kind, self.text, self.level, self.page)
        self.text = ""

    def _goes_on(self, page: int, heading: int, begins: bool) -> bool:
        if heading or self.kind == "heading":
            return self.kind == "heading" and heading == self.level and page == self.line_page
        ended = _END.search(self.last) is not None
        return bool(self.text) and not begins and not (ended and (page != self.line_page or len(self.last) < 0.85 * self.width))


def _is_heading(line: _Line, body: float) -> bool:
    return line.size >= 1.15 * body > 0 and len(line.text) <= 150 and any(character.isalpha() for character in line.text)


def _joined(text: str, words: str) -> str:
    """Two lines as one; a word that was divided becomes whole again."""
    if not text:
        return words
    if _HYPHEN.search(text) and words[:1].islower():
        return text[:-1] + words
    return f"{text} {words}"
