"""Takes a prompt apart: which things, in which colours, how they stand to one another, on which background.

It knows what is a name (from the lexicon) and a little English (from vocabulary.py); it chooses no icons.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from studio.errors import InvalidInput
from studio.starter.lexicon import Lexicon, singular
from studio.starter.vocabulary import (
    ARTICLES,
    COLOURS,
    CONTAINERS,
    COUNTS,
    DETAILS,
    FILLER,
    HEADWEAR,
    MEASURES,
    PATTERN_WORDS,
    RELATION_WORDS,
    SCENERY,
    STYLE_WORDS,
    THINGS_TOO,
)

READ = 600  # characters of a prompt that are read
THINGS = 3  # things in one picture
_TOKEN = re.compile(r"#[0-9a-f]{6}\b|[a-z0-9][a-z0-9'.]*|[,;&+/|:]")
_BACKGROUND = re.compile(
    r"\b(?:(?:on|against|with|over|in|in front of|before)\s+)?(?:an?\s+|the\s+)?((?:[a-z0-9#-]+\s+){1,3}?)"
    r"(?:background|backdrop|wallpaper)(?:\s+(?:with|of|full of|made of)\s+((?:[a-z-]+\s?){1,3}))?"
    r"|\bwith\s+((?:[a-z-]+\s+){1,3}?)in\s+(?:the\s+)?background\b|\bbackground\s*[:=]\s*([a-z0-9# -]+)"
)


_TURNED = {"before": "behind", "worn": "above", "holds in": "in", "holds on": "on"}  # relations told from the second thing's side


@dataclass(frozen=True)
class Thing:
    """One thing asked for: the prompt's `words`, the `noun` to look up, its colour word, and the words that were passed over."""

    words: str
    noun: tuple[str, ...]
    hue: str | None = None
    passed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """A prompt taken apart. `relation` as in scene.Scene; `style` is a style the words themselves ask for, or ''."""

    things: tuple[Thing, ...]
    relation: str = ""
    background: str | None = None
    style: str = ""
    notes: tuple[str, ...] = ()


@dataclass
class _Segment:
    """The words between two relations, and the relation word that led to it."""

    led_by: str = ""
    items: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)


def parse(prompt: str, known: Lexicon, emoji: Mapping[str, str]) -> Reading:
    """Takes `prompt` apart. Raises InvalidInput when nothing in it can be drawn."""
    notes: list[str] = []
    text = clean(prompt, emoji)
    if len(text) > READ:
        text = text[:READ].rsplit(" ", 1)[0]
        notes.append(f"Only the first {READ} characters of the prompt were read.")
    background, text = _background(text, notes)
    tokens = [token for token in _TOKEN.findall(text) if token not in ARTICLES]
    style, tokens = _style(tokens, known)
    scenery, tokens = _scenery(tokens)
    found: list[tuple[str, Thing]] = []
    for segment in _segments(tokens, known):
        if segment.led_by == "with" and found and segment.items and segment.items[-1][1][-1] in DETAILS:
            notes.append(f"“{_said(segment)}” was left out: this model draws whole things and keeps their details as they are.")
            continue
        found += [(segment.led_by, thing) for thing in _things(segment, known)]
    if not found:
        raise InvalidInput(_nothing(prompt, text), "prompt")
    if len(found) > THINGS:
        notes.append("A picture here holds up to three things: the others were left out.")
    things, relation = _related(found[:THINGS], notes)
    passed = [word for thing in things for word in thing.passed]
    if passed:
        notes.append(f"“{' '.join(dict.fromkeys(passed))}” was passed over: only things, colours, places and styles are read.")
    return Reading(things, relation, background or scenery, style, tuple(notes))


def clean(prompt: str, emoji: Mapping[str, str]) -> str:
    """Lower-case ASCII of a prompt: emoji become their names between commas, accents go, everything invisible becomes a space."""
    plain = "".join(c for c in prompt[: 8 * READ] if c != "\ufe0f" and not "\U0001f3fb" <= c <= "\U0001f3ff")
    if any(ord(c) > 0x203B for c in plain):
        pattern = "|".join(re.escape(one) for one in sorted(emoji, key=len, reverse=True))
        plain = re.sub(pattern, lambda found: f" , {emoji[found[0]]} , ", plain) if pattern else plain
    plain = unicodedata.normalize("NFKD", plain.replace("’", "'").replace("-", " "))
    kept = (c if c.isprintable() else " " for c in plain if not unicodedata.combining(c))
    return re.sub(r"\s+", " ", "".join(c if ord(c) < 128 else " " for c in kept)).strip().lower()


