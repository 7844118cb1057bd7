"""What a VAE's encoder made of a picture is kept: another seed, strength or prompt asks it nothing, and the result is the same."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.creations import Picture
from studio.device import Device
from studio.engines import _encodings, diffusion
from studio.engines._prompts import Read
from studio.models import resolve
from studio.tasks import Inpaint
from tests import tiny

torch: Any = importlib.import_module("torch")

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of numpy, asked for by the libraries under test
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

CPU = Device("cpu")


class Desk:
    """A loaded model that mends pictures, and counts how often its encoder is asked."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.card = tiny.card_of(folder, **options)
        self.asked = 0
        self.values: dict[str, Any] = {}

    def mended(self, **asked: Any) -> Any:
        task = resolve(Inpaint.checked({"prompt": "a red apple", "seed": 1, "steps": 4} | asked), self.card)
        recipe = diffusion.recipe(self.card, task, CPU)
        if not self.values:
            self.values = {role: part.load(lambda _: None) for role, part in recipe.components.items()}
            self.values["vae"].encoder.register_forward_hook(self._count)
        [picture] = recipe.build(self.values)(task, lambda _: None)
        assert isinstance(picture, Picture)
        return picture.pixels

    def _count(self, *_: object) -> None:
        self.asked += 1

    def forget(self) -> None:
        self.values["encodings"] = Read()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    return tiny.marked(tmp_path, 64, 64, (20, 20, 44, 44))


@pytest.mark.parametrize("name", tiny.FAMILIES)
@pytest.mark.parametrize("masked", [False, True])
def test_the_same_picture_is_encoded_once_and_no_pixel_changes(
    name: str, masked: bool, folders: Callable[[str], Path], files: dict[str, str]
) -> None:
    desk = Desk(folders(name))
    given = {"image": files["image"], "strength": 0.5} | ({"mask": files["mask"], "mode": "refine"} if masked else {})
    desk.mended(**given)
    first = desk.asked
    assert first
    others = [given | change for change in ({"seed": 2}, {"strength": 0.75, "prompt": "a blue pear"})]
    kept = [desk.mended(**other) for other in others]
    assert desk.asked == first
    for other, pixels in zip(others, kept, strict=True):
        desk.forget()
        assert np.array_equal(desk.mended(**other), pixels)
    assert desk.asked > first


@pytest.mark.parametrize("name", [*tiny.FILLERS, *tiny.EDITORS])
def test_what_a_model_reads_beside_its_latents_is_encoded_once(name: str, folders: Callable[[str], Path], files: dict[str, str]) -> None:
    desk = Desk(folders(name), side=64)
    given = files if name in tiny.FILLERS else {"image": files["image"], "mode": "instruct"}
    desk.mended(**given)
    first = desk.asked
    kept = desk.mended(**given, seed=2)
    assert first and desk.asked == first
    desk.forget()
    assert np.array_equal(desk.mended(**given, seed=2), kept)


def test_another_pixel_is_another_picture(folders: Callable[[str], Path], files: dict[str, str]) -> None:
    desk = Desk(folders("StableDiffusionPipeline"))
    desk.mended(image=files["image"], strength=0.5)
    first = desk.asked
    pixels = np.asarray(Image.open(files["image"])).copy()
    pixels[10, 10, 0] ^= 1
    Image.fromarray(pixels).save(files["image"])
    desk.mended(image=files["image"], strength=0.5)
    assert desk.asked > first


def vae_of(seed: int = 0) -> Any:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    torch.manual_seed(seed)
    return AutoencoderKL(block_out_channels=(8,), norm_num_groups=4, latent_channels=4).requires_grad_(False)


def test_noise_is_drawn_anew_from_what_was_kept_and_the_module_is_left_as_it_was() -> None:
    vae, kept, picture = vae_of(), Read(), torch.rand(1, 3, 16, 16)

    def sampled(seed: int) -> Any:
        return vae.encode(picture).latent_dist.sample(torch.Generator().manual_seed(seed))

    plain = [sampled(seed) for seed in (1, 2)]
    with _encodings.remembered(vae, kept):
        known = [sampled(seed) for seed in (1, 2)]
        vae.encode(picture).latent_dist.mean.zero_()  # whatever a pipeline does to it
        known.append(sampled(1))
        (told,) = vae.encode(picture, return_dict=False)
    assert all(map(torch.equal, known, [*plain, plain[0]])) and not torch.equal(*plain)
    assert torch.equal(told.mean, vae.encode(picture).latent_dist.mean)
    assert "encode" not in vars(vae) and kept.bytes == 2 * 4 * 16 * 16 * 4


def test_tiles_and_number_formats_are_told_apart() -> None:
    vae, kept, picture, asked = vae_of(), Read(), torch.rand(1, 3, 16, 16), list[int]()
    vae.encoder.register_forward_hook(lambda *_: asked.append(1))
    with _encodings.remembered(vae, kept):
        for tiling in (False, True, False):
            vae.use_tiling = tiling
            vae.encode(picture)
        assert len(asked) == 2
        vae.encode(picture.to(memory_format=torch.channels_last))
        assert len(asked) == 3, "the order of memory may change how sums are rounded"


def test_the_oldest_go_when_there_is_no_room_and_other_answers_are_not_kept() -> None:
    vae, asked = vae_of(), list[int]()
    vae.encoder.register_forward_hook(lambda *_: asked.append(1))
    pictures, kept = [torch.full((1, 3, 16, 16), value) for value in (0.1, 0.2, 0.3)], Read(limit=2 * 8192)
    with _encodings.remembered(vae, kept):
        for picture in (*pictures, pictures[2], pictures[0]):
            vae.encode(picture)
    assert len(asked) == 4 and kept.bytes == 2 * 8192
    other, kept = SimpleNamespace(encode=lambda x: SimpleNamespace(latent=x), dtype=torch.float32), Read()
    with _encodings.remembered(other, kept):
        assert torch.equal(other.encode(pictures[0]).latent, pictures[0])
    assert kept.bytes == 0
