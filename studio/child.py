"""What a child process of the studio does first: it keeps within bounds, and ends when its parent does. Imports nothing of the studio."""

from __future__ import annotations

import contextlib
import os
import sys
import threading


def end_with_parent() -> None:
    """From now on this process ends as soon as its standard input closes, so that it never outlives the studio."""

    def watch() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def bound(memory: int, output: int) -> None:
    """At most so many bytes of memory, libraries included, and of each file that is written; where the system can keep to it."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (output, output))
