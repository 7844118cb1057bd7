"""Models from the Hub: against a tiny Hub on the loopback, folders of the Hub's own layout, and an address where nobody answers."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save

from studio import fetching
from studio.creations import Preview, Progress
from studio.errors import Cancelled, DownloadFailed, ModelUnavailable, ModelUnsafe, StorageFull
from studio.hub import fetch, locate, locked, wanted
from studio.models import Hub

COMMIT, NEWER = "a" * 40, "b" * 40
REPO = "someone/tiny"
WEIGHTS = save({"a": np.zeros((16, 16), np.float32)})
FILES = {
    "README.md": b"# tiny",
    "model_index.json": json.dumps({"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}).encode(),
    "unet/config.json": b"{}",
    "unet/diffusion_pytorch_model.safetensors": WEIGHTS,
    "unet/diffusion_pytorch_model.bin": b"\x80\x04never",
    "tiny.safetensors": WEIGHTS * 3,
    "pipeline.py": b"raise SystemExit",
}


@dataclass
class TinyHub:
    """A Hub of one repository. `pace` seconds pass for each 64 kB; `gone` and `gated` are answers it gives instead."""

    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    commit: str = COMMIT
    pace: float = 0
    status: int = 200
    code: str = ""
    asked: list[str] = field(default_factory=list[str])

    def serve(self) -> ThreadingHTTPServer:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                hub.asked.append(f"{self.command} {self.path}")
                self.answer(*hub.reply(self.path.partition("?")[0]))

            def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "HEAD":
                    return
                try:
                    for start in range(0, len(body), 1 << 16):
                        self.wfile.write(body[start : start + (1 << 16)])
                        time.sleep(hub.pace)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_request(self, code: object = None, size: object = None) -> None: ...

        return ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def reply(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers. A gated repository shows its lists and refuses its files."""
        listing = path.startswith("/api/")
        name = path.partition(f"/resolve/{self.commit}/")[2]
        if self.status != 200 and listing != (self.code == "GatedRepo"):
            return self.status, b"{}", {"X-Error-Code": self.code}
        if path.startswith(f"/api/models/{REPO}/tree/"):
            return 200, json.dumps(self.tree()).encode(), {}
        if path in (f"/api/models/{REPO}", f"/api/models/{REPO}/revision/{self.commit}"):
            siblings = [{"rfilename": name, "size": len(data)} for name, data in self.files.items()]
            return 200, json.dumps({"id": REPO, "sha": self.commit, "siblings": siblings}).encode(), {}
        if name in self.files:
            etag = hashlib.sha256(self.files[name]).hexdigest()
            return 200, self.files[name], {"ETag": f'"{etag}"', "X-Repo-Commit": self.commit}
        return 404, b"{}", {"X-Error-Code": "RepoNotFound"}

    def tree(self) -> list[dict[str, object]]:
        return [{"type": "file", "path": n, "size": len(d), "oid": hashlib.sha1(d).hexdigest()} for n, d in self.files.items()]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyHub]:
    hub = TinyHub()
    with hub.serve() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield hub
        server.shutdown()


@dataclass
class Seen:
    events: list[Progress] = field(default_factory=list[Progress])
    stop_beyond: float = float("inf")

    def __call__(self, event: Progress | Preview) -> None:
        assert isinstance(event, Progress)
        self.events.append(event)
        if event.phase == "downloading" and event.done > self.stop_beyond:
            raise Cancelled


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def layout(cache: Path, files: dict[str, bytes], commit: str = COMMIT) -> Path:
    """A cache folder as the Hub's own library lays it out."""
    folder = cache / "models--someone--tiny"
    for name, data in files.items():
        blob = folder / "blobs" / hashlib.sha256(data).hexdigest()
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(data)
        link = folder / "snapshots" / commit / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(commit)
    return folder / "snapshots" / commit


