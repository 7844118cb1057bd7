"""A writer's weights in less memory: in 8 bits, then in 4, and where the device is a GPU at last on the processor instead.

Only families of models whose every large layer is known to be an ordinary one are packed (`FAMILIES`); weights that came packed stay as
they are. Knows a model's folder and what each way makes of it; knows no task and no words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio import components
from studio.components import Weights
from studio.device import Device
from studio.engines import _keeping, _packing
from studio.manager import Component
from studio.models import ModelCard

KIND = ("transformers", "AutoModelForCausalLM")
FAMILIES = ("gemma2", "gemma3_text", "granite", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3", "smollm3")
"""`model_type` of what may be packed; each is tried by the tests as a tiny model of the real class."""
NAMES = ("model.", "lm_head.")
"""Beginnings of the names of all weights in a file of such a model; in others a layer might be counted that is not packed."""
BITS = (
    ("int8", "weights in 8 bits, so it words things slightly differently"),
    ("int4", "weights in 4 bits, so it writes less well, and slower"),
)
"""Measured with SmolLM2 135M (its weights read from Q4_1) over 2,048 tokens of English: perplexity 0.02 % higher in 8 bits, 31 % in 4."""
PROCESSOR = (_keeping.PROCESSOR, "written by the processor, which is much slower")


@dataclass(frozen=True)
class Kept:
    """A model that is kept in one way. `dtype` is that of its other numbers; `extra` is memory to work with beside what a text takes.

    `elsewhere` says that nothing of it is on the device at all.
    """

    name: str
    title: str
    model: Component
    dtype: Any
    extra: int = 0
    elsewhere: bool = False


def whole(card: ModelCard, weights: Weights, dtype: Any, device: Device) -> Kept:
    """As it is asked for."""
    return Kept("", "", components.module(card, weights, "model", KIND, dtype, device), dtype)


def ways(card: ModelCard, config: Mapping[str, Any], weights: Weights, dtype: Any, device: Device) -> tuple[Kept, ...]:
    """The other ways, in the order in which they are tried."""
    found: list[Kept] = []
    host = _keeping.on_host(device)
    if packs(config, weights):
        sizes, plain = _packing.sizes(weights, dtype.itemsize), components.module(card, weights, "model", KIND, dtype, host)
        for name, title in BITS:
            key = components.key(card, weights.files, "model" + (f".{weights.variant}" if weights.variant else ""), dtype, name)
            found.append(Kept(name, title, _keeping.packed(card, plain, key, name, sizes[name], device), dtype, sizes["unpacked"]))
    if device.kind == "cuda":
        there = components.number_format(host, card.options.get("dtype"))
        own = components.module(card, weights, "model", KIND, there, host)
        found.append(Kept(*PROCESSOR, _keeping.beside(card, {"model": own})["model"], there, elsewhere=True))
    return tuple(found)


def packs(config: Mapping[str, Any], weights: Weights) -> bool:
    """Whether a model with this configuration may be packed."""
    return (
        not weights.packed
        and config.get("model_type") in FAMILIES
        and all(name.startswith(NAMES) for name, _ in weights.tensors)
    )  # fmt: skip
