"""The machine a model runs on: which device, how much memory, which number format, how many threads.

The only place beside the engines that may import torch, and only inside functions: the first page is served without it.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import psutil

Kind = Literal["cuda", "mps", "cpu"]


@dataclass(frozen=True)
class Device:
    """One device. `wanted` is "auto" or a kind; `budget_gb` caps its memory (None: what the machine has free)."""

    wanted: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    budget_gb: float | None = None

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
        """Bytes that models may take on it: the cap, or 90 % of what is free when first asked."""
        if self.budget_gb is not None:
            return int(self.budget_gb * 1e9)
        if self.kind == "cuda":
            import torch

            return int(torch.cuda.mem_get_info()[0] * 0.9)
        return int(_free_memory() * 0.9)

    @property
    def name(self) -> str:
        """For example 'NVIDIA H200' or '2 CPU cores'."""
        if self.kind == "cuda":
            import torch

            return str(torch.cuda.get_device_name())
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
    free = int(psutil.virtual_memory().available)
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        return min(free, limit - used)
    except (OSError, ValueError):
        return free


def _accelerator_likely() -> bool:
    return sys.platform == "darwin" or Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None


def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
