"""A run as the page follows it: moments for a tab to draw, and the line of progress beside them. Knows no form and no single tab."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.attempts import FACT
from studio.creations import Creation, Event, Preview, Progress
from studio.tasks import Task
from tabs import _status

PAUSE = 0.15
"""Seconds between two moments that show nothing new but how far it is: each one costs the page a search through all of its parts."""

ITEMS = {"picture": "Picture", "sound": "Take"}
"""What one of several results is called, by medium."""


@dataclass(frozen=True)
class Shown:
    """A moment of a run for a tab to draw: whose it is, what is finished, the newest preview, and whether the run is over.

    A preview of sound is shown once; `heard` counts the samples of its item before it, and `run` is an id that no other run has.
    """

    request: gr.Request
    asked: Task
    creations: tuple[Creation, ...]
    preview: Preview | None
    over: bool
    run: str
    heard: int = 0


class Run:
    """One run as the page follows it: iterating yields a `Shown` for what is new; `stage()` is the progress beside it.

    `age` is for how many seconds it had gone on before, `begun` whether it was let in.
    """

    def __init__(self, asked: Task, events: Iterator[Event], request: gr.Request, age: float = 0) -> None:
        self._asked = asked
        self._request = request
        self._events = events
        self._creations: tuple[Creation, ...] = ()
        self._preview: Preview | None = None
        self._heard: dict[int, int] = {}
        self._id = secrets.token_hex(8)
        self._progress = Progress("waiting")
        self._began = time.monotonic() - age
        self._marks: tuple[float, float] | None = None
        self._over = False
        self.begun = False

    def __iter__(self) -> Iterator[Shown]:
        shown = 0.0
        for event in self._events:
            self.begun = True
            at_once = False
            match event:
                case Creation():
                    self._creations += (event,)
                    self._preview = None
                    at_once = True
                case Preview():
                    self._preview = event
                    at_once = event.sound is not None  # each is heard once
                case Progress():
                    if event.phase != self._progress.phase:
                        self._marks = None
                        at_once = True
                    self._progress = event
            if at_once or time.monotonic() - shown >= PAUSE:
                yield self._moment()
                shown = time.monotonic()
        self._over = True
        yield self.ended()

    def _moment(self) -> Shown:
        preview = self._preview
        if preview is None or preview.sound is None:
            return Shown(self._request, self._asked, self._creations, preview, over=False, run=self._id)
        self._preview = None
        before = self._heard.get(preview.item, 0)
        self._heard[preview.item] = before + preview.sound.samples.shape[1]
        return Shown(self._request, self._asked, self._creations, preview, over=False, run=self._id, heard=before)

    def ended(self) -> Shown:
        """The last moment, also of a run that was stopped."""
        return Shown(self._request, self._asked, self._creations, None, over=True, run=self._id)

    def stage(self) -> str:
        """The progress as HTML; at the end one closing line."""
        if self._over:
            took = f"{time.monotonic() - self._began:.1f} s"
            notes = [str(note) for c in self._creations for note in _list(_facts(c).get("notes"))]
            ways = [f"Made in less memory: {way}." for way in (str(_facts(c).get(FACT) or "") for c in self._creations) if way]
            return _status.message(" ".join([f"Done in {took}.", *dict.fromkeys([*ways, *notes])]))
        pixels = self._preview.pixels if self._preview is not None else None
        return _status.progress(self._progress, self._left(), pixels, ITEMS.get(self._asked.medium, "Picture"))

    def stopped_words(self) -> str:
        """What a stopped run left behind."""
        made = len(self._creations)
        return "Stopped." if not made else f"Stopped; {made} finished result{'s are' if made > 1 else ' is'} kept."

    def _left(self) -> float | None:
        """Seconds until the end at the pace since the phase began; None until two seconds have shown one."""
        event, now = self._progress, time.monotonic()
        if event.phase not in ("running", "downloading") or not event.total:
            return None
        done = event.item - 1 + event.done / event.total if event.unit != "bytes" else event.done / event.total
        of = event.items if event.unit != "bytes" else 1
        if self._marks is None:
            self._marks = (now, done)
        since, start = self._marks
        if now - since < 2 or done <= start:
            return None
        return (of - done) * (now - since) / (done - start)


def _facts(creation: Creation) -> Mapping[str, Any]:
    facts = creation.record.get("facts")
    return facts if isinstance(facts, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
