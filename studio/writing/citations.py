"""Whether the sentences of an answer are borne out by the passages that they cite, checked by rules anybody can follow.

A sentence is held against its passages by its numbers, its names, what it denies, and how many of its words stand there. That finds
what is made up or mixed up; it does not understand, and a paraphrase in wholly other words is called weak. Numbers, names and overlap
work in any language, denials and opposites in English. Knows no model, no search and no page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from studio.writing.claims import Number, first_name, named, names, numbers, opening_name, roman
from studio.writing.denials import denied, opposite, outweighed, unanswered
from studio.writing.passages import Passage
from studio.writing.questions import alike
from studio.writing.sentences import sentences
from studio.writing.terms import terms

Verdict = Literal["supported", "weak", "unsupported", "uncited"]

SUPPORTED, WEAK = 0.4, 0.3
"""Share of a sentence's words that its passages hold, from which it is supported, or weak."""
PARTLY = 0.7
"""What a word counts for of which the passages have only a relative."""
TURNED = 0.5
"""Share of the words that both have which may be denied in one alone."""
NEARLY = 0.8
"""Share of a sentence's words from which a possessor that is not named there ("Orlando's father" for "my father") may be meant."""
LONGEST_QUOTE = 3
"""Sentences of a passage that are shown for one of the answer."""

_CITE = re.compile(r"\[(\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*)\](?!\()")
_LINES = re.compile(r"\n(?=[ \t]*(?:[-*•]|\d{1,3}[.)])[ \t])|(?<=\])[ \t]*\n")
_MARKS = re.compile(r"^[ \t]*(?:[-*•>#]+|\d{1,3}[.)])[ \t]+|[*_`]+")


@dataclass(frozen=True)
class Checked:
    """One sentence of an answer: `answer[start:end]`, the numbers it cites, and what was found.

    `why` is a sentence. `passage` is the number of the passage that fits best, 0 without one; its `text[quote_start:quote_end]` is what
    bears the sentence out, or comes nearest.
    """

    sentence: str
    start: int
    end: int
    numbers: tuple[int, ...]
    verdict: Verdict
    why: str
    quote_start: int = 0
    quote_end: int = 0
    passage: int = 0


@dataclass(frozen=True)
class _Quote:
    """The sentences of a passage that have most of a sentence's words."""

    passage: int
    start: int
    end: int
    text: str


def check(answer: str, passages: Sequence[Passage] | Mapping[int, Passage]) -> tuple[Checked, ...]:
    """Every sentence of `answer` in its order; [n] cites the passage of that number, in a sequence the n-th from 1."""
    known = passages if isinstance(passages, Mapping) else dict(enumerate(passages, 1))
    return tuple(_checked(answer, start, end, known) for start, end in _split(answer))


def cited(text: str) -> tuple[int, ...]:
    """The numbers that a text cites, each once, in order: of [1][2], [1, 2] and [1-3]."""
    found: list[int] = []
    for match in _CITE.finditer(text):
        for part in re.split(r"\s*[,;]\s*", match.group(1)):
            ends = [int(number) for number in re.split(r"\s*[–-]\s*", part)]
            found += range(ends[0], min(ends[-1], ends[0] + 20) + 1) if len(ends) == 2 else ends[:1]
    return tuple(dict.fromkeys(found))


def _split(answer: str) -> list[tuple[int, int]]:
    """The ranges of sentences; an entry of a list is one of its own."""
    found: list[tuple[int, int]] = []
    start = 0
    for end in [*(match.start() for match in _LINES.finditer(answer)), len(answer)]:
        found += [(start + one, start + over) for one, over in sentences(answer[start:end])]
        start = end
    return found


def _checked(answer: str, start: int, end: int, passages: Mapping[int, Passage]) -> Checked:
    sentence = answer[start:end]
    cites = cited(sentence)
    if not cites:
        return Checked(sentence, start, end, (), "uncited", "This sentence names no passage.")
    missing = [number for number in cites if number not in passages]
    if missing:
        return Checked(sentence, start, end, cites, "unsupported", f"There is no passage [{missing[0]}].")
    claim = " ".join(_CITE.sub(" ", _MARKS.sub(" ", sentence)).split())
    evidence = {number: passages[number] for number in cites}
    quote = _quote(claim, evidence)
    verdict, why = _verdict(claim, evidence, quote)
    return Checked(sentence, start, end, cites, verdict, why, quote.start, quote.end, quote.passage)


def _verdict(claim: str, evidence: dict[int, Passage], quote: _Quote) -> tuple[Verdict, str]:
    said = "\n\n".join(f"{passage.heading}\n\n{passage.text}" for passage in evidence.values())
    share, lacking = _share(claim, said)
    if share < WEAK:
        return "unsupported", "Hardly anything of this stands in the passage."
    # 1. What can be told to be wrong.
    if wrong := _numbers(claim, said, quote.text):
        return wrong
    if wrong := _names(claim, said, quote.text, nearly=share >= NEARLY):
        return wrong
    if _turned(claim, quote.text):
        return "unsupported", f"The passage says the opposite: “{_short(quote.text)}”"
    # 2. How much of it stands there.
    if share < SUPPORTED:
        return "weak", f"Only part of this stands in the passage; it says nothing of {_listed(lacking)}."
    return "supported", "The passage says this." if not lacking else f"The passage says this, in other words than {_listed(lacking)}."


