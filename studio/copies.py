"""Creations in other formats, for taking away: with their record as far as it fits, and signed like the original.

Knows files and records; knows no page and no library.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from studio.creations import Creation
from studio.errors import MediaUnreadable
from studio.marks import Marks

PICTURES: dict[str, Literal["webp", "jpeg"]] = {".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg"}
"""Formats of pictures besides the PNG that is kept, by suffix. Both lose a little."""
SECONDS = 600.0
"""The longest sound that is copied."""


def picture(creation: Creation, suffix: str, marks: Marks) -> bytes:
    """A picture as `.webp` or `.jpg`, its record inside."""
    from studio.provenance import pictures

    data = pictures.encode_lossy(creation.path.read_bytes(), PICTURES[suffix])
    record = pictures.read_record(data)
    return data if record is None else marks.sealed(lambda _: data, ".webp" if suffix == ".webp" else ".jpg", record)[0]


def sound(take: Path, kind: str, marks: Marks) -> bytes:
    """A take's file in another of `tasks.SOUND_FORMATS`, its record inside where the format has room for it."""
    from studio.music import files
    from studio.provenance import sounds

    record = sounds.read_record(take)
    if record is None:
        raise MediaUnreadable("This sound carries no record: it was not made here, so download it as it is.")
    data = sounds.encode_copy(files.read(take, SECONDS), kind, record)
    suffix = ".wav" if kind.startswith("wav") else f".{kind}"
    return marks.sealed(lambda _: data, suffix, sounds.read_record(data) or record)[0]
