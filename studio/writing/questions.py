"""What a question looks for, as weighted terms: its own words, and words that answers to its kind of question hold. English.

"How tall" is answered by feet and inches, "how much money" by pounds and dollars; such words find passages that say it in no word of
the question. A question in another language is its own words alone. Knows no passage and no index.
"""

from __future__ import annotations

import re

from studio.writing.terms import stem, terms

OTHER = 0.5
"""Weight of a word that only an answer may hold, beside 1 for one of the question's own."""

MONEY = "pound dollar cent crown shilling penny euro franc mark guinea sum income price cost paid fortune"
NUMBERS = (
    "one two three four five six seven eight nine ten eleven twelve dozen score twenty thirty forty fifty sixty seventy eighty ninety "
    "hundred thousand million half"
)
MONTHS = "january february march april may june july august september october november december"
LENGTH = "inch foot yard mile high height metre meter centimetre kilometre round distance wide deep"
TIME = "second minute hour day week month year century term age"

_KINDS: tuple[tuple[str, str, tuple[str, ...]], ...] = (  # what is asked, words that only ask, words of answers by what they tell
    (r"\bhow (much|large|great|big)\b.*\b(money|income|fortune|salary|price|cost|pay|paid|debt|worth)", "much large great big money",
     (MONEY, NUMBERS)),
    (r"\bhow much\b.*\bcost|\bwhat (price|sum)\b", "much", (MONEY, NUMBERS)),
    (r"\bhow (tall|high|wide|deep|far|long is|large|big)\b|\bhow many (miles|feet|inches|metres|meters)", "tall far large big",
     (LENGTH, NUMBERS)),
    (r"\bhow old\b|\b(what|which) age\b", "old", ("age year", NUMBERS)),
    (r"\bhow (long|often|soon)\b|\bhow many (seconds|minutes|hours|days|weeks|months|years)", "long often soon last",
     (f"{TIME} time twice once", NUMBERS)),
    (r"\bwhen\b|\bwhat (year|date|day|month)|\bwhich (year|date|day|month)", "", (f"{TIME} {MONTHS}",)),
    (r"\bhow (many|much)\b|\bwhat number", "many much", (NUMBERS,)),
    (r"\bwhy\b", "", ("because reason since therefore cause",)),
)  # fmt: skip
_ASKING = frozenset(
    stem(word) for word in "much many say said call called name named tell told mean kind happen happened become became somebody".split()
)
"""Terms that questions hold for their own sake: half a word's weight."""

ALIKE: tuple[str, ...] = (
    "big large great huge", "little small tiny", "rich wealthy fortune", "begin start commence", "end finish close", "present gift",
    "house home dwelling", "king monarch", "rule reign govern", "servant serve service", "noble nobility lord", "child son daughter",
    "wife marry married marriage husband wedding", "money coin gold wealth", "law rule statute act", "leave bequeath will",
    "vote election elect ballot", "write letter wrote", "journey travel trip voyage", "war battle fight", "dead die death kill",
    "error mistake fault wrong", "build make construct create", "picture image painting portrait", "quick fast swift rapid",
    "old aged ancient", "ask question inquire", "answer reply respond", "job work employment labour", "country nation state land",
    "speak talk speech say", "see look view", "around round", "citizen inhabitant resident", "yearly annual year", "show display",
    "buy purchase", "get receive obtain", "help aid assist", "stop cease halt", "forbid prohibit ban", "allow permit let",
    "instrument tool device", "shape form", "test try trial", "doctor physician", "sick ill disease", "second sec", "minute min",
    "hour hr", "foot ft", "mile mi", "kilometre km", "percent per cent", "sea ocean water", "street road way",
)  # fmt: skip
"""Words that stand for one another often enough to be worth a look."""

_NEAR: dict[str, set[str]] = {}
for _group in ALIKE:
    _stems = {stem(_word) for _word in _group.split()}
    for _stem in _stems:
        _NEAR.setdefault(_stem, set()).update(_stems - {_stem})


def looked_for(question: str) -> list[dict[str, float]]:
    """What a question is about, thing by thing: for each the terms that speak of it, with weights of at most 1; one of them is enough."""
    asked = question.casefold()
    empty: set[str] = set()
    wanted: list[str] = []
    for pattern, asking, answers in _KINDS:
        if re.search(pattern, asked):
            empty |= {stem(word) for word in asking.split()}
            wanted += [part for part in answers if part not in wanted]
    own = [term for term in dict.fromkeys(terms(question)) if term not in empty] or terms(question)
    things = [{term: 0.5 if term in _ASKING else 1.0, **dict.fromkeys(_NEAR.get(term, ()), OTHER)} for term in own]
    return things + [{stem(word): OTHER for word in part.split()} for part in wanted]  # each once, in however many ways it is asked


def alike(term: str) -> set[str]:
    """Terms that stand for this one often enough."""
    return _NEAR.get(term, set())
