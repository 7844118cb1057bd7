"""Rows 21 to 34 and 37 to 50: numbers and words, judged at the one place that page, HTTP and command line share."""

from __future__ import annotations

import math
import random
import time
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from studio import presets
from studio.errors import InvalidInput
from studio.starter.icons import IconLibrary
from studio.starter.words import needs_encoder, read
from studio.tasks import PROMPT_LIMIT, TASKS, Task, TextToImage, Write, limits
from tests.attacks.promise import is_a_sentence, refused
from tests.attacks.requests import hasty, requests

ROOT = Path(__file__).parents[2]
FIRST: dict[str, dict[str, Any]] = {
    "text_to_image": {"prompt": "a cat"},
    "inpaint": {"image": "a.png", "mask": "b.png"},
    "music": {"prompt": "a waltz"},
    "narrate": {"text": "Once"},
    "write": {"prompt": "a letter"},
}
NUMBERS = [(kind, name) for kind, task in TASKS.items() for name in task.model_fields if "le" in limits(task, name)]
NO_NUMBERS: list[Any] = [math.nan, math.inf, -math.inf, 1e309, 10**400, -(10**400), True, False, "20", "", [1, 2], {}, {"a": 1}, b"1"]
ODD_WORDS = [
    "😀" * 2000,
    "👨‍👩‍👧‍👦" * 300,
    "<img src=x onerror=alert(1)>",
    "{{7*7}} ${jndi:ldap://x} [a](javascript:alert(1))",
    "=cmd|' /C calc'!A0",
    "(" * 3999,
    "((((a:1.9)" * 300,
    "__../../etc/passwd__ __*__",
    "{prompt} {prompt}",
    "a\u200dcat\u200b",
]


def asked(kind: str, **values: Any) -> Task:
    return TASKS[kind].checked(FIRST[kind] | values)


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_what_is_no_number_is_refused_by_the_name_of_its_field(kind: str, name: str) -> None:
    title = TASKS[kind].model_fields[name].title or name
    for value in NO_NUMBERS:
        with pytest.raises(InvalidInput) as said:
            asked(kind, **{name: value})
        assert said.value.field == name and str(said.value).startswith(title) and is_a_sentence(str(said.value)), value


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_a_number_beyond_its_limits_is_refused_and_one_at_them_is_taken(kind: str, name: str) -> None:
    rules = limits(TASKS[kind], name)
    low, high, step = rules.get("ge", rules.get("gt")), rules["le"], rules.get("multiple_of", 1)
    for value in (low - step, high + step, -1e6, 10**10, 2**63, 2**64, 1e300):
        with refused(words=TASKS[kind].model_fields[name].title or name):
            asked(kind, **{name: value})
    asked(kind, **{name: high}, **({"reference": "a.wav"} if name.startswith("region") else {}))


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("text_to_image", {"steps": -1}, "Steps must be a whole number from 1 to 150."),
        ("text_to_image", {"steps": 0}, "Steps"),
        ("text_to_image", {"steps": -0.0}, "Steps"),
        ("text_to_image", {"steps": 10**9}, "Steps"),
        ("text_to_image", {"steps": 20.5}, "Steps must be a whole number"),
        *(("text_to_image", {"width": value}, "in steps of 8") for value in (513, 8, 16_384, 512.5)),
        *(("text_to_image", {"count": value}, "Count must be") for value in (0, -1, 1000)),
        *(("text_to_image", {"seed": value}, "Seed must be") for value in (-1, 2**32, 2**63, 2**64, "abc")),
        *(("text_to_image", {"guidance_scale": value}, "Guidance scale must be") for value in (math.nan, -5, 1e6)),
        *(("inpaint", {"strength": value}, "Strength must be") for value in (-0.1, 0, 1.01)),
        ("music", {"bpm": 0}, "Tempo must be"),
        ("music", {"key": "H#"}, "Key must be"),
        *(("music", {"duration": value}, "Duration must be") for value in (0, 1e9)),
        *(("write", {"max_new_tokens": value}, "Longest answer must be") for value in (0, 10**7)),
        *(("write", {"temperature": value}, "Temperature must be") for value in (math.nan, -1)),
        *(("write", {"top_p": value}, "Top-p must be") for value in (0, 2)),
        *(("inpaint", {"left": value}, "Left must be") for value in (10**400, math.nan, -1, "9" * 400, "1e9", [1])),
    ],
)
def test_each_number_of_the_list_has_its_sentence(kind: str, values: dict[str, Any], words: str) -> None:
    with refused(words=words):
        asked(kind, **values)


def test_temperature_nought_is_meant() -> None:
    task = asked("write", temperature=0)
    assert isinstance(task, Write) and task.temperature == 0


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("words", ["", " ", "\n\t \n", "\u3000", "\u202e", None])
def test_nothing_said_is_refused(kind: str, words: str | None) -> None:
    if kind != "inpaint":
        with refused(words="is empty: say what you would like."):
            asked(kind, **{next(iter(FIRST[kind])): words})


@pytest.mark.parametrize("kind", TASKS)
def test_a_million_characters_are_refused_at_once_with_both_numbers(kind: str) -> None:
    name, began = next(iter(FIRST[kind])), time.process_time()
    with refused(words="1,000,000 characters long"):
        asked(kind, **{name: "x" * 1_000_000})
    with refused(words="characters long"):
        asked(kind, **{name: "😀" * 100_000})
    assert time.process_time() - began < 2


