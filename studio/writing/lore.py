"""Cards about a world or a brand: what the writer reads of them when the text comes to speak of them.

A card applies where one of its keys stands in what was written last, every one of its further conditions does too, and none of those
that keep it out. Nothing happens silently: each card that is left out says why. Text in cards is taken as it stands, no macros.
Knows no page, no model and no file.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from studio.errors import InvalidInput
from studio.writing import lore_keys

CARDS_LIMIT = 500
TITLE_LIMIT, TEXT_LIMIT, KEY_LIMIT, KEYS_LIMIT = 200, 8_000, 200, 50
"""Characters of a title, of a text and of a key; keys of one card."""
DEPTH, DEEPEST = 4_000, 16_384
"""Characters of the document's end in which keys are looked for: usual, most."""
LEVELS = 2
"""How often cards may call cards, at most."""
SECONDS = 0.5
"""For looking for the keys of all cards together."""
TOTAL = 50_000
"""Characters of all cards together that a writer is given at most."""


@dataclass(frozen=True)
class Card:
    """`keys`: one of them must stand in the text (patterns if `regex`); `all_of`: all of these, too ("castle | palace": either);
    `none_of`: none of these. `always` needs no key. A higher `priority` is served first where the budget is short."""

    title: str
    text: str
    keys: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    regex: bool = False
    always: bool = False
    priority: int = 0
    enabled: bool = True


@dataclass(frozen=True)
class Fired:
    """A card that applies; `why` is a sentence, `tokens` are those of its words in the prompt."""

    card: Card
    why: str
    tokens: int


@dataclass(frozen=True)
class Skipped:
    """A card that does not apply, or found no room."""

    card: Card
    why: str


def fire(
    cards: Sequence[Card],
    document: str,
    beside: Sequence[str],
    count: Callable[[str], int],
    budget: int,
    depth: int = DEPTH,
    levels: int = 0,
) -> tuple[tuple[Fired, ...], tuple[Skipped, ...]]:
    """Which cards apply, in the order of `cards`, and why each other does not.

    Keys are looked for in the last `depth` characters of `document` and in the texts `beside` it (the instruction, the author's note);
    with `levels`, also in the texts of cards that apply, so often. `count` gives the tokens of a text, `budget` those of all cards.
    """
    cards = tuple(cards)[:CARDS_LIMIT]
    depth, until = max(0, min(depth, DEEPEST)), time.monotonic() + SECONDS
    text = "\n".join([*beside, document[-depth:] if depth else ""])
    why: dict[int, str] = {}
    not_yet = dict(enumerate(cards))
    skipped = {place: reason for place, card in not_yet.items() if (reason := _unusable(card))}
    searched = _Searched(text, "", until)
    for _ in range(1 + max(0, min(levels, LEVELS))):
        new: dict[int, str] = {}
        for place, card in not_yet.items():
            if place not in why and not _unusable(card):
                applies, said = _applies(card, searched)
                (new if applies else skipped)[place] = said
        why |= new
        if not new:
            break
        searched = _Searched(text, "\n".join(cards[place].text for place in why), until)
    order = sorted(why, key=lambda place: (not cards[place].always, -cards[place].priority, place))
    fired = _within(cards, order, why, skipped, count, budget)
    return (
        tuple(fired[place] for place in sorted(fired)),
        tuple(Skipped(cards[place], skipped[place]) for place in sorted(skipped) if place not in fired),
    )


def text(fired: Sequence[Fired]) -> str:
    """What the writer reads, for `Write.cards`: an empty line between two cards, none inside one."""
    return "\n\n".join(_block(one.card) for one in fired)


class _Searched:
    """The text that was written, and those of the cards that applied so far; searched until a moment (time.monotonic)."""

    def __init__(self, text: str, called: str, until: float) -> None:
        self._places = ((text, lore_keys.Text(text), "in the text"), (called, lore_keys.Text(called), "in another card"))
        self._until = until

    def stands(self, key: str) -> str:
        """'' or where the key stands; "castle | palace" is either."""
        self._in_time()
        for one in map(lore_keys.folded, key.split("|")):
            for _, text, place in self._places:
                if text.holds(one):
                    return place
        return ""

    def matches(self, pattern: str) -> str:
        """'' or what the pattern finds, and where."""
        for text, _, place in self._places:
            self._in_time()
            if text and (match := lore_keys.found(pattern, text)):
                return f"“{' '.join(match.split())[:60]}” is {place}."
        return ""

    def _in_time(self) -> None:
        if time.monotonic() > self._until:
            raise InvalidInput("looking for the keys of the cards before it took too long: make their patterns simpler")


def _applies(card: Card, searched: _Searched) -> tuple[bool, str]:
    try:
        if not (called := _called(card, searched)):
            return False, "Its pattern finds nothing in the text." if card.regex else "None of its keys is in the text."
        if missing := next((key for key in card.all_of if not searched.stands(key)), ""):
            return False, f"“{missing}” is not in the text, which it needs as well."
        if bad := next((key for key in card.none_of if searched.stands(key)), ""):
            return False, f"“{bad}” is {searched.stands(bad)}, which keeps it out."
    except InvalidInput as error:
        return False, f"Left out: {error}."
    return True, called


def _called(card: Card, searched: _Searched) -> str:
    """A sentence that says what calls the card, or ''."""
    if card.always:
        return "It is always read."
    if card.regex:
        return next(filter(None, map(searched.matches, card.keys)), "")
    return next((f"“{key}” is {place}." for key in card.keys if (place := searched.stands(key))), "")


def _unusable(card: Card) -> str:
    if not card.enabled:
        return "It is switched off."
    if not card.text.strip():
        return "It has no text."
    return "" if card.always or card.keys else "It has no keys: give it one, or let it be read always."


def _within(
    cards: Sequence[Card], order: Sequence[int], why: dict[int, str], skipped: dict[int, str], count: Callable[[str], int], budget: int
) -> dict[int, Fired]:
    """The cards that fit into the budget, first come first served; a smaller one may still fit after one that did not."""
    fired: dict[int, Fired] = {}
    left, room = budget, TOTAL
    for place in order:
        block = _block(cards[place])
        tokens = count(f"{block}\n\n") if len(block) < room else left + 1
        if tokens > left:
            skipped[place] = f"{why[place]} But there is no room: it has {tokens:,} tokens, and {left:,} of {budget:,} for cards are left."
            if len(block) >= room:
                skipped[place] = f"{why[place]} But there is no room: all cards together may have {TOTAL:,} characters."
            continue
        left, room = left - tokens, room - len(block)
        fired[place] = Fired(cards[place], why[place], tokens)
    return fired


def _block(card: Card) -> str:
    body = re.sub(r"\n\s*\n", "\n", card.text.strip())
    return f"{card.title.strip()}: {body}" if card.title.strip() else body
