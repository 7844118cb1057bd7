"""Any text-to-image pipeline of diffusers, from a folder in its layout or from one safetensors file beside such a folder.

What stays in memory are its parts, each with its own weights; the pipeline around them is built anew for every job, with a scheduler of
its own, so that jobs and pipelines share weights and nothing else. Knows no manager, no download and no style.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from studio import components
from studio.creations import Json, Picture, Preview, Progress, Report
from studio.device import Device
from studio.engines import _inpaint, _latents, _pipelines, _prompts, _schedulers
from studio.errors import InvalidInput, ModelUnavailable, StudioError
from studio.manager import Pipeline, Recipe
from studio.models import ModelCard
from studio.tasks import Inpaint, Task, TextToImage

if TYPE_CHECKING:
    from studio.inpaint.edit import Region

CARDS = components.cards("diffusion")

PREVIEW_SECONDS = 0.25
TILED_ABOVE = 1024 * 1024
"""Pixels; above, the VAE decodes in tiles, so that its memory stops growing."""
DECODE_BYTES = 2200
"""Working memory of a VAE's decoder: bytes for each pixel and each byte of its number format (as InvokeAI estimates it)."""
HELD = 0x5EED
"""Added to the seed for the noise of what is kept, which must not be that of what is drawn."""
NARROWEST = 8
"""Editing models know no picture that is longer against its width."""
FIXED_BYTES = 300_000_000
"""Working memory beside the decoder: text encoding, latents, kernels' work space."""


class _Options(BaseModel):
    """`ModelCard.options` of this engine. `guidance` names the argument that takes the task's guidance scale, `size_step` is pixels,
    `side` those of the square that a model was trained for, where the card has no size among its defaults.
    `image_guidance` says how closely an edit by instruction keeps to the picture, where a pipeline asks; `strongest` is the largest
    strength the model can use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    pipeline: str = ""
    variant: str | None = None
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    scheduler: str = ""
    timestep_spacing: Literal["linspace", "leading", "trailing"] | None = None
    max_sequence_length: int | None = None
    guidance: Literal["guidance_scale", "true_cfg_scale"] = "guidance_scale"
    image_guidance: float | None = None
    side: int | None = None
    size_step: int = 8
    strongest: float = 1.0


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The components of the card's model and the pipeline over them.

    Raises InvalidInput for a size the model cannot draw, ModelUnavailable and ModelUnsafe for files that are no usable model.
    """
    options = _options(card)
    _check_size(card, task, options)
    files = components.files_of(card)
    dtype = components.number_format(device, options.dtype)
    single = files.is_file()
    folder = _pipelines.config_folder(card) if single else files
    layout = _pipelines.layout(card, folder, options.pipeline)
    base = layout.pipeline.__name__
    if isinstance(task, Inpaint) and task.mode == "instruct":
        if not _inpaint.follows(layout.pipeline):
            raise ModelUnavailable(f"{card.name} follows no instructions with {base}; choose another model.")
    elif isinstance(task, Inpaint):
        name = _inpaint.class_name(layout.pipeline, masked=_pipelines.takes_masks(card, folder))
        layout = _pipelines.layout(card, folder, name) if name and name != base else layout
    if single:
        parts = _pipelines.from_file(card, layout, dtype, device)
    else:
        parts = _pipelines.from_folder(card, layout, options.variant or getattr(card.source, "variant", None), dtype, device)

    def build(values: Mapping[str, Any]) -> Pipeline:
        pipe = _pipelines.assembled(layout, values)
        _prompts.remembered(pipe, values["prompts"])
        painter = _Painter(pipe, card, options, base)
        return lambda task, report: painter.edits(task, report) if isinstance(task, Inpaint) else painter.pictures(task, report)

    parts["prompts"] = _prompts.component(parts)
    return Recipe(parts, build, lambda task: _working_bytes(task, card, layout.pipeline.__name__, dtype))


