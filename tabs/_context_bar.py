"""What a writer reads, as HTML: the bar of tokens with its legend, what was left out and why, and which cards apply. All escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from studio.writing.context import Assembled, Part
from studio.writing.lore import Fired, Skipped

TITLES = {
    "system": ("S", "System prompt"),
    "instruction": ("I", "Instruction"),
    "notes": ("N", "Notes"),
    "cards": ("C", "Cards"),
    "passages": ("P", "Passages"),
    "document": ("D", "Document"),
    "author_note": ("A", "Author's note"),
    "turns": ("T", "Earlier messages"),
    "answer": ("W", "Answer"),
    "free": ("–", "Free"),
}
"""A letter and a name for each source, in the order of the bar."""
SHOWN = 40
"""Cards that are listed by name; more are counted."""


def bar(found: Assembled, name: str) -> str:
    """One bar over all that the model `name` holds."""
    parts = [part for part in found.parts if part.tokens or part.why]
    holds = sum(part.tokens for part in found.parts)
    read = len(found.tokens)
    said = f"{name} reads {read:,} of the {holds:,} tokens that it holds; {found.room:,} are kept for the answer."
    pieces = "".join(_piece(part, holds) for part in parts if part.tokens)
    legend = "".join(_entry(part) for part in parts)
    why = "".join(f"<li>{escape(part.why).replace(' %', '&nbsp;%')}</li>" for part in parts if part.why)
    why = f'<ul class="why" aria-label="Left out">{why}</ul>' if why else ""
    return (
        f'<div class="tokens" role="group" aria-label="What the model reads"><p class="said">{escape(said)}</p>'
        f'<div class="bar" aria-hidden="true">{pieces}</div><ul class="legend" aria-label="Tokens by source">{legend}</ul>{why}</div>'
    )


def cards(fired: Sequence[Fired], skipped: Sequence[Skipped]) -> str:
    """Which cards apply and why, and why each other does not, folded."""
    if not fired and not skipped:
        return ""
    tokens = sum(one.tokens for one in fired)
    lead = f"{_count(len(fired), 'card applies', 'cards apply')}, {tokens:,} tokens." if fired else "No card applies."
    yes = _listed([f"{_name(one.card.title)}: {one.why} {one.tokens:,} tokens." for one in fired])
    no = _listed([f"{_name(one.card.title)}: {one.why}" for one in skipped])
    folded = f"<details><summary>{_count(len(skipped), 'card is', 'cards are')} left out</summary>{no}</details>" if skipped else ""
    return f"<p>{escape(lead)}</p>{yes}{folded}"


def _piece(part: Part, holds: int) -> str:
    letter, _ = TITLES[part.source]
    share = part.tokens / holds
    return f'<span class="{part.source}" style="flex-grow:{share:.5f}">{letter if share > 0.03 else ""}</span>'


def _entry(part: Part) -> str:
    letter, title = TITLES[part.source]
    return f'<li><i class="{part.source}" aria-hidden="true">{letter}</i>{title} <b>{part.tokens:,}</b></li>'


def _listed(lines: Sequence[str]) -> str:
    more = [f"And {len(lines) - SHOWN:,} more."] if len(lines) > SHOWN else []
    return f'<ul class="applies">{"".join(f"<li>{escape(line)}</li>" for line in (*lines[:SHOWN], *more))}</ul>' if lines else ""


def _name(title: str) -> str:
    return title or "A card without a title"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
