"""What words mean to the picture starter when no name explains them: the writer's layers, unpacked once and kept."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.creations import Progress
from studio.errors import Cancelled, ModelUnavailable
from studio.starter.features import Encoder, Features, unit, unpacked

FEATURES = Path(__file__).parents[1] / "assets" / "icons" / "features.npz"


@pytest.fixture(scope="module")
def writer(starter_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The writer's file in a folder of its own: the cache stays as it is."""
    (found,) = starter_cache.glob("packages/*/SmolLM2*.gguf")
    file = tmp_path_factory.mktemp("writer") / found.name
    try:
        os.link(found, file)
    except OSError:
        shutil.copyfile(found, file)
    return file


@pytest.mark.thorough
@pytest.mark.slow
def test_the_second_load_is_quick_and_means_the_same(writer: Path) -> None:
    told: list[Any] = []
    began = time.process_time()
    first = Encoder.load(writer, FEATURES, told.append)
    unpacking = time.process_time() - began
    assert [(event.phase, event.done) for event in told] == [("loading", 0), ("loading", 1), ("loading", 2)]
    (kept,) = [path for path in writer.parent.iterdir() if path.is_dir()]
    assert {"config.json", "tokenizer.json", "model.safetensors"} <= {path.name for path in kept.iterdir()}
    began = time.process_time()
    again = Encoder.load(writer, FEATURES, told.append)
    assert time.process_time() - began < unpacking / 3
    assert all(isinstance(event, Progress) for event in told)
    assert len(told) == 4
    for text in ("a feline", "hot drink in a mug"):
        assert np.array_equal(first.encode(text), again.encode(text))
        assert abs(float(np.linalg.norm(first.encode(text))) - 1) < 1e-3
    near = [caption for caption, _ in first.nearest("automobile for racing", 5)]
    assert any("car" in caption or "rac" in caption or "auto" in caption for caption in near)


@pytest.mark.slow
def test_a_stop_while_unpacking_leaves_nothing_behind(writer: Path, tmp_path: Path) -> None:
    file = tmp_path / writer.name
    os.link(writer, file)

    def stopped(event: Any) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        Encoder.load(file, FEATURES, stopped)
    assert list(tmp_path.iterdir()) == [file]


def test_another_file_or_precision_is_kept_apart(tmp_path: Path) -> None:
    file = tmp_path / "writer.gguf"
    file.write_bytes(b"one")
    before = unpacked(file, "bfloat16")
    assert before != unpacked(file, "float32")
    file.write_bytes(b"other")
    assert unpacked(file, "bfloat16") != before
    assert before.parent == tmp_path


def test_features_come_back_as_they_were_saved(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    vectors = unit(random.normal(size=(3, 8)).astype(np.float32))
    rest = [random.normal(size=shape).astype(np.float32) for shape in ((5,), (5,), (5, 8))]
    Features(("a cat", "a dog", "a häuschen"), vectors, rest[0], np.abs(rest[1]) + 1, rest[2]).save(tmp_path / "f.npz")
    read = Features.open(tmp_path / "f.npz")
    assert read.captions == ("a cat", "a dog", "a häuschen")
    assert float((read.vectors * vectors).sum(-1).min()) > 0.999
    (tmp_path / "f.npz").write_bytes(b"damaged")
    with pytest.raises(ModelUnavailable):
        Features.open(tmp_path / "f.npz")
