"""Kinds of text: filled in, offered where they work, and marked for the starter by its test alone."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from studio.engines import gguf
from studio.models import Folder, ModelCard
from studio.tasks import Write
from studio.writing_presets import WritingPreset, writing_presets

ROOT = Path(__file__).resolve().parents[1]
PRESETS = writing_presets(ROOT / "presets")
RESULTS = tomllib.loads((ROOT / "training" / "writing" / "results.toml").read_text("utf-8"))


def test_there_are_at_least_sixteen_kinds_with_names_of_their_own() -> None:
    assert len(PRESETS) >= 16
    assert len({preset.name for preset in PRESETS}) == len({preset.title for preset in PRESETS}) == len(PRESETS)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_the_starter_offers_a_kind_exactly_when_its_test_passed(preset: WritingPreset) -> None:
    result = RESULTS.get(preset.name)
    assert preset.starter == (result is not None and result["all"] >= RESULTS["threshold"])


def test_the_blank_takes_the_artists_words_or_the_example() -> None:
    preset = WritingPreset(name="note", title="Note", description="A note.", template="Write a note about {topic}.", example="rain")
    assert (preset.filled("  snow "), preset.filled(" ")) == ("Write a note about snow.", "Write a note about rain.")
    assert Write.checked({"prompt": preset.filled("a {topic} of braces")}).prompt == "Write a note about a {topic} of braces."


@pytest.mark.parametrize("template", ["Write {topic} and {text}.", "Write {subject}.", "Write about {topic}"])
def test_a_template_with_a_wrong_blank_or_no_example_is_refused(template: str) -> None:
    with pytest.raises(ValidationError):
        WritingPreset(name="note", title="Note", description="A note.", template=template)


def test_a_small_model_gets_fewer_kinds_than_a_large_one() -> None:
    (starter,) = [card for card in gguf.CARDS if card.starter]
    large = ModelCard(name="Large", engine="language", serves=("write",), source=Folder(path="."), params=8, languages=("en",))
    offered = [{preset.name for preset in PRESETS if preset.fits(card)} for card in (starter, large)]
    assert offered[0] and offered[0] < offered[1]
    german = large.model_copy(update={"languages": ("de",)})
    assert not any(preset.fits(german) for preset in PRESETS)
