"""What the page shows of finished takes: their cards in the player, and their downloads."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.creations import Creation, Sound
from studio.errors import StorageFull
from studio.marks import Marks
from studio.provenance import sounds
from studio.provenance.record import Record
from studio.settings import Settings
from tabs import _takes

RATE = 8_000
Make = Callable[..., Creation]


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(Settings(home=tmp_path / "home", cache=tmp_path, mode="local"))


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes takes as the library keeps them: a FLAC that carries its record."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))

    def one(id: str = "one", seconds: float = 0.5, **told: Any) -> Creation:
        task = {"prompt": "a tone", "seed": 7, **told.pop("task", {})}
        record = Record(
            schema_version=1, made_by="Atelier", kind="music", task=task, asked=task, model={"name": "M", "licence": "MIT"}, software={},
            device="cpu", seconds=1.0, created="2026-01-01T00:00:00Z", facts=told,
        )  # fmt: skip
        wave = np.sin(np.arange(round(seconds * RATE)) / 5).astype(np.float32)[None]
        path = tmp_path / f"{id}.flac"
        path.write_bytes(sounds.encode_flac(Sound(wave, RATE), record))
        return Creation(id, "music", path, record.model_dump(), "2026-01-01T00:00:00Z")

    return one


def names(files: list[str]) -> list[str]:
    return [Path(file).name for file in files]


@pytest.mark.parametrize(
    ("asked", "told", "loop"),
    [
        ({"loop": True}, {"loop": {"score": 1.0}}, True),
        ({"loop": False}, {"loop": {"score": 1.0}}, True),  # a selection that was made a loop, or words that ask for one
        ({"loop": True}, {"plan": {"loop": True}}, False),  # stopped before it closed
        ({}, {}, False),
    ],
)
def test_a_card_loops_where_its_sound_closes_on_itself(make: Make, asked: dict[str, Any], told: dict[str, Any], loop: bool) -> None:
    (card,) = _takes.shelf([make(task=asked, **told)])["takes"]
    assert card["loop"] is loop


@pytest.mark.parametrize(("kind", "suffix"), [("flac", ".flac"), ("wav16", ".wav"), ("mp3", ".mp3"), ("ogg", ".ogg"), ("../evil", ".flac")])
def test_a_take_is_handed_out_in_the_format_that_was_chosen(make: Make, kind: str, suffix: str, marks: Marks) -> None:
    (file,) = _takes.files(make(), kind, marks)
    assert Path(file).name == f"atelier-7{suffix}"
    assert sounds.read_record(Path(file)) is not None


def test_a_full_disk_is_said_in_a_sentence_and_nothing_of_the_export_stays(
    make: Make, marks: Marks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    take, whole = make(), Path.write_bytes

    def full(file: Path, data: bytes) -> int:
        if "served" not in file.parts:
            return whole(file, data)
        whole(file, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageFull, match="The disk is full"):
        _takes.files(take, "ogg", marks)
    assert [file for file in (tmp_path / "served").rglob("*") if file.is_file()] == []


def test_a_loop_is_handed_out_in_no_format_that_would_pad_it(make: Make, marks: Marks) -> None:
    loop = make(loop={"score": 1.0})
    found = [name for kind in ("mp3", "opus", "ogg") for name in names(_takes.files(loop, kind, marks))]
    assert found == ["atelier-7.flac", "atelier-7.flac", "atelier-7.ogg"]
