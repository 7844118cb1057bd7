"""The codecs of audio pipelines: their rate, and latents made into sound in parts, so that memory does not grow with the length.

Knows no task and no card.
"""

from __future__ import annotations

from math import inf, prod
from typing import Any

PART_FRAMES = 256
"""Frames of Stable Audio 3's codec that are decoded at once: 24 seconds."""


def rate(pipe: Any) -> int:
    """Hertz."""
    if hasattr(pipe, "vocoder"):
        return int(pipe.vocoder.config.sampling_rate)
    config = pipe.vae.config
    return int(config["sampling_rate"] if "sampling_rate" in config else config["sample_rate"])


def channels(pipe: Any) -> int:
    """How many a pipeline makes; those that say nothing make one."""
    return int(pipe.vae.config.get("audio_channels", 1))


def hop(pipe: Any) -> int:
    """Samples of a frame: of a spectrum that a vocoder makes the sound of, else of the latents of a codec that names them."""
    return prod(pipe.vocoder.config.upsample_rates) if hasattr(pipe, "vocoder") else int(pipe.vae.config["downsampling_ratio"])


def most(pipe: Any) -> float:
    """The most seconds that a pipeline makes: Stable Audio Open always makes so many, LongCat cuts at its own; the others know no end."""
    if hasattr(pipe, "max_wav_duration"):
        return float(pipe.max_wav_duration * rate(pipe) // hop(pipe) * hop(pipe) / rate(pipe))
    frames = getattr(pipe.transformer.config, "sample_size", None) if hasattr(pipe, "transformer") else None
    return frames * pipe.vae.hop_length / rate(pipe) if frames else inf


def decoded(pipe: Any, latents: Any) -> Any:
    """Latents as a pipeline returns them, as samples (channels, samples): a numpy array, float32.

    Long ones are decoded in parts that overlap by more than the decoder hears. Stable Audio 3's codec, whose attention reaches a few
    frames to each side alone, else takes memory that grows with the square of the length.
    """
    import torch

    vae = pipe.vae
    if hasattr(pipe, "vocoder"):
        with torch.inference_mode():
            spectrum = vae.decode((latents / vae.config.scaling_factor).to(vae.dtype)).sample
            return pipe.vocoder(spectrum[:, 0]).reshape(1, -1).float().cpu().numpy()
    if type(pipe).__name__ == "LongCatAudioDiTPipeline":
        with torch.inference_mode():
            return vae.decode(latents.transpose(1, 2)).sample[0].float().cpu().numpy()
    if hasattr(vae, "use_tiling"):
        vae.use_tiling = True
    if type(pipe).__name__ == "AceStepPipeline":
        latents = latents.transpose(1, 2)
    latents = latents.to(vae.dtype)
    with torch.inference_mode():
        parts = _parts(latents, _reach(vae)) if hasattr(vae, "downsampling_ratio") else [(latents, 0, latents.shape[-1])]
        hop = getattr(vae, "downsampling_ratio", 1)
        made = [vae.decode(part).sample[0, :, first * hop : (last * hop if hop > 1 else None)] for part, first, last in parts]
        return torch.cat(made, dim=-1).float().cpu().numpy()


def _parts(latents: Any, reach: int) -> list[tuple[Any, int, int]]:
    """Pieces of latents with `reach` frames more on each side, and which frames of each piece are its own."""
    parts: list[tuple[Any, int, int]] = []
    for start in range(0, latents.shape[-1], PART_FRAMES):
        end = min(start + PART_FRAMES, latents.shape[-1])
        before = max(0, start - reach)
        parts.append((latents[..., before : end + reach], start - before, end - before))
    return parts


def _reach(vae: Any) -> int:
    """Frames to each side that Stable Audio 3's codec hears: its window, once a layer."""
    depths, window = vae.config.encoder_transformer_depths, vae.config.sliding_window
    return int(sum(depths) * window) + 2
