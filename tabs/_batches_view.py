"""What the tab of batches shows, as HTML: each batch with how far it is, what it can be told, and its rows. Knows no event.

Names, prompts and reasons are a person's own words, so everything is escaped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from studio import batch_lists
from studio.batches import Batch, BatchRow
from studio.tasks import TASKS, Task
from tabs import _status

KINDS = {"text_to_image": "Pictures", "music": "Music", "write": "Texts"}
"""What a list can ask for, as the page calls it."""
STATES = {"going": "Working", "paused": "Paused", "stopped": "Stopped", "over": "Over", "interrupted": "Interrupted"}
ROWS = {
    "waiting": "waits", "running": "is being made", "done": "made", "failed": "failed", "skipped": "left out",
    "interrupted": "was interrupted",
}  # fmt: skip
SHOWN_ROWS = 100
WORDS = 90
"""Characters of a prompt in the list."""
NONE = "No batch yet. What you start here goes on when you leave the page, and you find it again."


def listed(batches: Sequence[Batch], left: Mapping[str, float | None], rows: Mapping[str, Sequence[BatchRow]]) -> str:
    """All batches. `left` says how many seconds each should still take, `rows` holds those of the ones that are unfolded."""
    if not batches:
        return _versioned(f'<p class="none">{NONE}</p>')
    return _versioned("".join(_batch(batch, left.get(batch.id), rows.get(batch.id)) for batch in batches))


def version(html: str) -> str:
    """What tells one state of the list from another."""
    return hashlib.sha256(html.encode("utf-8", "replace")).hexdigest()[:16]


def columns(task: type[Task]) -> str:
    """What a CSV file for this task can hold, and a first row to begin with."""
    names = batch_lists.columns(task)
    told = "".join(f"<li><code>{name}</code> {escape(task.model_fields[name].description or '')}</li>" for name in names)
    address = f"data:text/csv;charset=utf-8,{quote(batch_lists.template(task))}"
    link = f'<a download="{task.kind}.csv" href="{address}">A file with all columns</a>'
    return (
        f"<p>The first row names the columns, of which only <code>{names[0]}</code> is needed; each further row becomes one result."
        f" An empty cell leaves a setting as it is. {link}.</p><ul>{told}</ul>"
    )


def words(batch: Batch, left: float | None) -> str:
    """For example '12 of 40 made · 1 failed · about 6 min left'."""
    count = batch.counts
    parts = [f"{count.get('done', 0):,} of {batch.total:,} made"]
    parts += [f"{count[state]:,} {ROWS[state]}" for state in ("failed", "skipped") if count.get(state)]
    if batch.left and left:
        parts.append(f"{_status.duration(left)} left" if left < 5400 else f"about {left / 3600:.1f} h left")
    return " · ".join(parts)


def facts(batch: Batch, left: float | None, rows: Sequence[BatchRow] = ()) -> dict[str, Any]:
    """One batch for a program."""
    plain = {name: getattr(batch, name) for name in ("id", "name", "kind", "state", "message", "created")}
    listed = [{"row": row.number, "task": dict(row.task), "state": row.state, "message": row.message} for row in rows]
    return {**plain, "rows": batch.total, "counts": dict(batch.counts), "seconds_left": left, **({"list": listed} if rows else {})}


def _versioned(html: str) -> str:
    return f'<div class="list" data-version="{version(html)}">{html}</div>'


def _batch(batch: Batch, left: float | None, rows: Sequence[BatchRow] | None) -> str:
    name, told = escape(batch.name, quote=True), escape(words(batch, left))
    ended = batch.total - batch.left
    message = f'<p class="why">{escape(batch.message)}</p>' if batch.message else ""
    made = f"<p>What it makes is in the Library, in the project “{name}”.</p>" if batch.counts.get("done") else ""
    return (
        f'<section class="batch {batch.state}" aria-label="{name}"><h3>{name} <span>{KINDS.get(batch.kind, batch.kind)} ·'
        f" {STATES[batch.state]}</span></h3>"
        f'<progress value="{ended}" max="{max(1, batch.total)}" aria-label="{told}"></progress><p class="far">{told}</p>'
        f'{message}{made}<div class="acts">{"".join(_acts(batch, name))}</div>{_rows(batch, rows)}</section>'
    )


def _acts(batch: Batch, name: str) -> list[str]:
    failed = batch.counts.get("failed", 0)
    found = [("pause", "Pause"), ("stop", "Stop")] if batch.state == "going" else []
    found += [("go on", "Go on")] if batch.state != "going" and batch.left else []
    found += [("retry", "Try again what failed")] if failed and (batch.state != "going") else []
    found += [("remove", "Take off the list")] if batch.state != "going" else []
    return [_button(act, words, f"{words}: {name}", batch.id) for act, words in found]


def _rows(batch: Batch, rows: Sequence[BatchRow] | None) -> str:
    listed = "".join(_row(batch, row) for row in (rows or ())[:SHOWN_ROWS])
    more = f"<p>And {len(rows) - SHOWN_ROWS:,} more.</p>" if rows and len(rows) > SHOWN_ROWS else ""
    none = "<p>Everything is made.</p>" if rows is not None and not rows else ""
    is_open = " open" if rows is not None else ""
    return f'<details data-rows="{batch.id}"{is_open}><summary>What is not made yet</summary><ul>{listed}</ul>{more}{none}</details>'


def _row(batch: Batch, row: BatchRow) -> str:
    task = TASKS.get(batch.kind)
    said = str(row.task.get("prompt") or (task.__name__ if task else ""))
    said = said if len(said) <= WORDS else f"{said[:WORDS]}…"
    why = f": {escape(row.message)}" if row.message else ""
    acts = {
        "waiting": [("first", "First"), ("up", "Up"), ("down", "Down"), ("skip", "Skip")],
        "running": [("skip", "Skip")],
        "interrupted": [("skip", "Skip")],
        "skipped": [("skip", "Make it after all")],
    }.get(row.state, [])
    buttons = "".join(_button(act, words, f"{words}: row {row.number}", batch.id, row.number) for act, words in acts)
    told = f"<b>{row.number}</b> {escape(said)} <span>{ROWS[row.state]}{why}</span>"
    return f'<li class="{row.state}"><div>{told}</div><div>{buttons}</div></li>'


def _button(act: str, words: str, label: str, id: str, row: int = 0) -> str:
    """A button; `label` is escaped already."""
    return f'<button type="button" data-act="{act}" data-id="{id}" data-row="{row}" aria-label="{label}">{words}</button>'
