"""An invisible mark in a picture that says which run made it. Survives everyday edits, not an adversary.

Brightness carries a faint tile of secret noise, one to three steps of 255, a little more where the picture is busy. Found again after
JPEG and WebP of common quality, another size, a cut, a small turn, or a mirror image; not after heavy blur, tiny copies, a repainting by
another model, or by someone who knows the method and wants it gone. Knows no file, no task and no record.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.provenance import picture_geometry
from studio.provenance.picture_geometry import mean_around
from studio.provenance.picture_tile import SIDE, Tile
from studio.provenance.watermark import Floats, Marked, TooSmall

AREA = 256 * 256
"""Pixels that must be free to change."""
FLAT = 1.5
"""Root mean square of the mark where the picture is even, in steps of 255."""
BUSY = 0.15
"""What is added to it, as a share of the texture's own standard deviation; up to `STRONGEST` in all."""
STRONGEST = 4.0
ONE_SIDED = 1.6
"""How much stronger the mark is made where it can go one way only, as on white."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_MARGIN = 1.25  # of the threshold, for what comes after

Pixels = NDArray[np.uint8]


def embed(pixels: Pixels, payload: int, secret: bytes, where: NDArray[np.bool_] | None = None) -> Pixels:
    """A copy of `pixels`, (H, W), (H, W, 3) or (H, W, 4) uint8, that carries the number `payload` (20 bits) by `secret`.

    Only pixels that are True in `where` (H, W) and more than half opaque change; alpha never does. The same input gives the same pixels.
    Raises TooSmall where fewer than 256 x 256 pixels may change, or the mark would not be found again even before any edit.
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        raise ValueError(f"pixels must be (H, W), (H, W, 3) or (H, W, 4) uint8, not {pixels.shape} {pixels.dtype}")
    free = _free(pixels, where)
    if (pixels.shape[0] * pixels.shape[1] if free is None else np.count_nonzero(free)) < AREA:
        raise TooSmall("Less than 256 x 256 pixels may change, too few for an invisible mark: work on a larger area to have one.")
    tile = Tile.of(secret)
    height, width = pixels.shape[:2]
    colours = pixels[..., :3] if pixels.ndim == 3 else pixels[..., None]
    pattern = np.tile(tile.pattern(payload), (-(-height // SIDE), -(-width // SIDE)))[:height, :width]
    change = pattern * _strength(colours)
    if free is not None:
        change *= free
    found = pixels.copy()
    carrying = found[..., :3] if found.ndim == 3 else found[..., None]
    np.copyto(carrying, np.clip(colours + np.rint(change).astype(np.int16)[..., None], 0, 255), casting="unsafe")
    if picture_geometry.certainty(brightness(found), tile, payload, free) < _MARGIN * picture_geometry.THRESHOLD:
        raise TooSmall("What may change is too scattered or too noisy for an invisible mark: it is left without one.")
    return found


def detect(pixels: Pixels, secret: bytes) -> Marked | None:
    """The mark of `secret` in pixels as for `embed`, or None. Sizes from half to twice the marked one, turned by up to 3 degrees.

    As it is, and cut, takes a tenth of a second at 512 px; the search for another geometry a few seconds. Of pictures without a mark
    of this secret at most one in a million is called marked (`watermark.threshold`).
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        raise ValueError(f"pixels must be (H, W), (H, W, 3) or (H, W, 4) uint8, not {pixels.shape} {pixels.dtype}")
    if min(pixels.shape[:2]) < picture_geometry.SMALLEST:
        return None
    return picture_geometry.search(brightness(pixels), Tile.of(secret))


def brightness(pixels: Pixels) -> Floats:
    """(H, W) float32, 0 to 255; what is transparent lies on white."""
    import cv2

    if pixels.ndim == 2:
        return pixels.astype(np.float32)
    found: Any = cv2.transform(np.ascontiguousarray(pixels[..., :3], np.float32), _LUMA[None])
    if pixels.shape[2] == 3:
        return found
    alpha = pixels[..., 3].astype(np.float32) / 255
    return 255 + alpha * (found - 255)


def _free(pixels: Pixels, where: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Pixels that may change; None: all."""
    if where is not None and (where.shape != pixels.shape[:2] or where.dtype != np.bool_):
        raise ValueError(f"where must be {pixels.shape[:2]} bool, not {where.shape} {where.dtype}")
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        opaque = pixels[..., 3] > 127
        return opaque if where is None else opaque & where
    return where


def _strength(colours: Pixels) -> Floats:
    """(H, W): the mark's standard deviation, by texture (an edge between even areas is none), and more where it can go one way only."""
    import cv2

    weights = _LUMA[None] if colours.shape[2] == 3 else np.ones((1, 1), np.float32)
    planes = np.ascontiguousarray(colours, np.float32)
    luma: Any = cv2.transform(planes, weights)
    spread = np.sqrt(np.maximum(mean_around(luma * luma, 5) - mean_around(luma, 5) ** 2, 0))
    texture = mean_around(np.asarray(cv2.erode(spread, np.ones((7, 7), np.uint8)), np.float32), 5)
    up: Any = cv2.transform(np.minimum((255 - planes) / 4, 1), weights)
    down: Any = cv2.transform(np.minimum(planes / 4, 1), weights)
    return np.minimum(FLAT + BUSY * texture, STRONGEST) * np.minimum(2 / np.maximum(up + down, 1e-6), ONE_SIDED)
