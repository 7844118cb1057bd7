"""What a component's own script asks of the studio: one request, who sent it, and its answer or one sentence instead.

Knows no component, and nothing of what may be asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import gradio as gr

from studio import failures
from tabs._form import Desk

log = logging.getLogger("atelier.page")

UNKNOWN = "The page asked for what this studio does not know: reload it and try again."


@dataclass(frozen=True)
class Visit:
    """One request: who asks, and what they sent. `seen` is whose creations and documents this visitor may see."""

    desk: Desk
    request: gr.Request
    data: Mapping[str, Any]

    @property
    def seen(self) -> tuple[str, str]:
        return self.desk.seen(self.request)

    def words(self, name: str) -> str:
        return words_of(self.data, name)


AnyVisit = TypeVar("AnyVisit", bound=Visit)


def answer(visit: AnyVisit, answers: Mapping[str, Callable[[AnyVisit], dict[str, Any]]]) -> dict[str, Any]:
    """What `answers` has for the request's `what`, or {error: one sentence}."""
    what = answers.get(visit.words("what"))
    return guarded(lambda: what(visit) if what else {"error": UNKNOWN})


def guarded(act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `act` gives, or {error: one sentence}."""
    try:
        return act()
    except gr.Error as error:
        return {"error": str(error.message)}
    except Exception as error:  # noqa: BLE001  the log has it; the page gets its sentence
        return {"error": failures.told(error, "a request of the page", log).words}


def told(event: gr.EventData) -> object:
    """What an event of such a component was sent with."""
    return event._data  # noqa: SLF001 (Gradio has no other name for it)


def words_of(data: object, name: str) -> str:
    """One text that a browser sent, '' if it is none."""
    value = data.get(name) if isinstance(data, Mapping) else None
    return value if isinstance(value, str) else ""
