"""Written text as files to take away: Markdown, plain text, Word. Each says in its properties that a machine helped to write it.

Plain text has no place for properties and stays as it is. Knows no model, no page and no library of creations.
"""

from __future__ import annotations

import io
import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from docx.document import Document
    from docx.text.paragraph import Paragraph

LABEL = "Written with a machine"
RECORD_NAMESPACE = "urn:atelier:record"
PROPERTY_LIMIT = 255
"""Characters that a core property of Word holds."""
SENTENCE_END = r"[.!?…]+[\"'”’»)\]]*(?=\s|$)|[。！？]+[」』”]*"
"""A pattern: the marks that end a sentence, with what closes after them."""
_BLOCK = re.compile(r"(?P<level>#{1,6})\s+(?P<heading>.+)|[-*•]\s+(?P<bullet>.+)|(?P<number>\d{1,3})[.)]\s+(?P<item>.+)")
_STYLED = re.compile(r"((?<!\*)(?:\*\*[^*\s](?:[^*]*[^*\s])?\*\*|\*[^*\s](?:[^*]*[^*\s])?\*)(?!\*))")
_WORD = re.compile(r"[^\W_]+(?:['’.,-][^\W_]+)*")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_SENTENCE_END = re.compile(rf"{SENTENCE_END}|\n\s*\n")


@dataclass(frozen=True)
class Counts:
    """`characters` with spaces; a character of Chinese or Japanese counts as one word."""

    words: int
    characters: int
    sentences: int


def count(text: str) -> Counts:
    """Words, characters and sentences. A heading or a line of verse before an empty line counts as a sentence."""
    words = len(_UNSPACED.findall(text)) + len(_WORD.findall(_UNSPACED.sub(" ", text)))
    sentences = sum(1 for part in _SENTENCE_END.split(text) if _WORD.search(part) or _UNSPACED.search(part))
    return Counts(words, len(text), sentences)


def to_text(text: str, title: str, record_json: str | None = None) -> bytes:  # noqa: ARG001 (one signature for all three)
    """The text alone, UTF-8, ending with a line end."""
    return (_clean(text).rstrip() + "\n").encode()


def to_markdown(text: str, title: str, record_json: str | None = None) -> bytes:
    """The text as Markdown, with title, label and record in YAML front matter (each value a JSON string, which YAML reads too)."""
    values = {"title": title, "note": LABEL, **({"record": record_json} if record_json else {})}
    front = "".join(f"{key}: {json.dumps(_clean(value), ensure_ascii=False)}\n" for key, value in values.items())
    return f"---\n{front}---\n\n{_clean(text).rstrip()}\n".encode()


def to_docx(text: str, title: str, record_json: str | None = None) -> bytes:
    """A Word document: headings, lists, bold and italics as Markdown marks them; title and label in its properties.

    The record becomes a custom XML part, which Word keeps when the document is edited and saved.
    """
    import docx

    document = docx.Document()
    properties = document.core_properties
    properties.title, properties.author = _clean(title)[:PROPERTY_LIMIT], ""
    properties.keywords = properties.comments = LABEL
    properties.created = properties.modified = datetime.now(UTC)
    for block in re.split(r"\n[ \t]*\n", _clean(text).strip("\n")):
        _add_block(document, block)
    if record_json:
        _add_record(document, _clean(record_json))
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def _add_block(document: Document, block: str) -> None:
    """Lines up to an empty one: each heading and list entry a paragraph of its own, what stands between them one with line breaks."""
    plain = None
    for line in block.split("\n"):
        found = _BLOCK.fullmatch(line.strip())
        if found is None and plain is not None:
            plain.add_run().add_break()
            _add_styled(plain, line.rstrip())
        elif found is None:
            plain = document.add_paragraph()
            _add_styled(plain, line.rstrip())
        else:
            plain = None
            if found["heading"]:
                _add_styled(document.add_heading(level=len(found["level"])), found["heading"])
            elif found["bullet"]:
                _add_styled(document.add_paragraph(style="List Bullet"), found["bullet"])
            else:  # the number as typed: Word would go on counting from an earlier list
                _add_styled(document.add_paragraph(style="List"), f"{found['number']}. {found['item']}")


def _add_styled(paragraph: Paragraph, text: str) -> None:
    for piece in filter(None, _STYLED.split(text)):
        stars = (2 if piece.startswith("**") else 1) if _STYLED.fullmatch(piece) else 0
        run = paragraph.add_run(piece[stars : len(piece) - stars])
        run.bold, run.italic = stars == 2 or None, stars == 1 or None


def _add_record(document: Document, record: str) -> None:
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.opc.part import Part

    body = f'<?xml version="1.0" encoding="UTF-8"?><record xmlns="{RECORD_NAMESPACE}">{escape(record)}</record>'
    package = document.part.package
    assert package is not None
    part = Part(package.next_partname("/customXml/item%d.xml"), "application/xml", body.encode(), package)
    document.part.relate_to(part, RELATIONSHIP_TYPE.CUSTOM_XML)


def _clean(text: str) -> str:
    """Without what XML 1.0 cannot hold: control characters, halves of surrogate pairs, U+FFFE and U+FFFF."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or not (unicodedata.category(c) in ("Cc", "Cs") or c in "\ufffe\uffff"))