@pytest.mark.parametrize("character", ["\0", *map(chr, (1, 7, 8, 11, 12, 27, 127, 128, 133, 159)), "\ud800", "\ude00\ud83d"])
def test_controls_and_halves_of_characters_are_refused_in_every_field(character: str) -> None:
    for kind, task in TASKS.items():
        texts = [
            name for name, field in task.model_fields.items() if field.annotation is str and name not in ("left", "right", "top", "bottom")
        ]
        for name in texts:
            with refused(words="holds"):
                asked(kind, **{name: f"a{character}b"})


def test_what_turns_the_direction_of_words_is_left_out_of_what_is_read() -> None:
    turned = "a \u202egod\u202c \u2066on\u2069 a \u202drocket"
    for name in ("prompt", "negative_prompt", "blend_prompt"):
        assert getattr(asked("text_to_image", **{name: turned}), name) == "a god on a rocket"
    document = asked("write", document=turned)
    assert isinstance(document, Write) and document.document == turned, "places in a document are counted: it stays as it is"


def test_words_are_composed_and_joiners_stay() -> None:
    for joined in ("👩‍🚀", "می‌خواهم", "क्‍ष", "שָׁלוֹם"):
        assert asked("text_to_image", prompt=joined).model_dump()["prompt"] == unicodedata.normalize("NFC", joined)
    assert asked("text_to_image", prompt="cafe\u0301").model_dump()["prompt"] == "café"
    twins = {asked("text_to_image", prompt=f"a{turn}e\u0301").model_dump()["prompt"] for turn in ("", "\u202e", "\u2067")}
    assert twins == {"aé"}


def test_a_thousand_marks_upon_a_letter_become_twenty() -> None:
    heaped = asked("text_to_image", prompt="Z" + "\u0335\u0321" * 500 + "algo").model_dump()["prompt"]
    assert heaped.startswith("Z") and heaped.endswith("algo") and len(heaped) == 25


@given(st.text(st.characters(codec="utf-8"), max_size=60))
@example("\u202e")
@example("e\u202e\u0301" + "\u0301" * 30)
def test_words_that_were_read_once_are_read_the_same_again(words: str) -> None:
    said, once = "", ""
    try:
        once = asked("text_to_image", prompt=words).model_dump()["prompt"]
    except InvalidInput as refusal:
        said = str(refusal)
    assert is_a_sentence(said) or once
    if once:
        assert asked("text_to_image", prompt=once).model_dump()["prompt"] == once
        assert len(once) <= PROMPT_LIMIT and unicodedata.is_normalized("NFC", once)


@pytest.mark.parametrize("words", ODD_WORDS, ids=lambda words: words[:12])
def test_strange_words_are_words_and_nothing_else(words: str) -> None:
    for kind in ("text_to_image", "music", "narrate", "write"):
        task = asked(kind, **{next(iter(FIRST[kind])): words})
        assert task.model_dump()[next(iter(FIRST[kind]))] == unicodedata.normalize("NFC", words)


def test_the_starter_reads_strange_words_quickly() -> None:
    library = IconLibrary.open(ROOT / "assets" / "icons")
    needs_encoder("a cat", library)  # what it reads with is made at the first word
    for words in (*ODD_WORDS, "a " * 1999, "red " * 999, "and then behind a " * 200, "é" * 3999):
        began, said = time.process_time(), "."
        try:
            assert len(read(words[:PROMPT_LIMIT], "", "", library).parts) < 200
        except InvalidInput as refusal:
            said = str(refusal)
        assert said == "." or is_a_sentence(said), said
        assert time.process_time() - began < 8, words[:20]


def test_a_style_puts_words_into_its_template_once_and_reads_no_file() -> None:
    style = presets.TextStyle(name="Twice", prompt="{prompt}, and {prompt}, __/etc/passwd__, {include style}")
    made = style.applied(TextToImage(prompt="{prompt} {include x}"))
    assert made.prompt == "{prompt} {include x}, and {prompt} {include x}, __/etc/passwd__, {include style}"
    long = presets.TextStyle(name="Bomb", prompt="{prompt} " * 2000)
    with refused(words="characters long"):
        long.applied(TextToImage(prompt="x" * 3000))


@settings(max_examples=200)
@given(requests())
def test_wild_values_give_a_task_or_one_sentence(request: tuple[str, dict[str, Any]]) -> None:
    endpoint, values = request
    kind, said = endpoint.removeprefix("/"), "."
    try:
        task = TASKS[kind].checked({"image": "a.png"} | values if kind == "inpaint" else values) if kind in TASKS else None
        assert task is None or task.model_dump_json()
    except InvalidInput as refusal:
        said = str(refusal)
    assert said.endswith(".") and "\n" not in said


def test_five_thousand_wild_requests_are_refused_in_a_sentence_each() -> None:
    for endpoint, values in hasty(5000, random.Random(5)):
        kind = endpoint.removeprefix("/")
        with pytest.raises(InvalidInput) as said:
            TASKS.get(kind, Write).checked(values)
        assert str(said.value).endswith(".") and "\n" not in str(said.value) and len(str(said.value)) < 400, values