def _background(text: str, notes: list[str]) -> tuple[str | None, str]:
    """What the prompt says about the background, and the prompt without it."""
    found = _BACKGROUND.search(text)
    if found is None:
        return None, text
    said = " ".join(part for part in found.groups() if part)
    words = [word for word in re.findall(r"#[0-9a-f]{6}|[a-z0-9]+", said) if word not in ARTICLES]
    colour = next((word for word in words if word.startswith("#")), None)
    pairs = [f"{a} {b}" for a, b in itertools.pairwise(words)]
    named = next((word for word in [*pairs, *words] if word in COLOURS), None)
    pattern = next((PATTERN_WORDS[word] for word in words if word in PATTERN_WORDS), None)
    meant = " ".join(part for part in (colour or (COLOURS[named] if named else None), pattern) if part)
    rest = f"{text[: found.start()]} {text[found.end() :]}".strip()
    if not meant and set(words) - FILLER - {"transparent", "blank", "empty", "clear"}:
        notes.append("A background here is a colour or a pattern of stars, dots, stripes, checks, hearts or clouds.")
    return meant or None, rest


def _style(tokens: list[str], known: Lexicon) -> tuple[str, list[str]]:
    """A style asked for in words, unless the words belong to a name ("flat shoe")."""
    for place in range(len(tokens)):
        for length in (2, 1):
            said = " ".join(tokens[place : place + length])
            if said in STYLE_WORDS and not known.names(tuple(tokens[place : place + 2])):
                return STYLE_WORDS[said], tokens[:place] + tokens[place + length :]
    return "", tokens


def _scenery(tokens: list[str]) -> tuple[str | None, list[str]]:
    """A place that is drawn as a background ("in space"), if other words are left."""
    for place in range(len(tokens)):
        for length in (3, 2, 1):
            said = " ".join(tokens[place : place + length])
            if said in SCENERY and len(tokens) > length:
                return SCENERY[said], tokens[:place] + tokens[place + length :]
    return None, tokens


def _segments(tokens: list[str], known: Lexicon) -> list[_Segment]:
    """The tokens between relations. A name of several words is never split, whatever words it holds."""
    segments = [_Segment()]
    place = 0
    while place < len(tokens):
        name = _longest(tokens, place, known.longest, known.names)
        relation = _longest(tokens, place, 4, lambda words: " ".join(words) in RELATION_WORDS)
        colour = _longest(tokens, place, 2, lambda words: " ".join(words) in COLOURS or (words[0][0] == "#" and len(words) == 1))
        length = max(name if name > 1 else 0, relation, colour, 1)
        words = tuple(tokens[place : place + length])
        if name > 1 and name == length:
            segments[-1].items.append(("name", words))
        elif relation == length:
            _lead(segments, " ".join(words))
        elif words[0] == "of":
            _of(segments)
        elif not words[0][0].isalnum() and words[0][0] != "#":
            _lead(segments, "and")
        elif (
            words[0].endswith("ing")
            and not known.names(words)
            and any(kind == "name" or known.names(said) for kind, said in segments[-1].items)
        ):
            _lead(segments, "and")  # "a dog chasing a ball"
        elif colour == length:
            segments[-1].items.append(("colour", words))
        else:
            segments[-1].items.append(("word", words))
        place += length
    return [segment for segment in segments if segment.items]


def _lead(segments: list[_Segment], relation: str) -> None:
    """Begins a new segment, unless the present one has no words yet: then the stronger relation leads it."""
    if segments[-1].items:
        segments.append(_Segment(relation))
    elif len(segments) > 1 and RELATION_WORDS[relation] != "and":
        segments[-1].led_by = relation


def _named(segment: _Segment, known: Lexicon) -> bool:
    return any(kind == "name" or known.names(words) for kind, words in segment.items)


