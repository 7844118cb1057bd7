"""Enhance prompt: a writer makes the prompt longer; one press brings back what was typed. Knows no single tab: it is given the form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from studio import failures
from studio.creations import Preview, Progress
from studio.errors import Cancelled
from studio.tasks import Compose, TextToImage
from tabs import _owners, _status
from tabs._form import PRIVATE, QUIET, Form, log

LABEL, MISSING = "Enhance prompt", "{label} (no writer here yet)"
GIVEN = ("prompt", "style", "model")


def build(form: Form, label: str = LABEL) -> tuple[gr.Button, gr.Button]:
    """The two buttons below the prompt; `follow` wires them."""
    with gr.Row(elem_classes="chips enhance"):
        run = gr.Button(size="sm", elem_classes="chip", **_state(form, label))
        back = gr.Button("Back to my words", size="sm", elem_classes="chip", visible=False)
    return run, back


def follow(form: Form, buttons: tuple[gr.Button, gr.Button], stage: gr.HTML, label: str = LABEL) -> None:
    """Wire the buttons to the form's prompt."""
    names = [name for name in GIVEN if name in form.fields]
    run, back = buttons
    prompt, typed = form.fields["prompt"], gr.State("")

    def enhance(request: gr.Request, *values: Any) -> Iterator[Any]:
        words = values[0]
        keep = (gr.skip(),) * 3
        longer = ""
        try:
            asked = form.task.checked(dict(zip(names, values, strict=True)))
            assert isinstance(asked, TextToImage | Compose)
            for event in form.studio.enhance(asked, *form.owner(request), _owners.from_where(request)):
                if isinstance(event, Progress):
                    yield (*keep, _status.progress(event))
                elif isinstance(event, Preview) and event.text:
                    longer = event.text
            yield longer or gr.skip(), words, gr.Button(visible=True), _status.message("The prompt is longer; nothing is made yet.")
        except Cancelled:
            yield (*keep, _status.message("Stopped; your words are as you typed them.", "stopped"))
        except Exception as error:  # noqa: BLE001  the log has it; the page goes on
            yield (*keep, _status.message(failures.told(error, "enhancing a prompt", log).words, "error"))

    given = [form.fields[name] for name in names]
    outputs = [prompt, typed, back, stage]
    run.click(enhance, given, outputs, trigger_mode="once", **PRIVATE, **form.device_limits)
    back.click(lambda words: (words, gr.Button(visible=False), ""), typed, [prompt, back, stage], **QUIET)
    form.demo.load(lambda: gr.Button(**_state(form, label)), None, run, **QUIET)


def _state(form: Form, label: str) -> dict[str, Any]:
    """What the button says, and whether it can be pressed: only where a writer is on this machine."""
    here = bool(form.studio.here("write"))
    return {"value": label if here else MISSING.format(label=label), "interactive": here}
