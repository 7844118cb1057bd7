"""A timeline as text: one line a segment, its seconds and its own words, such as "8: soft piano alone". Knows no model and no notes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from studio.errors import InvalidInput

MOST = 24
"""Segments of one piece."""
SHORTEST, LONGEST = 1.0, 600.0
"""Seconds of a segment."""
_LINE = re.compile(r"\s*(\d{1,3}(?:\.\d{1,3})?)\s*s?\s*[:|]\s*(.*?)\s*")


@dataclass(frozen=True)
class Segment:
    """`start` and `seconds` are its place in the piece; `words` are its own, '' where those of the whole piece are enough."""

    start: float
    seconds: float
    words: str

    def told(self, prompt: str) -> str:
        """What a model is told: the segment's own words first, then those of the whole piece."""
        return f"{self.words.rstrip(' .,')}, {prompt}" if self.words else prompt


def read(text: str) -> tuple[Segment, ...]:
    """The segments that a text lists, one after another from the beginning. Raises InvalidInput with the field `segments`."""
    found: list[Segment] = []
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > MOST:
        raise InvalidInput(f"A timeline has at most {MOST} segments: join some of them.", "segments")
    for number, line in enumerate(lines, 1):
        parts = _LINE.fullmatch(line)
        if parts is None:
            raise InvalidInput(f"Segment {number} must be its seconds, a colon and its words, such as 8: soft piano alone.", "segments")
        seconds = float(parts[1])
        if not SHORTEST <= seconds <= LONGEST:
            raise InvalidInput(f"Segment {number} must last from {SHORTEST:g} to {LONGEST:g} seconds.", "segments")
        found.append(Segment(found[-1].start + found[-1].seconds if found else 0.0, seconds, parts[2]))
    return tuple(found)


def seconds(text: str) -> float:
    """How long all of them last together. Raises InvalidInput as `read` does."""
    return round(sum(segment.seconds for segment in read(text)), 3)
