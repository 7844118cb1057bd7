"""Voices of transformers, VITS (the MMS family) and Bark: text is read aloud sentence by sentence and plays while it is spoken.

Sentence k is spoken from seed + k alone, so that a change at the end of a text leaves its beginning as it was. Knows no manager, no
download and no page.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio import components
from studio.creations import Json, Preview, Progress, Report, Sound, Take
from studio.device import Device
from studio.engines import _speaking
from studio.errors import Cancelled, InvalidInput, ModelUnavailable
from studio.manager import Component, Pipeline, Recipe
from studio.models import ModelCard
from studio.tasks import SEED_LIMIT, Narrate, Task

CARDS = components.cards("voice")

CLASSES = {"vits": "VitsModel", "bark": "BarkModel"}
LONGEST = {"vits": 400, "bark": 180}
"""Characters spoken in one go. Bark's sound ends after 14 seconds."""
FIXED_BYTES = 300_000_000
LETTERS_A_SECOND = 10
"""A slow reader, for the size of a sound before it is made."""
VOICES = "speaker_embeddings_path.json"
"""In Bark's folder: the files of each voice."""
VOICE_PARTS = {"semantic_prompt": 1, "coarse_prompt": 2, "fine_prompt": 2}
"""What a voice of Bark is made of, with dimensions."""
BARK_TOKENS = 256


class _Options(BaseModel):
    """`ModelCard.options` of this engine: `longest` is characters spoken in one go."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    variant: str | None = None
    longest: int | None = Field(default=None, ge=20, le=2000)


class _Voice(Protocol):
    """A loaded voice. `rate` is hertz; `steps` are the modules that it goes through again and again."""

    rate: int
    steps: Sequence[Any]

    def silent(self, words: str) -> str:
        """The letters and digits of `words` that it cannot say."""
        ...

    def says(self, words: str, task: Narrate) -> NDArray[np.float32]:
        """The words as samples, by torch's own generator."""
        ...


def check(card: ModelCard, task: Task) -> None:
    """Refuse a voice that the model does not have before anything is queued."""
    assert isinstance(task, Narrate)
    known = _voices(card)
    if task.voice and task.voice not in known:
        raise InvalidInput(
            f"{card.name} has no voice of that name; it has {', '.join(known)}."
            if known
            else f"The files of {card.name} hold no voices to choose from: leave Voice empty, or fetch the model again.",
            "voice",
        )


