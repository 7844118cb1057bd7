"""What a public studio has on its shelf: the models that its owner chose, fetched when it starts and never at a visitor's click.

Knows cards and downloads; knows no page.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator

from studio import models, sources
from studio.creations import Event
from studio.errors import Cancelled, InvalidInput, StudioError
from studio.models import Address, Bundled, Hub, ModelCard, Package, Source
from studio.settings import Settings, on_zero_gpu

log = logging.getLogger("atelier")

LENT_GB = 45.0
"""What models may take together where a GPU is lent (ZeroGPU): above 45.1 GB each second counts twice."""

CHOSEN = "The models of a public studio are chosen by its owner: choose one of those that are here."
"""What a visitor is told who asks for a download."""


def admitted(cards: Iterable[ModelCard]) -> tuple[ModelCard, ...]:
    """The owner's own cards, for a studio that strangers use: what they name cannot change, and lies nowhere but in the cache.

    Raises InvalidInput for a folder or file of the machine, a service elsewhere, or a repository without its commit.
    """
    taken = tuple(cards)
    for card in taken:
        for source in (card.source, *card.companions.values()):
            if not isinstance(source, Bundled | Package | Hub | Address):
                raise InvalidInput(
                    f"{card.name} lies in a folder, a file or a service, which a public studio does not use: {_REPOSITORY}", "models"
                )
            if isinstance(source, Hub) and source.revision is None:
                raise InvalidInput(f"{card.name} names no commit, and what it is could change: {_REPOSITORY}", "models")
    return taken


def chosen(cards: Iterable[ModelCard], settings: Settings) -> tuple[ModelCard, ...]:
    """The cards to have here from the start: those named by --preload; in a public studio also those of its --models file.

    Raises InvalidInput for a name that no card has, and for a card that a public studio does not take.
    """
    known = {card.name.casefold(): card for card in cards}
    names = [name.strip().casefold() for name in settings.preload.split(",") if name.strip()]
    if missing := [name for name in names if name not in known]:
        raise InvalidInput(f"--preload names {missing[0]}, and there is no such model: `python -m studio models` lists them.", "preload")
    own = admitted(models.read_cards(settings.models)) if settings.public and settings.models is not None else ()
    return tuple({card.name: card for card in (*own, *(known[name] for name in names))}.values())


def offered(cards: Iterable[ModelCard], settings: Settings, memory: Callable[[], int]) -> tuple[ModelCard, ...]:
    """The cards that a page shows: all of them at home; in a public studio those that are here or come by themselves, and fit.

    For a task that none of these serves all are shown, so that its tab says what is lacking. `memory` gives the bytes that models may
    take; it is asked only where a card needs comparing. Raises InvalidInput as `chosen` does.
    """
    every = tuple(cards)
    room = (lambda: int(LENT_GB * 1e9)) if on_zero_gpu() else memory
    if not settings.public:
        return every
    coming = {card.name for card in chosen(every, settings)}
    places = sources.Places(settings.assets, settings.cache, settings.home, settings.offline, settings.hub_caches)
    ours = [card for card in every if card.starter or card.name in coming or _lies_here(card.source, places)]
    fitting = [card for card in ours if card.starter or card.memory_gb is None or card.memory_gb * 1e9 <= room()]
    served = {kind for card in fitting for kind in card.serves}
    return tuple(card for card in every if card in fitting or not served & set(card.serves))


class Stock:
    """Fetches the chosen cards one after the other, in the background. `download(name, kind)` is the studio's own."""

    def __init__(self, cards: Iterable[ModelCard], download: Callable[[str, str], Iterator[Event]]) -> None:
        self._cards = tuple(cards)
        self._download = download

    def start(self) -> threading.Thread | None:
        """Begin; None where there is nothing to fetch."""
        if not self._cards:
            return None
        thread = threading.Thread(target=self.fetch, name="models of the owner", daemon=True)
        thread.start()
        return thread

    def fetch(self) -> None:
        """Fetch them all; what cannot be fetched is told in the log, and the others come all the same."""
        for card in self._cards:
            try:
                for _ in self._download(card.name, card.serves[0]):
                    pass
            except Cancelled:
                return
            except StudioError as error:
                log.warning("%s was not fetched: %s", card.name, error)
            except Exception:
                log.exception("fetching %s failed", card.name)
            else:
                log.info("%s is here", card.name)


_REPOSITORY = "name a repository of the Hub at a commit."


def _lies_here(source: Source, places: sources.Places) -> bool:
    """Whether a model is on this machine already, at a place that a public studio uses."""
    return isinstance(source, Bundled | Package | Hub | Address) and sources.locate(source, places) is not None
