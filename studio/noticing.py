"""What creations mean, found out in the background: each gets its vectors after it is made, while nothing else runs.

One thread, begun when it is woken and a model is here; models are let go when nothing was new for a while. Knows the library and what
makes vectors; knows no page.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from studio import embedding, meanings, senses
from studio.embedding import Embedder
from studio.errors import StudioError
from studio.meanings import Meanings, Space, Work
from studio.senses import Sense
from studio.sources import Places

log = logging.getLogger("atelier")

BATCH = 4
"""Works that are looked at before it is asked again whether something runs."""
LOOK = 0.5
"""Seconds between two looks whether a run is over."""
IDLE = 300.0
"""Seconds after which models that nobody used are let go."""
ENDING = 20.0
"""Seconds that `close` waits for the works under way."""


class Noticing:
    """Thread-safe. Without any model here it does nothing."""

    def __init__(self, library: Meanings, embedder: Embedder, places: Places, busy: Callable[[], bool]) -> None:
        """`busy` says whether something runs, which this waits for."""
        self.senses = (Sense(senses.SIGHT, "picture", places), Sense(senses.HEARING, "sound", places))
        self._library, self._embedder, self._places, self._busy = library, embedder, places, busy
        self._woken, self._over = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._past: dict[str, int] = {}

    def wake(self) -> None:
        """Something is new: a creation, or a model."""
        with self._lock:
            self._woken.set()
            if self._thread is None and not self._over.is_set():
                self._thread = threading.Thread(target=self._work, name="noticing", daemon=True)
                self._thread.start()

    def spaces(self) -> tuple[Space, ...]:
        """What a search can compare at once: texts where their model is here, pictures and sounds where theirs is loaded.

        A model that is here and not loaded yet is loaded aside.
        """
        found = [meanings.texts(embedding.CARD.name, self._embedder)] if embedding.here(self._places) else []
        there = [sense for sense in self.senses if sense.here]
        if there:
            self.wake()
        return (*found, *(_space(sense) for sense in there if sense.loaded))

    @property
    def loading(self) -> tuple[str, ...]:
        """The media whose model is here and cannot answer yet."""
        return tuple(sense.medium for sense in self.senses if sense.here and not sense.loaded)

    @property
    def here(self) -> bool:
        """Whether anything can be found by what it means."""
        return embedding.here(self._places) or any(sense.here for sense in self.senses)

    def close(self) -> None:
        """End it, after the works under way."""
        self._over.set()
        self._woken.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(ENDING)

    def _work(self) -> None:
        while not self._over.is_set():
            if not self._woken.wait(IDLE):
                for model in (self._embedder, *self.senses):
                    model.unload()
                self._woken.wait()
            self._woken.clear()
            if not self.here:
                with self._lock:
                    if not self._woken.is_set():
                        self._thread = None
                        return
            try:
                for space in self._all():
                    self._notice(space)
            except StudioError as error:
                log.warning("what creations mean could not be found out: %s", error)
            except Exception:
                log.exception("what creations mean could not be found out")

    def _all(self) -> Sequence[Space]:
        """Every space whose model is here, loaded for those that see or hear."""
        found = [meanings.texts(embedding.CARD.name, self._embedder)] if embedding.here(self._places) else []
        for sense in (sense for sense in self.senses if sense.here):
            if not self._free():
                break
            sense.words(["."])
            found.append(_space(sense, aside=True))
        return found

    def _notice(self, space: Space) -> None:
        """Everything that is new, the newest first, a few works at a time."""
        newest, after, whole = self._library.newest, self._past.get(space.model, 0), False
        while not whole and self._free():
            _, whole = self._library.notice(space, after, BATCH)
        if whole:
            self._past[space.model] = newest

    def _free(self) -> bool:
        """Wait until nothing runs; whether to go on."""
        while self._busy() and not self._over.is_set():
            self._over.wait(LOOK)
        return not self._over.is_set()


def _space(sense: Sense, *, aside: bool = False) -> Space:
    """The space of a sense; only `aside` are its works made out, which takes too long for a search."""

    def works(given: Sequence[Work]) -> NDArray[np.float32]:
        return sense.works([work.path for work in given])

    return Space(sense.card.name, sense.words, works if aside else None, senses.LEAST, (sense.medium,))
