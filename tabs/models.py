"""The models tab: what is in memory, what came and went, and every model there is, with its download."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr

from studio.creations import Progress
from studio.errors import Cancelled, StudioError
from studio.studio import Studio
from tabs import _asking, _licences, _residents, _status
from tabs._form import PRIVATE, QUIET, Desk

NAME = "Models"
TASK = None
ACCEPTS: Mapping[str, str] = {}

LOOK = 3000
"""Milliseconds between two looks at the memory while the tab is open."""

_PRESSED = """
element.addEventListener("click", (event) => {
  const pressed = event.target.closest("[data-act]");
  if (pressed) trigger("act", { ...pressed.dataset });
});
"""
_LOOKING = (
    _PRESSED
    + f"""
const look = () => {{
  if (!element.isConnected) clearInterval(clock);
  else if (element.offsetParent && !document.hidden) trigger("look");
}};
const clock = setInterval(look, {LOOK});
let focused = null;
element.addEventListener("focusin", (event) => {{ focused = {{ ...event.target.dataset }}; }});
element.addEventListener("focusout", (event) => {{ if (event.relatedTarget) focused = null; }});
watch("value", () => requestAnimationFrame(() => {{
  if (!focused?.key || element.contains(document.activeElement)) return;
  const same = [...element.querySelectorAll("[data-key]")].filter((one) => one.dataset.key === focused.key);
  (same.find((one) => one.dataset.act === focused.act) ?? same[0])?.focus();
}}));
"""
)
STOPPED = "Stopped; what was fetched is kept for the next try."


class Panel(gr.HTML):
    """HTML whose buttons tell what they are for. Events: `.act` with the button's data, `.look` from time to time while it is seen."""

    def __init__(self, script: str, **options: Any) -> None:
        super().__init__(js_on_load=script, padding=False, **options)


def build(desk: Desk) -> None:
    """Lay out the tab."""
    keeper = _Keeper(desk.studio)
    with gr.Column(elem_classes="models"):
        gr.HTML("<h2>In memory</h2>", padding=False)
        memory = Panel(_LOOKING, elem_classes="memory-now")
        clear = gr.Button("Unload all", size="sm", visible=keeper.own, min_width=110, elem_classes="clear")
        with gr.Accordion("What came and went", open=False):
            moments = gr.HTML(padding=False)
        gr.HTML("<h2>All models</h2>", padding=False)
        with gr.Row(elem_classes="making"):
            stage = gr.HTML(elem_classes="status", padding=False)
            stop = gr.Button("Stop", elem_classes="stop", size="sm", min_width=80, visible=False)
        known = Panel(_PRESSED, elem_classes="known-models")
        _licences.build(desk)
    seen = [memory, moments]
    desk.demo.load(lambda: (*keeper.now(), keeper.listed()), None, [*seen, known], **QUIET)
    memory.look(keeper.now, None, seen, trigger_mode="always_last", **QUIET)
    memory.act(keeper.act, None, seen, trigger_mode="multiple", **QUIET)
    clear.click(keeper.unload, None, seen, **QUIET)
    making = known.act(keeper.bring, None, [stage, stop, *seen, known], trigger_mode="once", concurrency_limit=2, **PRIVATE)
    stop.click(lambda: (_status.message(STOPPED, "stopped"), gr.Button(visible=False)), None, [stage, stop], cancels=[making], **QUIET)


class _Keeper:
    """What a visitor sees of the models, and what the studio's owner may do to them: nothing of it in a public studio."""

    def __init__(self, studio: Studio) -> None:
        self.own = not studio.settings.public
        self._studio = studio

    def now(self) -> tuple[str, str]:
        """What is in memory, and what came and went."""
        manager = self._studio.manager
        memory = "".join(_residents.memory(status, own=self.own) for status in manager.statuses())
        return memory, _residents.moments(manager.status().moments)

    def listed(self) -> str:
        """Every model."""
        kinds = {kind for card in self._studio.cards for kind in card.serves}
        here = {name: card for kind in kinds for name, card in self._studio.here(kind).items()}
        return _residents.cards(self._studio.cards, here, own=self.own, fetching=not self._studio.settings.offline)

    def act(self, event: gr.EventData) -> tuple[str, str]:
        """Unload, pin or release one component."""
        data = _asking.told(event)
        asked, key = _asking.words_of(data, "act"), _asking.words_of(data, "key")
        if self.own and key and asked == "drop":
            self._studio.manager.unload(key)
        elif self.own and key and asked in ("pin", "free"):
            self._studio.manager.pin(key, asked == "pin")
        return self.now()

    def unload(self) -> tuple[str, str]:
        """Unload all that no run uses."""
        if self.own:
            self._studio.manager.unload()
        return self.now()

    def bring(self, event: gr.EventData) -> Iterator[tuple[Any, ...]]:
        """Download a model, or load it: the line of progress, the Stop button, the memory, and the list."""
        data, keep = _asking.told(event), (gr.skip(),) * 3
        name, kind, asked = (_asking.words_of(data, part) for part in ("name", "kind", "act"))
        if not self.own:
            yield _status.message("The models of a public studio are chosen by its owner.", "error"), gr.skip(), *keep
            return
        began = time.monotonic()
        try:
            events = self._studio.download(name, kind, force=True) if asked == "fetch" else self._studio.warm(name, kind)
            for moment in events:
                if isinstance(moment, Progress):
                    yield _status.progress(moment), gr.Button(visible=True), *keep
            done = f"{name} is {'on this machine' if asked == 'fetch' else 'in memory'} now ({time.monotonic() - began:.1f} s)."
            yield _status.message(done), gr.Button(visible=False), *self.now(), self.listed()
        except Cancelled:
            yield _status.message(STOPPED, "stopped"), gr.Button(visible=False), *self.now(), gr.skip()
        except StudioError as error:
            yield _status.message(str(error), "error"), gr.Button(visible=False), *self.now(), gr.skip()
