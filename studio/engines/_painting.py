"""Pictures drawn and mended by a pipeline of diffusers that is put together: one after the other, each as its own seed gives it.

Knows a task, a card and a pipeline; knows no manager and no weights.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from studio import components
from studio.creations import Json, Picture, Preview, Progress, Report
from studio.engines import _compiling, _economies, _encodings, _inpaint, _latents, _openvino, _pipelines, _prompts, _schedulers
from studio.engines._economies import AS_ASKED, Economy
from studio.errors import InvalidInput, StudioError
from studio.models import ModelCard
from studio.tasks import Inpaint, Task, TextToImage

if TYPE_CHECKING:
    from studio.converted import Converted
    from studio.engines._small_decoder import SmallDecoder
    from studio.inpaint.edit import Edit, Region

PREVIEW_SECONDS = 0.25
HELD = 0x5EED
"""Added to the seed for the noise of what is kept, which must not be that of what is drawn."""
NARROWEST = 8
"""Editing models know no picture that is longer against its width."""


class Options(BaseModel):
    """`ModelCard.options` of this engine. `guidance` names the argument that takes the task's guidance scale, `size_step` is pixels,
    `side` those of the square that a model was trained for, where the card has no size among its defaults.
    `image_guidance` says how closely an edit by instruction keeps to the picture, where a pipeline asks; `strongest` is the largest
    strength the model can use. `compile` has the blocks of the denoiser compiled where there is a graphics card (_compiling.py).
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
    compile: bool = False


