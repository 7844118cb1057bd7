"""Weights in less memory: the picture is the very one that was asked for, or said to differ, and then nearly the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from studio import attempts
from studio.creations import Picture
from studio.device import Device
from studio.engines import _economies, _keeping, _ladder, _packing, _pipelines, diffusion
from studio.errors import NotEnoughMemory
from studio.manager import Manager, Recipe, Way
from studio.models import resolve
from studio.recipes import sizes_of
from studio.tasks import Inpaint, TextToImage
from tests import tiny
from tests.tiny import card_of, task_of

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of numpy, asked for by the libraries under test
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

CPU = Device("cpu")
SD = "StableDiffusionPipeline"
FAMILIES = [
    pytest.param(name, marks=() if name in (SD, "StableDiffusion3Pipeline", "QwenImagePipeline") else pytest.mark.thorough)
    for name in tiny.FAMILIES
]
ERRORS = {"int8": 0.02, "int4": 0.12}
"""Of random weights, as large as they are: what 8 and 4 bits may lose."""


def recipe_of(files: Path, name: str = SD, task: TextToImage | Inpaint | None = None, device: Device = CPU) -> Recipe:
    guidance = "true_cfg_scale" if name == "QwenImagePipeline" else "guidance_scale"
    return diffusion.recipe(card_of(files, guidance=guidance), task or task_of(), device)


def way_of(recipe: Recipe, name: str) -> Way:
    return next(way for way in recipe.ways if way.name == name)


def loaded(parts: Any) -> dict[str, Any]:
    return {role: part.load(lambda _: None) for role, part in parts.items()}


def pixels(made: Recipe | Way, values: dict[str, Any], task: TextToImage | Inpaint) -> Any:
    [picture] = made.build(values)(task, lambda _: None)
    assert isinstance(picture, Picture)
    return picture.pixels.astype(int)


def drawn(recipe: Recipe, way: Way, task: TextToImage | Inpaint) -> Any:
    """A picture made in a way, whose first part has gone by then."""
    values = dict[str, Any]()
    if way.first is not None:
        reading = loaded(way.first.components)
        assert not way.first.done(reading, task)
        way.first.run(reading, task, lambda _: None)
        assert way.first.done(reading, task)
        values = {"prompts": reading["prompts"]}
    return pixels(way, loaded(recipe.parts(way)) | values, task)


def held(value: Any) -> int:
    import torch

    numbers = [*value.parameters(), *value.buffers()] if isinstance(value, torch.nn.Module) else []
    return sum(number.numel() * number.element_size() for number in numbers)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_draws_the_very_picture_where_the_words_are_read_first(name: str, folders: Callable[[str], Path]) -> None:
    recipe = recipe_of(folders(name), name)
    way = way_of(recipe, "apart")
    assert not {*_pipelines.READERS} & set(recipe.parts(way))
    asked = pixels(recipe, loaded(recipe.components), task_of())
    assert np.array_equal(drawn(recipe, way, task_of()), asked)


@pytest.mark.parametrize("name", [SD, "FluxPipeline", pytest.param("StableDiffusionXLPipeline", marks=pytest.mark.thorough)])
def test_packed_weights_draw_nearly_the_same_and_take_the_bytes_that_were_said(name: str, folders: Callable[[str], Path]) -> None:
    recipe = recipe_of(folders(name), name)
    asked, whole = pixels(recipe, loaded(recipe.components), task_of()), sum(recipe.sizes.values())
    for kind in ("int8", "int4"):
        parts = recipe.parts(way_of(recipe, kind))
        values = loaded(parts)
        for role, part in parts.items():
            if role in _ladder.SHRUNK:
                assert part.key.endswith(f":{kind}")
                assert 0.95 * part.bytes <= held(values[role]) <= 1.02 * part.bytes
        found = pixels(way_of(recipe, kind), values, task_of())
        assert 0 < np.abs(found - asked).mean() < ERRORS[kind] * asked.std()
        assert sum(sizes_of(parts).values()) < whole


@pytest.mark.parametrize("kind", _packing.BITS)
def test_a_packed_layer_multiplies_as_before_within_its_bits(kind: str) -> None:
    import torch

    made = torch.Generator().manual_seed(1)
    for dtype, row in ((torch.float32, 256), (torch.bfloat16, 256), (torch.float32, 48), (torch.float32, 20)):
        layer = torch.nn.Linear(row, 64, dtype=dtype)
        weight = torch.randn(64, row, generator=made).to(dtype)
        layer.weight.data = weight.clone()
        given = torch.randn(3, row, generator=made).to(dtype)
        right = layer(given).float()
        packed = _packing.pack(torch.nn.Sequential(layer), kind, "cpu")
        assert packed[0].weight.dtype == torch.int8 and packed(given).dtype == dtype
        assert (packed(given).float() - right).norm() <= ERRORS[kind] * right.norm()
        numbers = _packing.unpacked(packed[0], 0 if packed[0].low is None else row // packed[0].low.shape[1], torch.float32)
        assert (numbers - weight.float()).norm() <= ERRORS[kind] * weight.float().norm()


def test_a_cpu_unpacks_some_rows_at_a_time_to_the_very_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    layer = torch.nn.Linear(96, 70, dtype=torch.bfloat16)
    _packing.pack(torch.nn.Sequential(layer), "int4", "cpu")
    packed: Any = layer  # its buffers are not known to the checker
    bits = packed.weight.view(torch.uint8)
    levels = torch.cat((bits & 15, bits >> 4), dim=1).to(torch.bfloat16).view(70, 3, 32)
    at_once = torch.addcmul(packed.low, levels, packed.scale).view(70, 96)
    for block in (1, 96 * 16, 1 << 18):
        monkeypatch.setattr(_packing, "BLOCK", block)
        assert torch.equal(_packing.unpacked(layer, 32, torch.bfloat16), at_once)


@pytest.mark.parametrize("kind", _packing.BITS)
def test_a_packed_convolution_keeps_its_stride_and_its_padding(kind: str) -> None:
    import torch

    made = torch.Generator().manual_seed(1)
    place: Any = {"memory_format": torch.channels_last}
    layer = torch.nn.Conv2d(16, 24, 3, stride=2, padding=1).to(**place)
    layer.weight.data = torch.randn(24, 16, 3, 3, generator=made)
    given = torch.randn(2, 16, 9, 9, generator=made)
    right = layer(given)
    packed = _packing.pack(torch.nn.Sequential(layer), kind, "cpu")
    assert held(packed) < 24 * 16 * 9 * 4 * 0.4
    assert packed(given).shape == right.shape and 0 < (packed(given) - right).norm() <= ERRORS[kind] * right.norm()


def test_what_goes_in_and_what_comes_out_is_not_packed() -> None:
    import torch

    module = torch.nn.ModuleDict({name: torch.nn.Linear(32, 32) for name in ("to_q", "time_embedding", "proj_out")})
    module["block"] = torch.nn.ModuleDict({"proj_out": torch.nn.Linear(32, 32)})
    _packing.pack(module, "int8", "cpu")
    assert {name: layer.weight.dtype for name, layer in module.named_modules() if isinstance(layer, torch.nn.Linear)} == {
        "to_q": torch.int8,
        "block.proj_out": torch.int8,
        "time_embedding": torch.float32,
        "proj_out": torch.float32,
    }


def test_an_edit_reads_its_words_first_too(folders: Callable[[str], Path], tmp_path: Path) -> None:
    files = tiny.marked(tmp_path, 64, 64, (16, 16, 40, 40))
    values = {"prompt": "a red apple", "seed": 1, "mode": "fill", "area": "whole"} | files
    task = resolve(Inpaint.checked(values), card_of(folders(SD)))
    recipe = recipe_of(folders(SD), task=task)
    assert np.array_equal(drawn(recipe, way_of(recipe, "apart"), task), pixels(recipe, loaded(recipe.components), task))


@pytest.fixture
def cpu_as_gpu(monkeypatch: pytest.MonkeyPatch) -> Device:
    """A device that says it is a GPU, and whose modules are put on the CPU all the same."""
    import torch

    to: Any = torch.nn.Module.to
    streamed = _ladder._streaming.streamed
    swapped = {"cuda": "cpu"}

    def stay(self: Any, *places: Any, **named: Any) -> Any:
        return to(self, *[swapped.get(place, place) if isinstance(place, str) else place for place in places], **named)

    monkeypatch.setattr(torch.nn.Module, "to", stay)
    monkeypatch.setattr(_ladder._streaming, "streamed", lambda module, place, pinned: streamed(module, swapped[place], pinned))
    device = Device("cuda", budget_gb=1)
    vars(device)["dtype"] = torch.float32
    return device


def test_a_gpu_may_have_its_layers_one_by_one_and_gives_way_to_the_processor_last(
    folders: Callable[[str], Path], cpu_as_gpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_economies, "TILE", 48)
    monkeypatch.setattr(_economies, "SMALL_TILE", 32)
    recipe, here = recipe_of(folders(SD), device=cpu_as_gpu), recipe_of(folders(SD))
    asked = pixels(here, loaded(here.components), task_of())
    streamed, last = way_of(recipe, "streamed"), recipe.ways[-1]
    values = loaded(recipe.parts(streamed))
    hooked = [name for name, module in values["unet"].named_modules() if hasattr(module, "_diffusers_hook")]
    assert len(hooked) > 10, "its layers come and go"
    assert np.array_equal(pixels(streamed, values, task_of()), asked)
    both = pixels(way_of(recipe, "streamed+tiled+halved"), values, task_of())
    assert np.abs(both - asked).mean() < 0.3 * asked.std() and np.array_equal(pixels(streamed, values, task_of()), asked)
    keys = sizes_of(recipe.parts(streamed))
    assert sum(keys.values()) < sum(recipe.sizes.values()) and not {*keys} & {recipe.components["unet"].key}
    assert last.name == "processor" and last.working_bytes(task_of()) == 0 and not any(sizes_of(recipe.parts(last)).values())
    assert np.array_equal(pixels(last, loaded(recipe.parts(last)), task_of()), asked)
    assert "streamed" not in {way.name for way in here.ways} and "processor" not in {way.name for way in here.ways}


def test_what_lives_beside_a_gpu_is_not_loaded_into_a_full_machine(
    folders: Callable[[str], Path], cpu_as_gpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(folders(SD), device=cpu_as_gpu)
    monkeypatch.setattr(_keeping, "Device", lambda _: SimpleNamespace(room=lambda _: 1000))
    for name in ("streamed", "processor"):
        with pytest.raises(NotEnoughMemory, match="machine's memory"):
            recipe.parts(way_of(recipe, name))["unet"].load(lambda _: None)


def test_a_job_that_does_not_fit_whole_reads_first_and_says_so(folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_economies, "FIXED_BYTES", 0)
    monkeypatch.setattr(_ladder._packing, "sizes", lambda one, itemsize: dict.fromkeys((*_packing.BITS, "unpacked"), 1 << 40))
    recipe = recipe_of(folders(SD), task=task_of(seed=3))
    monkeypatch.setattr("studio.engines._reading.WORKING", 0)
    way = way_of(recipe, "apart")
    needed = sum(sizes_of(recipe.parts(way)).values()) + way.working_bytes(task_of())
    manager = Manager(Device("cpu", budget_gb=(needed + 10) / 1e9))
    loads = list[str]()

    def seen(role: str, load: Any) -> Any:
        return lambda report: (loads.append(role), load(report))[1]

    def watched(parts: Any) -> Any:
        return {role: replace(part, load=seen(role, part.load)) for role, part in parts.items()}

    assert way.first is not None
    first = replace(way.first, components=watched(way.first.components))
    recipe = replace(recipe, ways=(replace(way, components=watched(recipe.parts(way)), first=first),), key="")
    told = list[str]()
    for seed in (3, 4):
        for media, _ in attempts.made(manager, recipe, task_of(seed=seed), lambda _: None):
            told.append(str(media.facts[attempts.FACT]))
    assert told == ["the words are read first"] * 2
    assert loads.count("text_encoder") == 1, "the same words, another seed: no encoder is loaded"
    assert manager.status().working == 0
    [_] = attempts.made(manager, recipe, task_of(seed=4, prompt="a blue pear"), lambda _: None)
    assert loads.count("text_encoder") == 2
    manager.close()


def test_ways_come_in_the_order_in_which_they_are_tried(folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_economies, "TILE", 48)
    monkeypatch.setattr(_economies, "SMALL_TILE", 32)
    names = [way.name for way in recipe_of(folders(SD)).ways]
    kept = ["int8", "apart", "int8+apart", "int4", "int4+apart"]
    assert names == [*kept, "tiled", "tiled+halved", *(f"{name}+tiled+halved" for name in kept)]
    titles = [way.title for way in recipe_of(folders(SD)).ways]
    assert len(set(titles)) == len(titles)
