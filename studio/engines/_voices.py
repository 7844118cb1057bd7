"""The voices behind narration: what each class of transformers makes of one sentence, and which voices its files bring.

A list of voices may come from anyone: only arrays of whole numbers inside the model's own folder are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from studio import components
from studio.errors import ModelUnavailable
from studio.models import ModelCard
from studio.tasks import Narrate

VOICES = "speaker_embeddings_path.json"
"""In Bark's folder: the files of each voice."""
VOICE_PARTS = {"semantic_prompt": 1, "coarse_prompt": 2, "fine_prompt": 2}
"""What a voice of Bark is made of, with dimensions."""
BARK_TOKENS = 256


class Voice(Protocol):
    """A loaded voice. `rate` is hertz; `steps` are the modules that it goes through again and again."""

    rate: int
    steps: Sequence[Any]

    def silent(self, words: str) -> str:
        """The letters and digits of `words` that it cannot say."""
        ...

    def says(self, words: str, task: Narrate) -> NDArray[np.float32]:
        """The words as samples, by torch's own generator."""
        ...


class Vits:
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


class Bark:
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


def names(card: ModelCard) -> tuple[str, ...]:
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
