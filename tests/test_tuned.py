"""Fields that a model does not use are disabled with the reason, from the first moment of the page on, and come back as they were."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from studio.models import Bundled, ModelCard
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Compose
from tabs import _models

SINGER = ModelCard(
    name="Singer", engine="starter_composer", serves=("music",), source=Bundled(path="composer"),
    ignores=("loop", "reference", "instruments"),
)  # fmt: skip


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("tuned")
    studio = Studio.open(Settings(home=folder / "home", cache=folder / "cache", offline=True))
    studio.cards = (*studio.cards, SINGER)
    yield studio
    studio.close()


@pytest.fixture
def form(studio: Studio) -> Any:
    """What a form is to these fields."""
    fields = {name: gr.Textbox(label=name.capitalize()) for name in Compose.model_fields}
    fields |= {"loop": gr.Checkbox(label="Loop", info="It closes on itself"), "reference": gr.File(label="Reference")}
    return SimpleNamespace(studio=studio, task=Compose, fields=fields)


@pytest.mark.parametrize("name", ["lyrics", "top_k", "guidance_scale", "steps", "reference_strength"])
def test_what_the_studios_own_choice_does_not_use_is_disabled_before_anything_is_chosen(form: Any, name: str) -> None:
    assert form.fields[name].interactive is None
    _models.Tuned(form, "make")
    config = form.fields[name].get_config()
    assert (config["interactive"], config["info"]) == (False, "Atelier Composer does not use this")


def test_another_model_disables_fields_of_its_own_and_gives_the_others_back_with_their_words(form: Any) -> None:
    tuned = _models.Tuned(form, "make")
    under, back = tuned.of("Singer"), tuned.of("")
    assert under["loop"] == {"interactive": False, "info": "Singer does not use this", "value": False}
    assert under["instruments"]["value"] == []
    assert under["reference"] == {"interactive": False, "label": "Reference (Singer does not use this)", "value": None}
    assert under["top_k"] == {"interactive": True, "info": ""}
    assert back["loop"] == {"interactive": True, "info": "It closes on itself"}
    assert back["reference"] == {"interactive": True, "label": "Reference"}
    assert not back["top_k"]["interactive"]
    assert tuned.of("no such model") == {}


def test_a_run_that_borrows_the_model_field_takes_nothing_from_the_others(form: Any) -> None:
    tuned = _models.Tuned(form, "make")
    assert all(update == gr.skip() for update in tuned.updates("Singer", borrowed=["", "", None, None, "Singer"]))
    assert [update.get("interactive") for update in tuned.updates("Singer")] == [name not in SINGER.ignores for name in tuned.names]
