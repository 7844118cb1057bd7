"""The child process of `apart`: decodes one sound with bounded memory, and writes its samples or why it cannot be used.

Ends when its standard input closes, so that it never outlives the studio.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from studio import child
from studio.errors import MediaUnreadable
from studio.music.decoding import decoded, whole

MEMORY = 4 << 30
"""Bytes that the child may take, with its libraries: ten minutes of stereo at 192 kHz, twice."""
OUTPUT = 1 << 30


def main(source: str, folder: str, limit_seconds: str, way: str) -> int:
    """Decode `source` and write what it holds into `folder`; the `way` is "", "beginning", or "whole": whether it decodes, and no more."""
    child.end_with_parent()
    child.bound(MEMORY, OUTPUT)
    said = {"failed": "", "rate": 0}
    try:
        if way == "whole":
            whole(Path(source))
        else:
            found = decoded(Path(source), float(limit_seconds), beginning=way == "beginning")
            said["rate"] = found.rate
            np.save(Path(folder) / "samples.npy", found.samples)
    except MediaUnreadable as error:
        said["failed"] = str(error)
    except MemoryError:
        said["failed"] = "This sound needs more memory than a sound should: cut out the part that matters and use that."
    (Path(folder) / "found.json").write_text(json.dumps(said), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
