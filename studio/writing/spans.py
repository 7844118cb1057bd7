"""Who wrote which characters of a text: spans that cover it exactly, and what a change does to them.

What a person types is "human", what a model wrote "machine"; where a person changes words inside a passage of a model, what is left of it
in that sentence is "edited". Knows no document, no page and no model. Lengths and positions are code points.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from operator import attrgetter
from typing import Literal, get_args

from studio.errors import InvalidInput

TEXT_LIMIT = 1_000_000
SPANS_LIMIT = 20_000
SENTENCE_LIMIT = 2_000
"""Characters on each side of a change in which its sentence is looked for."""

Origin = Literal["human", "machine", "edited"]
ORIGINS: tuple[Origin, ...] = get_args(Origin)


@dataclass(frozen=True)
class Span:
    """So many characters of one origin; `creation` is the id of what the model wrote there, or ''."""

    length: int
    origin: Origin
    creation: str = ""


@dataclass(frozen=True)
class Splice:
    """`text` takes the place of text[start:end]."""

    start: int
    end: int
    text: str
    origin: Origin = "human"
    creation: str = ""


def spliced(text: str, spans: Sequence[Span], splice: Splice) -> tuple[str, tuple[Span, ...]]:
    """The text and its spans after the change; `spans` cover it and are merged.

    What a person's change leaves as it was keeps its origin, so only the differing middle of it counts as typed. A change at the edge of
    a model's passage leaves the passage as it is. Raises InvalidInput for places outside, bad characters, or a text that grows too long.
    """
    checked(splice.text)
    if splice.origin not in ORIGINS or not _CREATION.fullmatch(splice.creation):
        raise InvalidInput("This change does not say who wrote it: reload the page and try again.")
    if not 0 <= splice.start <= splice.end <= len(text):
        raise InvalidInput("This change is outside the document: reload the page and try again.")
    if len(text) + len(splice.text) - (splice.end - splice.start) > TEXT_LIMIT:
        raise InvalidInput(TOO_LONG)
    if splice.origin == "human":
        splice = _trimmed(text, splice)
        if not splice.text and splice.start == splice.end:
            return text, tuple(spans)
        spans = _edited(text, spans, splice)
    new = Span(len(splice.text), splice.origin, "" if splice.origin == "human" else splice.creation)
    found = replaced(spans, splice.start, splice.end, [new])
    if len(found) > SPANS_LIMIT:
        raise InvalidInput("This document has more passages by turns of you and a model than it can keep apart: start a second document.")
    return text[: splice.start] + splice.text + text[splice.end :], found


def shares(spans: Iterable[Span]) -> Mapping[Origin, float]:
    """The share of each origin by characters, in sum 1; all 0 for an empty text."""
    counted: dict[Origin, int] = dict.fromkeys(ORIGINS, 0)
    for span in spans:
        counted[span.origin] += span.length
    total = sum(counted.values())
    return {origin: count / total if total else 0.0 for origin, count in counted.items()}


def covering(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    """`spans` as they are kept: neighbours that are alike joined; a person's where there are none. InvalidInput if they do not fit."""
    found = merged(spans or (Span(len(text), "human"),))
    sound = all(span.length >= 0 and span.origin in ORIGINS and _CREATION.fullmatch(span.creation) for span in spans)
    if not sound or sum(span.length for span in found) != len(text) or len(found) > SPANS_LIMIT:
        raise InvalidInput("The marks of who wrote what do not fit this text: open it without them.")
    return found


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Without empty ones, neighbours that are alike joined."""
    found: list[Span] = []
    for span in spans:
        if not span.length:
            continue
        if found and (found[-1].origin, found[-1].creation) == (span.origin, span.creation):
            found[-1] = replace(span, length=found[-1].length + span.length)
        else:
            found.append(span)
    return tuple(found)


def replaced(spans: Sequence[Span], start: int, end: int, new: Iterable[Span]) -> tuple[Span, ...]:
    """Merged spans with others in place of those of text[start:end]."""
    before, after = cut(spans, 0, start), cut(spans, end, sum(map(_LENGTH, spans)))
    return (*before[:-1], *merged((*before[-1:], *new, *after[:1])), *after[1:])


def cut(spans: Sequence[Span], start: int, end: int) -> tuple[Span, ...]:
    """The spans of text[start:end]."""
    if start >= end:
        return ()
    ends = list(accumulate(map(_LENGTH, spans)))
    first, last = bisect_right(ends, start), bisect_left(ends, end)
    found = list(spans[first : last + 1])
    if last < len(spans) and ends[last] > end:
        found[-1] = replace(found[-1], length=found[-1].length - (ends[last] - end))
    if found and (skipped := start - (ends[first] - spans[first].length)):
        found[0] = replace(found[0], length=found[0].length - skipped)
    return tuple(found)


def checked(text: str, what: str = "The text") -> str:
    """`text`, if a document can hold it: at most a million characters, no broken and no control ones."""
    if len(text) > TEXT_LIMIT:
        raise InvalidInput(TOO_LONG)
    if found := _UNFIT.search(text):
        broken = "\ud800" <= found[0] <= "\udfff"
        raise InvalidInput(
            f"{what} holds a broken character (half of an emoji); delete it and type it again."
            if broken
            else f"{what} holds an invisible control character; paste it as plain text."
        )
    return text


def common(one: str, other: str, back: bool = False) -> int:
    """How many characters two texts have in common at their beginning, or their end if `back`; halves what is compared, so it is quick."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if back:
            same = one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]
        else:
            same = one[low:middle] == other[low:middle]
        low, high = (middle, high) if same else (low, middle - 1)
    return low


TOO_LONG = f"A document holds at most {TEXT_LIMIT:,} characters: put the rest into a second one."


def _trimmed(text: str, splice: Splice) -> Splice:
    """Without what stays as it was at both ends."""
    old, new = text[splice.start : splice.end], splice.text
    before = common(old, new)
    after = common(old[before:], new[before:], back=True)
    return replace(splice, start=splice.start + before, end=splice.end - after, text=new[before : len(new) - after])


def _edited(text: str, spans: Sequence[Span], splice: Splice) -> Sequence[Span]:
    """The spans of the old text once a person has changed it there."""
    ends = list(accumulate(map(_LENGTH, spans)))
    number = bisect_left(ends, splice.end + 1)
    if number == len(spans) or spans[number].origin != "machine" or splice.start <= ends[number] - spans[number].length:
        return spans
    span, place = spans[number], ends[number] - spans[number].length
    low, high = _sentence(text, splice.start, splice.end)
    low, high = max(low, place) - place, min(high, ends[number]) - place
    parts = (Span(low, "machine"), Span(high - low, "edited"), Span(span.length - high, "machine"))
    return replaced(spans, place, ends[number], (replace(part, creation=span.creation) for part in parts))


def _sentence(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the sentences that text[start:end] is part of begin and end; `start` and `end` themselves where it stands between two."""
    first = max(0, start - SENTENCE_LIMIT)
    window = text[first : end + SENTENCE_LIMIT]
    borders = {first + border for gap in _GAP.finditer(window) for border in gap.span(1)}
    low = max((border for border in borders if border <= start), default=first)
    high = min((border for border in borders if border >= end), default=first + len(window))
    return (low, high) if text[low:high].strip() else (start, end)


_LENGTH = attrgetter("length")
_CREATION = re.compile(r"[0-9A-Za-z_-]{0,64}")
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_GAP = re.compile(r"""(?:[.!?…]+["'”’»)\]*_]*(?=\s|\Z)|[。！？]+[”’」』）]*|(?=\n))(\s*)""")
"""What ends a sentence, and the space behind it."""
