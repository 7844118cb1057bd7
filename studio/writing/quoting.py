"""Passages as a writer gets them: each on one line, with its number, where it stands, and its words between quotation marks.

A passage is quoted material whatever it says: without breaks of lines none of its words can begin a line of its own, and so none can
pass for another passage, a heading or a turn of the conversation. Knows passages; knows no prompt, no model and no page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from studio.writing.passages import Passage

_LINE = re.compile(r"(?m)^\[(\d{1,6})\] .*?“(.*)”$")


def quoted(passages: Mapping[int, Passage]) -> str:
    """The `passages` of a writing task: one line for each, in the order of their numbers."""
    return "\n".join(f"[{number}] {place(passage)}: “{one_line(passage.text)}”" for number, passage in sorted(passages.items()))


def unquoted(text: str) -> dict[int, str]:
    """What `quoted` made, as the words of each number."""
    return {int(match.group(1)): match.group(2) for match in _LINE.finditer(text)}


def place(passage: Passage) -> str:
    """Where a passage stands: source, headings, page."""
    page = f"page {passage.page}" if passage.page is not None else ""
    return one_line(", ".join(part for part in (passage.source, passage.heading, page) if part))


def one_line(text: str) -> str:
    """Without breaks of lines, and without closing marks that would end a quotation early."""
    return " ".join(text.split()).replace("”", '"').replace("“", '"')
