"""The machine a model runs on: which device, how much memory, which number format, how many threads.

The only place beside the engines that may import torch, and only inside functions: the first page is served without it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

from studio.pinned import Pinned

if TYPE_CHECKING:
    from studio.converted import Converted

Kind = Literal["cuda", "mps", "cpu"]

SHARE = 0.9
"""Of the memory that is free, models take so much: the rest is for what nobody counts."""


@dataclass(frozen=True)
class Device:
    """One device. `wanted` is "auto" or a kind; `budget_gb` caps its memory (None: what the machine has free).

    `converted` keeps weights once they are in the device's number format, where there is a place for them. With `openvino`, pictures on
    a CPU may be made by that package where it is installed. `index` tells several of a kind apart (None: the one that the framework
    takes by itself); `beside` is the first of them, whose pinned weights serve them all.
    """

    wanted: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    budget_gb: float | None = None
    converted: Converted | None = None
    openvino: bool = False
    index: int | None = None
    beside: Device | None = None

    @cached_property
    def kind(self) -> Kind:
        """The device in use. Imports torch only where an accelerator is likely."""
        if self.wanted != "auto":
            return self.wanted
        if not _accelerator_likely():
            return "cpu"
        import torch

        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"

    @cached_property
    def memory(self) -> int:
        """Bytes that models may take on it where they hold nothing yet: the cap, or 90 % of what is free when first asked."""
        return self.room(0) if self.budget_gb is None else int(self.budget_gb * 1e9)

    def room(self, held: int) -> int:
        """Bytes that models may take on it now, all in all, when they hold `held` of them: 90 % of that and what is free, at most the cap.

        It follows what other programs take and give back. On a CPU only memory of the process's own counts as held: files mapped into
        it are as good as free. Asks the system each time, about a millisecond.
        """
        if self.kind == "cuda":
            import torch

            spare = torch.cuda.memory_reserved(self.index) - torch.cuda.memory_allocated(self.index)
            free = torch.cuda.mem_get_info(self.index)[0] + spare
        else:
            free = _free_memory()
            held = min(held, _own_memory()) if self.kind == "cpu" else held
        live = int((free + held) * SHARE)
        return live if self.budget_gb is None else min(live, int(self.budget_gb * 1e9))

    def watch(self) -> Callable[[], int | None]:
        """Begin to measure; the function it returns tells by how many bytes memory in use grew at its highest since. None: not known here.

        On CUDA it is what torch's allocator gave out, so the memory of llama.cpp and of libraries' own work spaces is not in it. On a
        CPU, under Linux alone, it is the growth of the whole process without mapped files: what another request took meanwhile is in it,
        and what the allocator had kept from before is not.
        """
        if self.kind == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats(self.index)
            begun = torch.cuda.memory_allocated(self.index)
            return lambda: torch.cuda.max_memory_allocated(self.index) - begun
        if self.kind == "mps" or not _peak_begins_anew():
            return lambda: None
        held, mapped = _resident()
        return lambda: max(0, _highest() - held - max(0, _resident()[1] - mapped))

    @property
    def place(self) -> str:
        """What torch calls it: "cpu", "mps", "cuda", or "cuda:1" for one of several."""
        return self.kind if self.index is None else f"{self.kind}:{self.index}"

    def others(self) -> tuple[Device, ...]:
        """The further devices of its kind in this machine, each with what it has free as its budget. Imports torch on CUDA."""
        if self.kind != "cuda" or self.index is not None:
            return ()
        import torch

        alike = replace(self, wanted="cuda", budget_gb=None, beside=self)
        return tuple(replace(alike, index=index) for index in range(1, torch.cuda.device_count()))

    @property
    def name(self) -> str:
        """For example 'NVIDIA H200' or '2 CPU cores'."""
        if self.kind == "cuda":
            import torch

            return str(torch.cuda.get_device_name(self.index))
        return "Apple GPU" if self.kind == "mps" else f"{threads()} CPU core{'s' if threads() != 1 else ''}"

    @cached_property
    def dtype(self) -> Any:
        """The number format for diffusion and language models, a torch dtype: bf16 where the device has it; never fp16 on a CPU."""
        import torch

        if self.kind == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
        if self.kind == "mps":
            return torch.float16
        return torch.bfloat16 if _cpu_has_bf16() else torch.float32

    @cached_property
    def pinned(self) -> Pinned | None:
        """Where weights of this device stay when they have gone from it; None where it has no memory of its own."""
        if self.beside is not None:
            return self.beside.pinned
        return Pinned(_free_memory) if self.kind == "cuda" else None

    def release(self) -> None:
        """Give freed memory back to the device's allocator, if torch is loaded at all."""
        torch = sys.modules.get("torch")
        if torch is not None and self.kind == "cuda":
            torch.cuda.empty_cache()


def threads() -> int:
    """CPU threads this process may use: the cgroup quota and the affinity mask, whichever is smaller."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(allowed, round(int(quota) / int(period))))
    except (OSError, ValueError):
        return allowed


def _free_memory() -> int:
    """What the machine has left, or the control groups this process is in, if that is less."""
    return min([int(psutil.virtual_memory().available), *_limits()])


def _limits() -> Iterator[int]:
    """What each control group over this process has left: its limit less what it holds that could not be dropped, in bytes."""
    root = Path("/sys/fs/cgroup")
    try:
        lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return
    for _, controllers, inside in lines:
        if controllers and "memory" not in controllers.split(","):
            continue
        home, names = (root / "memory", _FIRST) if controllers else (root, _SECOND)
        place = home / inside.strip("/")
        while place.is_relative_to(home):
            left = _left(place, *names)
            if left is not None:
                yield left
            place = place.parent


_FIRST = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_SECOND = ("memory.max", "memory.current", "inactive_file")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_ENDLESS = 1 << 60
"""What the first kind of control group says where there is no limit."""


def _left(group: Path, limit: str, usage: str, droppable: str) -> int | None:
    """None where the group sets no limit."""
    try:
        most = int((group / limit).read_text())
        if most >= _ENDLESS:
            return None
        used = int((group / usage).read_text())
        facts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return max(0, most - used + int(facts.get(droppable, 0)))


def _own_memory() -> int:
    """Bytes of this process that are no mapped file."""
    held, mapped = _resident()
    return held - mapped


def _resident() -> tuple[int, int]:
    """Bytes of this process that are in memory, and how many of them are mapped files, where that is known."""
    try:
        _, held, mapped = _read("/proc/self/statm").split()[:3]
        return int(held) * _PAGE, int(mapped) * _PAGE
    except (OSError, ValueError):
        return int(psutil.Process().memory_info().rss), 0


def _peak_begins_anew() -> bool:
    """Let the system count the most memory this process had from here on; whether it does."""
    try:
        descriptor = os.open("/proc/self/clear_refs", os.O_WRONLY)
    except OSError:
        return False
    try:
        os.write(descriptor, b"5")
        return _highest() > 0
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _highest() -> int:
    """Bytes of this process at their highest since the count began; 0 where the system does not tell."""
    try:
        _, found, rest = _read("/proc/self/status").partition(b"VmHWM:")
        return int(rest.split(None, 1)[0]) * 1024 if found else 0
    except (OSError, ValueError):
        return 0


def _read(name: str) -> bytes:
    """A small file of the system, several times as fast as by its usual door: it is asked at every run."""
    descriptor = os.open(name, os.O_RDONLY)
    try:
        return os.read(descriptor, 8192)
    finally:
        os.close(descriptor)


def _accelerator_likely() -> bool:
    return sys.platform == "darwin" or Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None


def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