class _Painter:
    """A pipeline of diffusers in use: pictures one after another, so that each is the picture its own seed gives alone."""

    def __init__(self, pipe: Any, card: ModelCard, options: _Options, base: str) -> None:
        self._pipe, self._card, self._options, self._base = pipe, card, options, base
        self._own = pipe.scheduler  # as it came with the model
        self._vae_dtype = pipe.vae.dtype

    def pictures(self, task: Task, report: Report) -> Iterator[Picture]:
        """The pictures of a text-to-image task."""
        assert isinstance(task, TextToImage)
        size = {"width": task.width, "height": task.height}
        arguments = _arguments(self._pipe, task, self._options) | _pipelines.offered(self._pipe, size)
        facts = self._facts(task.prompt)
        for item in range(task.count):
            seed = (task.seed or 0) + item
            call = _Call(seed, (task.width or 0, task.height or 0), (item + 1, task.count), _note(facts))
            pixels = self._drawn(task, arguments, call, report)
            yield Picture(pixels, seed, facts | self._ways())

    def edits(self, task: Task, report: Report) -> Iterator[Picture]:
        """The variants of an inpainting task: every region drawn in turn, each from the variant's own seed."""
        from studio.inpaint import edit

        assert isinstance(task, Inpaint)
        pipe = self._pipe
        masked = _inpaint.takes_mask(type(pipe))
        begins = "strength" in inspect.signature(type(pipe).__call__).parameters
        images = masked or begins or task.mode == "instruct"
        step = max(self._options.size_step, _inpaint.native_step(pipe))
        plan = edit.plan(task, _native_side(pipe, self._card), step, soft=not masked)
        strength = min(task.strength or 1.0, self._options.strongest)
        if task.mode == "instruct" and any(max(r.size) > NARROWEST * min(r.size) for r in plan.regions):
            raise InvalidInput(f"Pictures to edit by instruction are at most {NARROWEST} times as long as wide: crop it first.", "image")
        held = not masked and (not plan.whole or strength < 1)
        facts = self._facts(task.prompt)
        for item in range(task.count):
            seed = (task.seed or 0) + item
            made: list[NDArray[np.uint8]] = []
            for number, region in enumerate(plan.regions):
                place = item * len(plan.regions) + number + 1, task.count * len(plan.regions)
                given = _given(region, strength, images=images)
                arguments = _arguments(pipe, task, self._options) | _pipelines.offered(pipe, given)
                call = _Call(seed, region.size, place, _note(facts), region if held else None, strength, begins)
                made.append(self._drawn(task, arguments, call, report))
            yield plan.finished(made, seed, facts | self._ways())

    def _drawn(self, task: TextToImage | Inpaint, arguments: Mapping[str, Any], call: _Call, report: Report) -> NDArray[np.uint8]:
        """One picture (H, W, 3) uint8. Raises StudioError in words for settings that give none."""
        import torch

        # 1. A scheduler and a generator for this picture alone.
        pipe, card, steps = self._pipe, self._card, task.steps or 1
        item, items = call.place
        report(Progress("running", 0, task.steps or 0, item=item, items=items, note=call.note))
        name = task.scheduler or self._options.scheduler
        pipe.scheduler = _schedulers.scheduler(name, self._base, self._own, steps, self._options.timestep_spacing)
        generator = torch.Generator("cpu").manual_seed(call.seed)
        hold = None
        if call.region is not None:
            noise = torch.Generator("cpu").manual_seed((call.seed + HELD) % 2**63)
            hold = _inpaint.Hold(call.region, 1.0 if call.begins else call.strength, noise)
        _watch(pipe, call, hold, report)
        _tile(pipe, call.size)
        if call.begins and task.steps and int(task.steps * call.strength) < 1:
            least = f"{1 / task.steps:.2f}"
            raise InvalidInput(f"With {task.steps} steps a strength below {least} changes nothing: raise one of them.", "strength")
        try:
            # 2. The picture. Numbers that are none: too narrow a number format, or too few steps.
            with components.memory_in_words(_too_large(card, call.size)):
                pixels = pipe(**arguments, generator=generator, output_type="np").images[0]  # (H, W, 3) in [0, 1]
            if not np.isfinite(pixels).all():
                raise StudioError(f"{card.name} found no picture with these settings: try more steps, another scheduler or another model.")
            return (pixels * 255).round().astype(np.uint8)
        finally:
            # 3. Some pipelines widen the VAE's numbers to decode; one that was stopped there left them wide.
            if pipe.vae.dtype != self._vae_dtype:
                pipe.vae.to(self._vae_dtype)

    def _facts(self, prompt: str) -> dict[str, Json]:
        unread = _unread_words(self._pipe, prompt)
        return {"unread": unread} if unread else {}

    def _ways(self) -> dict[str, Json]:
        return {
            "pipeline": type(self._pipe).__name__,
            "scheduler": _schedulers.name_of(self._pipe.scheduler),
            "dtype": str(self._vae_dtype).removeprefix("torch."),
        }


@dataclass(frozen=True)
class _Call:
    """One picture to draw: its seed, its size (width, height), its place (item, items), and the region of an edit that it is.

    `begins` says that the pipeline begins from the region's picture by itself, at `strength`.
    """

    seed: int
    size: tuple[int, int]
    place: tuple[int, int]
    note: str = ""
    region: Region | None = None
    strength: float = 1.0
    begins: bool = False


