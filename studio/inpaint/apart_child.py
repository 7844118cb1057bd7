"""The child process of `apart`: decodes one picture with bounded memory, and writes its pixels and what there is to say.

Ends when its standard input closes, so that it never outlives the studio.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from studio import child
from studio.errors import InvalidInput, MediaUnreadable
from studio.inpaint.read import decode_mask, decode_picture

MEMORY = 3 << 30
"""Bytes that the child may take, with its libraries."""
OUTPUT = 512 << 20


def main(field: str, source: str, folder: str, width: str, height: str) -> int:
    """Decode `source` as the picture or the mask and write what it holds into `folder`, or why it cannot be used."""
    child.end_with_parent()
    child.bound(MEMORY, OUTPUT)
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


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
