"""What a prompt says about its background, and the prompt without it: "on blue background with stars", "hearts in the background".

A description of a background is made of colours, patterns and a few plain adjectives, so that the thing before it ("an owl on blue
background", "red apple yellow background") is never taken for a part of it. It knows no icons and no names of things.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from studio.starter.vocabulary import ARTICLES, COLOURS, FILLER, PATTERN_WORDS, THINGS_TOO

_WORD = re.compile(r"#[0-9a-f]{6}\b|[a-z0-9][a-z0-9']*|[^\sa-z0-9]")
_NAMED = frozenset(("background", "backdrop", "wallpaper"))
_LEADS = frozenset(("on", "against", "with", "over", "in", "of", "before", "and", "upon"))
_SURFACES = frozenset(("on", "against", "over", "of"))  # what may stand before a colour alone: "a robot on blue", "in front of blue"
_PLAIN = frozenset(
    """plain solid simple clean clear blank empty transparent pastel soft pale light dark bright deep gradient neutral uniform seamless
    blurred blurry abstract patterned pattern colorful colourful colored coloured color colour toned little small tiny big sky""".split()
)
_COLOUR_WORDS = frozenset(word for name in COLOURS for word in name.split())
_UNSEEN = frozenset(("transparent", "blank", "empty", "clear")) | _PLAIN | _LEADS
_MOST = 4  # words that are not understood and still belong to a background: "on a dark forest background"


@dataclass(frozen=True)
class Ground:
    """`meant` as in scene.Scene.background; `rest` is the prompt without it; `understood` is False where words had to be passed over."""

    meant: str | None
    rest: str
    understood: bool = True


def ground(text: str) -> Ground:
    """Takes the background out of a clean, lower-case prompt. One that would leave nothing to draw is no background."""
    spans = [(found[0], found.start(), found.end()) for found in _WORD.finditer(text)]
    words = [word for word, _, _ in spans]
    for find in (_called, _coloured):
        begin, said, end = find(words)
        rest = words[:begin] + words[end:]
        if end and any(word[0].isalnum() and word not in ARTICLES | FILLER for word in rest):
            left, right = text[: spans[begin][1]], text[spans[end - 1][2] :]
            meant = _meaning(said)
            return Ground(meant, f"{left} {right}".strip(), bool(meant) or not set(said) - ARTICLES - FILLER - _UNSEEN)
    return Ground(None, text)


def _called(words: list[str]) -> tuple[int, list[str], int]:
    """A background that is called one: where its words begin, what it is said to be, where they end (0: there is none)."""
    place = next((i for i, word in enumerate(words) if word in _NAMED), None)
    if place is None:
        return 0, [], 0
    end, after = _after(words, place + 1)
    begin = _described(words, place)
    before = words[begin:place]
    if not before and words[_lead(words, begin) : place][:1] == ["in"]:  # "with stars in the background"
        inside = _lead(words, begin)
        begin = _described(words, inside)
        before = words[begin:inside]
        if not set(before) & PATTERN_WORDS.keys():
            return inside, after, end
    lead = _lead(words, begin)
    if lead == begin and begin and words[begin - 1] != ",":  # words that are not understood: as far as the preposition before them
        farther = next((i for i in range(begin - 1, max(begin - 2 - _MOST, -1), -1) if words[i] in _LEADS or words[i] == ","), None)
        if farther is not None and (not before or words[farther] not in ("with", "and", ",") or words[farther + 1] in ARTICLES):
            lead, before = farther, words[farther + 1 : place]
    return lead, before + after, end


def _coloured(words: list[str]) -> tuple[int, list[str], int]:
    """A background that is only a colour: "a robot on blue", "a tree against yellow, flat", "a cat on blue with stars"."""
    for lead, word in enumerate(words):
        if word not in _SURFACES or (word == "of" and words[max(lead - 2, 0) : lead] != ["in", "front"]):
            continue
        end = lead + 1
        while end < len(words) and (_grounds(words[end]) or words[end] in ARTICLES):
            end += 1
        said = words[lead + 1 : end]
        ends, after = _after(words, end)
        open_end = end == len(words) or ends > end or not words[end][0].isalnum() or words[end] in ("and", "with")
        thing = not said or said[-1] in THINGS_TOO or said[-1] in PATTERN_WORDS
        if _meaning(said) and open_end and (word == "against" or not thing):
            return lead - 2 * (word == "of"), said + after, ends
    return 0, [], 0


def _after(words: list[str], place: int) -> tuple[int, list[str]]:
    """Where what follows a background ends, and its words: "with white stars", "full of hearts", "is blue", ": pink"."""
    start = place + (words[place : place + 1] in (["full"], ["made"]))
    link = words[start] if start < len(words) else ""
    if link not in ("with", "of", "in", "is", ":", "="):
        return place, []
    end = start + 1
    while end < len(words) and (_grounds(words[end]) or words[end] in ARTICLES or (words[end] == "and" and _joins(words, end))):
        end += 1
    said = words[start + 1 : end]
    if link in ("with", "of"):  # a colour alone belongs to a thing: "with a red car"
        said = said[: max((i + 1 for i, word in enumerate(said) if word in PATTERN_WORDS), default=0)]
    return (start + 1 + len(said), said) if _meaning(said) else (place, [])


def _described(words: list[str], end: int) -> int:
    """Where the colours, patterns and plain adjectives before `end` begin; at most one colour, or two with "and" between."""
    begin, colours = end, 0
    while begin and not (words[begin - 1] in ARTICLES and begin < end):
        pair = " ".join(words[max(begin - 2, 0) : begin])
        word = words[begin - 1]
        if pair in COLOURS and not colours:
            begin, colours = begin - 2, 1
        elif word == "and" and begin < end and _joins(words, begin - 1):
            begin, colours = begin - 1, 0
        elif _grounds(word) and not (colours and (word in _COLOUR_WORDS - _PLAIN or word.startswith("#"))):
            begin, colours = begin - 1, colours or int(word in COLOURS or word.startswith("#"))
        else:
            break
    return begin


def _lead(words: list[str], begin: int) -> int:
    """Where the articles and the preposition before `begin` begin."""
    place = begin
    while place and words[place - 1] in ARTICLES:
        place -= 1
    if words[max(place - 3, 0) : place] == ["in", "front", "of"]:
        return place - 3
    return place - 1 if place and words[place - 1] in _LEADS else place


def _joins(words: list[str], place: int) -> bool:
    """Whether the "and" at `place` stands between two words of backgrounds: "pink and white"."""
    return 0 < place < len(words) - 1 and _grounds(words[place - 1]) and _grounds(words[place + 1])


def _grounds(word: str) -> bool:
    return word in _PLAIN or word in PATTERN_WORDS or word in _COLOUR_WORDS or word.startswith("#")


def _meaning(said: list[str]) -> str | None:
    """The colour and the pattern among words, as a scene's background."""
    words = [word for word in said if word not in ARTICLES]
    colour = next((word for word in words if word.startswith("#") and len(word) > 1), None)
    pairs = [f"{a} {b}" for a, b in itertools.pairwise(words)]
    named = next((word for word in [*pairs, *words] if word in COLOURS), None)
    pattern = next((PATTERN_WORDS[word] for word in words if word in PATTERN_WORDS), None)
    return " ".join(part for part in (colour or (COLOURS[named] if named else None), pattern) if part) or None
