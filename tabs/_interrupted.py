"""The line at the top of a tab: which run was interrupted by a crash, or failed after its page was left, and a press that runs it again.

Nothing runs again by itself.
"""

from __future__ import annotations

import secrets
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.journal import Job
from tabs import _scripts, _status
from tabs._form import QUIET, Form

SHOWN = 80
"""Characters of its prompt."""


class Interrupted:
    """Make it where it stands on the page; `wire` it once the form has its fields."""

    def __init__(self, form: Form) -> None:
        self._form = form
        with gr.Row(visible=False, elem_classes="interrupted") as self._row:
            self._words = gr.HTML(padding=False)
            self._again = gr.Button("Run again", size="sm", min_width=110, scale=0)
            self._dismiss = gr.Button("Dismiss", size="sm", min_width=90, scale=0)
        self._job = gr.State("")
        self._go = gr.Textbox(visible="hidden")

    def wire(self) -> None:
        """Show it when the page opens; a press fills the form, and runs it where it needs no file."""
        line = [self._row, self._words, self._again, self._job]
        self._form.demo.load(self._newest, None, line, **QUIET)
        self._again.click(self._refill, self._job, [*self._form.fields.values(), self._go, *line], **QUIET)
        self._go.change(None, self._go, js=f"(go) => {{ if (go) ({_scripts.RUN})(); }}", api_visibility="private")
        self._dismiss.click(self._dismissed, self._job, line, **QUIET)

    def _newest(self, request: gr.Request) -> tuple[Any, ...]:
        jobs = self._jobs(request)
        if not jobs:
            return gr.Row(visible=False), "", gr.skip(), ""
        label = "Use these settings" if self._files(jobs[0]) else "Run again"
        return gr.Row(visible=True), _status.message(self._told(jobs[0])), gr.Button(label), jobs[0].id

    def _refill(self, id: str, request: gr.Request) -> tuple[Any, ...]:
        fields = self._form.fields
        job = next((job for job in self._jobs(request) if job.id == id), None)
        if job is None:
            return (*(gr.skip(),) * (len(fields) + 1), *self._newest(request))
        try:
            values = self._form.task.checked({name: value for name, value in job.task.items() if name in self._form.task.model_fields})
        except StudioError as error:
            raise gr.Error(str(error), print_exception=False) from None
        taken = [gr.skip() if name in values.files else _plain(getattr(values, name)) for name in fields]
        go = "" if self._files(job) else secrets.token_hex(4)
        return (*taken, go, *self._dismissed(id, request))

    def _dismissed(self, id: str, request: gr.Request) -> tuple[Any, ...]:
        self._form.studio.library.journal.dismiss(id, self._form.owner(request)[0])
        return self._newest(request)

    def _jobs(self, request: gr.Request) -> tuple[Job, ...]:
        owner, session = self._form.seen(request)
        jobs = self._form.studio.library.journal.untold(self._form.task.kind, 50, owner, session)
        return tuple(job for job in jobs if job.task.get("turns") is None)  # a conversation shows itself which message has no answer

    def _files(self, job: Job) -> bool:
        return any(job.task.get(name) for name in self._form.task.model_fields if name in self._form.task.files)

    def _told(self, job: Job) -> str:
        named = str(job.task.get("prompt") or job.task.get("text") or job.task.get("mode") or "")
        words = f"“{named[:SHOWN]}{'…' if len(named) > SHOWN else ''}”" if named else "A run"
        more = " Choose its file once more, then run it." if self._files(job) else ""
        if job.state == "failed":
            return f"{words} failed{f': {job.message}' if job.message else '.'}{more}"
        return f"{words} was interrupted when the studio ended.{more}"


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
