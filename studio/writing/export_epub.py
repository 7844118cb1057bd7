"""A text as a book: EPUB 3, a packed folder of XHTML with a chapter for each heading of the first level.

https://www.w3.org/TR/epub-33/ says what such a file holds. Nothing in it is loaded from elsewhere.
"""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from studio.writing.export import NO_MODELS, Marked, clean, label
from studio.writing.export_html import STYLE, blocks, legend
from studio.writing.markup import Paragraph
from studio.writing.spans import Span

MOST_CHAPTERS = 1_000
_NAMESPACE = uuid.UUID("4b8b8a1e-6a4e-5b0b-9c53-0d7a5c7a8f10")
_CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="book/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""


@dataclass(frozen=True)
class _Page:
    name: str
    title: str
    body: str


def to_epub(
    text: str,
    title: str,
    record_json: str | None = None,
    spans: Sequence[Span] = (),
    models: Mapping[str, str] = NO_MODELS,
    language: str = "und",
) -> bytes:
    """The book. `language` is a BCP 47 tag, "und" where nobody knows; the record lies beside the chapters as record.json.

    The same text makes the same identifier. A last page says how much of it a machine wrote; the package's metadata says it too.
    """
    marked = Marked.of(text, spans)
    title = " ".join(clean(title).split()) or "Untitled"
    pages = [
        _Page(f"chapter-{number}.xhtml", name or title, "".join(blocks(marked, chapter, models)) or "<p></p>\n")
        for number, (name, chapter) in enumerate(_chapters(marked), 1)
    ]
    pages.append(_Page("provenance.xhtml", "How this text was written", legend(spans)))
    files = {
        "META-INF/container.xml": _CONTAINER,
        "book/package.opf": _package(marked, title, language, label(spans), pages, bool(record_json)),
        "book/nav.xhtml": _xhtml("Contents", language, f'<nav epub:type="toc"><h1>Contents</h1><ol>\n{_entries(pages)}</ol></nav>\n'),
        "book/style.css": STYLE.lstrip(),
        **{f"book/{page.name}": _xhtml(page.title, language, page.body) for page in pages},
        **({"book/record.json": clean(record_json)} if record_json else {}),
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr(zipfile.ZipInfo("mimetype"), "application/epub+zip", zipfile.ZIP_STORED)  # first and as it is: readers look there
        for name, content in files.items():
            book.writestr(name, content)
    return stream.getvalue()


def _chapters(marked: Marked) -> list[tuple[str, list[Paragraph]]]:
    """(heading or '', its paragraphs), split at headings of the first level; one chapter where those are too many to be any."""
    found: list[tuple[str, list[Paragraph]]] = []
    for paragraph in marked.paragraphs:
        first = paragraph.kind == "heading" and paragraph.level == 1
        if first or not found:
            found.append((" ".join(paragraph.words(marked.text).split()) if first else "", []))
        found[-1][1].append(paragraph)
    return found if 0 < len(found) <= MOST_CHAPTERS else [("", list(marked.paragraphs))]


def _package(marked: Marked, title: str, language: str, words: str, pages: Sequence[_Page], recorded: bool) -> str:
    items = "".join(f'<item id="page-{n}" href="{page.name}" media-type="application/xhtml+xml"/>\n' for n, page in enumerate(pages, 1))
    record = '<item id="record" href="record.json" media-type="application/json"/>\n' if recorded else ""
    spine = "".join(f'<itemref idref="page-{number}"/>\n' for number in range(1, len(pages) + 1))
    identifier = uuid.uuid5(_NAMESPACE, f"{title}\n{marked.text}")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:uuid:{identifier}</dc:identifier>
<dc:title>{escape(title)}</dc:title>
<dc:language>{escape(language)}</dc:language>
<dc:description>{escape(words)}</dc:description>
<meta property="dcterms:provenance">{escape(words)}</meta>
<meta property="dcterms:modified">{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="style" href="style.css" media-type="text/css"/>
{items}{record}</manifest>
<spine>
{spine}</spine>
</package>
"""


def _entries(pages: Sequence[_Page]) -> str:
    return "".join(f'<li dir="auto"><a href="{page.name}">{escape(page.title)}</a></li>\n' for page in pages)


def _xhtml(title: str, language: str, body: str) -> str:
    tag = "" if language == "und" else escape(language)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="{tag}" xml:lang="{tag}">
<head><meta charset="utf-8"/><title>{escape(title)}</title><link rel="stylesheet" type="text/css" href="style.css"/></head>
<body>
{body}</body>
</html>
"""
