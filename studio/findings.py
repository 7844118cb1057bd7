"""What is found out about where a file comes from, as the page shows it: findings, a verdict, and settings cut to a length.

Serves `origin` and `origin_texts`; knows no file and no page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

NAME_LIMIT = 100
"""Characters of a name that a file tells."""
VALUE_LIMIT = 300
"""Characters of a setting's value, and of a line of what could not be read."""
SHOWN = 60
"""Settings."""
LINES = 64
"""Lines of what could not be read; of one program foreign/sheet.py names 60 and counts the rest."""
Sure = Literal["proof", "claim", "nothing", "warning"]


@dataclass(frozen=True)
class Finding:
    """What one layer says. proof: nobody else could have put it there. claim: anybody could. warning: it is there and broken."""

    layer: str
    sure: Sure
    words: str


@dataclass(frozen=True)
class Origin:
    """All findings, one sentence that sums them up, the creation in the library that this is or was (its id or ''), and settings.

    `settings` are those that the file carries, ours or another program's, as (name, value); `left_out` what could not be read of them.
    """

    verdict: str
    findings: tuple[Finding, ...]
    creation: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()


def shown(settings: Iterable[tuple[str, object]]) -> tuple[tuple[str, str], ...]:
    """The first that say something, each cut to a length."""
    told = [(name, value) for name, value in settings if value not in (None, "", [], 0, False)]
    rows = [(cut(name.replace("_", " ").capitalize(), NAME_LIMIT), cut(str(value), VALUE_LIMIT)) for name, value in told[:SHOWN]]
    return (*rows, *((("Not shown", f"and {len(told) - SHOWN:,} more"),) if len(told) > SHOWN else ()))


def lines(left_out: Sequence[str]) -> tuple[str, ...]:
    """What could not be read, each cut to a length; of many the first."""
    more = (f"and {len(left_out) - LINES:,} more",) if len(left_out) > LINES else ()
    return (*(cut(line, VALUE_LIMIT) for line in left_out[:LINES]), *more)


def cut(text: str, most: int) -> str:
    """The text, or its beginning. Half a surrogate pair, which no page can send, becomes a question mark."""
    text = text[: most + 1].encode("utf-8", "replace").decode()
    return text if len(text) <= most else text[: most - 1] + "…"
