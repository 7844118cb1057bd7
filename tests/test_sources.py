"""Where weights come from: what is here, what is fetched, what is refused."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from studio import fetching, sources
from studio.creations import Preview, Progress
from studio.errors import Cancelled, DownloadFailed, ModelUnavailable, ModelUnsafe
from studio.models import Bundled, Folder, Hub, ModelCard, Package, SingleFile, Source
from studio.sources import Places, fetch, locate, ready

PACKAGE = Package(name="nowhere", version="1.0", sha256="0" * 64, member="nowhere/x.gguf", member_sha256="0" * 64, bytes=10)
HUB = Hub(repo="no/where", revision="a" * 40)


def silent(_: Progress | Preview) -> None: ...


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "assets").mkdir()
    return Places(tmp_path / "assets", tmp_path / "cache", tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small transformers folder."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    save_file({"a": np.zeros((2, 3), np.float32)}, folder / "model.safetensors")
    return folder


def card(source: Source, **companions: Source) -> ModelCard:
    return ModelCard(name="Card", engine="any", serves=("write",), source=source, companions=companions)


def test_what_ships_is_here_as_it_lies(places: Places) -> None:
    (places.assets / "starter").mkdir()
    source = Bundled(path="starter")
    assert locate(source, places) == places.assets / "starter"
    assert fetch(source, places, silent) == places.assets / "starter"


def test_what_does_not_ship_is_one_sentence(places: Places) -> None:
    assert locate(Bundled(path="starter"), places) is None
    with pytest.raises(ModelUnavailable, match="missing from this copy"):
        fetch(Bundled(path="starter"), places, silent)


@pytest.mark.parametrize("path", ["../home", "/etc", "a/../../b"])
def test_assets_do_not_reach_beyond_themselves(places: Places, path: str) -> None:
    with pytest.raises(ModelUnsafe):
        fetch(Bundled(path=path), places, silent)
    assert ready(card(Bundled(path=path)), places) is None


def test_a_folder_is_used_in_place(places: Places, folder: Path) -> None:
    source = Folder(path=str(folder))
    assert fetch(source, places, silent) == folder
    found = ready(card(source), places)
    assert found is not None
    assert found.files == folder


def test_a_folder_that_is_not_there_is_one_sentence(places: Places, tmp_path: Path) -> None:
    source = Folder(path=str(tmp_path / "gone"))
    assert ready(card(source), places) is None
    with pytest.raises(ModelUnavailable, match="There is no folder"):
        fetch(source, places, silent)


def test_an_unsafe_folder_is_not_ready_and_fetching_tells_why(places: Places, folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04K\x01.")
    assert ready(card(Folder(path=str(folder))), places) is None
    with pytest.raises(ModelUnsafe, match=r"pytorch_model\.bin could run code"):
        fetch(Folder(path=str(folder)), places, silent)


def test_a_folder_that_lacks_weights_is_not_ready(places: Places, folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert ready(card(Folder(path=str(folder))), places) is None
    with pytest.raises(ModelUnavailable, match="is missing"):
        fetch(Folder(path=str(folder)), places, silent)


def test_a_folder_is_looked_through_once_and_again_when_it_changes(places: Places, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []
    look = sources.inspect

    def counted(path: Path, **options: bool) -> None:
        looks.append(path)
        look(path, **options)

    monkeypatch.setattr(sources, "inspect", counted)
    model = card(Folder(path=str(folder)))
    assert [ready(model, places) is not None for _ in range(3)] == [True] * 3
    assert len(looks) == 1
    (folder / "evil.py").write_text("pass")
    assert ready(model, places) is None
    assert len(looks) == 2


def test_a_cache_that_cannot_be_written_only_costs_looking_again(places: Places, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise DownloadFailed("The cache folder cannot be written.")

    monkeypatch.setattr(fetching, "mark", refuse)
    assert ready(card(Folder(path=str(folder))), places) is not None


def test_ready_is_quick(places: Places, folder: Path) -> None:
    for number in range(30):
        (folder / f"part-{number}.json").write_text(json.dumps({"n": number}))
    model = card(Folder(path=str(folder)))
    ready(model, places)
    started = time.process_time()
    for _ in range(20):
        assert ready(model, places) is not None
    assert (time.process_time() - started) / 20 < 0.02


def test_single_files_are_used_in_place(places: Places, folder: Path) -> None:
    source = SingleFile(path=str(folder / "model.safetensors"), config=str(folder))
    found = ready(card(source), places)
    assert found is not None
    assert found.files == folder / "model.safetensors"
    assert fetch(source, places, silent) == folder / "model.safetensors"


def test_a_named_checksum_is_compared_once(places: Places, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "model.safetensors"
    good = SingleFile(path=str(file), sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    assert ready(card(good), places) is None, "nothing has compared it yet"
    assert fetch(good, places, silent) == file
    monkeypatch.setattr(fetching, "checksum", lambda *_: pytest.fail("it was read again"))
    assert ready(card(good), places) is not None
    monkeypatch.undo()
    with pytest.raises(ModelUnsafe, match="SHA-256 differs"):
        fetch(SingleFile(path=str(file), sha256="0" * 64), places, silent)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.safetensors", b"\x80\x04K\x01."),
        ("x.safetensors", b"\xff" * 30),
        ("x.gguf", b"GGML" + bytes(30)),
        ("x.pt", b"PK"),
        ("x.txt", b"hi"),
    ],
)
def test_files_that_are_no_safe_weights_are_refused(places: Places, tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    source = SingleFile(path=str(tmp_path / name))
    assert ready(card(source), places) is None
    with pytest.raises(ModelUnsafe):
        fetch(source, places, silent)


def test_a_file_or_its_configuration_that_is_not_there_is_one_sentence(places: Places, folder: Path) -> None:
    with pytest.raises(ModelUnavailable, match="There is no file"):
        fetch(SingleFile(path=str(folder / "gone.safetensors")), places, silent)
    with pytest.raises(ModelUnavailable, match="There is no folder"):
        fetch(SingleFile(path=str(folder / "model.safetensors"), config=str(folder / "gone")), places, silent)


def test_checking_a_file_can_be_stopped(places: Places, folder: Path) -> None:
    def stop(_: Progress | Preview) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        fetch(SingleFile(path=str(folder / "model.safetensors"), sha256="0" * 64), places, stop)


@pytest.mark.parametrize(("source", "name"), [(PACKAGE, r"nowhere 1\.0"), (HUB, "no/where")])
def test_offline_starts_no_download(tmp_path: Path, source: Source, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "run_child", lambda *_, **__: pytest.fail("a download was started"))
    offline = Places(tmp_path, tmp_path, tmp_path, offline=True)
    assert ready(card(source), offline) is None
    with pytest.raises(DownloadFailed, match=f"{name} is not on this machine and downloads are off"):
        fetch(source, offline, silent)


def test_companions_come_where_they_are_here(places: Places, folder: Path) -> None:
    (places.assets / "a").touch()
    found = ready(card(Bundled(path="a"), writer=Folder(path=str(folder)), absent=PACKAGE), places)
    assert found is not None
    assert found.companion_files == {"writer": folder}
    assert ready(card(PACKAGE, writer=Folder(path=str(folder))), places) is None
