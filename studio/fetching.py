"""What every download shares: a child process that can be stopped, a turn for each target, room on the disk, remembered checks.

Knows no model, no index and no Hub.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from filelock import FileLock, Timeout

from studio.creations import Progress, Report
from studio.errors import DownloadFailed, StorageFull

BEAT = 0.1  # seconds between two looks at a child
UNREACHABLE_SECONDS = 600
FILLED = 0.9
"""The part of a disk budget that downloads take: the rest is for what is written besides."""

ROOT = Path(__file__).resolve().parent.parent


def run_child(
    command: Sequence[str],
    tick: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
    words: str = "",
    seconds: float | None = None,
    cwd: Path | None = None,
) -> tuple[int | None, str]:
    """Run a program to its end; returns its exit status (None: it ran past `seconds`) and all it printed.

    `tick(news)` is called ten times a second with what was printed since; whatever it raises ends the child and passes on.
    `words` is sent to its standard input, which stays open: a child of ours reads there that this process died.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atelier-child-")))
        written = stack.enter_context((folder / "output").open("wb"))
        read = stack.enter_context((folder / "output").open("r", encoding="utf-8", errors="replace"))
        variables = {**os.environ, **(environment or {})}  # noqa: TID251 (handed on to the child, not read)
        child = subprocess.Popen(list(command), cwd=cwd, env=variables, stdin=subprocess.PIPE, stdout=written, stderr=subprocess.STDOUT)
        stack.callback(_end, child)
        with contextlib.suppress(BrokenPipeError):
            assert child.stdin is not None
            child.stdin.write(words.encode())
            child.stdin.flush()
        printed: list[str] = []
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            over = child.poll() is not None
            printed.append(read.read())
            tick(printed[-1])
            if over or (end is not None and time.monotonic() > end):
                return (child.returncode if over else None), "".join(printed)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(BEAT)


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of the studio in this Python; it needs ROOT as its working directory."""
    return [sys.executable, "-m", module, *arguments]


@contextlib.contextmanager
def turn(cache: Path, name: str, report: Report) -> Generator[None]:
    """Hold `name` against other processes and threads; waits its turn, reporting, so that a stop is noticed."""
    folder = cache / "locks"
    writable(folder)
    lock = FileLock(folder / f"{_short(name)}.lock")
    while True:
        try:
            lock.acquire(timeout=2 * BEAT)
            break
        except Timeout:
            report(Progress("waiting", unit="bytes", note=f"another run is fetching {name}"))
    try:
        yield
    finally:
        lock.release()


def writable(folder: Path) -> None:
    """Make the folder, or say in words why it cannot be."""
    with storing(folder.name):
        folder.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def storing(name: str) -> Generator[None]:
    """Errors of the disk become sentences."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"The disk became full while {name} was fetched: free some space and try again.") from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise DownloadFailed("The cache folder cannot be written: choose another one with --cache.") from None
        raise


def need_room(folder: Path, wanted: int, name: str, budget: int | None = None) -> None:
    """Refuse before a download of `wanted` bytes that the disk of `folder`, or `FILLED` of the `budget` it may take, cannot hold."""
    if budget is not None and (taken := folder_bytes(folder)) + wanted > budget * FILLED:
        raise StorageFull(
            f"{name} needs {_gb(wanted)} GB, and models take {_gb(taken)} of the {_gb(int(budget * FILLED))} GB they may have here: "
            "delete some from the cache folder, or raise --cache-gb."
        )
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise StorageFull(f"{name} needs {_gb(wanted)} GB of disk space and {_gb(free)} GB are free: free some space, or move --cache.")


def checksum(path: Path, report: Report, name: str) -> str:
    """SHA-256 of a file, in hex, reporting as it reads."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
            done += len(block)
            report(Progress("loading", done, total, "bytes", note=f"checking {name}"))
    return digest.hexdigest()


def mark(cache: Path, path: Path, meaning: str, names: Iterable[str] | None = None) -> None:
    """Remember that `path` (or these `names` in it), as it is now, passed what `meaning` says, such as a checksum."""
    chosen = None if names is None else sorted(names)
    write_whole(_mark(cache, path, meaning), json.dumps({"names": chosen, "stamp": _stamp(path, chosen)}))


def marked(cache: Path, path: Path, meaning: str) -> bool:
    """Whether `path` was so marked and has not changed since: sizes and times are compared, nothing is read."""
    entry = read_json(_mark(cache, path, meaning))
    try:
        return bool(entry) and entry["stamp"] == _stamp(path, entry["names"])
    except (OSError, KeyError):
        return False


def unreachable(cache: Path, service: str) -> str:
    """The sentence remembered since the service could not be reached in the last ten minutes, or ''."""
    entry = read_json(cache / "unreachable.json").get(service)
    match entry:
        case {"since": int() | float() as since, "sentence": str(sentence)} if 0 <= time.time() - since < UNREACHABLE_SECONDS:
            return sentence
        case _:
            return ""


def remember_unreachable(cache: Path, service: str, sentence: str) -> None:
    """Keep the sentence for ten minutes; an empty one forgets."""
    known = read_json(cache / "unreachable.json")
    if sentence:
        write_whole(cache / "unreachable.json", json.dumps({**known, service: {"since": time.time(), "sentence": sentence}}))
    elif service in known:
        write_whole(cache / "unreachable.json", json.dumps({name: entry for name, entry in known.items() if name != service}))


def write_whole(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the old or the new text, never a part."""
    with storing(path.name):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; an absent or damaged file reads as empty, since everything kept so can be found out again."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder that may be changing right now; a link counts as itself."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(place) / name).lstat().st_size
    return total


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(2)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child.stdin is not None:
        with contextlib.suppress(OSError):
            child.stdin.close()


def _stamp(path: Path, names: Sequence[str] | None) -> list[list[str | int]]:
    if names is None:
        names = [""] if path.is_file() else sorted(f.relative_to(path).as_posix() for f in path.rglob("*") if f.is_file())
    states = [(name, (path / name if name else path).stat()) for name in names]
    return [[name, state.st_size, state.st_mtime_ns] for name, state in states]


def _mark(cache: Path, path: Path, meaning: str) -> Path:
    return cache / "marks" / f"{_short(meaning + str(path.absolute()))}.json"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f}" if size >= 1e8 else f"{size / 1e9:.3f}"
