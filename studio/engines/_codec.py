"""Sound from the codes of an EnCodec model, whole or while they are still being made. Knows no language model and no task.

A codec's decoder is a convolution, an LSTM and more convolutions. The convolutions see MARGIN frames to each side at most, and the LSTM
can be left and gone on with, so that pieces put together are the sound that decoding everything at once gives, but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MARGIN = 8
"""Frames; the decoders of this family reach less than three to each side around their LSTM."""


@dataclass(frozen=True)
class Parts:
    """A codec's decoder taken apart: codes (rows, codebooks, frames) to latents, what comes before the LSTM, the LSTM if any, the rest.

    `lstm` adds its input to its output. `step` is samples a frame.
    """

    embed: Callable[[Any], Any]
    before: Any
    lstm: Any
    after: Sequence[Any]
    step: int
    channels: int = 1


def parts(codec: Any) -> Parts:
    """Those of transformers' EncodecModel."""
    first, lstm, *rest = codec.decoder.layers
    step = int(np.prod(codec.config.upsampling_ratios))
    return Parts(lambda rows: codec.quantizer.decode(rows.transpose(0, 1)), first, lstm.lstm, rest, step, codec.config.audio_channels)


def can_stream(config: dict[str, Any]) -> bool:
    """Whether a codec of that configuration (its config.json) can be decoded piece by piece."""
    return config.get("model_type") == "encodec" and config.get("norm_type", "weight_norm") == "weight_norm"


def whole(decode: Callable[[Any], Any], codes: Any, stereo: bool) -> NDArray[np.float32]:
    """All of one take's codes (codebooks, frames) as samples (channels, samples). `decode` takes (1, codebooks, frames)."""
    import torch

    with torch.inference_mode():
        sides = [codes[0::2], codes[1::2]] if stereo else [codes]
        return torch.cat([decode(side[None]) for side in sides], dim=1)[0].float().cpu().numpy()


class Stream:
    """Decodes codes as they come. `add` returns samples that nothing can change any more, MARGIN frames behind at first, all in the end."""

    def __init__(self, made_of: Parts, stereo: bool) -> None:
        self._parts, self._stereo = made_of, stereo
        self._state: Any = None
        self._latents: Any = None  # (rows, channels, frames from _from on)
        self._from = self._read = self._said = 0

    def add(self, codes: Any, last: bool = False) -> NDArray[np.float32]:
        """`codes` (takes, codebooks, frames) are all so far; returns the new samples (takes, channels, samples). `last` says it is all."""
        import torch

        with torch.inference_mode():
            rows = torch.cat([codes[:, 0::2], codes[:, 1::2]]) if self._stereo else codes
            self._read_to(rows, last)
            made = self._say_to(self._read if last else self._read - MARGIN, len(rows))
            if self._stereo:
                made = torch.cat(made.chunk(2), dim=1)
            return made.float().cpu().numpy()

    def _read_to(self, rows: Any, last: bool) -> None:
        """Codes through the first convolution and the LSTM."""
        import torch

        frames = rows.shape[-1]
        to = frames if last else frames - MARGIN
        if to <= self._read:
            return
        low, high = max(0, self._read - MARGIN), min(frames, to + MARGIN)
        embedded = self._parts.embed(rows[..., low:high])
        new = self._parts.before(embedded)[..., self._read - low : to - low]
        if self._parts.lstm is not None:
            seen = new.permute(2, 0, 1)
            heard, self._state = self._parts.lstm(seen, self._state)
            new = (heard + seen).permute(1, 2, 0)
        keep = max(self._from, self._said - MARGIN)
        self._latents = new if self._latents is None else torch.cat([self._latents[..., keep - self._from :], new], dim=-1)
        self._from, self._read = keep, to

    def _say_to(self, to: int, rows: int) -> Any:
        """Latents through the convolutions that make samples of them."""
        import torch

        if to <= self._said:
            return torch.empty(rows, self._parts.channels, 0)
        low, high = max(self._from, self._said - MARGIN), min(self._read, to + MARGIN)
        made = self._latents[..., low - self._from : high - self._from]
        for layer in self._parts.after:
            made = layer(made)
        step = self._parts.step
        made = made[..., (self._said - low) * step : (to - low) * step]
        self._said = to
        return made
