"""Finding creations by what they mean: vectors for each in the index, compared with the words asked, in every space that is here.

A space is what one model makes of words and of works: texts by what is written, pictures by what is seen, sounds by what is heard. What
makes the vectors is given with each question. Knows the index and where files lie; knows no model and no page.
"""

# ruff: noqa: S608 - questions are put together from the parts of search.py; every value is bound

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.index import Index, to_text
from studio.search import Filter, question

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Embed = Callable[[Sequence[str]], NDArray[np.float32]]

READ = 2000
"""Characters of a creation that its meaning is taken from: the prompt, then the text."""
LEAST = 0.25
"""Cosine below which two texts have nothing to do with each other (all-MiniLM-L6-v2: unrelated prompts lie around 0 to 0.2)."""
BATCH = 32
CHUNK = 8192
"""Vectors that are compared at once."""
FUSED = 60
"""What ranks of several spaces are joined with: Cormack, Clarke and Büttcher, "Reciprocal rank fusion" (SIGIR 2009)."""


@dataclass(frozen=True)
class Work:
    """One creation as a space sees it: its prompt and text, at most READ characters, and its file."""

    text: str
    path: Path


@dataclass(frozen=True)
class Space:
    """What one model makes of words and of works: vectors of length 1, or of zeros for a work that it cannot make out.

    `model` names it: vectors of another are left aside. `media` are those it knows, () for all; two vectors with a cosine below `least`
    have nothing to do with each other. `works` is None where a search makes no vectors: then those are compared that are there.
    """

    model: str
    words: Embed
    works: Callable[[Sequence[Work]], NDArray[np.float32]] | None
    least: float = LEAST
    media: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """`seqs` of creations, the nearest first; so many of `total` were `compared` in every space: the others lack a vector yet."""

    seqs: tuple[int, ...]
    compared: int
    total: int


@dataclass
class _Held:
    """The vectors of one model in memory: `rows` says which row of `vectors` is a creation's, `last` up to where they were read."""

    last: int = 0
    rows: dict[int, int] = field(default_factory=dict[int, int])
    vectors: Any = None


def texts(model: str, embed: Embed) -> Space:
    """The space of what is written: prompts and texts."""
    return Space(model, embed, lambda works: embed([work.text for work in works]))


