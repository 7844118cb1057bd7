"""The child process of `apart`: decodes one picture with bounded memory, and writes its pixels and what there is to say.

Ends when its standard input closes, so that it never outlives the studio.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from pathlib import Path

import numpy as np

from studio.errors import InvalidInput, MediaUnreadable
from studio.inpaint.read import decode_mask, decode_picture

MEMORY = 3 << 30
"""Bytes that the child may take, with its libraries."""
OUTPUT = 512 << 20


def main(field: str, source: str, folder: str, width: str, height: str) -> int:
    """Decode `source` as the picture or the mask and write what it holds into `folder`, or why it cannot be used."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit()
    target, said = Path(folder), {"failed": "", "unreadable": False, "notes": (), "suffix": "", "profile": False}
    try:
        if field == "image":
            found = decode_picture(Path(source))
            pixels, said["notes"], said["suffix"], said["profile"] = found.pixels, found.notes, found.suffix, found.icc is not None
            (target / "profile.icc").write_bytes(found.icc or b"")
        else:
            pixels, said["notes"] = decode_mask(Path(source), (int(width), int(height)))
        np.save(target / "pixels.npy", pixels)
    except InvalidInput as error:
        said |= {"failed": str(error), "unreadable": isinstance(error, MediaUnreadable)}
    except MemoryError:
        said |= {"failed": "This picture needs more memory than a picture should: make it smaller first."}
    (target / "found.json").write_text(json.dumps(said), "utf-8")
    return 0


def _limit() -> None:
    """Where the system can keep to it."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT, OUTPUT))


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
