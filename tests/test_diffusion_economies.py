"""Pictures in less memory and in less time: what is switched on for one picture is off after it, and the picture is about the same."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.creations import Picture, Progress
from studio.device import Device
from studio.engines import _economies, diffusion
from studio.errors import Cancelled
from studio.manager import Manager, Recipe, Way
from studio.models import resolve
from studio.tasks import Inpaint, TextToImage
from tests import tiny
from tests.tiny import card_of, task_of

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of numpy, asked for by the libraries under test
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

CPU = Device("cpu")


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny models draw 64 pixels, and their decoders' tiles are tiny likewise."""
    monkeypatch.setattr(_economies, "TILE", 48)
    monkeypatch.setattr(_economies, "SMALL_TILE", 32)


def loaded(recipe: Recipe) -> dict[str, Any]:
    return {role: component.load(lambda _: None) for role, component in recipe.components.items()}


def saving(recipe: Recipe) -> tuple[Way, ...]:
    """The ways that keep the weights as they are."""
    return tuple(way for way in recipe.ways if way.components is None)


def pixels(made: Recipe | Way, values: dict[str, Any], task: TextToImage | Inpaint, report: Callable[[Any], None] = lambda _: None) -> Any:
    [picture] = made.build(values)(task, report)
    assert isinstance(picture, Picture)
    return picture.pixels.astype(int)


@pytest.mark.parametrize("name", tiny.FAMILIES)
def test_every_family_draws_about_the_same_picture_in_less_memory(name: str, folders: Callable[[str], Path]) -> None:
    guidance = "true_cfg_scale" if name == "QwenImagePipeline" else "guidance_scale"
    recipe = diffusion.recipe(card_of(folders(name), guidance=guidance), task_of(), CPU)
    values = loaded(recipe)
    asked, tiles = pixels(recipe, values, task_of()), list[int]()
    values["vae"].decoder.register_forward_pre_hook(lambda _, given: tiles.append(given[0].shape[-1]))
    before = {key: value for key, value in vars(values["vae"]).items() if key.startswith(("tile_", "use_"))}
    assert [way.name for way in saving(recipe)][:1] == ["tiled"]
    for way in saving(recipe):
        tiles.clear()
        found = pixels(way, values, task_of())
        assert len(tiles) >= 4, "the decoder works more than once"
        assert np.abs(found - asked).mean() < 0.3 * asked.std(), "norms are taken by tile, so pixels differ a little"
        assert way.working_bytes(task_of()) < recipe.working_bytes(task_of())
    assert {key: value for key, value in vars(values["vae"]).items() if key.startswith(("tile_", "use_"))} == before


@pytest.mark.parametrize("name", ["StableDiffusionPipeline", "StableDiffusionXLPipeline", "StableDiffusion3Pipeline"])
def test_guidance_in_two_halves_gives_the_very_picture_of_one_batch(name: str, folders: Callable[[str], Path]) -> None:
    recipe = diffusion.recipe(card_of(folders(name)), task_of(), CPU)
    values, batches = loaded(recipe), list[int]()
    denoiser = values.get("unet") or values["transformer"]
    first = next(iter(denoiser.children()))
    first.register_forward_pre_hook(lambda _, given: batches.append(len(given[0])))
    tiled, halved = saving(recipe)
    whole = pixels(tiled, values, task_of())
    assert batches == [2, 2]
    batches.clear()
    halves = pixels(halved, values, task_of())
    assert batches == [1, 1, 1, 1]
    assert np.abs(halves - whole).max() <= 1
    assert "forward" not in vars(denoiser), "the shared denoiser is as it was"


def test_a_stopped_picture_leaves_shared_modules_as_they_were(folders: Callable[[str], Path]) -> None:
    import torch

    recipe = diffusion.recipe(card_of(folders("StableDiffusionPipeline"), dtype="bfloat16"), task_of(), CPU)
    values, precision, seen = loaded(recipe), torch.get_float32_matmul_precision(), list[str]()

    def stop(event: Any) -> None:
        if isinstance(event, Progress) and event.done == 1:
            seen.append(torch.get_float32_matmul_precision())
            raise Cancelled

    with pytest.raises(Cancelled):
        pixels(saving(recipe)[-1], values, task_of(), stop)
    assert seen == ["medium"]
    assert torch.get_float32_matmul_precision() == precision
    assert not values["vae"].use_tiling
    assert "forward" not in vars(values["unet"])


def test_an_edit_can_be_made_in_less_memory_too(folders: Callable[[str], Path], tmp_path: Path) -> None:
    card = card_of(folders("StableDiffusionPipeline"))
    files = tiny.marked(tmp_path, 64, 64, (16, 16, 40, 40))
    task = resolve(Inpaint.checked({"prompt": "a red apple", "seed": 1, "mode": "fill", "area": "whole"} | files), card)
    recipe = diffusion.recipe(card, task, CPU)
    values = loaded(recipe)
    asked = pixels(recipe, values, task)
    for way in saving(recipe):
        assert np.abs(pixels(way, values, task) - asked).mean() < 6
    assert saving(recipe)


