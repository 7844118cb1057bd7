"""Inpainting by the diffusion engine, on tiny but real pipelines of every family: the same weights, what is kept is held."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.creations import Picture, Preview, Progress
from studio.device import Device
from studio.engines import _inpaint, _latents, _pipelines, diffusion
from studio.errors import Cancelled, InvalidInput
from studio.manager import Recipe
from studio.models import Folder, ModelCard, resolve
from studio.tasks import Inpaint, TextToImage
from tests import tiny

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

CPU = Device("cpu")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A smooth picture of 96 x 80 pixels and a mask in its middle."""
    return tiny.marked(tmp_path, 96, 80, (32, 24, 64, 56))


def card_of(files: Path, **options: Any) -> ModelCard:
    return ModelCard(
        name="Tiny",
        engine="diffusion",
        serves=("text_to_image", "inpaint"),
        source=Folder(path=str(files)),
        files=files,
        options=options,
        defaults={"width": 64, "height": 64, "steps": 3, "guidance_scale": 3},
    )


def recipe_of(card: ModelCard, **values: Any) -> tuple[Recipe, Inpaint]:
    task = resolve(Inpaint.checked({"prompt": "a red apple", "seed": 1} | values), card)
    return diffusion.recipe(card, task, CPU), task


def edited(card: ModelCard, report: Callable[[Any], None] | None = None, **values: Any) -> list[Picture]:
    recipe, task = recipe_of(card, **values)
    parts = {role: component.load(lambda _: None) for role, component in recipe.components.items()}
    return [picture for picture in recipe.build(parts)(task, report or (lambda _: None)) if isinstance(picture, Picture)]


def outside(mask: str, by: int) -> Any:
    from studio.inpaint import masks

    return masks.distance(np.asarray(Image.open(mask)) >= 128) > by


@pytest.mark.parametrize("name", tiny.FAMILIES)
@pytest.mark.parametrize("mode", ["fill", "refine"])
def test_every_family_fills_a_hole_and_keeps_every_other_pixel(
    name: str, mode: str, folders: Callable[[str], Path], files: dict[str, str]
) -> None:
    events: list[Any] = []
    (picture,) = edited(card_of(folders(name)), events.append, **files, mode=mode, steps=4, feather=3)
    before = np.asarray(Image.open(files["image"]))
    assert picture.pixels.shape == before.shape
    assert np.array_equal(picture.pixels[outside(files["mask"], 5)], before[outside(files["mask"], 5)])
    assert (picture.pixels[30:50, 40:56] != before[30:50, 40:56]).any()
    facts = picture.facts["edit"]
    assert isinstance(facts, dict)
    assert facts["changed_outside"] == 0
    assert any(isinstance(event, Preview) for event in events)
    assert next(event.done for event in events if isinstance(event, Progress)) == 0


@pytest.mark.parametrize("name", tiny.FAMILIES)
def test_text_to_image_and_inpainting_share_their_weights(name: str, folders: Callable[[str], Path], files: dict[str, str]) -> None:
    card = card_of(folders(name))
    draw = diffusion.recipe(card, resolve(TextToImage.checked({"prompt": "x", "seed": 1}), card), CPU)
    fill, _ = recipe_of(card, **files)
    assert {c.key for c in fill.components.values()} == {c.key for c in draw.components.values()}


@pytest.mark.parametrize("name", tiny.FAMILIES)
def test_latents_of_a_picture_come_back_as_the_preview_reads_them(name: str, folders: Callable[[str], Path]) -> None:
    import torch

    card = card_of(folders(name))
    task = resolve(TextToImage.checked({"prompt": "x", "seed": 1}), card)
    recipe = diffusion.recipe(card, task, CPU)
    parts = {role: component.load(lambda _: None) for role, component in recipe.components.items()}
    pipe = _pipelines.assembled(_pipelines.layout(card, folders(name)), parts)
    seen: list[Any] = []
    _inpaint.watched(pipe, None, lambda done, steps, prediction, result: seen.append(result[0]))
    pipe(prompt="x", width=64, height=64, num_inference_steps=2, output_type="latent")
    picture = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    with torch.inference_mode():
        latents = _latents.encoded(picture, pipe.vae, seen[0])
        raw = _latents._encoded(pipe.vae, torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1)
        back = _latents._unscaled(_latents._unpacked(latents, 64, 64), pipe.vae)
    assert latents.shape == seen[0].shape
    assert torch.allclose(back, raw, atol=1e-4)


