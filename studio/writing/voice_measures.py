"""What can be counted in a text: lengths, marks, favourite words; in English also person, tense and reading ease. Knows no voice."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from studio.writing.sentences import sentences

FAVOURITES = 8
"""Words at most; each stands at least three times."""
COMMON = frozenset(
    "a about above after again all also am an and any are as at be been before being but by can could did do does down each even every few "
    "for from get go got had has have he her here him his how i if in into is it its just know like made make many may me might more most "
    "much must my never no not now of off on once one only or other our out over own said say says see she should so some still such than "
    "that the their them then there these they this those through to too two under until up upon us very was we well were what when where "
    "which while who why will with without would yet you your been going come came back way thing things something nothing".split()
)
"""English words that say nothing about a voice."""
_ENGLISH = frozenset(
    "the of and to a in that it is was for on with as his he be at by i not are this but had from have you they we".split()
)
_PERSONS: Mapping[str, frozenset[str]] = {
    "I": frozenset({"i", "me", "my", "mine", "myself"}),
    "we": frozenset({"we", "us", "our", "ours", "ourselves"}),
    "you": frozenset({"you", "your", "yours", "yourself"}),
    "they": frozenset("he him his she her hers they them their theirs".split()),
}
_PAST = frozenset("was were had did said went came saw knew thought took gave found told made stood felt left kept began".split())
_PRESENT = frozenset("is are am has have do does says goes comes sees knows thinks takes gives finds makes stands feels will can".split())
_PASSIVE = frozenset("is are am be been being was were has have had isn't aren't wasn't weren't".split())
_MARKS: Mapping[str, tuple[str, int]] = {  # name: (pattern, from how many in 100 sentences on)
    "exclamation marks": (r"!", 12),
    "questions": (r"\?", 15),
    "semicolons": (r";", 8),
    "colons": (r":(?=\s)", 12),
    "dashes": (r"\s[–—-]\s|—", 12),
    "brackets": (r"\(", 10),
    "ellipses": (r"…|\.\.\.", 8),
    "quoted speech": (r"[“«„\"][^”»“\"]{2,}[”»“\"]", 15),
    "emoji": (r"[\U0001F300-\U0001FAFF\u2600-\u27BF]", 5),
    "bulleted lists": (r"(?m)^\s*[-*•]\s", 10),
}
HABITS: Mapping[str, int] = {name: least for name, (_, least) in _MARKS.items()}
"""From how many of a mark in 100 sentences on it is a habit."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_CONTRACTION = re.compile(r"(?i)\b\w+(?:n['’]t|['’](?:re|ve|ll|m|d))\b|\b(?:it|that|he|she|there|what|who|let)['’]s\b")


@dataclass(frozen=True)
class Measured:
    """`sentence_words`: mean; `sentence_spread`: deviation over mean; `contractions`: in 100 words; `marks`: in 100
    sentences; `reading_ease`: Flesch (1948), 0..100. What only English has is '' or 0 elsewhere."""

    words: int
    sentences: int
    paragraphs: int
    sentence_words: float
    sentence_spread: float
    paragraph_sentences: float
    word_letters: float
    english: bool
    person: str
    tense: str
    contractions: float
    reading_ease: float
    favourites: tuple[str, ...]
    marks: Mapping[str, float]


def measure(text: str) -> Measured:
    """Count what there is in a text."""
    said = [text[begin:end] for begin, end in sentences(text)]
    lengths = [count for one in said if (count := len(_WORD.findall(one)))]
    words = [word.replace("’", "'") for word in _WORD.findall(text)]
    low = [word.casefold() for word in words]
    english = len(low) > 0 and sum(word in _ENGLISH for word in low) / len(low) > 0.2
    mean = statistics.mean(lengths) if lengths else 0.0
    paragraphs = [part for part in re.split(r"\n\s*\n", text) if len(_WORD.findall(part)) > 5]
    return Measured(
        words=len(words),
        sentences=len(lengths),
        paragraphs=len(paragraphs),
        sentence_words=mean,
        sentence_spread=statistics.pstdev(lengths) / mean if mean else 0.0,
        paragraph_sentences=len(lengths) / max(1, len(paragraphs)),
        word_letters=statistics.mean(map(len, words)) if words else 0.0,
        english=english,
        person=_person(low) if english else "",
        tense=_tense(low) if english else "",
        contractions=100 * len(_CONTRACTION.findall(text)) / max(1, len(words)) if english else 0.0,
        reading_ease=_ease(low, len(lengths)) if english else 0.0,
        favourites=_favourites(words),
        marks={name: _share(len(re.findall(pattern, text)), len(lengths)) for name, (pattern, _) in _MARKS.items()},
    )


def _share(count: int, of: int) -> float:
    """In 100 sentences; what stands there once says nothing."""
    return 100 * count / max(1, of) if count > 1 else 0.0


def _person(words: list[str]) -> str:
    """The person that a text speaks in: I, we and you stand out at a 50th of the words; else the third at a 25th."""
    shares = {name: sum(word in forms for word in words) / len(words) for name, forms in _PERSONS.items()}
    near = max(("I", "we", "you"), key=lambda name: shares[name])
    if shares[near] >= 0.02:
        return near
    return "they" if shares["they"] >= 0.04 else ""


def _tense(words: list[str]) -> str:
    pairs = zip(["", *words], words, strict=False)
    past = sum(word in _PAST or (len(word) > 4 and word.endswith("ed") and before not in _PASSIVE) for before, word in pairs)
    present = sum(word in _PRESENT or word.endswith(("'re", "'m", "'ll")) for word in words)
    if max(past, present) < 3 or 0.5 < past / max(1, present) < 2:
        return ""
    return "past" if past > present else "present"


def _ease(words: list[str], count: int) -> float:
    """206.835 - 1.015 words a sentence - 84.6 syllables a word (Flesch, "A new readability yardstick", 1948)."""
    if not words or not count:
        return 0.0
    ease = 206.835 - 1.015 * len(words) / count - 84.6 * sum(map(_syllables, words)) / len(words)
    return min(100.0, max(0.0, ease))


def _syllables(word: str) -> int:
    """About how many: groups of vowels, a silent e at the end not counted."""
    groups = len(re.findall(r"[aeiouy]+", word))
    silent = word.endswith("e") and not word.endswith(("le", "ee")) and groups > 1
    return max(1, groups - silent)


def _favourites(words: list[str]) -> tuple[str, ...]:
    """Words that stand at least three times and that are neither common nor names, the most frequent first."""
    low = Counter(word.casefold() for word in words)
    names = Counter(word.casefold() for word in words if word[0].isupper())
    often = {word: count for word, count in low.items() if count >= 3 and len(word) > 4 and word not in COMMON and word.isalpha()}
    picked = [word for word, count in often.items() if names[word] <= count / 2]
    return tuple(sorted(picked, key=lambda word: (-often[word], word))[:FAVOURITES])
