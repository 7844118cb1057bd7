"""OpenVINO in place of torch, where a pipeline of diffusers runs on a CPU: for a UNet, and for the decoder of a VAE.

Each is translated once, in a process of its own (_openvino_child.py), tried against torch there, and kept in the device's store of
converted weights; what turns out no quicker, or too far off, stays with torch. To its pipeline a translated network is what torch's would
be: the same scheduler, steps, previews and stops. Knows no manager and no task.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from studio import components, converted, fetching
from studio.converted import Converted
from studio.creations import Progress, Report
from studio.device import Device, threads
from studio.manager import Component
from studio.models import ModelCard

if TYPE_CHECKING:
    from studio.engines._pipelines import Layout

log = logging.getLogger("atelier")

KINDS = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL"}
"""What is translated, by role."""
LEAST = 30_000_000
"""Bytes of weights below which translating is not worth its time."""
NEEDED = 5
"""Times its own bytes that a part takes while it is translated: in float32, in both forms, and at work in each."""
FACTS, CONFIG, NETWORK = "facts.json", "config.json", "network.xml"
"""The files of a translation: whether to use it, the settings of the class, and the network (its weights lie beside it as .bin)."""


def quicker(parts: Mapping[str, Component], card: ModelCard, layout: Layout, device: Device) -> dict[str, Component]:
    """The parts of a pipeline, with those exchanged that OpenVINO may run on this device; all as they were where it may run none."""
    store = device.converted
    if not device.openvino or device.kind != "cpu" or store is None or not installed():
        return dict(parts)
    dtype = components.number_format(device, card.options.get("dtype"))
    variant = card.options.get("variant") or getattr(card.source, "variant", None)
    roles = [role for role, kind in KINDS.items() if role in parts and layout.parts[role][1] == kind and parts[role].bytes >= LEAST]
    found = dict(parts)
    for number, role in enumerate(roles, 1):
        weights = components.find_weights(card, components.files_of(card) / role, variant)
        if weights.packed:
            continue
        words = f"preparing this model for the processor, {number} of {len(roles)}"
        asked = _Part(role, parts[role], weights, dtype, words)
        found[role] = replace(parts[role], key=f"{parts[role].key.rpartition(':')[0]}:openvino", load=partial(_load, asked, store, device))
    return found


@cache
def installed() -> bool:
    """Whether the package is there."""
    return find_spec("openvino") is not None


def told(pipe: Any) -> dict[str, str]:
    """For the facts of a picture: {'processor': 'openvino'} where a part of its pipeline ran there."""
    own = isinstance(getattr(pipe, "unet", None), Denoiser) or isinstance(getattr(pipe.vae, "decoder", None), Decoder)
    return {"processor": "openvino"} if own else {}


def library() -> Any:
    """The package, without the one beside it that reports its use to its makers."""
    sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore[reportArgumentType] (None: it cannot be imported)
    return importlib.import_module("openvino")


class Network:
    """A translated network: arrays in, one tensor out.

    The first shapes that are asked for get a compiled form of their own, which is the quickest; as soon as others come, one for all
    shapes takes its place. Weights are read from a mapped file and are in memory once, as the compiled form has them.
    """

    def __init__(self, folder: Path, exact: bool) -> None:
        self.config: Mapping[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
        self._core: Any = library().Core()
        self._model: Any = self._core.read_model(folder / NETWORK)
        self.inputs = [port.any_name for port in self._model.inputs]
        self._exact = exact
        self._shapes: Sequence[tuple[int, ...]] | None = None
        self._request: Any = None  # what is compiled, ready to be asked

    def __call__(self, given: Mapping[str, Any]) -> Any:
        """The network's output, float32, for torch tensors by the names in `inputs`."""
        import torch

        arrays = [given[name].detach().to(torch.float32).contiguous().numpy() for name in self.inputs]
        shapes = [array.shape for array in arrays]
        if self._request is None or (self._shapes and shapes != self._shapes):
            first = self._request is None
            self._request = None  # never two of them in memory
            self._request = self._compiled(shapes if first else None)
        (found,) = self._request.infer(arrays, share_inputs=True).values()
        return torch.from_numpy(found.copy())

    def close(self) -> None:
        """Free it; it is not called any more."""
        self._request = self._model = self._core = None

    def _compiled(self, shapes: Sequence[tuple[int, ...]] | None) -> Any:
        """Ready to be asked, for these shapes or for all."""
        import torch

        self._shapes = shapes
        model = self._model
        if shapes is not None:
            model = model.clone()  # the one that is kept stays open to all
            model.reshape(dict(zip(self.inputs, map(list, shapes), strict=True)))
        precision = "f32" if self._exact or not narrow(self._core) else "bf16"
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": min(threads(), torch.get_num_threads()),
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
        }
        return self._core.compile_model(model, "CPU", options).create_infer_request()


