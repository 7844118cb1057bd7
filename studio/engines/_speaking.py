"""Text as it is spoken: marks of Markdown left out, cut into sentences, each with the silence after it. Knows no model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from studio.documents import SENTENCE_END

SENTENCE, PARAGRAPH, CLAUSE = 0.3, 0.7, 0.1
"""Seconds of silence after a sentence, after a paragraph, and where a sentence was too long for one breath."""
ABBREVIATIONS = frozenset("mr mrs ms dr prof st sr jr vs etc no fig vol e.g i.e z.b bzw ca u.a d.h".split())
"""Words whose full stop ends no sentence."""

_END = re.compile(SENTENCE_END)
_MARKS = re.compile(r"^\s*(?:#{1,6}\s+|>\s?|[-*+]\s+|```.*$|(?:-{3,}|\*{3,}|_{3,})\s*$)")
_EMPHASIS = re.compile(r"(\*\*|__|\*|_|`)(?=\S)(.+?)(?<=\S)\1")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")


@dataclass(frozen=True)
class Piece:
    """What is said in one go, and the seconds of silence that follow."""

    words: str
    pause: float


def pieces(text: str, longest: int) -> tuple[Piece, ...]:
    """`text` in the order it is spoken, in pieces of at most `longest` characters: sentences, or parts of very long ones.

    An empty line ends a paragraph, a single line end a sentence. Pieces without a letter or digit are left out.
    """
    found: list[Piece] = []
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [plain(line) for line in paragraph.split("\n")]
        sentences = [sentence for line in lines for sentence in _sentences(line)]
        for number, sentence in enumerate(sentences, 1):
            parts = [part for part in _parts(sentence, longest) if any(map(str.isalnum, part))]
            last = PARAGRAPH if number == len(sentences) else SENTENCE
            found += [Piece(part, CLAUSE if k < len(parts) else last) for k, part in enumerate(parts, 1)]
    return tuple(found)


def plain(line: str) -> str:
    """A line without the marks of Markdown: headings, quotes, lists, rules, emphasis, code and links."""
    line = _LINK.sub(r"\1", _MARKS.sub("", line))
    return " ".join(_EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", line)).split())


def _sentences(line: str) -> Iterator[str]:
    start = 0
    for end in _END.finditer(line):
        last = line[start : end.start()].rpartition(" ")[2].strip("\"'“‘«([").casefold()
        after = line[end.end() :].lstrip()[:1]
        short = end.group().startswith(".") and (last in ABBREVIATIONS or (len(last) == 1 and last.isalpha()))
        if not short and not after.islower():
            yield line[start : end.end()].strip()
            start = end.end()
    if line[start:].strip():
        yield line[start:].strip()


def _parts(sentence: str, longest: int) -> Iterator[str]:
    """A sentence that is too long is cut after its last comma, else its last space, else anywhere, within reach."""
    while len(sentence) > longest:
        reach = sentence[: longest + 1]
        places = (max(reach.rfind(mark) for mark in (", ", "; ", ": ", " – ", "，", "、", "；")) + 1, reach.rfind(" "), longest)
        cut = next(place for place in places if place > 0)
        yield sentence[:cut].strip()
        sentence = sentence[cut:].strip()
    if sentence:
        yield sentence
