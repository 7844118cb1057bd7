"""The library's box "Search by meaning": which models find what means the same, and the button that fetches each. Knows no search."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio import embedding, senses
from studio.creations import Progress, Report
from studio.errors import Cancelled, StudioError
from studio.models import ModelCard
from studio.stocking import CHOSEN
from studio.stream import Stream
from studio.studio import Studio
from tabs import _status
from tabs._form import PRIVATE, QUIET, Desk

INTRO = (
    "“By meaning” finds what means the same in other words. Each model below is fetched once and runs on this machine alone; what was "
    "made is looked through while nothing else runs."
)
STOPPED = "Download stopped; what was fetched is kept for the next try."


@dataclass(frozen=True)
class _Finder:
    """One model: what it finds, whether it is here, and what brings it."""

    finds: str
    card: ModelCard
    here: Callable[[Studio], bool]
    fetch: Callable[[Studio, Report], None]


def _sensed(finds: str, card: ModelCard) -> _Finder:
    return _Finder(
        finds, card, lambda studio: senses.here(card, studio.places), lambda studio, say: senses.fetch(card, studio.places, say, force=True)
    )


FINDERS = (
    _Finder(
        "prompts and texts",
        embedding.CARD,
        lambda studio: embedding.here(studio.places),
        lambda studio, say: embedding.fetch(studio.places, say, force=True),
    ),
    _sensed("pictures", senses.SIGHT),
    _sensed("sounds", senses.HEARING),
)


def build(desk: Desk) -> None:
    """Lay out the box, folded."""
    with gr.Accordion("Search by meaning", open=False, elem_classes="finders"):
        gr.HTML(_status.note(INTRO), padding=False, elem_classes="quiet")
        shown: list[Any] = []
        for finder in FINDERS:
            shown.append(gr.HTML(padding=False, elem_classes="quiet"))
            shown.append(gr.Button(f"Download what finds {finder.finds}", size="sm", visible=False))
        with gr.Row(elem_classes="making"):
            stage = gr.HTML(elem_classes="status", padding=False)
            stop = gr.Button("Stop", elem_classes="stop", size="sm", min_width=80, visible=False)
    bringing = [
        shown[2 * place + 1].click(_bringer(desk, finder), None, [stage, stop, *shown], concurrency_limit=1, **PRIVATE)
        for place, finder in enumerate(FINDERS)
    ]
    stop.click(lambda: (_status.message(STOPPED, "stopped"), gr.Button(visible=False)), None, [stage, stop], cancels=bringing, **QUIET)
    desk.demo.load(lambda: states(desk.studio), None, shown, **QUIET)


def states(studio: Studio) -> list[Any]:
    """For each model what is known of it, and its button where it can be fetched."""
    allowed = not studio.settings.public and not studio.settings.offline
    found: list[Any] = []
    for finder in FINDERS:
        here = finder.here(studio)
        words = f"{finder.card.name} finds {finder.finds}{' and is on this machine' if here else ': not on this machine yet'}."
        found += [_status.note(words) + _status.card_facts(finder.card, here), gr.Button(visible=allowed and not here)]
    return found


def _bringer(desk: Desk, finder: _Finder) -> Callable[[], Iterator[tuple[Any, ...]]]:
    def bring() -> Iterator[tuple[Any, ...]]:
        studio, keep = desk.studio, (gr.skip(),) * (2 * len(FINDERS))
        if studio.settings.public:  # the button is not shown there; the event is there all the same
            yield _status.message(CHOSEN, "error"), gr.skip(), *keep
            return
        began = time.monotonic()
        stream = Stream(lambda stream: finder.fetch(studio, stream.report), name=f"download {finder.card.name}")
        try:
            for event in stream:
                if isinstance(event, Progress):
                    rate = event.done / max(time.monotonic() - began, 0.1)
                    left = (event.total - event.done) / rate if rate and event.total else None
                    yield _status.progress(event, left), gr.Button(visible=True), *keep
        except Cancelled:
            yield _status.message(STOPPED, "stopped"), gr.Button(visible=False), *keep
        except StudioError as error:
            yield _status.message(str(error), "error"), gr.Button(visible=False), *keep
        else:
            studio.noticing.wake()
            yield _status.message(f"{finder.card.name} is on this machine now."), gr.Button(visible=False), *states(studio)

    return bring
