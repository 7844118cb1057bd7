"""What a text is about, as terms: its words without the empty ones, each at its stem. For search and for comparing sentences.

English words lose their endings by light rules after Porter's first steps ("An algorithm for suffix stripping", 1980); words of other
languages stay whole; Chinese, Japanese and Thai, which leave no space between words, become pairs of characters. Knows no index.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

STOP_WORDS = frozenset(
    "a about above after again all also am an and any are as at be because been before being below between both but by can could did "
    "do does doing down during each few for from further had has have having he her here hers him his how i if in into is it its "
    "itself just may me might more most must my no nor not now of off on once only or other our ours out over own same shall she "
    "should so some such than that the their theirs them then there these they this those through to too under until up upon us very "
    "was we were what when where which while who whom whose why will with would you your yours yes one ones".split()
)
"""English words that say little alone."""

SPACELESS = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f"
"""Characters of languages that are written without spaces, as a range of a pattern."""

_WORD = re.compile(rf"[{SPACELESS}]+|\d[\d.,]*\d(?![^\W_])|[^\W_{SPACELESS}]+(?:['’.][^\W\d_{SPACELESS}]+)*")
_SPACELESS = re.compile(f"[{SPACELESS}]")
_VOWEL = re.compile(r"[aeiouy]")
_IRREGULAR = {
    "men": "man", "women": "woman", "children": "child", "feet": "foot", "teeth": "tooth", "mice": "mouse", "geese": "goose",
    "wrote": "write", "written": "write", "began": "begin", "begun": "begin", "made": "make", "said": "say", "says": "say", "went": "go",
    "gone": "go", "goes": "go", "came": "come", "took": "take", "taken": "take", "gave": "give", "given": "give", "found": "find",
    "held": "hold", "told": "tell", "left": "leave", "lost": "lose", "fell": "fall", "fallen": "fall", "grew": "grow", "grown": "grow",
    "knew": "know", "known": "know", "saw": "see", "seen": "see", "ran": "run", "rose": "rise", "risen": "rise", "sold": "sell",
    "bought": "buy", "built": "build", "led": "lead", "met": "meet", "paid": "pay", "sent": "send", "spoke": "speak", "spoken": "speak",
    "thought": "think", "won": "win", "chose": "choose", "chosen": "choose", "chuse": "choose", "drew": "draw", "drawn": "draw",
    "ate": "eat", "eaten": "eat", "kept": "keep", "got": "get", "became": "become", "brought": "bring", "died": "die", "dies": "die",
    "dying": "die", "lies": "lie", "lying": "lie", "better": "good", "best": "good", "worse": "bad", "lives": "life", "wives": "wife",
    "wolves": "wolf", "thieves": "thief", "leaves": "leaf", "halves": "half", "sang": "sing", "slept": "sleep", "drank": "drink",
    "drunk": "drink", "fought": "fight", "caught": "catch", "taught": "teach", "stood": "stand", "sat": "sit", "stole": "steal",
    "swore": "swear", "tore": "tear", "woke": "wake", "flew": "fly", "rode": "ride", "hid": "hide", "heard": "hear", "felt": "feel",
    "spent": "spend", "meant": "mean", "learnt": "learn", "shot": "shoot", "struck": "strike", "sought": "seek", "bore": "bear",
    "born": "bear", "shook": "shake", "swam": "swim", "rang": "ring", "sank": "sink", "threw": "throw", "thrown": "throw", "wore": "wear",
    "worn": "wear", "broke": "break", "broken": "break", "forgot": "forget",
}  # fmt: skip
_ENDINGS = (
    ("ational", "ate"), ("ization", "ize"), ("isation", "ize"), ("fulness", "ful"), ("ousness", "ous"), ("iveness", "ive"),
    ("ation", "ate"), ("ition", "ite"), ("ment", ""), ("ness", ""), ("ship", ""), ("ible", ""), ("able", ""), ("tion", "t"),
    ("sion", "s"), ("ance", ""), ("ence", ""), ("ise", "ize"), ("ery", ""), ("ful", ""), ("ity", ""), ("est", ""),
    ("ly", ""), ("er", ""), ("or", ""),
)  # fmt: skip


def words(text: str) -> list[tuple[str, int, int]]:
    """Each word of `text` as it stands there with its range; a run of characters without spaces counts as one."""
    return [(match.group(), match.start(), match.end()) for match in _WORD.finditer(text)]


def terms(text: str, *, stop: bool = True) -> list[str]:
    """The terms of `text` in their order; `stop` leaves out the empty words (all of them are kept where nothing else is there)."""
    found: list[str] = []
    empty: list[str] = []
    for word, _, _ in words(unicodedata.normalize("NFKC", text)):
        if _SPACELESS.match(word):
            found += [word[i : i + 2] for i in range(len(word) - 1)] or [word]
            continue
        folded = _folded(word)
        (empty if stop and folded in STOP_WORDS else found).append(stem(folded))
    return found or empty


def length(text: str) -> int:
    """About how many words `text` has: two characters of a language without spaces count as one."""
    return sum((len(word) + 1) // 2 if _SPACELESS.match(word) else 1 for word, _, _ in words(text))


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The stem of one word in lower case: "running" and "runs" give "run". No word of its own for what is not English."""
    word = _IRREGULAR.get(word, word)
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    word = _participle(_plural(word))
    for ending, put in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            word = word[: -len(ending)] + put
            break
    if word.endswith("y") and len(word) > 3 and word[-2] not in "aeiou":
        word = word[:-1] + "i"
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def _plural(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith("ies"):
        return word[:-3] + ("ie" if len(word) == 4 else "y")
    if word.endswith(("ches", "shes", "xes", "zes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _participle(word: str) -> str:
    for ending in ("ied", "ing", "ed"):
        root = word[: -len(ending)]
        if not word.endswith(ending) or len(root) < 2 or not _VOWEL.search(root) or (ending == "ed" and root.endswith("e")):
            continue
        if ending == "ied":
            return root + "y"
        if len(root) > 3 and root[-1] == root[-2] and root[-1] not in "lsz":
            return root[:-1]
        return root
    return word


def _folded(word: str) -> str:
    """Lower case without accents, a possessive ending or points inside."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))
    plain = plain.replace("’", "'")
    return plain[:-2] if plain.endswith("'s") else plain.strip("'").replace(".", "") if not plain[:1].isdigit() else plain
