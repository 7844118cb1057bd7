"""The tabs of the studio, one module each, layout only. Modules that begin with an underscore serve them all.

A tab module has `NAME` (its title), `TASK` (what it asks for, or None for a tab that asks for nothing), `build(form)` (its layout) and
`ACCEPTS` (medium to field: what other tabs may send here). A tab that asks for nothing may have `TAKES`, the media that other tabs may send
here as creations, and `taken(desk, id, request)`, which gives the new value of `desk.tray`. Where it has `here(studio)`, only studios
where that is so get the tab. Tabs never import one another.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

ORDER = ("text_to_image", "inpainting", "music", "writing", "narration", "library", "storyboard", "batches", "models")
"""Known tabs in the order of the page; any further ones follow by name."""


def discover() -> tuple[ModuleType, ...]:
    """Every tab module in the folder, in page order."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    names.sort(key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    return tuple(importlib.import_module(f"tabs.{name}") for name in names)
