"""The child process of `reading`: takes one file apart with bounded memory, and writes what it found as JSON.

Ends when its standard input closes, so that it never outlives the studio. Knows nothing of the studio but the readers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from studio import child
from studio.writing.reading_blocks import Found, Unreadable
from studio.writing.reading_docx import read_docx
from studio.writing.reading_epub import read_epub
from studio.writing.reading_html import read_html
from studio.writing.reading_pdf import read_pdf
from studio.writing.reading_text import decoded

MEMORY = 2 << 30
"""Bytes that the child may take, with its libraries."""
OUTPUT = 64 << 20


def main(kind: str, source: str, target: str) -> int:
    """Read `source` and write to `target` what it holds, or why it cannot be read."""
    child.end_with_parent()
    child.bound(MEMORY, OUTPUT)
    try:
        found = readers()[kind](Path(source).read_bytes())
        said = {**asdict(found), "failed": ""}
    except Unreadable as error:
        said = {"failed": error.reason}
    except MemoryError:
        said = {"failed": "memory"}
    except RecursionError:
        said = {"failed": "damaged"}
    Path(target).write_text(json.dumps(said), "utf-8")
    return 0


def readers() -> dict[str, Callable[[bytes], Found]]:
    """A reader for each kind of file that is taken apart here."""
    return {"pdf": read_pdf, "docx": read_docx, "epub": read_epub, "html": _html}


def _html(data: bytes) -> Found:
    text, notice = decoded(data)
    found = read_html(text)
    if notice:
        found.notice(notice)
    return found


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