def test_what_is_kept_is_the_pictures_own_latents_at_the_end(folders: Callable[[str], Path], files: dict[str, str]) -> None:
    import torch

    card = card_of(folders("StableDiffusionPipeline"))
    recipe, task = recipe_of(card, **files, mode="fill")
    parts = {role: component.load(lambda _: None) for role, component in recipe.components.items()}
    ends: list[Any] = []
    original = _inpaint.Hold.held

    def listened(self: Any, *args: Any) -> Any:
        result = original(self, *args)
        ends.append((self, result))
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_inpaint.Hold, "held", listened)
        list(recipe.build(parts)(task, lambda _: None))
    hold, latents = ends[-1]
    kept = (hold.mask <= 0).expand_as(latents)
    assert kept.any()
    assert (~kept).any()
    assert torch.equal(latents[kept], hold.clean[kept].to(latents))
    assert not torch.equal(latents[~kept], hold.clean[~kept].to(latents))
    early = ends[0][1]
    assert not torch.allclose(early[kept], hold.clean[kept].to(early))  # noised, as it should be by then


def test_a_variant_is_the_picture_of_its_own_seed(folders: Callable[[str], Path], files: dict[str, str]) -> None:
    card = card_of(folders("StableDiffusionPipeline"))
    both, alone = edited(card, None, **files, count=2), edited(card, None, **(files | {"seed": 2}))
    assert [picture.seed for picture in both] == [1, 2]
    assert np.array_equal(both[1].pixels, alone[0].pixels)
    assert not np.array_equal(both[0].pixels, both[1].pixels)


def test_strength_says_how_much_is_redrawn(folders: Callable[[str], Path], files: dict[str, str]) -> None:
    card = card_of(folders("StableDiffusionPipeline"))
    before = np.asarray(Image.open(files["image"]))[30:50, 40:56].astype(float)
    changes = [
        np.abs(edited(card, None, **files, mode="refine", steps=10, strength=strength)[0].pixels[30:50, 40:56] - before).mean()
        for strength in (0.2, 1.0)
    ]
    assert changes[0] < changes[1]


def test_a_strength_that_draws_no_step_is_refused_in_words(folders: Callable[[str], Path], files: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="changes nothing"):
        edited(card_of(folders("StableDiffusionPipeline")), None, **files, mode="refine", steps=4, strength=0.1)


def test_the_whole_picture_is_redrawn_without_a_mask(folders: Callable[[str], Path], files: dict[str, str]) -> None:
    (picture,) = edited(card_of(folders("StableDiffusionPipeline")), image=files["image"], strength=0.5, steps=4)
    assert picture.pixels.shape == (80, 96, 3)
    assert "The whole picture was redrawn." in str(picture.facts["notes"])


def test_outpainting_keeps_the_picture_at_its_offset(folders: Callable[[str], Path], files: dict[str, str]) -> None:
    (picture,) = edited(card_of(folders("FluxPipeline")), image=files["image"], prompt="", left="50%", top="16", feather=0)
    before = np.asarray(Image.open(files["image"]))
    assert picture.pixels.shape == (96, 144, 3)
    assert np.array_equal(picture.pixels[18:, 50:], before[2:, 2:])


def test_a_model_trained_for_masks_gets_the_mask(tmp_path: Path, files: dict[str, str]) -> None:
    diffusers: Any = importlib.import_module("diffusers")
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(4, 8), layers_per_block=1, sample_size=32, in_channels=9, out_channels=4, cross_attention_dim=32,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), norm_num_groups=2,
    )  # fmt: skip
    folder = tiny.stable_diffusion(tmp_path / "nine", unet=unet)
    (picture,) = edited(card_of(folder), None, **files, feather=2)
    assert picture.facts["pipeline"] == "StableDiffusionInpaintPipeline"
    before = np.asarray(Image.open(files["image"]))
    assert np.array_equal(picture.pixels[outside(files["mask"], 4)], before[outside(files["mask"], 4)])


def test_stopping_ends_within_one_step(folders: Callable[[str], Path], files: dict[str, str]) -> None:
    steps: list[float] = []

    def report(event: Any) -> None:
        if isinstance(event, Progress) and event.done:
            steps.append(event.done)
            if len(steps) == 2:
                raise Cancelled

    with pytest.raises(Cancelled):
        edited(card_of(folders("StableDiffusionPipeline")), report, **files, steps=10)
    assert steps == [1, 2]


@pytest.mark.parametrize("scheduler", ["DDIM", "Euler", "Euler a", "DPM++ 2M Karras", "UniPC", "Heun", "LCM", "PNDM"])
def test_what_is_kept_is_held_with_every_scheduler(scheduler: str, folders: Callable[[str], Path], files: dict[str, str]) -> None:
    card = card_of(folders("StableDiffusionPipeline")).model_copy(update={"schedulers": (scheduler,)})
    (picture,) = edited(card, None, **files, scheduler=scheduler, steps=6, feather=3)
    assert picture.facts["scheduler"] == scheduler
    before = np.asarray(Image.open(files["image"]))
    assert np.array_equal(picture.pixels[outside(files["mask"], 5)], before[outside(files["mask"], 5)])
    assert np.isfinite(picture.pixels.astype(float)).all()
