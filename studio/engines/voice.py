"""Voices of transformers, VITS (the MMS family), Bark, Dia and CSM: text is read aloud sentence by sentence and plays while it is spoken.

Sentence k is spoken from seed + k alone, so that a change at the end of a text leaves its beginning as it was. Knows no manager, no
download and no page.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from studio import components
from studio.creations import Json, Preview, Progress, Report, Sound, Take
from studio.device import Device
from studio.engines import _csm, _dialogue, _speaking, _voices
from studio.errors import Cancelled, InvalidInput, ModelUnavailable, ModelUnsafe
from studio.manager import Component, Pipeline, Recipe
from studio.models import ModelCard
from studio.tasks import SEED_LIMIT, Narrate, Task

CARDS = components.cards("voice")

CLASSES = {"vits": "VitsModel", "bark": "BarkModel", "dia": "DiaForConditionalGeneration", "csm": "CsmForConditionalGeneration"}
LONGEST = {"vits": 400, "bark": 180, "dia": 160, "csm": 200}
"""Characters spoken in one go. Bark's sound ends after 14 seconds; the first sentence of Dia and CSM is heard with each of the others."""
CODEC = "codec"
"""Dia's codec: a companion of the card, or a folder inside the model's own."""
FIXED_BYTES = 300_000_000
LETTERS_A_SECOND = 10
"""A slow reader, for the size of a sound before it is made."""


class _Options(BaseModel):
    """`ModelCard.options` of this engine: `longest` is characters spoken in one go."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    variant: str | None = None
    longest: int | None = Field(default=None, ge=20, le=2000)


def check(card: ModelCard, task: Task) -> None:
    """Refuse a voice that the model does not have before anything is queued."""
    assert isinstance(task, Narrate)
    kind = components.read_json(card, components.files_of(card) / "config.json").get("model_type")
    if task.speed != 1 and kind in ("dia", "csm"):
        raise InvalidInput(f"{card.name} speaks at its own pace: leave Speed at 1.", "speed")
    known = _voices.names(card)
    if task.voice and task.voice not in known:
        raise InvalidInput(
            f"{card.name} has no voice of that name; it has {', '.join(known)}."
            if known
            else f"The files of {card.name} hold no voices to choose from: leave Voice empty, or fetch the model again.",
            "voice",
        )


def choices(card: ModelCard) -> Mapping[str, Sequence[tuple[str, str]]]:
    """The voices of a model whose files are here."""
    known = _voices.names(card) if card.files is not None and "voice" not in card.ignores else ()
    return {"voice": [(name.removeprefix("v2/").replace("_", " "), name) for name in known]}


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The model, its tokenizer, and the pipeline over them. Raises ModelUnavailable and ModelUnsafe for files that are no usable voice."""
    import torch

    assert isinstance(task, Narrate)
    options = components.options(card, _Options, "narration")
    folder = components.files_of(card)
    kind = str(components.read_json(card, folder / "config.json").get("model_type"))
    if kind not in CLASSES:
        raise ModelUnavailable(f"{card.name} is no voice that this engine can speak with; choose another model.")
    found = _weights(card, options.variant)
    longest = options.longest or LONGEST[kind]
    parts: dict[str, Component] = {
        "model": components.module(card, found, "voice", ("transformers", CLASSES[kind]), torch.float32, device),
        "words": _tokenizer(card),
    }
    if kind == "dia":
        codec = components.find_weights(card, _codec_folder(card), None)
        parts["codec"] = components.module(card, codec, "codec", ("transformers", "DacModel"), torch.float32, device)

    def build(values: Mapping[str, Any]) -> Pipeline:
        voice = _voice(kind, values, card)
        return lambda task, report: _takes(voice, card, longest, task, report)

    return Recipe(parts, build, lambda task: _working_bytes(task, longest))


def _voice(kind: str, values: Mapping[str, Any], card: ModelCard) -> _voices.Voice:
    model, words = values["model"], values["words"]
    if kind == "vits":
        return _voices.Vits(model, words)
    if kind == "csm":
        return _csm.Csm(model, words)
    return _dialogue.Dia(model, words, values["codec"]) if kind == "dia" else _voices.Bark(model, words, card)


def _weights(card: ModelCard, variant: str | None) -> components.Weights:
    """The model's weights. A configuration may name their file itself, where its makers' own format lies beside them, as CSM's does."""
    folder = components.files_of(card)
    named = components.read_json(card, folder / "config.json").get("transformers_weights")
    if not isinstance(named, str):
        return components.find_weights(card, folder, variant)
    names = {named}
    if Path(named).name == named and named.endswith(".index.json"):
        names = {str(name) for name in components.read_json(card, folder / named).get("weight_map", {}).values()}
    if any(Path(name).name != name or not name.endswith(".safetensors") for name in names):
        raise ModelUnsafe(f"The configuration of {card.name} names weights that could be anything; choose another copy of the model.")
    if not names or any(not (folder / name).is_file() for name in names):
        raise ModelUnavailable(f"There are no weights in {card.name} under the names it gives them; fetch the model again.")
    return components.Weights(folder, tuple(folder / name for name in sorted(names)), None, "")


