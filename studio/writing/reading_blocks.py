"""What every reader of a file hands on: blocks in order, their Markdown, notices, and the limits that all of them keep.

Knows no file format. The readers run in a child process (`reading_child`), so nothing here imports more than the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

LONGEST = 1_000_000
"""Characters of text that are read from one file: as many as a document holds."""
MOST_BLOCKS = 100_000
TITLE_LIMIT = 200

Reason = Literal["damaged", "empty", "encrypted", "bomb", "pictures", "protected", "memory", "slow", "old", "binary", "foreign"]
BlockKind = Literal["heading", "text", "list", "code"]
UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What a text cannot hold: control characters and halves of surrogate pairs."""
_NUMBERED = re.compile(r"\d{1,4}[.)] ")


class Unreadable(Exception):
    """Raised by a reader with the reason in one word; `reading` makes a sentence of it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(frozen=True)
class Block:
    """A heading, paragraph, entry of a list or piece of code. `level`: 1 to 6 of a heading, depth from 1 of an entry, else 0.

    `page`: from 1, where the file has pages. The text has no marks; an entry of a numbered list begins with its number.
    """

    kind: BlockKind
    level: int
    text: str
    page: int | None = None


@dataclass
class Found:
    """What a reader has found so far. `full` once there is as much as is read from one file."""

    title: str = ""
    blocks: list[Block] = field(default_factory=list[Block])
    rich: list[str] = field(default_factory=list[str])
    """The text of each block with marks of bold and italics."""
    notices: list[str] = field(default_factory=list[str])
    length: int = 0
    full: bool = False

    def add(self, kind: BlockKind, text: str, level: int = 0, page: int | None = None, rich: str | None = None) -> None:
        """A block, unless it is empty; cut where the limit is reached."""
        text = UNFIT.sub("", text).strip("\n" if kind == "code" else None)
        if not text or self.full:
            return
        rich = text if rich is None else UNFIT.sub("", rich).strip()
        if self.length + len(text) > LONGEST or len(self.blocks) == MOST_BLOCKS:
            text = rich = text[: LONGEST - self.length]
            self.full = True
            self.notices.append(f"Only the first {LONGEST:,} characters were read; the rest was left out.")
        if text:
            self.blocks.append(Block(kind, level, text, page))
            self.rich.append(rich)
            self.length += len(text)

    def notice(self, sentence: str) -> None:
        """Say it once."""
        if sentence not in self.notices:
            self.notices.append(sentence)


@dataclass
class Runs:
    """Words of one paragraph with their look, gathered as a file gives them: in many small pieces."""

    pieces: list[tuple[str, bool, bool]] = field(default_factory=list[tuple[str, bool, bool]])

    def add(self, text: str, bold: bool = False, italic: bool = False) -> None:
        """The next words."""
        self.pieces.append((text, bold, italic))

    def taken(self) -> tuple[str, str]:
        """(text, text with Markdown's stars), and none left."""
        joined: list[tuple[list[str], bool, bool]] = []
        for text, bold, italic in self.pieces:
            if joined and (joined[-1][1:] == (bold, italic) or not text.strip()):
                joined[-1][0].append(text)
            else:
                joined.append(([text], bold, italic))
        self.pieces.clear()
        whole = [("".join(texts), bold, italic) for texts, bold, italic in joined]
        return "".join(text for text, _, _ in whole), "".join(_starred(*piece) for piece in whole)


def markdown(blocks: Sequence[Block], rich: Sequence[str]) -> str:
    """The blocks as one Markdown text."""
    found: list[str] = []
    for number, (block, text) in enumerate(zip(blocks, rich, strict=True)):
        close = number > 0 and _same_list(blocks[number - 1], block)
        found.append("" if not number else "\n" if close else "\n\n")
        match block.kind:
            case "heading":
                found.append(f"{'#' * max(1, min(6, block.level))} {' '.join(text.split())}")
            case "list":
                mark = "" if _NUMBERED.match(text) else "- "
                found.append("  " * (block.level - 1) + mark + " ".join(text.split()))
            case "code":
                fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", block.text)), default=0))
                found.append(f"{fence}\n{block.text}\n{fence}")
            case _:
                found.append(text)
    return "".join(found)


def _same_list(one: Block, other: Block) -> bool:
    return one.kind == "list" == other.kind and (
        one.level != other.level or bool(_NUMBERED.match(one.text)) == bool(_NUMBERED.match(other.text))
    )


def _starred(text: str, bold: bool, italic: bool) -> str:
    """The words between stars, where they can be: not over several lines, not where they hold stars themselves."""
    inner = text.strip()
    if not (bold or italic) or not inner or "*" in inner or "\n" in inner:
        return text
    stars = "*" * (2 * bold + italic)
    start = text.index(inner[0])
    return f"{text[:start]}{stars}{inner}{stars}{text[start + len(inner) :]}"
