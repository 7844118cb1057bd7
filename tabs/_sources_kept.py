"""The sources of a document: files that were dropped become passages that are kept with it, and numbers that stay theirs.

[n] in a document means the same passage for good: numbers are given out once, in `cited`, and a passage whose source was taken away
leaves its number empty. Knows the library and the readers of files; knows no component and no run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from studio.creations import Json
from studio.errors import InvalidInput, StudioError
from studio.writing import reading
from studio.writing.manuscripts import Manuscripts, SourceRow
from studio.writing.passages import LIMIT, Passage, passages

KEPT = "sources"
"""The name of what stands here among the fields of a document."""
MOST_CITED = 5000
"""Numbers of one document."""


@dataclass(frozen=True)
class Sources:
    """What a document can cite: its sources, their passages, and which passage each number means."""

    rows: tuple[SourceRow, ...] = ()
    passages: tuple[Passage, ...] = ()
    cited: tuple[tuple[str, int], ...] = ()
    """(id of the source, number in it) of [1], [2], ..."""
    of: dict[tuple[str, int], Passage] | None = None

    @property
    def numbered(self) -> dict[int, Passage]:
        """The passages that have a number and whose source is still here."""
        known = self.of or {}
        return {number: known[key] for number, key in enumerate(self.cited, 1) if key in known}

    def with_numbers(self, found: Sequence[Passage]) -> dict[int, Passage]:
        """Numbers that follow one another for these: those given out before, where the same stand together, else the next free ones."""
        keys = {passage: key for key, passage in reversed((self.of or {}).items())}  # of a file that was dropped twice, the first
        found = [passage for passage in dict.fromkeys(found) if passage in keys]
        block = [keys[passage] for passage in found]
        for first in range(len(self.cited) - len(block) + 1):
            if block and set(self.cited[first : first + len(block)]) == set(block):
                known = self.of or {}
                return {first + 1 + i: known[key] for i, key in enumerate(self.cited[first : first + len(block)])}
        return {len(self.cited) + 1 + i: passage for i, passage in enumerate(found)}


def opened(manuscripts: Manuscripts, id: str, owner: str, session: str) -> Sources:
    """The sources of a document; none for ''. Raises StudioError."""
    if not id:
        return Sources()
    rows = manuscripts.sources(id, owner, session)
    of: dict[tuple[str, int], Passage] = {}
    for row in rows:
        of |= {(row.id, passage.number): passage for passage in _passages(row)}
    kept = manuscripts.open(id, owner, session).fields.get(KEPT)
    cited = kept.get("cited") if isinstance(kept, Mapping) else None
    pairs = [one for one in cited if isinstance(one, list) and len(one) == 2] if isinstance(cited, list) else []
    return Sources(rows, tuple(of.values()), tuple((str(a), int(b)) for a, b in pairs if isinstance(b, int)), of)


def add(manuscripts: Manuscripts, id: str, owner: str, session: str, path: Path, tick: Callable[[str], None] | None = None) -> list[str]:
    """Read a file and keep its passages with the document; returns what is to be said of it. Raises StudioError."""
    found = reading.read(path, path.name, tick)
    name = reading.plain_name(path.name)
    made = passages(found.blocks, name)
    if not made:
        raise InvalidInput(f"{name} holds no words that could be searched: choose another file.")
    there = sum(row.passages for row in manuscripts.sources(id, owner, session))
    if there + len(made) > LIMIT:
        raise InvalidInput(f"With {name} the sources would have more than {LIMIT:,} passages: remove one, or drop a shorter file.")
    pages = max((block.page or 0 for block in found.blocks), default=0)
    rows: list[Json] = [[one.heading, one.page, one.start, one.end, one.text] for one in made]
    content: dict[str, Json] = {"title": found.title, "pages": pages, "notices": list(found.notices), "passages": rows}
    manuscripts.add_source(id, owner, session, name, path.suffix.lstrip(".").lower()[:10], content)
    return [f"{name}: {notice}" for notice in found.notices]


def number(manuscripts: Manuscripts, id: str, owner: str, session: str, sources: Sources, given: Mapping[int, Passage]) -> Sources:
    """Give out the numbers that `with_numbers` proposed; those that are taken already stay as they are."""
    keys = {passage: key for key, passage in reversed((sources.of or {}).items())}
    cited = list(sources.cited)
    for wanted, passage in sorted(given.items()):
        if wanted == len(cited) + 1 and len(cited) < MOST_CITED and passage in keys:
            cited.append(keys[passage])
    if len(cited) > len(sources.cited):
        rows: list[Json] = [[source, place] for source, place in cited]
        manuscripts.set_fields(id, owner, session, {KEPT: {"cited": rows}})
    return replace(sources, cited=tuple(cited))


def as_json(passage: Passage, number: int, score: float | None = None) -> dict[str, Any]:
    """A passage for a program that asks."""
    return {**asdict(passage), "number": number, **({} if score is None else {"score": round(score, 4)})}


def pasted(texts: Sequence[str]) -> tuple[Passage, ...]:
    """The passages of plain texts; a text that is no longer than one stays whole. Raises StudioError."""
    found: list[Passage] = []
    for place, text in enumerate(texts, 1):
        found += passages(reading.pasted(text).blocks, f"Text {place}")
    if len(found) > LIMIT:
        raise InvalidInput(f"These texts have more than {LIMIT:,} passages: send fewer.")
    return tuple(found)


def _passages(row: SourceRow) -> list[Passage]:
    """What a row keeps; raises StudioError for a row that something else wrote."""
    found: list[Passage] = []
    rows = row.content.get("passages")
    for place, one in enumerate(rows if isinstance(rows, list) else [], 1):
        match one:
            case [str(heading), int() | None as page, int(start), int(end), str(text)]:
                found.append(Passage(row.name, place, heading, page, start, end, text))
            case _:
                raise StudioError(f"The source {row.name} cannot be read any more: remove it and drop its file again.")
    return found