def _given(region: Region, strength: float, *, images: bool) -> dict[str, Any]:
    """What an editing pipeline is told of a region, by argument; its size too, where a pipeline would choose one by itself."""
    from PIL import Image

    width, height = region.size
    given: dict[str, Any] = {"width": width, "height": height}
    if images:
        mask = Image.fromarray(np.where(region.hole, 255, 0).astype(np.uint8))
        given |= {"image": Image.fromarray(region.picture), "mask_image": mask, "strength": strength}
        given |= {"max_area": width * height, "_auto_resize": False}
    return given


def _native_side(pipe: Any, card: ModelCard) -> int:
    """The side of the square the model was trained for, in pixels."""
    sizes = [card.defaults.get(name, card.options.get("side")) for name in ("width", "height")]
    if all(isinstance(size, int | float) for size in sizes):
        return round(float(np.prod([float(size) for size in sizes if size is not None])) ** 0.5)
    own = getattr(pipe, "default_sample_size", None)
    return int(own) * int(getattr(pipe, "vae_scale_factor", 8)) if isinstance(own, int) else 512


def _note(facts: Mapping[str, Json]) -> str:
    return "The model does not read the end of this prompt" if "unread" in facts else ""


def _watch(pipe: Any, call: _Call, hold: _inpaint.Hold | None, report: Report) -> None:
    """Reports each step of the pipeline's scheduler, with a preview at most every PREVIEW_SECONDS."""
    shown = float("-inf")
    item, items = call.place

    def heard(done: int, steps: int, prediction: Any, result: tuple[Any, ...]) -> None:
        nonlocal shown
        report(Progress("running", done, steps, item=item, items=items))
        if time.monotonic() - shown >= PREVIEW_SECONDS:
            latents = _latents.denoised(pipe.scheduler, done - 1, prediction, result)
            report(Preview(_latents.preview(latents, pipe.vae, *call.size), item=item))
            shown = time.monotonic()

    _inpaint.watched(pipe, hold, heard)


def _arguments(pipe: Any, task: TextToImage | Inpaint, options: _Options) -> dict[str, Any]:
    """Those of the task's fields that the pipeline's `__call__` takes; empty ones are left to the pipeline."""
    wanted: dict[str, Any] = {
        "prompt": task.prompt,
        "negative_prompt": task.negative_prompt or (" " if options.guidance == "true_cfg_scale" else None),
        "num_inference_steps": task.steps,
        options.guidance: task.guidance_scale,
        "image_guidance_scale": options.image_guidance,
        "max_sequence_length": options.max_sequence_length,
        "clean_caption": False,  # it would need two more packages
    }
    return _pipelines.offered(pipe, wanted)


def _options(card: ModelCard) -> _Options:
    return components.options(card, _Options, "pictures")


def _check_size(card: ModelCard, task: Task, options: _Options) -> None:
    for name in ("width", "height"):
        value, step = getattr(task, name, None), options.size_step
        if value is not None and value % step:
            low = value - value % step
            near = f"{low} or {low + step}" if low else str(step)
            raise InvalidInput(f"{name.title()} must be a multiple of {step} with {card.name}: try {near}.", name)


def _tile(pipe: Any, size: tuple[int, int]) -> None:
    large = size[0] * size[1] > TILED_ABOVE
    switch: Callable[[], None] | None = getattr(pipe.vae, "enable_tiling" if large else "disable_tiling", None)
    if switch is not None:
        switch()


def _working_bytes(task: Task, card: ModelCard, pipeline: str, dtype: Any) -> int:
    """Peak memory beside the weights, that of the VAE's decoder. SDXL's runs in float32 where the rest is float16."""
    widened = "XL" in pipeline and str(dtype) == "torch.float16"
    return FIXED_BYTES + DECODE_BYTES * (4 if widened else dtype.itemsize) * min(_pixels(task, card), TILED_ABOVE)


def _pixels(task: Task, card: ModelCard) -> int:
    """Pixels of one picture; an edit works on about as many as the model was trained for."""
    given = task if isinstance(task, TextToImage) else None
    width, height = (
        getattr(given, name, None) or card.defaults.get(name) or card.options.get("side") or 1024 for name in ("width", "height")
    )
    return round(float(width) * float(height))


def _too_large(card: ModelCard, size: tuple[int, int]) -> str:
    words = f"{size[0]} × {size[1]} pixels" if all(size) else "this size"
    return f"{card.name} needs more memory than is free for {words}: choose a smaller size or a smaller model."


def _unread_words(pipe: Any, prompt: str) -> str:
    """The end of a prompt that is longer than CLIP reads (77 tokens), where no other text encoder reads it."""
    words = [part for role, part in pipe.components.items() if role.startswith("tokenizer") and part is not None]
    if not words or any(not type(part).__name__.startswith("CLIPTokenizer") for part in words):
        return ""
    limit = words[0].model_max_length
    tokens = words[0](prompt, truncation=False, verbose=False).input_ids
    return str(words[0].decode(tokens[limit - 1 : -1])) if len(tokens) > limit else ""
