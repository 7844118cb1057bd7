"""A timeline of segments for the music tab: drawn beside the text that holds it, with what it will cost. Knows no player and no engine."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.errors import InvalidInput, StudioError
from studio.music import segments
from studio.tasks import Compose
from tabs import _fields, _status
from tabs._form import QUIET, Form

_ATTACH = """
const attach = (tries) => window.atelierPlayer?.attachTimeline
  ? window.atelierPlayer.attachTimeline(element)
  : tries && setTimeout(() => attach(tries - 1), 50);
attach(200);
"""


def build(form: Form) -> gr.HTML:
    """The field of the timeline, drawn and as text; returns the line that says what it will cost."""
    gr.HTML(html_template='<div class="timeline"></div>', js_on_load=_ATTACH, apply_default_css=False, padding=False)
    text = form.add(
        "segments",
        _fields.text(
            Compose, "segments", lines=2, info="The same as text", placeholder="8: soft piano alone", elem_classes="segments-field"
        ),
    )
    text.change(None, text, js="(text) => window.atelierPlayer?.showTimeline?.(text)", api_visibility="private")
    return gr.HTML(elem_classes="quiet", padding=False)


def wire(form: Form, cost: gr.HTML) -> None:
    """Say what the timeline will cost, each time it, the model or the count of takes changes."""

    def told(text: Any, model: Any, count: Any) -> str:
        values = {"prompt": "x", "segments": text or "", "model": model or "", "count": count or 1}
        try:
            parts = segments.read(str(text or ""))
            asked = Compose.checked(values)
            seconds = form.studio.estimate(asked) if parts else None
        except InvalidInput as error:
            return _status.message(str(error), "error") if error.field == "segments" else ""
        except StudioError:
            return ""
        if not parts:
            return ""
        whole = sum(part.seconds for part in parts)
        if seconds is None:
            return _status.note("What it costs is known after the first run of this model here.")
        each = ", ".join(_status.duration(seconds * part.seconds / whole) for part in parts)
        return _status.note(f"All of it takes {_status.duration(seconds)} here; its segments one by one: {each}.")

    watched = [form.fields[name] for name in ("segments", "model", "count")]
    gr.on([field.change for field in watched], told, watched, cost, trigger_mode="always_last", **QUIET)
