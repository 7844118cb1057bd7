"""CSM (Sesame, 2025): a conversation of words and sound goes on with what the next speaker says, one frame of codes after the other.

Each speaker's first turn stays in the conversation, so that all of a text is spoken by the same voices. Knows no card and no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.engines import _dialogue
from studio.errors import InvalidInput
from studio.tasks import Narrate

LETTERS_A_SECOND = 8
"""Slower than anybody reads: what is longer is cut off."""
SPARE_SECONDS = 2.0


class Csm:
    """A voice for narration. [S1] and [S2] in the words say who speaks, from there on."""

    def __init__(self, model: Any, words: Any) -> None:
        self._model, self._words = model, words
        self.rate = int(model.codec_model.config.sampling_rate)
        self.steps: Sequence[Any] = (model.backbone_model,)
        self._speaker = _dialogue.FIRST
        self._first: dict[str, tuple[Any, NDArray[np.float32]]] = {}

    def silent(self, words: str) -> str:
        return ""  # it reads bytes

    def says(self, words: str, task: Narrate) -> NDArray[np.float32]:
        """Raises InvalidInput where nothing came that could be heard."""
        made: list[NDArray[np.float32]] = [np.zeros(0, np.float32)]
        for speaker, said in _dialogue.turns(words, self._speaker):
            self._speaker = speaker
            if any(map(str.isalnum, said)):
                made.append(self._turn(speaker, said))
        return np.concatenate(made)

    def _turn(self, speaker: str, said: str) -> NDArray[np.float32]:
        import torch

        model = self._model
        now = self._words(f"[{int(speaker) - 1}]{said}", return_tensors="pt").input_ids[0]
        told = self._conversation(now)
        length = told["input_ids"].shape[1]
        second = self.rate / int(model.codec_model.config.frame_size)
        most = min(model.config.max_position_embeddings - length, round((len(said) / LETTERS_A_SECOND + SPARE_SECONDS) * second))
        made = model.generate(
            **{name: value.to(model.device) for name, value in told.items()},
            attention_mask=torch.ones(1, length, dtype=torch.long, device=model.device),
            max_new_tokens=max(1, most),
        )
        codes = spoken(made[0], int(model.config.codebook_eos_token_id), int(model.codec_model.config.codebook_size))
        if not len(codes):
            raise InvalidInput("The voice found no sound for these words: try another seed.", "seed")
        heard = model.codec_model.decode(codes.T[None]).audio_values.reshape(-1).float().cpu().numpy()
        self._first.setdefault(speaker, (now, heard))
        return heard

    def _conversation(self, now: Any) -> dict[str, Any]:
        """What was said before, as words with a place for every frame of their sound, and what is to be said."""
        import torch

        if not self._first:
            return {"input_ids": now[None]}
        model = self._model
        ids: list[Any] = []
        for words, sound in self._first.values():
            frames = int(model.codec_model.get_encoded_length(torch.tensor(len(sound))))
            ids += [words, torch.full((frames,), model.config.audio_token_id), torch.tensor([model.config.audio_eos_token_id])]
        sounds = [sound for _, sound in self._first.values()]
        return {
            "input_ids": torch.cat([*ids, now])[None],
            "input_values": torch.from_numpy(np.concatenate(sounds))[None, None],
            "input_values_cutoffs": torch.tensor([np.cumsum([len(sound) for sound in sounds]).tolist()]),
        }


def spoken(made: Any, end: int, choices: int) -> Any:
    """The frames (frames, codebooks) before the first that the codec does not know, or that is `end` in all codebooks but the last."""
    over = ((made[:, :-1] == end).all(dim=1) | (made >= choices).any(dim=1)).nonzero()
    return made[: int(over[0])] if len(over) else made
