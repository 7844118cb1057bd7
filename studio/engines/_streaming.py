"""Weights that stay in the machine's memory and come to the device layer by layer, just before each is used; then they go again.

The device holds a layer or two at a time. On CUDA the next layer comes while one works. Done by hooks of diffusers on the module for as
long as it lives, so a streamed module is a copy of its own, which no other pipeline has. Knows modules and headers; no task.
"""

from __future__ import annotations

from math import prod
from typing import Any

from studio.components import Weights

AT_ONCE = 3
"""Layers of the largest kind that may be on the device: one at work, one on its way, one whose place is not free yet."""


def room(found: Weights, itemsize: int) -> int:
    """Bytes that the layers take on the device beside the work itself."""
    return AT_ONCE * max((prod(tensor.shape) * itemsize for _, tensor in found.tensors), default=0)


def streamed(module: Any, place: str, pinned: bool) -> Any:
    """Let the layers of a module on the CPU come to the device `place` as they are needed.

    `pinned` keeps all of them where a GPU can fetch them at full speed, which takes as much of the machine's memory again as they have.
    """
    import torch
    from diffusers.hooks.group_offloading import apply_group_offloading

    stream = place.startswith("cuda")
    apply_group_offloading(
        module,
        onload_device=torch.device(place),
        offload_device=torch.device("cpu"),
        offload_type="leaf_level",
        use_stream=stream,
        record_stream=stream,
        low_cpu_mem_usage=stream and not pinned,
    )
    return module
