"""Draft panels: a writer makes panels of a premise, which are put at the end of the storyboard that is shown. For the page and programs.

Knows the storyboard's component; knows nothing of its row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.events import api

from studio import failures, storyboard_drafts
from studio.creations import Creation
from studio.errors import Cancelled, InvalidInput, ModelUnavailable, StudioError
from studio.models import ModelCard
from studio.tasks import PROMPT_LIMIT, Write
from studio.writing import panels
from studio.writing.actions import LONGEST, Action, actions
from tabs import _board, _fields, _models, _owners, _status
from tabs._form import DEVICE, PRIVATE, QUIET, Desk, log
from tabs._run import Run

USUAL = 6
"""Panels, where nothing else is said."""
SHOWN = "() => document.querySelector('.board select')?.value ?? ''"
_GIVEN = f"(premise, count, model, project) => [premise, count, model, ({SHOWN})()]"


@dataclass(frozen=True)
class Made:
    """What came of a draft: the storyboard, the ids of its new panels, and what is to be said."""

    project: str
    ids: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class Drafts:
    """The drafts of one desk. `board` is the component that shows them."""

    desk: Desk
    action: Action
    board: _board.BoardView

    def needs(self, model: str | None) -> str:
        """'' where this model drafts panels; else why not, and which would."""
        studio = self.desk.studio
        here = studio.here(Write.kind)
        cards = [here.get(other.name, other) for other in studio.cards]
        try:
            return self.action.needs(_models.picked(studio, model or "", Write.kind), cards)
        except (StudioError, ValueError):
            return f"{self.action.title} needs a writer: choose one."

    def state(self, model: str | None) -> tuple[Any, str]:
        """The button, and why it cannot be pressed."""
        why = self.needs(model)
        return gr.Button(interactive=not why), _status.note(why)

    def asked(self, premise: object, count: object, model: object, seed: int | None = None) -> Write:
        """The task. Raises StudioError, in words, where the model is too small or something is missing."""
        if not isinstance(premise, str) or len(premise) > PROMPT_LIMIT:
            raise InvalidInput(f"Premise must be a text of at most {PROMPT_LIMIT:,} characters.", "premise")
        first, last = self.action.choices[0], self.action.choices[-1]
        if not isinstance(count, int | float) or str(int(count)) not in self.action.choices or count != int(count):
            raise InvalidInput(f"Panels must be a whole number from {first} to {last}.", "panels")
        name = model if isinstance(model, str) else ""
        if why := self.needs(name):
            raise ModelUnavailable(why)
        card: ModelCard = _models.picked(self.desk.studio, name, Write.kind)
        longest = card.options.get("document")
        return panels.asked(self.action, premise, int(count), name, seed, min(LONGEST, int(longest)) if longest else LONGEST)

    def run(self, task: Write, count: int, project: str, request: gr.Request) -> Iterator[str | Made]:
        """Lines of progress, then what came of it. What was whole when it was stopped is kept; Cancelled where nothing was."""
        owner, session = self.desk.owner(request)
        run = Run(task, self.desk.studio.run(task, owner, session, address=_owners.from_where(request)), request)
        answers, stopped = list[Creation](), False
        try:
            for moment in run:
                answers = list(moment.creations)
                if not moment.over:
                    yield run.stage()
        except Cancelled:
            answers, stopped = list(run.ended().creations), True
        draft = panels.read(answers[0].text or "") if answers else panels.Draft((), whole=False)
        if not draft.panels and stopped:
            raise Cancelled
        if not draft.panels:
            raise InvalidInput("The writer brought no panel to an end: try once more, ask for fewer, or choose a larger writer.", "model")
        within = self.desk.seen(request)[1]
        library, marks = self.desk.studio.library, self.desk.studio.marks
        into, ids = storyboard_drafts.kept(answers[0], draft.panels, library, marks, project, owner, session, within)
        yield Made(into, ids, _told(len(ids), count, stopped=stopped))

    def stop(self, request: gr.Request) -> None:
        """End this page's runs at their next step."""
        self.desk.studio.stop(*self.desk.owner(request))

    def page(self, premise: str | None, count: Any, model: str | None, project: str | None, request: gr.Request) -> Iterator[Any]:
        """For the page: the board's value and the line of progress."""
        try:
            for now in self.run(self.asked(premise, count, model), int(count or 0), project or "", request):
                if isinstance(now, Made):
                    yield _board.drafted(now.project, now.ids, now.words), ""  # the board says it
                else:
                    yield gr.skip(), now
        except Cancelled:
            yield gr.skip(), _status.message("Stopped before a panel was whole; the storyboard is as it was.", "stopped")
        except Exception as error:  # noqa: BLE001  the log has it; the page gets its sentence
            yield gr.skip(), _status.message(failures.told(error, "drafting panels", log).words, "error")

    def program(
        self, request: gr.Request, premise: str, panels: int = USUAL, model: str = "", project: str = "", seed: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """For `/storyboard_draft`: the storyboard's name and its new panels."""
        try:
            for now in self.run(self.asked(premise, panels, model, seed), panels, project, request):
                if isinstance(now, Made):
                    kept = self.desk.studio.library.storyboards.panels(now.project, *self.desk.seen(request))
                    listed = [
                        {"id": panel.id, "caption": panel.caption, "picture": panel.picture, "origin": panel.origin}
                        for panel in kept
                        if panel.id in now.ids
                    ]
                    yield {"project": now.project, "panels": listed, "words": now.words}
        except Exception as error:  # noqa: BLE001  the log has it; the program gets its sentence
            words, code = failures.told(error, "drafting panels", log)
            raise gr.Error(words, title=code, print_exception=False) from None


def build(desk: Desk) -> dict[str, Any]:
    """The controls above the row."""
    studio = desk.studio
    with gr.Row(elem_classes="drafting"):
        premise = gr.Textbox(
            label="Premise", lines=2, max_lines=6, max_length=PROMPT_LIMIT, scale=3, min_width=260,
            placeholder="What happens, in a sentence or two.",
        )  # fmt: skip
        count = _fields.Slider(2, 12, USUAL, step=1, label="Panels", scale=1, min_width=150)
        model = _fields.Dropdown(_models.model_choices(studio, Write.kind), value="", label="Writer", scale=1, min_width=270)
    with gr.Row():
        draft = gr.Button("Draft panels", variant="primary", elem_classes="run", scale=0, min_width=180)
        stop = gr.Button("Stop", elem_classes="stop", scale=0, min_width=80)
    stage = gr.HTML(elem_classes="status", padding=False)
    hint = gr.HTML(elem_classes="quiet", padding=False)
    project, words = gr.Textbox(visible="hidden"), gr.Textbox(visible="hidden")
    return {"premise": premise, "count": count, "model": model, "draft": draft, "stop": stop, "stage": stage, "hint": hint,
            "project": project, "words": words}  # fmt: skip


def wire(desk: Desk, parts: dict[str, Any], board: _board.BoardView) -> None:
    """Join them to the board, and serve `/storyboard_draft`."""
    [action] = [action for action in actions(desk.studio.settings.presets) if action.name == panels.ACTION]
    drafts = Drafts(desk, action, board)
    limits: dict[str, Any] = {"concurrency_id": DEVICE, "concurrency_limit": desk.studio.settings.max_queue + 1}
    given = [parts["premise"], parts["count"], parts["model"], parts["project"]]
    parts["draft"].click(drafts.page, given, [board, parts["stage"]], js=_GIVEN, trigger_mode="once", **PRIVATE, **limits)
    parts["stop"].click(drafts.stop, **QUIET)
    shown = [parts["draft"], parts["hint"]]
    parts["model"].change(drafts.state, parts["model"], shown, **QUIET)
    desk.demo.load(drafts.state, parts["model"], shown, **QUIET)
    api(drafts.program, api_name="storyboard_draft", api_description="Panels drafted from a premise, at the end of a storyboard.", **limits)


def _told(made: int, asked: int, *, stopped: bool) -> str:
    many = f"{made} panel{'s' if made > 1 else ''}"
    if made == asked:
        return f"{many} drafted: change the words as you like, then make their pictures."
    return f"{'Stopped' if stopped else 'The writer stopped early'}: {many} of {asked} drafted."
