"""A UNet and a decoder that OpenVINO runs in place of torch: which parts are exchanged, when torch stays, and that pictures are alike."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from studio import fetching
from studio.converted import Converted
from studio.creations import Picture
from studio.device import Device
from studio.engines import _openvino, _openvino_child, _openvino_tracing, _pipelines, diffusion
from studio.engines._economies import Economy, applied
from studio.errors import Cancelled
from studio.manager import Component, Manager
from studio.models import Folder, ModelCard
from studio.tasks import TextToImage
from tests import tiny

torch: Any = importlib.import_module("torch")


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    folder = tiny.stable_diffusion(tmp_path_factory.mktemp("openvino") / "tiny")
    return ModelCard(
        name="tiny", engine="diffusion", serves=("text_to_image",), source=Folder(path=str(folder)), files=folder,
        defaults={"width": 64, "height": 64, "steps": 2, "guidance_scale": 5.0},
    )  # fmt: skip


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    """One on which even the smallest network would be translated, as if the package were there."""
    monkeypatch.setattr(_openvino, "LEAST", 0)
    monkeypatch.setattr(_openvino, "installed", lambda: True)
    monkeypatch.setattr(_openvino, "version", lambda _: "1")
    return Device("cpu", converted=Converted(tmp_path / "converted", 10**9), openvino=True)


WAVES = {"block_out_channels": (8, 16), "addition_time_embed_dim": 4, "flip_sin_to_cos": True, "freq_shift": 0}


def parts_of(card: ModelCard, device: Device) -> tuple[dict[str, Component], _pipelines.Layout]:
    assert card.files is not None
    layout = _pipelines.layout(card, card.files)
    return _pipelines.from_folder(card, layout, None, device.dtype, device), layout


def exchanged(card: ModelCard, device: Device) -> dict[str, Component]:
    own, layout = parts_of(card, device)
    return _openvino.quicker(own, card, layout, device)


def ignore(_: object) -> None:
    return None


class Twice:
    """A network that answers with twice its first input, and remembers what it was given."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}
        self.config: Mapping[str, Any] = {"in_channels": 4}

    def __call__(self, given: Mapping[str, Any]) -> Any:
        self.given = dict(given)
        return given["sample"].float() * 2

    def close(self) -> None:
        self.given = {}


def network() -> _openvino.Network:
    return cast("_openvino.Network", Twice())


def test_the_unet_and_the_decoder_are_exchanged_and_nothing_else(card: ModelCard, device: Device) -> None:
    own, layout = parts_of(card, device)
    found = _openvino.quicker(own, card, layout, device)
    assert {role for role in own if found[role] is not own[role]} == {"unet", "vae"}
    assert found["unet"].key.endswith(":openvino") and found["unet"].bytes == own["unet"].bytes


