"""What a child of the fault tests types. Without pytest, so that it starts quickly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.library import Library
from studio.writing.spans import Splice


def type_on_and_on(home: Path, ready: Any) -> None:
    """A new document, and one word more in each version."""
    documents = Library(home).manuscripts
    found = documents.new("local")
    for number in range(100_000):
        end = len(found.text)
        found = documents.change(found.id, "local", "", found.version, [Splice(end, end, f"{number} ")])
        ready.set()
