"""Samplers by intent: how daring the prose is, as numbers anybody can read and change. Knows no engine and no page.

A preset says every sampler, those that it leaves off too, so that nothing of the preset before it stays behind.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from studio.tasks import Write

SAMPLERS = (
    "temperature", "top_p", "top_k", "min_p", "typical_p", "top_n_sigma", "repetition_penalty", "dry_multiplier", "dry_base",
    "dry_allowed_length", "xtc_probability", "xtc_threshold",
)  # fmt: skip
"""Fields of `Write` that choose among the likely words."""


class SamplerPreset(BaseModel):
    """One intent. `settings` hold a number for each of `SAMPLERS`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z_]*$", max_length=40)
    title: str = Field(min_length=1, max_length=40)
    description: str = Field(min_length=1, max_length=160)
    settings: Mapping[str, int | float]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if set(self.settings) != set(SAMPLERS):
            raise ValueError("a preset says each sampler and nothing else")
        Write.checked({"prompt": "x", **self.settings})
        return self

    def under(self, ignored: tuple[str, ...] = ()) -> Mapping[str, int | float | None]:
        """Its numbers for a model that has no use for the fields `ignored`: those stay empty (None)."""
        return {name: None if name in ignored else self.settings[name] for name in SAMPLERS}


def sampler_presets(folder: Path) -> tuple[SamplerPreset, ...]:
    """All of them, from the most careful to the boldest: the order of presets/samplers.toml."""
    tables = tomllib.loads((folder / "samplers.toml").read_text("utf-8"))["preset"]
    return tuple(SamplerPreset.model_validate(table) for table in tables)
