"""Previews by a small decoder: where there is one it shows the latents, where it does not fit or cannot be read nothing else changes."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.creations import Picture, Preview
from studio.device import Device
from studio.engines import _latents, _painting, _small_decoder, diffusion
from studio.engines._small_decoder import SmallDecoder
from studio.manager import Manager
from studio.models import Folder, ModelCard
from tests import tiny

torch: Any = importlib.import_module("torch")

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of numpy, asked for by the libraries under test
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
CPU = Device("cpu")
Report = Callable[[Any], None]


@pytest.fixture(autouse=True)
def taken_for_a_graphics_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_small_decoder, "KINDS", {"cpu"})
    monkeypatch.setattr(_painting, "PREVIEW_SECONDS", 0.0)


def _decoder(folder: Path, channels: int) -> Path:
    """An AutoencoderTiny with random weights, whose pictures are twice as wide and high as its latents, as those of tests/tiny.py are."""
    torch.manual_seed(0)
    library: Any = importlib.import_module("diffusers")
    made = library.AutoencoderTiny(
        encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), num_encoder_blocks=(1, 1), num_decoder_blocks=(1, 1),
        latent_channels=channels,
    )  # fmt: skip
    made.save_pretrained(folder)
    return folder


def _with(card: ModelCard, folder: Path) -> ModelCard:
    changed = {"companions": {"preview": Folder(path=str(folder))}, "companion_files": {"preview": folder}}
    return card.model_copy(update=changed)


def _drawn(card: ModelCard, report: Report = lambda _: None, way: str = "") -> tuple[Picture, list[Any], dict[str, Any]]:
    task, previews = tiny.task_of(), list[Any]()
    recipe = diffusion.recipe(card, task, CPU)
    chosen = next(one for one in (recipe.own, *recipe.ways) if one.name == way)
    values = {role: part.load(report) for role, part in recipe.parts(chosen).items()}

    def watch(event: Any) -> None:
        if isinstance(event, Preview):
            previews.append(event.pixels)

    (picture,) = chosen.build(values)(task, watch)
    assert isinstance(picture, Picture)
    return picture, previews, values


@pytest.mark.parametrize(("name", "channels"), [("StableDiffusionPipeline", 4), ("FluxPipeline", 4), ("StableDiffusion3Pipeline", 4)])
def test_previews_are_what_the_small_decoder_shows_and_the_picture_stays_the_same(
    name: str, channels: int, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    card = tiny.card_of(folders(name))
    plain, lines, values = _drawn(card)
    channels = values["vae"].config.latent_channels or channels
    picture, previews, values = _drawn(_with(card, _decoder(tmp_path / "small", channels)))
    assert np.array_equal(picture.pixels, plain.pixels)
    assert len(previews) == len(lines) == 2
    assert not any(np.array_equal(mine, line) for mine, line in zip(previews, lines, strict=True))
    assert values["preview"].module.dtype == torch.float32


def test_a_preview_is_the_decoders_own_picture_of_the_latents(tmp_path: Path) -> None:
    module = importlib.import_module("diffusers").AutoencoderTiny.from_pretrained(_decoder(tmp_path, 4))
    vae = importlib.import_module("diffusers").AutoencoderKL(latent_channels=4, norm_num_groups=1, block_out_channels=(4,))
    latents = torch.randn(1, 4, 16, 32, generator=torch.Generator().manual_seed(1)) * 0.5
    made = _latents.preview(latents, vae, 64, 32, SmallDecoder(module))
    with torch.no_grad():
        shown = ((module.decode(latents).sample[0].clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.array_equal(made, np.asarray(Image.fromarray(shown).resize((256, 128), Image.Resampling.BICUBIC)))


def test_a_decoder_for_other_latents_is_left_alone(folders: Callable[[str], Path], tmp_path: Path) -> None:
    card = tiny.card_of(folders("StableDiffusionPipeline"))
    _, lines, _ = _drawn(card)
    _, previews, _ = _drawn(_with(card, _decoder(tmp_path / "small", 16)))
    assert all(np.array_equal(mine, line) for mine, line in zip(previews, lines, strict=True))


@pytest.mark.parametrize("damage", ["empty", "torn", "other"])
def test_a_decoder_that_cannot_be_read_costs_no_picture(
    damage: str, folders: Callable[[str], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small = _decoder(tmp_path / "small", 4)
    weights = small / "diffusion_pytorch_model.safetensors"
    if damage == "empty":
        weights.unlink()
    elif damage == "torn":
        (small / "config.json").write_text("{", "utf-8")
    else:
        (small / "config.json").write_text((small / "config.json").read_text("utf-8").replace("8", "16"), "utf-8")
    with caplog.at_level(logging.WARNING, "atelier"):
        picture, previews, _ = _drawn(_with(tiny.card_of(folders("StableDiffusionPipeline")), small))
    assert picture.pixels.shape == (64, 64, 3)
    assert len(previews) == 2
    assert len([line for line in caplog.messages if "without its small decoder" in line]) == 1


def test_it_is_in_the_ledger_under_its_own_name_and_cards_share_it(folders: Callable[[str], Path], tmp_path: Path) -> None:
    small, task = _decoder(tmp_path / "small", 4), tiny.task_of()
    cards = [_with(tiny.card_of(folders(name)), small) for name in ("StableDiffusionPipeline", "StableDiffusionXLPipeline")]
    first, second = (diffusion.recipe(card, task, CPU).components["preview"] for card in cards)
    assert first.key == second.key
    assert "/preview:" in first.key
    manager = Manager(CPU)
    with manager.lease(diffusion.recipe(cards[0], task, CPU), task, lambda _: None):
        held = {resident.key: resident.bytes for resident in manager.status().residents}
    manager.close()
    module = importlib.import_module("diffusers").AutoencoderTiny.from_pretrained(small)
    assert held[first.key] == sum(weight.nbytes for weight in module.parameters())


def test_where_memory_is_short_previews_are_plain(folders: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.engines._economies.SMALL_TILE", 32)
    monkeypatch.setattr("studio.engines._economies.TILE", 32)
    card = tiny.card_of(folders("StableDiffusionPipeline"))
    _, lines, _ = _drawn(card, way="tiled")
    _, previews, _ = _drawn(_with(card, _decoder(tmp_path / "small", 4)), way="tiled")
    assert all(np.array_equal(mine, line) for mine, line in zip(previews, lines, strict=True))


def test_no_card_brings_it_to_a_processor(folders: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = _with(tiny.card_of(folders("StableDiffusionPipeline")), _decoder(tmp_path / "small", 4))
    assert "preview" in diffusion.recipe(card, tiny.task_of(), CPU).components
    monkeypatch.undo()
    assert "preview" not in diffusion.recipe(card, tiny.task_of(), CPU).components
