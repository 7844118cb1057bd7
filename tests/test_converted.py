"""Weights in another number format are converted once and kept: the same numbers, within a budget, and never half an entry."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio import components, converted
from studio.converted import Converted
from studio.device import Device
from studio.engines import diffusion
from studio.models import Folder, ModelCard
from studio.settings import Settings
from studio.tasks import TextToImage

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

TASK = TextToImage.checked({"prompt": "a red apple", "width": 64, "height": 64, "steps": 1, "guidance_scale": 3, "seed": 1})


@pytest.fixture(autouse=True)
def _any_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converted, "SPARED", 0)


@pytest.fixture
def store(tmp_path: Path) -> Converted:
    return Converted(tmp_path / "converted", 100_000_000)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that modules were read from."""
    folders: list[Path] = []
    original = components._read

    def seen(card: ModelCard, part: str, kind: Any, folder: Path, options: Any) -> Any:
        folders.append(folder)
        return original(card, part, kind, folder, options)

    monkeypatch.setattr(components, "_read", seen)
    return folders


def modules(folder: Path, store: Converted | None, dtype: str = "bfloat16") -> dict[str, Any]:
    """Every module with weights of a pipeline, loaded."""
    card = ModelCard(
        name="Tiny", engine="diffusion", serves=("text_to_image",), source=Folder(path=str(folder)), files=folder, options={"dtype": dtype}
    )
    recipe = diffusion.recipe(card, TASK, Device("cpu", converted=store))
    return {role: part.load(lambda _: None) for role, part in recipe.components.items() if role not in ("small", "prompts", "encodings")}


def entries(store: Converted) -> set[str]:
    return {entry.name for entry in store.folder.iterdir()} if store.folder.is_dir() else set()


def equal(one: Any, other: Any) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(
        tensor.equal(theirs[name]) and tensor.dtype == theirs[name].dtype for name, tensor in mine.items()
    )


@pytest.mark.parametrize("name", ["StableDiffusionXLPipeline", "Flux2KleinPipeline", "QwenImagePipeline"])
def test_what_was_kept_is_read_instead_and_is_the_same_to_the_last_bit(
    name: str, folders: Callable[[str], Path], store: Converted, read: list[Path]
) -> None:
    plain = modules(folders(name), None)
    first = modules(folders(name), store)
    assert len(entries(store)) == len(plain)
    read.clear()
    again = modules(folders(name), store)
    assert {folder.parent for folder in read} == {store.folder}
    assert len(read) == len(plain)
    for role, module in plain.items():
        assert equal(module, first[role])
        assert equal(module, again[role])
        assert type(module) is type(again[role])


def test_weights_in_the_wanted_format_are_not_copied(folders: Callable[[str], Path], store: Converted) -> None:
    modules(folders("StableDiffusionPipeline"), store, "float32")
    assert not entries(store)


def test_other_weights_under_the_same_name_are_converted_anew(folders: Callable[[str], Path], store: Converted, tmp_path: Path) -> None:
    folder = shutil.copytree(folders("StableDiffusionPipeline"), tmp_path / "model")
    before = modules(folder, store)["vae"]
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    from safetensors.torch import load_file, save_file

    save_file({key: tensor + 1 for key, tensor in load_file(file).items()}, file)
    after = modules(folder, store)["vae"]
    assert not equal(before, after)
    assert len(entries(store)) == 4


def test_the_name_of_an_entry_follows_from_the_bytes(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(bytes(1_000_000))
    names = {converted.name_of("key", [file]), converted.name_of("other", [file])}
    file.write_bytes(bytes(999_999) + b"\1")
    names.add(converted.name_of("key", [file]))
    file.write_bytes(bytes(1_000_001))
    names.add(converted.name_of("key", [file]))
    (tmp_path / "short").write_bytes(b"12")
    names.add(converted.name_of("key", [tmp_path / "short"]))
    assert len(names) == 5


@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(file.read_bytes()[:-50]), Path.unlink])
def test_a_damaged_entry_is_made_again(
    damage: Callable[[Path], Any], folders: Callable[[str], Path], store: Converted, read: list[Path]
) -> None:
    plain = modules(folders("StableDiffusionPipeline"), None)
    modules(folders("StableDiffusionPipeline"), store)
    for entry in store.folder.iterdir():
        for file in entry.glob("*.safetensors"):
            damage(file)
    found = modules(folders("StableDiffusionPipeline"), store)
    assert all(equal(module, found[role]) for role, module in plain.items())
    read.clear()
    modules(folders("StableDiffusionPipeline"), store)
    assert {folder.parent for folder in read} == {store.folder}


def writing(size: int) -> Callable[[Path], object]:
    return lambda folder: (folder / "weights").write_bytes(bytes(size))


def test_the_entry_used_longest_ago_makes_room(tmp_path: Path) -> None:
    store = Converted(tmp_path / "converted", 1000)
    for number, name in enumerate(("a", "b")):
        assert store.keep(name, 400, writing(400))
        os.utime(store.folder / name, (number, number))
    assert store.get("a", lambda folder: folder.name) == "a"
    assert store.keep("c", 400, writing(400))
    assert entries(store) == {"a", "c"}
    assert not store.keep("large", 1001, writing(1001))
    assert entries(store) == {"a", "c"}


def test_an_entry_that_could_not_be_written_whole_is_not_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Converted(tmp_path / "converted", 1000)

    def full(folder: Path) -> None:
        (folder / "weights").write_bytes(bytes(10))
        raise OSError(errno.ENOSPC, "No space left on device")

    assert not store.keep("a", 400, full)
    assert entries(store) == set()
    assert "not kept" in caplog.text
    assert store.get("a", lambda folder: folder.name) is None
    assert not Converted(tmp_path / "file" / "below", 1000).keep("a", 1, full)


def test_a_load_that_cannot_keep_its_weights_still_loads(folders: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "converted").write_text("a file where the folder should be")
    plain, found = (modules(folders("StableDiffusionPipeline"), s) for s in (None, Converted(tmp_path / "converted", 10**9)))
    assert all(equal(module, found[role]) for role, module in plain.items())


def test_what_an_interrupted_process_left_is_swept_after_a_day(tmp_path: Path) -> None:
    store = Converted(tmp_path / "converted", 1000)
    for name, age in ((".part-old", 2), (".part-new", 0)):
        (store.folder / name).mkdir(parents=True)
        os.utime(store.folder / name, (time.time(), time.time() - age * 86_400))
    assert store.keep("a", 10, writing(10))
    assert entries(store) == {"a", ".part-new"}


def test_a_public_studio_keeps_none(tmp_path: Path) -> None:
    assert converted.of(Settings(cache=tmp_path, mode="public")) is None
    assert converted.of(Settings(cache=tmp_path, mode="local", converted_gb=0)) is None
    kept = converted.of(Settings(cache=tmp_path, mode="local", converted_gb=2))
    assert kept == Converted(tmp_path / "converted", 2_000_000_000)
