"""Gradio imported without what only its own developers need. Knows no page.

At each import Gradio parses the source of every component and renders a file of type hints for editors (`gradio.component_meta`, 6.31):
about a third of the time that the import takes. Nothing that runs reads those files.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType
from typing import Any

WRITES = "gradio.component_meta"
WRITER = "create_or_modify_pyi"


def gradio_without_hints() -> None:
    """Import Gradio, if nobody has done so before; a version that writes no hints is imported as it is."""
    if "gradio" in sys.modules:
        return
    finder = Finder()
    sys.meta_path.insert(0, finder)
    try:
        importlib.import_module("gradio")
    finally:
        sys.meta_path.remove(finder)


class Finder(MetaPathFinder):
    """At the head of `sys.meta_path` while Gradio is imported, it finds what writes hints, and keeps it from writing."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != WRITES:
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if found is not None and found.loader is not None:
            found.loader = _Quiet(found.loader)
        return found


class _Quiet(Loader):
    """The usual loader; what it loaded writes no hints."""

    def __init__(self, usual: Loader) -> None:
        self.usual = usual

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.usual.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.usual.exec_module(module)
        if hasattr(module, WRITER):
            setattr(module, WRITER, _nothing)


def _nothing(*_: Any) -> None:
    """In place of the writer of hints."""
