"""Transformers that OpenVINO runs in place of torch: which are, how a pipeline calls them, and that what they say is true in every size."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from studio.converted import Converted
from studio.creations import Picture
from studio.device import Device
from studio.engines import _openvino, _openvino_child, _openvino_tracing, _pipelines, diffusion
from studio.engines._economies import Economy, applied
from studio.engines._openvino_network import Network
from studio.engines._openvino_stand_ins import Transformer, in_waves
from studio.manager import Manager
from studio.tasks import TextToImage
from tests import tiny

torch: Any = importlib.import_module("torch")
diffusers: Any = importlib.import_module("diffusers")

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("ignore")]  # tracing warns of every branch it follows

SD3, FLUX, FLUX2 = "SD3Transformer2DModel", "FluxTransformer2DModel", "Flux2Transformer2DModel"
HEADS = {"attention_head_dim": 16, "num_attention_heads": 4, "num_layers": 1, "in_channels": 16, "joint_attention_dim": 32}
KINDS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "sizes": (SD3, {"sample_size": 32, "patch_size": 2, "caption_projection_dim": 64, "pooled_projection_dim": 24, "out_channels": 16}),
    "places": (FLUX, {"patch_size": 1, "num_single_layers": 1, "pooled_projection_dim": 24, "axes_dims_rope": (4, 4, 8)}),
    "guidance": (
        FLUX,
        {"patch_size": 1, "num_single_layers": 1, "pooled_projection_dim": 24, "axes_dims_rope": (4, 4, 8), "guidance_embeds": True},
    ),
    "four axes": (FLUX2, {"patch_size": 1, "num_single_layers": 1, "axes_dims_rope": (4, 4, 4, 4), "guidance_embeds": False}),
}


def built(name: str) -> tuple[Any, str, dict[str, Any]]:
    """A tiny transformer of the real class, the class's name, and its settings."""
    kind, settings = KINDS[name]
    torch.manual_seed(0)
    own = getattr(diffusers, kind)(**HEADS, **settings).eval().requires_grad_(False)
    return own, kind, dict(own.config)


def given(name: str, batch: int, rows: int, columns: int, words: int = 77) -> dict[str, Any]:
    """What a pipeline tells it of latents of (rows, columns)."""
    _, settings = KINDS[name]
    count, axes = rows * columns // 4, len(settings.get("axes_dims_rope", ()))
    found = {
        "hidden_states": torch.randn(batch, count, 16) if axes else torch.randn(batch, 16, rows, columns),
        "encoder_hidden_states": torch.randn(batch, words, 32),
        "timestep": torch.full((batch,), 0.741 if axes else 741.0),
    }
    if "pooled_projection_dim" in settings:
        found["pooled_projections"] = torch.randn(batch, 24)
    if axes:
        places = torch.zeros(count, axes)
        places[:, 1], places[:, 2] = torch.arange(count) // (columns // 2), torch.arange(count) % (columns // 2)
        found |= {"img_ids": places, "txt_ids": torch.zeros(words, axes)}
    if settings.get("guidance_embeds"):
        found["guidance"] = torch.full((batch,), 3.5)
    return found


class Twice:
    """A network that answers with twice its first input, and remembers what it was given."""

    inputs = ("hidden_states", "encoder_hidden_states", "timestep", "img_ids", "txt_ids")

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}

    def __call__(self, given: Mapping[str, Any]) -> Any:
        self.given = dict(given)
        return given["hidden_states"].float() * 2

    def close(self) -> None:
        self.given = {}


def stood_in(dtype: Any = torch.float32) -> tuple[Transformer, Twice]:
    network = Twice()
    return Transformer(cast("Network", network), FLUX2, {"in_channels": 16, "axes_dims_rope": (4, 4, 4, 4)}, dtype), network


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("StableDiffusion3Pipeline", {"transformer", "vae"}),
        ("FluxPipeline", {"transformer", "vae"}),
        ("Flux2KleinPipeline", {"transformer", "vae"}),
        ("ZImagePipeline", {"vae"}),
        ("QwenImagePipeline", set[str]()),
    ],
)
def test_transformers_whose_inputs_are_tensors_are_exchanged_and_others_are_left_to_torch(
    name: str, roles: set[str], folders: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_openvino, "LEAST", 0)
    monkeypatch.setattr(_openvino, "installed", lambda: True)
    device = Device("cpu", converted=Converted(tmp_path / "converted", 10**9), openvino=True)
    card = tiny.card_of(folders(name))
    layout = _pipelines.layout(card, folders(name))
    own = _pipelines.from_folder(card, layout, None, device.dtype, device)
    found = _openvino.quicker(own, card, layout, device)
    assert {role for role in own if found[role] is not own[role]} == roles