def test_safe_files_come_pinned_and_nothing_else(tmp_path: Path, hub: TinyHub) -> None:
    source, seen = Hub(repo=REPO, revision=COMMIT), Seen()
    assert locate(source, tmp_path, tmp_path / "home") is None
    path = fetch(source, tmp_path, tmp_path / "home", seen)
    assert names(path) == ["README.md", "model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"]
    assert (path / "unet/diffusion_pytorch_model.safetensors").read_bytes() == WEIGHTS
    assert locate(source, tmp_path, tmp_path / "home") == path
    assert path.name == COMMIT
    assert not (tmp_path / "home").exists(), "a card that names its commit needs no lock"
    assert seen.events[-1].total == sum(len(FILES[name]) for name in names(path))
    assert {event.note for event in seen.events} == {REPO}


def test_the_newest_commit_is_asked_for_once_and_kept(tmp_path: Path, hub: TinyHub) -> None:
    source, home = Hub(repo=REPO), tmp_path / "home"
    path = fetch(source, tmp_path, home, Seen())
    assert locked(home) == {REPO: COMMIT}
    asked = len(hub.asked)
    assert fetch(source, tmp_path, home, Seen()) == path
    assert len(hub.asked) == asked
    assert locate(source, tmp_path, tmp_path / "another home") == path, "a new home downloads nothing"


def test_a_stop_ends_a_slow_download_at_once_and_what_came_whole_is_kept(tmp_path: Path, hub: TinyHub) -> None:
    source, home = Hub(repo=REPO), tmp_path / "home"
    hub.files = {"config.json": b"{}", "model.safetensors": save({"a": np.zeros(1_000_000, np.float32)})}
    hub.pace = 0.05
    started = time.monotonic()
    seen = Seen(stop_beyond=1_000_000)
    with pytest.raises(Cancelled):
        fetch(source, tmp_path, home, seen)
    stopped = time.monotonic()
    assert seen.events[-1].done < 3_500_000
    assert stopped - started < 15
    assert locate(source, tmp_path, home) is None
    assert not list(tmp_path.rglob("*.incomplete"))
    assert names(tmp_path / "hub" / "models--someone--tiny" / "snapshots") == [f"{COMMIT}/config.json"]
    hub.pace, hub.asked = 0, []
    path = fetch(source, tmp_path, home, Seen())
    assert locate(source, tmp_path, home) == path
    assert not [line for line in hub.asked if line.startswith("GET") and line.endswith("config.json")], "what came whole comes once"


@pytest.mark.slow
def test_progress_moves_while_one_large_file_comes(tmp_path: Path, hub: TinyHub) -> None:
    hub.files = {"config.json": b"{}", "model.safetensors": save({"a": np.zeros(1_500_000, np.float32)})}
    hub.pace = 0.01
    seen = Seen()
    fetch(Hub(repo=REPO), tmp_path, tmp_path, seen)
    done = [event.done for event in seen.events]
    assert done == sorted(done)
    assert len({value for value in done if 0 < value < 6_000_000}) >= 3


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        pytest.param(401, "RepoNotFound", "has no model someone/tiny", marks=pytest.mark.slow),
        pytest.param(404, "RevisionNotFound", "no longer has the version", marks=pytest.mark.slow),
        (403, "GatedRepo", "accept its terms"),
        pytest.param(500, "", "broke off", marks=pytest.mark.slow),
    ],
)
def test_each_refusal_of_the_hub_is_one_sentence(tmp_path: Path, hub: TinyHub, status: int, code: str, words: str) -> None:
    hub.status, hub.code = status, code
    with pytest.raises(DownloadFailed, match=words):
        fetch(Hub(repo=REPO, revision=COMMIT), tmp_path, tmp_path, Seen())
    assert fetching.unreachable(tmp_path, "hub") == "", "the Hub answered"
    assert locate(Hub(repo=REPO, revision=COMMIT), tmp_path, tmp_path) is None


def test_a_hub_out_of_reach_is_noticed_in_seconds_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    started = time.monotonic()
    with pytest.raises(DownloadFailed, match="cannot be reached") as first:
        fetch(Hub(repo=REPO), tmp_path, tmp_path, Seen())
    assert time.monotonic() - started < 12
    monkeypatch.setattr(fetching, "run_child", lambda *_, **__: pytest.fail("it asked again"))
    with pytest.raises(DownloadFailed) as second:
        fetch(Hub(repo=REPO), tmp_path, tmp_path, Seen())
    assert str(second.value) == str(first.value)


