"""A picture of any size becomes an icon of 128 px: what lies plainly behind the thing goes, the thing is centred.

It reads PNG, WebP, JPEG and SVG; it knows no set, no words and no library.
"""

from __future__ import annotations

import io
import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError

from studio.errors import MediaUnreadable
from studio.starter.frame import drawn
from studio.starter.icons import SIZE
from studio.starter.palette import to_oklab
from studio.starter.regions import areas

Pixels = NDArray[np.uint8]

BYTES = 20_000_000
"""The largest file that is read."""
_PIXELS = 40_000_000
_WORKED = 512  # pixels a side at which the background is looked for
_MARGIN = 5
_UNIFORM = 0.9  # share of the border that must have the background's colour
_NEAR = 0.06  # OKLab distance up to which a pixel is background
_LEAST = 0.01  # share of the picture that must be left


def icon(data: bytes, name: str) -> Pixels:
    """The picture in `data` as (128, 128, 4) uint8 RGBA. `name` stands in the sentence of MediaUnreadable."""
    if len(data) > BYTES:
        raise MediaUnreadable(f"{name} is larger than {BYTES // 1_000_000} MB: save it smaller.")
    image = _vector(data, name) if _is_svg(data) else _raster(data, name)
    image.thumbnail((_WORKED, _WORKED), Image.Resampling.BOX)
    pixels = np.array(image)
    if float((pixels[..., 3] < 128).mean()) < 0.01:
        pixels = _without_background(pixels)
    if float((pixels[..., 3] > 127).mean()) < _LEAST:
        raise MediaUnreadable(f"{name} shows nothing: choose a picture of one thing.")
    return _centred(pixels)


def _is_svg(data: bytes) -> bool:
    return re.search(rb"<svg[\s>]", data[:4096]) is not None


def _vector(data: bytes, name: str) -> Image.Image:
    """Rendered by resvg to fit a square, since a drawing may claim any proportions.

    Files that a drawing points to are never opened: one that points anywhere is refused."""
    import resvg_py

    text = data.decode("utf-8", "replace")
    if "<!ENTITY" in text or re.search(r"(?:href\s*=\s*[\"']|url\(\s*[\"']?)(?!#|\s*data:)", text) or "@import" in text:
        raise MediaUnreadable(f"{name} points to other files: save it with everything inside, or as PNG.")
    try:
        rendered = bytes(resvg_py.svg_to_bytes(svg_string=text, width=_WORKED, height=_WORKED))
        return Image.open(io.BytesIO(rendered), formats=("PNG",)).convert("RGBA")
    except (ValueError, RuntimeError, OSError):
        raise MediaUnreadable(f"{name} is no drawing that can be read: save it again, or as PNG.") from None


def _raster(data: bytes, name: str) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "WEBP", "JPEG")) as image:
            if image.width * image.height > _PIXELS:
                raise MediaUnreadable(f"{name} has more than {_PIXELS // 1_000_000} million pixels: save it smaller.")
            return ImageOps.exif_transpose(image).convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise MediaUnreadable(f"{name} is no PNG, WebP, JPEG or SVG that can be read: save it again as PNG.") from None


def _without_background(pixels: Pixels) -> Pixels:
    """`pixels` with the even colour that touches the border made transparent; as it is where the border is not of one colour."""
    lab = to_oklab(pixels[..., :3])
    rim = np.ones(pixels.shape[:2], bool)
    rim[2:-2, 2:-2] = False
    colour = np.median(lab[rim], 0)
    near = np.linalg.norm(lab - colour, axis=-1) < _NEAR
    if float(near[rim].mean()) < _UNIFORM:
        return pixels
    number = areas(near.astype(np.int64))
    behind = np.isin(number, np.unique(number[rim & near])) & near
    grown = Image.fromarray(np.where(behind, 0, 255).astype(np.uint8)).filter(ImageFilter.MinFilter(3)).filter(ImageFilter.BoxBlur(1))
    return np.concatenate([pixels[..., :3], np.minimum(pixels[..., 3], np.asarray(grown))[..., None]], -1)


def _centred(pixels: Pixels) -> Pixels:
    box = drawn(pixels)
    image = Image.fromarray(pixels).crop((int(box.left), int(box.top), int(box.right), int(box.bottom)))
    factor = (SIZE - 2 * _MARGIN) / max(image.size)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    small = image.convert("RGBa").resize(size, Image.Resampling.LANCZOS if factor < 1 else Image.Resampling.BICUBIC).convert("RGBA")
    page = Image.new("RGBA", (SIZE, SIZE))
    page.paste(small, ((SIZE - size[0]) // 2, (SIZE - size[1]) // 2))
    return np.array(page)
