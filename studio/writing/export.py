"""A text as a file to take away, with who wrote what of it: what all formats share, plain text and Markdown.

`export_html`, `export_epub` and `export_docx` make the other three. Knows no model, no page, no library of creations.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from studio.writing.markup import Paragraph, Run, paragraphs
from studio.writing.spans import Span, covering, merged, shares

LABEL = "Written with a machine"
RECORD_NAMESPACE = "urn:atelier:record"
NO_MODELS: Mapping[str, str] = {}
"""The value of `models` where nobody knows them. It maps a creation's id to the name of the model that wrote it."""
_UNFIT = re.compile("\r(?=\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 cannot hold, and the first half of a line's end."""


def to_text(
    text: str, title: str, record_json: str | None = None, spans: Sequence[Span] = (), models: Mapping[str, str] = NO_MODELS
) -> bytes:
    """The text alone, UTF-8, ending with a line end: it has no place for more."""
    del title, record_json, spans, models  # one signature for all formats
    return (clean(text).rstrip() + "\n").encode()


def to_markdown(
    text: str, title: str, record_json: str | None = None, spans: Sequence[Span] = (), models: Mapping[str, str] = NO_MODELS
) -> bytes:
    """The text as Markdown. YAML front matter holds title, label and record, and with spans the shares and models; values are JSON."""
    values: dict[str, object] = {"title": clean(title), "note": label(spans)}
    if spans:
        values["shares"] = {origin: round(share, 4) for origin, share in shares(spans).items()}
        if names := wrote(spans, models):
            values["models"] = names
    if record_json:
        values["record"] = clean(record_json)
    front = "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())
    return f"---\n{front}---\n\n{clean(text).rstrip()}\n".encode()


def clean(text: str) -> str:
    """Without what XML 1.0 cannot hold: control characters, halves of surrogate pairs, U+FFFE and U+FFFF. Lines end with "\\n"."""
    return _UNFIT.sub("", text).replace("\r", "\n")


def label(spans: Sequence[Span]) -> str:
    """How much of the text a machine wrote, in words; without spans only that one helped."""
    if not spans:
        return LABEL
    found = shares(spans)
    edited = f", {percent(found['edited'])} machine-written and edited by hand" if found["edited"] else ""
    return f"{percent(found['machine'])} machine-written{edited}"


def percent(share: float) -> str:
    """A share from 0 to 1 in words; what is not all or nothing is never called so."""
    if 0 < share < 0.005:
        return "less than 1 %"
    return "more than 99 %" if 0.995 < share < 1 else f"{share:.0%}".replace("%", " %")


def author(span: Span, models: Mapping[str, str]) -> str:
    """Who wrote a span, as a phrase; '' for a person's own words."""
    if span.origin == "human":
        return ""
    name = " ".join(clean(models.get(span.creation, "")).split())[:200] or "a language model"
    return f"Written by {name}" + (", edited by hand" if span.origin == "edited" else "")


def wrote(spans: Sequence[Span], models: Mapping[str, str]) -> list[str]:
    """Names of the models whose words are in the text, each once, in order."""
    return list(dict.fromkeys(clean(models[span.creation]) for span in spans if span.origin != "human" and models.get(span.creation)))


@dataclass(frozen=True)
class Piece:
    """Characters of one look and one origin. `place`: which of the manuscript's spans they are of; -1 without spans."""

    text: str
    look: Run
    place: int


@dataclass(frozen=True)
class Marked:
    """A clean text in paragraphs, with the spans that cover it."""

    text: str
    spans: tuple[Span, ...]
    ends: tuple[int, ...]
    """Where each span ends."""
    paragraphs: tuple[Paragraph, ...]

    @classmethod
    def of(cls, text: str, spans: Sequence[Span]) -> Marked:
        """Cleans the text and its spans alike. Raises InvalidInput for spans that do not cover the text."""
        kept = _kept(text, covering(text, spans)) if spans else ()
        text = clean(text)
        return cls(text, kept, tuple(accumulate(span.length for span in kept)), tuple(paragraphs(text)))

    def pieces(self, runs: Sequence[Run]) -> Iterator[Piece]:
        """The runs, cut where the origin changes."""
        ends = self.ends
        for run in runs:
            start = run.start
            while start < run.end:
                place = bisect_right(ends, start) if ends else -1
                end = min(run.end, ends[place]) if ends else run.end
                yield Piece(self.text[start:end], run, place)
                start = end


def _kept(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    """The spans of what `clean` leaves of the text."""
    unfit = [found.start() for found in _UNFIT.finditer(text)]
    lengths: list[Span] = []
    done, place = 0, 0
    for span in spans:
        place += span.length
        before = bisect_right(unfit, place - 1)
        lengths.append(replace(span, length=span.length - (before - done)))
        done = before
    return merged(lengths)
