"""A real studio in a process of its own, for the tests that come in by HTTP or by a browser."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def running(cache: Path, folder: Path, *options: str, environment: dict[str, str] | None = None) -> Generator[tuple[str, int]]:
    """Yield the address and the process id of a studio that is offline, with its home and temp folders in `folder`."""
    port = _free_port()
    log = folder / "server.txt"
    variables = {**os.environ, "GRADIO_TEMP_DIR": str(folder / "web"), "HF_HUB_OFFLINE": "1", **(environment or {})}
    command = [sys.executable, "app.py", "--port", str(port), "--home", str(folder / "home"), "--cache", str(cache), "--offline", *options]
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=out, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 90
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"The studio did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.2)
        yield url, process.pid
    finally:
        process.send_signal(signal.SIGTERM)  # not SIGINT, which a shell's background jobs ignore, and so do their children
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
