"""A picture or a mask from a file of any origin: upright, 8 bits a channel, or one sentence that says why not.

Files are untrusted: size and frames are read from the header before a pixel is decoded, and what needs a large decoder is taken apart in
a child process (see `apart`). Knows no task and no model.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.errors import InvalidInput, MediaUnreadable
from studio.inpaint import apart

if TYPE_CHECKING:
    from PIL import Image

Pixels = NDArray[np.uint8]

FORMATS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif", "AVIF": ".avif"}
"""What is read, by Pillow's names, with the suffix it is kept under."""
FILE_LIMIT = 100_000_000
PIXEL_LIMIT = 64_000_000
LEAST_SIDE = 16
_OTHERS = {b"<svg": "an SVG drawing", b"<?xm": "an SVG drawing", b"%PDF": "a PDF document"}
_SIXTEEN = ("I;16", "I;16B", "I;16L", "I", "F")


@dataclass(frozen=True)
class Source:
    """A decoded picture. `pixels` is (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, uint8 and upright.

    `icc` is the colour profile that goes with the pixels, or None (sRGB). `notes` say in sentences what was converted; `suffix` is that
    of the file's true format.
    """

    pixels: Pixels
    icc: bytes | None = None
    notes: tuple[str, ...] = ()
    suffix: str = ".png"

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


def read_picture(file: Path) -> Source:
    """The picture in `file`. Raises InvalidInput with field "image" for what cannot be edited, MediaUnreadable for what is no picture."""
    if apart.needed(file):
        found = apart.decoded(file, "image")
        return Source(found.pixels, found.icc, found.notes, found.suffix)
    return decode_picture(file)


def read_mask(file: Path, size: tuple[int, int]) -> tuple[Pixels, tuple[str, ...]]:
    """A mask for a picture of `size` (width, height): (H, W) uint8, 255 marks what may change; and notes in sentences.

    Where the file has transparency that varies, its opacity is the mask, else its brightness. Another size is resized, with a note.
    """
    if apart.needed(file):
        found = apart.decoded(file, "mask", size)
        return found.pixels, found.notes
    return decode_mask(file, size)


def decode_picture(file: Path) -> Source:
    """`read_picture` in this process, whatever the format."""
    image, suffix, notes = _opened(file, "image")
    icc = image.info.get("icc_profile")
    image, converted = _upright(image, "image")
    notes += converted
    if image.mode == "CMYK":
        image, icc = _from_cmyk(image, icc), None
        notes.append("The print colours (CMYK) were converted to sRGB.")
    elif image.mode not in ("L", "RGB", "RGBA") or "transparency" in image.info:
        mode = _plain_mode(image)
        notes.append(f"The picture was converted to {_TITLES[mode]}.")
        icc = icc if image.mode in ("P", "PA", "RGB", "RGBa") else None  # other modes have profiles of other colours
        image = _to_eight_bits(image) if image.mode in _SIXTEEN else image.convert(mode)
    pixels = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[2] == 4 and not pixels[..., 3].any():
        raise InvalidInput("The picture is wholly transparent: there is nothing in it to change. Choose another.", "image")
    return Source(pixels, icc if isinstance(icc, bytes) and icc else None, tuple(notes), suffix)


def decode_mask(file: Path, size: tuple[int, int]) -> tuple[Pixels, tuple[str, ...]]:
    """`read_mask` in this process, whatever the format."""
    image, _, notes = _opened(file, "mask")
    image, converted = _upright(image, "mask")
    notes += [note.replace("picture", "mask") for note in converted]
    clear = image.mode not in ("L", "RGB") or "transparency" in image.info
    alpha = np.asarray(image.convert("RGBA").getchannel("A")) if clear and image.mode not in _SIXTEEN else None
    if alpha is not None and alpha.min() < alpha.max():
        mask = alpha
    elif image.mode == "L":
        mask = np.asarray(image)
    elif image.mode in _SIXTEEN:
        mask = np.asarray(_to_eight_bits(image))
    else:
        mask = np.asarray(image.convert("RGB").convert("L"))
    if (mask.shape[1], mask.shape[0]) != size:
        notes.append(f"The mask of {mask.shape[1]} × {mask.shape[0]} pixels was resized to the picture's {size[0]} × {size[1]}.")
        mask = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return np.ascontiguousarray(mask), tuple(notes)


