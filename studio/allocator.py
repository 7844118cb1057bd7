"""The C library's allocator, told once at the start how a server that runs for weeks wants its memory kept."""

from __future__ import annotations

import ctypes
import sys

ARENAS = 2
"""Heaps that threads share. By default there are eight for each core, and every run leaves its holes in another one."""

_ARENA_MAX = -8  # M_ARENA_MAX in glibc's malloc.h


def keep_small() -> bool:
    """Let threads share `ARENAS` heaps; to be called before there are threads. False where the C library is not glibc."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        told = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(told(_ARENA_MAX, ARENAS))
