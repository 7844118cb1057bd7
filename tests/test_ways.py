"""The inpainting tab shows the fields that a mode and a model read, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from studio.models import Folder, ModelCard
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import MODES
from tabs import _ways


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("ways")
    (folder / "painter").mkdir()
    save_file({"weights": np.zeros(2, np.float32)}, folder / "painter" / "model.safetensors")
    painter = ModelCard(
        name="Painter", engine="diffusion", serves=("inpaint",), source=Folder(path=str(folder / "painter")), schedulers=("Euler", "DDIM"),
        ignores=("negative_prompt",),
    )  # fmt: skip
    studio = Studio.open(Settings(home=folder / "home", cache=folder / "cache", offline=True))
    studio.cards = (*studio.cards, painter)
    yield studio
    studio.close()


def shown(found: list[Any]) -> dict[str, bool]:
    return {name: update["visible"] for name, update in zip(_ways.TUNED, found, strict=True)}


def test_every_mode_has_its_hint() -> None:
    assert set(_ways.HINTS) == set(MODES)
    assert set(_ways.UNREAD) <= set(MODES)


@pytest.mark.parametrize("modes", [("fill",), ("fill", "instruct")])
def test_instructions_are_offered_where_a_model_here_takes_one(
    studio: Studio, modes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    painter = studio.cards[-1].model_copy(update={"modes": modes})
    monkeypatch.setattr(studio, "cards", (*studio.cards[:-1], painter))
    offered = [mode for _, mode in _ways.offered(studio)]
    assert offered == [mode for mode in MODES if mode != "instruct" or "instruct" in modes]


def test_erasing_shows_nothing_that_only_a_drawing_model_reads(studio: Studio) -> None:
    assert not any(shown(_ways.tuned(studio, "erase", "", "")).values())
    _, prompt, chips, sides = _ways.asked("erase")
    assert [part.visible for part in (prompt, chips, sides)] == [False, False, False]


def test_filling_shows_what_the_starter_reads(studio: Studio) -> None:
    found = shown(_ways.tuned(studio, "fill", "", ""))
    assert found["strength"] and found["steps"] and found["prefill"]
    assert not found["scheduler"]  # the starter has none to choose


def test_what_a_model_cannot_use_is_hidden_and_emptied(studio: Studio) -> None:
    found = dict(zip(_ways.TUNED, _ways.tuned(studio, "fill", "Painter", "Euler"), strict=True))
    assert not found["negative_prompt"]["visible"]
    assert found["negative_prompt"]["value"] == ""
    assert found["scheduler"]["visible"]
    assert "value" not in found["strength"]


@pytest.mark.parametrize(("before", "after"), [("Euler", "Euler"), ("Karras", ""), (None, "")])
def test_a_scheduler_stays_where_the_model_has_it(studio: Studio, before: str | None, after: str) -> None:
    found = dict(zip(_ways.TUNED, _ways.tuned(studio, "fill", "Painter", before), strict=True))
    assert found["scheduler"]["value"] == after
