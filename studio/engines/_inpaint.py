"""Inpainting with any diffusers pipeline: which class works on a picture, and how what is kept is held while the rest is drawn.

What is kept is put back, noised as it should be by then, after every step of the scheduler; a pixel of strength m is set free in the
last share m of the steps (Levin & Fried, "Differential diffusion", 2023, arXiv 2306.00950). So it works for every pipeline that has
latents, with the weights that are there. Knows no task and no file.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.engines import _latents

if TYPE_CHECKING:
    from studio.inpaint.edit import Region


def class_name(pipeline: Any, *, masked: bool) -> str:
    """The class that edits pictures with the parts of `pipeline`: itself if it takes a mask, else its family's image-to-image class.

    '' where the family has none of its own: then the pipeline itself draws from noise and what is kept is held. `masked` says that the
    parts were trained for a mask (a UNet of nine channels), so that a family's inpainting class must be used.
    """
    from diffusers.pipelines.auto_pipeline import (
        AUTO_IMAGE2IMAGE_PIPELINES_MAPPING,
        AUTO_INPAINT_PIPELINES_MAPPING,
        AUTO_TEXT2IMAGE_PIPELINES_MAPPING,
    )

    if takes_mask(pipeline):
        return str(pipeline.__name__)
    family = next((name for name, found in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.items() if found is pipeline), None)
    classes: Any = AUTO_INPAINT_PIPELINES_MAPPING if masked else AUTO_IMAGE2IMAGE_PIPELINES_MAPPING
    found = classes.get(family) if family else None
    if found is None or found is pipeline or "strength" not in inspect.signature(found.__call__).parameters:
        return ""
    return str(found.__name__)


def takes_mask(pipeline: Any) -> bool:
    """Whether calls of this class take a mask of their own."""
    return "mask_image" in inspect.signature(pipeline.__call__).parameters


def follows(pipeline: Any) -> bool:
    """Whether calls of this class take a picture beside an instruction, and draw anew what the instruction makes of it."""
    taken = inspect.signature(pipeline.__call__).parameters
    return "image" in taken and "mask_image" not in taken and "strength" not in taken


def native_step(pipe: Any) -> int:
    """Sizes must be multiples of so many pixels: two latents, since many denoisers work on patches of two."""
    return 2 * int(getattr(pipe, "vae_scale_factor", 8))


def given(region: Region, strength: float, *, images: bool) -> dict[str, Any]:
    """What an editing pipeline is told of a region, by argument; its size too, where a pipeline would choose one by itself."""
    from PIL import Image

    width, height = region.size
    told: dict[str, Any] = {"width": width, "height": height}
    if images:
        mask = Image.fromarray(np.where(region.hole, 255, 0).astype(np.uint8))
        told |= {"image": Image.fromarray(region.picture), "mask_image": mask, "strength": strength}
        told |= {"max_area": width * height, "_auto_resize": False}
    return told


@dataclass
class Hold:
    """What is kept of a region, and how freely the rest may change.

    `strength` limits the mask: it is 1 for a pipeline that itself begins from the picture, since then the schedule is shorter already.
    The other fields fill at the first step: `clean` latents, their `noise`, the `mask` on them, and the `place` in the schedule.
    """

    region: Region
    strength: float
    generator: Any
    clean: Any = None
    noise: Any = None
    mask: Any = None
    place: int = -1

    def held(self, pipe: Any, step: int, steps: int, timestep: Any, latents: Any) -> Any:
        """`latents` as they are after step number `step` of `steps`, counted from 0, with what is kept put back."""
        import torch

        scheduler = pipe.scheduler
        if self.clean is None:
            self._prepare(pipe, latents)
        if self.place < 0:
            self.place = _position(scheduler, timestep)
        self.place += 1
        known = _noised(scheduler, self.clean, self.noise, self.place).to(latents)
        left = 1 - (step + 1) / max(steps, 1)
        free = self.mask * self.strength > left
        return torch.where(free, latents, known)

    def _prepare(self, pipe: Any, latents: Any) -> None:
        import torch

        with torch.inference_mode():
            self.clean = _latents.encoded(self.region.picture, pipe.vae, latents).float()
        self.noise = torch.randn(self.clean.shape, generator=self.generator).to(self.clean.device)
        self.mask = _latents.laid_out(torch.from_numpy(self.region.mask)[None], latents).to(self.clean.device)


def watched(pipe: Any, hold: Hold | None, heard: Callable[[int, int, Any, tuple[Any, ...]], None]) -> None:
    """Wrap the private scheduler's `step`: first what is kept is held, then `heard(step, steps, prediction, result)` is told.

    Wrapping works for every pipeline; one in five has no `callback_on_step_end`. What `heard` raises ends the pipeline within the step.
    """
    scheduler, step = pipe.scheduler, pipe.scheduler.step
    done, first = 0, -1

    @functools.wraps(step)  # pipelines look at its signature
    def stepped(model_output: Any, timestep: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal done, first
        if first < 0:
            first = _position(scheduler, timestep)
        steps = max(len(scheduler.timesteps) - first, done + 1)
        result = step(model_output, timestep, *args, **kwargs)
        if hold is not None:
            latents = result[0] if isinstance(result, tuple) else result.prev_sample
            latents = hold.held(pipe, done, steps, timestep, latents)
            if isinstance(result, tuple):
                result = (latents, *result[1:])
            else:
                result.prev_sample = latents
        done += 1
        heard(done, steps, model_output, result if isinstance(result, tuple) else (result.prev_sample,))
        return result

    scheduler.step = stepped


def _position(scheduler: Any, timestep: Any) -> int:
    """Where in the schedule a timestep stands; where it stands twice, the first."""
    times = [float(t) for t in scheduler.timesteps]
    value = float(timestep.flatten()[0]) if hasattr(timestep, "flatten") else float(timestep)
    return int(np.argmin([abs(t - value) for t in times]))


def _noised(scheduler: Any, clean: Any, noise: Any, place: int) -> Any:
    """`clean` with as much noise as latents have before step number `place` of the schedule; after the last, none."""
    times = scheduler.timesteps
    if place >= len(times):
        return clean
    if hasattr(scheduler, "scale_noise") or scheduler.config.get("use_flow_sigmas"):
        sigma = scheduler.sigmas[place].to(clean.device)
        return (1 - sigma) * clean + sigma * noise
    if hasattr(scheduler, "sigmas") and not hasattr(scheduler, "alphas_cumprod"):
        return clean + noise * scheduler.sigmas[place].to(clean.device)
    return scheduler.add_noise(clean, noise, times[place].reshape(1).to(clean.device))
