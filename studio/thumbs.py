"""Small pictures of creations for a grid: the picture itself, a sound's cover or waveform. Kept beside the library, made again when gone.

Knows files of pictures and sounds; knows no index and no page.
"""

from __future__ import annotations

import io
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from studio.creations import Creation
from studio.errors import MediaUnreadable, NotFound
from studio.storage import new_id

if TYPE_CHECKING:
    from studio.library import Library  # which drops small pictures with what they show

SIZE = 320
"""Pixels of the longer side, at most."""
WAVE = (320, 120)
INK = (108, 114, 214, 255)
"""At least 3:1 on white and on black."""
PICTURES = (".png", ".jpg", ".webp")
SOUNDS = (".flac", ".wav", ".ogg", ".opus", ".mp3")
_STEP = 512
"""Samples that become one value while a sound is read."""


def thumb(creation: Creation, library: Library) -> bytes | None:
    """A WebP of at most `SIZE` pixels, without any metadata; None for a text. A sound's waveform stands on transparent ground.

    Raises NotFound if the file is gone, MediaUnreadable if it was changed into something else.
    """
    path = creation.path
    if path.suffix not in (*PICTURES, *SOUNDS):
        return None
    kept = _place(library.home, path.name)
    with suppress(OSError):
        data = kept.read_bytes()
        if data[:4] == b"RIFF" and len(data) == int.from_bytes(data[4:8], "little") + 8:
            return data
    data = draw(path)
    with suppress(OSError):  # a full disk keeps no small picture; it is drawn again
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_name(f"{new_id()}.part")
        try:
            part.write_bytes(data)
            part.replace(kept)
        finally:
            part.unlink(missing_ok=True)
    return data


def draw(path: Path) -> bytes:
    """The same from a file anywhere, not kept. Raises as `thumb` does."""
    if not path.exists():
        raise NotFound("The file of this creation is gone from the disk: make it again from its settings, or choose another.")
    try:
        picture = _small(path) if path.suffix in PICTURES else _cover(path) or _waveform(path)
        out = io.BytesIO()
        picture.save(out, "WEBP", quality=80, method=2)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise MediaUnreadable("The file of this creation was damaged on the disk: put it back from a backup, or make it again.") from None
    return out.getvalue()


def drop(home: Path, name: str) -> None:
    """The object of that name is gone: so goes its small picture."""
    with suppress(OSError):
        _place(home, name).unlink(missing_ok=True)


def sweep(home: Path, names: Collection[str]) -> None:
    """Remove the small pictures of all but these objects, and what was left half-written."""
    with suppress(OSError):
        for folder in os.scandir(home / "thumbs"):
            for entry in os.scandir(folder.path):
                if entry.name.removesuffix(".webp") not in names:
                    Path(entry.path).unlink(missing_ok=True)


def _place(home: Path, name: str) -> Path:
    return home / "thumbs" / name[:2] / f"{name}.webp"


def _cover(path: Path) -> Image.Image | None:
    """The picture that a sound was given, if it was."""
    from studio.provenance import covers

    jpeg = covers.picture_in(path)
    return None if jpeg is None else _small(io.BytesIO(jpeg))


def _small(path: Path | io.BytesIO) -> Image.Image:
    with Image.open(path, formats=["PNG", "JPEG", "WEBP"]) as picture:
        picture.draft("RGB", (2 * SIZE, 2 * SIZE))  # JPEG alone: decoded at a fraction of its size
        small = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    small.thumbnail((SIZE, SIZE), Image.Resampling.BICUBIC, reducing_gap=2)
    small.info.clear()
    return small


def _waveform(path: Path) -> Image.Image:
    from studio.music import files  # brings a sound library, which the first page does without

    ranges: list[np.ndarray[tuple[int, ...], np.dtype[np.int32]]] = []
    for block in files.blocks(path):
        starts = list(range(0, block.shape[1], _STEP))
        ranges.append(np.stack([np.minimum.reduceat(block.min(axis=0), starts), np.maximum.reduceat(block.max(axis=0), starts)]))
    picture = Image.new("RGBA", WAVE)
    if not ranges:
        return picture
    lowest, highest = np.concatenate(ranges, axis=1) / (1 << 23)
    width, middle = WAVE[0], WAVE[1] / 2
    starts = [column * len(lowest) // width for column in range(width)]
    pen = ImageDraw.Draw(picture)
    lows, highs = np.minimum.reduceat(lowest, starts), np.maximum.reduceat(highest, starts)
    for column, (low, high) in enumerate(zip(lows.tolist(), highs.tolist(), strict=True)):
        pen.line([(column, middle - high * (middle - 2) - 0.5), (column, middle - low * (middle - 2) + 0.5)], fill=INK)
    return picture
