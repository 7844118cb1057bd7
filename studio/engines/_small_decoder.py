"""A small decoder (TAESD and its kin) that shows unfinished pictures as they are, where a card names one and the device is a graphics card.

A card names it as its companion "preview": a repository or folder with an AutoencoderTiny of diffusers that was trained for the latents
of the card's VAE. It comes with the model's own download and never by itself, is a component like any other, and touches nothing but
previews: what is wrong with it is told in the log, and previews are the plain ones of _latents.py. Knows no pipeline and no task.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

from studio import components
from studio.creations import Report
from studio.device import Device
from studio.errors import ModelUnavailable, ModelUnsafe
from studio.manager import Component
from studio.models import ModelCard

log = logging.getLogger("atelier")

COMPANION = "preview"
KINDS = frozenset({"cuda"})
"""Devices on which it costs next to nothing: 0.57 TFLOP for a megapixel. A processor would spend a second on each preview.

At work it takes about 200 bytes for each pixel and byte of its number format (three layers of 64 channels), less than a tenth of what the
VAE's own decoder is promised at the end, and never at the same time.
"""


@dataclass(frozen=True)
class SmallDecoder:
    """An AutoencoderTiny as it was loaded; None where its files are no usable one."""

    module: Any

    def fitting(self, vae: Any) -> Any:
        """The module, where it reads the latents of that VAE; else None. Latents that are normed channel by channel are others' own."""
        config = vae.config
        if self.module is None or hasattr(vae, "bn") or config.get("latents_mean") is not None:
            return None
        return self.module if self.module.config.latent_channels == config.get("latent_channels") else None


def component(card: ModelCard, dtype: Any, device: Device) -> dict[str, Component]:
    """{"preview": the small decoder} where the card names one that is here and can be used on this device, in number format `dtype`."""
    folder = card.companion_files.get(COMPANION)
    if folder is None or device.kind not in KINDS:
        return {}
    own = card.model_copy(update={"source": card.companions[COMPANION], "files": folder, "companion_files": {}})
    try:
        weights = components.find_weights(own, folder)
    except (ModelUnavailable, ModelUnsafe) as error:
        log.warning("previews of %s are made without its small decoder: %s", card.name, error)
        return {}
    plain = components.module(own, weights, COMPANION, ("diffusers", "AutoencoderTiny"), dtype, device)

    def load(report: Report) -> SmallDecoder:
        try:
            return SmallDecoder(plain.load(report))
        except ModelUnavailable as error:
            log.warning("previews of %s are made without its small decoder: %s", card.name, error)
            return SmallDecoder(None)

    return {COMPANION: replace(plain, load=load, nearby=None)}
