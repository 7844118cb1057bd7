"""Unfinished latents become small pictures: a straight line from latent channels to colours, fitted once for each VAE.

Where a model has a small decoder at hand (_small_decoder.py), that one shows them instead. The line is measured, not tabled: the VAE
encodes a synthetic picture of soft colours, and least squares finds the colours that best explain its latents. So it holds for every VAE,
known or not. Knows no pipeline and no task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from studio.engines._small_decoder import SmallDecoder

SIDE = 256
"""Pixels of the longer side of a preview."""
_PROBE = 128
_MAP = "_colours_of_latents"


def preview(latents: Any, vae: Any, width: int, height: int, small: SmallDecoder | None = None) -> NDArray[np.uint8]:
    """`latents` as a pipeline holds them between steps, of one picture of width x height pixels -> (H, W, 3) uint8, longer side SIDE.

    `small` decodes them where it fits the VAE; else colours are drawn from the line.
    """
    import torch
    from PIL import Image

    with torch.inference_mode():
        grid = _unpacked(latents, width, height)
        grid = grid / max(1.0, float(grid.std()))  # early steps of noise-based schedulers are many times too large
        decoder = small.fitting(vae) if small is not None else None
        if decoder is not None:
            colours = decoder.decode(_unscaled(grid, decoder)[None].to(decoder.dtype)).sample[0].float()  # (3, H, W), about in [-1, 1]
        else:
            colours = _colours(_unscaled(grid, vae), vae)  # (3, h, w) in [-1, 1]
        pixels = ((colours.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    scale = SIDE / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.BICUBIC))


def denoised(scheduler: Any, step: int, prediction: Any, result: tuple[Any, ...]) -> Any:
    """The scheduler's present guess of the finished latents; where it has none, the noisy latents themselves.

    `step` counts from 0; `prediction` is what the model said; `result` what `scheduler.step` returned.
    """
    latents = result[0]
    if len(result) > 1 and getattr(result[1], "shape", None) == latents.shape:
        return result[1]
    guesses = getattr(scheduler, "model_outputs", None)
    config = scheduler.config
    guessing = config.get("predict_x0", False) or str(config.get("algorithm_type", "")).endswith("++")
    if guessing and guesses and getattr(guesses[-1], "shape", None) == latents.shape:
        return guesses[-1]
    if type(scheduler).__name__ == "FlowMatchEulerDiscreteScheduler" and prediction.shape == latents.shape:
        return latents.float() - scheduler.sigmas[step + 1].to(latents.device) * prediction.float()
    return latents


def encoded(picture: NDArray[np.uint8], vae: Any, like: Any) -> Any:
    """`picture` (H, W, 3) uint8 as finished latents, in the shape and the numbers in which the pipeline holds `like`."""
    import torch

    weight = next(vae.parameters())
    fed = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].to(weight.device).float() / 127.5 - 1
    return laid_out(_scaled(_encoded(vae, fed), vae), like, vae)


def laid_out(grid: Any, like: Any, vae: Any = None) -> Any:
    """(C, h, w) in the shape of `like`: (1, C, h, w), (1, C, 1, h, w), or (1, N, 4C) patches of 2 x 2.

    Without `vae` the one channel is a mask: it is averaged to the grid of `like`, and stands for all channels.
    """
    import torch

    if vae is None:
        rows, columns = like.shape[-2:] if like.ndim > 3 else _grid(like.shape[1], grid.shape[-1], grid.shape[-2])
        grid = torch.nn.functional.adaptive_avg_pool2d(grid[None].float(), (rows, columns))[0]
    else:
        depth = like.shape[-1] if like.ndim == 3 else like.shape[1]
        if depth == 4 * grid.shape[0]:
            channels, rows, columns = grid.shape
            grid = grid.view(channels, rows // 2, 2, columns // 2, 2).permute(0, 2, 4, 1, 3).reshape(depth, rows // 2, columns // 2)
        if hasattr(vae, "bn"):
            spread = torch.sqrt(vae.bn.running_var.float() + vae.config.batch_norm_eps)
            grid = (grid - vae.bn.running_mean.float().view(-1, 1, 1)) / spread.view(-1, 1, 1)
    if like.ndim == 3:
        return grid.flatten(1).T[None]
    return grid[None, :, None] if like.ndim == 5 else grid[None]


def _grid(count: int, width: int, height: int) -> tuple[int, int]:
    """Rows and columns of `count` patches of a picture of width x height."""
    ideal = (count * height / width) ** 0.5
    rows = min((r for r in range(1, count + 1) if count % r == 0), key=lambda r: abs(r - ideal))
    return rows, count // rows


def _encoded(vae: Any, fed: Any) -> Any:
    """(1, 3, H, W) float in [-1, 1] -> raw latents (C, h, w) float32."""
    weight = next(vae.parameters())
    fed = fed.to(weight.dtype)
    if weight.ndim == 5:  # a VAE of videos: one frame
        fed = fed.unsqueeze(2)
    found = vae.encode(fed)
    latents = found.latent_dist.mode() if hasattr(found, "latent_dist") else found.latent
    latents = latents[0].float()
    return latents[:, 0] if latents.ndim == 4 else latents


def _scaled(grid: Any, vae: Any) -> Any:
    """Raw latents as the denoiser knows them: the way back of `_unscaled`, before patches and their norms."""
    import torch

    config = vae.config
    if config.get("latents_mean") is not None:
        mean, spread = (torch.tensor(config[name], device=grid.device).view(-1, 1, 1) for name in ("latents_mean", "latents_std"))
        return (grid - mean) * config.get("scaling_factor", 1.0) / spread
    return (grid - (config.get("shift_factor") or 0.0)) * (config.get("scaling_factor") or 1.0)


def _unpacked(latents: Any, width: int, height: int) -> Any:
    """(1, N, 4C) patches of 2 x 2, (1, C, h, w), or (1, C, 1, h, w) -> (C, h, w) float32. Pixels that are patches stay for _unscaled."""
    latents = latents[0].float()
    if latents.ndim == 2:
        rows, columns = _grid(latents.shape[0], width, height)
        return latents.view(rows, columns, latents.shape[1]).permute(2, 0, 1)
    return latents[:, 0] if latents.ndim == 4 else latents


def _unscaled(grid: Any, vae: Any) -> Any:
    """From the numbers a denoiser works on to those the VAE decodes; patches of 2 x 2 are spread out again."""
    import torch

    config = vae.config
    channels = config.get("latent_channels") or config.get("z_dim") or grid.shape[0]
    if hasattr(vae, "bn"):
        spread = torch.sqrt(vae.bn.running_var.float() + config.batch_norm_eps)
        grid = grid * spread.view(-1, 1, 1) + vae.bn.running_mean.float().view(-1, 1, 1)
    if grid.shape[0] == 4 * channels:
        rows, columns = grid.shape[1:]
        grid = grid.view(channels, 2, 2, rows, columns).permute(0, 3, 1, 4, 2).reshape(channels, 2 * rows, 2 * columns)
    if config.get("latents_mean") is not None:
        mean, spread = (torch.tensor(config[name], device=grid.device).view(-1, 1, 1) for name in ("latents_mean", "latents_std"))
        return grid * spread / config.get("scaling_factor", 1.0) + mean
    return grid / (config.get("scaling_factor") or 1.0) + (config.get("shift_factor") or 0.0)


def _colours(grid: Any, vae: Any) -> Any:
    import torch

    if not hasattr(vae, _MAP):
        setattr(vae, _MAP, _fitted(vae))
    line = getattr(vae, _MAP)  # (C + 1, 3); None where the VAE gave no usable answer
    if line is not None and line.shape[0] == grid.shape[0] + 1:
        return torch.einsum("chw,ck->khw", grid, line[:-1]) + line[-1].view(3, 1, 1)
    bands = torch.stack([grid[k::3].mean(0) if grid.shape[0] > k else grid.mean(0) for k in range(3)])
    return bands / (2 * bands.std() + 1e-6)


def _fitted(vae: Any) -> Any:
    """Least squares from latents to the mean colours beneath them, with a little ridge: (C + 1, 3) float32, or None."""
    import torch

    if not hasattr(vae, "encode"):
        return None
    picture = _probe().to(next(vae.parameters()).device)
    latents = _encoded(vae, picture)
    channels, rows, columns = latents.shape
    if not bool(torch.isfinite(latents).all()):
        return None
    known = torch.cat([latents.reshape(channels, -1).T, torch.ones(rows * columns, 1, device=latents.device)], dim=1)
    wanted = torch.nn.functional.adaptive_avg_pool2d(picture, (rows, columns))[0].reshape(3, -1).T
    ridge = 1e-3 * torch.eye(channels + 1, device=known.device) * known.square().mean()
    return torch.linalg.solve(known.T @ known + ridge * known.shape[0], known.T @ wanted)


def _probe() -> Any:
    """A picture of soft random colours in several sizes, (1, 3, 128, 128) in [-1, 1]: like photographs, more large than small."""
    import torch

    generator = torch.Generator("cpu").manual_seed(0)
    layers = [
        torch.nn.functional.interpolate(torch.randn(1, 3, size, size, generator=generator), (_PROBE, _PROBE), mode="bilinear") * strength
        for size, strength in ((3, 0.5), (8, 0.4), (16, 0.25), (32, 0.15))
    ]
    return torch.tanh(torch.stack(layers).sum(0))
