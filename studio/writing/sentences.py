"""Where the sentences of a text begin and end. Knows words and marks; knows no source, no model and no page.

Plain rules, no trained model: a mark such as `.` ends a sentence unless it follows an abbreviation, an initial or a number that goes
on; Chinese and Japanese marks always end one; an empty line does too. What cites ([1], [2, 3]) belongs to the sentence before it.
"""

from __future__ import annotations

import re

ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st sr jr gen col capt lt sgt rev hon gov sen rep vs etc al cf eg ie e.g i.e fig figs eq no nos vol vols pp ch "
    "sec art ed eds trans approx ca c inc ltd co corp dept univ jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k u.n d.c a.m "
    "p.m ph.d z.b bzw usw ca str abs nr bd hl".split()
)
"""Words, without their last point, after which a sentence goes on."""

_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s|$|\[\d)|[。！？｡]+[」』”’）]*|\n[ \t]*\n+")
_CITES = re.compile(r"[ \t]*(?:\[\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*\][ \t]*)+[.。]?")
_LAST = re.compile(r"[\w.]+$")
_NEXT = re.compile(r"\s+[\"'“‘«(\[]*(\w)")


def sentences(text: str) -> list[tuple[int, int]]:
    """The range of each sentence in `text`, in code points, without the white space around it; empty ones are left out."""
    found: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        if match.start() < start or not _ends(text, start, match):
            continue
        end = match.end()
        if cites := _CITES.match(text, end):
            end = cites.end()
        found.append((start, end))
        start = end
    found.append((start, len(text)))
    return [trimmed for begin, end in found if (trimmed := _trimmed(text, begin, end)) is not None]


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    mark = match.group()
    goes_on = _NEXT.match(text, match.end())
    if mark[0] in ".!?…" and goes_on is not None and goes_on.group(1).islower():
        return False
    if not mark.startswith(".") or mark.startswith(".."):
        return True
    last = _LAST.search(text, start, match.start())
    word = last.group().casefold() if last else ""
    if len(word) == 1 and word.isalpha() and text[match.start() - 1].isupper():  # an initial, as in J. Milton
        return goes_on is None
    return word not in ABBREVIATIONS or goes_on is None


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if end > start else None
