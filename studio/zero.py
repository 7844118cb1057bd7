"""ZeroGPU, where the Hub lends a GPU for seconds at a time: a few models are loaded at the start, and one worker runs them all.

The worker is a forked process that the Hub's package makes; what goes there and comes back is pickled, and what is loaded there is lost.
The starters stay on the CPU of this process and use up nobody's GPU time. Facts: the source of the package `spaces` 0.51. Knows neither
that package nor Gradio: app.py hands its decorator in, and errors are told by their titles.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Generator, Iterator, Set
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from studio import models
from studio.creations import Media, Preview, Progress, Report
from studio.device import Device
from studio.errors import Busy, ModelUnavailable, Refused, StudioError
from studio.library import Library
from studio.manager import Manager
from studio.models import ModelCard
from studio.pinned import Pinned
from studio.recipes import Pipeline, Recipe
from studio.residency import Plan
from studio.sending import Failure, Took, sent
from studio.settings import Settings
from studio.stocking import LENT_GB, chosen
from studio.studio import Studio
from studio.tasks import Task
from studio.warming import least

log = logging.getLogger("atelier")

FIRST = 60
"""Seconds asked for while nothing was measured: what the Hub takes where nobody says."""

SHORTEST, LONGEST = 5, 120
"""Seconds to ask for. Who asks for less waits less; nobody without an account has more than two minutes a day."""

_AFAR: ContextVar[bool] = ContextVar("afar", default=False)

Dispatch = Callable[[str, Task, int], Generator[object]]
"""(name of the card, resolved task, seconds asked for) to what the worker sends: events, media, `Failure`, `Took`."""

Decorate = Callable[..., Callable[[Dispatch], Dispatch]]
"""The package's decorator: `GPU(duration=f)`, where `f` gets the arguments of each call."""


@dataclass(frozen=True)
class Afar(Recipe):
    """A recipe that runs in the worker: it takes nothing of this machine."""


class Lending(Manager):
    """The manager of the CPU. Who runs in the worker passes it by: the Hub keeps that queue."""

    @contextmanager
    def lease(
        self,
        recipe: Recipe,
        task: Task,
        report: Report,
        *,
        owner: str = "",
        skip: Set[str] = frozenset(),
        told: Callable[[Plan], None] | None = None,
    ) -> Generator[Pipeline]:
        """As the manager's."""
        if not isinstance(recipe, Afar):
            with super().lease(recipe, task, report, owner=owner, skip=skip, told=told) as pipeline:
                yield pipeline
            return
        if told is not None:
            told(Plan(0, (), 0))
        mark = _AFAR.set(True)
        try:
            yield recipe.build({})
        finally:
            _AFAR.reset(mark)


class Both(Device):
    """The CPU of this process; by name also the GPU, for what comes from there."""

    @property
    def name(self) -> str:
        """Where the run of this thread takes place."""
        return "ZeroGPU" if _AFAR.get() else super().name


class Lent(Device):
    """The GPU that is lent: the package keeps what is loaded for it, and this process has no GPU to keep weights ready for."""

    @cached_property
    def pinned(self) -> Pinned | None:
        """Nothing."""
        return None


