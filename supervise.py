"""Keeps the studio running: starts app.py again when it crashes. `python supervise.py [options of app.py]`; `make serve` calls it.

It waits 1, 2, 4, ... seconds between starts, gives up at the fifth crash within a minute, ends when the app ends by itself or
refuses its options (exit status 0 or 2), and passes interrupt, termination and hang-up on to the app. It knows nothing else of the app.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def supervise(command: list[str], pause: float = 1, window: float = 60, limit: int = 5) -> int:
    """Run `command` until it ends well, a signal stops it, or it crashes `limit` times within `window` seconds; its exit status."""
    child: subprocess.Popen[bytes] | None = None
    stopped = threading.Event()
    crashes: list[float] = []

    def pass_on(number: int, _frame: object) -> None:
        stopped.set()
        if child is not None:
            child.send_signal(number)

    for number in SIGNALS:
        signal.signal(number, pass_on)
    while not stopped.wait(pause * 2 ** (len(crashes) - 1) if crashes else 0):
        child = subprocess.Popen(command, process_group=0)  # a group of its own: Ctrl-C reaches it once, through us
        if stopped.is_set():  # a signal came while it started
            child.terminate()
        status = child.wait()
        if stopped.is_set() or status in (0, 2):
            return max(status, 0)  # ended by the signal it was sent: as asked
        now = time.monotonic()
        crashes = [*(at for at in crashes if now - at < window), now]
        print(f"The studio ended with exit status {status}: crash {len(crashes)} within {window:g} seconds.", flush=True)
        if len(crashes) == limit:
            print("It is not started again; its last messages stand above.", flush=True)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(supervise([sys.executable, str(Path(__file__).with_name("app.py")), *sys.argv[1:]]))
