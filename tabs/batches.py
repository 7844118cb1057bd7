"""The tab of batches: a list of prompts, or a table, becomes many results, one after the other, also over night."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api

from studio import batch_lists
from studio.batch_runs import ACTS
from studio.batches import MOST_KEPT, Batch, BatchRow, RowState
from studio.errors import InvalidInput, StudioError
from studio.studio import Studio
from tabs import _asking, _batches_view, _models, _status
from tabs._form import PRIVATE, QUIET, Desk

NAME = "Batches"
TASK = None
ACCEPTS: Mapping[str, str] = {}

LOOK = 2000
"""Milliseconds between two looks at the batches while the tab is open."""
NOT_MADE: tuple[RowState, ...] = ("running", "interrupted", "failed", "waiting", "skipped")
INTRO = "Write one prompt a line, or give a table in which each row has settings of its own. They are made one after the other."
EXAMPLES = "a red apple\na cat on a rocket\na purple castle"

_SCRIPT = f"""
const unfolded = () => [...element.querySelectorAll("details[open]")].map((one) => one.dataset.rows);
const tell = (what, data) => trigger(what, {{ open: unfolded(), version: element.querySelector(".list")?.dataset.version ?? "", ...data }});
let focused = null;
element.addEventListener("click", (event) => {{
  const pressed = event.target.closest("[data-act]");
  if (!pressed) return;
  focused = {{ ...pressed.dataset }};
  tell("act", {{ ...pressed.dataset }});
}});
element.addEventListener("toggle", (event) => {{
  if (event.target.matches("details[open]") && !event.target.querySelector("li, p")) tell("look", {{ version: "" }});
}}, true);
element.addEventListener("focusin", (event) => {{ focused = {{ ...event.target.dataset }}; }});
element.addEventListener("focusout", (event) => {{ if (event.relatedTarget) focused = null; }});
watch("value", () => requestAnimationFrame(() => {{
  if (!focused?.id || element.contains(document.activeElement)) return;
  const near = [...element.querySelectorAll("[data-act]")].filter((one) => one.dataset.id === focused.id);
  const same = near.filter((one) => one.dataset.row === focused.row);
  (same.find((one) => one.dataset.act === focused.act) ?? same[0] ?? near[0])?.focus();
}}));
const clock = setInterval(() => {{
  if (!element.isConnected) clearInterval(clock);
  else if (element.offsetParent && !document.hidden) tell("look", {{}});
}}, {LOOK});
"""


class Panel(gr.HTML):
    """The list of batches. Events: `.act` with a button's data, `.look` from time to time; both say which batches are unfolded."""

    def __init__(self, **options: Any) -> None:
        super().__init__(js_on_load=_SCRIPT, padding=False, elem_classes="batch-list", **options)


def here(studio: Studio) -> bool:
    """Whether this studio has the tab."""
    try:
        return studio.batches.most > 0
    except StudioError:
        return False


def build(desk: Desk) -> None:
    """Lay out the tab."""
    keeper = _Keeper(desk)
    first = next(iter(batch_lists.KINDS))
    with gr.Column(elem_classes="batches"):
        gr.HTML(_status.note(INTRO), padding=False, elem_classes="quiet")
        kind = gr.Radio([(title, kind) for kind, title in _batches_view.KINDS.items()], value=first, label="Make")
        with gr.Row():
            prompts = gr.Textbox(label="Prompts, one a line", placeholder=EXAMPLES, lines=8, max_lines=20, scale=2)
            table = gr.File(label="Or a table (CSV)", file_types=[".csv", ".tsv", ".txt"], height=220, scale=1)
        with gr.Row():
            name = gr.Textbox(label="Name", placeholder="The project that the results go to", max_length=100)
            model = gr.Dropdown(_models.model_choices(desk.studio, first), value="", label="Model", min_width=220)
            count = gr.Number(1, label="Results of each", minimum=1, maximum=8, precision=0)
        with gr.Accordion("What a table can hold", open=False):
            columns = gr.HTML(_batches_view.columns(batch_lists.KINDS[first]), padding=False, elem_classes="columns")
        start = gr.Button("Start", variant="primary", elem_classes="run")
        said = gr.HTML(padding=False, elem_classes="status")
        gr.HTML("<h2>Your batches</h2>", padding=False)
        panel = Panel()
    given = [kind, prompts, table, name, model, count]
    kind.change(keeper.fitted, kind, [model, columns], **QUIET)
    start.click(keeper.start, given, [said, panel, prompts, table, name], concurrency_limit=2, **PRIVATE)
    panel.act(keeper.act, None, [panel, said], trigger_mode="multiple", **QUIET)
    panel.look(keeper.look, None, panel, trigger_mode="always_last", **QUIET)
    desk.demo.load(keeper.first, None, panel, **QUIET)
    api(keeper.asked, api_name="batch", api_description="Make everything in a list of prompts or a table (CSV), one after the other.")
    api(keeper.told, api_name="batches", api_description="Your batches, the newest first; with an id that one and its rows.")
    api(keeper.done, api_name="batch_act", api_description=f"Tell a batch one of {', '.join(ACTS)}; those from skip on are about a row.")


