"""Many users at once on the starters: nobody gets an error but "busy", waits stay fair, the page stays quick."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from prove.table import Row, at_most, none_of
from tests.serving import running

ASKED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("text_to_image", {"prompt": "a red apple on a table", "width": 64, "height": 64}),
    ("write", {"prompt": "Write one sentence about the sea.", "max_new_tokens": 8}),
    ("music", {"prompt": "a short waltz", "duration": 2}),
)
EVENT = ("citations", {"answer": "Rain is wet [1].", "passages": ["Rain is wet."]})
"""What the page asks for while others run: no model, no place at the device."""
BUSY = ("wait", "busy", "queue is full", "too many")
PAGE = 5.0
"""Seconds of a page's event at the 95th percentile that must hold on any machine; the aim is a tenth of it."""


@dataclass
class Seen:
    """What the users met."""

    waits: list[float] = field(default_factory=list[float])
    events: list[float] = field(default_factory=list[float])
    busy: int = 0
    errors: list[str] = field(default_factory=list[str])


def asked(client: httpx.Client, endpoint: str, values: dict[str, Any]) -> str:
    """Run an endpoint to its end; '' if it ended well, else what was said."""
    try:
        joined = client.post(f"/gradio_api/call/v2/{endpoint}", json=values)
        if joined.status_code != 200:
            return f"{joined.status_code} {joined.text[:200]}"
        ended = client.get(f"/gradio_api/call/{endpoint}/{joined.json()['event_id']}").text.rstrip().splitlines()
    except httpx.HTTPError as error:
        return type(error).__name__
    if len(ended) > 1 and ended[-2] == "event: complete":
        return ""
    return str(json.loads(ended[-1].removeprefix("data: "))) if ended else "nothing"


def measured(cache: Path, folder: Path, users: int, seconds: float) -> list[Row]:
    """Let `users` ask for `seconds`, each again as soon as they were answered."""
    seen, lock = Seen(), threading.Lock()
    with running(cache, folder, "--max-queue", str(max(32, users))) as (url, _):
        with httpx.Client(base_url=url, timeout=600) as client:
            for endpoint, values in ASKED:  # every model is loaded before the clock runs
                asked(client, endpoint, values)
        end = time.monotonic() + seconds

        def use(number: int) -> None:
            chance = random.Random(number)
            with httpx.Client(base_url=url, timeout=600) as client:
                while time.monotonic() < end:
                    endpoint, values = chance.choice(ASKED)
                    began = time.monotonic()
                    said = asked(client, endpoint, {**values, "seed": chance.randrange(2**32)})
                    with lock:
                        _note(seen, said, time.monotonic() - began)

        def look() -> None:
            with httpx.Client(base_url=url, timeout=600) as client:
                while time.monotonic() < end:
                    began = time.monotonic()
                    said = asked(client, *EVENT)
                    with lock:
                        seen.events.append(time.monotonic() - began)
                        seen.errors.extend([f"page: {said}"] if said else [])
                    time.sleep(0.5)

        began = time.monotonic()
        threads = [*(threading.Thread(target=use, args=(number,)) for number in range(users)), threading.Thread(target=look)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return _rows(seen, users, time.monotonic() - began)


def _note(seen: Seen, said: str, took: float) -> None:
    if not said:
        seen.waits.append(took)
    elif any(word in said.casefold() for word in BUSY):
        seen.busy += 1
    else:
        seen.errors.append(said)


def _rows(seen: Seen, users: int, took: float) -> list[Row]:
    jobs = len(seen.waits)
    service = took / max(jobs, 1)
    page = float(np.percentile(seen.events, 95)) if seen.events else 0.0
    return [
        none_of(f"{users} users for {took:.0f} s: errors other than busy", seen.errors, jobs + seen.busy + len(seen.errors)),
        Row("jobs done, and told to wait", f"{jobs:,} and {seen.busy:,}", "some done", jobs > 0),
        at_most(f"largest wait (2 x {service:.2f} s x {users} waiting)", max(seen.waits, default=0), 2 * service * users, " s"),
        at_most("a page's event meanwhile, 95th percentile", page, PAGE, " s"),
    ]
