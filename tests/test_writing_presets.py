"""Kinds of text: what their file holds, how a blank is filled, and that those offered with the starter have passed their test."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from studio import models
from studio.engines import gguf
from studio.errors import InvalidInput
from studio.models import Folder, ModelCard
from studio.tasks import Write
from studio.writing_presets import WritingPreset, writing_presets
from training.writing.evaluate import SEED
from training.writing.rules import Form, faults, repeated

ROOT = Path(__file__).parent.parent
PRESETS = writing_presets(ROOT / "presets")
STARTER = next(card for card in gguf.CARDS if card.starter)
PLAN = tomllib.loads((ROOT / "training/writing/prompts.toml").read_text("utf-8"))
RESULTS = tomllib.loads((ROOT / "training/writing/results.toml").read_text("utf-8"))
PROSE = Form(words=(5, 60))

each_preset = pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)


def other(**facts: Any) -> ModelCard:
    return ModelCard(name="Other", engine="language", serves=("write",), source=Folder(path="/x")).model_copy(update=facts)


def made(**changes: Any) -> WritingPreset:
    fields = {"name": "note", "title": "Note", "description": "A note.", "template": "Write a note about {topic}.", "example": "rain"}
    return WritingPreset.model_validate(fields | changes)


# The file --------------------------------------------------------------------------------------------------------------------------


def test_there_are_at_least_sixteen_kinds_and_their_names_and_titles_are_unique() -> None:
    assert len(PRESETS) >= 16
    assert len({preset.name for preset in PRESETS}) == len({preset.title for preset in PRESETS}) == len(PRESETS)


@each_preset
def test_a_kind_makes_a_task_that_the_starter_takes(preset: WritingPreset) -> None:
    task = Write.checked({"prompt": preset.filled("a blue mug"), "system": preset.system, **preset.settings})
    filled = models.resolve(task, STARTER)
    assert {name: getattr(filled, name) for name in preset.settings} == dict(preset.settings)
    assert "{" not in filled.prompt


def test_those_offered_with_the_starter_are_exactly_those_that_passed_their_test() -> None:
    passed = {name for name, result in RESULTS.items() if isinstance(result, dict) and result["all"] >= RESULTS["threshold"]}
    assert {preset.name for preset in PRESETS if preset.starter} == passed
    assert len(passed) >= 8
    assert RESULTS["threshold"] == PLAN["threshold"] == 0.8


def test_every_kind_has_a_test_of_twenty_different_prompts_in_known_words() -> None:
    tests = {test["preset"]: test for test in PLAN["test"]}
    assert set(tests) == {preset.name for preset in PRESETS}
    assert set(tests) >= {name for name, result in RESULTS.items() if isinstance(result, dict)}
    for test in tests.values():
        assert len(set(PLAN["lists"][test["list"]])) == 20
        Form(**{name: value for name, value in test.items() if name not in ("preset", "list")})
    assert PLAN["tuning"] == 13
    assert SEED + 20 < 2**32


# Filling and fitting ---------------------------------------------------------------------------------------------------------------


def test_the_words_of_the_artist_fill_the_blank_as_they_are() -> None:
    assert made().filled(" a \\1 {text} mug\n") == "Write a note about a \\1 {text} mug."
    assert made().filled("   ") == "Write a note about rain."
    assert made().blank == "topic"
    plain = made(template="Go on.", example="")
    assert (plain.filled("anything"), plain.blank) == ("Go on.", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"template": "{topic} and {text}"},
        {"template": "{subject}"},
        {"template": "Write {topic:>4}."},
        {"example": ""},
        {"template": "No blank."},
        {"settings": {"temperature": 9}},
        {"settings": {"heat": 1}},
        {"name": "Two words"},
        {"colour": "blue"},
    ],
)
def test_a_kind_that_cannot_work_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, InvalidInput)):
        made(**changes)


def test_a_kind_is_offered_with_the_models_that_can_write_it() -> None:
    assert made(starter=True).fits(STARTER)
    assert not made(starter=False).fits(STARTER)
    assert made(min_params=1.0).fits(other(params=1.0))
    assert not made(min_params=1.0).fits(other(params=0.9))
    assert made(min_params=1.0).fits(other(params=None))
    assert not made().fits(other(params=7.0, languages=("fr", "de")))
    assert made().fits(other(params=7.0, languages=("fr", "en")))


# The rules of the test -------------------------------------------------------------------------------------------------------------


def judged(text: str, form: Form = PROSE, subject: str = "a blue mug", cut: bool = False) -> tuple[str, ...]:
    return faults(text, form, subject, "Write a short note about", cut)


def test_a_good_answer_passes() -> None:
    assert judged("This blue mug is round and holds a lot of tea.") == ()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("  \n", "empty"),
        ("A mug.", "2 words"),
        ("Rain fell on the roof of the old house all night.", "off the subject"),
        ("The mug is blue and the mug is blue and the mug is blue and the mug is blue.", "repeats itself (0.69)"),
        ("A blue mug that you will love, made for [Your Name].", "open blank"),
        ("As an AI I have never seen a blue mug.", "talks about itself"),
        ("Write a short note about the blue mug on the table.", "echoes the instruction"),
        ("The blue mug is sold at shop@example.com for nine euros.", "invents an address"),
        ("The blue mug can be ordered by calling 555-123-4567 today.", "invents an address"),
        ("The blue mug stands on the table and", "ends in the middle"),
        ("Кружка синяя, она стоит на столе, mug.", "foreign characters"),
        ("A blue mug. This is just one example of what I can do.", "comments on its answer"),
    ],
)
def test_a_bad_answer_fails_by_its_rule(text: str, fault: str) -> None:
    assert fault in judged(text)


def test_an_answer_cut_at_its_length_needs_one_whole_sentence_only() -> None:
    assert judged("The mug is blue. It is round and", cut=True) == ()
    assert judged("The mug is blue and round and", cut=True) == ("no whole sentence",)


def test_lists_verses_letters_and_rewritings_have_rules_of_their_own() -> None:
    entries, verse = Form(words=(2, 60), entries=(3, 5)), Form(words=(2, 60), lines=(3, 9))
    assert judged("1. a mug\n2. a cup\n- a bowl", entries) == ()
    assert judged("1. a mug\n2. a cup", entries) == ("2 entries",)
    assert judged("My mug,\nso blue,\nI drink", verse) == ()
    assert judged("My mug, so blue.", verse) == ("1 lines",)
    letter = Form(words=(2, 60), greeting=True, open_names=True)
    assert judged("Dear [Name],\nthe mug is here.\nYours\n[Name]", letter) == ()
    assert judged("The mug is here, [Name].", letter) == ("no greeting",)
    text = "The studio opens at nine and closes at six on every single day."
    rewritten = Form(words=(2, 60), shorter=0.8, original=0.5, keeps=0.5)
    assert judged("The studio: open nine to six, every day.", rewritten, text) == ()
    assert set(judged(text, rewritten, text)) == {"not shorter", "copied"}
    assert judged("Studio times changed.", rewritten, text) == ("keeps 1 of 8 words",)


def test_a_refrain_is_no_loop() -> None:
    verse = "the rain falls down upon my street and sings a song of silver feet".split()
    song = "we wait for summer".split()
    assert repeated(verse + song + "a bird has come to build a nest above the door".split() + song) < 0.15
    assert repeated(song * 6) > 0.5
    assert repeated(song) == 0
