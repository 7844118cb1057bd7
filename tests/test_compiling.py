"""Blocks of a denoiser compiled for the graphics card: which denoisers, that pictures stay alike, what happens where it cannot be done."""

from __future__ import annotations

import gc
import logging
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.converted import Converted
from studio.creations import Picture, Progress
from studio.device import Device
from studio.engines import _compiling, diffusion
from studio.errors import Cancelled
from studio.models import ModelCard
from studio.settings import Settings, prepare_environment
from studio.tasks import TextToImage
from tests import tiny

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of torch's compiler, which is under test
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

Report = Callable[[Any], None]


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    """A CPU that is taken for a graphics card; blocks are traced, and run as they were traced, which takes no compiler."""
    monkeypatch.setattr(_compiling, "KINDS", {"cpu"})
    monkeypatch.setattr(_compiling, "ASKED", {"fullgraph": True, "dynamic": True, "backend": "eager"})
    return Device("cpu", converted=Converted(tmp_path / "converted", 10**9))


@pytest.fixture
def card(folders: Callable[[str], Path]) -> ModelCard:
    return tiny.card_of(folders("StableDiffusionPipeline"), compile=True, dtype="float32")


def _drawn(card: ModelCard, device: Device, *tasks: TextToImage, report: Report = lambda _: None) -> tuple[list[Picture], dict[str, Any]]:
    recipe = diffusion.recipe(card, tasks[0], device)
    values = {role: part.load(lambda _: None) for role, part in recipe.components.items()}
    made = [picture for task in tasks for picture in recipe.build(values)(task, report)]
    return [picture for picture in made if isinstance(picture, Picture)], values


def _plain(card: ModelCard, *tasks: TextToImage) -> list[Picture]:
    options = {name: value for name, value in card.options.items() if name != "compile"}
    return _drawn(card.model_copy(update={"options": options}), Device("cpu"), *tasks)[0]


def _broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("there is no compiler on this machine")


@pytest.mark.parametrize("name", ["StableDiffusionPipeline", "FluxPipeline", "ZImagePipeline"])
def test_compiled_blocks_draw_the_same_picture_and_the_facts_say_so(name: str, folders: Callable[[str], Path], device: Device) -> None:
    card = tiny.card_of(folders(name), compile=True, dtype="float32")
    tasks = tiny.task_of(), tiny.task_of(width=128, prompt="two red apples and a pear"), tiny.task_of()
    made, values = _drawn(card, device, *tasks)
    for mine, plain in zip(made, _plain(card, *tasks), strict=True):
        assert np.abs(mine.pixels.astype(int) - plain.pixels.astype(int)).max() <= 1
        assert mine.facts["compiled"] is True
        assert "compiled" not in plain.facts
    assert np.array_equal(made[0].pixels, made[2].pixels)  # whatever was drawn between them
    denoiser = values.get("unet") or values["transformer"]
    assert all(block._compiled_call_impl is None for block in denoiser.modules())


def test_preparing_is_told_once(card: ModelCard, device: Device) -> None:
    events: list[Any] = []
    _drawn(card, device, tiny.task_of(count=2), report=events.append)
    notes = [event.note for event in events if isinstance(event, Progress)]
    assert notes.count(_compiling.PREPARING) == 1


def test_what_cannot_be_compiled_is_drawn_plainly_from_the_first_step(
    card: ModelCard, device: Device, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_compiling, "ASKED", {"fullgraph": True, "backend": _broken})
    with caplog.at_level(logging.WARNING, "atelier"):
        made, _ = _drawn(card, device, tiny.task_of(), tiny.task_of(seed=2))
    assert [np.array_equal(a.pixels, b.pixels) for a, b in zip(made, _plain(card, tiny.task_of(), tiny.task_of(seed=2)), strict=True)] == [
        True, True,
    ]  # fmt: skip
    assert all("compiled" not in picture.facts for picture in made)
    assert len([line for line in caplog.messages if "not compiled" in line]) == 1


