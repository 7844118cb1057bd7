"""First page: CPU-seconds until it is served, against the same app with torch, diffusers and transformers imported first.

Claim: at most 0.45 of the peer's.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import _measure
import psutil

ROOT = Path(__file__).resolve().parent.parent
EAGER = (
    "import torch, sys; from diffusers import AutoPipelineForText2Image; from transformers import AutoModelForCausalLM;"
    "sys.argv[0] = 'app.py'; import app; app.main()"
)


def serve(*start: str) -> float:
    """CPU-seconds of the process, user and system, until its page answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--port", str(port), "--home", f"{folder}/home", "--offline"]
        process = subprocess.Popen([sys.executable, *start, *options], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while process.poll() is None:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
                        page.read()
                    break
                except (urllib.error.URLError, OSError):
                    time.sleep(0.05)
            times = psutil.Process(process.pid).cpu_times()
            return times.user + times.system
        finally:
            process.kill()
            process.wait()


def main() -> None:
    """Measure and print."""
    found = _measure.rounds({"studio": lambda: serve("app.py"), "eager": lambda: serve("-c", EAGER)})
    ratio = found["studio"] / found["eager"]
    print(f"first page: {found['studio']:.2f} CPU-s; with heavy imports first {found['eager']:.2f}; ratio {ratio:.2f} (claim <= 0.45)")
    print(f"  median of 5, interleaved; {_measure.machine()}")


if __name__ == "__main__":
    main()
