"""Families of audio pipelines that make one channel of sound from words alone: AudioLDM 2 and LongCat-AudioDiT.

Knows no card and no file.
"""

from __future__ import annotations

from math import ceil
from typing import Any

from studio.engines import _audio_codecs
from studio.engines._audio_family import Asked, Family

NOT_TOLD = ("form", "energy", "temperature", "top_k", "top_p", "bank", "segments", "key", "time_signature", "lyrics")
"""What no model of noise but ACE-Step has a word for."""
ALONE = ("region_start", "region_end", "context", "reference_strength")
"""What belongs to a reference."""


def audioldm2(pipe: Any, asked: Asked) -> dict[str, Any]:
    """AudioLDM 2 (arXiv:2308.05734) makes a picture of the spectrum in noise. Its length is told so that no frame is rounded away."""
    frames = max(ceil(asked.seconds * _audio_codecs.rate(pipe) / _audio_codecs.hop(pipe)), pipe.vae_scale_factor)
    return {
        "prompt": asked.words,
        "negative_prompt": asked.task.negative_prompt or None,
        "audio_length_in_s": (frames + 0.001) * _audio_codecs.hop(pipe) / _audio_codecs.rate(pipe),
        "num_inference_steps": asked.task.steps,
        "guidance_scale": asked.task.guidance_scale,
    }


def longcat(pipe: Any, asked: Asked) -> dict[str, Any]:
    """LongCat-AudioDiT (Meituan, 2026) says the words, or makes what they describe, in as many frames as the length has."""
    frames = ceil(asked.seconds * _audio_codecs.rate(pipe) / _audio_codecs.hop(pipe))
    return {
        "prompt": asked.words,
        "negative_prompt": asked.task.negative_prompt or None,
        "audio_duration_s": (frames + 0.001) * _audio_codecs.hop(pipe) / _audio_codecs.rate(pipe),
        "num_inference_steps": asked.task.steps,
        "guidance_scale": asked.task.guidance_scale,
    }


AUDIOLDM2 = Family(
    {"make": "AudioLDM2Pipeline"},
    audioldm2,
    ("genre", "mood", "instruments", "bpm"),
    (*NOT_TOLD, *ALONE),
    512,
    old_callback=True,
    instead={  # the models' index names GPT2Model, which goes on with nothing
        "language_model": ("transformers", "GPT2LMHeadModel")
    },
    exact=("vae", "vocoder"),
)
LONGCAT = Family(
    {"make": "LongCatAudioDiTPipeline"},
    longcat,
    (),  # it might say them aloud
    (*NOT_TOLD, *ALONE, "genre", "mood", "instruments", "bpm"),
    512,
    own=("scheduler",),  # diffusers does not write it
)
