"""Was this text marked here? It is looked at in the tokens of every writer on this machine that marks its words; the surest answer counts.

No model is loaded, only how it makes tokens of words. Knows the detector of `textmark`, and no page and no library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from studio.errors import StudioError
from studio.models import ModelCard
from studio.writing import marking
from studio.writing.context import Words
from studio.writing.textmark import Finding, Verdict, detect

LONGEST = 300_000
"""Characters that are looked at, from the beginning; it takes about a second a model."""
EXCERPT = 60
"""Characters of the place where a mark shows best."""
RANK: tuple[Verdict, ...] = ("short", "predictable", "none", "likely", "certain")
NO_WRITER = (
    "This text cannot be checked here: it is read as the model read it that may have written it, and no writer that marks its words is on "
    "this machine. Download a larger writer under Model, and look again."
)


@dataclass(frozen=True)
class Search:
    """`words`: what was found, in sentences for the page, the first one by itself enough. `finding` is None where nobody could look."""

    words: tuple[str, ...]
    finding: Finding | None = None
    writer: str = ""


def search(text: str, cards: Iterable[ModelCard], words: Callable[[ModelCard], tuple[Words, int]], secret: bytes) -> Search:
    """Look for the mark of `secret` in a text as each card's tokenizer, which `words` gives, reads it."""
    given = text.strip()[:LONGEST]
    cards = [card for card in cards if card.engine == marking.ENGINE]
    best: tuple[ModelCard, Words, list[int], Finding] | None = None
    for card in cards:
        try:
            own = words(card)[0]
        except StudioError:  # a damaged tokenizer keeps no other from looking
            continue
        tokens = own.tokens(given)
        found = detect(tokens, secret, looks=len(cards))
        if best is None or _order(found) > _order(best[3]):
            best = card, own, tokens, found
    if best is None:
        return Search((NO_WRITER,))
    card, own, tokens, found = best
    return Search((found.words, *_told(card.name, own, tokens, found, len(text.strip()))), found, card.name)


def _order(found: Finding) -> tuple[int, float]:
    return RANK.index(found.verdict), -found.p_value


def _told(name: str, own: Words, tokens: list[int], found: Finding, characters: int) -> list[str]:
    said: list[str] = []
    if found.verdict in ("certain", "likely", "none"):
        odds = f"{min(1 / max(found.p_value, 1e-12), 1e12):,.0f}"
        chance = "as most texts without a mark do" if found.p_value > 0.5 else f"as about one in {odds} texts without a mark does"
        said.append(f"Read as {name} reads it, {found.tokens:,} tokens; score {found.score:.1f}, {chance}.")
    if found.verdict in ("certain", "likely") and found.end - found.start < 0.8 * found.tokens:
        place = " ".join(own.text(tokens[found.start : found.end])[:EXCERPT].split())
        said.append(f"It shows best from “{place}…” on; the rest may be somebody else's.")
    if characters > LONGEST:
        said.append(f"Only the first {LONGEST:,} of {characters:,} characters were looked at.")
    return said
