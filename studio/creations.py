"""What comes back from a run: events while it lasts, media from the pipeline, creations on disk.

Plain data; knows no task, no model and no file format. Pixels are numpy arrays, never framework tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"

Phase = Literal["waiting", "downloading", "loading", "running", "saving"]


@dataclass(frozen=True)
class Progress:
    """How far a run is. `done` and `total` count `unit`s (steps, tokens, bytes, runs ahead); total 0 means unknown.

    `item` and `items` count the pictures of a batch from 1. `note` is a short text for the artist, or ''.
    """

    phase: Phase
    done: float = 0
    total: float = 0
    unit: str = "steps"
    item: int = 1
    items: int = 1
    note: str = ""


@dataclass(frozen=True)
class Sound:
    """Sound: `samples` (channels, samples) float32 in [-1, 1], `rate` in hertz."""

    samples: NDArray[np.float32]
    rate: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.samples.shape[1] / self.rate


@dataclass(frozen=True)
class Preview:
    """The unfinished result: `pixels` (H, W, 3) uint8, the whole `text` so far, or the `sound` that goes on where the last one ended.

    `item` as in Progress.
    """

    pixels: NDArray[np.uint8] | None = None
    text: str | None = None
    sound: Sound | None = None
    item: int = 1


@dataclass(frozen=True)
class Picture:
    """One finished picture: `pixels` (H, W), (H, W, 3) or (H, W, 4) uint8; made from `seed` alone. sRGB, or as the profile `icc` says.

    `facts` go into the record (JSON values; e.g. attribution shares). `attachments` are companion files kept beside
    the picture, name to bytes (e.g. {"drawing.svg": ..., "attribution.png": ...}). `drawn` (H, W) bool is where nothing of a given
    picture is left, None for everywhere.
    """

    pixels: NDArray[np.uint8]
    seed: int
    facts: Mapping[str, Json] = field(default_factory=dict[str, "Json"])
    attachments: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    icc: bytes | None = None
    drawn: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Passage:
    """Finished text. `finish` says why it ended; `tokens` counts new tokens. `text` is the new text alone."""

    text: str
    seed: int
    tokens: int
    finish: Literal["end", "length", "stop", "stopped"] = "end"
    facts: Mapping[str, Json] = field(default_factory=dict[str, "Json"])


@dataclass(frozen=True)
class Take:
    """One finished piece of music or sound, made from `seed` alone. `facts` and `attachments` as for a Picture (e.g. "score.mid").

    `finish` says why it ended: "stopped" keeps what was made before the stop.
    """

    sound: Sound
    seed: int
    finish: Literal["end", "stopped"] = "end"
    facts: Mapping[str, Json] = field(default_factory=dict[str, "Json"])
    attachments: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


Media = Picture | Passage | Take


@dataclass(frozen=True)
class Creation:
    """A finished result, saved and indexed. `path` is its file; `record` remakes it (see provenance/record.py).

    `attachments` maps companion names to files. `text` is set for writing.
    """

    id: str
    kind: str
    path: Path
    record: Mapping[str, Json]
    created: str
    text: str | None = None
    attachments: Mapping[str, Path] = field(default_factory=dict[str, Path])


Event = Progress | Preview | Creation

Report = Callable[[Progress | Preview], None]
"""Handed to loaders and pipelines; raises `errors.Cancelled` once the run was stopped. Cheap: call it every step."""
