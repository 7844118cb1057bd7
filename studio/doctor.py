"""What this machine has for the studio, and what to do about what it lacks. Prints nothing; see `python -m studio doctor`."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from studio import audit, sources
from studio.device import Device
from studio.errors import StudioError
from studio.index import reading
from studio.models import ModelCard
from studio.safety import pictures
from studio.schema import STEPS
from studio.settings import Settings, on_spaces
from studio.storage import RESERVE

OLDEST, NEWEST = (3, 11), (3, 13)
LEAST_MEMORY, LEAST_ROOM = 1.5, 1.0  # GB: both starters in memory at once; pictures and the writer on the disk

RIGHT = 499_500.0  # 0 + 1 + ... + 999


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
        yield _answer(device)
        if device.kind == "cpu":
            yield _processor(settings)
    for name, folder in (("home", settings.home), ("cache", settings.cache)):
        yield _disk(name, folder)
    if (settings.home / "library.sqlite").exists():
        yield _library(settings.home)
    if (settings.home / "audit").exists():
        yield audited(settings.home)
    if settings.public:
        yield from _among_strangers(settings)
    places = sources.Places(settings.assets, settings.cache, settings.home, settings.offline)
    for card in cards:
        if card.starter:
            yield _starter(card, places)


def audited(home: Path) -> Check:
    """The chain of the audit log."""
    try:
        found = audit.verified(home)
    except OSError:
        return Check("the audit log cannot be read", "allow it, or put its folder back from a backup")
    if found.wrong:
        advice = "somebody changed it: compare the folder audit of the home folder with a backup"
        return Check(f"the audit log is not whole: {found.wrong}", advice)
    lines = found.last - found.first + 1 if found.last else 0
    return Check(f"the audit log is whole: {lines:,} line{'' if lines == 1 else 's'}")


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


def _answer(device: Device) -> Check:
    """A small sum on the device, brought back: a device that is there may still be lost."""
    import torch

    try:
        right = float(torch.arange(1000.0, device=device.kind).sum().item()) == RIGHT
    except (RuntimeError, AssertionError) as error:
        advice = "close what else uses it, restart the machine, then look at its driver; until then start with --device cpu"
        return Check(f"device {device.kind} does not answer ({str(error).splitlines()[0][:120]})", advice)
    if not right:
        return Check(f"device {device.kind} computes wrongly", "start with --device cpu: the device or its driver is faulty")
    return Check(f"device {device.kind} answers")


def _processor(settings: Settings) -> Check:
    """What makes pictures quicker on a CPU, for those who want it."""
    if find_spec("openvino") is None:
        return Check("OpenVINO is not installed: `pip install openvino` lets diffusion models draw quicker on many processors")
    if not settings.openvino or settings.public or not settings.converted_gb:
        return Check("OpenVINO is installed, and these settings do not use it")
    return Check("OpenVINO is installed: diffusion models use it where it is quicker")


def _disk(name: str, folder: Path) -> Check:
    place = folder
    while not place.exists():
        place = place.parent
    refusal = _refusal(place)
    if refusal == errno.EROFS:
        return Check(f"{name} {folder} lies on a disk that is read-only", f"make it writable, or choose another folder with --{name}")
    if refusal in (errno.ENOSPC, errno.EDQUOT):
        return Check(f"{name} {folder}: the disk is full", f"free some space, or choose another folder with --{name}")
    if refusal:
        return Check(f"{name} {folder} cannot be written ({os.strerror(refusal)})", f"allow it, or choose another folder with --{name}")
    free = shutil.disk_usage(place).free / 1e9
    if free < RESERVE / 1e9:
        advice = f"free some space now, or choose another folder with --{name}"
        return Check(f"{name} {folder}: {free:.1f} GB free, so that nothing more can be saved", advice)
    if free < LEAST_ROOM:
        return Check(f"{name} {folder}: {free:.1f} GB free", f"free some space, or choose another folder with --{name}")
    return Check(f"{name} {folder}: {free:.0f} GB free")


def _refusal(place: Path) -> int:
    """The number of the error with which a file of a few bytes is refused there; 0 where it is taken."""
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _library(home: Path) -> Check:
    """The index, looked through quickly; `fsck` reads every file too."""
    try:
        with reading(home / "library.sqlite", len(STEPS)) as index:
            (answer,) = index.execute("PRAGMA quick_check(1)").fetchone()
            (count,) = index.execute("SELECT count(*) FROM creations").fetchone()
    except StudioError as error:
        words, _, advice = str(error).partition(": ")
        return Check(words, advice.rstrip(".") or "run `python -m studio fsck`")
    if answer != "ok":
        return Check("the library's index is damaged", "run `python -m studio fsck`, then put back a backup; no file is lost")
    return Check(f"the library's index is sound: {count:,} creation{'' if count == 1 else 's'}")


def _among_strangers(settings: Settings) -> Iterator[Check]:
    """What a public studio should have beside the rest."""
    if pictures.installed():
        yield Check("pictures are looked at before they are shown")
    else:
        advice = f"run `pip install {pictures.PACKAGE}`; until then only the models that ship with the studio make pictures"
        yield Check("nothing looks at pictures before strangers see them", advice)
    if on_spaces() and settings.secret is None:
        advice = "set ATELIER_SECRET to at least 16 characters, or keep home on a disk that stays"
        yield Check("marks and visitors are known by a secret in home alone, which a Space forgets", advice)


def _starter(card: ModelCard, places: sources.Places) -> Check:
    ready = sources.ready(card, places)
    if ready is None:
        return Check(f"{card.name} is not here", "run `make starters` or `python -m studio starters`")
    lacking = [name for name in card.companions if name not in ready.companion_files]
    if lacking:
        return Check(f"{card.name} is here without its {', '.join(lacking)}", "run `make starters` or `python -m studio starters`")
    return Check(f"{card.name} is here")
