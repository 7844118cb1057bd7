"""Make a creation again from its record and say how far the two differ. See `python -m studio replay`."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio.creations import Creation, Event, Json
from studio.errors import MediaUnreadable, NotFound
from studio.library import Library
from studio.provenance import pictures
from studio.provenance.record import Record, task_of
from studio.studio import Studio

OWNER = "local"
"""Whose sets and files a replay may use: those of the home's own person."""
PAGE = 200
FULL_SCALE = 1 << 23
"""Steps of a sample of 24 bits."""
SOUNDS = (".flac", ".wav", ".ogg", ".opus", ".mp3")


@dataclass(frozen=True)
class Difference:
    """`largest` is in steps of 255 for pixels, of `FULL_SCALE` for samples, in characters for text (0: identical).

    `share` is that of all values that differ, 0 to 1.
    """

    largest: int
    share: float
    words: str


def read(file: Path, library: Library) -> Record:
    """The record of a picture or sound, from inside it, or of a text, from the library that kept it."""
    if not file.is_file():
        raise NotFound(f"There is no file {file}: check its path.")
    if file.suffix.lower() != ".txt":
        record = _sounds().read_record(file) if file.suffix.lower() in SOUNDS else pictures.read_record(file)
        if record is None:
            raise MediaUnreadable(f"{file.name} carries no record of how it was made: only creations of this studio can be replayed.")
        return record
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise MediaUnreadable(f"{file.name} is no readable text: choose another file.") from None
    for creation in _texts(library):
        if creation.text == text:
            return Record.model_validate(dict(creation.record))
    raise NotFound(f"{file.name} is no text that this library made, or it was changed since: replay one from the library.")


def again(studio: Studio, record: Record, owner: str = OWNER, wears: str = "") -> Iterator[Event]:
    """Run the record's task once more, with the sets, styles and files of its owner (of the browser session `wears`); yields its events.

    What it makes belongs to a session of its own and leaves the library again when the iteration ends; nothing else there changes.
    """
    session = f"replay-{uuid.uuid4().hex}"
    try:
        yield from studio.run(task_of(record), owner, session, like=record, wears=wears)
    finally:
        studio.stop(owner, session, wait=True)
        studio.library.forget_session(session)


def differences(record: Record, remade: dict[str, Json]) -> list[str]:
    """What made the two that was not the same, in words: the model's version, libraries, the device."""
    then, now = record.model_dump(mode="json"), remade
    found = [f"{what}: {then[what]} then, {now[what]} now" for what in ("device",) if then[what] != now[what]]
    for group in ("model", "software"):
        old, new = cast("dict[str, Json]", then[group]), cast("dict[str, Json]", now[group])
        changed = [name for name in old if name in new and old[name] != new[name]]
        found += [f"{group} {name}: {old[name]} then, {new[name]} now" for name in changed if name != "files"]
        if "files" in changed:
            found.append("the model's files have changed")
    if _under(then, "facts", "read") != _under(now, "facts", "read"):
        found.append("the style has other words now")
    if _under(then, "facts", "memory") != _under(now, "facts", "memory"):
        found.append("one of the two was made in less memory, in another way")
    if _under(then, "facts", "compiled") != _under(now, "facts", "compiled"):
        found.append("one of the two was drawn with compiled code")
    if _under(then, "marks", "watermark") != _under(now, "marks", "watermark"):
        found.append("the invisible mark is not the same: this studio has another identity, or marks were turned on or off since")
    return found


def _under(values: Mapping[str, Json], group: str, name: str) -> Json:
    inner = values.get(group)
    return inner.get(name) if isinstance(inner, dict) else None


def compare(file: Path, creation: Creation) -> Difference:
    """Decoded pixels, samples or text, without metadata."""
    if creation.text is not None:
        return _compare_texts(file.read_text("utf-8"), creation.text)
    if creation.path.suffix in SOUNDS:
        return _compare_sounds(_sounds().samples_of(file), _sounds().samples_of(creation.path))
    then, now = _pixels(file.read_bytes()), _pixels(creation.path.read_bytes())
    if then.shape != now.shape:
        return Difference(255, 1.0, f"the sizes differ: {_size(then)} then, {_size(now)} now")
    apart = np.abs(then.astype(np.int16) - now.astype(np.int16))
    largest, share = int(apart.max()), float((apart > 0).mean())
    words = "identical pixels" if largest == 0 else f"largest difference {largest}/255, on {share:.2%} of the values"
    return Difference(largest, share, words)


def _sounds() -> ModuleType:
    """Brought in only when there is sound to read."""
    from studio.provenance import sounds

    return sounds


def _texts(library: Library) -> Iterator[Creation]:
    before = ""
    while page := library.list(limit=PAGE, before=before):
        yield from (creation for creation in page if creation.text is not None)
        before = page[-1].id


def _compare_texts(then: str, now: str) -> Difference:
    if then == now:
        return Difference(0, 0.0, "identical text")
    common = next((k for k, (a, b) in enumerate(zip(then, now, strict=False)) if a != b), min(len(then), len(now)))
    apart = max(len(then), len(now)) - common
    return Difference(apart, apart / max(len(then), len(now)), f"the texts part after {common} characters of {len(then)}")


def _compare_sounds(then: NDArray[np.int32], now: NDArray[np.int32]) -> Difference:
    if then.shape != now.shape:
        return Difference(FULL_SCALE, 1.0, f"the lengths differ: {then.shape[-1]:,} samples then, {now.shape[-1]:,} now")
    apart = np.abs(then.astype(np.int64) - now)
    largest, share = int(apart.max(initial=0)), float((apart > 0).mean()) if apart.size else 0.0
    words = "identical samples" if share == 0 else f"largest difference {largest}/{FULL_SCALE}, on {share:.2%} of the samples"
    return Difference(largest, share, words)


def _pixels(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]) as picture:
        return np.asarray(picture.convert("RGBA"))


def _size(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"
