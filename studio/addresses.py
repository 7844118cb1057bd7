"""One weight file from an address, by a child process that can be stopped; what is kept was compared with its SHA-256.

What came already of an interrupted download is kept and gone on with. A pickle or a TorchScript archive is never kept: its tensors are
taken out without running it (pickles.py) and lie in the cache as safetensors. Knows no card and no engine.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from studio import fetching, pickles
from studio.creations import Progress, Report
from studio.errors import DownloadFailed, ModelUnsafe, StorageFull
from studio.models import Address
from studio.weights import PICKLE_SUFFIXES, WEIGHT_SUFFIXES, inspect

CONTACT_SECONDS, SILENT_SECONDS = 3, 30
UNREACHABLE, REFUSED, FULL, BROKEN = 3, 4, 5, 6
"""Exit statuses of the child: no contact; the server said no; no room; the connection broke or the size is another."""
_BLOCK = 1 << 18


def locate(source: Address, cache: Path) -> Path | None:
    """The file in the cache if it was verified there and has not changed since."""
    target = _target(source, cache)
    return target if fetching.marked(cache, target, source.sha256) else None


def name_of(source: Address) -> str:
    """The file's own name."""
    return PurePosixPath(unquote(urlsplit(source.url).path)).name


def fetch(source: Address, cache: Path, report: Report, *, force: bool = False, budget: int | None = None) -> Path:
    """Bring the file here, verified, and return where it lies.

    `force` asks the server even though it could not be reached a moment ago; `budget` are the bytes that the cache may hold. Raises
    DownloadFailed, ModelUnsafe, StorageFull, Cancelled.
    """
    name, target = name_of(source), _target(source, cache)
    service = f"the server {urlsplit(source.url).hostname}"
    with fetching.turn(cache, source.sha256, report):
        if locate(source, cache) is not None:
            return target
        # 1. Room for the file and, where it is taken apart, for what is kept of it.
        if not force and (sentence := fetching.unreachable(cache, service)):
            raise DownloadFailed(sentence)
        partial = cache / "files" / f".{source.sha256}" / name
        fetching.writable(partial.parent)
        here = partial.stat().st_size if partial.is_file() else 0
        fetching.need_room(cache, (1 if _kept_whole(name) else 2) * source.bytes - here, name, budget)
        # 2. The bytes, compared with their checksum.
        _download(source, cache, partial, service, report)
        if fetching.checksum(partial, report, name) != source.sha256:
            shutil.rmtree(partial.parent, ignore_errors=True)
            raise ModelUnsafe(f"{name} differs from the checksum on its card and was deleted; try again, or tell who made the card.")
        # 3. Looked through, or taken apart, and put in place at once.
        try:
            fetching.writable(target.parent)
            if _kept_whole(name):
                inspect(partial)
                with fetching.storing(name):
                    partial.replace(target)
            else:
                pickles.convert(partial, source.sha256, target, report)
        finally:
            shutil.rmtree(partial.parent, ignore_errors=True)
        fetching.mark(cache, target, source.sha256)
        return target


def _kept_whole(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in WEIGHT_SUFFIXES


def _target(source: Address, cache: Path) -> Path:
    suffix = PurePosixPath(name_of(source)).suffix.lower()
    if suffix in WEIGHT_SUFFIXES:
        return cache / "files" / f"{source.sha256}{suffix}"
    if suffix in PICKLE_SUFFIXES | {".bin"}:
        return cache / "converted" / f"{source.sha256}.safetensors"
    raise ModelUnsafe(f"{name_of(source)} is no model file the studio reads; correct the address on the model's card.")


def _download(source: Address, cache: Path, partial: Path, service: str, report: Report) -> None:
    name = name_of(source)

    def tick(_: str) -> None:
        with contextlib.suppress(OSError):
            report(Progress("downloading", min(source.bytes, partial.stat().st_size), source.bytes, "bytes", note=name))

    report(Progress("downloading", 0, source.bytes, "bytes", note=name))
    command = fetching.python("studio.addresses", source.url, str(partial.absolute()), str(source.bytes))
    status, words = fetching.run_child(command, tick, cwd=fetching.ROOT)
    if status == 0:
        fetching.remember_unreachable(cache, service, "")
        return
    if status == FULL:
        raise StorageFull(f"The disk became full while {name} was fetched: free some space and try again.")
    if status == REFUSED:
        raise DownloadFailed(
            f"{service.capitalize()} does not give {name} ({words.strip()[:80]}): correct the address on the model's card."
        )
    if status == UNREACHABLE:
        sentence = f"{service.capitalize()} cannot be reached, so {name} could not be fetched: check the connection and try again."
        fetching.remember_unreachable(cache, service, sentence)
        raise DownloadFailed(sentence)
    raise DownloadFailed(f"The download of {name} was cut short: try again, and it goes on where it was.")


def main(url: str, target: str, size: str) -> int:
    """The child: returns its exit status, and says on standard output what the server answered if it refused."""
    from studio import child

    child.end_with_parent()
    path, wanted = Path(target), int(size)
    if path.is_file() and path.stat().st_size > wanted:
        path.unlink()
    try:
        return _brought(url, path, wanted)
    except urllib.error.HTTPError as error:
        sys.stdout.write(f"{error.code} {error.reason}")
        if error.code == 416:  # what is here goes beyond what is there
            path.unlink(missing_ok=True)
            return BROKEN
        return REFUSED
    except OSError as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, OSError) and reason.errno in (28, 122):  # no space, no quota
            return FULL
        return UNREACHABLE if isinstance(error, urllib.error.URLError) else BROKEN


def _brought(url: str, path: Path, wanted: int) -> int:
    """Add what is missing to the file at `path`, until it has `wanted` bytes."""
    here = path.stat().st_size if path.is_file() else 0
    if here == wanted:
        return 0
    _contact(url)
    going_on = {"Range": f"bytes={here}-"} if here else {}
    asked = urllib.request.Request(url, headers={"User-Agent": "atelier", **going_on})  # noqa: S310 (of a card, encrypted alone)
    opener = urllib.request.build_opener(_Secure())
    with opener.open(asked, timeout=SILENT_SECONDS) as answer:
        goes_on = answer.status == 206
        with path.open("ab" if goes_on else "wb") as file:
            _written(answer, file, wanted - (here if goes_on else 0))
    return 0 if path.stat().st_size >= wanted else BROKEN  # what is longer is found out by its checksum


def _contact(url: str) -> None:
    """A server that does not answer at all is noticed soon. Where a proxy stands between, its own time counts."""
    place = urlsplit(url)
    if place.scheme not in urllib.request.getproxies() and place.hostname:
        try:
            socket.create_connection((place.hostname, place.port or 443), CONTACT_SECONDS).close()
        except OSError as error:
            raise urllib.error.URLError(error) from error


def _written(answer: Any, file: IO[bytes], most: int) -> None:
    """What the server sends, but never more than the card says: one byte beyond shows that it is another file."""
    while most >= 0 and (block := answer.read(min(_BLOCK, most + 1))):
        file.write(block)
        file.flush()
        most -= len(block)


class _Secure(urllib.request.HTTPRedirectHandler):
    """Follows a server that sends elsewhere, but never from an encrypted connection to another kind."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> urllib.request.Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise urllib.error.HTTPError(newurl, code, "it leads to an address without encryption", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
