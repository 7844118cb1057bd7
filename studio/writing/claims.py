"""What a sentence states that can be compared: its numbers and its names. By rules, for English first.

Knows words; knows no passage, no verdict and no model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from studio.writing.terms import STOP_WORDS, stem, terms, words

_UNITS = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
        "nineteen".split()
    )
}
_TENS = {word: 10 * number for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10,
    "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16, "seventeenth": 17,
    "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "once": 1, "twice": 2, "thrice": 3, "dozen": 12, "fourscore": 80,
}  # fmt: skip
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "tenth": 10}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_NO_NAMES = STOP_WORDS | set(
    "nobody everybody somebody anybody nothing everything something anything never many much somewhere there".split()
)
_ONES = {one: count for count, one in enumerate(("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"))}
_ROMAN = re.compile(r"\b(?=[IVXL]{2})(XL|L?X{0,3})(IX|IV|V?I{0,3})\b")
_OPENING = re.compile(
    r"([A-Z][a-z]{2,})\s+(?:is|was|has|had|did|does|can|could|would|will|may|might|must|said|saw|began|left|came|went|gave|took|[a-z]{3,}(?:s|ed))\s"
)
_DIGITS = re.compile(r"\d[\d.,]*")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)\Z")
TOKEN = re.compile(r"--|\d[\d.,]*\d(?:st|nd|rd|th)?|\d(?:st|nd|rd|th)?|[^\W\d_]+(?:['’][^\W\d_]+)*|[,;:.()!?%—]")
_TITLES = ("Mr", "Mrs", "Ms", "Dr", "Prof", "Sir", "Jr")


@dataclass(frozen=True)
class Number:
    """A number with how it stands in the text and the stem of the word after it, '' if that says nothing."""

    value: float
    said: str
    unit: str

    @property
    def ordinal(self) -> bool:
        """Whether it tells a place in an order."""
        return re.split(r"[\s-]", self.said.casefold())[-1] in _ORDINALS or _ORDINAL.match(self.said.casefold()) is not None

    @property
    def is_year(self) -> bool:
        """Whether it is written as a year is, which counts no thing that its next word names."""
        return re.fullmatch(r"1\d{3}|20\d\d", self.said) is not None


def numbers(text: str) -> list[Number]:
    """The numbers of a text, in figures or words: 1,234.5, 5 %, "twenty-five", "a thousand", "eighteenth". A lone "one" is none."""
    found: list[Number] = []
    tokens = [(match.group().casefold(), match.start(), match.end()) for match in TOKEN.finditer(text)]
    at = 0
    while at < len(tokens):
        read = _number(tokens, at)
        if read is None:
            at += 1
            continue
        value, over = read
        unit = next((word for word, _, _ in tokens[over : over + 3] if word == "%" or (word not in STOP_WORDS and word.isalpha())), "")
        unit = "%" if unit in ("%", "percent") or [word for word, _, _ in tokens[over : over + 2]] == ["per", "cent"] else stem(unit)
        found.append(Number(value, text[tokens[at][1] : tokens[over - 1][2]], unit))
        at = over
    return found


def roman(text: str) -> set[float]:
    """What the Roman numerals of a text count, from II to LXXXIX: chapters, articles and amendments."""
    found: set[float] = set()
    for tens, ones in _ROMAN.findall(text):
        found.add(40.0 * (tens == "XL") + 50 * tens.startswith("L") + 10 * tens.lstrip("L").count("X") * (tens != "XL") + _ONES[ones])
    return found


def names(text: str, *, verse: bool = False) -> list[str]:
    """The capitalised words of a text that do not stand there only because a sentence begins with them; in `verse`, or a line."""
    found: list[str] = []
    before = 0
    for word, start, end in words(text):
        between = text[before:start]
        begins = bool(re.search(r"[.!?:]\s|[.!?:]$|\n\s*\n|[\"“‘(]\s*$", between)) and not _short(text, before)
        opens = before == 0 or begins or (verse and "\n" in between)
        before = end
        if (
            word[0].isupper()
            and not opens
            and re.sub("['’]s$", "", word.casefold()) not in STOP_WORDS
            and word not in _TITLES
            and len(word) > 1
        ):
            found.append(re.sub("['’]s$", "", word))
    return list(dict.fromkeys(found))


def opening_name(text: str) -> str:
    """The first word of a sentence where it seems to be a name: alone before a verb, or in capitals; else ''."""
    if letters := re.match(r"[A-Z]{2,}\b", text):
        return letters.group()
    match = _OPENING.match(text)
    word = match.group(1) if match else ""
    return "" if word.casefold() in _NO_NAMES or word.endswith(("s", "ing", "ly")) else word


def named(name: str, held: set[str]) -> bool:
    """Whether a name is among the terms that a text holds."""
    one = next(iter(terms(name, stop=False)), stem(name.casefold()))
    return one in held or name.casefold() in held or (len(one) >= 5 and any(other.startswith(one[:5]) for other in held))


def first_name(name: str, claim: str, said: str, held: set[str]) -> bool:
    """Whether a missing name stands before one that the text has, and has without another first name: "Fred" of "Brooks's Law"."""
    follows = re.search(rf"\b{re.escape(name)}\s+([A-Z][^\W\d_]+)", claim)
    if follows is None or not named(follows.group(1), held):
        return False
    return not re.search(rf"(?<![.!?:,;“\"]\s)\b[A-Z][^\W\d_]+\.?\s+{re.escape(follows.group(1))}\b", said)


def _number(tokens: list[tuple[str, int, int]], at: int) -> tuple[float, int] | None:
    """The number that begins at a token, and the token after it."""
    word = tokens[at][0]
    if ordinal := _ORDINAL.match(word):
        return float(ordinal.group(1)), at + 1
    if _DIGITS.fullmatch(word):
        return _scaled(_figure(word), tokens, at + 1)
    follows = tokens[at + 1][0] if at + 1 < len(tokens) else ""
    if word in ("a", "an") and follows in _SCALES:
        return _scaled(1, tokens, at + 1)
    if word in ("a", "one") and follows in _PARTS and (word == "one" or _at(tokens, at + 2) == "of"):
        return 1 / _PARTS[follows], at + 2
    if (word == "one" and follows not in _SCALES) or (word == "once" and at and tokens[at - 1][0] == "at"):
        return None
    return _in_words(tokens, at)


def _in_words(tokens: list[tuple[str, int, int]], at: int) -> tuple[float, int] | None:
    word = tokens[at][0]
    total = 0.0
    part = 0.0
    over = at
    for value, scale in _spelled(tokens, at):
        over += 1
        if scale == 1:
            part += value
        elif scale == 100:
            part = (part or 1) * 100
        elif scale:
            total += (part or 1) * scale
            part = 0.0
    if over == at:
        return (float(_ORDINALS[word]), at + 1) if word in _ORDINALS else None
    while tokens[over - 1][0] == "and":
        over -= 1
    if share := _PARTS.get(_at(tokens, over).removesuffix("s")):
        return (total + part) / share, over + 1
    return total + part, over


def _at(tokens: list[tuple[str, int, int]], at: int) -> str:
    return tokens[at][0] if at < len(tokens) else ""


def _spelled(tokens: list[tuple[str, int, int]], at: int) -> Iterator[tuple[float, int]]:
    """Each word of a number in words, as (value, scale); "and" as (0, 0)."""
    last = -1.0
    for index in range(at, len(tokens)):
        word = tokens[index][0]
        follows = tokens[index + 1][0] if index + 1 < len(tokens) else ""
        if word in _UNITS:
            if 0 <= last < 20:
                return
            yield _UNITS[word], 1
            last = _UNITS[word]
        elif word in _TENS:
            if 0 <= last < 100:
                return
            yield _TENS[word], 1
            last = _TENS[word]
        elif word in _SCALES:
            yield 0, _SCALES[word]
            last = -1.0
        elif word in _ORDINALS and 20 <= last < 100 and _ORDINALS[word] < 10:
            yield _ORDINALS[word], 1
            return
        elif word == "and" and index > at and last == -1 and (follows in _UNITS or follows in _TENS):
            yield 0, 0
        else:
            return


def _scaled(value: float, tokens: list[tuple[str, int, int]], over: int) -> tuple[float, int]:
    while over < len(tokens) and tokens[over][0] in _SCALES:
        value *= _SCALES[tokens[over][0]]
        over += 1
    return value, over


def _figure(word: str) -> float:
    """1,234.5 and 1.234,5 alike; a single comma or point with three figures after it parts thousands only if it is a comma."""
    word = word.strip(".,")
    if "," in word and "." in word:
        decimal = max(word.rfind(","), word.rfind("."))
        return float(re.sub("[.,]", "", word[:decimal]) + "." + word[decimal + 1 :])
    if re.fullmatch(r"\d{1,3}(,\d{3})+", word) or word.count(",") > 1 or word.count(".") > 1:
        return float(re.sub("[.,]", "", word))
    return float(word.replace(",", "."))


def _short(text: str, end: int) -> bool:
    """Whether the word that ends here is a title or an initial, after which a point ends no sentence."""
    word = re.search(r"\w+$", text[:end])
    return word is not None and (len(word.group()) == 1 or word.group() in (*_TITLES, "St"))
