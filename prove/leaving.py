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


def measured(cache: Path, folder: Path, times: int) -> list[Row]:
    """Begin `times` runs, four at once, and leave each after up to a second."""
    with running(cache, folder) as (url, _), httpx.Client(base_url=url, timeout=600) as client:
        for endpoint, values in ASKED:
            asked(client, endpoint, values)
        alone = min(_seconds(client) for _ in range(5))
        with ThreadPoolExecutor(4) as threads:
            failed = [said for said in threads.map(lambda seed: _left(url, seed), range(times)) if said]
        freed = _seconds(client)
        after = [said for endpoint, values in ASKED for said in [asked(client, endpoint, values)] if said]
        waiting = client.get("/gradio_api/queue/status").json().get("queue_size", 0)
    return [
        none_of("runs left, reloaded or stopped at random: what failed otherwise", failed, times),
        at_most("runs that still wait when all have left", float(waiting), 0),
        at_most(f"the next run (alone {alone:.2f} s): it waits for no leaked place", freed, alone * 10 + 10, " s"),
        none_of("runs afterwards that fail", after, len(ASKED)),
    ]


def _seconds(client: httpx.Client) -> float:
    began = time.monotonic()
    asked(client, *ASKED[0])
    return time.monotonic() - began


def _left(url: str, seed: int) -> str:
    """Begin a long run and go; '' if the studio took it as it should."""
    chance = random.Random(seed)
    endpoint, values = chance.choice(ASKED)
    long = {"text_to_image": {"count": 8}, "write": {"max_new_tokens": 400}, "music": {"duration": 60}}[endpoint]
    try:
        with httpx.Client(base_url=url, timeout=600) as client:
            joined = client.post(f"/gradio_api/call/v2/{endpoint}", json={**values, **long, "seed": seed})
            if joined.status_code != 200:
                return joined.text[:200]
            if chance.random() < 0.2:
                return ""  # a page that was reloaded before it listened
            end = time.monotonic() + chance.random()
            with client.stream("GET", f"/gradio_api/call/{endpoint}/{joined.json()['event_id']}") as stream:
                for _ in stream.iter_bytes():
                    if time.monotonic() > end:
                        break
    except httpx.HTTPError as error:
        return type(error).__name__
    return ""