_TITLES = {"RGB": "8-bit RGB", "RGBA": "8-bit RGB with transparency", "L": "8-bit grey"}


def _opened(file: Path, field: str) -> tuple[Image.Image, str, list[str]]:
    """The picture with its header read and judged, the suffix of its true format, and first notes."""
    from PIL import Image, UnidentifiedImageError

    what = "picture" if field == "image" else "mask"
    try:
        size = file.stat().st_size
        data = file.read_bytes() if 0 < size <= FILE_LIMIT else b""
    except OSError:
        raise MediaUnreadable(f"The {what} is still uploading or is gone: wait a moment, or choose it again.", field) from None
    if not size:
        raise MediaUnreadable(f"The {what} file is empty (0 bytes): choose another.", field)
    if size > FILE_LIMIT:
        raise InvalidInput(f"The {what} file has {size / 1e6:,.0f} MB; {FILE_LIMIT / 1e6:.0f} MB is the most: save it smaller.", field)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's warning of large pictures: they are refused below
            image = Image.open(io.BytesIO(data), formats=list(FORMATS))
    except UnidentifiedImageError:
        raise MediaUnreadable(f"The {what} file is {_kind_of(data)}: use PNG, JPEG, WebP, AVIF, GIF, BMP or TIFF.", field) from None
    except Image.DecompressionBombError:
        most = f"{PIXEL_LIMIT / 1e6:.0f} megapixels is the most"
        raise InvalidInput(f"The {what} is far too large: {most}. Make it smaller first.", field) from None
    except (OSError, ValueError, SyntaxError):
        raise MediaUnreadable(f"The {what} cannot be read: its header is damaged. Choose another file.", field) from None
    _judge_size(image.size, field, what)
    notes: list[str] = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append(f"Of the {what}'s several frames or pages the first is used.")
    if image.format == "PNG" and data[24:25] == b"\x10":
        notes.append(f"The {what}'s 16-bit colours were reduced to 8 bits.")
    return image, FORMATS[image.format or "PNG"], notes


def _judge_size(size: tuple[int, int], field: str, what: str) -> None:
    width, height = size
    if width * height > PIXEL_LIMIT:
        most = f"{PIXEL_LIMIT / 1e6:.0f} megapixels is the most"
        raise InvalidInput(f"The {what} has {width:,} × {height:,} pixels; {most}. Make it smaller first.", field)
    if field == "image" and min(width, height) < LEAST_SIDE:
        raise InvalidInput(
            f"The picture has {width} × {height} pixels; at least {LEAST_SIDE} × {LEAST_SIDE} are needed: choose a larger one.", field
        )


def _upright(image: Image.Image, field: str) -> tuple[Image.Image, list[str]]:
    """Decoded to the last pixel and turned as its EXIF says."""
    from PIL import ExifTags, ImageOps

    try:
        image.load()
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) not in (0, 1)
        return ImageOps.exif_transpose(image), ["The picture was turned upright, as its camera says."] if turned else []
    except (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError):
        what = "picture" if field == "image" else "mask"
        raise MediaUnreadable(f"The {what} file is damaged or cut short: choose another, or save it again first.", field) from None


def _plain_mode(image: Image.Image) -> str:
    if image.mode in ("LA", "La", "PA", "RGBa") or "transparency" in image.info:
        return "RGBA"
    return "L" if image.mode in ("1", *_SIXTEEN) else "RGB"


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits: 16-bit values by their upper byte, wider or fractional ones by the range they span."""
    from PIL import Image

    values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0, neginf=0)
    top = 65535.0 if image.mode != "F" and values.max() <= 65535 else float(values.max()) or 1.0
    return Image.fromarray(np.clip(values * (255 / top), 0, 255).round().astype(np.uint8))


def _from_cmyk(image: Image.Image, icc: object) -> Image.Image:
    from PIL import ImageCms

    if isinstance(icc, bytes) and icc:
        convert: Callable[..., Image.Image | None] = ImageCms.profileToProfile
        try:
            found = convert(image, io.BytesIO(icc), ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            found = None
        if found is not None:
            return found
    return image.convert("RGB")


def _kind_of(data: bytes) -> str:
    start = data[:512].lstrip()
    for mark, name in _OTHERS.items():
        if start.startswith(mark):
            return name
    if data[4:8] == b"ftyp":
        return "a HEIC or video file"
    return "none that can be read here"
