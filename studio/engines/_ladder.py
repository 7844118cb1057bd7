"""Where a picture model's weights are, from the quickest to what needs the least of the device: whole, in 8 or 4 bits, readers out after
reading, layers coming one by one, and at last the processor instead.

Knows the parts of a model and what each way makes of them; knows no task and runs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from studio import components
from studio.components import Weights
from studio.creations import Report
from studio.device import Device
from studio.engines import _keeping, _packing, _pipelines, _prompts, _streaming
from studio.manager import Component
from studio.models import ModelCard
from studio.recipes import First

SHRUNK = ("unet", "transformer", "transformer_2", *_pipelines.READERS)
"""Roles that take nearly all of the memory."""
BITS = (("int8", "weights in 8 bits, so it looks slightly different"), ("int4", "weights in 4 bits, so it looks different"))
APART = ("apart", "the words are read first")
STREAMED = ("streamed", "layers come to the device one by one, which is slower")
PROCESSOR = (_keeping.PROCESSOR, "made by the processor, which is much slower")

Parts = Mapping[str, Component]
Reads = Callable[[Parts], First | None]
"""What comes first in a pipeline of these parts, if its readers can go after it."""


@dataclass(frozen=True)
class Keeping:
    """Where weights are. `parts` None: as the recipe has them; `extra` is memory to work with, beside what a picture takes.

    `elsewhere` says that nothing of it is on the device at all.
    """

    name: str = ""
    title: str = ""
    parts: Parts | None = None
    first: First | None = None
    extra: int = 0
    elsewhere: bool = False

    @property
    def plain(self) -> bool:
        """Whether the denoiser is on the device as its files have it."""
        return self.name in ("", APART[0])


WHOLE = Keeping()


@dataclass(frozen=True)
class Model:
    """A model's folder as components are made of it: the weights of its parts by role, and the number format."""

    card: ModelCard
    layout: _pipelines.Layout
    weights: Mapping[str, Weights]
    dtype: Any
    device: Device


def keepings(model: Model, parts: Parts, reads: Reads) -> tuple[Keeping, ...]:
    """Ways to keep the weights of a folder in less memory than `parts`, in the order in which they are tried; the processor's is not there.

    What looks as asked comes before what looks different, among those that take about the same time.
    """
    found = [keeping for keeping in (_apart(WHOLE, parts, reads),) if keeping]
    if not any(one.packed for one in model.weights.values()):
        sizes = {role: _packing.sizes(one, model.dtype.itemsize) for role, one in model.weights.items() if role in SHRUNK}
        eights, fours = (_packed(model, parts, sizes, *bits) for bits in BITS)
        found = [
            keeping
            for keeping in (eights, *found, _apart(eights, eights.parts, reads), fours, _apart(fours, fours.parts, reads))
            if keeping is not None
        ]
    if model.device.kind == "cuda":
        found.append(_streamed(model, parts))
    return tuple(found)


def processor(model: Model, parts: Parts) -> Keeping:
    """All of it in the machine's memory, and made there. `parts` are those of a recipe for the processor."""
    return Keeping(*PROCESSOR, _keeping.beside(model.card, parts), elsewhere=True)


def _apart(whole: Keeping, parts: Parts | None, reads: Reads) -> Keeping | None:
    """The same with the readers out after reading."""
    first = reads(parts) if parts is not None else None
    if parts is None or first is None:
        return None
    drawing = {role: part for role, part in parts.items() if role not in _pipelines.READERS}
    name, title = ("+".join(filter(None, (whole.name, APART[0]))), "; ".join(filter(None, (APART[1], whole.title))))
    return Keeping(name, title, drawing, first, whole.extra)


def _packed(model: Model, parts: Parts, sizes: Mapping[str, Mapping[str, int]], name: str, title: str) -> Keeping:
    """Denoiser and readers with packed weights; the rest as it is."""
    packed = {role: _shrunk(model, role, name, size[name]) for role, size in sizes.items()}
    return Keeping(name, title, _with_readings({**parts, **packed}), extra=max(size["unpacked"] for size in sizes.values()))


def _shrunk(model: Model, role: str, name: str, size: int) -> Component:
    """A part with packed weights."""
    return _keeping.packed(model.card, _on_host(model, role), _key(model, role, name), name, size, model.device)


def _streamed(model: Model, parts: Parts) -> Keeping:
    """Denoiser and readers in the machine's memory, and one layer after the other on the device."""
    shrunk = [role for role in model.weights if role in SHRUNK]
    moved = {role: Component(_key(model, role, STREAMED[0]), 0, streamer(model, role)) for role in shrunk}
    extra = max(_streaming.room(model.weights[role], model.dtype.itemsize) for role in shrunk)
    return Keeping(*STREAMED, _with_readings({**parts, **moved}), extra=extra)


def streamer(model: Model, role: str) -> Callable[[Report], Any]:
    """What loads a part whose layers come to the device one by one."""
    plain = _on_host(model, role)

    def load(report: Report) -> Any:
        free = _keeping.check_room(model.card, plain.bytes)
        with components.memory_in_words(f"{model.card.name} does not fit the machine's memory: unload another model."):
            return _streaming.streamed(plain.load(report), model.device.place, pinned=free > 2.5 * plain.bytes)

    return load


def _on_host(model: Model, role: str) -> Component:
    host = _keeping.on_host(model.device)
    return components.module(model.card, model.weights[role], role, model.layout.parts[role], model.dtype, host)


def _key(model: Model, role: str, kept: str) -> str:
    one = model.weights[role]
    return components.key(model.card, one.files, role + (f".{one.variant}" if one.variant else ""), model.dtype, kept)


def _with_readings(parts: Parts) -> Parts:
    """What other readers say is kept apart."""
    return {**parts, "prompts": _prompts.component(parts)}
