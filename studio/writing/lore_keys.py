"""Whether a key of a card stands in a text: a whole word in any case, or a pattern that can never hang.

A key of a script that puts no spaces between words (Chinese, Japanese, Thai, ...) or whose endings cling to the word (Korean) is found
inside longer words, too. Knows no card.
"""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

from studio.errors import InvalidInput

PATTERN_LIMIT = 300
"""Characters of a pattern."""
REPEATS_LIMIT = 20_000
"""All counts of a pattern ({2,30} counts 30) multiplied: the library writes some of them out, which would take all memory."""
SECONDS = 0.05
"""A pattern may search one text for this long."""
_CLINGING = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3100, 0x318F),  # Bopomofo, Hangul letters
    (0x31F0, 0x31FF),
    (0x3400, 0x9FFF),  # Han
    (0xAC00, 0xD7AF),  # Hangul
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


_CLING = "".join(f"{chr(low)}-{chr(high)}" for low, high in _CLINGING)
_WORDS = re.compile(rf"[^\W{_CLING}]+")
_CLINGS = re.compile(f"[{_CLING}]")


class Text:
    """A text that keys are looked for in."""

    def __init__(self, text: str) -> None:
        self._text = folded(text)
        self._words = frozenset(_WORDS.findall(self._text))

    def holds(self, key: str) -> bool:
        """Whether `key` stands in it as whole words; `key` is `folded`."""
        word = _WORDS.search(key)
        if not key or (word is not None and word[0] not in self._words and not _CLINGS.search(key)):
            return False
        start = self._text.find(key)
        while start >= 0:
            end = start + len(key)
            if not (_joined(self._text[start - 1 : start], key[0]) or _joined(self._text[end : end + 1], key[-1])):
                return True
            start = self._text.find(key, start + 1)
        return False


def folded(text: str) -> str:
    """Text as keys are compared: composed characters, no case, nothing around it."""
    if text.isascii():
        return text.strip().lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).strip()


def found(pattern: str, text: str) -> str:
    """What `pattern` finds first in `text`, in any case, '' for nothing. Raises InvalidInput, a sentence without its subject's name, for
    a pattern that is none, that is too large, or that searches too long."""
    compiled = _compiled(pattern)
    try:
        match = compiled.search(text, timeout=SECONDS)
    except TimeoutError:
        raise InvalidInput(f"the pattern “{_short(pattern)}” takes too long: make it simpler") from None
    return (match[0] or " ") if match else ""


def _compiled(pattern: str) -> Any:
    import regex

    if len(pattern) > PATTERN_LIMIT:
        raise InvalidInput(f"the pattern “{_short(pattern)}” is longer than {PATTERN_LIMIT} characters")
    counts = [int(number) for pair in re.findall(r"\{(\d*),?(\d*)\}", pattern) for number in (max(pair, key=_number),) if number]
    if math.prod(max(count, 1) for count in counts) > REPEATS_LIMIT:
        raise InvalidInput(f"the pattern “{_short(pattern)}” repeats too much: use smaller numbers")
    try:
        return regex.compile(pattern, regex.IGNORECASE)
    except (regex.error, ValueError, OverflowError, RecursionError, KeyError) as error:
        reason = str(error).split("\n")[0][:80]
        raise InvalidInput(f"the pattern “{_short(pattern)}” is no regular expression ({reason})") from None


def _number(digits: str) -> int:
    return int(digits or 0)


def _joined(other: str, mine: str) -> bool:
    """Whether the key's character `mine` and its neighbour ('' at an end of the text) belong to one word."""
    return bool(other) and _wordly(mine) and _wordly(other) and not _CLINGS.search(mine + other)


def _wordly(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"


def _short(pattern: str) -> str:
    return pattern if len(pattern) <= 40 else f"{pattern[:40]}…"
