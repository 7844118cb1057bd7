"""How the last two writers make tokens of words, kept for counting before a run. Knows no engine and loads no weights itself."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from studio.writing.context import Words

MOST = 2


class Vocabularies:
    """Thread-safe. One is loaded at a time; no run waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[Words, int]] = OrderedDict()

    def of(self, key: str, find: Callable[[], tuple[Words, int]]) -> tuple[Words, int]:
        """What `find` gives, a model's words and the tokens that it holds: from it, or kept since it was last asked for `key`."""
        with self._lock:
            found = self._kept.pop(key, None) or find()
            self._kept[key] = found
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
            return found