class Painter:
    """A pipeline of diffusers in use: pictures one after another, so that each is the picture its own seed gives alone.

    Neither its own pictures nor those of requests that arrive together are drawn as one batch: already on a CPU in float32 a UNet of middle
    size draws two at once with 0.03 % of the values off by one of 255 (measured), a GPU chooses other kernels for other batches, and no
    record could name the company that it takes to make the picture again.
    """

    def __init__(
        self,
        pipe: Any,
        card: ModelCard,
        options: Options,
        base: str,
        economy: Economy = AS_ASKED,
        encodings: _prompts.Read | None = None,
        compiling: Converted | None = None,
        small: SmallDecoder | None = None,
    ) -> None:
        self._pipe, self._card, self._options, self._base, self._economy = pipe, card, options, base, economy
        self._encodings = encodings  # pictures that the VAE encoded before
        self._compiling = compiling  # the bounds of compiled code, where the denoiser's blocks are to be compiled
        self._small = small if economy is AS_ASKED else None  # for previews, where memory is not short
        self._own = pipe.scheduler  # as it came with the model
        self._vae_dtype = pipe.vae.dtype

    def pictures(self, task: Task, report: Report) -> Iterator[Picture]:
        """The pictures of a text-to-image task."""
        assert isinstance(task, TextToImage)
        arguments = self.asked(task)
        facts = self._facts(task.prompt)
        for item in range(task.count):
            seed = (task.seed or 0) + item
            call = _Call(seed, (task.width or 0, task.height or 0), (item + 1, task.count), _note(facts))
            pixels = self._drawn(task, arguments, call, report)
            yield Picture(pixels, seed, facts | self._ways())

    def asked(self, task: Task, region: Region | None = None) -> dict[str, Any]:
        """The arguments of a call that draws a picture, or the region of an edit; without a region its first one."""
        assert isinstance(task, TextToImage | Inpaint)
        if isinstance(task, TextToImage):
            given: Mapping[str, Any] = {"width": task.width, "height": task.height}
        else:
            pipe, region = self._pipe, region or self._plan(task).regions[0]
            images = _inpaint.takes_mask(type(pipe)) or self._begins or task.mode == "instruct"
            given = _inpaint.given(region, self._strength(task), images=images)
        return _arguments(self._pipe, task, self._options) | _pipelines.offered(self._pipe, given)

    def edits(self, task: Task, report: Report) -> Iterator[Picture]:
        """The variants of an inpainting task: every region drawn in turn, each from the variant's own seed."""
        assert isinstance(task, Inpaint)
        plan, strength = self._plan(task), self._strength(task)
        if task.mode == "instruct" and any(max(r.size) > NARROWEST * min(r.size) for r in plan.regions):
            raise InvalidInput(f"Pictures to edit by instruction are at most {NARROWEST} times as long as wide: crop it first.", "image")
        held = not _inpaint.takes_mask(type(self._pipe)) and (not plan.whole or strength < 1)
        facts = self._facts(task.prompt)
        for item in range(task.count):
            seed = (task.seed or 0) + item
            made: list[NDArray[np.uint8]] = []
            for number, region in enumerate(plan.regions):
                place = item * len(plan.regions) + number + 1, task.count * len(plan.regions)
                call = _Call(seed, region.size, place, _note(facts), region if held else None, strength, self._begins)
                made.append(self._drawn(task, self.asked(task, region), call, report))
            yield plan.finished(made, seed, facts | self._ways())

    @property
    def _begins(self) -> bool:
        """Whether the pipeline begins from a picture by itself."""
        return "strength" in inspect.signature(type(self._pipe).__call__).parameters

    def _strength(self, task: Inpaint) -> float:
        return min(task.strength or 1.0, self._options.strongest)

    def _plan(self, task: Inpaint) -> Edit:
        from studio.inpaint import edit

        step = max(self._options.size_step, _inpaint.native_step(self._pipe))
        return edit.plan(task, _native_side(self._pipe, self._card), step, soft=not _inpaint.takes_mask(type(self._pipe)))

    def _drawn(self, task: TextToImage | Inpaint, arguments: Mapping[str, Any], call: _Call, report: Report) -> NDArray[np.uint8]:
        """One picture; begun anew where its denoiser was to be compiled and cannot be."""
        if self._compiling is not None:
            try:
                with _compiling.compiled(self._pipe, self._compiling, lambda: report(Progress("loading", note=_compiling.PREPARING))):
                    return self._tried(task, arguments, call, report)
            except _compiling.Failed:
                self._compiling = None
        return self._tried(task, arguments, call, report)

    def _tried(self, task: TextToImage | Inpaint, arguments: Mapping[str, Any], call: _Call, report: Report) -> NDArray[np.uint8]:
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
        _watch(pipe, call, hold, self._small, report)
        if call.begins and task.steps and int(task.steps * call.strength) < 1:
            least = f"{1 / task.steps:.2f}"
            raise InvalidInput(f"With {task.steps} steps a strength below {least} changes nothing: raise one of them.", "strength")
        try:
            # 2. The picture. Numbers that are none: too narrow a number format, or too few steps.
            exact = self._options.dtype == "float32"
            with (
                components.memory_in_words(_too_large(card, call.size)),
                _economies.applied(pipe, self._economy, call.size, exact=exact),
                _encodings.remembered(pipe.vae, self._encodings),
            ):
                pixels = pipe(**arguments, generator=generator, output_type="np").images[0]  # (H, W, 3) in [0, 1]
            if not np.isfinite(pixels).all():
                raise StudioError(f"{card.name} found no picture with these settings: try more steps, another scheduler or another model.")
            return (pixels * 255).round().astype(np.uint8)
        finally:
            # 3. Some pipelines widen the VAE's numbers to decode; one that was stopped there left them wide.
            if pipe.vae.dtype != self._vae_dtype:
                pipe.vae.to(self._vae_dtype)

    def _facts(self, prompt: str) -> dict[str, Json]:
        unread = _prompts.unread(self._pipe, prompt)
        return {"unread": unread} if unread else {}

    def _ways(self) -> dict[str, Json]:
        return {
            "pipeline": type(self._pipe).__name__,
            "scheduler": _schedulers.name_of(self._pipe.scheduler),
            "dtype": str(self._vae_dtype).removeprefix("torch."),
            **_openvino.told(self._pipe),
            **(_compiling.told(self._pipe) if self._compiling is not None else {}),
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


def _native_side(pipe: Any, card: ModelCard) -> int:
    """The side of the square the model was trained for, in pixels."""
    sizes = [card.defaults.get(name, card.options.get("side")) for name in ("width", "height")]
    if all(isinstance(size, int | float) for size in sizes):
        return round(float(np.prod([float(size) for size in sizes if size is not None])) ** 0.5)
    own = getattr(pipe, "default_sample_size", None)
    return int(own) * int(getattr(pipe, "vae_scale_factor", 8)) if isinstance(own, int) else 512


def _note(facts: Mapping[str, Json]) -> str:
    return "The model does not read the end of this prompt" if "unread" in facts else ""


def _watch(pipe: Any, call: _Call, hold: _inpaint.Hold | None, small: SmallDecoder | None, report: Report) -> None:
    """Reports each step of the pipeline's scheduler, with a preview at most every PREVIEW_SECONDS."""
    shown = float("-inf")
    item, items = call.place

    def heard(done: int, steps: int, prediction: Any, result: tuple[Any, ...]) -> None:
        nonlocal shown
        report(Progress("running", done, steps, item=item, items=items))
        if time.monotonic() - shown >= PREVIEW_SECONDS:
            latents = _latents.denoised(pipe.scheduler, done - 1, prediction, result)
            report(Preview(_latents.preview(latents, pipe.vae, *call.size, small), item=item))
            shown = time.monotonic()

    _inpaint.watched(pipe, hold, heard)


def _arguments(pipe: Any, task: TextToImage | Inpaint, options: Options) -> dict[str, Any]:
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


def _too_large(card: ModelCard, size: tuple[int, int]) -> str:
    words = f"{size[0]} × {size[1]} pixels" if all(size) else "this size"
    return f"{card.name} needs more memory than is free for {words}: choose a smaller size or a smaller model."
