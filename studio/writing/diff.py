"""What differs between two texts, by words: pieces that a person takes or refuses one by one. Knows no document and no page.

Long texts are compared by sentences first, so that the time stays bounded.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate

from studio.writing.spans import common

WORDS_LIMIT = 3_000
"""Words, spaces and marks of the longer text up to which texts are compared word by word at once."""
SENTENCES_LIMIT = 3_000
"""Sentences above which what differs is one piece."""
PAIRS_LIMIT = 40_000
"""Pairs of equal words (or sentences) of the two texts up to which they are compared; the time grows faster than these."""
KEPT = 3
"""Letters that two pieces must have between them; with fewer they are one. A character that is a word counts twice."""
LONGEST_WORD = 100


@dataclass(frozen=True)
class Piece:
    """`new` takes the place of `old`, which stands at `start` (code points) of the old text; one of them may be ''."""

    start: int
    old: str
    new: str


def pieces(old: str, new: str) -> tuple[Piece, ...]:
    """What differs, in the order of the text; all of them applied to `old` give `new`."""
    before = common(old, new)
    after = common(old[before:], new[before:], back=True)
    # The rest is looked at from the beginning of its first word to the end of its last.
    before -= _begun(old, new, before)
    after -= _begun(old[::-1], new[::-1], after)
    changed = _compared(old[before : len(old) - after], new[before : len(new) - after])
    return tuple(_joined(old, [Piece(piece.start + before, piece.old, piece.new) for piece in changed]))


def applied(old: str, taken: Iterable[Piece]) -> str:
    """The old text with those pieces; the others stay as they were."""
    text, place = "", 0
    for piece in sorted(taken, key=lambda piece: piece.start):
        text += old[place : piece.start] + piece.new
        place = piece.start + len(piece.old)
    return text + old[place:]


def _compared(old: str, new: str) -> list[Piece]:
    """By words where that is quick, else by sentences and then by words within those that differ, as far as the time allows."""
    if _pairs(_WORDS, WORDS_LIMIT, old, new) <= PAIRS_LIMIT:
        return _matched(_WORDS, old, new)
    if _pairs(_SENTENCES, SENTENCES_LIMIT, old, new) > PAIRS_LIMIT:
        return [Piece(0, old, new)]
    found: list[Piece] = []
    left = PAIRS_LIMIT
    for piece in _matched(_SENTENCES, old, new):
        pairs = _pairs(_WORDS, WORDS_LIMIT, piece.old, piece.new)
        inner = _matched(_WORDS, piece.old, piece.new) if pairs <= left else [Piece(0, piece.old, piece.new)]
        left -= pairs if pairs <= left else 0
        found += [Piece(piece.start + part.start, part.old, part.new) for part in inner]
    return found


def _matched(split: re.Pattern[str], old: str, new: str) -> list[Piece]:
    one, other = split.findall(old), split.findall(new)
    places = [0, *accumulate(map(len, one))]
    steps = SequenceMatcher(str.isspace, one, other, autojunk=False).get_opcodes()
    return [
        Piece(places[low], "".join(one[low:high]), "".join(other[start:end])) for kind, low, high, start, end in steps if kind != "equal"
    ]


def _pairs(split: re.Pattern[str], limit: int, old: str, new: str) -> int:
    """How many pairs of equal parts there are; more than may be where there are too many parts."""
    one, other = split.findall(old), split.findall(new)
    if max(len(one), len(other)) > limit:
        return PAIRS_LIMIT + 1
    counted = Counter(other)
    return sum(count * counted[part] for part, count in Counter(one).items() if not part.isspace())


def _joined(old: str, found: Sequence[Piece]) -> Iterator[Piece]:
    """Pieces with hardly anything between them become one."""
    last: Piece | None = None
    for piece in found:
        if last is not None:
            end = last.start + len(last.old)
            between = old[end : piece.start]
            if len(_LETTERS.findall(between)) + len(_SIGNS.findall(between)) < KEPT:
                last = Piece(last.start, last.old + between + piece.old, last.new + between + piece.new)
                continue
            yield last
        last = piece
    if last is not None:
        yield last


def _begun(old: str, new: str, place: int) -> int:
    """How many characters of a word stand before the place, if it is within one in either text."""
    if not any(_LETTERS.match(text[place : place + 1]) for text in (old, new)):
        return 0
    found = _LAST.search(old[max(0, place - LONGEST_WORD) : place])
    return len(found[0]) if found else 0


_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORDS = re.compile(rf"[{_SPACELESS}]|[^\W{_SPACELESS}]+(?:['’][^\W{_SPACELESS}]+)*|\s+|[^\w\s]")
_SENTENCES = re.compile(r"[^\n.!?…。！？]*(?:[.!?…。！？]+[\"'”’»)\]]*\s*|\n+|\Z)|\n")
_LAST = re.compile(r"\w+\Z")
_LETTERS = re.compile(r"\w")
_SIGNS = re.compile(f"[{_SPACELESS}]")
