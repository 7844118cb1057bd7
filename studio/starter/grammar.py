"""Takes a prompt apart: which things, in which colours, how they stand to one another, on which background.

It knows what is a name (from the lexicon) and a little English (from vocabulary.py); it chooses no icons.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from studio.errors import InvalidInput
from studio.starter.ground import ground
from studio.starter.lexicon import Lexicon, singular
from studio.starter.phrases import Phrase, Rank, Thing, phrases, things
from studio.starter.vocabulary import (
    ARTICLES,
    CONTAINERS,
    DETAILS,
    HEADWEAR,
    RELATION_WORDS,
    SCENERY,
    STYLE_WORDS,
)

READ = 600  # characters of a prompt that are read
THINGS = 3  # things in one picture
_TOKEN = re.compile(r"#[0-9a-f]{6}\b|[a-z0-9][a-z0-9'.]*|[,;&+/|:]")
_TURNED = {"before": "behind", "worn": "above", "holds in": "in", "holds on": "on"}  # relations told from the second thing's side


@dataclass(frozen=True)
class Reading:
    """A prompt taken apart. `relation` as in scene.Scene; `style` is a style the words themselves ask for, or ''."""

    things: tuple[Thing, ...]
    relation: str = ""
    background: str | None = None
    style: str = ""
    notes: tuple[str, ...] = ()


def parse(prompt: str, known: Lexicon, emoji: Mapping[str, str]) -> Reading:
    """Takes `prompt` apart. Raises InvalidInput when nothing in it can be drawn."""
    notes: list[str] = []
    text = clean(prompt, emoji)
    if len(text) > READ:
        text = text[:READ].rsplit(" ", 1)[0]
        notes.append(f"Only the first {READ} characters of the prompt were read.")
    stands = ground(text)
    if not stands.understood:
        notes.append("A background here is a colour or a pattern of stars, dots, stripes, checks, hearts or clouds.")
    tokens = [token for token in _TOKEN.findall(stands.rest) if token not in ARTICLES]
    style, tokens = _style(tokens, known)
    scenery, tokens = _scenery(tokens)
    cut = _without_details(phrases(tokens, known), notes)
    found = _things(cut, known, Rank.UNKNOWN) or _things(cut, known, Rank.FILLER)
    if not found:
        raise InvalidInput(_nothing(prompt, stands.rest), "prompt")
    if len(found) > THINGS:
        notes.append("A picture here holds up to three things: the others were left out.")
    ordered, relation = _related(found[:THINGS], notes)
    passed = [word for thing in ordered for word in thing.passed]
    if passed:
        notes.append(f"“{' '.join(dict.fromkeys(passed))}” was passed over: only things, colours, places and styles are read.")
    return Reading(ordered, relation, stands.meant or scenery, style, tuple(notes))


def clean(prompt: str, emoji: Mapping[str, str]) -> str:
    """Lower-case ASCII of a prompt: emoji become their names between commas, accents go, everything invisible becomes a space."""
    plain = "".join(c for c in prompt[: 8 * READ] if c != "\ufe0f" and not "\U0001f3fb" <= c <= "\U0001f3ff")
    if any(ord(c) > 0x203B for c in plain):
        pattern = "|".join(re.escape(one) for one in sorted(emoji, key=len, reverse=True))
        plain = re.sub(pattern, lambda found: f" , {emoji[found[0]]} , ", plain) if pattern else plain
    plain = unicodedata.normalize("NFKD", plain.replace("’", "'").replace("-", " "))
    kept = (c if c.isprintable() else " " for c in plain if not unicodedata.combining(c))
    return re.sub(r"\s+", " ", "".join(c if ord(c) < 128 else " " for c in kept)).strip().lower()


def _style(tokens: list[str], known: Lexicon) -> tuple[str, list[str]]:
    """A style asked for in words, unless the words belong to a name ("flat shoe")."""
    for place in range(len(tokens)):
        for length in (2, 1):
            said = " ".join(tokens[place : place + length])
            if said in STYLE_WORDS and not known.names(tuple(tokens[place : place + 2])):
                return STYLE_WORDS[said], tokens[:place] + tokens[place + length :]
    return "", tokens


def _scenery(tokens: list[str]) -> tuple[str | None, list[str]]:
    """A place that is drawn as a background ("in space"), if other words are left; of several the last, and the words without any."""
    for place in range(len(tokens)):
        for length in (3, 2, 1):
            said = " ".join(tokens[place : place + length])
            if said in SCENERY and len(tokens) > length:
                further, rest = _scenery(tokens[:place] + tokens[place + length :])
                return further or SCENERY[said], rest
    return None, tokens


def _without_details(cut: list[Phrase], notes: list[str]) -> list[Phrase]:
    """The phrases without parts of things: "a cat with blue eyes" is a cat."""
    kept: list[Phrase] = []
    for phrase in cut:
        if kept and phrase.led_by == "with" and phrase.items[-1][1][-1] in DETAILS:
            notes.append(f"“{phrase.said}” was left out: this model draws whole things and keeps their details as they are.")
        else:
            kept.append(phrase)
    return kept


def _things(cut: list[Phrase], known: Lexicon, least: Rank) -> list[tuple[str, Thing]]:
    """All things with the relations that lead to them; after a comma only what is surely one ("a cat, golden hour, 8k" is a cat)."""
    found: list[tuple[str, Thing]] = []
    for phrase in cut:
        strict = phrase.led_by == "," and found
        found += [(phrase.led_by, thing) for thing in things(phrase, known, Rank.NAMED if strict else least)]
    return found


def _related(found: list[tuple[str, Thing]], notes: list[str]) -> tuple[tuple[Thing, ...], str]:
    """The things in the order of the relation between them."""
    asked = tuple(thing for _, thing in found)
    if len(asked) == 1:
        return asked, ""
    relations = [_relation(led_by, thing) for led_by, thing in found[1:]]
    if len(asked) == 2 and relations[0] in _TURNED:
        return (asked[1], asked[0]), _TURNED[relations[0]]
    if len(set(relations)) > 1 or relations[0] in _TURNED:
        if set(relations) != {"and"}:
            notes.append("Three things are drawn side by side.")
        return asked, "and"
    return asked, relations[0]


def _relation(led_by: str, thing: Thing) -> str:
    if led_by.startswith("of "):
        return f"holds {CONTAINERS[led_by.removeprefix('of ')]}"
    worn = singular(thing.noun[-1]) in HEADWEAR
    if led_by in ("with", "wearing", "wears"):
        return "worn" if worn else "and"
    return RELATION_WORDS.get(led_by, "and")


def _nothing(prompt: str, text: str) -> str:
    """Why nothing can be drawn, and what to do."""
    if any(c.isalpha() for c in prompt) and not re.search("[a-z]", text):
        return "Atelier Icons reads English words and emoji: write, for example, “a red apple” or “an owl on a tree”."
    return "Say what to draw, for example “a red apple” or “an owl on a tree”."
