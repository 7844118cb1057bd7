"""The author's note: words that the writer reads near the end of the text, so that they weigh more than at its beginning.

It stands so many tokens before the end, as in KoboldAI and NovelAI, but never inside a sentence where one ends near by. Knows no budget
but the one it is given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from studio.tasks import Write

NEAR = 150
"""Characters on either side of the asked place in which a better one is looked for."""
BORDERS = (r"\n", r"[.!?…。！？][\"'”’»)\]]*\s", r"\s")
"""After a line, else after a sentence, else after a word."""


class Words(Protocol):
    """How a model makes tokens of words (context.Words)."""

    def tokens(self, text: str) -> list[int]: ...

    def text(self, tokens: Sequence[int]) -> str: ...


class AuthorNote:
    """The note of a task inside a document, cut to `most` tokens at a word."""

    def __init__(self, task: Write, words: Words, most: int) -> None:
        whole = " ".join(task.author_note.split())
        self.said = whole if self._measured(words, whole) <= most else self._cut(words, whole, most)
        self.left_out = len(whole) - len(self.said)
        """Characters of its end."""
        self.why = f"The last {self.left_out:,} of {len(whole):,} characters of the author's note are left out." if self.left_out else ""
        self.size = self._measured(words, self.said) + 4 if self.said else 0
        """Tokens to keep free for it, a few more than it takes."""
        self._words, self._depth = words, task.note_depth

    @property
    def alone(self) -> str:
        """As it stands after an instruction, where there is no document."""
        return _framed(self.said) if self.said else ""

    def inside(self, text: str, tokens: list[int]) -> str:
        """The document `text`, whose tokens are known, with the note about `note_depth` tokens before its end."""
        end = self._words.text(tokens[len(tokens) - self._depth :]) if self._depth < len(tokens) else text
        place = _place(text, len(text) - len(end))
        ending = "\n" if not place or text[place - 1] == "\n" else " "
        return f"{text[:place]}{_framed(self.said)}{ending}{text[place:]}"

    def _cut(self, words: Words, whole: str, most: int) -> str:
        ends = [found.end() for found in re.finditer(r"\S+", whole)]
        low, high = 0, len(ends)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._measured(words, whole[: ends[middle - 1]]) <= most else (low, middle - 1)
        return whole[: ends[low - 1]] if low else ""

    def _measured(self, words: Words, said: str) -> int:
        return len(words.tokens(f"{_framed(said)}\n")) if said else 0


def _framed(said: str) -> str:
    return f"[Author's note: {said}]"


def _place(text: str, aim: int) -> int:
    """The best place near `aim` in `text`; something of the text always follows it."""
    begin = max(0, aim - NEAR)
    for border in BORDERS if aim > 0 else ():
        found = [begin + each.end() for each in re.finditer(border, text[begin : aim + NEAR])]
        places = [place for place in found if text[place:].strip()]
        if places:
            return min(places, key=lambda place: abs(place - aim))
    return 0
