"""Dia (Nari Labs, 2025): words to the codes of a codec, one column after the other, in the voice that its first sentence fell into.

Knows no card and no file. A column is a frame of every codebook, each written its own delay late.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.errors import InvalidInput
from studio.tasks import Narrate

SPEAKERS = re.compile(r"\[S([12])\]")
"""Marks of who speaks, in the words themselves."""
FIRST = "1"
"""Who speaks until a mark says otherwise."""
LETTERS_A_SECOND = 8
"""Slower than anybody reads: what is longer is cut off."""
SPARE_SECONDS = 2.0


class Dia:
    """A voice for narration. What follows the first sentence hears it, so that all of a text is spoken by one voice."""

    def __init__(self, model: Any, words: Any, codec: Any) -> None:
        self._model, self._words, self._codec = model, words, codec
        self.rate = int(codec.config.sampling_rate)
        self.steps: Sequence[Any] = (model.model.decoder,)
        self._first: tuple[str, Any] | None = None
        self._speaker = FIRST

    def silent(self, words: str) -> str:
        return ""  # it reads bytes

    def says(self, words: str, task: Narrate) -> NDArray[np.float32]:
        """Raises InvalidInput where nothing came that could be heard."""
        import torch

        model, decoder = self._model, self._model.config.decoder_config
        said = words if SPEAKERS.match(words) else f"[S{self._speaker}] {words}"
        *_, (self._speaker, _) = turns(words, self._speaker)
        before, codes = self._first or ("", torch.zeros(0, decoder.num_channels, dtype=torch.long))
        ids = self._words(f"{before} {said}".strip(), return_tensors="pt", add_special_tokens=False).to(model.device)
        given = opening(codes, model.config.delay_pattern, decoder.bos_token_id, decoder.pad_token_id)
        room = decoder.max_position_embeddings - given.shape[0] - 1
        second = self.rate / self._codec.config.hop_length
        made = model.generate(
            input_ids=ids.input_ids,
            attention_mask=ids.attention_mask,
            decoder_input_ids=given[None].to(model.device),
            decoder_attention_mask=torch.ones(1, given.shape[0], dtype=torch.long, device=model.device),
            max_new_tokens=max(1, min(room, round((len(words) / LETTERS_A_SECOND + SPARE_SECONDS) * second))),
        )
        new = spoken(made[0].cpu(), model.config.delay_pattern, 1 + len(codes), int(self._codec.config.codebook_size))
        if not len(new):
            raise InvalidInput("The voice found no sound for these words: try another seed.", "seed")
        self._first = self._first or (said, new)
        heard = self._codec.decode(audio_codes=new.T[None].to(self._codec.device)).audio_values
        return heard.reshape(-1).float().cpu().numpy()


def turns(words: str, speaker: str) -> list[tuple[str, str]]:
    """Who says what in `words`, in turns: ("1" or "2", the words without marks). `speaker` is whose turn it is at the beginning."""
    before, *marked = SPEAKERS.split(words)
    said = [(speaker, before.strip()), *((who, text.strip()) for who, text in zip(marked[::2], marked[1::2], strict=True))]
    return said[1:] if len(said) > 1 and not before.strip() else said


def opening(codes: Any, delays: Sequence[int], begin: int, free: int) -> Any:
    """What the decoder is given before it writes: `codes` (frames, codebooks) behind a beginning, each codebook its delay late.

    (1 + frames + longest delay, codebooks); `free` where it is to choose.
    """
    import torch

    frames = len(codes)
    ids = torch.full((1 + frames + max(delays), len(delays)), free, dtype=torch.long)
    for book, delay in enumerate(delays):
        ids[: delay + 1, book] = begin
        ids[delay + 1 : delay + 1 + frames, book] = codes[:, book]
    return ids


def spoken(made: Any, delays: Sequence[int], first: int, choices: int) -> Any:
    """The codes (frames, codebooks) from frame `first` on to the first that is no whole frame of sound, the delays undone."""
    import torch

    frames = max(0, made.shape[0] - max(delays) - first)
    lines = [made[first + delay : first + delay + frames, book] for book, delay in enumerate(delays)]
    codes = torch.stack(lines, dim=1)
    broken = ((codes < 0) | (codes >= choices)).any(dim=1).nonzero()
    return codes[: int(broken[0])] if len(broken) else codes
