"""A picture in less memory, or in less time: a decoder in tiles, guidance in two halves, quicker products of numbers on a CPU.

Everything is switched on around one picture and off again after it, so that modules which pipelines share stay as they were loaded.
Knows no task and no model card; pipelines and modules are those of diffusers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

TILED_ABOVE = 1024 * 1024
"""Pixels; above, a decoder works in tiles whatever was chosen, so that its memory stops growing."""
TILE, SMALL_TILE = 512, 256
"""Sides of tiles in pixels; the smaller, the more their seams may show."""
DECODE_BYTES = 2200
"""Working memory of a VAE's decoder: bytes for each pixel and each byte of its number format (as InvokeAI estimates it)."""
DENOISE_BYTES = 150
"""The same of a denoiser, for each picture that it works on at once: guidance makes them two. Measured: 130 with Stable Diffusion 1.5."""
FIXED_BYTES = 300_000_000
"""Working memory beside both: text encoding, latents, kernels' work space."""
HALVED = ("UNet2DConditionModel", "SD3Transformer2DModel")
"""Denoisers that are given both halves of guidance as one batch."""


@dataclass(frozen=True)
class Economy:
    """How one picture is made. `tile` is the side of the decoder's tiles in pixels, None for those of the model itself and only where
    the picture is large; `halved` has the denoiser work on one picture of its batch at a time.
    """

    name: str = ""
    title: str = ""
    tile: int | None = None
    halved: bool = False

    def working_bytes(self, pixels: int, batch: int, width: int, decoded: int) -> int:
        """Peak memory beside the weights for a picture of so many pixels, with a batch of 1 or, with guidance, 2.

        `width` and `decoded` are the bytes of one number in the denoiser and in the decoder.
        """
        tile = TILED_ABOVE if self.tile is None else self.tile**2
        denoising = DENOISE_BYTES * width * pixels * (1 if self.halved else batch)
        return FIXED_BYTES + max(denoising, DECODE_BYTES * decoded * min(pixels, tile))


AS_ASKED = Economy()


def economies(pixels: int, batch: int, *, tiles: bool, halves: bool) -> tuple[Economy, ...]:
    """Those that make a picture of so many pixels in less memory than it takes as asked, the quicker and more alike first.

    `tiles` says that the decoder can work in tiles, `halves` that the denoiser is one of `HALVED`.
    """
    found: list[Economy] = []
    large = TILE if pixels >= 3 * TILE**2 else SMALL_TILE
    if tiles and pixels > large**2:
        found.append(Economy("tiled", "the picture is decoded in tiles", large))
    if tiles and pixels > SMALL_TILE**2 and halves and batch > 1:
        found.append(Economy("tiled+halved", "decoded in small tiles, and guidance worked out in two halves", SMALL_TILE, halved=True))
    return tuple(found)


@contextmanager
def applied(pipe: Any, economy: Economy, size: tuple[int, int], *, exact: bool = False) -> Generator[None]:
    """Around one call of `pipe` for a picture of size (width, height). `exact`: float32 was asked for, and is what numbers stay."""
    denoiser = getattr(pipe, "unet", None) or getattr(pipe, "transformer", None)
    tiles = economy.tile is not None or size[0] * size[1] > TILED_ABOVE
    with (
        quick("" if exact else pipe.vae.device.type),
        _tiled(pipe.vae, economy.tile, tiles=tiles),
        _halved(denoiser if economy.halved else None),
    ):
        yield


@contextmanager
def quick(kind: str) -> Generator[None]:
    """Products of float32 matrices in the quickest way the CPU has, until the block ends: within 1 %.

    Measured with AMX: a product alone three times as quick, a UNet of 220 million weights, which is mostly convolutions, 3 %.

    The setting belongs to the whole process, and language models lose by it as they write word after word, so it never outlasts a picture.
    """
    import torch

    before = precision() if kind == "cpu" else None
    if before is None:
        yield
        return
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def precision() -> str | None:
    """How products of float32 matrices are worked out now; None where somebody chose it backend by backend, which is then left alone."""
    import torch

    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return None


@contextmanager
def _tiled(vae: Any, side: int | None, *, tiles: bool) -> Generator[None]:
    """The VAE with tiles of `side` pixels (None: its own size), or with none; afterwards as it was."""
    before = {name: value for name, value in vars(vae).items() if name.startswith("tile_") or name == "use_tiling"}
    if not before:
        yield
        return
    vae.use_tiling = tiles
    if side is not None:
        for name, value in _sizes(vae, side).items():
            if name in before:
                setattr(vae, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(vae, name, value)


def _sizes(vae: Any, side: int) -> Mapping[str, int]:
    """Tiles of `side` pixels, by the names that a VAE of diffusers may have for them; they overlap by a quarter."""
    latent = side // 2 ** (len(vae.config.get("block_out_channels") or (1, 1, 1, 1)) - 1)
    squares = {"tile_sample_min_size": side, "tile_latent_min_size": latent}
    sides = {f"tile_sample_min_{name}": side for name in ("height", "width")}
    return squares | sides | {f"tile_sample_stride_{name}": side * 3 // 4 for name in ("height", "width")}


@contextmanager
def _halved(denoiser: Any) -> Generator[None]:
    """The denoiser working on one picture of its batch after the other; None: nothing changes."""
    if denoiser is None:
        yield
        return
    before = vars(denoiser).get("forward")  # usually the class's own alone is there
    denoiser.forward = _one_by_one(denoiser.forward)
    try:
        yield
    finally:
        if before is None:
            del denoiser.forward
        else:
            denoiser.forward = before


def _one_by_one(forward: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(forward)
    def split(*given: Any, **named: Any) -> Any:
        first = given[0] if given else next(named[name] for name in ("sample", "hidden_states") if name in named)
        batch = len(first)
        return _joined([forward(*_share(given, item, batch), **_share(named, item, batch)) for item in range(batch)])

    return split


def _share(value: Any, item: int, batch: int) -> Any:
    """What belongs to one picture of the batch: rows of tensors, inside containers too; all else is for each of them."""
    if isinstance(value, Mapping):
        return {name: _share(part, item, batch) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_share(part, item, batch) for part in value)
    if hasattr(value, "ndim") and value.ndim > 0 and len(value) == batch:
        return value[item : item + 1]
    return value


def _joined(parts: list[Any]) -> Any:
    """Results of `forward` with one picture each, as it gives them for all: a tuple, or an output with one field, `sample`."""
    import torch

    if isinstance(parts[0], tuple):
        return (torch.cat([part[0] for part in parts]),)
    return type(parts[0])(sample=torch.cat([part.sample for part in parts]))
