"""The allocator is asked for few heaps where it is glibc's, and left alone elsewhere."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from studio import allocator

HEAPS = """
import ctypes, io, threading
from studio import allocator
if {told}:
    assert allocator.keep_small()
gate = threading.Barrier(9)
def hold():
    kept = [bytes(1000) for _ in range(1000)]
    gate.wait()
    gate.wait()
threads = [threading.Thread(target=hold) for _ in range(8)]
for thread in threads:
    thread.start()
gate.wait()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = libc.fopen(b"{path}", b"w")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
gate.wait()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_threads_share_few_heaps(tmp_path: Path) -> None:
    heaps: list[int] = []
    for told in (False, True):
        path = tmp_path / f"{told}.xml"
        subprocess.run([sys.executable, "-c", HEAPS.format(told=told, path=path)], check=True)
        heaps.append(path.read_text().count("<heap nr="))
    assert heaps[0] > heaps[1] <= allocator.ARENAS


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.sys, "platform", "darwin")
    assert not allocator.keep_small()
