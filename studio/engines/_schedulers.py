"""Schedulers by the names artists know, for the pipelines of diffusers. Knows no model and no task.

Two families do not mix: those that remove noise of a growing strength (Karras et al., arXiv:2206.00364) and those that follow a straight
path from noise to picture (flow matching, Lipman et al., arXiv:2210.02747).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from studio.errors import InvalidInput

_FLOW: Mapping[str, Any] = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
NOISE: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "Euler": ("EulerDiscreteScheduler", {"use_karras_sigmas": False}),
    "Euler a": ("EulerAncestralDiscreteScheduler", {}),
    "DPM++ 2M": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "use_karras_sigmas": False}),
    "DPM++ 2M Karras": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True}),
    "DPM++ 2M SDE": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": False}),
    "DPM++ 2M SDE Karras": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": True}),
    "DPM++ SDE": ("DPMSolverSinglestepScheduler", {"algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": False}),
    "DPM2": ("KDPM2DiscreteScheduler", {"use_karras_sigmas": False}),
    "DPM2 a": ("KDPM2AncestralDiscreteScheduler", {"use_karras_sigmas": False}),
    "DDIM": ("DDIMScheduler", {}),
    "DEIS": ("DEISMultistepScheduler", {}),
    "UniPC": ("UniPCMultistepScheduler", {"use_karras_sigmas": False}),
    "Heun": ("HeunDiscreteScheduler", {"use_karras_sigmas": False}),
    "LMS": ("LMSDiscreteScheduler", {"use_karras_sigmas": False}),
    "PNDM": ("PNDMScheduler", {"skip_prk_steps": True}),
    "LCM": ("LCMScheduler", {}),
}
FLOW: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "Euler (flow)": ("FlowMatchEulerDiscreteScheduler", {}),
    "UniPC (flow)": ("UniPCMultistepScheduler", _FLOW),
    "Heun (flow)": ("FlowMatchHeunDiscreteScheduler", {}),
    "DPM++ 2M (flow)": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", **_FLOW}),
}
ALL = {**NOISE, **FLOW}
FLOW_OF: Mapping[str, tuple[str, ...]] = {
    "StableDiffusion3Pipeline": ("Euler (flow)", "UniPC (flow)", "Heun (flow)", "DPM++ 2M (flow)"),
    "FluxPipeline": ("Euler (flow)", "UniPC (flow)"),
    "FluxFillPipeline": ("Euler (flow)", "UniPC (flow)"),
    "FluxKontextPipeline": ("Euler (flow)", "UniPC (flow)"),
    "Flux2Pipeline": ("Euler (flow)", "UniPC (flow)"),
    "Flux2KleinPipeline": ("Euler (flow)", "UniPC (flow)"),
    "QwenImagePipeline": ("Euler (flow)", "UniPC (flow)"),
    "QwenImageEditPlusPipeline": ("Euler (flow)", "UniPC (flow)"),
}
"""Most pipelines choose the noise levels themselves, and not every scheduler can be told; the others take "Euler (flow)" alone."""


def offered(pipeline: str, own: Any) -> tuple[str, ...]:
    """The names that work with a pipeline class whose model came with the scheduler `own`; some need a package that may be missing."""
    if _is_flow(own):
        return FLOW_OF.get(pipeline, ("Euler (flow)",))
    if type(own).__name__ in {kind for kind, _ in NOISE.values()} or own.compatibles:
        return tuple(name for name in NOISE if _class(name) is not None)
    return ()


def scheduler(name: str, pipeline: str, own: Any, steps: int, spacing: str | None = None) -> Any:
    """A fresh scheduler of that name ('': of the model's own kind), configured as `own`; `spacing` overrides its timestep spacing.

    Raises InvalidInput for a name that does not work here, or for more steps than it can make.
    """
    made = _made(name, pipeline, own, {"timestep_spacing": spacing} if spacing else {})
    most = made.config.get("original_inference_steps") if type(made).__name__ == "LCMScheduler" else None
    if most is not None and steps > most:
        raise InvalidInput(f"Steps can be at most {most} with this scheduler; choose fewer, or another scheduler.", "steps")
    return made


def name_of(own: Any) -> str:
    """The common name of a scheduler, or its class's name where it has none."""
    flow = _is_flow(own)
    for name, (kind, settings) in (FLOW if flow else NOISE).items():
        if type(own).__name__ == kind and all(own.config.get(key, False) == value for key, value in settings.items()):
            return name
    return type(own).__name__


def _made(name: str, pipeline: str, own: Any, changes: dict[str, Any]) -> Any:
    if not name:
        return type(own).from_config(own.config, **changes)
    if name not in offered(pipeline, own):
        known = ", ".join(offered(pipeline, own)) or "its own alone"
        raise InvalidInput(f"Scheduler cannot be {name} with this model; it has {known}.", "scheduler")
    kind, settings = _class(name), ALL[name][1]
    if name in FLOW:
        shift = own.config.get("shift", own.config.get("flow_shift", 1.0))
        changes |= {"shift": shift, "flow_shift": shift}
    taken = inspect.signature(kind.__init__).parameters
    made = kind.from_config({key: value for key, value in {**own.config, **changes, **settings}.items() if key in taken})
    if name in FLOW and not hasattr(made, "scale_noise"):  # pipelines that begin from a picture call it so
        made.scale_noise = lambda sample, timestep, noise: made.add_noise(sample, noise, timestep)
    return made


def _is_flow(own: Any) -> bool:
    return type(own).__name__.startswith("FlowMatch") or bool(own.config.get("use_flow_sigmas", False))


def _class(name: str) -> Any:
    """The class behind a name; None where a package it needs is missing (diffusers then has a stand-in that only complains)."""
    import diffusers

    found = getattr(diffusers, ALL[name][0], None)
    return found if getattr(found, "__module__", "").startswith("diffusers.schedulers") else None
