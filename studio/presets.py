"""Text styles: templates that put an artist's words into a look. Read from presets/styles.toml and from files like it.

Knows no model and no page; a person's own styles are kept by `own_styles`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from pydantic import BaseModel, ConfigDict, Field

from studio.errors import InvalidInput
from studio.tasks import TextToImage


class TextStyle(BaseModel):
    """A style as a template: `prompt` holds `{prompt}`; `negative_prompt` joins the artist's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    prompt: str = Field(pattern=r"\{prompt\}")
    negative_prompt: str = ""

    def applied(self, task: TextToImage) -> TextToImage:
        """The task with the template around its prompt and no style left."""
        negative = ", ".join(part for part in (task.negative_prompt, self.negative_prompt) if part)
        prompt = self.prompt.replace("{prompt}", task.prompt)
        return TextToImage.checked({**task.model_dump(), "prompt": prompt, "negative_prompt": negative, "style": ""})


def text_styles(folder: Path) -> Mapping[str, TextStyle]:
    """All text styles that ship with the studio, by name, in the order of the file."""
    return styles_in((folder / "styles.toml").read_text("utf-8"))


def styles_in(toml: str) -> Mapping[str, TextStyle]:
    """The styles in a text of `[[style]]` tables, by name. Raises ValueError for one that is none."""
    tables = tomllib.loads(toml).get("style", [])
    styles = [TextStyle.model_validate(table) for table in (cast("list[object]", tables) if isinstance(tables, list) else [tables])]
    return {style.name: style for style in styles}


def to_toml(styles: Iterable[TextStyle]) -> str:
    """The same text back. TOML's basic strings are JSON's, but for DEL, which a style never holds."""
    rows = ("".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in style.model_dump().items()) for style in styles)
    return "\n".join(f"[[style]]\n{row}" for row in rows)


def styled(task: TextToImage, styles: Mapping[str, TextStyle]) -> TextToImage:
    """The task as the model should read it. Raises InvalidInput for an unknown style."""
    if not task.style:
        return task
    if task.style not in styles:
        raise InvalidInput(f"There is no style of that name; choose one of: {', '.join(styles)}.", "style")
    return styles[task.style].applied(task)
