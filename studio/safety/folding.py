"""Text as a person reads it, whatever it is spelt with: the ground on which rules are compared with prompts. Knows no rule.

Folded away: compatibility forms (NFKC), case, accents and other combining marks, invisible characters, letters of other scripts and
digits that look like Latin letters, letters set apart ("a b c", "a.b.c") and letters repeated three times and more. Rules are folded in
the same way, so that words of every script compare with themselves. l, i, 1 and | become one letter.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from string import ascii_lowercase
from typing import NamedTuple

_ALIKE = {
    "a": "аɑα@ᴀ", "b": "ьʙβƀ", "c": "сᴄϲ", "d": "ԁᴅđɖ", "e": "еᴇεєə", "f": "ꜰƒ", "g": "ɡɢԍ", "h": "нһʜħ", "i": "іɪιıӏlł!|ʟ", "j": "јᴊ",
    "k": "кᴋκ", "m": "мᴍ", "n": "ոɴηп", "o": "оᴏοøσօ", "p": "рᴘρ", "q": "ԛ", "r": "гʀ", "s": "ѕꜱ$", "t": "тᴛτ", "u": "սᴜυ", "v": "ᴠνѵ",
    "w": "ᴡԝω", "x": "хχ", "y": "уʏγү", "z": "ᴢʐ",
}  # fmt: skip
_DIGITS = str.maketrans("0134578", "oieastb")
_SIGNS = str.maketrans("@$!|", "asii")
_WORD = re.compile(r"[^\W_]+")
_AGED = re.compile(r"(\d{1,2})(?:y|yo|yr|yrs|year|years)(?:oid|oids)?")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_NUMBERS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
_YOUNG_NUMBERS = {word.replace("l", "i") for word in _NUMBERS.split()} | {str(number) for number in range(18)}
_YEARS = {"year", "years", "yr", "yrs", "y", "jahre", "ans", "anos", "anni"}
_AGED_WORDS = {"age", "aged", "jahrige", "jahriger", "jahriges", "jahrigen"}
_ABOUT_AGES = _YEARS | _AGED_WORDS
_OF_AGE = {"oid", "oids", "o", "ait"}

YOUNG = "<18"
"""The reading of an age below eighteen, in digits or English words."""


class Folded(NamedTuple):
    """A text's words in order; readings of single words beside them, each with its word's number; letters set apart, joined.

    Of the readings, `YOUNG` stands for an age. `unspaced` is the whole folded text where it holds a script that puts no space between
    words, else ''.
    """

    words: list[str]
    readings: list[tuple[int, str]]
    joined: list[tuple[int, str]]
    unspaced: str


def fold(text: str) -> Folded:
    """The text as it is read. Linear in its length."""
    plain = _plain(text)
    chunks = plain.split()
    repeated = any(letter * 3 in plain for letter in ascii_lowercase)
    known = {chunk: _read(chunk, repeated) for chunk in set(chunks)}
    words: list[str] = []
    readings: list[tuple[int, str]] = []
    for chunk in chunks:
        parts, others = known[chunk]
        readings += [(len(words), other) for other in others]
        words += parts
    if not _ABOUT_AGES.isdisjoint(words):
        readings += _ages(words)
    return Folded(words, readings, _set_apart(words), _unspaced(plain))


def is_unspaced(term: str) -> bool:
    """Whether a term is of a script that puts no space between words."""
    return _UNSPACED.search(term) is not None


def _plain(text: str) -> str:
    """Lower case, without marks and invisible characters, look-alikes as Latin letters, l as i."""
    if text.isascii():
        return text.lower().replace("l", "i")
    return unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold()).translate(_table()).replace("l", "i")


def _read(chunk: str, repeated: bool) -> tuple[list[str], list[str]]:
    """The words between two spaces, and what else they may be read as: "na-ked", "n@ked", "n4ked", "naaaked"; "12yo" is an age."""
    if (bare := chunk.lstrip("(\"'[#*").rstrip(".,;:!?)\"']*")).isalpha():
        return [bare], _once(bare) if repeated else []
    parts = _WORD.findall(chunk)
    solid = "".join(_WORD.findall(chunk.rstrip("!|$@").translate(_SIGNS)))
    others = [solid.translate(_DIGITS), *(_once(solid) if repeated else ())]
    for part in parts:
        if not part.isalpha() and not part.isdigit():
            aged = _AGED.fullmatch(part)
            others += [part.translate(_DIGITS)] + [YOUNG] * (aged is not None and int(aged[1]) < 18)
    return parts, others


def _once(word: str) -> list[str]:
    """A word with letters three times and more, with them once and twice."""
    return [_REPEATED.sub(letters, word) for letters in (r"\1", r"\1\1")] if len(word) > 3 and _REPEATED.search(word) else []


def _ages(words: list[str]) -> list[tuple[int, str]]:
    """Ages below eighteen that are said in several words: "12 years old", "aged 12"."""
    found: list[tuple[int, str]] = []
    for number, word in enumerate(words):
        if word in _YEARS and number and words[number - 1] in _YOUNG_NUMBERS:
            after = words[number + 1] if number + 1 < len(words) else ""
            found += [(number, YOUNG)] * (word in ("ans", "anos", "anni") or after in _OF_AGE)
        elif word in _AGED_WORDS:
            beside = words[number + 1 : number + 2] if word.startswith("age") else words[max(number - 1, 0) : number]
            found += [(number, YOUNG)] * any(other in _YOUNG_NUMBERS for other in beside)
    return found


def _set_apart(words: list[str]) -> list[tuple[int, str]]:
    """Three and more single letters in a row as one word, with the number of the first."""
    single = [number for number, word in enumerate(words) if len(word) == 1]
    found: list[tuple[int, str]] = []
    begin = 0
    for place in range(1, len(single) + 1):
        if place == len(single) or single[place] != single[place - 1] + 1:
            if place - begin > 2:
                found.append((single[begin], "".join(words[number] for number in single[begin:place]).translate(_DIGITS)))
            begin = place
    return found


def _unspaced(plain: str) -> str:
    return "" if plain.isascii() or _UNSPACED.search(plain) is None else "".join(plain.split())


@cache
def _table() -> dict[int, str | None]:
    """Every mark and every invisible character to nothing, every look-alike beyond ASCII to its letter."""
    points = (*range(128, 0x20000), *range(0xE0000, 0xE1000))
    table: dict[int, str | None] = {point: None for point in points if unicodedata.category(chr(point)) in ("Mn", "Me", "Cf")}
    table |= {ord(other): letter for letter, others in _ALIKE.items() for other in others if ord(other) > 127}
    for first in (0x1F130, 0x1F150, 0x1F170, 0x1F1E6):  # letters in squares and circles, and those of flags
        table |= {first + number: chr(ord("a") + number) for number in range(26)}
    return table | dict.fromkeys((0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800), " ")