def test_without_the_package_the_wish_or_a_place_all_stays_as_it_is(
    card: ModelCard, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in (dataclasses.replace(device, openvino=False), dataclasses.replace(device, converted=None)):
        assert exchanged(card, other)["unet"].key.endswith(":none")
    monkeypatch.setattr(_openvino, "LEAST", 10**9)
    assert exchanged(card, device)["unet"].key.endswith(":none")
    monkeypatch.setattr(_openvino, "LEAST", 0)
    monkeypatch.setattr(_openvino, "installed", lambda: False)
    assert exchanged(card, device)["unet"].key.endswith(":none")


def test_what_cannot_be_translated_runs_on_torch_and_is_not_tried_again(
    card: ModelCard, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[dict[str, Any]] = []

    def child(command: object, tick: Any, environment: object, words: str, **options: object) -> tuple[int, str]:
        tick("")
        tries.append(json.loads(words))
        return 1, "no such operation"

    monkeypatch.setattr(fetching, "run_child", child)
    told: list[str] = []
    unet = exchanged(card, device)["unet"]
    for _ in range(2):
        value = unet.load(lambda event: told.append(getattr(event, "note", "")))
        assert type(value).__name__ == "UNet2DConditionModel"
    assert [request["role"] for request in tries] == ["unet"]
    assert told == ["preparing this model for the processor, 1 of 2"]


def test_what_the_trial_found_no_quicker_runs_on_torch(card: ModelCard, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    def child(command: object, tick: object, environment: object, words: str, **options: object) -> tuple[int, str]:
        (Path(json.loads(words)["out"]) / _openvino.FACTS).write_text('{"use": false}')
        return 0, ""

    monkeypatch.setattr(fetching, "run_child", child)
    assert exchanged(card, device)["vae"].load(ignore).decoder.__class__.__module__.startswith("diffusers")


def test_stopping_while_a_network_is_translated_ends_it_and_leaves_nothing(card: ModelCard, device: Device) -> None:
    def stop(_: object) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        exchanged(card, device)["unet"].load(stop)
    assert device.converted is not None and list(device.converted.folder.iterdir()) == []


def test_with_too_little_memory_nothing_is_translated(card: ModelCard, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "room", lambda self, held: 1000)
    assert type(exchanged(card, device)["unet"].load(ignore)).__name__ == "UNet2DConditionModel"


def test_a_denoiser_is_called_as_the_class_is() -> None:
    denoiser = _openvino.Denoiser(network(), WAVES | {"in_channels": 4, "projection_class_embeddings_input_dim": 12}, torch.bfloat16)
    sample, words = torch.ones(2, 4, 8, 8, dtype=torch.bfloat16), torch.zeros(2, 77, 8)
    (found,) = denoiser(sample, torch.tensor(500), encoder_hidden_states=words, cross_attention_kwargs=None, return_dict=False)
    assert found.dtype == torch.bfloat16 and float(found.mean()) == 2
    assert denoiser(sample, 500, words).sample.shape == sample.shape
    assert (denoiser.config.in_channels, denoiser.dtype, denoiser.add_embedding.linear_1.in_features) == (4, torch.bfloat16, 12)
    added = {"text_embeds": torch.zeros(2, 5), "time_ids": torch.full((2, 6), 512)}
    plain = Twice()
    _openvino.Denoiser(cast("_openvino.Network", plain), WAVES, torch.float32)(sample, 501, words, added_cond_kwargs=added)
    assert plain.given["sizes"].shape == (2, 24) and plain.given["times"].shape == (2, 8)
    assert float(plain.given["times"][0, 0]) == pytest.approx(np.cos(501.0), abs=1e-4)  # not that of 500, which bf16 would make of it
    with pytest.raises(TypeError, match="mid_block_additional_residual"):
        denoiser(sample, 500, words, mid_block_additional_residual=sample)


def test_guidance_in_two_halves_works_with_a_denoiser() -> None:
    from types import SimpleNamespace

    vae = tiny_vae()
    denoiser = _openvino.Denoiser(network(), WAVES, torch.float32)
    pipe = SimpleNamespace(unet=denoiser, vae=vae)
    sample = torch.arange(2.0).view(2, 1, 1, 1).expand(2, 4, 8, 8)
    with applied(pipe, Economy("x", "x", halved=True), (64, 64)):
        (found,) = denoiser(sample, 500, encoder_hidden_states=torch.zeros(2, 77, 8), return_dict=False)
    assert torch.equal(found, sample * 2) and "forward" not in vars(denoiser)


def test_a_picture_says_that_openvino_made_it() -> None:
    from types import SimpleNamespace

    plain = SimpleNamespace(unet=object(), vae=tiny_vae())
    assert _openvino.told(plain) == {}
    vae = tiny_vae()
    del vae.decoder
    vae.decoder = _openvino.Decoder(network())
    assert _openvino.told(SimpleNamespace(vae=vae)) == {"processor": "openvino"}
    assert vae.decode(torch.zeros(1, 4, 8, 8)).sample.shape == (1, 4, 8, 8)


@pytest.mark.parametrize(
    "config",
    [
        {"time_embedding_type": "fourier"},
        {"class_embed_type": "timestep"},
        {"encoder_hid_dim_type": "image_proj"},
        {"addition_embed_type": "image"},
        {"num_class_embeds": 3},
    ],
)
def test_unets_of_other_kinds_are_left_to_torch(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a UNet that is told"):
        _openvino_tracing.traced(None, config, "UNet2DConditionModel")


def tiny_vae() -> Any:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    return AutoencoderKL(block_out_channels=(8,), norm_num_groups=4, latent_channels=4)


KINDS = {
    "plain": {},
    "sizes": {"addition_embed_type": "text_time", "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 6 * 8 + 16},
    "guidance": {"time_cond_proj_dim": 16},
}


@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore")  # tracing warns of every branch that it follows
@pytest.mark.parametrize("kind", KINDS)
def test_a_translated_unet_is_as_true_as_torch_in_every_size(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("openvino")
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    own = UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(32, 64), norm_num_groups=8, cross_attention_dim=32,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), **KINDS[kind],
    ).eval().requires_grad_(False)  # fmt: skip
    own.save_pretrained(tmp_path / "unet")
    (tmp_path / "out").mkdir()
    request = {"role": "unet", "kind": "UNet2DConditionModel", "folder": str(tmp_path / "unet"), "variant": None, "dtype": "bfloat16"}
    assert _openvino_child.translated(request, tmp_path / "out")["error"] < _openvino_child.FAR
    made = _openvino.Network(tmp_path / "out", exact=False)
    denoiser = _openvino.Denoiser(made, made.config, torch.bfloat16)
    for batch, rows, columns in ((2, 8, 8), (1, 9, 11), (2, 16, 8)):
        sample, words, told = torch.randn(batch, 4, rows, columns), torch.randn(batch, 77, 32), dict[str, Any]()
        if kind == "sizes":
            told["added_cond_kwargs"] = {"text_embeds": torch.randn(batch, 16), "time_ids": torch.full((batch, 6), 513.0)}
        if kind == "guidance":
            told["timestep_cond"] = torch.randn(batch, 16)
        with torch.inference_mode():
            right, found = (unet(sample, torch.tensor(741), words, **told).sample for unet in (own, denoiser))
        assert float((found - right).norm() / right.norm()) < _openvino_child.FAR
    denoiser.close()


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_translated_networks_draw_what_torch_draws_in_every_size(card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr(_openvino, "LEAST", 0)
    store = Converted(tmp_path / "converted", 10**9)
    device = Device("cpu", converted=store, openvino=True)
    found = exchanged(card, device)
    for role in ("unet", "vae"):
        found[role].load(ignore)
    facts = [json.loads(file.read_text()) for file in store.folder.glob(f"*/{_openvino.FACTS}")]
    assert len(facts) == 2
    # networks as small as these are no quicker; they are to be used all the same
    monkeypatch.setattr(_openvino, "_opened", partial(_used, device.dtype == torch.float32))
    assert all("error" in fact for fact in facts), facts
    for size in ((64, 64), (72, 88)):
        task = TextToImage.checked({"prompt": "a red apple", "seed": 3, "steps": 2, "width": size[0], "height": size[1]})
        by_torch, by_openvino = (drawn(card, task, other) for other in (Device("cpu"), device))
        assert by_openvino.facts["processor"] == "openvino" and "processor" not in by_torch.facts
        assert np.abs(by_torch.pixels.astype(int) - by_openvino.pixels.astype(int)).mean() < 3


def _used(exact: bool, part: object, folder: Path) -> _openvino.Network:
    return _openvino.Network(folder, exact)


def drawn(card: ModelCard, task: TextToImage, device: Device) -> Picture:
    manager = Manager(device)
    recipe = diffusion.recipe(card, task, device)
    with manager.lease(recipe, task, ignore) as pipeline:
        (picture,) = pipeline(task, ignore)
    manager.close()
    assert isinstance(picture, Picture)
    return picture