def test_memory_that_runs_out_while_compiling_is_no_reason_to_go_on(
    card: ModelCard, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(_compiling, "ASKED", {"fullgraph": True, "backend": full})
    with pytest.raises(MemoryError):
        _drawn(card, device, tiny.task_of())


def test_a_denoiser_that_names_no_blocks_runs_as_it_is(
    folders: Callable[[str], Path], device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    card = tiny.card_of(folders("StableDiffusion3Pipeline"), compile=True)
    with caplog.at_level(logging.WARNING, "atelier"):
        (picture,), _ = _drawn(card, device, tiny.task_of())
    assert "compiled" not in picture.facts
    assert any("names no blocks" in line for line in caplog.messages)


def test_stop_leaves_the_denoiser_as_it_was_loaded(card: ModelCard, device: Device) -> None:
    recipe = diffusion.recipe(card, tiny.task_of(), device)
    values = {role: part.load(lambda _: None) for role, part in recipe.components.items()}

    def report(event: Any) -> None:
        if isinstance(event, Progress) and event.done == 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(recipe.build(values)(tiny.task_of(), report))
    assert all(block._compiled_call_impl is None for block in values["unet"].modules())


def test_weights_go_with_their_model_whatever_was_compiled(card: ModelCard, device: Device) -> None:
    _, values = _drawn(card, device, tiny.task_of())
    traces = [weakref.ref(weight) for weight in values["unet"].parameters()]
    values.clear()
    gc.collect()
    assert not any(trace() is not None for trace in traces)


def test_nothing_is_compiled_on_a_cpu_nor_where_nothing_may_be_kept(card: ModelCard, tmp_path: Path) -> None:
    assert _compiling.place(Device("cpu", converted=Converted(tmp_path, 10**9))) is None
    assert _compiling.place(Device("cuda")) is None
    assert _compiling.place(Device("cuda", converted=Converted(tmp_path, 10**9))) is not None


def test_packed_weights_and_those_that_come_layer_by_layer_are_never_compiled(
    card: ModelCard, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(_compiling, "compiled", refuse)
    recipe = diffusion.recipe(card, tiny.task_of(), device)
    way = next(way for way in recipe.ways if way.name == "int8")
    values = {role: part.load(lambda _: None) for role, part in recipe.parts(way).items()}
    assert len(list(way.build(values)(tiny.task_of(), lambda _: None))) == 1


def test_compiled_code_is_kept_in_the_cache_and_goes_when_it_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    for name in ("GRADIO_TEMP_DIR", "TOKENIZERS_PARALLELISM", "DIFFUSERS_DISABLE_REMOTE_CODE"):
        monkeypatch.setenv(name, "")  # set below, and restored after the test
    prepare_environment(Settings(home=tmp_path / "home", cache=tmp_path / "cache"))
    folder, store = tmp_path / "cache" / "compiled", Converted(tmp_path / "cache" / "converted", 10 * _compiling.SHARE)
    monkeypatch.setattr(_compiling, "SPARED", 0)
    assert _compiling._has_room(store)
    (folder / "kernel").write_bytes(b"0123456789")
    assert _compiling._has_room(store)
    assert (folder / "kernel").exists()
    (folder / "another").write_bytes(b"0")
    assert _compiling._has_room(store)
    assert not (folder / "kernel").exists()
    monkeypatch.setattr(_compiling, "SPARED", 1 << 60)
    assert not _compiling._has_room(store)


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(1500)  # the compiler alone takes minutes on a busy machine
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_the_compiler_itself_draws_the_same_picture(
    card: ModelCard, device: Device, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    monkeypatch.setattr(_compiling, "ASKED", {"fullgraph": True, "dynamic": True, "options": {"deterministic": True}})
    monkeypatch.setattr(_compiling, "SPARED", 0)
    made, _ = _drawn(card, device, tiny.task_of(), tiny.task_of())
    (plain,) = _plain(card, tiny.task_of())
    assert np.abs(made[0].pixels.astype(int) - plain.pixels.astype(int)).max() <= 1
    assert np.array_equal(made[0].pixels, made[1].pixels)
    assert made[0].facts["compiled"] is True
    assert any((tmp_path / "compiled").rglob("*.so"))