def test_the_hubs_own_switch_is_respected(tmp_path: Path, hub: TinyHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadFailed, match="HF_HUB_OFFLINE is set"):
        fetch(Hub(repo=REPO), tmp_path, tmp_path, Seen())
    assert hub.asked == []


def test_no_room_is_said_before_weights_come(tmp_path: Path, hub: TinyHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.pace = 0.2
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: SimpleNamespace(free=500))
    with pytest.raises(StorageFull, match="someone/tiny needs"):
        fetch(Hub(repo=REPO), tmp_path, tmp_path, Seen())
    assert locate(Hub(repo=REPO), tmp_path, tmp_path) is None


@pytest.mark.slow
def test_a_repository_of_pickles_alone_is_refused(tmp_path: Path, hub: TinyHub) -> None:
    hub.files = {"config.json": b"{}", "pytorch_model.bin": b"\x80\x04"}
    with pytest.raises(DownloadFailed, match=r"no weights as \.safetensors"):
        fetch(Hub(repo=REPO), tmp_path, tmp_path, Seen())
    assert not [line for line in hub.asked if "pytorch_model" in line]


@pytest.mark.slow
def test_damaged_and_incomplete_repositories_never_count_as_here(tmp_path: Path, hub: TinyHub) -> None:
    hub.files = {"config.json": b"{}", "model.safetensors": b"\x80\x04 a pickle by another name"}
    with pytest.raises(ModelUnsafe, match="could run code"):
        fetch(Hub(repo=REPO), tmp_path, tmp_path, Seen())
    assert locate(Hub(repo=REPO), tmp_path, tmp_path) is None
    hub.files = {**FILES, "model_index.json": json.dumps({"unet": ["diffusers", "X"], "vae": ["diffusers", "Y"]}).encode()}
    hub.commit = NEWER
    with pytest.raises(ModelUnavailable, match="lacks vae"):
        fetch(Hub(repo=REPO), tmp_path, tmp_path, Seen())
    assert locate(Hub(repo=REPO), tmp_path, tmp_path) is None
    assert locked(tmp_path) == {}


def test_a_deleted_or_cut_file_makes_it_absent(tmp_path: Path, hub: TinyHub) -> None:
    source = Hub(repo=REPO)
    path = fetch(source, tmp_path, tmp_path, Seen())
    (path / "unet" / "config.json").unlink()
    assert locate(source, tmp_path, tmp_path) is None
    assert fetch(source, tmp_path, tmp_path, Seen()) == path
    assert locate(source, tmp_path, tmp_path) == path
    blob = (path / "unet" / "diffusion_pytorch_model.safetensors").resolve()
    blob.write_bytes(blob.read_bytes()[:-5])
    assert locate(source, tmp_path, tmp_path) is None


@pytest.mark.slow
def test_two_cards_of_one_repository_do_not_answer_for_each_other(tmp_path: Path, hub: TinyHub) -> None:
    hub.files = {"q4.gguf": b"GGUF" + bytes(60), "q8.gguf": b"GGUF" + bytes(90)}
    small, large = Hub(repo=REPO, allow=("q4.gguf",)), Hub(repo=REPO, allow=("q8.gguf",))
    path = fetch(small, tmp_path, tmp_path, Seen())
    assert names(path) == ["q4.gguf"]
    assert locate(large, tmp_path, tmp_path) is None
    assert names(fetch(large, tmp_path, tmp_path, Seen())) == ["q4.gguf", "q8.gguf"]
    assert locate(small, tmp_path, tmp_path) == path


