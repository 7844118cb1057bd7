"""OpenVINO in place of torch, where a pipeline of diffusers runs on a CPU: for a UNet, some transformers, and the decoder of a VAE.

Each is translated once, in a process of its own (_openvino_child.py), tried against torch there, and kept in the device's store of
converted weights; what turns out no quicker, or too far off, stays with torch. To its pipeline a translated network is what torch's would
be: the same scheduler, steps, previews and stops. Knows no manager and no task.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio import components, converted, fetching
from studio.converted import Converted
from studio.creations import Progress, Report
from studio.device import Device
from studio.engines._openvino_network import CONFIG, Network
from studio.engines._openvino_stand_ins import Decoder, Denoiser, Transformer
from studio.manager import Component
from studio.models import ModelCard

if TYPE_CHECKING:
    from studio.engines._pipelines import Layout

log = logging.getLogger("atelier")

KINDS = {
    "unet": ("UNet2DConditionModel",),
    "transformer": ("SD3Transformer2DModel", "FluxTransformer2DModel", "Flux2Transformer2DModel"),
    "vae": ("AutoencoderKL", "AutoencoderKLFlux2"),
}
"""Classes that are translated, by role."""
LEAST = 30_000_000
"""Bytes of weights below which translating is not worth its time."""
NEEDED = 5
"""Times its own bytes that a part takes while it is translated: in float32, in both forms, and at work in each."""
TRIAL = 2
"""Raised when networks are run in another way: what an earlier trial found no quicker is tried again."""
FACTS = "facts.json"
"""The file of a translation that says whether to use it."""


def quicker(parts: Mapping[str, Component], card: ModelCard, layout: Layout, device: Device) -> dict[str, Component]:
    """The parts of a pipeline, with those exchanged that OpenVINO may run on this device; all as they were where it may run none."""
    store = device.converted
    if not device.openvino or device.kind != "cpu" or store is None or not installed():
        return dict(parts)
    dtype = components.number_format(device, card.options.get("dtype"))
    variant = card.options.get("variant") or getattr(card.source, "variant", None)
    roles = [role for role, kinds in KINDS.items() if role in parts and layout.parts[role][1] in kinds and parts[role].bytes >= LEAST]
    found = dict(parts)
    for number, role in enumerate(roles, 1):
        weights = components.find_weights(card, components.files_of(card) / role, variant)
        if weights.packed:
            continue
        words = f"preparing this model for the processor, {number} of {len(roles)}"
        asked = _Part(role, layout.parts[role][1], parts[role], weights, dtype, words)
        found[role] = replace(parts[role], key=f"{parts[role].key.rpartition(':')[0]}:openvino", load=partial(_load, asked, store, device))
    return found


@cache
def installed() -> bool:
    """Whether the package is there."""
    return find_spec("openvino") is not None


def told(pipe: Any) -> dict[str, str]:
    """For the facts of a picture: {'processor': 'openvino'} where a part of its pipeline ran there."""
    parts = getattr(pipe, "unet", None), getattr(pipe, "transformer", None), getattr(pipe.vae, "decoder", None)
    return {"processor": "openvino"} if any(isinstance(part, Denoiser | Transformer | Decoder) for part in parts) else {}


@dataclass(frozen=True)
class _Part:
    """A component that may be exchanged: its role, class, weights and number format, and what an artist is told meanwhile."""

    role: str
    kind: str
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
        return converted.name_of(f"{self.own.key} openvino {version('openvino')} {TRIAL}", files)


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
    if part.role == "transformer":
        return Transformer(made, part.kind, made.config, part.dtype)
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
        "kind": part.kind,
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
