"""Music and sound through the audio pipelines of diffusers: ACE-Step, Stable Audio, AudioLDM 2 and LongCat, from folders in its layout.

What stays in memory are a pipeline's parts; the pipeline around them is built anew for every job. Latents become sound in float32,
whatever the model computes in. Knows no manager, no download and no page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from studio import components
from studio.creations import Json, Preview, Progress, Report, Sound, Take
from studio.device import Device
from studio.engines import _audio_canvas, _audio_codecs, _audio_families, _pipelines
from studio.engines._audio_canvas import Canvas
from studio.engines._audio_families import FAMILIES
from studio.engines._audio_family import Asked, Family
from studio.engines._composing import seed_of
from studio.errors import InvalidInput, ModelUnavailable, StudioError
from studio.manager import Pipeline, Recipe
from studio.models import ModelCard
from studio.tasks import Compose, Task

CARDS = components.cards("diffusion_audio")

SECONDS = 30.0
"""Length of a piece where neither the task nor the card says."""
LONGEST = 30.0
"""Seconds of a reference that a model oversees where its card has no limit."""
FIXED_BYTES = 600_000_000
SECOND_BYTES = 130_000_000
"""Working memory for a second of sound being made of latents: five times a decoder's widest layer, 128 channels in float32."""
ROUGH_RATE = 8_000
"""Hertz at which a reference is looked at before a model is loaded."""
TILE_SECONDS = 24
"""The codec makes longer sounds in parts of at most this."""


class _Options(BaseModel):
    """`ModelCard.options` of this engine. `shift` and `language` (of the lyrics) are told to ACE-Step.

    `window` is seconds of a reference that the model oversees; without one it is what the card's duration is limited to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    variant: str | None = None
    window: float | None = Field(default=None, gt=1)
    shift: float = Field(default=3.0, gt=0)
    language: str = "unknown"


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The components of the card's model and the pipeline over them. Raises ModelUnavailable and ModelUnsafe for unusable files."""
    import torch

    assert isinstance(task, Compose)
    options = _options(card)
    folder = components.files_of(card)
    family = _family(card)
    if task.way not in family.classes:
        raise InvalidInput(f"{card.name} cannot do this ({task.way}): choose another model.", "reference_use")
    layout = _pipelines.layout(card, folder, family.classes[task.way])
    named = {role: kind for role, kind in {**layout.parts, **family.instead}.items() if role not in family.own or (folder / role).is_dir()}
    layout = replace(layout, parts=named)
    dtype = components.number_format(device, options.dtype)
    variant = options.variant or getattr(card.source, "variant", None)
    parts = _pipelines.from_folder(card, layout, variant, dtype, device)
    for role in family.exact:
        found = components.find_weights(card, folder / role, variant)
        parts[role] = components.module(card, found, role, layout.parts[role], torch.float32, device)

    def build(values: Mapping[str, Any]) -> Pipeline:
        return _Maker(_pipelines.assembled(layout, values), card, family, options).takes

    return Recipe(parts, build, lambda task: _working_bytes(task, card))


def check(card: ModelCard, task: Task) -> None:
    """Refuse what the model cannot be told, and a reference that is no sound or too long. Raises InvalidInput or MediaUnreadable."""
    assert isinstance(task, Compose)
    _audio_families.check(card.name, _family(card), task)
    _audio_canvas.laid(task, ROUGH_RATE, 1, _longest(card))


@dataclass(frozen=True)
class _Place:
    """Which take of how many it is."""

    item: int
    items: int
    report: Report

    def told(self, event: Progress | Preview) -> None:
        """Report with the take's number. Raises Cancelled to stop."""
        self.report(replace(event, item=self.item, items=self.items) if isinstance(event, Progress) else replace(event, item=self.item))


