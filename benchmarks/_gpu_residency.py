"""What it costs to bring a model back to a GPU, to let it go and to change tabs, beside a plain copy from pinned memory. Not a script."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from studio.device import Device
from studio.engines import diffusion
from studio.manager import Manager
from studio.models import ModelCard
from studio.tasks import Inpaint, Task, TextToImage
from tests import tiny

ROUNDS = 5
PROBE = 1 << 30
"""Bytes of the plain copy."""


def residency(card: ModelCard, side: int, device: Device) -> dict[str, Any]:
    """Least seconds of ROUNDS, and the bytes that the ledger saw come and go: switch-in, eviction, a change of tabs when all fits.

    Without CUDA there is no pinned memory: the copy and the share of its speed are None.
    """
    task = TextToImage.checked({"prompt": "an apple", "width": side, "height": side, "steps": 2, "seed": 1})
    box = (side // 4, side // 4, side // 2, side // 2)
    edit = Inpaint.checked({**tiny.marked(_scratch(card), side, side, box), "prompt": "an apple", "steps": 2, "seed": 1})
    manager, asked = Manager(device), lambda one: dataclasses.replace(diffusion.recipe(card, one, device), ways=())
    size = sum(part.bytes for part in asked(task).components.values())
    _leased(manager, asked, task)
    comes, goes, freed = list[float](), list[float](), 0
    for _ in range(ROUNDS):
        _settle(device)
        began = time.perf_counter()
        freed = manager.unload()
        _settle(device)
        goes.append(time.perf_counter() - began)
        comes.append(_leased(manager, asked, task))
    _leased(manager, asked, edit)
    before = manager.status().traffic
    turns = [_leased(manager, asked, one) for _ in range(ROUNDS) for one in (task, edit)]
    moved = sum(manager.status().traffic[what][1] - before[what][1] for what in before)
    manager.close()
    rate, plain = size / min(comes), _copied(device)
    return {
        "weights_gb": round(size / 1e9, 3),
        "switch_in_seconds": round(min(comes), 4),
        "switch_in_gb_s": round(rate / 1e9, 2),
        "pinned_copy_gb_s": None if plain is None else round(plain / 1e9, 2),
        "switch_in_share_of_copy": None if plain is None else round(rate / plain, 3),
        "eviction_seconds": round(min(goes), 5),
        "eviction_freed_gb": round(freed / 1e9, 3),
        "tab_switch_ms": round(min(turns) * 1000, 3),
        "tab_switch_bytes": moved,
    }


def _leased(manager: Manager, asked: Callable[[Task], Any], task: Task) -> float:
    """Seconds until a lease has everything on the device; the recipe is made before."""
    recipe = asked(task)
    began = time.perf_counter()
    with manager.lease(recipe, task, lambda _: None):
        _settle(manager.device)
        return time.perf_counter() - began


def _copied(device: Device) -> float | None:
    """Bytes a second of a plain copy from pinned memory; None without CUDA."""
    if device.kind != "cuda":
        return None
    import torch

    there, seconds = torch.empty(PROBE, dtype=torch.uint8).pin_memory(), list[float]()
    for _ in range(ROUNDS):
        _settle(device)
        began = time.perf_counter()
        moved = there.to(device.place, non_blocking=True)
        _settle(device)
        seconds.append(time.perf_counter() - began)
        del moved
    return PROBE / min(seconds)


def _scratch(card: ModelCard) -> Any:
    assert card.files is not None
    folder = card.files.with_name(f"{card.files.name}-picture")
    folder.mkdir(exist_ok=True)
    return folder


def _settle(device: Device) -> None:
    if device.kind == "cuda":
        import torch

        torch.cuda.synchronize()