class Denoiser:
    """What a pipeline asks of a UNet2DConditionModel."""

    def __init__(self, network: Network, config: Mapping[str, Any], dtype: Any) -> None:
        import torch
        from diffusers.configuration_utils import FrozenDict

        self._network = network
        self.config: Any = FrozenDict(config)
        self.dtype, self.device = dtype, torch.device("cpu")
        self.add_embedding = SimpleNamespace(linear_1=SimpleNamespace(in_features=config.get("projection_class_embeddings_input_dim")))

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Through `forward`, which may be exchanged for a while, as a module's."""
        return self.forward(*given, **named)

    def forward(
        self,
        sample: Any,
        timestep: Any,
        encoder_hidden_states: Any,
        timestep_cond: Any = None,
        added_cond_kwargs: Mapping[str, Any] | None = None,
        return_dict: bool = True,
        **others: Any,
    ) -> Any:
        """The class's own, (N, C, h, w) to (N, C', h, w). TypeError for what is not translated."""
        import torch
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

        if left := sorted(name for name, value in others.items() if value is not None):
            raise TypeError(f"a translated UNet takes no {left[0]}")
        time = torch.as_tensor(timestep, dtype=torch.float32).reshape(-1)[:1].expand(len(sample))
        times = waves(self.config, "block_out_channels")(time)
        given = {"sample": sample, "times": times, "words": encoder_hidden_states, "timestep_cond": timestep_cond}
        if added_cond_kwargs:
            sizes = waves(self.config, "addition_time_embed_dim")(added_cond_kwargs["time_ids"].float().flatten())
            given |= {"text_embeds": added_cond_kwargs["text_embeds"], "sizes": sizes.reshape(len(sample), -1)}
        found = self._network(given).to(sample.dtype)
        return UNet2DConditionOutput(sample=found) if return_dict else (found,)

    def close(self) -> None:
        """Free the network."""
        self._network.close()


class Decoder:
    """The decoder of an AutoencoderKL: latents (N, C, h, w) to pixels (N, 3, H, W)."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, sample: Any) -> Any:
        """In the number format of what it is given."""
        return self._network({"sample": sample}).to(sample.dtype)

    def close(self) -> None:
        """Free the network."""
        self._network.close()


@dataclass(frozen=True)
class _Part:
    """A component that may be exchanged: its role, itself, its weights, its number format, and what an artist is told meanwhile."""

    role: str
    own: Component
    weights: components.Weights
    dtype: Any
    words: str

    @property
    def exact(self) -> bool:
        return str(self.dtype) == "torch.float32"

    @property
    def entry(self) -> str:
        """The name of its translation in the store."""
        files = (*self.weights.files, self.weights.folder / CONFIG)
        return converted.name_of(f"{self.own.key} openvino {version('openvino')}", files)


def _load(part: _Part, store: Converted, device: Device, report: Report) -> Any:
    """The part as OpenVINO runs it, translated first where it never was; else as torch runs it."""
    entry = part.entry
    if (made := store.get(entry, partial(_opened, part))) is None:
        if device.room(0) < NEEDED * part.own.bytes:
            return part.own.load(report)
        store.keep(entry, part.own.bytes, partial(_translated, part, report=report))
        made = store.get(entry, partial(_opened, part))
    if not isinstance(made, Network):
        return part.own.load(report)
    if part.role == "unet":
        return Denoiser(made, made.config, part.dtype)
    vae = part.own.load(report)
    del vae.decoder  # a module cannot be set over by what is none
    vae.decoder = Decoder(made)
    vae.close = made.close
    return vae


def _opened(part: _Part, folder: Path) -> Network | bool:
    """The translation in a folder of the store; False where the trial said that torch is to be preferred."""
    facts = json.loads((folder / FACTS).read_text("utf-8"))
    return Network(folder, part.exact) if facts["use"] else False


def _translated(part: _Part, folder: Path, report: Report) -> None:
    """Have the child write a translation, or why there is none, to `folder`. Raises Cancelled from `report`, which ends the child."""
    request = {
        "role": part.role,
        "folder": str(part.weights.folder),
        "variant": part.weights.variant,
        "dtype": str(part.dtype).removeprefix("torch."),
        "threads": 1,  # the trial counts CPU-seconds, and torch's threads spend some in waiting for one another
        "out": str(folder),
    }

    def tick(_: str) -> None:
        report(Progress("loading", note=part.words))

    status, words = fetching.run_child(
        fetching.python("studio.engines._openvino_child"), tick, {"CUDA_VISIBLE_DEVICES": ""}, json.dumps(request) + "\n", cwd=fetching.ROOT
    )
    if status != 0:
        log.warning("a network could not be translated for OpenVINO: %s", words[-2000:])
        for file in folder.iterdir():
            file.unlink()
        (folder / FACTS).write_text(json.dumps({"use": False, "why": "it could not be translated"}), "utf-8")


def waves(config: Mapping[str, Any], width: str) -> Any:
    """What makes numbers such as times into waves for a UNet of this `config`; `width` names the setting that says how many.

    They are made outside of the network: in bf16 a time of 501 would be 500.
    """
    from diffusers.models.embeddings import Timesteps

    found = config[width]
    return Timesteps(found if isinstance(found, int) else found[0], config["flip_sin_to_cos"], config["freq_shift"])


def narrow(core: Any) -> bool:
    """Whether this CPU computes in bf16."""
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
