"""Files that a person drops, as text: .txt, .md, .docx, .html, .pdf and .epub, bounded, with what was left out said in words.

What is more than plain text is taken apart in a child process with a limit of time and memory. Nothing in a file is run, nothing it
points to is fetched, and its name is only ever shown. Knows no manuscript and no page.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio import fetching
from studio.errors import InvalidInput, MediaUnreadable
from studio.writing.reading_blocks import TITLE_LIMIT, UNFIT, Block, Unreadable, markdown
from studio.writing.reading_text import cut, decoded, read_markdown, read_plain

SUFFIXES = (".txt", ".md", ".docx", ".html", ".pdf", ".epub")
"""What a person may be told to choose from."""
FILE_LIMIT = 50 << 20
"""Bytes."""
SECONDS = 120.0
"""Most that taking one PDF apart may take; half of it for other files."""
_PLAIN = {".md": "markdown", ".markdown": "markdown"}
_PAGES = (".html", ".htm", ".xhtml")
_MARKUP = re.compile(rb"\s*(?:\xef\xbb\xbf)?(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
_SENTENCES = {
    "damaged": "{name} is damaged or cut off: save it again from the program that made it, or paste its text.",
    "empty": "{name} holds no text: choose another file.",
    "encrypted": "{name} is locked with a password: save a copy without one and drop that.",
    "protected": "{name} is a protected book: only copies without protection can be read.",
    "bomb": "{name} unpacks to far more than a document holds and was refused: choose another file.",
    "pictures": "{name} holds pictures of pages and no text: run text recognition (OCR) over it first.",
    "memory": "{name} needs more memory than a document should: save it in smaller parts.",
    "slow": "{name} took too long to read: save it in smaller parts, or paste its text.",
    "old": "{name} is in the old Word format or locked with a password: save it as .docx without one.",
    "binary": f"{{name}} is no text that can be read here: choose one of {', '.join(SUFFIXES)}.",
    "foreign": f"{{name}} is of a kind that cannot be read here: save it as one of {', '.join(SUFFIXES)}.",
}


@dataclass(frozen=True)
class Reading:
    """What a file holds. `markdown` is all of it as a document of the studio; `notices` are sentences about what was left out."""

    title: str
    blocks: tuple[Block, ...]
    notices: tuple[str, ...]
    markdown: str


def read(source: Path | bytes, name: str, tick: Callable[[str], None] | None = None) -> Reading:
    """The text of a file called `name` (any folders in it are ignored).

    `tick` is called ten times a second while a child process reads; what it raises ends that and passes on. Raises InvalidInput for a
    file that is too large or empty, MediaUnreadable for one that cannot be read; both in one sentence.
    """
    called = plain_name(name)
    data = _bytes(source, called)
    try:
        kind = _kind(data, Path(called).suffix.lower())
        if kind in ("text", "markdown"):
            text, notice = decoded(data)
            return _written(text, kind, Path(called).stem, [notice] if notice else [], called)
        said = _apart(kind, data, tick)
    except Unreadable as error:
        raise MediaUnreadable(_SENTENCES[error.reason].format(name=called)) from None
    blocks = tuple(Block(**block) for block in said["blocks"])
    if not blocks:
        raise MediaUnreadable(_SENTENCES["empty"].format(name=called))
    whole, more = cut(markdown(blocks, said["rich"]))  # the marks may be what makes it too long
    return Reading(said["title"] or Path(called).stem, blocks, tuple(dict.fromkeys((*said["notices"], *more))), whole)


def pasted(text: str, title: str = "") -> Reading:
    """A text that a person pasted, read as Markdown: cut to what a document holds, without what one cannot hold."""
    return _written(text, "markdown", plain_name(title) if title else "", [], "This text")


def plain_name(name: str) -> str:
    """The last part of a name, without folders, control characters and what turns the direction of writing."""
    last = re.split(r"[/\\]", UNFIT.sub("", name))[-1]
    last = " ".join(re.sub("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", "", last).split())
    stem, dot, suffix = last.rpartition(".")
    return (f"{stem[: TITLE_LIMIT - 10]}{dot}{suffix[:9]}" if stem else last[:TITLE_LIMIT]).strip(". ") or "This file"


def _bytes(source: Path | bytes, called: str) -> bytes:
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size > FILE_LIMIT:
        raise InvalidInput(f"{called} is larger than {FILE_LIMIT >> 20} MB: save it in smaller parts, or without pictures.")
    if not size:
        raise InvalidInput(f"{called} is empty: choose another file.")
    return source if isinstance(source, bytes) else source.read_bytes()


def _kind(data: bytes, suffix: str) -> str:
    """What a file is, by its first bytes, then by its name."""
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable("old")
    if data.startswith((b"{\\rtf", b"\x7fELF", b"MZ", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")):
        raise Unreadable("foreign")
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        if b"mimetypeapplication/epub+zip" in data[:200] or suffix == ".epub":
            return "epub"
        if suffix in (".docx", ".docm", ".dotx", ".dotm") or b"word/" in data:
            return "docx"
        raise Unreadable("foreign")
    if suffix in (".docx", ".docm", ".epub", ".pdf"):
        raise Unreadable("damaged")
    if suffix in _PAGES or (suffix not in (".txt", ".md") and _MARKUP.match(data[:4096])):
        return "html"
    return _PLAIN.get(suffix, "text")


def _written(text: str, kind: str, stem: str, notices: list[str], called: str) -> Reading:
    """Plain text and Markdown need no child: nothing in them is more than characters."""
    text, more = cut(text)
    found, text = read_markdown(text) if kind == "markdown" else (read_plain(text), text)
    if not found.blocks:
        raise InvalidInput(_SENTENCES["empty"].format(name=called))
    return Reading(found.title or stem, tuple(found.blocks), tuple(dict.fromkeys((*notices, *more, *found.notices))), text)


def _apart(kind: str, data: bytes, tick: Callable[[str], None] | None) -> dict[str, Any]:
    """What the child says of a file. (Any: its JSON; the child is ours.)"""
    with tempfile.TemporaryDirectory(prefix="atelier-reading-") as folder:
        source, target = Path(folder) / "source", Path(folder) / "found.json"
        source.write_bytes(data)
        seconds = SECONDS if kind == "pdf" else SECONDS / 2
        command = fetching.python("studio.writing.reading_child", kind, str(source), str(target))
        status, _ = fetching.run_child(command, tick or _nothing, {"CUDA_VISIBLE_DEVICES": ""}, seconds=seconds, cwd=fetching.ROOT)
        if status is None:
            raise Unreadable("slow")
        if status != 0 or not target.exists():
            raise Unreadable("damaged")
        said: dict[str, Any] = json.loads(target.read_text("utf-8"))
    if said["failed"]:
        raise Unreadable(said["failed"])
    return said


def _nothing(news: str) -> None:
    """Nobody waits."""