def choices(card: ModelCard) -> Mapping[str, Sequence[tuple[str, str]]]:
    """The voices of a model whose files are here."""
    known = _voices(card) if card.files is not None and "voice" not in card.ignores else ()
    return {"voice": [(name.removeprefix("v2/").replace("_", " "), name) for name in known]}


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The model, its tokenizer, and the pipeline over them. Raises ModelUnavailable and ModelUnsafe for files that are no usable voice."""
    import torch

    assert isinstance(task, Narrate)
    try:
        options = _Options.model_validate(card.options)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ModelUnavailable(f"The card of {card.name} has an option that narration does not know or cannot use: {place}.") from None
    folder = components.files_of(card)
    kind = str(components.read_json(card, folder / "config.json").get("model_type"))
    if kind not in CLASSES:
        raise ModelUnavailable(f"{card.name} is no voice that this engine can speak with; choose another model.")
    found = components.find_weights(card, folder, options.variant)
    longest = options.longest or LONGEST[kind]
    parts = {
        "model": components.module(card, found, "voice", ("transformers", CLASSES[kind]), torch.float32, device),
        "words": _tokenizer(card),
    }

    def build(values: Mapping[str, Any]) -> Pipeline:
        model, words = values["model"], values["words"]
        voice: _Voice = _Vits(model, words) if kind == "vits" else _Bark(model, words, card)
        return lambda task, report: _takes(voice, card, longest, task, report)

    return Recipe(parts, build, lambda task: _working_bytes(task, longest))


def _takes(voice: _Voice, card: ModelCard, longest: int, task: Task, report: Report) -> Iterator[Take]:
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
                last = number == len(spoken) - 1
                made.append(sound if last else np.concatenate([sound, np.zeros(round(piece.pause * voice.rate), np.float32)]))
                report(Preview(sound=Sound(made[-1][None], voice.rate)))
        report(Progress("running", len(spoken), len(spoken), "sentences"))
    except Cancelled:
        if not made:
            raise
        finish = "stopped"
    # 3. All of it, and what the record should know.
    facts = _facts(task, card, "".join(mute.values()), len(made), len(spoken))
    yield Take(Sound(np.concatenate(made)[None], voice.rate), task.seed or 0, finish, facts)


def _said(voice: _Voice, piece: _speaking.Piece, task: Narrate, number: int, tick: Callable[..., None]) -> NDArray[np.float32]:
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


class _Vits:
    """VITS (Kim, Kong and Son 2021): letters to sound in one pass."""

    def __init__(self, model: Any, words: Any) -> None:
        self._model, self._words = model, words
        self.rate = int(model.config.sampling_rate)
        self.steps: Sequence[Any] = (model.text_encoder, model.flow, model.decoder, *model.decoder.upsampler)

    def silent(self, words: str) -> str:
        if self._words.phonemize or (self._words.is_uroman and find_spec("uroman") is not None):
            return ""  # it writes them otherwise first
        known = self._words.encoder
        return "".join(c for c in words if c.isalnum() and c not in known and not all(part in known for part in c.lower()))

    def says(self, words: str, task: Narrate) -> NDArray[np.float32]:
        ids = self._words(words, return_tensors="pt").to(self._model.device)
        speaker = int(task.voice) - 1 if task.voice else 0
        pace = self._model.config.speaking_rate * task.speed
        answer = self._model(**ids, speaker_id=speaker, speaking_rate=pace)
        return answer.waveform[0].float().cpu().numpy()


class _Bark:
    """Bark: words to sound tokens, then to coarse and fine codes of a codec, in the voice of a recording's tokens."""

    def __init__(self, model: Any, words: Any, card: ModelCard) -> None:
        self._model, self._words, self._card = model, words, card
        self.rate = int(model.generation_config.sample_rate)
        self.steps: Sequence[Any] = (model.semantic, model.coarse_acoustics, model.fine_acoustics)

    def silent(self, words: str) -> str:
        return ""  # it tries everything

    def says(self, words: str, task: Narrate) -> NDArray[np.float32]:
        import torch

        read = self._words(
            words, max_length=BARK_TOKENS, padding="max_length", truncation=True, add_special_tokens=False, return_tensors="pt"
        ).to(self._model.device)
        parts = _voice_parts(self._card, task.voice) if task.voice else None
        history = {name: torch.from_numpy(part).to(self._model.device) for name, part in parts.items()} if parts else None
        made = self._model.generate(read.input_ids, history_prompt=history, attention_mask=read.attention_mask)
        return made.reshape(-1).float().cpu().numpy()


def _voices(card: ModelCard) -> tuple[str, ...]:
    """The names of a model's voices: those its files bring, or numbers from 1 where it knows several speakers."""
    folder = components.files_of(card)
    if (folder / VOICES).is_file():
        listed = components.read_json(card, folder / VOICES)
        return tuple(name for name in sorted(listed) if isinstance(listed[name], dict) and _complete(folder, listed[name]))
    speakers = components.read_json(card, folder / "config.json").get("num_speakers", 1)
    return tuple(str(number + 1) for number in range(speakers)) if isinstance(speakers, int) and 1 < speakers <= 1000 else ()


def _complete(folder: Path, files: Mapping[str, object]) -> bool:
    return all(_inside(folder, files.get(part)) is not None for part in VOICE_PARTS)


def _inside(folder: Path, name: object) -> Path | None:
    """The file of that name in the folder, or None: a list of voices may come from anyone."""
    parts = Path(name).parts if isinstance(name, str) else ("..",)
    path = folder.joinpath(*parts) if ".." not in parts and not Path(*parts).is_absolute() else None
    return path if path is not None and path.suffix == ".npy" and path.is_file() else None


def _voice_parts(card: ModelCard, name: str) -> dict[str, NDArray[np.int64]]:
    folder = components.files_of(card)
    files = components.read_json(card, folder / VOICES).get(name, {})
    found: dict[str, NDArray[np.int64]] = {}
    for part, dimensions in VOICE_PARTS.items():
        path = _inside(folder, files.get(part))
        try:
            value = np.load(path, allow_pickle=False) if path is not None else None
        except (OSError, ValueError, EOFError):
            value = None
        if value is None or value.ndim != dimensions or not np.issubdtype(value.dtype, np.integer):
            raise ModelUnavailable(f"The voice {name} of {card.name} is damaged: choose another voice, or fetch the model again.")
        found[part] = value.astype(np.int64)
    return found


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
