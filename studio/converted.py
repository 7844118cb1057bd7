"""Weights in the number format that they are used in: converted once, then kept, so that reading them again costs next to nothing.

Each entry is a folder of the cache, as the libraries save a module, under a name that follows from what the original files hold. They
may take `limit` bytes; the ones used longest ago go first, and whatever is missing or damaged is made again from the originals. Knows
folders and bytes; knows no model family, no framework and no device.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from studio.errors import ModelUnavailable
from studio.shortage import ran_out
from studio.storage import sync_folder

if TYPE_CHECKING:
    from studio.settings import Settings

Value = TypeVar("Value")

log = logging.getLogger("atelier")

SAMPLES, SAMPLE = 64, 4096
"""Places of a file whose bytes are looked at, and bytes at each: enough to tell weights apart without reading all of them."""
SPARED = 2_000_000_000
"""Bytes that stay free on the disk."""
_PART = ".part-"
_DAY = 86_400


@dataclass(frozen=True)
class Converted:
    """Converted weights in `folder`, up to `limit` bytes. Several processes may share it."""

    folder: Path
    limit: int

    def get(self, name: str, read: Callable[[Path], Value]) -> Value | None:
        """What `read(folder)` makes of an entry, which counts as used now; None where there is none, or none that can be read."""
        from safetensors import SafetensorError

        entry = self.folder / name
        try:
            os.utime(entry)
        except OSError:
            return None
        try:
            return read(entry)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError, ModelUnavailable) as error:
            if ran_out(error):
                raise
            log.warning("converted weights cannot be read (%s): they are made again from the model's own", type(error).__name__)
            shutil.rmtree(entry, ignore_errors=True)
            return None

    def keep(self, name: str, size: int, save: Callable[[Path], object]) -> bool:
        """Have about `size` bytes saved into a new entry by `save(folder)`; older entries make room. False where they are not kept.

        An entry appears whole or not at all. A disk that is full or read-only costs the entry, never the run.
        """
        from safetensors import SafetensorError

        if size > self.limit:
            return False
        part = self.folder / f"{_PART}{secrets.token_hex(8)}"
        try:
            part.mkdir(parents=True)
            self._make_room(size)
            if shutil.disk_usage(self.folder).free < size + SPARED:
                return False
            save(part)
            _synced(part)
            part.rename(self.folder / name)
            sync_folder(self.folder)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:  # the last two for what the library cannot save
            log.warning("converted weights were not kept: %s", error)
            return False
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return True

    def _make_room(self, size: int) -> None:
        entries = sorted(self._entries())
        total = sum(held for _, held, _ in entries)
        for _, held, entry in entries:
            if total + size <= self.limit:
                return
            shutil.rmtree(entry, ignore_errors=True)
            total -= held

    def _entries(self) -> Iterable[tuple[float, int, Path]]:
        """When each was used last, its bytes, its folder. What an interrupted process left is swept away after a day."""
        for entry in self.folder.iterdir():
            try:
                used = entry.stat().st_mtime
                held = sum(file.stat().st_size for file in entry.iterdir())
            except OSError:
                continue
            if not entry.name.startswith(_PART):
                yield used, held, entry
            elif time.time() - used > _DAY:
                shutil.rmtree(entry, ignore_errors=True)


def of(settings: Settings) -> Converted | None:
    """Where these settings keep converted weights; None where they keep none, as in every public studio."""
    if settings.public or not settings.converted_gb:
        return None
    return Converted(settings.cache / "converted", int(settings.converted_gb * 1e9))


def name_of(key: str, files: Iterable[Path]) -> str:
    """The name of what is made of `files` for a component of that key: it follows from the key, their sizes and samples of their bytes."""
    found = hashlib.sha256(key.encode())
    for file in sorted(files):
        size = file.stat().st_size
        found.update(f"\0{file.name}\0{size}\0".encode())
        with file.open("rb") as opened:
            for place in range(SAMPLES):
                opened.seek(place * max(0, size - SAMPLE) // (SAMPLES - 1))
                found.update(opened.read(SAMPLE))
    return found.hexdigest()[:32]


def _synced(folder: Path) -> None:
    """On the disk, before the entry is named: a power cut leaves no file of zeros."""
    for file in folder.iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    sync_folder(folder)
