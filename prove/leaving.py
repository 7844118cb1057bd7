"""Runs that nobody waits for: left, reloaded and stopped at random moments, and nothing of them stays."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from prove.load import ASKED, asked
from prove.table import Row, at_most, none_of
from tests.serving import running

QUEUE = 32
"""Runs that may wait: of those nobody listens to no more can stand before the next."""


def measured(cache: Path, folder: Path, times: int) -> list[Row]:
    """Begin `times` runs, four at once, and leave each after up to a second; what nobody ever listened to is short, and runs to its end."""
    with running(cache, folder) as (url, _), httpx.Client(base_url=url, timeout=600) as client:
        for endpoint, values in ASKED:
            asked(client, endpoint, values)
        alone = min(_seconds(client) for _ in range(5))
        with ThreadPoolExecutor(4) as threads:
            failed = [said for said in threads.map(lambda seed: _left(url, seed), range(times)) if said]
        freed, unheard = _seconds(client), sum(not _listens(seed) for seed in range(times))
        after = [said for endpoint, values in ASKED for said in [asked(client, endpoint, values)] if said]
        waiting = client.get("/gradio_api/queue/status").json().get("queue_size", 0)
    return [
        none_of("runs left, reloaded or stopped at random: what failed otherwise", failed, times),
        at_most("runs that still wait when all have left", float(waiting), 0),
        at_most(
            f"the next run (alone {alone:.2f} s): it waits for no leaked place",
            freed,
            10 + alone * (10 + 3 * min(unheard, QUEUE)),
            " s",
        ),
        none_of("runs afterwards that fail", after, len(ASKED)),
    ]


def _listens(seed: int) -> bool:
    """Four of five listen for a moment before they go."""
    return seed % 5 != 0


def _seconds(client: httpx.Client) -> float:
    began = time.monotonic()
    asked(client, *ASKED[0])
    return time.monotonic() - began


def _left(url: str, seed: int) -> str:
    """Begin a long run and go; '' if the studio took it as it should."""
    chance = random.Random(seed)
    endpoint, values = chance.choice(ASKED)
    long = {"text_to_image": {"count": 8}, "write": {"max_new_tokens": 400}, "music": {"duration": 60}}[endpoint]
    listens = _listens(seed)
    try:
        with httpx.Client(base_url=url, timeout=600) as client:
            joined = client.post(f"/gradio_api/call/v2/{endpoint}", json={**values, **(long if listens else {}), "seed": seed})
            if joined.status_code != 200:
                return joined.text[:200]
            if not listens:
                return ""  # a program that fetches what came of it later, or never: its run is made all the same
            end = time.monotonic() + chance.random()
            with client.stream("GET", f"/gradio_api/call/{endpoint}/{joined.json()['event_id']}") as stream:
                for _ in stream.iter_bytes():
                    if time.monotonic() > end:
                        break
    except httpx.HTTPError as error:
        return type(error).__name__
    return ""
