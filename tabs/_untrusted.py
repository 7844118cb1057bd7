"""What a browser says about files, taken for what it may be: words of anyone. Knows no single tab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder


def inside(path: Any) -> Path | None:
    """The path, every link followed, if it is a file in Gradio's upload folder."""
    if not isinstance(path, str) or not path or len(path) > 4096 or "\0" in path:
        return None
    try:
        found = Path(path).resolve(strict=True)
        return found if found.is_file() and found.is_relative_to(Path(get_upload_folder()).resolve()) else None
    except (OSError, RuntimeError, ValueError):
        return None


def served(path: str | Path) -> dict[str, Any]:
    """A file of the upload folder as a value that Gradio hands to the browser with its address."""
    return {"path": str(path), "orig_name": Path(path).name, "meta": {"_type": "gradio.FileData"}}
