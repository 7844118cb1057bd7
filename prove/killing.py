"""A studio that is killed while it works, again and again, under its supervisor: it comes back, and nothing that it kept is damaged."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import psutil

from prove.load import ASKED, asked
from prove.table import Row, at_most, none_of
from studio import fsck
from studio.library import Library

ROOT = Path(__file__).resolve().parent.parent
SUPERVISED = "import sys, supervise; sys.exit(supervise.supervise([sys.executable, 'app.py', *sys.argv[1:]], pause=0.1, limit=10_000))"
"""supervise.py as `make serve` starts it, but for its patience: there the fifth crash within a minute is the last."""
BACK = 240.0
"""Seconds after which a studio that does not answer counts as lost."""


def measured(cache: Path, folder: Path, kills: int) -> list[Row]:
    """Kill a server `kills` times at random moments while three people use it; then hold its home against itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    options = ["--port", str(port), "--home", str(folder / "home"), "--cache", str(cache), "--offline"]
    variables = {**os.environ, "GRADIO_TEMP_DIR": str(folder / "web"), "HF_HUB_OFFLINE": "1"}
    with (folder / "server.txt").open("w") as out:
        process = subprocess.Popen([sys.executable, "-c", SUPERVISED, *options], cwd=ROOT, env=variables, stdout=out, stderr=out)
    over = threading.Event()
    users = [threading.Thread(target=_use, args=(f"http://127.0.0.1:{port}", number, over)) for number in range(3)]
    back: list[float] = []
    try:
        _awaited(port)
        for user in users:
            user.start()
        for number in range(kills):
            time.sleep(random.Random(number).uniform(0.2, 3))
            for child in psutil.Process(process.pid).children():
                child.send_signal(signal.SIGKILL)
            back.append(_awaited(port))
    finally:
        over.set()
        process.terminate()
        process.wait(60)
        for user in users:
            user.join(60)
    return _rows(folder / "home", kills, back)


def _rows(home: Path, kills: int, back: list[float]) -> list[Row]:
    library = Library(home)
    try:
        kept = library.list(limit=100_000)
        damaged: list[object] = [creation.id for creation in kept if not creation.path.is_file() or creation.path.stat().st_size == 0]
        running = library.journal.jobs(("queued", "running"))
    finally:
        library.close()
    damaged += [finding.what for finding in fsck.check(home) if "no creation names" not in finding.what]  # those are swept after an hour
    return [
        none_of("kill -9 under load: what is damaged of what was kept", damaged, len(kept)),
        none_of("runs that count as running after the last start", running, kills),
        Row("came back by itself", f"{len(back)} of {kills}", f"{kills}", len(back) == kills),
        at_most("seconds until it answers again, the longest", max(back, default=0.0), BACK),
    ]


def _use(url: str, number: int, over: threading.Event) -> None:
    chance = random.Random(number)
    while not over.is_set():
        with httpx.Client(base_url=url, timeout=30) as client:
            endpoint, values = chance.choice(ASKED)
            asked(client, endpoint, values)  # what a killed server says is no matter here
        over.wait(0.1)


def _awaited(port: int) -> float:
    """Seconds until the page answers."""
    began = time.monotonic()
    while time.monotonic() - began < BACK:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200:
                return time.monotonic() - began
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise TimeoutError("the studio did not come back")
