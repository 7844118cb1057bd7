"""A source in passages: parts of 100 to 180 words that a search can find, a writer can read and a person can check.

A passage keeps where it comes from: the headings above it, its page, and its place in the source's plain text. It never goes over a
heading, begins and ends with a sentence where there are sentences, and repeats a little of the passage before it. Knows no file
format, no search and no page of the studio.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from studio.writing import terms
from studio.writing.sentences import sentences

LEAST, MOST = 100, 180
"""Words of a passage, but for the last one of a section."""
OVERLAP = 40
"""Words at most that a passage repeats of the one before it."""
WINDOW, ENDING = 45, 12
"""Words of a window at least, and those that a passage's last one must have to be one of its own."""
LIMIT = 20_000
"""Passages of one document's sources together."""
BREAK = "\n\n"
"""What stands between two blocks in the plain text of a source."""
PATH = " › "
"""What stands between the headings of a path."""


@dataclass(frozen=True)
class Passage:
    """A part of a source: `plain(blocks)[start:end]` is its text. `number` counts from 1 in the source; `page` is None without pages."""

    source: str
    number: int
    heading: str
    page: int | None
    start: int
    end: int
    text: str


class Block(Protocol):
    """What is asked of a block of a source: see studio/writing/reading.py."""

    @property
    def kind(self) -> str: ...
    @property
    def level(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def page(self) -> int | None: ...


@dataclass(frozen=True)
class _Piece:
    """A sentence, or a part of a very long one."""

    start: int
    end: int
    words: int
    page: int | None


def plain(blocks: Sequence[Block]) -> str:
    """The plain text of a source, which passages give their places in."""
    return BREAK.join(block.text for block in blocks)


def passages(blocks: Sequence[Block], source: str) -> tuple[Passage, ...]:
    """The passages of one source in their order, `LIMIT` at most; a source without words has none."""
    text = plain(blocks)
    found: list[Passage] = []
    for heading, pieces in _sections(blocks, text):
        for group in _groups(pieces):
            start, end = group[0].start, group[-1].end
            found.append(Passage(source, len(found) + 1, heading, group[0].page, start, end, text[start:end]))
            if len(found) == LIMIT:
                return tuple(found)
    return tuple(found)


def windows(passage: Passage, after: int = 0) -> list[str]:
    """A passage in windows of a few sentences, for what compares short texts best; without what stands before `after` in the source."""
    text = passage.text[max(0, after - passage.start) :]
    found: list[tuple[int, int, int]] = []  # start, end, words
    for start, end in sentences(text):
        words = terms.length(text[start:end])
        if found and found[-1][2] < WINDOW and found[-1][2] + words <= 2 * WINDOW:
            found[-1] = (found[-1][0], end, found[-1][2] + words)
        else:
            found.append((start, end, words))
    if len(found) > 1 and found[-1][2] < ENDING:
        found[-2:] = [(found[-2][0], found[-1][1], found[-2][2] + found[-1][2])]
    return [" ".join(text[start:end].split()) for start, end, _ in found]


def _sections(blocks: Sequence[Block], text: str) -> Iterator[tuple[str, list[_Piece]]]:
    """What stands under each heading: the path of headings and the pieces, in order."""
    path: list[tuple[int, str]] = []
    pieces: list[_Piece] = []
    place = 0
    for block in blocks:
        start, place = place, place + len(block.text) + len(BREAK)
        if block.kind == "heading":
            if pieces:
                yield PATH.join(title for _, title in path), pieces
                pieces = []
            level = block.level or 1
            path = [above for above in path if above[0] < level]
            path.append((level, " ".join(block.text.split())))
            continue
        pieces += _pieces(text, start, start + len(block.text), block.page)
    if pieces:
        yield PATH.join(title for _, title in path), pieces


def _pieces(text: str, start: int, end: int, page: int | None) -> Iterator[_Piece]:
    for begin, over in sentences(text[start:end]):
        yield from _cut(text, start + begin, start + over, page)


def _cut(text: str, start: int, end: int, page: int | None) -> Iterator[_Piece]:
    """A sentence as one piece, or one that is longer than a passage in parts, at a line's or word's end where there is one."""
    count = terms.length(text[start:end])
    while count > MOST:
        near = start + max(1, (end - start) * LEAST // count)
        cut = max(text.rfind("\n", start + 1, near), text.rfind(" ", start + 1, near)) + 1 or near
        yield _Piece(start, cut, terms.length(text[start:cut]), page)
        start = cut
        count = terms.length(text[start:end])
    if count:
        yield _Piece(start, end, count, page)


def _groups(pieces: list[_Piece]) -> Iterator[list[_Piece]]:
    """Pieces together to passages: at least LEAST words, no more than MOST, each beginning with the end of the one before."""
    group: list[_Piece] = []
    fresh = 0  # pieces of the group that no passage has yet
    for piece in pieces:
        size = sum(one.words for one in group)
        if fresh and (size >= LEAST or size + piece.words > MOST):
            yield group
            group = _end_of(group, piece.words)
            fresh = 0
        group.append(piece)
        fresh += 1
    if fresh:
        yield group


def _end_of(group: list[_Piece], follows: int) -> list[_Piece]:
    """The last sentences that fit into the overlap, and leave room for what follows."""
    kept: list[_Piece] = []
    words = 0
    for piece in reversed(group[1:]):
        words += piece.words
        if words > OVERLAP or words + follows > MOST:
            break
        kept.insert(0, piece)
    return kept
