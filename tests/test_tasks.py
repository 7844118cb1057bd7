"""Tasks refuse bad values in one sentence that names the field."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import InvalidInput
from studio.tasks import PROMPT_LIMIT, TASKS, Inpaint, TextToImage, Write, limits, range_in_words


@pytest.mark.parametrize("value", [20.5, True, False, "20", "", [1], {}, math.nan, math.inf, -math.inf, 0, -1, 151, 10**9])
def test_steps_that_are_no_whole_number_in_range_are_refused_in_words(value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        TextToImage.checked({"prompt": "a cat", "steps": value})
    assert str(refused.value) == "Steps must be a whole number from 1 to 150."
    assert refused.value.field == "steps"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 513), ("width", 16_384), ("height", 8), ("guidance_scale", math.nan), ("guidance_scale", -5), ("guidance_scale", 1e6),
        ("seed", -1), ("seed", 2**32), ("seed", "abc"), ("count", 0), ("count", 1000), ("count", True),
    ],
)  # fmt: skip
def test_every_number_out_of_range_names_its_field(field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        TextToImage.checked({"prompt": "a cat", field: value})
    title = TextToImage.model_fields[field].title
    assert str(refused.value) == f"{title} must be {range_in_words(TextToImage, field)}."


def test_a_whole_number_may_arrive_as_a_float() -> None:
    assert TextToImage.checked({"prompt": "a cat", "steps": 20.0}).steps == 20


def test_nothing_given_means_the_default() -> None:
    task = TextToImage.checked({"prompt": "a cat", "steps": None, "count": None, "style": None, "negative_prompt": None})
    assert (task.steps, task.count, task.style, task.negative_prompt) == (None, 1, "", "")


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t"])
def test_an_empty_prompt_is_refused(prompt: str) -> None:
    with pytest.raises(InvalidInput, match="Prompt is empty: say what you would like."):
        TextToImage.checked({"prompt": prompt})


def test_a_missing_prompt_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Prompt is empty"):
        TextToImage.checked({})


def test_a_prompt_of_100_000_characters_is_refused_with_both_numbers() -> None:
    with pytest.raises(InvalidInput, match="Prompt is 100,000 characters long; 4,000 is the most. Shorten it."):
        TextToImage.checked({"prompt": "x" * 100_000})


@pytest.mark.parametrize("prompt", ["\ud800", "cat \udfff", "a\x00b", "a\x1bb", "a\x85b"])
def test_broken_and_invisible_characters_are_refused(prompt: str) -> None:
    with pytest.raises(InvalidInput, match="^Prompt holds"):
        TextToImage.checked({"prompt": prompt})


@pytest.mark.parametrize(
    "prompt", ["قطة على صاروخ", "👩‍🚀 🐱", "a\u200bcat", "猫", "\u00e9" * 50, "<img src=x onerror=alert(1)>", "{{7*7}}"]
)
def test_every_script_and_emoji_passes_unchanged(prompt: str) -> None:
    assert TextToImage.checked({"prompt": prompt}).prompt == prompt


def test_line_ends_become_newlines() -> None:
    assert Write.checked({"prompt": "a\r\nb\rc"}).prompt == "a\nb\nc"


def test_an_unknown_field_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="the fields are prompt, "):
        TextToImage.checked({"prompt": "a cat", "stepz": 3})


def test_stop_texts_come_one_a_line_or_as_a_list() -> None:
    assert Write.checked({"prompt": "x", "stop": "END\n\n###"}).stop == ("END", "###")
    assert Write.checked({"prompt": "x", "stop": ["END"]}).stop == ("END",)
    with pytest.raises(InvalidInput, match="Stop takes at most 8 entries"):
        Write.checked({"prompt": "x", "stop": ["x"] * 9})


@given(
    st.dictionaries(
        st.sampled_from([*TextToImage.model_fields, "other"]),
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    )
)
def test_any_values_give_a_task_or_one_sentence(values: dict[str, object]) -> None:
    sentence, task = "", None
    try:
        task = TextToImage.checked(values)
    except InvalidInput as refused:
        sentence = str(refused)
    assert (task is None) == bool(sentence)
    assert task is not None or (sentence.endswith(".") and "\n" not in sentence)
    assert task is None or 0 < len(task.prompt) <= PROMPT_LIMIT


@pytest.mark.parametrize("kind", TASKS)
def test_every_field_has_a_title_and_its_default_is_inside_its_limits(kind: str) -> None:
    task = TASKS[kind]
    assert [name for name, field in task.model_fields.items() if field.is_required()] == [next(iter(task.model_fields))]
    for name, field in task.model_fields.items():
        assert field.title and field.description
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            assert limits(task, name).get("ge", field.default) <= field.default <= limits(task, name)["le"]


# Inpainting ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "way"),
    [
        ({"mask": "m.png"}, "erase"),
        ({"mask": "m.png", "prompt": "a dog"}, "fill"),
        ({"left": "25%"}, "outpaint"),
        ({"prompt": "a dog", "top": 12}, "outpaint"),
        ({"prompt": "a dog"}, "redraw"),
        ({"mask": "m.png", "prompt": "a dog", "mode": "refine"}, "refine"),
    ],
)
def test_the_mode_follows_from_what_is_given(values: dict[str, object], way: str) -> None:
    task = Inpaint.checked({"image": "a.png"} | values)
    assert task.way == task.settled()["mode"] == way


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({}, "image", "Picture is missing: choose, paste or drop a file."),
        ({"image": "a.png"}, "mask", "Nothing is marked: paint over what should change first."),
        ({"image": "a.png", "mode": "erase"}, "mask", "Nothing is marked: paint over what should change first."),
        ({"image": "a.png", "mode": "outpaint"}, "left", "Outpainting needs room: say by how much at least one side should grow."),
        ({"image": "a.png", "mode": "redraw"}, "prompt", "Prompt is empty: say what the picture should become."),
        ({"image": "a.png", "mode": "paint"}, "mode", "Mode must be one of "),
        ({"image": "a.png", "prompt": "x", "area": "half"}, "area", "Work on must be masked"),
        ({"image": "a.png", "prompt": "x", "strength": float("nan")}, "strength", "Strength must be a number above 0 and up to 1."),
        ({"image": "a.png", "prompt": "x", "mask_grow": 65}, "mask_grow", "Grow mask must be a whole number from -64 to 64."),
        ({"image": "a.png", "prompt": "x", "left": "300%"}, "left", "Left must be pixels from 0 to 4096"),
        ({"image": "a.png", "prompt": "x", "left": -1}, "left", "Left must be pixels from 0 to 4096"),
        ({"image": "a.png", "prompt": "x", "prefill": "pink"}, "prefill", "Prefill must be one of original"),
        ({"image": "a.png", "prompt": "x", "colour_match": 1}, "colour_match", "Match colours must be on or off"),
    ],
)
def test_what_an_edit_lacks_is_said_with_its_field(values: dict[str, object], field: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Inpaint.checked(values)
    assert refused.value.field == field
    assert str(refused.value).startswith(sentence)
