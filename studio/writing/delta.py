"""What changed from one version of a text to the next: how much of its beginning and end was kept, and what stands between.

Characters and spans together: a character whose origin changed counts as changed. Knows no document and no table.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from studio.writing.spans import Span, common, covering, cut, replaced


@dataclass(frozen=True)
class Delta:
    """The first `before` and the last `after` characters are kept; `text` with its `spans` stands between them."""

    before: int
    after: int
    text: str
    spans: tuple[Span, ...]


def delta(old: str, old_spans: Sequence[Span], new: str, new_spans: Sequence[Span]) -> Delta:
    """What leads from old to new; `spans` cover their texts and are merged."""
    room = min(len(old), len(new))
    before = min(common(old, new), _alike(old_spans, new_spans))
    after = min(room - before, common(old, new, back=True), _alike(old_spans[::-1], new_spans[::-1]))
    end = len(new) - after
    return Delta(before, after, new[before:end], cut(new_spans, before, end))


def whole(text: str, spans: Sequence[Span]) -> Delta:
    """The version as it is: it leads there from any text."""
    return Delta(0, 0, text, tuple(spans))


def applied(text: str, spans: Sequence[Span], change: Delta) -> tuple[str, tuple[Span, ...]]:
    """The version that `change` leads to. Raises ValueError if it does not fit this text."""
    end = len(text) - change.after
    if not 0 <= change.before <= end <= len(text) or sum(span.length for span in change.spans) != len(change.text):
        raise ValueError("a change does not fit the version before it")
    return text[: change.before] + change.text + text[end:], replaced(spans, change.before, end, change.spans)


def spans_to_text(spans: Sequence[Span]) -> str:
    """JSON to keep."""
    return json.dumps([[span.length, span.origin, span.creation] for span in spans], separators=(",", ":"))


def spans_from_text(kept: str, text: str) -> tuple[Span, ...]:
    """The spans of `text` from what was kept. Raises ValueError if they are none, InvalidInput if they do not fit."""
    return covering(text, [Span(length, origin, creation) for length, origin, creation in json.loads(kept)])


def _alike(one: Sequence[Span], other: Sequence[Span]) -> int:
    """How many characters from the first on have the same origin and creation."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if (a.origin, a.creation) != (b.origin, b.creation):
            break
        count += min(a.length, b.length)
        if a.length != b.length:
            break
    return count