def test_ways_are_offered_only_where_they_save_something(folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def names(name: str, **changes: Any) -> list[str]:
        task = task_of(**changes)
        return [way.name for way in saving(diffusion.recipe(card_of(folders(name)), task, CPU))]

    assert names("StableDiffusionPipeline") == ["tiled", "tiled+halved"]
    assert names("StableDiffusionPipeline", guidance_scale=1) == ["tiled"]
    assert names("FluxPipeline") == ["tiled"]
    monkeypatch.undo()
    assert names("StableDiffusionPipeline", width=256, height=256) == []


def test_a_formula_grows_with_the_picture_and_shrinks_with_each_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    asked = _economies.AS_ASKED
    for side in (768, 1024, 2048):
        ways = _economies.economies(side * side, 2, tiles=True, halves=True)
        needed = [way.working_bytes(side * side, 2, 2, 2) for way in (asked, *ways)]
        assert needed == sorted(set(needed), reverse=True)
    assert asked.working_bytes(512 * 512, 2, 2, 2) < asked.working_bytes(1024 * 1024, 2, 2, 2)


def test_the_manager_takes_the_way_that_fits(folders: Callable[[str], Path]) -> None:
    card = card_of(folders("StableDiffusionPipeline"))
    recipe = diffusion.recipe(card, task_of(), CPU)
    weights = sum(component.bytes for component in recipe.components.values())
    tight = Device("cpu", budget_gb=(weights + saving(recipe)[0].working_bytes(task_of()) + 1000) / 1e9)
    manager = Manager(tight)
    tiles: list[int] = []

    def load(report: Any) -> Any:
        vae = recipe.components["vae"].load(report)
        vae.decoder.register_forward_pre_hook(lambda _, given: tiles.append(given[0].shape[-1]))
        return vae

    watched = replace(recipe, ways=saving(recipe), components={**recipe.components, "vae": replace(recipe.components["vae"], load=load)})
    with manager.lease(watched, task_of(), lambda _: None) as pipeline:
        assert len(list(pipeline(task_of(), lambda _: None))) == 1
    assert len(tiles) >= 4
    manager.close()


def test_the_peak_of_a_shape_is_learned_by_model_and_kind(folders: Callable[[str], Path]) -> None:
    card = card_of(folders("StableDiffusionPipeline"))
    one, other = (diffusion.recipe(card, task, CPU) for task in (task_of(), task_of(seed=9, count=4)))
    assert one.key == other.key
    assert one.key.endswith("text_to_image")
    assert one.shape(task_of()) == other.shape(task_of(count=4)) != one.shape(task_of(width=96))
    assert one.shape(task_of()) != one.shape(task_of(guidance_scale=1))


def test_what_mending_needs_is_imported_while_the_model_loads(folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    name = "diffusers.pipelines.auto_pipeline"
    recipe = diffusion.recipe(card_of(folders("StableDiffusionPipeline")), task_of(), CPU)
    monkeypatch.delitem(sys.modules, name, raising=False)
    recipe.components["small"].load(lambda _: None)
    assert name in sys.modules


@pytest.mark.parametrize("name", ["StableDiffusionPipeline", "StableDiffusion3Pipeline", "FluxPipeline"])
def test_a_denoiser_in_the_cpu_s_own_numbers_is_close_to_float32(name: str, folders: Callable[[str], Path]) -> None:
    import torch

    recipe = diffusion.recipe(card_of(folders(name)), task_of(), CPU)
    wide = loaded(recipe)
    narrow = loaded(diffusion.recipe(card_of(folders(name), dtype="bfloat16"), task_of(), CPU))
    role, calls = "unet" if "unet" in wide else "transformer", list[Any]()
    hook = wide[role].register_forward_pre_hook(lambda _, given, named: calls.append((given, named)), with_kwargs=True)
    pixels(recipe, wide, task_of())
    hook.remove()
    given, named = calls[-1]
    with torch.inference_mode():
        right = wide[role](*given, **named)[0]
        found = narrow[role](*map(_narrowed, given), **{key: _narrowed(value) for key, value in named.items()})[0].float()
        with _economies.quick("cpu"):
            quick = wide[role](*given, **named)[0]
    assert 0 < (found - right).norm() <= 0.03 * right.norm()
    assert (quick - right).norm() <= 0.03 * right.norm()


def _narrowed(value: Any) -> Any:
    import torch

    return value.to(torch.bfloat16) if isinstance(value, torch.Tensor) and value.is_floating_point() else value
