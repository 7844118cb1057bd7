"""Creations in other formats, for taking away: with their record as far as it fits, and signed where the format and this studio do.

Knows files and records; knows no page and no library.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from studio.creations import Creation
from studio.errors import MediaUnreadable
from studio.marks import Marks

if TYPE_CHECKING:
    from studio.provenance.record import Record

PICTURES: dict[str, Literal["webp", "jpeg"]] = {".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg"}
"""Formats of pictures besides the PNG that is kept, by suffix. Both lose a little."""
SECONDS = 10_800.0
"""The longest sound that is copied: three hours, the longest that is prepared for playing. A narration has no limit of its own."""


def picture(creation: Creation, suffix: str, marks: Marks) -> bytes:
    """A picture as `.webp` or `.jpg`, its record inside, which tells what becomes of the signature in this file."""
    from studio.provenance import pictures

    data = creation.path.read_bytes()
    record = pictures.read_record(data)
    if record is None:
        return pictures.encode_lossy(data, PICTURES[suffix])
    name = ".webp" if suffix == ".webp" else ".jpg"
    return _sealed(lambda entry: pictures.encode_lossy(data, PICTURES[suffix], record=entry), pictures.read_record, name, record, marks)


def sound(take: Path, kind: str, marks: Marks) -> bytes:
    """A take's file in another of `tasks.SOUND_FORMATS`, its record inside as in `picture`, and its cover, where there is room."""
    from studio.music import files
    from studio.provenance import covers, sounds

    record = sounds.read_record(take)
    if record is None:
        raise MediaUnreadable("This sound carries no record: it was not made here, so download it as it is.")
    samples = files.read(take, SECONDS)
    cover = covers.picture_in(take) or b""
    suffix = ".wav" if kind.startswith("wav") else f".{kind}"
    return _sealed(lambda entry: sounds.encode_copy(samples, kind, entry, cover=cover), sounds.read_record, suffix, record, marks)


def _sealed(encode: Callable[[Record], bytes], read: Callable[[bytes], Record | None], suffix: str, record: Record, marks: Marks) -> bytes:
    """The signature covers the record as it fits the file; where none fits, the creation's. Nothing is encoded twice but for a failure."""
    told = marks.told(record, suffix)
    data = encode(told)
    inside = read(data) or told

    def again(entry: Record) -> bytes:
        return data if entry is inside else encode(told.model_copy(update={"marks": entry.marks}))

    return marks.sealed(again, suffix, inside)[0]