def test_a_transformer_is_called_as_the_class_is() -> None:
    stand_in, network = stood_in(torch.bfloat16)
    told = given("four axes", 2, 8, 8)
    told["hidden_states"] = told["hidden_states"].to(torch.bfloat16)
    with stand_in.cache_context("cond"):
        (found,) = stand_in(**told, guidance=None, joint_attention_kwargs={}, return_dict=False)
    assert found.dtype == torch.bfloat16 and torch.equal(found, told["hidden_states"] * 2)
    assert stand_in(**told).sample.shape == (2, 16, 16)
    assert (stand_in.config.in_channels, stand_in.dtype) == (16, torch.bfloat16)
    assert network.given["timestep"].shape == (2, 256) and network.given["img_ids"].shape == (16, 32)
    assert float(network.given["timestep"][0, 0]) == pytest.approx(np.cos(741.0), abs=1e-3)
    assert torch.equal(in_waves(FLUX2, stand_in.config, told | {"img_ids": told["img_ids"][None]})["img_ids"], network.given["img_ids"])
    for name in ("guidance", "skip_layers", "pooled_projections"):
        with pytest.raises(TypeError, match=name):
            stand_in(**told, **{name: torch.zeros(2)})


def test_guidance_in_two_halves_works_with_a_transformer() -> None:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    stand_in, _ = stood_in()
    pipe = SimpleNamespace(transformer=stand_in, vae=AutoencoderKL(block_out_channels=(8,), norm_num_groups=4))
    told = given("four axes", 2, 8, 8)
    with applied(pipe, Economy("x", "x", halved=True), (64, 64)):
        (found,) = stand_in(**told, return_dict=False)
    assert torch.equal(found, told["hidden_states"] * 2) and "forward" not in vars(stand_in)
    assert _openvino.told(pipe) == {"processor": "openvino"}


@pytest.mark.parametrize("name", KINDS)
def test_what_is_translated_says_what_the_class_says(name: str) -> None:
    own, kind, config = built(name)
    told = given(name, 2, 12, 20, words=9)
    with torch.inference_mode():
        right = own(**told, return_dict=False)[0]
        module, inputs = _openvino_tracing.traced(own, config, kind)
        found = module(**in_waves(kind, config, told))
        assert module(**inputs(6, 10)).shape[0] == 2
    assert float((found - right).norm() / right.norm()) < 1e-5


def test_a_transformer_that_only_some_pipelines_tell_of_guidance_is_left_to_torch() -> None:
    with pytest.raises(ValueError, match="guidance"):
        _openvino_tracing.traced(None, {"guidance_embeds": True}, FLUX2)


@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", KINDS)
def test_a_translated_transformer_is_as_true_as_torch_in_every_size(name: str, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    own, kind, config = built(name)
    own.save_pretrained(tmp_path / "transformer")
    (tmp_path / "out").mkdir()
    request = {"role": "transformer", "kind": kind, "folder": str(tmp_path / "transformer"), "variant": None, "dtype": "bfloat16"}
    assert _openvino_child.translated(request, tmp_path / "out")["error"] < _openvino_child.FAR
    made = Network(tmp_path / "out", exact=False)
    stand_in = Transformer(made, kind, made.config, torch.bfloat16)
    for batch, rows, columns, words in ((2, 8, 8, 77), (1, 18, 22, 77), (2, 40, 16, 30)):
        told = given(name, batch, rows, columns, words)
        with torch.inference_mode():
            right, found = own(**told).sample, stand_in(**told).sample
        assert float((found - right).norm() / right.norm()) < _openvino_child.FAR
    assert made.config["in_channels"] == config["in_channels"]
    stand_in.close()


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_a_translated_transformer_draws_what_torch_draws(
    folders: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr(_openvino, "LEAST", 0)
    device = Device("cpu", converted=Converted(tmp_path / "converted", 10**9), openvino=True)
    card = tiny.card_of(folders("StableDiffusion3Pipeline"))
    parts = diffusion.recipe(card, tiny.task_of(), device).components
    for role in ("transformer", "vae"):
        parts[role].load(lambda _: None)
    # networks as small as these are no quicker; they are to be used all the same
    monkeypatch.setattr(_openvino, "_opened", partial(_used, True))
    for size in ((64, 64), (80, 96)):
        task = tiny.task_of(width=size[0], height=size[1])
        by_torch, by_openvino = (drawn(card, task, other) for other in (Device("cpu"), device))
        assert by_openvino.facts["processor"] == "openvino" and "processor" not in by_torch.facts
        assert np.abs(by_torch.pixels.astype(int) - by_openvino.pixels.astype(int)).mean() < 3


def _used(exact: bool, part: object, folder: Path) -> Network:
    return Network(folder, exact)


def drawn(card: Any, task: TextToImage, device: Device) -> Picture:
    manager = Manager(device)
    with manager.lease(diffusion.recipe(card, task, device), task, lambda _: None) as pipeline:
        (picture,) = pipeline(task, lambda _: None)
    manager.close()
    assert isinstance(picture, Picture)
    return picture
