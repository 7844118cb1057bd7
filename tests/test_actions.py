"""Actions on a text: whole instructions, plain refusals, and honest words about what a model cannot do."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from studio import models
from studio.errors import InvalidInput
from studio.models import Bundled, ModelCard
from studio.tasks import TEXT_LIMIT, Write
from studio.writing.actions import Action, actions

ROOT = Path(__file__).parent.parent
ACTIONS = actions(ROOT / "presets")
BY_NAME = {action.name: action for action in ACTIONS}
STARTER = next(card for card in models.discover() if card.starter and "write" in card.serves)
EVERYWHERE = {"temperature", "max_new_tokens", "repetition_penalty"}
"""Settings that every engine has, those of a service among them."""


def card(name: str = "Writer", **more: Any) -> ModelCard:
    fields = {"engine": "language", "serves": ("write",), "source": Bundled(path="logo.svg"), "licence": "MIT", "params": 8.0}
    return ModelCard.model_validate({"name": name, **fields, **more})


def asked(action: Action, text: str = "Some text.", **more: Any) -> dict[str, Any]:
    return action.fields(text, "What came before.", (*action.choices, "")[0], "a lost dog", **more)


def test_there_is_every_action_that_the_page_has_a_place_for() -> None:
    wanted = "continue rewrite expand shorten tone describe grammar translate summarise explain brainstorm outline beats draft title"
    wanted += " social_posts product_description email press_release script poem lyrics code"
    assert set(wanted.split()) <= set(BY_NAME)
    assert len(BY_NAME) == len(ACTIONS) == len({action.title for action in ACTIONS})


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_an_action_makes_a_task_that_every_engine_takes(action: Action) -> None:
    task = Write.checked(asked(action))
    assert "{" not in task.prompt + task.system
    assert set(action.settings) <= EVERYWHERE
    resolved = models.resolve(Write.checked(asked(action, longest=2048)), STARTER)
    assert resolved.max_new_tokens is not None and resolved.max_new_tokens <= 2048


@pytest.mark.parametrize("action", [action for action in ACTIONS if action.result == "replace"], ids=lambda action: action.name)
def test_a_replacement_has_room_for_the_whole_text(action: Action) -> None:
    text = "Twelve words of which each is about as long as any other. " * 20
    assert asked(action, text)["max_new_tokens"] > len(text) * action.length >= len(text) * 0.4
    with pytest.raises(InvalidInput, match="select a part"):
        asked(action, text * 100)
    with pytest.raises(InvalidInput, match="select a part"):
        asked(action, text * 10, longest=1000)


def test_edits_are_made_at_a_low_temperature() -> None:
    for name in ("grammar", "shorten", "translate", "summarise", "tone", "change"):
        assert BY_NAME[name].settings["temperature"] <= 0.4


def test_continuing_hands_over_the_text_as_it_stands() -> None:
    fields = BY_NAME["continue"].fields(before="  Once upon a {time} ")
    assert fields["document"] == "  Once upon a {time} "
    assert len(BY_NAME["continue"].fields(before="x" * 1_000_000)["document"]) == TEXT_LIMIT


@given(st.text(max_size=200))
def test_whatever_stands_in_a_text_fills_only_its_place(words: str) -> None:
    found = BY_NAME["draft"].fields("{before} {text}" + words, "{text}{choice}" + words)["prompt"]
    head, tail = BY_NAME["draft"].template.split("{before}")
    middle, end = tail.split("{text}")
    assert found == (head + "{text}{choice}" + words + middle + ("{before} {text}" + words).strip() + end).strip()


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("rewrite", {"text": "  "}, "Nothing is selected"),
        ("title", {"text": ""}, "document is empty"),
        ("tone", {"text": "x", "choice": "sad"}, "Choose one of these first: friendly"),
        ("poem", {"words": " "}, "Subject is empty"),
        ("title", {"text": "x" * 50_001}, "takes at most 50,000 characters at a time, and these are 50,001: select a part"),
    ],
)
def test_what_is_missing_is_said_in_words(name: str, fields: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        BY_NAME[name].fields(**fields)  # pyright: ignore[reportArgumentType]


# What a model must be


def test_an_action_that_works_says_nothing() -> None:
    assert all(action.needs(card(params=None)) == action.needs(card()) == "" for action in ACTIONS)
    assert all(action.needs(STARTER) == "" for action in ACTIONS if action.starter)


def test_a_model_that_is_too_small_names_the_smallest_that_would_do_it() -> None:
    others = [card("Huge", params=70.0), card("Fit", params=3.0, download_gb=6.2), card("Small", params=1.0), card("Nobody", params=None)]
    words = BY_NAME["translate"].needs(card("Tiny", params=0.5), others[:3])
    assert words.startswith("Translate needs a model of 3 billion parameters or more, and Tiny has 0.5: Fit (MIT, 6.2 GB) would do it")
    assert words.endswith('press Download under its name, or run `python -m studio download "Fit"`.')
    assert BY_NAME["translate"].needs(others[2], ()) == "Translate needs a model of 3 billion parameters or more, and Small has 1."


def test_a_model_that_is_here_is_named_before_one_to_fetch(tmp_path: Path) -> None:
    here = card("Here", params=9.0).model_copy(update={"files": tmp_path})
    words = BY_NAME["grammar"].needs(STARTER, [card("Away", params=2.0), STARTER, here])
    assert words == "Fix grammar is more than SmolLM2 135M does well: choose Here, which is on this machine."


def test_context_and_languages_count_where_they_are_known() -> None:
    assert "reads 8,192 tokens, and Writer reads 4,096" in BY_NAME["draft"].needs(card(options={"context": 4096}))
    english, latin = card(languages=("en",)), card(languages=("en", "de", "fr"))
    assert BY_NAME["translate"].needs(english) == "Translate needs a model of other languages than Writer."
    assert BY_NAME["translate"].needs(latin, choice="German") == ""
    assert BY_NAME["translate"].needs(latin, choice="Thai") == "Translate into Thai is more than Writer knows."
    assert BY_NAME["translate"].offered(latin) == ("English", "French", "German")
    assert len(BY_NAME["translate"].offered(card())) == 30
    assert "other languages" in BY_NAME["poem"].needs(card(languages=("de",)))
    assert BY_NAME["rewrite"].needs(card(languages=("de",))) == ""


def test_the_starter_is_offered_what_it_was_tested_on() -> None:
    results = tomllib.loads((ROOT / "training" / "writing" / "actions_results.toml").read_text("utf-8"))
    plan = tomllib.loads((ROOT / "training" / "writing" / "actions.toml").read_text("utf-8"))
    assert results.pop("threshold") == plan["threshold"] == 0.8
    passed = {name for name, shares in results.items() if shares["all"] >= 0.8}
    assert {action.name for action in ACTIONS if action.starter} == passed
    assert set(results) <= {test["action"] for test in plan["test"]}


def test_every_action_that_the_starter_lacks_has_a_model_that_does_it() -> None:
    cards = models.discover()
    for action in ACTIONS:
        if not action.starter:
            assert "would do it" in action.needs(STARTER, cards), action.name


@pytest.mark.parametrize(
    "change",
    [
        {"template": "Say {text} {choice}"},
        {"template": "Say {text} {secret}"},
        {"template": "Say something"},
        {"template": "Say {text}", "asks": "What"},
        {"template": "Say {text}", "choices": ("a",), "codes": ("en",)},
        {"template": "Say {text}", "settings": {"temperature": 9}},
        {"template": "Say {text}", "goes_on": True},
        {"template": "Say {text}", "extra": 1},
    ],
)
def test_an_action_that_is_not_whole_is_refused(change: dict[str, Any]) -> None:
    fields = {"name": "say", "title": "Say", "description": "It.", "on": "selection", "result": "beside"}
    assert Action.model_validate({**fields, "template": "Say {text}"}).title == "Say"
    with pytest.raises((ValidationError, InvalidInput)):
        Action.model_validate({**fields, **change})
