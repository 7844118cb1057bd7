"""What the licence of weights restricts, in one sentence, and which licences a home has accepted: once each, before the first download.

Licences that only ask for their own text to be passed on (Apache-2.0, MIT, BSD, CC0, CC-BY) are used without asking. In a public studio
it is the operator who chose the models and accepts for it. Knows model cards; knows no page.

Sources: the CreativeML Open RAIL-M and Open RAIL++-M licences (attachment A), Creative Commons BY-NC 4.0 (section 1 and 2), the FLUX.1
[dev] Non-Commercial License, the Stability AI Community License, the Llama 3.2 Community License and the Gemma Terms of Use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from studio.errors import Refused
from studio.index import moment
from studio.models import Address, Hub, ModelCard, Package
from studio.owned import Owned

Kind = Literal["open", "use-based", "community", "non-commercial", "unknown"]
KINDS: Mapping[Kind, str] = {
    "open": "open",
    "use-based": "open with forbidden uses",
    "community": "conditions of its maker",
    "non-commercial": "not for commercial use",
    "unknown": "unknown",
}
"""Classes of licences, in the words of the page."""
ASKED: tuple[Kind, ...] = ("use-based", "community", "non-commercial")
"""Classes that are accepted before the first use."""
_SAME: Mapping[str, str] = {"stabilityai-ai-community": "Stability AI Community License"}
"""What repositories call a licence that has a name of its own, in lower case: one acceptance is for both."""
_OPEN = re.compile(r"^(apache|mit\b|bsd|cc0|cc-by-(sa-)?\d|isc|unlicense|public domain)", re.IGNORECASE)
_RESTRICTS: Mapping[Kind, str] = {
    "use-based": "its list of forbidden uses (such as deceiving or harming people) binds you and all to whom you pass the model on",
    "community": "commercial use has conditions of its maker, such as a limit of revenue or of users, and some uses are forbidden",
    "non-commercial": "the model may not be used commercially, unless its maker gives you another licence",
}


@dataclass(frozen=True)
class Terms:
    """A licence: its name, its class, and what it restricts as the end of a sentence ('' for nothing that has to be accepted)."""

    name: str
    kind: Kind
    restricts: str

    @property
    def asks(self) -> bool:
        """Whether it is accepted before the first use."""
        return self.kind in ASKED

    @property
    def words(self) -> str:
        """One sentence."""
        return f"{self.name}: {self.restricts}."


@dataclass(frozen=True)
class Acceptance:
    """Who accepted a licence here, and when (UTC in ISO 8601)."""

    licence: str
    who: str
    when: str


def terms(card: ModelCard) -> Terms:
    """What the licence of a card restricts."""
    name = _named(card.licence) if card.licence != "unknown" else "The terms of its maker" if card.commercial is False else "unknown"
    kind = _kind(card)
    return Terms(name, kind, _RESTRICTS.get(kind, ""))


def listed(cards: Iterable[ModelCard]) -> dict[str, tuple[Terms, tuple[str, ...]]]:
    """The licences that ask, each with the names of its models, by name."""
    found: dict[str, tuple[Terms, tuple[str, ...]]] = {}
    for card in cards:
        known = terms(card)
        if known.asks and _comes(card):
            found[known.name] = (known, (*found.get(known.name, (known, ()))[1], card.name))
    return dict(sorted(found.items(), key=lambda one: one[0].casefold()))


class Licences:
    """The licences that a home has accepted. Thread-safe; several processes may share the home."""

    def __init__(self, home: Path, public: bool) -> None:
        """`public` says that the operator accepts by choosing the models, so that nobody is asked."""
        self._kept = Owned(home / "licences", ".json", _read, _write)
        self._public = public

    def lacks(self, card: ModelCard) -> Terms | None:
        """The terms that are to be accepted before this card's weights are fetched or used; None where nothing is."""
        known = terms(card)
        if self._public or not known.asks or not _comes(card) or known.name in self._kept.of(_HOME):
            return None
        return known

    def require(self, card: ModelCard) -> None:
        """Raise Refused where the card's licence is to be accepted first."""
        if (lacking := self.lacks(card)) is not None:
            raise Refused(f"Accept the licence of {card.name} first, under its name or in Models under Licences. {lacking.words}")

    def accept(self, licence: str, who: str = "local") -> None:
        """Write down that a person has accepted; the first time stays."""
        with self._kept.changing(_HOME, "") as (things, _):
            things.setdefault(_named(licence), Acceptance(_named(licence), who, moment()))

    def accepted(self) -> dict[str, Acceptance]:
        """What was accepted here, by the licence's name."""
        return self._kept.of(_HOME)


_HOME = "home"


def _named(licence: str) -> str:
    return _SAME.get(licence.casefold(), licence)


def _kind(card: ModelCard) -> Kind:
    name = card.licence.casefold()
    if card.commercial is False or "non-commercial" in name or "-nc" in name:
        return "non-commercial"
    if "community" in name or "gemma" in name or "llama" in name:
        return "community"
    if "rail" in name or "stable diffusion under its terms" in name:
        return "use-based"
    return "open" if _OPEN.match(name) else "unknown"


def _comes(card: ModelCard) -> bool:
    """Whether the weights come from somebody else: what ships with the studio, or lies in a person's own folder, was chosen before."""
    return not card.starter and isinstance(card.source, Hub | Package | Address)


def _read(text: str) -> dict[str, Acceptance] | None:
    found = json.loads(text)
    if not isinstance(found, list):
        return None
    rows = [cast("dict[str, object]", row) for row in cast("list[object]", found) if isinstance(row, dict)]
    kept = [Acceptance(*(str(row.get(name, "")) for name in ("licence", "who", "when"))) for row in rows]
    named = [replace(one, licence=_named(one.licence)) for one in kept if one.licence]
    return {one.licence: one for one in sorted(named, key=lambda one: one.when, reverse=True)}


def _write(things: Iterable[Acceptance]) -> str:
    return json.dumps([{"licence": one.licence, "who": one.who, "when": one.when} for one in things], ensure_ascii=False, indent=1)
