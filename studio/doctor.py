"""What this machine has for the studio, and what to do about what it lacks. Prints nothing; see `python -m studio doctor`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from studio import sources
from studio.device import Device
from studio.models import ModelCard
from studio.settings import Settings

OLDEST, NEWEST = (3, 11), (3, 13)
LEAST_MEMORY, LEAST_ROOM = 1.5, 1.0  # GB: both starters in memory at once; pictures and the writer on the disk


@dataclass(frozen=True)
class Check:
    """One line: what was found, and what to do about it ('' when all is well)."""

    found: str
    advice: str = ""


def examine(settings: Settings, cards: Iterable[ModelCard]) -> Iterator[Check]:
    """Yield one check after the other; imports torch to see the device it will use."""
    yield _python()
    torch = _torch()
    yield torch
    if not torch.advice:
        device = Device(settings.device, settings.memory)
        yield _device(device)
        yield _memory(device)
    for name, folder in (("home", settings.home), ("cache", settings.cache)):
        yield _disk(name, folder)
    places = sources.Places(settings.assets, settings.cache, settings.home, settings.offline)
    for card in cards:
        if card.starter:
            yield _starter(card, places)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return Check(f"Python {version}")
    return Check(f"Python {version}", "install Python 3.11, 3.12 or 3.13 and run `make run` again")


def _torch() -> Check:
    if find_spec("torch") is None:
        return Check("torch is not installed", "run `pip install -r requirements.txt` in this Python")
    import torch

    return Check(f"torch {torch.__version__}")


def _device(device: Device) -> Check:
    import torch

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if not present[device.kind]:
        return Check(f"device {device.kind}, which torch does not find", "start with --device auto, or install the torch of this device")
    return Check(f"device {device.kind}: {device.name}")


def _memory(device: Device) -> Check:
    have = device.memory / 1e9
    if have < LEAST_MEMORY:
        return Check(f"{have:.1f} GB of memory for models", f"close other programs: the starters take up to {LEAST_MEMORY} GB together")
    return Check(f"{have:.1f} GB of memory for models")


def _disk(name: str, folder: Path) -> Check:
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 1e9
    if not os.access(place, os.W_OK):
        return Check(f"{name} {folder} cannot be written", f"choose another folder with --{name}")
    if free < LEAST_ROOM:
        return Check(f"{name} {folder}: {free:.1f} GB free", f"free some space, or choose another folder with --{name}")
    return Check(f"{name} {folder}: {free:.0f} GB free")


def _starter(card: ModelCard, places: sources.Places) -> Check:
    ready = sources.ready(card, places)
    if ready is None:
        return Check(f"{card.name} is not here", "run `make starters` or `python -m studio starters`")
    lacking = [name for name in card.companions if name not in ready.companion_files]
    if lacking:
        return Check(f"{card.name} is here without its {', '.join(lacking)}", "run `make starters` or `python -m studio starters`")
    return Check(f"{card.name} is here")
