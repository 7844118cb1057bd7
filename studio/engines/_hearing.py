"""What a music model hears of a reference: its samples, its codes, its melody as chroma. Knows no language model and no task.

Refuses references in words of the field `reference`.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.errors import InvalidInput, MediaUnreadable

CODES_LIMIT = 4_000_000
"""Bytes of codes, unpacked: an hour of eight codebooks, 50 frames a second, two bytes each, is 2.9 million."""
FFT, HOP = 2**14, 4096
"""Samples at 32 kHz: the windows the melody models were trained with."""


def read(file: Path, rate: int, channels: int) -> NDArray[np.float32]:
    """The sound in a file as (channels, samples) at `rate`. Raises MediaUnreadable."""
    from studio.music import apart, files  # bring a sound library, which the first page does without

    sound = files.resampled(apart.read(file), rate)
    return (files.mono(sound) if channels == 1 else files.stereo(sound)).samples


def encoded(encode: Callable[[Any], Any], samples: NDArray[np.float32], device: Any) -> NDArray[np.int64]:
    """Samples (1 or 2 channels, whole frames) as codes (codebooks, frames); in stereo those of left and right alternate.

    `encode` takes (rows, 1, samples) and returns (rows, codebooks, frames).
    """
    import torch

    with torch.inference_mode():
        codes = encode(torch.from_numpy(np.ascontiguousarray(samples))[:, None].to(device))  # a channel is a row
    return codes.transpose(0, 1).flatten(0, 1).cpu().numpy().astype(np.int64)


def read_codes(file: Path, books: int, choices: int, rate: int, step: int) -> NDArray[np.int64]:
    """Codes (codebooks, frames) kept beside an earlier take. Refused unless a model with this codec can go on with them."""
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > CODES_LIMIT:
                raise ValueError("size")
        with np.load(file, allow_pickle=False) as kept:
            codes, kind = kept["codes"].astype(np.int64), (int(kept["rate"]), int(kept["step"]))
        if codes.ndim != 2 or not codes.shape[1]:
            raise ValueError("shape")
    except (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, zlib.error, zipfile.BadZipFile):
        raise MediaUnreadable("The kept codes cannot be read: continue the take's sound instead.", "reference") from None
    if kind != (rate, step) or codes.shape[0] != books or codes.min() < 0 or codes.max() >= choices:
        raise InvalidInput("These codes are of another kind of model: choose the model that made them, or continue the sound.", "reference")
    return codes


def chroma(samples: NDArray[np.float32], begin: int, length: int, rate: int, bins: int) -> Any:
    """The melody (1, frames, bins): the strongest pitch class of each frame, as one-hot. The samples repeat to fill `length` from `begin`.

    As the melody models were trained (MusicGen, 2023), without their separation of drums and bass.
    """
    import torch
    from transformers.audio_utils import chroma_filter_bank

    if samples.shape[1] < 2:
        raise MediaUnreadable("The reference is too short to hold a melody: choose a longer one.", "reference")
    heard = torch.from_numpy(samples[0][(begin + np.arange(max(length, FFT))) % samples.shape[1]])
    bank = chroma_filter_bank(sampling_rate=rate, num_frequency_bins=FFT, tuning=0, num_chroma=bins)
    power = torch.stft(heard, FFT, HOP, window=torch.hann_window(FFT), center=True, return_complex=True).abs().square()
    strength = torch.from_numpy(np.ascontiguousarray(bank)).float() @ power  # (bins, frames)
    strength = torch.nn.functional.normalize(strength, p=float("inf"), dim=0, eps=1e-6)
    return torch.nn.functional.one_hot(strength.argmax(dim=0), bins).float()[None]
