"""Plain text and Markdown: which characters the bytes are, and their blocks. Knows no other format."""

from __future__ import annotations

import codecs
import json
import re

from studio.writing.markup import paragraphs
from studio.writing.reading_blocks import LONGEST, TITLE_LIMIT, UNFIT, BlockKind, Found, Unreadable

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""What a file begins with that says how it is written; longer ones before those that they begin with."""
_FRONT = re.compile(r"---\n((?:[\w.-]+:.*\n|[ \t]+.*\n|#.*\n)*)(?:---|\.\.\.)[ \t]*(?:\n+|\Z)")
_TITLE = re.compile(r"^title:[ \t]*(.+)$", re.MULTILINE)
_KINDS: dict[str, BlockKind] = {"heading": "heading", "text": "text", "quote": "text", "bullet": "list", "number": "list", "code": "code"}


def decoded(data: bytes) -> tuple[str, str]:
    """(text, a notice or ''): by its byte order mark, else as UTF-8, else as Windows-1252. Unreadable("binary") for what is no text."""
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return _checked(data.decode(encoding, "replace"), "")
    try:
        return _checked(data.decode("utf-8"), "")
    except UnicodeDecodeError:
        pass
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if broken * 10 < sum(1 for character in text if character > "\x7f"):
        return _checked(text, "Some of its bytes are no UTF-8; a mark (\ufffd) stands for each of them.")
    return _checked(data.decode("cp1252", "replace"), "It is not UTF-8 and was read as Windows-1252: look whether its letters are right.")


def cut(text: str) -> tuple[str, list[str]]:
    """The text as a document can hold it, with what was left out in sentences."""
    notices: list[str] = []
    if len(text) > LONGEST:
        text = text[:LONGEST]
        notices.append(f"Only the first {LONGEST:,} characters were taken; the rest was left out.")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    fit = UNFIT.sub("", text)
    if len(fit) < len(text):
        notices.append("Control characters and broken halves of characters were left out.")
    return fit, notices


def read_plain(text: str) -> Found:
    """Paragraphs between empty lines; the text is as `cut` makes it."""
    found = Found()
    for part in re.split(r"\n[ \t]*\n", text):
        found.add("text", part)
    return found


def read_markdown(text: str) -> tuple[Found, str]:
    """Its blocks, and the text without front matter, whose title becomes the title."""
    found = Found()
    if front := _FRONT.match(text):
        text = text[front.end() :]
        if title := _TITLE.search(front[1]):
            found.title = _value(title[1].strip())[:TITLE_LIMIT]
    for part in paragraphs(text):
        words = part.words(text)
        if part.kind == "number":
            words = f"{part.marker}. {words}"
        found.add(_KINDS[part.kind], words, part.level + 1 if part.kind in ("bullet", "number") else part.level)
    return found, text


def _checked(text: str, notice: str) -> tuple[str, str]:
    """Nothing but a text has so few control characters."""
    sample = text[:100_000]
    if sum(1 for _ in UNFIT.finditer(sample)) * 20 > len(sample):
        raise Unreadable("binary")
    return text, notice


def _value(written: str) -> str:
    try:
        value: object = json.loads(written)
    except ValueError:
        value = written.strip("'\"")
    return " ".join(str(value).split())
