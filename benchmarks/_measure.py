"""What the benchmark scripts share: interleaved rounds, medians, and a line about the machine. Not a script."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio.settings import Settings, prepare_environment


def settings() -> Settings:
    """The settings of a new, offline studio on the CPU, with its home in a fresh temp folder; the cache is the user's."""
    made = Settings(home=Path(tempfile.mkdtemp(prefix="atelier-bench-")), offline=True, device="cpu")
    prepare_environment(made)
    return made


def rounds(contenders: Mapping[str, Callable[[], float]], count: int = 5) -> dict[str, float]:
    """The median of `count` values of each contender, taken in turns so that a busy moment hits all alike."""
    values: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(count):
        for name, measure in contenders.items():
            values[name].append(measure())
    return {name: statistics.median(found) for name, found in values.items()}


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU-seconds of this process for one call, all threads."""
    began = time.process_time()
    work()
    return time.process_time() - began


def machine() -> str:
    """Cores, load and Python, for the line under each figure."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} cores{load}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
