"""What any exception means to an artist, to a program and to the log: known failures of libraries get their sentence, bugs an id.

Knows no page and no run.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
from typing import NamedTuple

from studio import shortage, storage
from studio.errors import UNEXPECTED, DeviceLost, NotEnoughMemory, StudioError, code_of

MARK = "told as "
"""What begins the note that an exception carries once it was given an id."""
LOST = (
    "device-side assert", "illegal memory access", "unspecified launch failure", "uncorrectable ecc", "gpu is lost", "device lost",
    "no cuda-capable device", "driver shutting down", "unknown error: cuda", "cuda error: unknown error", "command buffer exited",
)  # fmt: skip
"""What CUDA, its drivers and Metal say, in lower case, once a device answers nothing more until the program is started again."""
OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_BUG = "Something unexpected went wrong. Nothing you typed is lost: try again, or choose another model."


class Told(NamedTuple):
    """A sentence for an artist, and the code for programs."""

    words: str
    code: str


def explained(error: BaseException) -> StudioError | None:
    """The failure in words, for what a library raised and everybody may meet; None for a bug."""
    if isinstance(error, StudioError):
        return error
    if shortage.ran_out(error):
        return NotEnoughMemory("There was not enough memory for this: choose a smaller size or a smaller model.")
    if isinstance(error, RuntimeError) and any(words in str(error).lower() for words in LOST):
        return DeviceLost("The device stopped answering: start the studio again; `python -m studio doctor` says whether it is back.")
    if isinstance(error, OSError) and error.errno in OF_THE_DISK:
        return storage.disk_error(error.errno)
    return storage.index_error(error) if isinstance(error, sqlite3.DatabaseError) else None


def told(error: BaseException, what: str, log: logging.Logger) -> Told:
    """What is said of it, here and in the log. A bug is logged once with its traceback, under an id that the sentence names."""
    if (known := explained(error)) is not None:
        log.info("%s: %s %s", what, known.code, type(known).__name__)
        return Told(str(known), known.code)
    name = next((note.removeprefix(MARK) for note in getattr(error, "__notes__", ()) if note.startswith(MARK)), "")
    if not name:
        name = storage.new_id()[-8:]
        error.add_note(f"{MARK}{name}")
        log.error("%s: %s %s", what, UNEXPECTED, name, exc_info=error)
    return Told(f"{_BUG} The log has the details under {name}.", code_of(error))
