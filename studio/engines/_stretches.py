"""What a model that writes codes is told where in a piece, and how much it hears of what comes before. Knows no model and no sound."""

from __future__ import annotations

from collections.abc import Callable

from studio.creations import Json
from studio.music import segments
from studio.tasks import Compose

LEAST_NEW_SECONDS = 2.0
"""At least so much is new in each window, however much of it is taken up by what is heard before."""


def of(task: Compose, known: int, frames: int, to_frames: Callable[[float], int]) -> list[tuple[str, int]]:
    """What is said for each stretch after the `known` frames, and the frame it goes to: all of it, or a timeline's segments one by one."""
    if not task.segments.strip():
        return [(said(task, task.prompt), known + max(1, frames))]
    return [(said(task, part.told(task.prompt)), known + to_frames(part.start + part.seconds)) for part in segments.read(task.segments)]


def heard(task: Compose, window: tuple[int, int], context: int, least: int) -> int | None:
    """Frames that are heard of what comes before; None where the windows' own overlap is enough.

    `window` as of `_codes.write`, `context` the task's in frames, `least` the frames that are new in each window.
    """
    length, stride = window
    if not context:
        return length - stride if task.segments.strip() else None
    return max(1, min(context, length - min(stride, least)))


def said(task: Compose, prompt: str) -> str:
    """A prompt, and what was filled in beside it in the words the model was trained with (audiocraft's merged descriptions)."""
    beside = {
        "bpm": f"{task.bpm:g}" if task.bpm else "",
        "key": task.key,
        "genre": task.genre,
        "moods": task.mood,
        "instrument": ", ".join(task.instruments),
    }
    words = [f"{name}: {value}" for name, value in beside.items() if value]
    return ". ".join([prompt.rstrip(" ."), *words]) if words else prompt


def facts(task: Compose) -> dict[str, Json]:
    """What was said where it is not the prompt alone, and the timeline as it was kept to."""
    told: dict[str, Json] = {}
    if (words := said(task, task.prompt)) != task.prompt:
        told["words"] = words
    if parts := segments.read(task.segments):
        told["segments"] = [{"start": one.start, "seconds": one.seconds, "words": one.words} for one in parts]
    return told
