"""A weight file from an address: what comes, what is kept of it, and what is refused. The server is this machine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from studio import addresses, fetching, stocking
from studio.creations import Preview, Progress
from studio.errors import Cancelled, DownloadFailed, ModelUnsafe, StorageFull
from studio.models import Address, ModelCard
from studio.sources import Places, fetch, locate

GGUF = b"GGUF" + bytes(range(256)) * 2000


def silent(_: Progress | Preview) -> None: ...


class Server(ThreadingHTTPServer):
    """Gives `data` at /model.gguf; `most` bytes an answer; remembers what part was asked for."""

    data = GGUF
    most: int | None = None
    asked: list[str]


class Answers(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride] (the only server it answers for)

    def do_GET(self) -> None:
        self.server.asked.append(self.headers.get("Range", ""))
        if self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", "/model.gguf")
            self.end_headers()
        elif not self.path.startswith("/model"):
            self.send_error(404)
        else:
            begin = int(self.headers.get("Range", "bytes=0-")[6:-1])
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(self.server.data) - begin))
            self.end_headers()
            self.wfile.write(self.server.data[begin:][: self.server.most])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the library's name)
        return


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server = Server(("127.0.0.1", 0), Answers)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def address(server: Server, data: bytes = GGUF, path: str = "/model.gguf") -> Address:
    """A card names encrypted addresses alone; the test's own server has no certificate."""
    url = f"http://127.0.0.1:{server.server_address[1]}{path}"
    return Address.model_construct(url=url, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "assets", tmp_path / "cache", tmp_path / "home")


def test_a_file_is_brought_once_and_found_again(server: Server, places: Places) -> None:
    source, events = address(server, path="/away/model.gguf"), list[Progress]()
    assert locate(source, places) is None
    path = fetch(source, places, lambda event: events.append(event) if isinstance(event, Progress) else None)
    assert path.read_bytes() == GGUF
    assert path.is_relative_to(places.cache)
    assert any(event.phase == "downloading" and event.total == len(GGUF) for event in events)
    asked = len(server.asked)
    assert locate(source, places) == path == fetch(source, places, silent)
    assert len(server.asked) == asked
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_interrupted_download_goes_on_where_it_was(server: Server, places: Places) -> None:
    server.most = 100_000
    with pytest.raises(DownloadFailed, match="was cut short"):
        fetch(address(server), places, silent)
    server.most = None
    assert fetch(address(server), places, silent).read_bytes() == GGUF
    assert server.asked == ["", "bytes=100000-"]


@pytest.mark.parametrize("data", [GGUF[:-1] + b"x", GGUF + b"more"], ids=["other", "longer"])
def test_another_file_than_the_named_one_is_refused_and_deleted(server: Server, places: Places, data: bytes) -> None:
    server.data = data
    with pytest.raises(ModelUnsafe, match="differs from the checksum on its card"):
        fetch(address(server), places, silent)
    assert locate(address(server), places) is None
    assert not [file for file in places.cache.rglob("*") if file.is_file() and file.stat().st_size > 1000]


def test_what_the_server_does_not_have_is_said(server: Server, places: Places) -> None:
    with pytest.raises(DownloadFailed, match=r"does not give gone\.gguf \(404"):
        fetch(address(server, path="/gone.gguf"), places, silent)


def test_a_server_that_is_not_there_is_remembered(server: Server, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    source = address(server).model_copy(update={"url": "http://127.0.0.1:9/model.gguf"})
    with pytest.raises(DownloadFailed, match="cannot be reached"):
        fetch(source, places, silent)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a child was started")

    monkeypatch.setattr(fetching, "run_child", refuse)
    with pytest.raises(DownloadFailed, match="cannot be reached"):
        fetch(source, places, silent)
    with pytest.raises(AssertionError, match="a child"):
        fetch(source, places, silent, force=True)


def test_offline_nothing_is_asked(server: Server, places: Places) -> None:
    with pytest.raises(DownloadFailed, match="downloads are off"):
        fetch(address(server), Places(places.assets, places.cache, places.home, offline=True), silent)
    assert server.asked == []


def test_a_stop_ends_the_download(server: Server, places: Places) -> None:
    def stop(event: Progress | Preview) -> None:
        if isinstance(event, Progress) and event.phase == "downloading":
            raise Cancelled

    with pytest.raises(Cancelled):
        fetch(address(server), places, stop)
    assert locate(address(server), places) is None


def test_a_budget_that_is_full_is_said_before_anything_is_asked(server: Server, places: Places) -> None:
    with pytest.raises(StorageFull, match="raise --cache-gb"):
        addresses.fetch(address(server), places.cache, silent, budget=1000)
    assert server.asked == []


@pytest.mark.thorough
def test_a_pickle_is_kept_as_safetensors_alone(server: Server, places: Places, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    torch.save({"weight": torch.arange(5.0)}, tmp_path / "weights.pt")
    server.data = (tmp_path / "weights.pt").read_bytes()
    source = address(server, server.data, "/model.pt")
    path = fetch(source, places, silent)
    assert path.suffix == ".safetensors"
    assert load_file(path)["weight"].tolist() == [0, 1, 2, 3, 4]
    assert locate(source, places) == path
    assert not list((places.cache / "files").iterdir())


def test_a_connection_never_becomes_a_plain_one() -> None:
    import urllib.error
    import urllib.request

    asked = urllib.request.Request("https://127.0.0.1/a.gguf")
    follow = addresses._Secure().redirect_request
    with pytest.raises(urllib.error.HTTPError, match="without encryption"):
        follow(asked, None, 302, "Found", {}, "http://127.0.0.1/a.gguf")
    assert follow(asked, None, 302, "Found", {}, "https://127.0.0.1/b.gguf") is not None


@pytest.mark.parametrize(
    "url",
    ["http://example.org/a.pt", "file:///etc/a.pt", "https://example.org/", "https://example.org/a", "https://example.org/a.pt?b", "a.pt"],
)
def test_a_card_names_an_encrypted_address_of_a_file(url: str) -> None:
    with pytest.raises(ValidationError):
        Address(url=url, sha256="0" * 64, bytes=1)


def test_a_public_studio_takes_such_a_card_since_what_it_names_cannot_change() -> None:
    source = Address(url="https://example.org/a.safetensors", sha256="0" * 64, bytes=1)
    card = ModelCard(name="Ours", engine="lama", serves=("inpaint",), source=source)
    assert stocking.admitted([card]) == (card,)


def test_a_program_is_no_model_file(tmp_path: Path) -> None:
    with pytest.raises(ModelUnsafe, match="no model file"):
        addresses.locate(Address(url="https://example.org/a.exe", sha256="0" * 64, bytes=1), tmp_path)