class _Maker:
    """A pipeline of diffusers in use: takes one after another, each from its own seed alone."""

    def __init__(self, pipe: Any, card: ModelCard, family: Family, options: _Options) -> None:
        self._pipe, self._card, self._family, self._options = pipe, card, family, options
        self._own = pipe.scheduler  # as it came with the model

    def takes(self, task: Task, report: Report) -> Iterator[Take]:
        """The takes of a task. A stop ends the attempt that is being made: of noise nothing can be kept."""
        from studio.music import finish

        assert isinstance(task, Compose)
        report(Progress("running", 0, task.steps or 0, items=task.count, note="Reading"))
        pipe, family = self._pipe, self._family
        _audio_families.check(self._card.name, family, task)
        canvas = _audio_canvas.laid(task, _audio_codecs.rate(pipe), _audio_codecs.channels(pipe), _longest(self._card))
        if canvas is None and (task.duration or SECONDS) > _audio_codecs.most(pipe):
            raise InvalidInput(f"{self._card.name} makes at most {_audio_codecs.most(pipe):.0f} seconds: ask for less.", "duration")
        words, facts = _words(pipe, family, task)
        for item in range(task.count):
            one, place = task.model_copy(update={"seed": seed_of(task, item)}), _Place(item + 1, task.count, report)

            def attempt(seed: int, number: int, one: Compose = one, place: _Place = place) -> tuple[int, Take]:
                return self._take(one, seed, words, canvas, place, facts | ({"attempt": number} if number > 1 else {}))

            yield finish.best(one, attempt)

    def _take(
        self, task: Compose, seed: int, words: str, canvas: Canvas | None, place: _Place, facts: Mapping[str, Json]
    ) -> tuple[int, Take]:
        """How many lines of the brief one attempt misses, and the take. It has the task's seed, from which all attempts follow."""
        from studio.music import finish

        # 1. What the model makes of the length that was asked for, or of the window it oversees.
        rate = _audio_codecs.rate(self._pipe)
        seconds = (task.duration or SECONDS) if canvas is None else canvas.heard.shape[1] / rate
        made = self._made(task, seed, words, seconds, canvas, place)[:, : round(seconds * rate)]
        if not np.isfinite(made).all():
            raise StudioError(f"{self._card.name} found no sound with these settings: try more steps or another model.")
        # 2. Of a region, what it held; else all of it.
        if canvas is None or task.way in _audio_canvas.WHOLE:
            samples = _quieter(made)
        else:
            start, end = canvas.marked
            made = np.pad(made, ((0, 0), (0, canvas.heard.shape[1] - made.shape[1])))
            made[:, start:end] = _quieter(made[:, start:end])
            samples = canvas.joined(made)
        # 3. Loudness, and what was asked beside what is heard.
        sound, heard, missed = finish.finished(Sound(np.ascontiguousarray(samples), rate), task, report=finish.unstopped(place.told))
        return missed, Take(sound, task.seed or 0, facts={**self._ways(task), **facts, **heard})

    def _made(self, task: Compose, seed: int, words: str, seconds: float, canvas: Canvas | None, place: _Place) -> NDArray[np.float32]:
        """The sound (channels, samples) of one seed. Pipelines that draw from torch's own numbers find those of the seed, too."""
        import torch

        pipe, options = self._pipe, self._options
        pipe.scheduler = type(self._own).from_config(self._own.config)
        generator = torch.Generator("cpu").manual_seed(seed)
        devices = [pipe.device] if pipe.device.type == "cuda" else []
        sentence = f"{self._card.name} needs more memory than is free: ask for a shorter piece, or unload another model."
        with components.memory_in_words(sentence), torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            told = self._family.arguments(pipe, Asked(task, words, seconds, canvas, generator, options.shift, options.language))
            told |= _watched(pipe, self._family, place)
            latents = pipe(**_pipelines.offered(pipe, told), generator=generator, output_type="latent").audios
            place.told(Progress("running", note="Decoding"))
            return _audio_codecs.decoded(pipe, latents)

    def _ways(self, task: Compose) -> dict[str, Json]:
        pipe = self._pipe
        return {
            "pipeline": type(pipe).__name__,
            "scheduler": type(pipe.scheduler).__name__,
            "steps": len(pipe.scheduler.timesteps),
            "dtype": str(getattr(pipe, "transformer" if hasattr(pipe, "transformer") else "unet").dtype).removeprefix("torch."),
            **({"reference_strength": _audio_families.strength(self._family, task)} if task.way == "cover" else {}),
        }


def _watched(pipe: Any, family: Family, place: _Place) -> dict[str, Any]:
    """The argument by which a pipeline tells of each step; what is raised there ends it."""

    def heard(step: int) -> None:
        place.told(Progress("running", step + 1, len(pipe.scheduler.timesteps)))

    def ended(_pipe: Any, step: int, _moment: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        heard(step)
        return tensors

    if family.old_callback:
        return {"callback": lambda step, _moment, _latents: heard(step)}
    return {"callback_on_step_end": ended}


def _words(pipe: Any, family: Family, task: Compose) -> tuple[str, dict[str, Json]]:
    """What is said: the prompt, and beside it those fields that the model knows as words; and facts about it.

    A model reads so many words and no more: the end of a longer prompt is named in the facts, as "unread".
    """
    beside = {
        "genre": task.genre,
        "mood": task.mood,
        "instruments": ", ".join(task.instruments),
        "bpm": f"{task.bpm:g} BPM" if task.bpm else "",
    }
    said = ", ".join([task.prompt.rstrip(" .,"), *(words for name, words in beside.items() if words and name in family.spoken)])
    said = task.prompt if said == task.prompt.rstrip(" .,") else said
    read, unread = _audio_families.read(pipe, family, said)
    facts: dict[str, Json] = {"words": said} if said != task.prompt else {}
    return read, facts | ({"unread": unread} if unread else {})


def _quieter(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turned down where it is louder than full scale, never clipped."""
    return samples / max(1.0, float(np.abs(samples).max(initial=0.0)))


def _options(card: ModelCard) -> _Options:
    return components.options(card, _Options, "sound")


def _family(card: ModelCard) -> Family:
    name = str(components.read_json(card, components.files_of(card) / "model_index.json").get("_class_name"))
    if name not in FAMILIES:
        raise ModelUnavailable(f"{card.name} is no audio model that this engine can play ({name}): choose another model.")
    return FAMILIES[name]


def _longest(card: ModelCard) -> float:
    """Seconds of a reference that the model oversees."""
    return _options(card).window or (card.limits["duration"][1] if "duration" in card.limits else LONGEST)


def _working_bytes(task: Task, card: ModelCard) -> int:
    """One part of the sound being made of latents, and a few copies of all of it."""
    assert isinstance(task, Compose)
    seconds = _longest(card) if task.reference else task.duration or SECONDS
    return FIXED_BYTES + int(SECOND_BYTES * min(seconds, TILE_SECONDS)) + int(seconds * 48_000 * 2 * 4 * 6)