class ZeroStudio(Studio):
    """A studio whose larger models run on the GPU that is lent: `lend` makes it so, once, in the main thread, before the page is served."""

    def __init__(self, settings: Settings, cards: tuple[ModelCard, ...], device: Device, manager: Manager, library: Library) -> None:
        manager.close()
        here = Both("cpu", device.budget_gb)
        super().__init__(settings, cards, here, Lending(here, settings.idle_minutes * 60), library)
        self._gpu = Lent("cuda", LENT_GB)
        self._lent: dict[str, ModelCard] = {}
        self._values: dict[str, Any] = {}
        self._took: dict[str, tuple[float, Task]] = {}
        self._process = os.getpid()
        self._dispatch: Dispatch = self.work

    def lend(self, decorate: Decorate) -> None:
        """Fetch the owner's models and load them where the package looks for them; what is loaded after this is lost in the worker.

        Raises DownloadFailed, ModelUnsafe, NotEnoughMemory, and InvalidInput for a list that a public studio does not take.
        """
        for card in chosen(self.cards, self.settings):
            if card.starter:
                continue
            for _ in self.download(card.name, card.serves[0]):
                pass
            card = super().here(card.serves[0])[card.name]  # noqa: PLW2901  the same with its files
            for kind in card.serves:
                self._load(self._near(card, least(card, kind)))
            self._lent[card.name] = card
        self._dispatch = decorate(duration=_asked)(self.work)

    def recipe(self, card: ModelCard, task: Task, device: Device | None = None) -> Recipe:
        """As the studio's; for a lent model one that runs in the worker."""
        if card.name not in self._lent:
            return super().recipe(card, task, device)
        return Afar({}, lambda _: lambda task, report: self._run(card, task, report), lambda _: 0)

    def card_for(self, task: Task) -> ModelCard:
        """The card this task gets now: without a name the best of the lent ones, else a starter."""
        here = self.here(task.kind)
        if not here and self._lent:
            raise ModelUnavailable("The owner of this Space added no model for this: the other tabs work all the same.")
        return models.choose(task, self.cards, here, lambda: int(LENT_GB * 1e9))

    def here(self, kind: str) -> dict[str, ModelCard]:
        """The lent models and the starters; where any are lent, no llama.cpp: it is never loaded before a fork."""
        near = {name: card for name, card in super().here(kind).items() if card.starter and not (self._lent and card.engine == "gguf")}
        return near | {card.name: card for card in self._lent.values() if kind in card.serves}

    def seconds(self, card: ModelCard, task: Task) -> int:
        """Seconds of GPU time to ask for: a quarter more than a run of this size took, 60 before the first."""
        if card.name not in self._took:
            return FIRST
        took, before = self._took[card.name]
        now, then = self.estimate(task), self.estimate(before)
        return max(SHORTEST, min(LONGEST, round(1.25 * took * (now / then if now and then else 1)) + 3))

    def lending(self, asked: Task) -> int:
        """What a run would use up of a visitor's GPU time, in seconds; 0 where it runs on the CPU."""
        card = self.card_for(asked)
        return self.seconds(card, models.resolve(asked, card)) if card.name in self._lent else 0

    def work(self, name: str, task: Task, _seconds: int) -> Generator[object]:
        """In the worker: what the model reports and makes, as `sending.sent` tells it. The last argument is for the package."""
        if os.getpid() != self._process and (torch := sys.modules.get("torch")) is not None:
            torch.set_num_threads(1)  # a second thread of OpenMP would wait for ever in a forked process
        recipe = self._near(self._lent[name], task)
        if recipe.sizes.keys() - self._values.keys():
            yield Failure(
                ModelUnavailable(f"{name} was not loaded for this when the Space started: choose another model or way of working.")
            )
            return
        values = {role: self._values[part.key] for role, part in recipe.components.items()}
        yield from sent(lambda: recipe.build(values), task)

    def _near(self, card: ModelCard, task: Task) -> Recipe:
        """The engine's own recipe, on the GPU."""
        return self._engines[card.engine].recipe(card, task, self._gpu)

    def _load(self, recipe: Recipe) -> None:
        for part in recipe.components.values():
            if part.key not in self._values:
                self._values[part.key] = part.load(lambda _: None)

    def _run(self, card: ModelCard, task: Task, report: Report) -> Iterator[Media]:
        """Here: the run in the worker, as a pipeline of this process."""
        report(Progress("waiting", note="for the GPU"))
        coming = self._dispatch(card.name, task, self.seconds(card, task))
        try:
            while True:
                try:
                    event = next(coming)
                except StopIteration:
                    return
                except Exception as error:  # noqa: BLE001  what the package raises has no class of its own
                    raise _told(error, self._instead(task)) from None
                match event:
                    case Progress() | Preview():
                        report(event)
                    case Took():
                        self._took[card.name] = (event.seconds, task)
                    case Failure():
                        raise event.error
                    case _:
                        yield event  # pyright: ignore[reportReturnType]
        finally:
            coming.close()

    def _instead(self, task: Task) -> str:
        """What could do the same without a GPU."""
        free = next((card.name for card in super().here(task.kind).values() if card.starter and card.knows(task)), "")
        return f" {free} needs no GPU and uses up none of your time." if free else ""


def _asked(_name: str, _task: Task, seconds: int) -> int:
    """The duration of a call, from its own arguments."""
    return seconds


_WORDS: dict[str, tuple[type[StudioError], str]] = {
    "ZeroGPU quota exceeded": (Busy, "Your GPU time for now is used up: sign in to the Hub for more, ask for less, or try again later."),
    "ZeroGPU pending credits exceeded": (Busy, "Your other runs hold all of your GPU time: wait until one has ended."),
    "ZeroGPU illegal duration": (
        Refused,
        "This would take longer than a GPU is lent at once: choose fewer steps, fewer results or a smaller size.",
    ),
    "ZeroGPU queue timeout": (Busy, "No GPU became free within a minute: try again in a few minutes."),
    "ZeroGPU client error": (Busy, "No GPU is to be had at the moment: try again in a few minutes."),
    "ZeroGPU worker error": (Busy, "The GPU was taken back before this was done: choose fewer steps, fewer results or a smaller size."),
}
"""What the package's titles mean, and what to do."""


def _told(error: Exception, instead: str) -> Exception:
    """The package's error in words; anything else is a bug and stays as it is."""
    kind, words = _WORDS.get(str(getattr(error, "title", "")), (None, ""))
    if kind is None:
        return error
    log.warning("the lent GPU refused a run: %s", getattr(error, "message", error))
    return kind(words + instead)
