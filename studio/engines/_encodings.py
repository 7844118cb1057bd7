"""Pictures that were encoded before: a new seed, strength or prompt for the same picture asks the VAE's encoder nothing.

What is kept is what the encoder says before any noise is drawn, under the very numbers that it is given; each seed still draws its own
noise from it, so a result is the same to the last bit. It is a component of its own beside the VAE. Knows no pipeline and no task.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Hashable, Mapping
from contextlib import contextmanager
from typing import Any

from studio.creations import Report
from studio.engines import _economies
from studio.engines._prompts import Read
from studio.manager import Component

LIMIT = 16 << 20
"""Bytes of what is kept: sixteen pictures of a megapixel in bf16 with 16 latent channels."""


def component(parts: Mapping[str, Component]) -> Component:
    """What the VAE among `parts` said of pictures, as a component."""

    def load(_: Report) -> Read:
        return Read(LIMIT)

    return Component(f"{parts['vae' if 'vae' in parts else 'file'].key}:encodings", LIMIT, load)


@contextmanager
def remembered(vae: Any, kept: Read | None) -> Generator[None]:
    """Around one picture: `vae` looks among `kept` before it encodes; None: it always encodes."""
    if kept is None or not hasattr(vae, "encode"):
        yield
        return
    own, before = vae.encode, vars(vae).get("encode")

    def encode(x: Any, return_dict: bool = True) -> Any:
        found = _told(kept.get(_key(vae, x), lambda: _numbers(own(x))))
        return found if return_dict else found.to_tuple()

    vae.encode = encode
    try:
        yield
    finally:
        if before is None:
            del vae.encode
        else:
            vae.encode = before


def _key(vae: Any, x: Any) -> Hashable:
    """All that an encoding depends on: the numbers, how they lie in memory, and how the module works with them at this moment."""
    import torch

    digest = hashlib.blake2b(x.detach().contiguous().cpu().view(torch.uint8).numpy(), digest_size=16).digest()
    tiles = tuple((name, value) for name, value in sorted(vars(vae).items()) if name.startswith(("tile_", "use_")))
    return digest, tuple(x.shape), tuple(x.stride()), str(x.dtype), str(x.device), str(vae.dtype), tiles, _economies.precision()


def _numbers(said: Any) -> Any:
    """Means and log-variances as one tensor, which can be kept; what has other parts goes through as it is, and is not kept."""
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

    spread = getattr(said, "latent_dist", None)
    return spread.parameters if type(spread) is DiagonalGaussianDistribution and not spread.deterministic else said


def _told(found: Any) -> Any:
    """As an encoder says it, in numbers of its own: no pipeline changes what is kept."""
    import torch
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
    from diffusers.models.modeling_outputs import AutoencoderKLOutput

    if not isinstance(found, torch.Tensor):
        return found
    return AutoencoderKLOutput(latent_dist=DiagonalGaussianDistribution(found.clone()))
