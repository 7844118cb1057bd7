"""What a tab shows of finished pictures: captions, downloads, details, and a picture before and after.

Knows creations and their records; knows no single tab.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from studio import copies
from studio.creations import Creation
from studio.marks import Marks
from tabs import _form, _status

COMPARED = 1400
"""Longer side, in pixels, of the two pictures of a comparison."""
LOSSY_PIXELS = 4_000_000
"""Above, no WebP copy is made: it would take seconds."""


def task_of(creation: Creation) -> Mapping[str, Any]:
    """The recorded task's fields."""
    task = creation.record.get("task")
    return task if isinstance(task, dict) else {}


def facts_of(creation: Creation) -> Mapping[str, Any]:
    """What the engine told about the result."""
    facts = creation.record.get("facts")
    return facts if isinstance(facts, dict) else {}


def caption(creation: Creation, *more: object) -> str:
    """The first words of the prompt, or of the mode where there is none, and what else is told."""
    task = task_of(creation)
    words = str(task.get("prompt") or task.get("mode") or "")
    return " · ".join([f"{words[:60]}{'…' if len(words) > 60 else ''}", *map(str, more)])


def downloads(creation: Creation, marks: Marks) -> list[str]:
    """The PNG as kept, its drawing as SVG if it has one, and copies whose names say that they are lossy."""
    png = creation.path.read_bytes()
    title = f"atelier-{task_of(creation).get('seed', creation.id)}"
    drawing = creation.attachments.get("drawing.svg")
    files = {f"{title}.png": png, **({f"{title}.svg": drawing.read_bytes()} if drawing else {})}
    if _size(creation.path) <= LOSSY_PIXELS:
        files[f"{title}-lossy.webp"] = copies.picture(creation, ".webp", marks)
    files[f"{title}-lossy.jpg"] = copies.picture(creation, ".jpg", marks)
    return _form.show_bytes(files)


def details(creation: Creation, rows: Mapping[str, object]) -> str:
    """`rows`, and what every creation says: model, licence, and that a machine made it."""
    model = creation.record.get("model")
    name = model if isinstance(model, dict) else {}
    seconds = creation.record.get("seconds", 0)
    commercial = name.get("commercial")
    use = "" if commercial is True else " · not for commercial use" if commercial is False else " · see the licence for its use"
    made = {"Model": f"{name.get('name')} ({name.get('licence')}{use})", "Made": f"by a machine, in {seconds:.1f} s"}
    return _status.facts_table({**rows, **made})


def before_and_after(creation: Creation, source: Path) -> tuple[str, str]:
    """Two smaller pictures of the same size for a comparison: the source where it lies in the result, and the result."""
    from PIL import Image

    from studio.inpaint.read import read_picture

    after = Image.fromarray(read_picture(creation.path).pixels).convert("RGB")
    before = Image.fromarray(read_picture(source).pixels).convert("RGB")
    edit = facts_of(creation).get("edit")
    offset = edit.get("offset", [0, 0]) if isinstance(edit, dict) else [0, 0]
    if before.size != after.size:
        ground = Image.fromarray(np.full((after.height, after.width, 3), 225, np.uint8))
        ground.paste(before, (int(offset[0]), int(offset[1])))
        before = ground
    files: dict[str, bytes] = {}
    for name, picture in (("before.png", before), ("after.png", after)):
        picture.thumbnail((COMPARED, COMPARED))
        out = io.BytesIO()
        picture.save(out, "PNG", compress_level=1)
        files[name] = out.getvalue()
    first, second = _form.show_bytes(files)
    return first, second


def _size(file: Path) -> int:
    from PIL import Image

    with Image.open(file) as picture:
        return picture.width * picture.height
