"""What can go wrong, and in which words. Knows nothing of tasks, models or the page.

    Exception
    ├── Cancelled               the artist pressed Stop or left; raised inside a pipeline by its next report
    └── StudioError             its message is a sentence for an artist that says what to do next
        ├── InvalidInput        a field holds something it cannot hold; `field` names it
        │   └── MediaUnreadable a file that is no readable picture, sound or text
        ├── Refused             a rule of this deployment says no
        ├── Busy                too many runs wait
        ├── ModelUnavailable    no such model, or it is not on this machine and may not be fetched now
        │   └── DownloadFailed  fetching it did not work; what was fetched is kept for the next try
        ├── ModelUnsafe         a model file that could run code, or is not what its card says
        ├── NotEnoughMemory     the job does not fit this machine
        ├── StorageFull         no room on the disk; nothing half-written stays
        └── NotFound            a creation, draft or preset that is not there (any more)

Anything that is not one of these is a bug and keeps its traceback.
"""


class Cancelled(Exception):
    """Raised by `report(...)` inside a pipeline once the run was stopped; pipelines let it pass."""


class StudioError(Exception):
    """A refusal or failure in words; `str(error)` is shown to the artist as it is."""


class InvalidInput(StudioError):
    """A value was refused before anything ran. `field` is the task's field name, or '' for the whole form."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class MediaUnreadable(InvalidInput):
    """An uploaded file could not be read as what it should be."""


class Refused(StudioError):
    """A rule of this deployment refuses the task."""


class Busy(StudioError):
    """The queue is full."""


class ModelUnavailable(StudioError):
    """The model is unknown, or not on this machine."""


class DownloadFailed(ModelUnavailable):
    """A download did not work."""


class ModelUnsafe(StudioError):
    """A model file was refused because it could run code or differs from its checksum."""


class NotEnoughMemory(StudioError):
    """The job does not fit the memory budget."""


class StorageFull(StudioError):
    """The disk has no room for the result."""


class NotFound(StudioError):
    """The asked-for thing does not exist for this owner."""
