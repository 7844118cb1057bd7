"""Any text-to-image pipeline of diffusers, from a folder in its layout or from one safetensors file beside such a folder.

What stays in memory are its parts, each with its own weights; the pipeline around them is built anew for every job, with a scheduler of
its own, so that jobs and pipelines share weights and nothing else. Knows no manager, no download and no style.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from studio import components
from studio.device import Device
from studio.engines import _compiling, _economies, _encodings, _inpaint, _ladder, _openvino, _pipelines, _prompts, _reading, _small_decoder
from studio.engines._economies import AS_ASKED, Economy
from studio.engines._ladder import WHOLE, Keeping, Model
from studio.engines._painting import Options, Painter
from studio.errors import InvalidInput, ModelUnavailable
from studio.manager import Component, Pipeline, Recipe, Way
from studio.models import ModelCard
from studio.recipes import First
from studio.tasks import Inpaint, Task, TextToImage

CARDS = components.cards("diffusion")


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The components of the card's model and the pipeline over them.

    Raises InvalidInput for a size the model cannot draw, ModelUnavailable and ModelUnsafe for files that are no usable model.
    """
    options = _options(card)
    _check_size(card, task, options)
    files = components.files_of(card)
    folder = _pipelines.config_folder(card) if files.is_file() else files
    layout = _pipelines.layout(card, folder, options.pipeline)
    base = layout.pipeline.__name__
    if isinstance(task, Inpaint) and task.mode == "instruct":
        if not _inpaint.follows(layout.pipeline):
            raise ModelUnavailable(f"{card.name} follows no instructions with {base}; choose another model.")
    elif isinstance(task, Inpaint):
        name = _inpaint.class_name(layout.pipeline, masked=_pipelines.takes_masks(card, folder))
        layout = _pipelines.layout(card, folder, name) if name and name != base else layout
    weights = _pipelines.weights_of(card, layout, options.variant or getattr(card.source, "variant", None))
    made = _Made(card, options, folder, layout, base, weights, components.number_format(device, options.dtype), device)
    parts = made.parts(device, made.dtype)
    asked = made.way(AS_ASKED)
    denoiser = next(parts[role] for role in ("unet", "transformer", "file") if role in parts)
    ways = made.ways(task, parts)
    return Recipe(parts, asked.build, asked.working_bytes, ways, f"{denoiser.key} {task.kind}", lambda task: _shape(task, card))


@dataclass(frozen=True)
class _Made:
    """What the recipe of one card is made of: its files' layout, the class that the model came with, the number format."""

    card: ModelCard
    options: Options
    folder: Path
    layout: _pipelines.Layout
    base: str
    weights: Mapping[str, components.Weights]
    dtype: Any
    device: Device

    def parts(self, device: Device, dtype: Any) -> dict[str, Component]:
        """The components by role, on a device."""
        if self._single:
            parts = _pipelines.from_file(self.card, self.layout, dtype, device)
        else:
            parts = _pipelines.from_weights(self.card, self.layout, self.weights, dtype, device)
        parts = _openvino.quicker(parts, self.card, self.layout, device)
        parts |= _small_decoder.component(self.card, dtype, device)
        return {**parts, "prompts": _prompts.component(parts), "encodings": _encodings.component(parts)}

    def way(self, economy: Economy, kept: Keeping = WHOLE) -> Way:
        """A picture made with one economy, over weights that are kept in one way."""
        needed = partial(_working_bytes, card=self.card, layout=self.layout, dtype=self.dtype, economy=economy, kept=kept)
        name, title = "+".join(filter(None, (kept.name, economy.name))), "; ".join(filter(None, (kept.title, economy.title)))
        return Way(name, title, needed, partial(self._build, economy=economy, plain=kept.plain), kept.parts, kept.first)

    def ways(self, task: Task, parts: Mapping[str, Component]) -> tuple[Way, ...]:
        """All but the recipe's own, in the order in which they are tried: weights in less memory, then the work, then both."""
        model = Model(self.card, self.layout, self.weights, self.dtype, self.device)
        kept = () if self._single else _ladder.keepings(model, parts, partial(self._reads, task))
        saving = _economies.economies(_pixels(task, self.card), _batch(task), **_pipelines.savings(self.card, self.layout))
        last = [self.way(saving[-1], one) for one in kept] if saving else []
        if self.device.kind != "cpu":
            host = replace(self.device, wanted="cpu", index=None)
            there = self.parts(host, components.number_format(host, self.options.dtype))
            last.append(self.way(AS_ASKED, _ladder.processor(model, there)))
        return (*(self.way(AS_ASKED, one) for one in kept), *map(self.way, saving), *last)

    @property
    def _single(self) -> bool:
        return components.files_of(self.card).is_file()

    def _build(self, values: Mapping[str, Any], economy: Economy, *, plain: bool) -> Pipeline:
        pipe = _pipelines.assembled(self.layout, values)
        _prompts.remembered(pipe, values["prompts"])
        compiling = _compiling.place(self.device) if self.options.compile and plain else None
        painter = Painter(
            pipe, self.card, self.options, self.base, economy, values["encodings"], compiling, values.get(_small_decoder.COMPANION)
        )
        return lambda task, report: painter.edits(task, report) if isinstance(task, Inpaint) else painter.pictures(task, report)

    def _reads(self, task: Task, parts: Mapping[str, Component]) -> First | None:
        """What comes first where the readers go after reading; None where words are read together with a picture."""
        if isinstance(task, Inpaint) and task.mode == "instruct":
            return None
        marks = self.options.max_sequence_length, self.options.guidance
        return _reading.first(self.card, self.folder, self.layout, parts, self.dtype, self._asked, marks)

    def _asked(self, pipe: Any, task: Task) -> Mapping[str, Any]:
        return Painter(pipe, self.card, self.options, self.base).asked(task)


def _options(card: ModelCard) -> Options:
    return components.options(card, Options, "pictures")


def _check_size(card: ModelCard, task: Task, options: Options) -> None:
    for name in ("width", "height"):
        value, step = getattr(task, name, None), options.size_step
        if value is not None and value % step:
            low = value - value % step
            near = f"{low} or {low + step}" if low else str(step)
            raise InvalidInput(f"{name.title()} must be a multiple of {step} with {card.name}: try {near}.", name)


def _working_bytes(task: Task, card: ModelCard, layout: _pipelines.Layout, dtype: Any, economy: Economy, kept: Keeping) -> int:
    """Peak memory beside the weights. SDXL's decoder runs in float32 where the rest is float16."""
    if kept.elsewhere:
        return 0
    widened = "XL" in layout.pipeline.__name__ and str(dtype) == "torch.float16"
    return kept.extra + economy.working_bytes(_pixels(task, card), _batch(task), dtype.itemsize, 4 if widened else dtype.itemsize)


def _batch(task: Task) -> int:
    """Pictures that the denoiser works on at once: with guidance, one more that avoids the prompt."""
    return 1 if (getattr(task, "guidance_scale", None) or 0) <= 1 else 2


def _shape(task: Task, card: ModelCard) -> str:
    """Tasks of the same shape take the same memory, however many pictures they ask for: one is made after the other."""
    return f"{_pixels(task, card)}x{_batch(task)}"


def _pixels(task: Task, card: ModelCard) -> int:
    """Pixels of one picture; an edit works on about as many as the model was trained for."""
    given = task if isinstance(task, TextToImage) else None
    width, height = (
        getattr(given, name, None) or card.defaults.get(name) or card.options.get("side") or 1024 for name in ("width", "height")
    )
    return round(float(width) * float(height))
