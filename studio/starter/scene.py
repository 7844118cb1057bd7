"""What a prompt means to the picture starter: plain data between the reader of words and the sampler. It knows no library and no pixels."""

from __future__ import annotations

from dataclasses import dataclass

RELATIONS = ("", "and", "on", "in", "above", "below", "beside", "behind")
PATTERNS = ("stars", "dots", "stripes", "checks", "hearts", "clouds")


@dataclass(frozen=True)
class Candidate:
    """An icon that may be used for a part: its `index` in the library, its log-prior (0 for the best, negative for others).

    `recolour` is the colour "#rrggbb" its main colour is to be turned to, or None to leave it as it is.
    """

    index: int
    log_prior: float
    recolour: str | None = None


@dataclass(frozen=True)
class Part:
    """One thing in the picture: the prompt's `words` for it, 1 to 12 candidates, the best first, and the colour word asked for.

    Where two prompts are blended, `share` of the thing, between 0 and 1, is to be the `other` prompt's thing.
    """

    words: str
    candidates: tuple[Candidate, ...]
    hue: str | None = None
    other: Part | None = None
    share: float = 0.0


@dataclass(frozen=True)
class Scene:
    """One to three parts and how the first stands to the second ("a cat on a rocket": cat, rocket, "on"); one of RELATIONS.

    With three parts every neighbour stands so to the next ("and" and "beside" are rows, "on" and "above" are stacks).
    `background` is None, a colour "#rrggbb", one of PATTERNS, or a colour and a pattern with a space between. `notes` are
    sentences for the page about what could not be taken as written.
    """

    parts: tuple[Part, ...]
    relation: str = ""
    background: str | None = None
    notes: tuple[str, ...] = ()
