"""A Stable Diffusion of real classes and middling size with random weights, for what does not depend on their values. Not a script."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import _measure

from studio.models import Folder, ModelCard
from studio.studio import Studio
from tests import tiny

NAME = "Middling"


def middling(folder: Path) -> Path:
    """Write one with a UNet of about 90 million weights; returns its folder."""
    diffusers: Any = importlib.import_module("diffusers")
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(128, 256, 384), layers_per_block=1, sample_size=32, in_channels=4, out_channels=4, cross_attention_dim=32,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    return tiny.stable_diffusion(folder, unet=unet)


def card(files: Path, **defaults: int) -> ModelCard:
    """Its card, for making and mending pictures, with `defaults` for what a task leaves open (width, height, steps)."""
    return ModelCard(
        name=NAME, engine="diffusion", serves=("text_to_image", "inpaint"), source=Folder(path=str(files)), licence="none",
        defaults=dict(defaults), memory_gb=0.5,
    )  # fmt: skip


def opened(*cards: ModelCard) -> Studio:
    """A new studio with more cards."""
    studio = Studio.open(_measure.settings())
    studio.cards = (*studio.cards, *cards)
    return studio
