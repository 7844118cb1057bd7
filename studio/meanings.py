"""Finding creations by what they mean: a vector for each in the index, made when a search first needs it, compared with the words asked.

What makes the vectors is given with each question. Knows the index; knows no model, no file and no page.
"""

# ruff: noqa: S608 - questions are put together from the parts of search.py; every value is bound

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from studio.index import Index
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


@dataclass(frozen=True)
class Found:
    """`seqs` of creations, the nearest first; so many of `total` were `compared`: the others have no vector yet."""

    seqs: tuple[int, ...]
    compared: int
    total: int


class Meanings:
    """Thread-safe. What is removed from the library takes its vector along."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._model = ""
        self._last = 0
        self._rows: dict[int, int] = {}
        self._vectors: Any = None

    def nearest(
        self, asked: Filter, model: str, embed: Embed, owner: str = "local", session: str = "", *, limit: int = 120, seconds: float = 2.0
    ) -> Found:
        """The creations that the filter shows whose meaning is nearest to its words, at most `limit`.

        `model` names what `embed` (n texts -> (n, width) of length 1) is: vectors of another are left aside. Those that are missing are
        made for at most about `seconds`, the newest first, and kept: a large library is compared as a whole after some searches.
        """
        import numpy as np

        shown = question(replace(asked, words=""), owner, session)
        seqs = [
            row["seq"]
            for row in self._index.rows(
                f"SELECT c.seq FROM {shown.source} WHERE {shown.condition} ORDER BY {shown.age} DESC", *shown.values
            )
        ]
        with self._lock:
            self._load(model)
            self._make([seq for seq in seqs if seq not in self._rows], model, embed, seconds)
            known = [seq for seq in seqs if seq in self._rows]
            if not known:
                return Found((), 0, len(seqs))
            places = np.array([self._rows[seq] for seq in known])
            vectors = self._vectors
        word = embed([asked.words[:READ]])[0]
        near = np.concatenate([vectors[places[at : at + CHUNK]].astype(np.float32) @ word for at in range(0, len(places), CHUNK)])
        best = [int(place) for place in np.argsort(-near, kind="stable")[:limit] if near[place] >= LEAST]
        return Found(tuple(known[place] for place in best), len(known), len(seqs))

    def _load(self, model: str) -> None:
        """What was kept since the last look, by any process."""
        import numpy as np

        if model != self._model:
            self._model, self._last, self._rows, self._vectors = model, 0, {}, None
        rows = self._index.rows("SELECT seq, creation, vector FROM meanings WHERE model = ? AND seq > ? ORDER BY seq", model, self._last)
        if not rows:
            return
        fresh = np.stack([np.frombuffer(row["vector"], np.float16) for row in rows])
        begin = 0 if self._vectors is None else len(self._vectors)
        self._vectors = fresh if self._vectors is None else np.concatenate([self._vectors, fresh])
        self._rows |= {row["creation"]: begin + place for place, row in enumerate(rows)}
        self._last = rows[-1]["seq"]

    def _make(self, missing: Sequence[int], model: str, embed: Embed, seconds: float) -> None:
        import numpy as np

        until = time.monotonic() + seconds
        for at in range(0, len(missing), BATCH):
            if time.monotonic() >= until:
                break
            batch = missing[at : at + BATCH]
            marks = ", ".join("?" * len(batch))
            texts = {
                row["rowid"]: f"{row['prompt']}\n{row['text']}".strip()[:READ]
                for row in self._index.rows(f"SELECT rowid, prompt, text FROM search WHERE rowid IN ({marks})", *batch)
            }
            vectors = embed(list(texts.values())).astype(np.float16) if texts else ()
            with self._index.transaction() as index:
                index.executemany(
                    "INSERT OR REPLACE INTO meanings (creation, model, vector) SELECT ?, ?, ? WHERE ? IN (SELECT seq FROM creations)",
                    [(seq, model, vector.tobytes(), seq) for seq, vector in zip(texts, vectors, strict=True)],
                )
        self._load(model)
