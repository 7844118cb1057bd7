"""The form of a tab filled from a take or its file: as it was asked for, but for files, which no record holds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from studio.errors import InvalidInput
from studio.provenance.record import Record
from studio.tasks import Compose, Narrate, Task
from tabs import _restored


def form(task: type[Task]) -> Any:
    return SimpleNamespace(task=task, fields=dict.fromkeys(task.model_fields))


def made(task: Task) -> dict[str, Any]:
    values = task.model_dump(mode="json")
    return Record(
        schema_version=1, made_by="Atelier", kind=task.kind, task=values, asked=values, model={}, software={}, device="cpu", seconds=1.0,
        created="2026-01-01T00:00:00Z",
    ).model_dump()  # fmt: skip


def restored(task: Task) -> dict[str, Any]:
    return dict(zip(type(task).model_fields, _restored.values(form(type(task)), made(task)), strict=True))


def test_every_field_comes_back_as_a_form_holds_it() -> None:
    asked = Compose.checked({"prompt": "a waltz", "seed": 7, "bpm": 90, "instruments": ["piano", "cello"], "loop": True, "format": "ogg"})
    found = restored(asked)
    assert Compose.checked({name: value for name, value in found.items() if value is not None}) == asked
    assert found["instruments"] == ["piano", "cello"]


def test_a_file_stays_away_and_a_timeline_says_the_length() -> None:
    found = restored(Compose.checked({"prompt": "x", "reference": "/gone/tune.mid", "reference_use": "melody"}))
    assert found["reference"] is None and found["reference_use"] == "melody"
    timeline = restored(Compose.checked({"prompt": "x", "segments": "8: soft\n8: loud"}))
    assert timeline["duration"] is None and timeline["segments"] == "8: soft\n8: loud"


def test_what_was_made_in_another_tab_is_refused() -> None:
    with pytest.raises(InvalidInput, match="another tab"):
        _restored.values(form(Compose), made(Narrate(text="Hello.")))
