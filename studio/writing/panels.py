"""Panels of a storyboard by a writer: the form that the answer must have, the task that asks for it, and the panels in what came.

Knows no engine, no library and no page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.tasks import Write
from studio.writing.actions import Action

ACTION = "panels"
"""The action of presets/actions.toml."""
CAPTION, PICTURE = (8, 160), (12, 260)
"""Fewest and most characters of a caption, and of the words of a picture."""
TOKENS, MORE = 240, 40
"""Longest answer: so many tokens a panel, and as many besides; with fewer the texts would have to be shorter to end in time."""


class Drafted(BaseModel):
    """One panel as it was written: `caption` says what happens, `picture` what is seen."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    caption: str = Field(min_length=1, max_length=CAPTION[1])
    picture: str = Field(min_length=1, max_length=PICTURE[1])


@dataclass(frozen=True)
class Draft:
    """The panels of an answer in their order; `whole`: the answer was not cut short."""

    panels: tuple[Drafted, ...]
    whole: bool


def schema(count: int) -> str:
    """The JSON schema of `count` panels."""
    texts = {
        name: {"type": "string", "minLength": least, "maxLength": most}
        for name, (least, most) in (("caption", CAPTION), ("picture", PICTURE))
    }
    panel = {"type": "object", "properties": texts, "required": list(texts), "additionalProperties": False}
    panels = {"type": "array", "minItems": count, "maxItems": count, "items": panel}
    return json.dumps({"type": "object", "properties": {"panels": panels}, "required": ["panels"], "additionalProperties": False})


def asked(action: Action, premise: str, count: int, model: str = "", seed: int | None = None, longest: int = 4096) -> Write:
    """The task. Raises InvalidInput where the premise is empty or too long, or there is no such number of panels."""
    fields = action.fields(words=premise, choice=str(count), longest=longest)
    fields |= {"output_schema": schema(count), "max_new_tokens": min(longest, count * TOKENS + MORE), "model": model, "seed": seed}
    return Write.checked(fields)


def read(text: str) -> Draft:
    """The panels of an answer. Of one that was stopped, those that are whole; nothing of what is none."""
    try:
        panels: object = json.loads(text)["panels"]
        return Draft(tuple(Drafted.model_validate(panel) for panel in panels), whole=True)  # pyright: ignore[reportGeneralTypeIssues]
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError):
        return Draft(tuple(_those_whole(text)), whole=False)


def _those_whole(text: str) -> Iterator[Drafted]:
    start = text.find("[")
    while start >= 0 and (start := text.find("{", start)) >= 0:
        try:
            found, start = _DECODER.raw_decode(text, start)
            yield Drafted.model_validate(found)
        except (ValueError, RecursionError, ValidationError):
            return


_DECODER: Any = json.JSONDecoder()
