"""A text in the lowest bits of pixels ("stealth" infotext), as Forge, SwarmUI and NovelAI write it so that it outlives a re-save.

Column by column: a signature of 15 letters, 32 bits that count the bits of the text, the text, gzipped where the signature says so. In
the alpha of each pixel, or in its red, green and blue. Decodes at most 16 megapixels and unpacks at most 1 MB.
"""

from __future__ import annotations

import io
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio.provenance import containers
from studio.provenance.containers import TEXT_LIMIT

SIGNATURES = {
    b"stealth_pnginfo": (True, False),
    b"stealth_pngcomp": (True, True),
    b"stealth_rgbinfo": (False, False),
    b"stealth_rgbcomp": (False, True),
}
"""Signature: whether the text is in alpha, whether it is packed."""
_HEAD = 15 * 8 + 32


def read(data: bytes) -> str:
    """The text hidden in a PNG or WebP picture, '' where there is none or it is damaged."""
    if not (data.startswith(containers.PNG_START) or data[8:12] == b"WEBP"):
        return ""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "WEBP"]) as picture:
            if picture.width * picture.height > containers.MAX_PIXELS or picture.mode not in ("RGB", "RGBA"):
                return ""
            pixels = np.asarray(picture, np.uint8)
    except (OSError, ValueError, SyntaxError, EOFError, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return ""
    ways = [pixels[:, :, 3:]] if pixels.shape[2] == 4 else []
    return next((text for channels in (*ways, pixels[:, :, :3]) if (text := _hidden(channels))), "")


def _hidden(channels: NDArray[np.uint8]) -> str:
    """The text in the lowest bits of (H, W, C), columns first."""
    head = _bits(channels, _HEAD)
    if len(head) < _HEAD:
        return ""
    start = np.packbits(head).tobytes()
    in_alpha, packed = SIGNATURES.get(start[:15], (None, False))
    if in_alpha is None or in_alpha != (channels.shape[2] == 1):
        return ""
    count = int.from_bytes(start[15:], "big")
    if not 0 < count <= 8 * TEXT_LIMIT or count > channels.size - _HEAD:
        return ""
    content = np.packbits(_bits(channels, _HEAD + count)[_HEAD:]).tobytes()
    if not packed:
        return content.decode("utf-8", "replace")
    try:
        text = zlib.decompressobj(31).decompress(content, TEXT_LIMIT + 1)
    except zlib.error:
        return ""
    return text.decode("utf-8", "replace") if len(text) <= TEXT_LIMIT else ""


def _bits(channels: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """The first `count` lowest bits; only the columns that hold them are looked at."""
    height, _, depth = channels.shape
    columns = -(-count // (height * depth))
    return channels[:, :columns].transpose(1, 0, 2).ravel()[:count] & np.uint8(1)