def _codec_folder(card: ModelCard) -> Path:
    folder = card.companion_files.get(CODEC) or components.files_of(card) / CODEC
    if not folder.is_dir():
        raise ModelUnavailable(
            f"The codec of {card.name} is not here: download the model again, or put the codec into its folder as codec/."
        )
    return folder


def _takes(voice: _voices.Voice, card: ModelCard, longest: int, task: Task, report: Report) -> Iterator[Take]:
    """One take; what was spoken before a stop is kept and yielded, too."""
    assert isinstance(task, Narrate)
    # 1. What is said, in which order.
    pieces = _speaking.pieces(task.text, longest)
    mute = {piece.words: voice.silent(piece.words) for piece in pieces}
    spoken = [piece for piece in pieces if sum(map(str.isalnum, piece.words)) > len(mute[piece.words])]
    if not spoken:
        raise InvalidInput(f"There is nothing in this text that {card.name} can say: write it in words of its language.", "text")
    # 2. Sentence after sentence; `report` raises to stop.
    made: list[NDArray[np.float32]] = []
    finish: Literal["end", "stopped"] = "end"
    try:
        with components.memory_in_words(f"{card.name} needs more memory than is free: shorten the text or choose a smaller model."):
            for number, piece in enumerate(spoken):
                sound = _said(voice, piece, task, number, _tick(report, number, len(spoken)))
                pause = piece.pause if number < len(spoken) - 1 else _speaking.SENTENCE
                made.append(np.concatenate([sound, np.zeros(round(pause * voice.rate), np.float32)]))
                report(Preview(sound=Sound(made[-1][None], voice.rate)))
        report(Progress("running", len(spoken), len(spoken), "sentences"))
    except Cancelled:
        if not made:
            raise
        finish = "stopped" if len(made) < len(spoken) else "end"
    # 3. All of it, and what the record should know.
    facts = _facts(task, card, "".join(mute.values()), len(made), len(spoken))
    yield Take(Sound(np.concatenate(made)[None], voice.rate), task.seed or 0, finish, facts)


def _said(voice: _voices.Voice, piece: _speaking.Piece, task: Narrate, number: int, tick: Callable[..., None]) -> NDArray[np.float32]:
    """One sentence from its own seed. Torch's generators are as before afterwards: no other run is changed by it."""
    import torch

    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices), torch.inference_mode(), _ticking(voice.steps, tick):
        tick()
        torch.manual_seed(((task.seed or 0) + number) % (SEED_LIMIT + 1))
        return np.clip(np.nan_to_num(voice.says(piece.words, task)), -1, 1).astype(np.float32)


def _tick(report: Report, number: int, total: int) -> Callable[..., None]:
    def tick(*_: Any) -> None:
        report(Progress("running", number, total, "sentences"))

    return tick


@contextmanager
def _ticking(steps: Sequence[Any], tick: Callable[..., None]) -> Generator[None]:
    """Before each step of the model `tick` is called, so that a stop takes effect within a sentence."""
    with ExitStack() as hooks:
        for step in steps:
            hooks.callback(step.register_forward_pre_hook(tick).remove)
        yield


def _facts(task: Narrate, card: ModelCard, mute: str, said: int, of: int) -> dict[str, Json]:
    facts: dict[str, Json] = {"dtype": "float32", "sentences": said}
    notes: list[Json] = []
    if mute:
        known = sorted(set(mute))
        facts["left_out"] = len(mute)
        notes.append(f"{card.name} cannot say {' '.join(known[:12])}{' …' if len(known) > 12 else ''}: these were left out.")
    if said < of:
        facts["of_sentences"] = of
        notes.append(f"Stopped after {said} of {of} sentences.")
    if notes:
        facts["notes"] = notes
    if task.voice:
        facts["voice"] = task.voice
    return facts


def _tokenizer(card: ModelCard) -> Component:
    folder = components.files_of(card)
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and ("tokenizer" in path.name or "vocab" in path.name)]

    def load(_: Report) -> Any:
        with components.in_words(card):
            from transformers import AutoTokenizer

            words = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            if getattr(words, "phonemize", False) and find_spec("phonemizer") is None:
                raise ImportError(name="phonemizer")
            return words

    return Component(components.key(card, files, "words", "text"), sum(path.stat().st_size for path in files), load)


def _working_bytes(task: Task, longest: int) -> int:
    """One sentence going through the model (about 100 numbers a sample in its widest layers), and all of the sound twice."""
    assert isinstance(task, Narrate)
    seconds = min(len(task.text), longest) / LETTERS_A_SECOND / task.speed
    whole = len(task.text) / LETTERS_A_SECOND / task.speed
    return FIXED_BYTES + int(24_000 * 4 * (100 * seconds + 2 * whole))
