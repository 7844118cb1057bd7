"""Selecting by models: what the mask editor asks of the studio, and what it says where no such model is here. Knows no editor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.creations import Progress
from studio.errors import InvalidInput, ModelUnavailable
from studio.models import ModelCard
from studio.studio import GUEST
from studio.tasks import Select
from studio.zero import ZeroStudio
from tabs import _owners, _streams

if TYPE_CHECKING:
    from studio.inpaint.read import Pixels
    from tabs._form import Desk

Box = tuple[int, int, int, int]

NONE = "This studio has no model that finds things by their names: paint them, or draw a shape around them."


class Selecting:
    """What models of one studio can find in pictures. Thread-safe."""

    def __init__(self, desk: Desk) -> None:
        self._studio = desk.studio

    def reason(self) -> str:
        """Why nothing can be selected by its name, in a sentence that says what to do; '' where it can."""
        if self._here("named"):
            return ""
        card = next((card for card in self._studio.cards if card.works(Select.kind, "named")), None)
        if card is None or self._studio.settings.public:
            return NONE
        facts = f"{card.name} ({card.licence}{f', {card.download_gb:g} GB' if card.download_gb else ''})"
        if self._studio.settings.offline:
            return f"To select by name, start the studio without --offline and download {facts} in the Models tab first."
        return f"To select by name, download {facts} in the Models tab first."

    def named(self, path: Path, name: object, request: Any) -> Pixels:
        """(H, W) uint8: the mask of what has that name, or one of several with commas between them; sharper where a model for that is here.

        Raises StudioError in words, and Cancelled once the browser session's runs are stopped.
        """
        if reason := self.reason():
            raise ModelUnavailable(reason)
        if not isinstance(name, str) or not name.strip():
            raise InvalidInput("Say what to select, such as “dog” or “red car”.", "name")
        rough = self._asked(Select.checked({"image": str(path), "name": name}), request)
        if not self._here("subject"):
            return rough
        from studio.inpaint.refining import refined

        return refined(rough, lambda box: self._asked(Select.checked({"image": str(path), "box": box}), request))

    def subject(self, path: Path, box: Box | None, request: Any) -> Pixels | None:
        """The mask of the main thing, inside `box` where one is given; None where no model for it is here."""
        return self._asked(Select.checked({"image": str(path), "box": box}), request) if self._here("subject") else None

    def by_hand(self, find: Callable[[Callable[[float], None]], dict[str, Any]], request: Any) -> dict[str, Any]:
        """What `find` answers without a model; it reports the share done (0 to 1). Raises Cancelled once the session's runs are stopped."""
        owner, session, _ = self._whose(request)
        return self._studio.aside(lambda report: find(lambda done: report(Progress("running", done, 1))), owner, session, "select")

    def _here(self, way: str) -> list[ModelCard]:
        """The models on this machine. A GPU that is lent for a run is not there for a look."""
        if isinstance(self._studio, ZeroStudio):
            return []
        return [card for card in self._studio.here(Select.kind).values() if card.works(Select.kind, way)]

    def _asked(self, task: Select, request: Any) -> Pixels:
        """One look, as a run of the browser session that asks: its Stop ends it."""
        return self._studio.select(task, *self._whose(request)).pixels

    def _whose(self, request: Any) -> tuple[str, str, str]:
        """Owner, browser session and network address of who asks."""
        owner = _owners.owner_of(request) if request is not None else ""
        session = str(_owners.scope_of(request).get(_streams.SESSION, ""))
        address = _owners.from_where(request) if request is not None else ""
        return owner or (GUEST if self._studio.settings.public else "local"), session, address
