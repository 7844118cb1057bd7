"""A text as a Word document: headings, lists, quotes and code as its Markdown says, and a comment on each passage that a machine wrote.

Knows no model and no page. The comments are Word's own, so that an editor shows, answers and deletes them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from studio.writing.export import LABEL, NO_MODELS, RECORD_NAMESPACE, Marked, author, clean, label
from studio.writing.markup import Paragraph
from studio.writing.spans import Span

if TYPE_CHECKING:
    from docx.document import Document
    from docx.text.paragraph import Paragraph as TextParagraph
    from docx.text.run import Run

PROPERTY_LIMIT = 255
"""Characters that a core property of Word holds."""
MOST_COMMENTS = 1_000
"""Beyond these Word itself becomes slow; the first note says that the rest is only counted."""
_STYLES = {"text": "Normal", "quote": "Quote", "code": "No Spacing", "bullet": "List Bullet", "number": "List"}
_CODE_FONT = "Courier New"


def to_docx(
    text: str, title: str, record_json: str | None = None, spans: Sequence[Span] = (), models: Mapping[str, str] = NO_MODELS
) -> bytes:
    """The document; title and label are among its properties, "Written by MODEL" stands beside each passage of a machine.

    The record becomes a custom XML part, which Word keeps when the document is edited and saved.
    """
    import docx

    document = docx.Document()
    properties = document.core_properties
    properties.title, properties.author = clean(title)[:PROPERTY_LIMIT], ""
    properties.keywords = LABEL if not spans or any(span.origin != "human" for span in spans) else ""
    properties.comments = label(spans)
    properties.created = properties.modified = datetime.now(UTC)
    marked = Marked.of(text, spans)
    _Written(document, marked).comment(models)
    if record_json:
        _add_record(document, clean(record_json))
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


class _Written:
    """The paragraphs in the document, and between which runs each span lies."""

    def __init__(self, document: Document, marked: Marked) -> None:
        self.document, self.marked = document, marked
        self.edges: dict[int, tuple[Run, Run]] = {}
        self._styles: dict[str, str] = {}
        self._last = document.element.body.sectPr
        for paragraph in marked.paragraphs or (Paragraph("text", ()),):
            self._add(paragraph)

    def comment(self, models: Mapping[str, str]) -> None:
        """A comment on each passage of a machine."""
        found = [(place, words) for place in self.edges if (words := author(self.marked.spans[place], models))]
        for number, (place, words) in enumerate(found[:MOST_COMMENTS]):
            rest = len(found) - MOST_COMMENTS
            more = f". {rest:,} later passages have no comment of their own" if not number and rest > 0 else ""
            self.document.add_comment(self.edges[place], words + more, author="Atelier", initials="A")

    def _add(self, paragraph: Paragraph) -> None:
        if paragraph.kind == "heading":
            target = self._paragraph(f"Heading {paragraph.level}")
        else:
            target = self._paragraph(_STYLES[paragraph.kind] + (f" {paragraph.level + 1}" if paragraph.level else ""))
        if paragraph.kind == "number":  # as typed: Word would go on counting from an earlier list
            target.add_run(f"{paragraph.marker}. ")
        for piece in self.marked.pieces(paragraph.runs):
            run = target.add_run(piece.text)  # "\n" becomes a line break
            look = piece.look
            run.bold, run.italic = look.bold or None, look.italic or None
            if look.code:
                run.font.name = _CODE_FONT
            if piece.place >= 0:
                first, _ = self.edges.get(piece.place, (run, run))
                self.edges[piece.place] = first, run

    def _paragraph(self, style: str) -> TextParagraph:
        """An empty one at the end. (python-docx's own way looks through all paragraphs for each: hours for a list of 100,000 entries.)"""
        from docx.oxml.parser import OxmlElement
        from docx.text.paragraph import Paragraph

        if style not in self._styles:
            self._styles[style] = self.document.styles[style].style_id
        element = OxmlElement("w:p")
        self._last.addprevious(element)
        found = Paragraph(element, self.document)
        if style != "Normal":
            element.style = self._styles[style]
        return found


def _add_record(document: Document, record: str) -> None:
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.opc.part import Part

    body = f'<?xml version="1.0" encoding="UTF-8"?><record xmlns="{RECORD_NAMESPACE}">{escape(record)}</record>'
    package = document.part.package
    assert package is not None
    part = Part(package.next_partname("/customXml/item%d.xml"), "application/xml", body.encode(), package)
    document.part.relate_to(part, RELATIONSHIP_TYPE.CUSTOM_XML)
