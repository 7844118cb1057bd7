"""rules.py: what a public studio refuses, field by field, and what a studio at home never does."""

from __future__ import annotations

from typing import Any

import pytest

from studio.errors import Refused
from studio.presets import TextStyle
from studio.rules import ASKED, AVOIDED, GIVEN, public_limits, rules
from studio.tasks import TASKS, Compose, Inpaint, Narrate, Task, TextToImage, Write

EDIT = {"image": "a.png", "mask": "b.png", "prompt": "a star"}


@pytest.mark.parametrize(
    ("task", "given", "field", "most", "words"),
    [
        (TextToImage, {"prompt": "dots", "width": 1024}, "height", 1024, "smaller size"),
        (TextToImage, {"prompt": "dots"}, "steps", 50, "choose fewer"),
        (TextToImage, {"prompt": "dots"}, "count", 4, "smaller count"),
        (Inpaint, EDIT, "steps", 50, "choose fewer"),
        (Inpaint, EDIT, "count", 4, "smaller count"),
        (Compose, {"prompt": "a waltz"}, "duration", 120, "shorter duration"),
        (Compose, {"prompt": "a waltz"}, "steps", 100, "choose fewer"),
        (Compose, {"prompt": "a waltz"}, "count", 4, "4 takes at once"),
        (Write, {"prompt": "a letter"}, "max_new_tokens", 1024, "shorter answer"),
    ],
)
def test_a_public_studio_takes_the_most_and_refuses_more(
    task: type[Task], given: dict[str, Any], field: str, most: int, words: str
) -> None:
    more = most + (8 if field == "height" else 1)
    public_limits(task.checked({**given, field: most}))
    with pytest.raises(Refused, match=words):
        public_limits(task.checked({**given, field: more}))


@pytest.mark.parametrize(("task", "given"), [(TextToImage, {"prompt": "dots"}), (Inpaint, EDIT), (Compose, {"prompt": "a waltz"})])
def test_what_is_left_open_is_not_refused(task: type[Task], given: dict[str, Any]) -> None:
    public_limits(task.checked(given))


NO_WORDS = {"model", "style", "scheduler", "mode", "area", "prefill", "left", "right", "top", "bottom", "key", "time_signature", "form"}
NO_WORDS |= {"energy", "bank", "loudness", "format", "reference_use", "voice", "instruments"}


def judge(public: bool, task: Task) -> None:
    for rule in rules(public):
        rule(task)


def test_a_studio_at_home_has_no_limits_but_what_holds_everywhere() -> None:
    assert len(rules(public=False)) == 1
    assert rules(public=True)[0] is public_limits
    judge(False, TextToImage.checked({"prompt": "hentai poster", "steps": 150, "count": 8}))
    with pytest.raises(Refused, match=r"^The studio does not make sexual content with children \(rule C1\): leave either out\.$"):
        judge(False, TextToImage.checked({"prompt": "a naked child"}))
    with pytest.raises(Refused, match=r"^This public studio does not make pornography \(rule P1\): ask for something that everybody"):
        judge(True, TextToImage.checked({"prompt": "hentai poster"}))


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.kind)
def test_every_text_field_is_read_by_the_rules_or_holds_no_words(task: type[Task]) -> None:
    kinds = (ASKED, GIVEN, AVOIDED)
    read = {name for kind in kinds for name in kind.get(task.kind, ())}
    texts = {name for name, field in task.model_fields.items() if "str" in str(field.annotation)} - set(task.files)
    assert texts == read | (texts & NO_WORDS)
    assert not read & NO_WORDS


@pytest.mark.parametrize(
    ("task", "given"),
    [
        (TextToImage, {"prompt": "a child", "blend_prompt": "a nude in oil"}),
        (Inpaint, EDIT | {"prompt": "a naked toddler"}),
        (Compose, {"prompt": "a song", "lyrics": "la la la\nn4ked ch1ld\nla la"}),
        (Compose, {"prompt": "a song", "mood": "naked child"}),
        (Narrate, {"text": "Once there was a naked child."}),
        (Write, {"prompt": "Go on.", "system": "You write child porn."}),
        (Write, {"prompt": "Choose.", "output_choices": ["tree", "naked child"]}),
    ],
)
def test_every_field_that_says_what_to_make_is_read(task: type[Task], given: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"rule C1\)") as refused:
        judge(False, task.checked(given))
    assert "n4ked" not in str(refused.value)


def test_what_to_avoid_may_be_named_unless_one_phrase_says_it_all() -> None:
    negative = "nsfw, nude, child, hentai, porn, lowres"
    judge(True, TextToImage.checked({"prompt": "a bridge at night", "negative_prompt": negative}))
    judge(True, Write.checked({"prompt": "A story.", "ban": ["naked", "child"]}))
    with pytest.raises(Refused, match="C1"):
        judge(False, TextToImage.checked({"prompt": "a bridge at night", "negative_prompt": "lowres, naked child"}))


def test_a_writers_document_is_read_in_public_alone() -> None:
    task = Write.checked({"prompt": "Go on.", "document": "It was a hardcore sex scene."})
    judge(False, task)
    with pytest.raises(Refused, match="P1"):
        judge(True, task)


def test_a_prompt_that_a_style_completes_is_read_as_the_model_reads_it() -> None:
    style = TextStyle(name="mine", prompt="a naked {prompt}, in oil")
    task = TextToImage.checked({"prompt": "child", "style": "mine"})
    judge(False, task)
    with pytest.raises(Refused, match="C1"):
        judge(False, style.applied(task))
