"""A real studio, or a page alone, in a process of its own: for the tests that come in by HTTP or by a browser."""

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
def running(
    cache: Path, folder: Path, *options: str, environment: dict[str, str] | None = None, cwd: Path = ROOT
) -> Generator[tuple[str, int]]:
    """Yield the address and the process id of a studio that is offline, with its home and temp folders in `folder`, its code in `cwd`."""
    port = _free_port()
    options = ("--port", str(port), "--home", str(folder / "home"), "--cache", str(cache), "--offline", *options)
    with _serving(["app.py", *options], port, folder, {"HF_HUB_OFFLINE": "1", **(environment or {})}, cwd) as process:
        yield f"http://127.0.0.1:{port}", process.pid


@contextmanager
def alone(page: str, folder: Path) -> Generator[str]:
    """Yield the address of a page without a studio behind it: a module of tests/browser that serves one at the port it is given."""
    port = _free_port()
    with _serving(["-m", f"tests.browser.{page}", str(port)], port, folder, {}):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def program(module: str, *options: str, folder: Path, environment: dict[str, str]) -> Generator[str]:
    """Yield the address of a module that takes the options of app.py after its own, with its home and temp folders in `folder`."""
    port = _free_port()
    options = (*options, "--port", str(port), "--home", str(folder / "home"))
    with _serving(["-m", module, *options], port, folder, environment):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _serving(
    command: list[str], port: int, folder: Path, environment: dict[str, str], cwd: Path = ROOT
) -> Generator[subprocess.Popen[bytes]]:
    """Yield the process of a Python command once it serves at `port`."""
    log = folder / "server.txt"
    variables = {**os.environ, "GRADIO_TEMP_DIR": str(folder / "web"), **environment}
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, *command], cwd=cwd, env=variables, stdout=out, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 240
        while not _answers(f"http://127.0.0.1:{port}"):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"The page did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.2)
        yield process
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