def _share(claim: str, said: str) -> tuple[float, list[str]]:
    """How much of the claim's words the passages hold, 0 to 1, and those that they lack."""
    held = set(terms(said))
    stems = [stem_ for stem_ in dict.fromkeys(terms(claim)) if not stem_.isdigit()]
    if not stems:
        return 1.0, []
    shown = _as_written(claim)
    worth: list[float] = []
    lacking: list[str] = []
    for one in stems:
        value = 1.0 if one in held else PARTLY if _relative(one, held) else 0.0
        worth.append(value)
        if not value:
            lacking.append(shown.get(one, one))
    return sum(worth) / len(worth), lacking


def _relative(one: str, held: set[str]) -> bool:
    if alike(one) & held:
        return True
    return len(one) >= 5 and any(other[:5] == one[:5] and abs(len(other) - len(one)) <= 4 for other in held)


def _numbers(claim: str, said: str, near: str) -> tuple[Verdict, str] | None:
    known = numbers(said)
    values = {number.value for number in known}
    for number in numbers(claim):
        if number.ordinal and number.value in roman(said) - values:
            continue
        if number.value in values:
            other = _other(number, known)
            if other is None:
                continue
        else:
            other = next((one for one in numbers(near) if one.unit == number.unit), None) or next(iter(numbers(near)), None)
        if other is None:
            return "weak", f"The passage does not say {number.said}."
        return "unsupported", f"The passage says {other.said}, the sentence {number.said}."
    return None


def _other(number: Number, known: Sequence[Number]) -> Number | None:
    """Where the value is there of other things alone, but of this thing another value: that one."""
    if not number.unit or number.is_year or any(one.value == number.value and (one.unit == number.unit or not one.unit) for one in known):
        return None
    return next((one for one in known if one.unit == number.unit and one.ordinal == number.ordinal), None)


def _names(claim: str, said: str, near: str, *, nearly: bool) -> tuple[Verdict, str] | None:
    held = set(terms(said, stop=False)) | {word.casefold() for word in names(said)}
    mine = {name.casefold() for name in names(claim)}
    there = [name for name in names(near, verse=True) if name.casefold() not in mine]
    opening = [opening_name(claim)] if there and opening_name(claim) else []
    missing = [name for name in opening + names(claim) if not named(name, held) and not first_name(name, claim, said, held)]
    if not missing:
        return None
    if not there and nearly and all(re.search(rf"\b{re.escape(name)}['’]s\b", claim) for name in missing):
        return None
    if there:
        return "unsupported", f"The passage names {_joined(there[:2])}, not {missing[0]}."
    return "weak", f"The passage does not name {missing[0]}."


def _turned(claim: str, near: str) -> bool:
    """Whether one denies what the other states, or says the opposite word. What a clause denies twice counts neither way.

    Where both deny the same word, they agree, whatever else stands in reach of the two denials.
    """
    if unanswered(near, claim) or unanswered(claim, near) or outweighed(claim, near):
        return True
    no, yes, count = denied(claim)
    there = [denied(clause) for clause in re.split(r"[;:]\s|[.!?]\s+(?=[A-Z])", near)]
    held = {term for theirs in there for term in theirs[0] | theirs[1]}
    shared = (no | yes) & held
    if count > 1:
        parts = re.split(r"[,;:]\s|\s(?=(?:and|but|which|who)\s)", claim)
        fewer = sum(theirs[2] for theirs in there) < count
        return fewer and len(parts) > 1 and any(denied(part)[2] == 1 and _turned(part, near) for part in parts)
    if not shared:
        return False
    turned: set[str] = set()
    denials = 0
    for term in shared:
        clauses = [theirs for theirs in there if term in theirs[0] | theirs[1]]
        sides = [(theirs[1], theirs[0]) if term in no else (theirs[0], theirs[1]) for theirs in clauses]
        if all(theirs[2] < 2 for theirs in clauses) and all(term in other and term not in same for other, same in sides):
            turned.add(term)
            denials += sum(theirs[2] for theirs in clauses)
    if any(term in no and any(term in theirs[0] for theirs in there) for term in shared):
        return False
    enough = bool(turned) and 3 * len(turned) >= len(no) if count and not denials else len(turned) / len(shared) >= TURNED
    compared = "than" in claim.split() and "than" in near.split()  # "A is easier than B" is no opposite of "B is harder than A"
    opposed = not compared and any(opposite(term) & held - no - yes for term in (no | yes) - held)
    return enough != opposed


def _quote(claim: str, evidence: dict[int, Passage]) -> _Quote:
    """The fewest sentences on end of a passage that hold most of what the claim says."""
    wanted = set(terms(claim))
    values = {number.value for number in numbers(claim)}
    best: tuple[float, _Quote] | None = None
    for number, passage in evidence.items():
        parts = sentences(passage.text)
        for first in range(len(parts)):
            for last in range(first, min(first + LONGEST_QUOTE, len(parts))):
                start, end = parts[first][0], parts[last][1]
                text = passage.text[start:end]
                held = len(wanted & set(terms(text))) + len(values & {one.value for one in numbers(text)})
                score = held - 0.4 * (last - first) - len(text) / 10_000
                if best is None or score > best[0]:
                    best = (score, _Quote(number, start, end, text))
    return best[1] if best is not None else _Quote(next(iter(evidence)), 0, 0, "")


def _as_written(claim: str) -> dict[str, str]:
    """Each term of a claim as its word stands there."""
    return {term: word for word in re.findall(r"[\w'’-]+", claim) for term in terms(word)}


def _listed(found: Sequence[str]) -> str:
    return _joined([f"“{word}”" for word in found[:3]])


def _joined(found: Sequence[str]) -> str:
    return " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else "".join(found)


def _short(text: str, most: int = 120) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most].rsplit(' ', 1)[0]}…"