def _of(segments: list[_Segment]) -> None:
    """ "a bowl of cherries" is cherries in a bowl; "a slice of cake" is a cake."""
    if not segments[-1].items:
        return
    last = singular(segments[-1].items[-1][1][-1])
    if last in CONTAINERS:
        segments.append(_Segment(f"of {last}"))
    elif last in MEASURES:
        segments[-1].items.pop()


def _longest(tokens: list[str], place: int, most: int, fits: Callable[[tuple[str, ...]], bool]) -> int:
    """How many tokens from `place` fit together, at most `most`; 0 when none do."""
    for length in range(min(most, len(tokens) - place), 0, -1):
        if fits(tuple(tokens[place : place + length])):
            return length
    return 0


def _things(segment: _Segment, known: Lexicon) -> list[Thing]:
    """The thing a segment names (several equal ones for "two cats"); none when it holds only filler."""
    count = max((COUNTS.get(words[0], 1) for kind, words in segment.items if kind == "word"), default=1)
    items = [(kind, words) for kind, words in segment.items if words[0] not in COUNTS] or segment.items
    head = _head(items, known)
    if head is None:
        return []
    others = [words for place, (_, words) in enumerate(items) if place != head]
    noun = items[head][1]
    hue = next((" ".join(words) for words in others if " ".join(words) in COLOURS or words[0].startswith("#")), None)
    if (
        len(noun) == 1
        and (wider := known.bag(tuple(word for _, words in items for word in words)))
        and singular(noun[0]) in map(singular, wider)
    ):
        noun = wider
        hue = None if hue in wider else hue
    used = {singular(word) for word in noun} | set((hue or "").split())
    passed = tuple(word for words in others for word in words if word not in FILLER and singular(word) not in used)
    said = " ".join(word for _, words in items for word in words if word not in FILLER or word in noun)
    return [Thing(said, noun, hue, passed)] * count


def _head(items: list[tuple[str, tuple[str, ...]]], known: Lexicon) -> int | None:
    """The item that names the thing: the last name, else the last word that means something, else the last unknown word."""

    def rank(place: int) -> int:
        kind, words = items[place]
        if kind == "name":
            return 6
        filler = words[0] in FILLER
        if kind == "colour":
            return 3 if words[0] in THINGS_TOO else 0
        if known.names(words):
            return 2 if filler else 5
        if filler or not words[0][0].isalpha():
            return 0
        return 4 if known.knows(words[0]) else 1

    ranks = [rank(place) for place in range(len(items))]
    best = max(ranks, default=0)
    return None if best == 0 else len(ranks) - 1 - ranks[::-1].index(best)


def _related(found: list[tuple[str, Thing]], notes: list[str]) -> tuple[tuple[Thing, ...], str]:
    """The things in the order of the relation between them."""
    things = [thing for _, thing in found]
    if len(things) == 1:
        return tuple(things), ""
    relations = [_relation(led_by, thing) for led_by, thing in found[1:]]
    if len(things) == 2 and relations[0] in _TURNED:
        return (things[1], things[0]), _TURNED[relations[0]]
    if len(set(relations)) > 1 or relations[0] in _TURNED:
        if set(relations) != {"and"}:
            notes.append("Three things are drawn side by side.")
        return tuple(things), "and"
    return tuple(things), relations[0]


def _relation(led_by: str, thing: Thing) -> str:
    if led_by.startswith("of "):
        return f"holds {CONTAINERS[led_by.removeprefix('of ')]}"
    worn = singular(thing.noun[-1]) in HEADWEAR
    if led_by in ("with", "wearing", "wears"):
        return "worn" if worn else "and"
    return RELATION_WORDS.get(led_by, "and")


def _said(segment: _Segment) -> str:
    return " ".join(word for _, words in segment.items for word in words)


def _nothing(prompt: str, text: str) -> str:
    """Why nothing can be drawn, and what to do."""
    if any(c.isalpha() for c in prompt) and not re.search("[a-z]", text):
        return "Atelier Icons reads English words and emoji: write, for example, “a red apple” or “an owl on a tree”."
    return "Say what to draw, for example “a red apple” or “an owl on a tree”."
