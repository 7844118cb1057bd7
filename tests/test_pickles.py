"""The one way a pickle gets in."""

from __future__ import annotations

import hashlib
import os
import pickle
import time
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from studio import fetching
from studio.creations import Preview, Progress
from studio.errors import Cancelled, ModelUnsafe
from studio.models import SingleFile
from studio.pickles import convert
from studio.sources import Places, fetch, inspect, locate


class Evil:
    """Would make a file if anything unpickled it freely."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def silent(_: Progress | Preview) -> None: ...


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A training checkpoint as torch saves it: nested weights, two of them tied, beside numbers."""
    import torch

    tied = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    state = {"a": tied, "b": tied, "c": torch.ones(2, dtype=torch.bfloat16)}
    torch.save({"state_dict": state, "global_step": 7}, tmp_path / "model.ckpt")
    return tmp_path / "model.ckpt"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "assets", tmp_path / "cache", tmp_path / "home")


def test_a_named_checkpoint_becomes_safetensors(checkpoint: Path, places: Places) -> None:
    source = SingleFile(path=str(checkpoint), sha256=sha256(checkpoint))
    assert locate(source, places) is None
    path = fetch(source, places, silent)
    assert path.suffix == ".safetensors"
    assert path.is_relative_to(places.cache)
    inspect(path)
    import torch
    from safetensors.torch import load_file as load

    weights = load(path)
    assert sorted(weights) == ["a", "b", "c"]
    assert torch.equal(weights["a"], torch.arange(12, dtype=torch.float32).reshape(3, 4))
    assert weights["c"].dtype == torch.bfloat16
    assert locate(source, places) == path
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
def test_a_converted_checkpoint_is_not_read_again(checkpoint: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SingleFile(path=str(checkpoint), sha256=sha256(checkpoint))
    path = fetch(source, places, silent)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a child was started")

    monkeypatch.setattr(fetching, "run_child", refuse)
    assert fetch(source, places, silent) == path
    os.utime(checkpoint, (1, 1))
    assert locate(source, places) is None, "a touched file is looked at again"


@pytest.mark.slow
def test_a_plain_state_dict_in_the_old_format_is_read_too(tmp_path: Path) -> None:
    import torch

    torch.save({"w": torch.full((2,), 3.0)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    convert(tmp_path / "old.pt", sha256(tmp_path / "old.pt"), tmp_path / "new.safetensors", silent)
    assert load_file(tmp_path / "new.safetensors")["w"].tolist() == [3.0, 3.0]


@pytest.mark.parametrize("packed", [pytest.param("raw", marks=pytest.mark.slow), "torch"])
def test_an_evil_pickle_is_refused_even_when_a_card_names_it(tmp_path: Path, places: Places, packed: str) -> None:
    evil = tmp_path / "evil.ckpt"
    if packed == "raw":
        evil.write_bytes(pickle.dumps({"w": Evil(tmp_path / "trace")}))
    else:
        import torch

        torch.save({"w": Evil(tmp_path / "trace")}, evil)
    source = SingleFile(path=str(evil), sha256=sha256(evil))
    with pytest.raises(ModelUnsafe, match="could run code and was refused"):
        fetch(source, places, silent)
    assert not (tmp_path / "trace").exists()
    assert locate(source, places) is None
    assert not list(places.cache.rglob("*.safetensors"))


def test_another_file_than_the_named_one_is_refused(checkpoint: Path, places: Places) -> None:
    with pytest.raises(ModelUnsafe, match="SHA-256 differs"):
        fetch(SingleFile(path=str(checkpoint), sha256="0" * 64), places, silent)


def test_a_pickle_that_no_card_vouches_for_is_refused(checkpoint: Path, places: Places) -> None:
    with pytest.raises(ModelUnsafe, match=r"use the \.safetensors version"):
        fetch(SingleFile(path=str(checkpoint)), places, silent)
    assert locate(SingleFile(path=str(checkpoint)), places) is None


@pytest.mark.thorough
@pytest.mark.slow
def test_a_file_without_weights_is_refused(tmp_path: Path) -> None:
    import torch

    torch.save({"step": 3}, tmp_path / "x.pt")
    with pytest.raises(ModelUnsafe, match="holds no weights"):
        convert(tmp_path / "x.pt", sha256(tmp_path / "x.pt"), tmp_path / "new.safetensors", silent)
    assert not (tmp_path / "new.safetensors").exists()


def test_a_stop_ends_the_conversion(checkpoint: Path) -> None:
    def stop(_: Progress | Preview) -> None:
        raise Cancelled

    started = time.monotonic()
    with pytest.raises(Cancelled):
        convert(checkpoint, sha256(checkpoint), checkpoint.parent / "new.safetensors", stop)
    assert time.monotonic() - started < 3
    assert [p.name for p in checkpoint.parent.iterdir()] == ["model.ckpt"]