class Meanings:
    """Thread-safe. What is removed from the library takes its vectors along."""

    def __init__(self, index: Index, path: Callable[[str], Path]) -> None:
        """`path` says where an object lies."""
        self._index = index
        self._path = path
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}

    def nearest(
        self, asked: Filter, spaces: Sequence[Space], owner: str = "local", session: str = "", *, limit: int = 120, seconds: float = 2.0
    ) -> Found:
        """The creations that the filter shows whose meaning is nearest to its words, at most `limit`.

        Vectors that are missing are made for at most about `seconds`, the newest first, and kept: a large library is compared as a whole
        after some searches. Of several spaces the ranks are joined, since their cosines mean different things.
        """
        shown = question(replace(asked, words=""), owner, session)
        rows = self._index.rows(
            f"SELECT c.seq, c.medium FROM {shown.source} WHERE {shown.condition} ORDER BY {shown.age} DESC", *shown.values
        )
        until = time.monotonic() + seconds
        scores: dict[int, float] = {}
        left: set[int] = set()
        for space in spaces:
            seqs = [row["seq"] for row in rows if not space.media or row["medium"] in space.media]
            ranked, lacking = self._ranked(asked.words[:READ], space, seqs, until)
            left.update(lacking)
            for rank, seq in enumerate(ranked[:limit], 1):
                scores[seq] = scores.get(seq, 0.0) + 1 / (FUSED + rank)
        best = sorted(scores, key=lambda seq: -scores[seq])[:limit]
        return Found(tuple(best), len(rows) - len(left), len(rows))

    def notice(self, space: Space, after: int, most: int) -> tuple[int, bool]:
        """Make at most `most` vectors that are missing, the newest first, of creations with a `seq` above `after`, whoever's they are.

        Returns how many were made, and whether none is missing above `after` any more.
        """
        rows = self._index.rows(
            "SELECT seq FROM creations c WHERE seq > ?1 AND (?2 = '[]' OR medium IN (SELECT value FROM json_each(?2))) AND NOT EXISTS"
            " (SELECT 1 FROM meanings m WHERE m.creation = c.seq AND m.model = ?3) ORDER BY seq DESC LIMIT ?4",
            *(after, to_text(list(space.media)), space.model, most + 1),
        )
        made = self._keep([row["seq"] for row in rows[:most]], space)
        return made, len(rows) <= most or not made

    @property
    def newest(self) -> int:
        """The `seq` of the newest creation, 0 without any."""
        (row,) = self._index.rows("SELECT coalesce(max(seq), 0) AS seq FROM creations")
        return row["seq"]

    def _ranked(self, words: str, space: Space, seqs: Sequence[int], until: float) -> tuple[list[int], list[int]]:
        """Those near enough, the nearest first, and those that could not be compared."""
        import numpy as np

        with self._lock:
            held = self._load(space.model)
            if space.works is not None:
                self._make([seq for seq in seqs if seq not in held.rows], space, until)
            known = [seq for seq in seqs if seq in held.rows]
            lacking = [seq for seq in seqs if seq not in held.rows]
            places, vectors = np.array([held.rows[seq] for seq in known], int), held.vectors
        if not known:
            return [], lacking
        word = space.words([words])[0]
        near = np.concatenate([vectors[places[at : at + CHUNK]].astype(np.float32) @ word for at in range(0, len(places), CHUNK)])
        return [known[place] for place in np.argsort(-near, kind="stable").tolist() if near[place] >= space.least], lacking

    def _load(self, model: str) -> _Held:
        """What was kept since the last look, by any process."""
        import numpy as np

        held = self._held.setdefault(model, _Held())
        rows = self._index.rows("SELECT seq, creation, vector FROM meanings WHERE model = ? AND seq > ? ORDER BY seq", model, held.last)
        if rows:
            fresh = np.stack([np.frombuffer(row["vector"], np.float16) for row in rows])
            begin = 0 if held.vectors is None else len(held.vectors)
            held.vectors = fresh if held.vectors is None else np.concatenate([held.vectors, fresh])
            held.rows |= {row["creation"]: begin + place for place, row in enumerate(rows)}
            held.last = rows[-1]["seq"]
        return held

    def _make(self, missing: Sequence[int], space: Space, until: float) -> None:
        for at in range(0, len(missing), BATCH):
            if time.monotonic() >= until:
                break
            self._keep(missing[at : at + BATCH], space)
        self._load(space.model)

    def _keep(self, seqs: Sequence[int], space: Space) -> int:
        """Make these vectors and write them down; returns how many there were to make."""
        import numpy as np

        works = self._works(seqs)
        if not works or space.works is None:
            return 0
        vectors = space.works(list(works.values())).astype(np.float16)
        with self._index.transaction() as index:
            index.executemany(
                "INSERT OR REPLACE INTO meanings (creation, model, vector) SELECT ?, ?, ? WHERE ? IN (SELECT seq FROM creations)",
                [(seq, space.model, vector.tobytes(), seq) for seq, vector in zip(works, vectors, strict=True)],
            )
        return len(works)

    def _works(self, seqs: Sequence[int]) -> Mapping[int, Work]:
        rows = self._index.rows(
            "SELECT c.seq, c.object, s.prompt, s.text FROM creations c JOIN search s ON s.rowid = c.seq"
            " WHERE c.seq IN (SELECT value FROM json_each(?)) ORDER BY c.seq DESC",
            to_text(list(seqs)),
        )
        return {row["seq"]: Work(f"{row['prompt']}\n{row['text']}".strip()[:READ], self._path(row["object"])) for row in rows}