def test_a_cache_that_others_filled_is_used_as_it_is(tmp_path: Path) -> None:
    safe = {name: data for name, data in FILES.items() if not name.endswith((".bin", ".py"))}
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    snapshot = layout(theirs, safe)
    for source in (Hub(repo=REPO), Hub(repo=REPO, revision=COMMIT)):
        assert locate(source, mine, tmp_path, (theirs,)) == snapshot
    assert locate(Hub(repo=REPO, revision=NEWER), mine, tmp_path, (theirs,)) is None
    assert locate(Hub(repo=REPO, allow=("*.gguf",)), mine, tmp_path, (theirs,)) is None
    assert locate(Hub(repo=REPO), mine, tmp_path) is None
    assert locate(Hub(repo=REPO), tmp_path, tmp_path) is None
    layout(mine / "hub", safe)
    assert locate(Hub(repo=REPO), mine, tmp_path) == mine / "hub" / "models--someone--tiny" / "snapshots" / COMMIT
    (theirs / "models--someone--tiny" / "blobs" / "x.incomplete").touch()
    assert locate(Hub(repo=REPO), tmp_path, tmp_path, (theirs,)) is None


def test_locating_is_quick(tmp_path: Path) -> None:
    snapshot = layout(tmp_path / "hub", FILES)
    started = time.perf_counter()
    for _ in range(20):
        assert locate(Hub(repo=REPO), tmp_path, tmp_path) == snapshot
    assert (time.perf_counter() - started) / 20 < 0.02


@pytest.mark.parametrize("text", ["", "[", '"someone/tiny" = 3', '"someone/tiny" = "main"'])
def test_a_damaged_lock_reads_as_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "models.lock").write_text(text)
    assert locked(tmp_path) == {}


class TestWanted:
    """Which files of a repository come."""

    DIFFUSERS = (
        "model_index.json",
        "LICENSE.md",
        "sd_xl_base_1.0.safetensors",
        "tokenizer/vocab.json",
        "tokenizer/merges.txt",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.bin",
        "unet/model.onnx",
        "vae/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "text_encoder/model-00001-of-00002.safetensors",
        "text_encoder/model-00002-of-00002.safetensors",
        "text_encoder/model.safetensors.index.json",
        "text_encoder/model.fp16-00001-of-00002.safetensors",
        "text_encoder/model.fp16-00002-of-00002.safetensors",
        "text_encoder/model.safetensors.index.fp16.json",
        "custom.py",
    )

    def test_a_pipeline_comes_once_without_variants(self) -> None:
        chosen = wanted(self.DIFFUSERS)
        assert "sd_xl_base_1.0.safetensors" not in chosen
        assert not [name for name in chosen if "fp16" in name or name.endswith((".bin", ".py", ".onnx"))]
        assert {"LICENSE.md", "tokenizer/merges.txt", "text_encoder/model-00002-of-00002.safetensors"} <= set(chosen)

    def test_a_variant_comes_where_there_is_one(self) -> None:
        chosen = wanted(self.DIFFUSERS, variant="fp16")
        weights = [name for name in chosen if ".safetensors" in name]
        assert weights == [
            "text_encoder/model.fp16-00001-of-00002.safetensors",
            "text_encoder/model.fp16-00002-of-00002.safetensors",
            "text_encoder/model.safetensors.index.fp16.json",
            "unet/diffusion_pytorch_model.fp16.safetensors",
            "vae/diffusion_pytorch_model.safetensors",
        ]

    def test_a_language_model_comes_without_its_copies(self) -> None:
        files = ["config.json", "tokenizer.model", "chat_template.jinja", "consolidated.safetensors", "model-00001-of-00002.safetensors"]
        files += ["model-00002-of-00002.safetensors", "model.safetensors.index.json", "original/model.safetensors", "original/params.json"]
        chosen = wanted(files)
        assert set(files) - set(chosen) == {"consolidated.safetensors", "original/model.safetensors"}
        assert wanted(["model.safetensors", "consolidated.safetensors"]) == ["model.safetensors"]
        assert wanted(["adapter.safetensors", "adapter_config.json"]) == ["adapter.safetensors", "adapter_config.json"]

    def test_a_list_of_the_card_holds_but_never_lets_a_pickle_in(self) -> None:
        files = ["a.gguf", "b.gguf", "a.bin", "x.py", "../a.gguf", "a.CKPT"]
        assert wanted(files, ("a*", "*.py", "*a.gguf")) == ["a.gguf"]
