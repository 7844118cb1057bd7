"""Any text-to-image pipeline of diffusers, from a folder in its layout or from one safetensors file beside such a folder.

What stays in memory are its parts, each with its own weights; the pipeline around them is built anew for every job, with a scheduler of
its own, so that jobs and pipelines share weights and nothing else. Knows no manager, no download and no style.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from studio import components
from studio.creations import Json, Picture, Preview, Progress, Report
from studio.device import Device
from studio.engines import _latents, _pipelines, _schedulers
from studio.errors import InvalidInput, ModelUnavailable, StudioError
from studio.manager import Pipeline, Recipe
from studio.models import ModelCard
from studio.tasks import Task, TextToImage

CARDS = components.cards("diffusion")

PREVIEW_SECONDS = 0.25
TILED_ABOVE = 1024 * 1024
"""Pixels; above, the VAE decodes in tiles, so that its memory stops growing."""
DECODE_BYTES = 2200
"""Working memory of a VAE's decoder: bytes for each pixel and each byte of its number format (as InvokeAI estimates it)."""
FIXED_BYTES = 300_000_000
"""Working memory beside the decoder: text encoding, latents, kernels' work space."""


class _Options(BaseModel):
    """`ModelCard.options` of this engine. `guidance` names the argument that takes the task's guidance scale, `size_step` is pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    pipeline: str = ""
    variant: str | None = None
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    scheduler: str = ""
    timestep_spacing: Literal["linspace", "leading", "trailing"] | None = None
    max_sequence_length: int | None = None
    guidance: Literal["guidance_scale", "true_cfg_scale"] = "guidance_scale"
    size_step: int = 8


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The components of the card's model and the pipeline over them.

    Raises InvalidInput for a size the model cannot draw, ModelUnavailable and ModelUnsafe for files that are no usable model.
    """
    options = _options(card)
    _check_size(card, task, options)
    files = components.files_of(card)
    dtype = components.number_format(device, options.dtype)
    if files.is_file():
        layout = _pipelines.layout(card, _pipelines.config_folder(card), options.pipeline)
        parts = _pipelines.from_file(card, layout, dtype, device)
    else:
        layout = _pipelines.layout(card, files, options.pipeline)
        parts = _pipelines.from_folder(card, layout, options.variant or getattr(card.source, "variant", None), dtype, device)

    def build(values: Mapping[str, Any]) -> Pipeline:
        pipe = _pipelines.assembled(layout, values)
        return lambda task, report: _pictures(pipe, card, options, task, report)

    return Recipe(parts, build, lambda task: _working_bytes(task, layout.pipeline.__name__, dtype))


def _pictures(pipe: Any, card: ModelCard, options: _Options, task: Task, report: Report) -> Iterator[Picture]:
    """The pictures of a task, one after another, so that each is the picture its own seed gives alone."""
    assert isinstance(task, TextToImage)
    import torch

    # 1. What the pipeline is called with.
    own, arguments, vae_dtype = pipe.scheduler, _arguments(pipe, task, options), pipe.vae.dtype
    unread = _unread_words(pipe, task.prompt)
    note = "The model does not read the end of this prompt" if unread else ""
    _tile(pipe, task)
    try:
        for number in range(task.count):
            # 2. A scheduler and a generator for this picture alone.
            report(Progress("running", 0, task.steps or 0, item=number + 1, items=task.count, note=note))
            seed = (task.seed or 0) + number
            name = task.scheduler or options.scheduler
            pipe.scheduler = _schedulers.scheduler(name, type(pipe).__name__, own, task.steps or 1, options.timestep_spacing)
            _watch(pipe, task, report, number + 1)
            generator = torch.Generator("cpu").manual_seed(seed)
            # 3. The picture. Numbers that are none: too narrow a number format, or too few steps.
            with components.memory_in_words(_too_large(card, task)):
                pixels = pipe(**arguments, generator=generator, output_type="np").images[0]  # (H, W, 3) in [0, 1]
            if not np.isfinite(pixels).all():
                raise StudioError(f"{card.name} found no picture with these settings: try more steps, another scheduler or another model.")
            facts: dict[str, Json] = {
                "pipeline": type(pipe).__name__,
                "scheduler": _schedulers.name_of(pipe.scheduler),
                "dtype": str(vae_dtype).removeprefix("torch."),
            }
            yield Picture((pixels * 255).round().astype(np.uint8), seed, facts | ({"unread": unread} if unread else {}))
    finally:
        # 4. Some pipelines widen the VAE's numbers to decode; one that was stopped there left them wide.
        if pipe.vae.dtype != vae_dtype:
            pipe.vae.to(vae_dtype)


