"""What the library shows of one creation, and of several beside one another: facts, record, lineage, downloads, differences.

Knows creations and their records; knows no page and no library.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from studio import documents
from studio.creations import Creation
from studio.errors import InvalidInput
from studio.marks import Marks
from studio.shelf import Item
from studio.tasks import SOUND_FORMATS, TASKS
from tabs import _form, _gallery, _shelf, _status, _takes

PICTURE_FORMATS = {"webp": "WebP, smaller", "jpg": "JPEG, smaller"}
TEXT_FORMATS = {"md": "Markdown", "docx": "Word"}
SHORT = ("prompt", "text", "lyrics", "blend_prompt", "negative_prompt", "mode", "style", "voice", "seed")
"""Fields of a task that are told at once; the others are in the fold."""
MOST_ROWS = 200
HEARD = {
    True: "Each plays as loud as the quietest: choose one, and go on listening in another at the same place.",
    False: "Choose one, and go on listening in another at the same place. Not all were measured: they may differ in loudness.",
}
"""What is said of sounds beside one another, by whether the loudness of each is known."""
DIFF_WORDS = 4000
"""Words up to which two texts are compared word by word; longer ones line by line."""


def told(creation: Creation, item: Item, came_from: Sequence[Item], came_of: Sequence[Item], *, again: bool) -> dict[str, Any]:
    """The leaf's value for one creation; `again` says whether it can be made again here."""
    suffix = creation.path.suffix
    shown = _form.show(creation.path, f"{_takes.name(creation)}{suffix}")
    return _shelf.sent(
        id=creation.id, item=_shelf.item_value(item), file=_shelf.file_value(shown), text=creation.text, facts=facts(creation, item),
        record=record(creation), formats=list(formats(creation, item.medium).items()), again=again,
        **{"from": [_shelf.item_value(one) for one in came_from], "of": [_shelf.item_value(one) for one in came_of]},
    )  # fmt: skip


def facts(creation: Creation, item: Item) -> list[tuple[str, str]]:
    """What an artist wants to know first."""
    task, facts = _gallery.task_of(creation), _gallery.facts_of(creation)
    asked = [(_title(creation.kind, name), task.get(name)) for name in SHORT if task.get(name) not in (None, "") and name != "text"]
    size = f"{task['width']} x {task['height']}" if task.get("width") and task.get("height") else ""
    length = f"{documents.count(creation.text).words:,} words" if creation.text else ""
    plan = facts.get("plan")
    seconds = creation.record.get("seconds")
    return _shelf.rows([
        *asked, ("Size", size), ("Plan", _takes.plan_words(plan) if isinstance(plan, Mapping) else ""), ("Length", length),
        ("Model", " · ".join(part for part in (item.model, item.licence, _use(creation)) if part)), ("File", _bytes(item.bytes)),
        ("Made", f"by a machine, in {seconds:.1f} s" if isinstance(seconds, int | float) else "by a machine"),
    ], 600)  # fmt: skip


def record(creation: Creation) -> list[tuple[str, str]]:
    """Everything the record holds, a row for each value."""
    return _shelf.rows([(name, value) for name, value in _flat(creation.record)][:MOST_ROWS], 500)


def formats(creation: Creation, medium: str) -> dict[str, str]:
    """What else it can be taken away as, with titles."""
    if medium == "picture":
        return {**({"svg": "Drawing (SVG)"} if "drawing.svg" in creation.attachments else {}), **PICTURE_FORMATS}
    if medium == "sound":
        notes = {"mid": "Notes (MIDI)"} if "score.mid" in creation.attachments else {}
        return {name: title for name, title in SOUND_FORMATS.items() if f".{name}" != creation.path.suffix} | notes
    return TEXT_FORMATS