class _Keeper:
    """What a visitor sees of their batches, and does to them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._runs = desk.studio.batches
        self._kept = desk.studio.library.batches

    def fitted(self, kind: str) -> tuple[Any, str]:
        """The models and columns of another kind."""
        task = batch_lists.KINDS.get(kind, next(iter(batch_lists.KINDS.values())))
        return gr.Dropdown(choices=_models.model_choices(self._desk.studio, task.kind), value=""), _batches_view.columns(task)

    def start(
        self, kind: str, prompts: str, table: str | None, name: str, model: str, count: float | None, request: gr.Request
    ) -> tuple[Any, ...]:
        """The line under the button, the list, and the fields, emptied once the batch is begun."""
        owner = self._desk.owner(request)[0]
        try:
            batch = self._begun(kind, prompts, Path(table).read_bytes() if table else b"", table or "", name, model, count, owner)
        except StudioError as error:
            return _status.message(str(error), "error"), *(gr.skip(),) * 4
        words = f"{batch.total:,} are on their way: you may leave this page, they go on."
        return _status.message(words), self._html(owner, ()), "", None, ""

    def act(self, event: gr.EventData, request: gr.Request) -> tuple[Any, str]:
        """The list after a press, and what went wrong."""
        data, owner = _asking.told(event), self._desk.owner(request)[0]
        row = _asking.words_of(data, "row")
        words = ""
        try:
            number = int(row) if row.isdecimal() and len(row) < 9 else 0
            self._runs.act(_asking.words_of(data, "act"), _asking.words_of(data, "id"), owner, number)
        except StudioError as error:
            words = _status.message(str(error), "error")
        return self._html(owner, _open(data)), words

    def look(self, event: gr.EventData, request: gr.Request) -> Any:
        """The list, where it changed since."""
        data = _asking.told(event)
        html = self._html(self._desk.owner(request)[0], _open(data))
        return gr.skip() if f'data-version="{_asking.words_of(data, "version")}"' in html else html

    def first(self, request: gr.Request) -> str:
        """The list of a page that opens."""
        return self._html(self._desk.owner(request)[0], ())

    def asked(
        self,
        request: gr.Request,
        kind: str = "text_to_image",
        prompts: str = "",
        table: str = "",
        name: str = "",
        model: str = "",
        count: int = 1,
    ) -> dict[str, Any]:
        """For a program: begin a batch of prompts, one a line, or of a table as CSV text."""
        with _refusals():
            if not isinstance(table, str):
                raise InvalidInput("Send kind, prompts, table, name and model as text.")
            batch = self._begun(
                kind, prompts, table.encode("utf-8", "replace"), "table.csv", name, model, count, self._desk.owner(request)[0]
            )
            return _batches_view.facts(batch, self._runs.seconds_left(batch))

    def told(self, request: gr.Request, id: str = "") -> list[dict[str, Any]]:
        """For a program: the batches, or one with its rows."""
        owner = self._desk.owner(request)[0]
        with _refusals():
            if not id:
                return [_batches_view.facts(batch, self._runs.seconds_left(batch)) for batch in self._kept.list(owner)]
            batch = self._kept.batch(str(id), owner)
            return [_batches_view.facts(batch, self._runs.seconds_left(batch), self._kept.rows(batch.id, owner))]

    def done(self, request: gr.Request, id: str, act: str, row: int = 0) -> dict[str, Any]:
        """For a program: tell a batch something; what became of it, {} once it is removed."""
        owner = self._desk.owner(request)[0]
        with _refusals():
            number = row if isinstance(row, int) and 0 <= row < 10**9 else 0
            self._runs.act(str(act), str(id), owner, number)
            return {} if act == "remove" else _batches_view.facts(self._kept.batch(str(id), owner), None)

    def _begun(self, kind: str, prompts: str, table: bytes, file: str, name: str, model: str, count: float | None, owner: str) -> Batch:
        sent: list[object] = [kind, prompts, name, model]  # by anyone
        if not all(value is None or isinstance(value, str) for value in sent):
            raise InvalidInput("Send kind, prompts, table, name and model as text.")
        task = batch_lists.task_of(kind or "")
        whole = int(count) if isinstance(count, float) and count.is_integer() else count
        settings = {"model": model or "", "count": 1 if whole is None else whole}
        most = self._runs.most
        if table and (prompts or "").strip():
            raise InvalidInput("There are prompts and a table: empty one of them, a batch is made of the other.")
        if table:
            rows, what = batch_lists.read(file, table, task, settings, most)
        else:
            rows, what = batch_lists.lines(prompts or "", task, settings, most), "Line"
        return self._runs.start(name or "", kind, rows, owner, what)

    def _html(self, owner: str, unfolded: tuple[str, ...]) -> str:
        batches = self._kept.list(owner)
        left = {batch.id: self._runs.seconds_left(batch) for batch in batches if batch.left}
        return _batches_view.listed(batches, left, {id: self._rows(id, owner) for id in unfolded})

    def _rows(self, id: str, owner: str) -> tuple[BatchRow, ...]:
        return self._kept.rows(id, owner, NOT_MADE)


@contextmanager
def _refusals() -> Generator[None]:
    """For a program: a refusal with its code."""
    try:
        yield
    except StudioError as error:
        raise gr.Error(str(error), title=error.code, print_exception=False) from None


def _open(data: object) -> tuple[str, ...]:
    """The batches that are unfolded on the page."""
    given = data.get("open") if isinstance(data, Mapping) else None
    return tuple(id for id in given[:MOST_KEPT] if isinstance(id, str)) if isinstance(given, list) else ()
