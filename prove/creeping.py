"""Memory after many runs: one person asks again and again, and what the studio holds must not grow with the number of runs."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np

from prove.load import ASKED, asked
from prove.table import Row, at_most, none_of
from tests.serving import running

SETTLED = 240
"""Runs after which the allocator and every cache have reached their size; what is held before is not looked at."""
LEAST = 60
"""Runs below which a slope is noise."""


def measured(cache: Path, folder: Path, runs: int) -> list[Row]:
    """Ask for `runs` small things after `SETTLED` others, one after the other; at least `LEAST`."""
    held: list[float] = []
    failed: list[str] = []
    with running(cache, folder) as (url, process), httpx.Client(base_url=url, timeout=600) as client:
        for number in range(SETTLED + max(runs, LEAST)):
            endpoint, values = ASKED[number % len(ASKED)]
            said = asked(client, endpoint, {**values, "seed": number})
            failed += [said] if said else []
            held.append(resident(process))
    settled = np.array(held[SETTLED:])
    slope = float(np.polyfit(np.arange(settled.size), settled, 1)[0]) * 100
    return [
        none_of("runs one after the other that fail", failed, len(held)),
        at_most(f"memory creeping, MB in 100 runs (over {settled.size} of them, {settled[-1]:.0f} MB held at the end)", slope, 1.0),
    ]


def resident(process: int) -> float:
    """Megabytes of memory that a process holds."""
    return int(Path(f"/proc/{process}/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024
