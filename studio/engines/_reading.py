"""The words are read first: text encoders are in memory only until they have said what a prompt means, and the drawing begins after that.

A pipeline is put together whose drawing parts have shapes and no numbers, it is run up to where it would draw, and what its encoders said
is kept among the readings (studio/engines/_prompts.py), where the pipeline that draws finds it. Knows no manager and no picture.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

from studio import components
from studio.creations import Progress, Report
from studio.engines import _pipelines, _prompts
from studio.manager import Component
from studio.models import ModelCard
from studio.recipes import First
from studio.tasks import Task

DRAWERS = ("unet", "transformer", "transformer_2", "vae", "encodings")
"""Roles that are of no use to a reader."""
WORKING = 300_000_000
"""Bytes that reading takes beside the encoders."""

Asked = Callable[[Any, Task], Mapping[str, Any]]
"""(pipeline, task) to the arguments of a call that would draw it."""


class _EnoughError(Exception):
    """The drawing would begin here."""


def first(
    card: ModelCard, folder: Path, layout: _pipelines.Layout, parts: Mapping[str, Component], dtype: Any, asked: Asked, marks: Hashable
) -> First | None:
    """What comes before the drawing, for a pipeline of these parts; None where it has no encoder that could go, or cannot do without.

    `marks` are what makes a reading another one, beside the words and the guidance of a task.
    """
    used = [role for role in parts if role not in DRAWERS]
    if not set(_pipelines.READERS) & set(used) or not hasattr(layout.pipeline, "encode_prompt") or not {*DRAWERS} & set(parts):
        return None

    def name(task: Task) -> Hashable:
        words = (getattr(task, field, None) for field in ("prompt", "negative_prompt", "guidance_scale"))
        return layout.pipeline.__name__, marks, *words

    def run(values: Mapping[str, Any], task: Task, report: Report) -> None:
        report(Progress("running", 0, getattr(task, "steps", None) or 0, note="reading the words"))
        with components.memory_in_words(f"{card.name} needs more memory than is free to read the words: choose a smaller model."):
            seen = _read(_pipe(card, folder, layout, values, dtype), asked, task, values["prompts"])
        values["prompts"].note(name(task), seen)

    def done(values: Mapping[str, Any], task: Task) -> bool:
        return "prompts" in values and values["prompts"].has(name(task))

    return First({role: parts[role] for role in used}, lambda _: WORKING, run, done)


def _pipe(card: ModelCard, folder: Path, layout: _pipelines.Layout, values: Mapping[str, Any], dtype: Any) -> Any:
    """The pipeline with the encoders of `values` and empty shapes of all else; it believes to be where they are."""
    import torch

    place = next(values[role] for role in _pipelines.READERS if role in values).device
    shapes: dict[str, Any] = {}
    with torch.device("meta"):
        for role in DRAWERS:
            if role in layout.parts:
                kind = components.class_of(card, *layout.parts[role])
                shape = kind.from_config(kind.load_config(folder / role, local_files_only=True))
                shapes[role] = torch.nn.Module.to(shape, dtype).eval()  # its own `to` would warn of numbers that are not there
    named = type(layout.pipeline.__name__, (layout.pipeline,), {"_execution_device": place, "device": place})
    return _pipelines.assembled(layout, {**values, **shapes}, named)


def _read(pipe: Any, asked: Asked, task: Task, readings: _prompts.Read) -> list[Hashable]:
    """What was looked at among the readings, all of it there now."""
    import torch

    seen = list[Hashable]()
    encoder = next(part for role in _pipelines.READERS if (part := getattr(pipe, role, None)) is not None)
    _prompts.remembered(pipe, readings, seen, encoder.device)
    pipe.prepare_latents = _stopped(getattr(pipe, "prepare_latents", _nothing))
    pipe.scheduler.set_timesteps = _stopped(pipe.scheduler.set_timesteps)
    try:
        with torch.inference_mode():
            pipe(**asked(pipe, task), output_type="latent")
    except _EnoughError:
        pass
    return seen


def _stopped(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)  # pipelines look at what a scheduler takes
    def stop(*_: Any, **__: Any) -> Any:
        raise _EnoughError

    return stop


def _nothing() -> None:
    return
