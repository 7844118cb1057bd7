"""Pictures that are no PNG, JPEG or WebP (TIFF, AVIF, GIF, BMP) are decoded in a child process with bounded memory and time.

What comes back is pixels and sentences: a decoder that is led astray ends a child, and the studio goes on. Knows no task and no model.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studio import fetching
from studio.errors import InvalidInput, MediaUnreadable

SECONDS = 30.0
"""Most that decoding one picture may take; 64 megapixels take two."""
_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"GIF8", b"BM")
_AVIF = (b"avif", b"avis", b"mif1", b"msf1")


@dataclass(frozen=True)
class Decoded:
    """What the child found: (H, W), (H, W, 3) or (H, W, 4) uint8, its profile, notes in sentences, the suffix of its true format."""

    pixels: NDArray[np.uint8]
    icc: bytes | None
    notes: tuple[str, ...]
    suffix: str


def needed(file: Path) -> bool:
    """Whether the file is of such a format, by its first bytes; a file that cannot be opened is of none."""
    try:
        with file.open("rb") as opened:
            start = opened.read(32)
    except OSError:
        return False
    return start.startswith(_STARTS) or (start[4:8] == b"ftyp" and any(brand in start[8:] for brand in _AVIF))


def decoded(file: Path, field: str, size: tuple[int, int] = (0, 0)) -> Decoded:
    """The picture (field "image") or the mask ("mask", for a picture of `size`) in a file. Raises as `read` does, in its sentences."""
    what = "picture" if field == "image" else "mask"
    with tempfile.TemporaryDirectory(prefix="atelier-picture-") as folder:
        command = fetching.python("studio.inpaint.apart_child", field, str(file.resolve()), folder, str(size[0]), str(size[1]))
        quiet = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        status, _ = fetching.run_child(command, _nothing, quiet, seconds=SECONDS, cwd=fetching.ROOT)
        found = Path(folder) / "found.json"
        if status is None:
            raise MediaUnreadable(f"The {what} took too long to read: save it as PNG or JPEG and use that.", field)
        if status != 0 or not found.exists():
            raise MediaUnreadable(f"The {what} file is damaged or cut short: choose another, or save it again first.", field)
        said = json.loads(found.read_text("utf-8"))
        if said["failed"]:
            raise (MediaUnreadable if said["unreadable"] else InvalidInput)(said["failed"], field)
        pixels = np.load(Path(folder) / "pixels.npy", allow_pickle=False)
        icc = (Path(folder) / "profile.icc").read_bytes() if said["profile"] else None
    return Decoded(pixels, icc, tuple(said["notes"]), said["suffix"])


def _nothing(news: str) -> None:
    """Nobody waits."""
