"""Kinds of text: an instruction to fill in, who writes it, and how. Read from presets/writing.toml. Knows no page.

Whether a kind works with the starter is decided by training/writing/evaluate.py, not by taste.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from studio.models import ModelCard
from studio.tasks import Write

_BLANK = re.compile(r"\{(topic|text)\}")


class WritingPreset(BaseModel):
    """One kind of text.

    `template` is the instruction with at most one blank: `{topic}` for a few words, `{text}` for a passage; `example` fills it while
    the artist has said nothing. `settings` are fields of `Write`. `starter`: it works with the starter; `min_params` (billions) is
    the smallest other model it is offered with; `languages` those its words are in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z_]*$", max_length=40)
    title: str = Field(min_length=1, max_length=40)
    description: str = Field(min_length=1, max_length=160)
    template: str = Field(min_length=1, max_length=1000)
    example: str = ""
    system: str = ""
    settings: Mapping[str, int | float] = Field(default_factory=dict)
    starter: bool = False
    min_params: float = Field(default=0.5, ge=0)
    languages: tuple[str, ...] = ("en",)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        blanks = re.findall(r"\{[^}]*\}", self.template)
        if len(blanks) > 1 or not all(_BLANK.fullmatch(blank) for blank in blanks):
            raise ValueError("a template has one blank at most, {topic} or {text}")
        if bool(blanks) != bool(self.example):
            raise ValueError("a template with a blank needs an example for it, one without needs none")
        Write.checked({"prompt": self.filled(), "system": self.system, **self.settings})
        return self

    @property
    def blank(self) -> str:
        """'topic', 'text', or '' for a kind that needs no words of its own."""
        found = _BLANK.search(self.template)
        return found[1] if found else ""

    def filled(self, words: str = "") -> str:
        """The instruction with the artist's words in its blank, or with the example."""
        return _BLANK.sub(lambda _: words.strip() or self.example, self.template)

    def fits(self, card: ModelCard) -> bool:
        """Whether to offer it with this model. A model of unknown size gets everything."""
        if card.languages and not set(self.languages) & set(card.languages):
            return False
        return self.starter if card.starter else card.params is None or card.params >= self.min_params


def writing_presets(folder: Path) -> tuple[WritingPreset, ...]:
    """All kinds of text, in the order of the file."""
    tables = tomllib.loads((folder / "writing.toml").read_text("utf-8"))["preset"]
    return tuple(WritingPreset.model_validate(table) for table in tables)
