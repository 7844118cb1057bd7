"""What the models tab shows, as HTML: memory by component, what came and went, and every model there is. Knows no event and no run.

Names of components hold folders and repositories of a person's own, so everything is escaped.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from html import escape

from studio.models import ModelCard
from studio.residency import Moment, Resident, Status
from studio.tasks import ASIDE, TASKS
from tabs import _status

KINDS = {
    "text_to_image": "Text to image", "inpaint": "Inpainting", "music": "Music", "narrate": "Narration", "write": "Writing",
    "select": "Selecting in pictures",
}  # fmt: skip
"""What a kind of task is called where its models are listed; any further kind by its own name."""
SHADES = 6
"""Colours of the bar; a seventh component takes the first again."""
TOLD = 30
"""Moments that are shown."""
WORDS = {
    "loaded": "Loaded {what} ({size}) in {seconds:.1f} s",
    "failed": "{what} was not loaded after all",
    "made room": "Moved {what} ({size}) out of memory to make room",
    "unloaded": "Unloaded {what} ({size})",
}


def memory(status: Status, *, own: bool) -> str:
    """The bar of the budget, and a line for each component; with what can be done to it where the models are one's own."""
    if not status.residents:
        return f'<div class="residents">{_bar(status)}<p>No model is in memory. The next run loads what it needs.</p></div>'
    lines = "".join(_line(number, resident, own) for number, resident in enumerate(status.residents))
    head = "<tr><th>Part</th><th>Size</th><th>Last used</th><th></th></tr>"
    return f'<div class="residents">{_bar(status)}<table><thead>{head}</thead><tbody>{lines}</tbody></table></div>'


def moments(told: Sequence[Moment]) -> str:
    """What came and went, the newest first."""
    if not told:
        return '<p class="none">Nothing was loaded yet.</p>'
    now = time.time()
    items = "".join(f"<li><span>{_ago(now - moment.at)}</span> {escape(moment_words(moment))}</li>" for moment in told[:TOLD])
    return f'<ul class="moments">{items}</ul>'


def moment_words(moment: Moment) -> str:
    """For example 'Loaded unet of sdxl (5.1 GB) in 2.3 s'."""
    part, of = named(moment.key)
    what = f"{part} of {of}" if of else part
    words = WORDS[moment.what].format(what=what, size=_status.gigabytes(moment.bytes), seconds=moment.seconds)
    return words[0].upper() + words[1:]


def named(key: str) -> tuple[str, str]:
    """The part and the model of a component's key ("source@revision/part:dtype:quantisation")."""
    source, _, rest = key.rpartition("@") if "@" in key else ("", "", key)
    part = rest.partition("/")[2].partition(":")[0] if "/" in rest and source else ""
    name = (source or key).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    if key.endswith(":prompts"):
        return "prompts read before", name
    if key.endswith(":encodings"):
        return "pictures encoded before", name
    return (part, name) if part else (name, "")


def cards(listed: Sequence[ModelCard], here: Mapping[str, ModelCard], *, own: bool, fetching: bool) -> str:
    """Every model by task, those on this machine first. Where they are one's `own` with a press that loads, or brings if `fetching`."""
    parts: list[str] = []
    for kind in (*TASKS, *ASIDE):
        fitting = sorted((c for c in listed if kind in c.serves), key=lambda c: (c.name not in here, -c.quality, c.name.casefold()))
        if fitting:
            rows = "".join(_card(card, kind, card.name in here, own, own and fetching) for card in fitting)
            count = sum(card.name in here for card in fitting)
            title = f"{escape(KINDS.get(kind, kind))} <span>{count} of {len(fitting)} here</span>"
            parts.append(f"<details{' open' if kind == next(iter(TASKS)) else ''}><summary>{title}</summary><ul>{rows}</ul></details>")
    return f'<div class="known">{"".join(parts)}</div>'


def _card(card: ModelCard, kind: str, here: bool, loading: bool, fetching: bool) -> str:
    name = escape(card.name, quote=True)
    acts = ""
    if here and loading and card.engine != "endpoint":
        acts = _button("warm", f"Load {name}", "Load now", name=name, kind=kind)
    elif not here and fetching:
        acts = _button("fetch", f"Download {name}", "Download", name=name, kind=kind)
    state = '<span class="state here">here</span>' if here else '<span class="state">not here yet</span>'
    return f"<li><div><b>{name}</b> {state}{_status.card_facts(card, here)}</div>{acts}</li>"


def _bar(status: Status) -> str:
    used = sum(resident.bytes for resident in status.residents) + status.working
    if not status.budget:
        return ""
    words = f"{status.device}: {_status.gigabytes(used)} of {_status.gigabytes(status.budget)} in use"
    segments = "".join(
        f'<i class="shade{number % SHADES}" style="width:{100 * resident.bytes / status.budget:.2f}%"></i>'
        for number, resident in enumerate(status.residents)
    )
    work = f'<i class="work" style="width:{100 * status.working / status.budget:.2f}%"></i>' if status.working else ""
    return f'<p class="sum">{escape(words)}.</p><div class="bar" role="img" aria-label="{escape(words, quote=True)}">{segments}{work}</div>'


def _line(number: int, resident: Resident, own: bool) -> str:
    part, of = named(resident.key)
    what = f"{part} of {of}" if of else part
    key, label = escape(resident.key, quote=True), escape(what, quote=True)
    used = "in use" if resident.in_use else f"{_ago(resident.idle)} ago" if resident.idle >= 1 else "just now"
    keep = _button("free", f"Let {label} go when room is needed", "Kept", key=key, pressed=True) if resident.pinned else (
        _button("pin", f"Keep {label} in memory", "Keep", key=key, pressed=False)
    )  # fmt: skip
    drop = "" if resident.in_use else _button("drop", f"Unload {label}", "Unload", key=key)
    acts = f"{keep}{drop}" if own else ""
    size = _status.gigabytes(resident.bytes)
    cell = f'<th scope="row"><i class="shade{number % SHADES}"></i>{escape(part)}{f" <span>{escape(of)}</span>" if of else ""}</th>'
    return f"<tr>{cell}<td>{size}</td><td>{used}</td><td>{acts}</td></tr>"


def _button(act: str, label: str, words: str, pressed: bool | None = None, **data: str) -> str:
    """A button of these lists; `label` and `data` are escaped already."""
    given = "".join(f' data-{name}="{value}"' for name, value in data.items())
    state = "" if pressed is None else f' aria-pressed="{str(pressed).lower()}"'
    return f'<button type="button" data-act="{act}"{given}{state} aria-label="{label}">{words}</button>'


def _ago(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
