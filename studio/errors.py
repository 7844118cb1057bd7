"""What can go wrong, in which words, and under which code. Knows nothing of tasks, models or the page.

    Exception
    ├── Cancelled               E520  the artist pressed Stop or left; raised inside a pipeline by its next report
    └── StudioError             E800  its message is a sentence for an artist that says what to do next
        ├── InvalidInput        E100  a field holds something it cannot hold; `field` names it
        │   └── MediaUnreadable E110  a file that is no readable picture, sound or text
        ├── Refused             E200  a rule of this deployment says no
        │   └── Withheld        E210  a result that may not be shown; nothing of it is kept
        ├── Busy                E300  too many runs wait
        ├── ModelUnavailable    E400  no such model, or it is not on this machine and may not be fetched now
        │   └── DownloadFailed  E403  fetching it did not work; what was fetched is kept for the next try
        ├── ModelUnsafe         E402  a model file that could run code, or is not what its card says
        ├── NotEnoughMemory     E500  the job does not fit this machine
        ├── DeviceLost          E501  the device stopped answering
        ├── Stalled             E510  a run that made no progress for too long
        ├── StorageFull         E600  no room on the disk; nothing half-written stays
        ├── StorageFailed       E601  the disk or the index cannot be read or written
        └── NotFound            E700  a creation, draft or preset that is not there (any more)

Anything that is not one of these is a bug (E900) and keeps its traceback in the log, under an id that the artist is told.
Programs that call the studio over HTTP get the code as the error's title; codes never change their meaning, sentences may.
"""

from __future__ import annotations

from typing import ClassVar

UNEXPECTED = "E900"
"""The code of everything that is no StudioError."""


class Cancelled(Exception):
    """Raised by `report(...)` inside a pipeline once the run was stopped; pipelines let it pass."""

    code: ClassVar[str] = "E520"


class StudioError(Exception):
    """A refusal or failure in words; `str(error)` is shown to the artist as it is, `code` is for programs and the log."""

    code: ClassVar[str] = "E800"


class InvalidInput(StudioError):
    """A value was refused before anything ran. `field` is the task's field name, or '' for the whole form."""

    code = "E100"

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class MediaUnreadable(InvalidInput):
    """An uploaded file could not be read as what it should be."""

    code = "E110"


class Refused(StudioError):
    """A rule of this deployment refuses the task. `rule` is the rule's id, '' where it has none."""

    code = "E200"

    def __init__(self, message: str, rule: str = "") -> None:
        super().__init__(message)
        self.rule = rule


class Withheld(Refused):
    """The result may not be shown here; it was not kept."""

    code = "E210"


class Busy(StudioError):
    """The queue is full."""

    code = "E300"


class ModelUnavailable(StudioError):
    """The model is unknown, or not on this machine."""

    code = "E400"


class DownloadFailed(ModelUnavailable):
    """A download did not work."""

    code = "E403"


class ModelUnsafe(StudioError):
    """A model file was refused because it could run code or differs from its checksum."""

    code = "E402"


class NotEnoughMemory(StudioError):
    """The job does not fit the memory budget."""

    code = "E500"


class DeviceLost(StudioError):
    """The device stopped answering; nothing runs on it until the studio is started again."""

    code = "E501"


class Stalled(StudioError):
    """The run made no progress for so long that it was given up."""

    code = "E510"


class StorageFull(StudioError):
    """The disk has no room for the result."""

    code = "E600"


class StorageFailed(StudioError):
    """The disk or the index refuses to be read or written."""

    code = "E601"


class NotFound(StudioError):
    """The asked-for thing does not exist for this owner."""

    code = "E700"


def code_of(error: BaseException) -> str:
    """The code that a program is told of any exception."""
    return error.code if isinstance(error, StudioError | Cancelled) else UNEXPECTED
