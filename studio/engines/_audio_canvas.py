"""What a model of sound hears of a reference, and how what it makes is put back: beside a region not one sample changes.

Going on and leading in are repainting, too: of the silence after a recording, or before it. Knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studio.errors import InvalidInput
from studio.tasks import Compose

Samples = NDArray[np.float32]

WHOLE = ("cover", "extract", "lego", "complete")
"""Ways that take all of a reference and give back all of it."""
JOIN_SECONDS = 0.02
"""Over which what was there and what was made go over into each other: within a region that is repainted, else within the recording."""
HEARD_SECONDS = 1.0
"""The least that a model must hear of a recording to go on from it."""
NEW_SECONDS = 10.0
"""How much comes after or before a recording where neither the task nor the card says."""
REGION_SECONDS = 0.1
"""The shortest region, and the least of a recording that can be gone on from or led into."""


@dataclass(frozen=True)
class Canvas:
    """A recording (channels, samples), silent where something is to come. `region` is what is made, `window` what the model oversees.

    Both are samples (from, to). `inside`: whether the region held sound before, so that its edges can be found within it.
    """

    samples: Samples
    rate: int
    region: tuple[int, int]
    window: tuple[int, int]
    inside: bool

    @property
    def heard(self) -> Samples:
        """The samples within the window."""
        return self.samples[:, self.window[0] : self.window[1]]

    @property
    def marked(self) -> tuple[int, int]:
        """The region as samples of the window."""
        return self.region[0] - self.window[0], self.region[1] - self.window[0]

    def joined(self, made: Samples) -> Samples:
        """The recording with what was made of the window (channels, its samples) in the region, and nowhere else."""
        (start, end), (first, last) = self.region, self.window
        fade = min(round(JOIN_SECONDS * self.rate), (end - start) // 2 if self.inside else self.samples.shape[1] - (end - start))
        share = np.zeros(self.samples.shape[1], np.float32)
        share[start:end] = 1
        rise = np.linspace(0, 1, fade + 2, dtype=np.float32)[1:-1]
        before, after = (start, end - fade) if self.inside else (start - fade, end)
        if start > 0:
            share[before : before + fade] = rise
        if end < self.samples.shape[1]:
            share[after : after + fade] = rise[::-1]
        part = share[first:last]
        mixed = self.samples.copy()
        mixed[:, first:last] = np.where(part == 1, made, self.heard + (made - self.heard) * part)
        return mixed


def laid(task: Compose, rate: int, channels: int, longest: float) -> Canvas | None:
    """The canvas of a task's reference at `rate`, of which the model oversees `longest` seconds; None where there is no reference.

    Raises MediaUnreadable for what is no sound, and InvalidInput for a region that is none or longer than the model oversees.
    """
    if not task.reference:
        return None
    from studio.music import apart, files

    sound = files.resampled(apart.read(Path(task.reference)), rate)
    samples = (files.mono(sound) if channels == 1 else files.stereo(sound)).samples
    new = round((task.duration or NEW_SECONDS) * rate)
    start = round((task.region_start or 0) * rate)
    end = samples.shape[1] if task.region_end is None else min(round(task.region_end * rate), samples.shape[1])
    if task.way in ("continue", "lead"):
        kept = samples[:, :end] if task.way == "continue" else samples[:, start:]
        if kept.shape[1] < REGION_SECONDS * rate:
            field = "region_end" if task.way == "continue" else "region_start"
            raise InvalidInput("Next to nothing of the reference would be left: mark the region anew on the waveform.", field)
        silence = np.zeros((samples.shape[0], new), np.float32)
        both = [kept, silence] if task.way == "continue" else [silence, kept]
        samples = np.concatenate(both, axis=1)
        start, end = (kept.shape[1], samples.shape[1]) if task.way == "continue" else (0, new)
    whole = samples.shape[1]
    _judge(task, start, end, whole, rate, longest)
    window = min(whole, int(longest * rate))
    if task.context and task.way not in WHOLE:
        sides = 2 if task.way == "repaint" else 1
        window = min(window, end - start + sides * round(max(task.context, HEARD_SECONDS) * rate))
    first = min(max(0, (start + end - window) // 2), whole - window)
    return Canvas(samples, rate, (start, end), (first, first + window), inside=task.way in ("repaint", *WHOLE))


def _judge(task: Compose, start: int, end: int, whole: int, rate: int, longest: float) -> None:
    if end - start < REGION_SECONDS * rate:
        raise InvalidInput("The region lies beyond the end of the sound, or is too short: mark it anew on the waveform.", "region_end")
    if task.way in WHOLE and whole > longest * rate:
        raise InvalidInput(f"The reference is longer than this model oversees ({longest:g} seconds): cut out a part of it.", "reference")
    if task.way == "repaint" and end - start > longest * rate:
        raise InvalidInput(f"The region is longer than this model oversees ({longest:g} seconds): mark a shorter one.", "region_end")
    heard = min(whole, int(longest * rate)) - (end - start)
    if task.way in ("continue", "lead") and heard < min(HEARD_SECONDS * rate, whole - (end - start)):
        least = longest - HEARD_SECONDS
        raise InvalidInput(f"To hear what it goes on from, this model makes at most {least:g} seconds: ask for less.", "duration")