def _watch(pipe: Any, task: TextToImage, report: Report, item: int) -> None:
    """Reports each step of the pipeline's scheduler, with a preview at most every PREVIEW_SECONDS.

    Wrapping the private scheduler's `step` works for every pipeline; one in five has no `callback_on_step_end`. What `report` raises
    ends the pipeline within the step.
    """
    scheduler, step = pipe.scheduler, pipe.scheduler.step
    done, shown = 0, float("-inf")

    @functools.wraps(step)  # pipelines look at its signature
    def watched(model_output: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal done, shown
        result = step(model_output, *args, **kwargs)
        done += 1
        report(Progress("running", done, max(len(scheduler.timesteps), done), item=item, items=task.count))
        if time.monotonic() - shown >= PREVIEW_SECONDS:
            values = result if isinstance(result, tuple) else (result.prev_sample,)
            latents = _latents.denoised(scheduler, done - 1, model_output, values)
            report(Preview(_latents.preview(latents, pipe.vae, task.width or 1, task.height or 1), item=item))
            shown = time.monotonic()
        return result

    scheduler.step = watched


def _arguments(pipe: Any, task: TextToImage, options: _Options) -> dict[str, Any]:
    """Those of the task's fields that the pipeline's `__call__` takes; empty ones are left to the pipeline."""
    offered = inspect.signature(type(pipe).__call__).parameters
    wanted: dict[str, Any] = {
        "prompt": task.prompt,
        "negative_prompt": task.negative_prompt or (" " if options.guidance == "true_cfg_scale" else None),
        "width": task.width,
        "height": task.height,
        "num_inference_steps": task.steps,
        options.guidance: task.guidance_scale,
        "max_sequence_length": options.max_sequence_length,
        "clean_caption": False,  # it would need two more packages
    }
    return {name: value for name, value in wanted.items() if value is not None and name in offered}


def _options(card: ModelCard) -> _Options:
    try:
        return _Options.model_validate(card.options)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ModelUnavailable(f"The card of {card.name} has an option that pictures do not know or cannot use: {place}.") from None


def _check_size(card: ModelCard, task: Task, options: _Options) -> None:
    for name in ("width", "height"):
        value, step = getattr(task, name, None), options.size_step
        if value is not None and value % step:
            low = value - value % step
            near = f"{low} or {low + step}" if low else str(step)
            raise InvalidInput(f"{name.title()} must be a multiple of {step} with {card.name}: try {near}.", name)


def _tile(pipe: Any, task: TextToImage) -> None:
    switch: Callable[[], None] | None = getattr(pipe.vae, "enable_tiling" if _pixels(task) > TILED_ABOVE else "disable_tiling", None)
    if switch is not None:
        switch()


def _working_bytes(task: Task, pipeline: str, dtype: Any) -> int:
    """Peak memory beside the weights, that of the VAE's decoder. SDXL's runs in float32 where the rest is float16."""
    widened = "XL" in pipeline and str(dtype) == "torch.float16"
    return FIXED_BYTES + DECODE_BYTES * (4 if widened else dtype.itemsize) * min(_pixels(task), TILED_ABOVE)


def _pixels(task: Task) -> int:
    assert isinstance(task, TextToImage)
    return (task.width or 1024) * (task.height or 1024)


def _too_large(card: ModelCard, task: TextToImage) -> str:
    size = f"{task.width} × {task.height} pixels" if task.width and task.height else "this size"
    return f"{card.name} needs more memory than is free for {size}: choose a smaller size or a smaller model."


def _unread_words(pipe: Any, prompt: str) -> str:
    """The end of a prompt that is longer than CLIP reads (77 tokens), where no other text encoder reads it."""
    words = [part for role, part in pipe.components.items() if role.startswith("tokenizer") and part is not None]
    if not words or any(not type(part).__name__.startswith("CLIPTokenizer") for part in words):
        return ""
    limit = words[0].model_max_length
    tokens = words[0](prompt, truncation=False, verbose=False).input_ids
    return str(words[0].decode(tokens[limit - 1 : -1])) if len(tokens) > limit else ""
