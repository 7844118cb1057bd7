"""What each way of inpainting says on the page, and which fields it reads: the others are hidden. Knows the fields, not the layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.studio import Studio
from studio.tasks import MODES, Inpaint
from tabs import _models

HINTS = {
    "fill": "Paint over a part and say what should be there.",
    "refine": "Paint over a part that is nearly right; it is redrawn a little, in its own shapes.",
    "background": "Paint over the object to keep; everything else is replaced.",
    "outpaint": "Say how far the picture should grow; a prompt is optional.",
    "erase": "Paint over what should vanish; no prompt is needed.",
    "redraw": "Say what the picture should become; the whole of it is redrawn, or the part that you mark.",
    "instruct": "Say what to change, as you would to a person; a mark limits it.",
}
UNREAD: Mapping[str, Sequence[str]] = {
    "erase": ("prompt", "negative_prompt", "strength", "steps", "guidance_scale", "scheduler", "prefill"),
}
"""Fields that a mode has no use for."""
TUNED = ("negative_prompt", "strength", "steps", "guidance_scale", "scheduler", "prefill")
"""Fields that come and go with the mode and the model."""


def offered(studio: Studio) -> list[tuple[str, str]]:
    """The modes to choose from, with their titles: by instruction only where a model here takes one."""
    instructed = any(card.works(Inpaint.kind, "instruct") for card in studio.here(Inpaint.kind).values())
    return [(title, mode) for mode, title in MODES.items() if mode != "instruct" or instructed]


def asked(mode: str | None) -> tuple[Any, ...]:
    """The hint, and whether prompt, examples and sides are shown."""
    mode = mode or "fill"
    worded = "prompt" not in UNREAD.get(mode, ())
    return (
        f"<p>{HINTS.get(mode, '')}</p>",
        gr.Textbox(visible=worded),
        gr.Row(visible=worded),
        gr.Column(visible=mode == "outpaint"),
    )


def tuned(studio: Studio, mode: str | None, model: str | None, scheduler: str | None) -> list[Any]:
    """The fields of TUNED, each shown where the mode and the model that would be used do something with it.

    What the model cannot use is emptied too, since it would be refused.
    """
    mode = mode or "fill"
    try:
        card = _models.picked(studio, model or "", Inpaint.kind, mode)
    except StudioError:
        return [gr.skip()] * len(TUNED)
    shown: dict[str, dict[str, Any]] = {name: {"visible": name not in (*UNREAD.get(mode, ()), *card.ignores)} for name in TUNED}
    for name in {*card.ignores} & {*TUNED}:
        shown[name]["value"] = Inpaint.model_fields[name].default
    shown["scheduler"]["visible"] &= bool(card.schedulers)
    shown["scheduler"]["choices"] = [("Model's own", ""), *((name, name) for name in card.schedulers)]
    shown["scheduler"]["value"] = scheduler if scheduler in card.schedulers else ""
    return [gr.update(**shown[name]) for name in TUNED]