def files(creation: Creation, medium: str, wanted: str, marks: Marks) -> list[str]:
    """The files of one of these formats, served. Raises InvalidInput for another."""
    if wanted not in formats(creation, medium):
        raise InvalidInput("This creation has no such download: choose one of the list.")
    if medium == "picture":
        found = [file for file in _gallery.downloads(creation, marks) if file.endswith(f".{wanted}")]
        if not found:
            raise InvalidInput("This picture is too large for that format: choose another.")
        return found
    if medium == "sound":
        score = creation.attachments.get("score.mid")
        if wanted == "mid" and score is not None:
            return [_form.show(score, f"{_takes.name(creation)}.mid")]
        return _takes.files(creation, wanted, marks)[:1]
    title = str(_gallery.task_of(creation).get("prompt") or "Text")[:80]
    make = {"md": documents.to_markdown, "docx": documents.to_docx}[wanted]
    return _form.show_bytes({f"{_takes.name(creation)}.{wanted}": make(creation.text or "", title, json.dumps(dict(creation.record)))})


def compared(creations: Sequence[Creation], items: Sequence[Item]) -> dict[str, Any]:
    """The leaf's value that puts two to four creations of one medium beside one another; sounds are shown by the player."""
    medium = items[0].medium
    values = [_shelf.item_value(item) for item in items]
    if medium == "picture":
        values = [{**value, "file": _shelf.file_value(_form.show(one.path))} for value, one in zip(values, creations, strict=True)]
    if medium == "text":
        first = creations[0].text or ""
        parts = [[("same", first)], *(difference(first, one.text or "") for one in creations[1:])]
        values = [{**value, "pieces": pieces} for value, pieces in zip(values, parts, strict=True)]
    words = HEARD[all(map(_measured, creations))] if medium == "sound" else ""
    return {"medium": medium, "items": values, "rows": asked_differently(creations), "words": words}


def difference(first: str, second: str) -> list[tuple[str, str]]:
    """What leads from one text to the other, as pieces ("same" | "removed" | "added", words)."""
    split = r"\s+|[^\s]+" if max(len(first.split()), len(second.split())) <= DIFF_WORDS else r"[^\n]*\n|[^\n]+$"
    one, two = re.findall(split, first), re.findall(split, second)
    pieces: list[tuple[str, str]] = []
    for what, a, b, c, d in difflib.SequenceMatcher(None, one, two, autojunk=len(one) > 500).get_opcodes():
        if what == "equal":
            pieces.append(("same", "".join(one[a:b])))
            continue
        pieces += [(kind, text) for kind, text in (("removed", "".join(one[a:b])), ("added", "".join(two[c:d]))) if text]
    return pieces


def asked_differently(creations: Sequence[Creation]) -> list[list[str]]:
    """Rows of a field's title and its value in each, for what is not the same in all."""
    tasks = [_gallery.task_of(creation) for creation in creations]
    names = list(dict.fromkeys(name for task in tasks for name in task))
    found: list[list[str]] = []
    for name in names:
        values = ["" if task.get(name) is None else str(task.get(name)) for task in tasks]
        if len(set(values)) > 1:
            found.append([_title(creations[0].kind, name), *(value[:300] for value in values)])
    models = [str(_mapping(creation.record.get("model")).get("name") or "") for creation in creations]
    return [*found, ["Model", *models]] if len(set(models)) > 1 else found


def _title(kind: str, name: str) -> str:
    task = TASKS.get(kind)
    field = task.model_fields.get(name) if task is not None else None
    return str((field.title if field is not None else "") or name.replace("_", " ").capitalize())


def _flat(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Each value of nested mappings with its path; lists as JSON."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name} · {key}" if name else str(key).replace("_", " ").capitalize())
    elif isinstance(value, list):
        yield name, json.dumps(value, ensure_ascii=False, default=str) if value else ""
    else:
        yield name, value


def _bytes(count: int) -> str:
    return f"{max(1, round(count / 1000)):,} KB" if count < 1_000_000 else _status.gigabytes(count)


def _use(creation: Creation) -> str:
    """What the licence of the weights says of selling this, where it says no or not always."""
    commercial = _mapping(creation.record.get("model")).get("commercial")
    return "not for commercial use" if commercial is False else "commercial use limited" if commercial == "limited" else ""


def _measured(creation: Creation) -> bool:
    return isinstance(_mapping(_gallery.facts_of(creation).get("measured")).get("lufs"), int | float)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
