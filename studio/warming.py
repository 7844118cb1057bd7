"""Loading before somebody needs it: the smallest task that names what a model loads, and what is made ready after the first page.

Knows no manager and no page.
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec

import psutil

from studio import models
from studio.creations import Event
from studio.errors import Cancelled, StudioError
from studio.foresight import FRAMEWORKS
from studio.models import ModelCard
from studio.tasks import ASIDE, TASKS, Task

log = logging.getLogger("atelier")

AFTER = 4.0
"""Seconds from the first page until anything is made ready: the page comes first."""
CALM = 40.0
"""Percent of all CPU time: above, somebody works, and frameworks are imported when they are needed."""
LOOK, LOOKS = 2.0, 150
"""Seconds between two looks whether the machine is calm, and how many there are."""

LEAST: Mapping[str, Mapping[str, object]] = {
    "text_to_image": {"prompt": "-"},
    "inpaint": {"image": "-", "mask": "-", "prompt": "-", "left": "10"},
    "music": {"prompt": "-"},
    "narrate": {"text": "-"},
    "write": {"prompt": "-"},
    "select": {"image": "-"},
}
"""What a task of each kind must say."""


def least(card: ModelCard, kind: str) -> Task:
    """A resolved task for the card that nobody asked for: good for loading its parts, never to be run."""
    way = {"mode": card.modes[0]} if kind == "inpaint" and card.modes else {}
    return models.resolve((TASKS | ASIDE)[kind].checked({**LEAST[kind], **way, "model": card.name, "seed": 0}), card)


class WarmUp:
    """Begins once: frameworks are imported as soon as the machine is calm, then the cards are loaded by `load(name, kind)`.

    Where cards are named, somebody wants them, and nothing waits for calm. What fails is told in the log, and no run depends on it.
    """

    def __init__(self, cards: Sequence[ModelCard], load: Callable[[str, str], Iterator[Event]], after: float | None = None) -> None:
        self._cards = tuple(cards)
        self._load = load
        self._after = AFTER if after is None else after
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless it has begun."""
        with self._lock:
            if self._thread is None and not self._over.is_set():
                self._thread = threading.Thread(target=self._work, name="warm-up", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """No more of it; what is being imported or loaded ends by itself."""
        self._over.set()

    def _work(self) -> None:
        if self._over.wait(self._after) or not (self._cards or self._calm()):
            return
        try:
            for name in (name for name in FRAMEWORKS if find_spec(name) is not None):
                importlib.import_module(name)
            for card in self._cards:
                self._loaded(card)
        except Cancelled:
            return
        except Exception:
            log.exception("something could not be made ready; the first run will tell more")

    def _loaded(self, card: ModelCard) -> None:
        if self._over.is_set():
            raise Cancelled
        try:
            for _ in self._load(card.name, card.serves[0]):
                pass
            log.info("%s is in memory", card.name)
        except StudioError as error:
            log.warning("%s was not loaded: %s", card.name, error)

    def _calm(self) -> bool:
        """Whether the machine becomes calm in the time that it is waited for."""
        psutil.cpu_percent()
        for _ in range(LOOKS):
            if self._over.wait(LOOK):
                return False
            if psutil.cpu_percent() < CALM:
                return True
        return False
