"""What a family of audio pipelines is, and what it is asked for. Knows no pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.engines._audio_canvas import Canvas
from studio.tasks import Compose


@dataclass(frozen=True)
class Asked:
    """One take to make: its words, the length in seconds, what it starts from, and the numbers it draws from.

    `shift` and `language` are ACE-Step's alone.
    """

    task: Compose
    words: str
    seconds: float
    canvas: Canvas | None
    generator: Any
    shift: float
    language: str


@dataclass(frozen=True)
class Family:
    """`classes` names the pipeline class for each way of working, `arguments` is what it is told.

    `spoken` are fields of the task that are said in words beside the prompt, `unused` those that none of its models takes; `reads` is
    tokens of a prompt. `old_callback`: it knows but the older form of callback. Of the parts, `instead` are classes by role where a
    model's index names one that cannot be used, `own` those that the pipeline makes itself where the folder has none, and `exact` those
    that stay in float32 whatever the model computes in: they make the sound.
    """

    classes: Mapping[str, str]
    arguments: Callable[[Any, Asked], dict[str, Any]]
    spoken: tuple[str, ...]
    unused: tuple[str, ...]
    reads: int = 256
    old_callback: bool = False
    instead: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    own: tuple[str, ...] = ()
    exact: tuple[str, ...] = ("vae",)
