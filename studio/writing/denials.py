"""What a sentence denies, and which words say the opposite of one another. By rules, for English.

Knows words; knows no passage, no verdict and no model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from studio.writing.claims import TOKEN
from studio.writing.terms import STOP_WORDS, stem, terms

_DENIALS = frozenset(
    "not no never none nobody nothing neither nor without cannot hardly scarcely nowhere fail failed fails refuse refused refuses deny "
    "denied denies lack lacks lacked forbid forbids forbade forbidden prohibit prohibits prohibited prevent prevents prevented unable "
    "unwilling reluctant uncomfortable escape escapes escaped nicht kein keine nie niemals pas jamais nunca".split()
)
_EVEN = re.compile(
    r"\bnot\s+(?:only|merely|just|simply|alone|until|till)\b|\bno\s+(?:doubt|less|more|worse|\w+er)\b|\bnot\s+(?:less|fewer|more)\s+than\b"
    r"|\b(?:cannot|nothing)\s+but\b|\bor\s+(?:not|no)\b|\bif\s+not\b|\bwithout\s+(?:a\s+)?doubt\b",
    re.IGNORECASE,
)
_INSTEAD = re.compile(r"\b(?:rather\s+than|instead\s+of|except(?:\s+(?:for|as\s+to))?|less(?=\s+\w{3,})(?!\s+than))\b", re.IGNORECASE)
"""What denies what follows as "not" does: "a rule of thumb rather than a limit", "less speculative"."""
_MORE = re.compile(r"\b(more|most|less|fewer|least)\s+(\w{3,})", re.IGNORECASE)
_TITLE = re.compile(r"\b(Mr|Mrs|Ms|Dr|Prof|St)\.")
_REACH = 5
"""Terms after a denying word that it denies, up to the end of the clause."""

_SCOPE, _BEFORE, _AROUND = 3, 2, 6
"""Terms after a denial, or before it where none follow, that must stand together in another text for the two to be compared; how far
apart they may stand there."""

OPPOSITES: tuple[tuple[str, str], ...] = (
    ("increase", "decrease"), ("rise", "fall"), ("grow", "shrink"), ("more", "less"), ("more", "fewer"), ("before", "after"),
    ("early", "late"), ("high", "low"), ("good", "bad"), ("large", "small"), ("big", "small"), ("long", "short"), ("full", "empty"),
    ("win", "lose"), ("gain", "lose"), ("accept", "refuse"), ("accept", "reject"), ("allow", "forbid"), ("allow", "prohibit"),
    ("permit", "prohibit"), ("open", "close"), ("begin", "end"), ("start", "stop"), ("rich", "poor"), ("strong", "weak"),
    ("young", "old"), ("hot", "cold"), ("warm", "cold"), ("fast", "slow"), ("quick", "slow"), ("hard", "easy"), ("difficult", "easy"),
    ("legal", "illegal"), ("possible", "impossible"), ("true", "false"), ("right", "wrong"), ("alive", "dead"), ("love", "hate"),
    ("like", "dislike"), ("friend", "enemy"), ("north", "south"), ("east", "west"), ("left", "right"), ("above", "below"),
    ("inside", "outside"), ("present", "absent"), ("buy", "sell"), ("success", "failure"), ("succeed", "fail"), ("maximum", "minimum"),
    ("male", "female"), ("day", "night"), ("light", "dark"), ("public", "private"), ("safe", "dangerous"), ("include", "exclude"),
    ("agree", "disagree"), ("remember", "forget"), ("add", "remove"), ("arrive", "leave"), ("most", "least"), ("best", "worst"),
    ("loud", "quiet"), ("wide", "narrow"), ("clean", "dirty"), ("wet", "dry"), ("war", "peace"), ("guilty", "innocent"), ("happy", "sad"),
    ("accept", "decline"), ("known", "unknown"), ("allow", "refuse"),
    ("north", "west"), ("south", "east"), ("with", "without"), ("first", "last"), ("able", "unable"), ("honest", "dishonest"),
    ("approve", "disapprove"), ("appear", "disappear"), ("advantage", "disadvantage"), ("obey", "disobey"), ("trust", "distrust"),
    ("satisfied", "dissatisfied"), ("proper", "improper"), ("perfect", "imperfect"), ("patient", "impatient"), ("visible", "invisible"),
    ("regular", "irregular"), ("always", "seldom"), ("often", "seldom"), ("often", "rarely"), ("usually", "rarely"),
    ("sufficient", "insufficient"), ("willing", "reluctant"), ("praise", "blame"), ("ascend", "descend"), ("expand", "contract"),
    ("import", "export"), ("majority", "minority"), ("superior", "inferior"), ("cheap", "expensive"), ("quickly", "slowly"),
    ("better", "worse"), ("higher", "lower"), ("top", "bottom"), ("upper", "lower"), ("morning", "evening"), ("birth", "death"),
    ("victory", "defeat"), ("approve", "reject"), ("far", "near"), ("far", "close"), ("many", "few"),
)  # fmt: skip
_FACING: dict[str, set[str]] = {}
for _one, _other in OPPOSITES:
    _FACING.setdefault(stem(_one), set()).add(stem(_other))
    _FACING.setdefault(stem(_other), set()).add(stem(_one))


def denied(text: str) -> tuple[set[str], set[str], int]:
    """The terms of a text that it denies, those that it does not, and how many denying words it has."""
    text = _INSTEAD.sub("without", _EVEN.sub(" ", text))
    reach = count = 0
    no: set[str] = set()
    yes: set[str] = set()
    for match in TOKEN.finditer(text):
        word = match.group().casefold().replace("’", "'")
        if not word[0].isalnum() or word == "but":
            reach = 0
        elif word in _DENIALS or word.endswith("n't"):
            reach, count = _REACH, count + (word != "nor" or not count)
        elif word not in STOP_WORDS:
            (no if reach else yes).update(terms(word))
            reach = max(0, reach - 1)
    return no, yes, count


def unanswered(one: str, other: str) -> bool:
    """Whether a text denies what the other says in the same words close together, and denies nowhere near.

    Two denials in one clause ("shall not be denied") are none. A denial counts neither way whose words the same text also says without it.
    """
    ours, theirs = _spoken(one), _spoken(other)
    for denial in ours.denials:
        wanted = {ours.terms[at] for at in denial.scope}
        aside = [at for at in range(len(ours.terms)) if not any(one.covers(at) for one in ours.denials)]
        if not wanted or any(_together(wanted, ours.terms, at, len(wanted)) for at in aside):
            continue
        places = [at for at in range(len(theirs.terms)) if _together(wanted, theirs.terms, at, 2 * len(wanted) / 3)]
        if len(wanted) == 1:
            if theirs.denials:  # one word alone tells too little beside what the other denies
                continue
            near = set(ours.terms[max(0, denial.at - _AROUND) : denial.at + _AROUND]) - wanted
            places = [at for at in places if near & set(theirs.terms[max(0, at - _AROUND) : at + _AROUND])]
        if places and all(theirs.denied(at) != bool(denial.words % 2) for at in places):
            return True
    return False


def outweighed(one: str, other: str) -> bool:
    """Whether one says "more" and the other "less" of the same word."""
    mine, yours = _compared(one), _compared(other)
    return any((more, word) not in yours and (not more, word) in yours for more, word in mine)


def _compared(text: str) -> set[tuple[bool, str]]:
    """The words of which a text says more or most (True), or less, fewer or least (False)."""
    return {(match.group(1).casefold() in ("more", "most"), stem(match.group(2).casefold())) for match in _MORE.finditer(text)}


def opposite(term: str) -> set[str]:
    """The terms that say the opposite of one, as far as words are known or made by "un" and the like."""
    bare = {
        term[len(start) :]
        for start, least in (("un", 5), ("in", 9), ("im", 8), ("dis", 8))
        if term.startswith(start) and len(term) >= least
    }
    return _FACING.get(term, set()) | bare | {f"un{term}"}


@dataclass(frozen=True)
class _Denial:
    """A denying word before the term at the index `at`, and the indexes of the terms that it is about."""

    at: int
    scope: tuple[int, ...]
    words: int
    """Denying words that stand together here."""
    behind: bool = False
    """Whether it denies nothing that stands before it, as "without"."""

    def covers(self, at: int) -> bool:
        """Whether the term at an index stands where this may deny it."""
        return at in self.scope or self.at - (0 if self.behind else _BEFORE + 1) <= at < self.at + _REACH


@dataclass(frozen=True)
class _Spoken:
    """The terms of a text in their order, without the empty ones, and its denials."""

    terms: tuple[str, ...]
    denials: tuple[_Denial, ...]

    def denied(self, at: int) -> bool:
        """Whether the term at an index is denied, as far as the nearest denial tells."""
        near = min((one for one in self.denials if one.covers(at)), key=lambda one: abs(at - one.at), default=None)
        return near is not None and near.words % 2 == 1


def _spoken(text: str) -> _Spoken:
    found: list[str] = []
    clauses: list[int] = []  # of each term
    places: list[tuple[int, int]] = []  # of each denial, with its clause
    clause = 0
    behind: set[int] = set()  # denials that deny nothing before them
    for match in TOKEN.finditer(_TITLE.sub(r"\1", _INSTEAD.sub("without", _EVEN.sub(" ", text)))):
        word = match.group().casefold().replace("’", "'")
        if not word[0].isalnum() or word == "but":
            clause += 1
        elif word == "nor" and places and places[-1][1] == clause:
            continue
        elif word in _DENIALS or word.endswith("n't"):
            places.append((len(found), clause))
            if word == "without":
                behind.add(len(found))
        elif word not in STOP_WORDS:
            for term in terms(word):
                found.append(term)
                clauses.append(clause)
    made: list[_Denial] = []
    for number, (at, its) in enumerate(places):
        same = [at, *(there for there, clause in places[number + 1 :] if clause == its and there - at <= _SCOPE and there not in behind)]
        if at not in behind and any(clause == its and 0 <= at - there <= _SCOPE for there, clause in places[:number]):
            continue  # told with the one before
        last = same[-1]
        after = [i for i in range(last, min(last + _SCOPE, len(found))) if clauses[i] == its]
        before = [i for i in range(max(0, at - _BEFORE), at) if clauses[i] == its]
        made.append(_Denial(last, tuple(after or before), len(same), last in behind))
    return _Spoken(tuple(found), tuple(made))


def _together(wanted: set[str], found: Sequence[str], at: int, least: float) -> bool:
    """Whether the term at an index is wanted, and with those around it at least so many of them."""
    return found[at] in wanted and len(wanted & set(found[max(0, at - _AROUND) : at + _AROUND + 1])) >= least
