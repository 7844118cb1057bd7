"""Draws dark outlines on an icon, as in a cartoon: around its silhouette and where its colours meet. Knows nothing but pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

INK = (38, 32, 44)  # sRGB, a soft black
_EDGE = 60  # of 255: the least difference of colours across 2 px that becomes a line


def inked(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`pixels` (H, W, 4) uint8 RGBA with lines of about 2 px; the silhouette grows by about 2 px."""
    size = pixels.shape[1], pixels.shape[0]
    alpha = pixels[..., 3:].astype(np.float32) / 255
    double = np.asarray(Image.fromarray(pixels).resize((size[0] * 2, size[1] * 2), Image.Resampling.BICUBIC))
    grown = _line(_spread(double[..., 3], 4), size)
    inner = _line(_edges(double), size) * (alpha > 0.5)
    shown = np.maximum(grown, alpha)
    drawn = pixels[..., :3] * (1 - inner) + np.array(INK, np.float32) * inner
    colour = (drawn * alpha + np.array(INK, np.float32) * (shown - alpha)) / np.maximum(shown, 1e-3)
    return np.concatenate([colour, shown * 255], -1).round().clip(0, 255).astype(np.uint8)


def _edges(double: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """White where neighbouring colours differ much, at double size."""
    colours = double[..., :3].astype(np.int16)
    edges = np.zeros(double.shape[:2], np.uint8)
    edges[2:-2] |= (np.abs(colours[4:] - colours[:-4]) > _EDGE).any(-1)
    edges[:, 2:-2] |= (np.abs(colours[:, 4:] - colours[:, :-4]) > _EDGE).any(-1)
    return _spread(edges * np.uint8(255), 1)


def _spread(mask: NDArray[np.uint8], reach: int) -> NDArray[np.uint8]:
    """The greatest value within `reach` pixels across and down."""
    height, width = mask.shape
    padded = np.pad(mask, reach)
    down = np.maximum.reduce([padded[k : k + height] for k in range(2 * reach + 1)])
    return np.maximum.reduce([down[:, k : k + width] for k in range(2 * reach + 1)])


def _line(mask: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    """A mask at double size as smooth coverage (H, W, 1) in [0, 1]."""
    small = Image.fromarray(mask).filter(ImageFilter.GaussianBlur(1.1)).resize(size, Image.Resampling.BOX)
    return np.clip((np.asarray(small, np.float32)[..., None] / 255 - 0.3) / 0.4, 0, 1).astype(np.float32)
