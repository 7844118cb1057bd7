"""Small finished results for tests that keep, encode or read them: a card, a picture, its record."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from studio.creations import Json, Picture
from studio.models import ModelCard
from studio.provenance.pictures import encode_png
from studio.provenance.record import Record, compose
from studio.tasks import TextToImage

CARD = ModelCard.model_validate(
    {
        "name": "Sample",
        "engine": "sample",
        "serves": ("text_to_image",),
        "source": {"kind": "bundled", "path": "sample.bin"},
        "licence": "MIT",
        "commercial": True,
    }
)


def picture(seed: int = 1, width: int = 96, height: int = 64, channels: int = 3, facts: Mapping[str, Json] | None = None) -> Picture:
    """Noise, so that every pixel counts."""
    return Picture(np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8), seed, facts or {})


def record(prompt: str = "a red apple", seed: int = 1, **facts: Json) -> Record:
    """The record of a picture of a batch of two."""
    asked = TextToImage.checked({"prompt": prompt, "count": 2})
    task = TextToImage.checked({**asked.model_dump(), "seed": seed, "model": "Sample", "width": 96, "height": 64, "steps": 20})
    return compose(task, asked, CARD, picture(seed, facts=facts), "2 CPU cores", 1.25)


def png(prompt: str = "a red apple", seed: int = 1) -> tuple[bytes, Record]:
    """A finished file and the record in it."""
    made = record(prompt, seed)
    return encode_png(picture(seed).pixels, made), made
