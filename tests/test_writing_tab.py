"""The writing tab without a browser: places, the fields of a run, styles of the prose, names of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from studio.engines import gguf
from studio.errors import InvalidInput
from studio.tasks import TEXT_LIMIT, Write
from studio.writing.actions import Action, actions
from studio.writing.prose import SAMPLERS, SamplerPreset, sampler_presets
from tabs import _writing_files, _writing_scripts, _writing_settings
from tabs._editor import Asked, asked
from tabs._writing_run import asked_fields, sent

PRESETS = Path(__file__).parent.parent / "presets"
ACTIONS = {action.name: action for action in actions(PRESETS)}
STYLES = {preset.name: preset for preset in sampler_presets(PRESETS)}
CARD = next(card for card in gguf.CARDS if card.starter)
SHOWN: dict[str, Any] = {"prompt": "Write about the sea.", "temperature": 0.7, "count": 2, "model": ""}


def wish(text: str, start: int = 0, end: int | None = None, action: str = "write", **more: str) -> Asked:
    last = len(text) if end is None else end
    return asked({"document": "D", "version": "V", "start": start, "end": last, "action": action, **more}, text)


# What is asked ---------------------------------------------------------------------------------------------------------------------


def test_the_instruction_goes_on_at_the_cursor() -> None:
    fields = asked_fields(wish("One. Two.", 4, 4), "One. Two.", None, SHOWN, CARD)
    assert fields == {**SHOWN, "document": "One."}


def test_of_a_long_text_the_end_before_the_cursor_is_read() -> None:
    text = "x" * 70_000 + "END"
    fields = asked_fields(wish(text), text, None, SHOWN, CARD)
    assert len(fields["document"]) == TEXT_LIMIT and fields["document"].endswith("END")


def selecting() -> Action:
    return next(action for action in ACTIONS.values() if action.on == "selection" and not action.asks and not action.choices)


def test_an_action_reads_the_selection_and_says_its_own_settings() -> None:
    text = "The grey cat sleeps. The dog barks."
    action = selecting()
    fields = asked_fields(wish(text, 0, 20, action=action.name), text, action, {**SHOWN, "output_regex": "[0-9]+"}, CARD)
    task = Write.checked(fields)
    assert "The grey cat sleeps." in f"{task.prompt}{task.document}"
    assert "The dog barks." not in f"{task.prompt}{task.document}"
    assert all(getattr(task, name) == value for name, value in action.settings.items() if name != "max_new_tokens")
    assert task.output_regex == "", "the form of an answer is for the instruction alone"
    assert task.count == 2


def test_what_a_model_has_no_use_for_is_not_asked_of_it() -> None:
    action = selecting().model_copy(update={"settings": {"temperature": 0.1, "top_k": 5}})
    card = CARD.model_copy(update={"ignores": ("top_k",)})
    fields = asked_fields(wish("A cat.", action=action.name), "A cat.", action, {**SHOWN, "top_k": None}, card)
    assert fields["top_k"] is None and fields["temperature"] == 0.1


def test_an_action_without_a_selection_is_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="Nothing is selected"):
        asked_fields(wish("A cat.", 2, 2), "A cat.", selecting(), SHOWN, CARD)


def test_a_task_comes_back_whole_from_the_forms_components() -> None:
    task = Write.checked({"prompt": "x", "stop": "a\nb", "bias": ["moon: 4"], "temperature": 0.5, "probabilities": True, "seed": 7})
    values = dict(zip(Write.model_fields, sent(task), strict=True))
    assert Write.checked(values) == task
    assert values["stop"] == "a\nb"


# Styles of the prose ---------------------------------------------------------------------------------------------------------------


def test_styles_go_from_careful_to_wild() -> None:
    assert list(STYLES) == ["precise", "balanced", "bold", "wild"]
    heats = [preset.settings["temperature"] for preset in STYLES.values()]
    assert heats == sorted(set(heats))
    assert all(preset.settings["dry_multiplier"] > 0 for preset in STYLES.values())


def test_a_style_says_every_sampler_and_nothing_else() -> None:
    whole = STYLES["bold"].model_dump()
    with pytest.raises(ValidationError):
        SamplerPreset.model_validate({**whole, "settings": dict.fromkeys(SAMPLERS[1:], 1)})
    with pytest.raises((ValidationError, InvalidInput)):
        SamplerPreset.model_validate({**whole, "settings": {**whole["settings"], "temperature": 9}})


def test_a_style_leaves_empty_what_the_model_has_no_use_for() -> None:
    under = STYLES["bold"].under(("xtc_probability", "xtc_threshold"))
    assert (under["xtc_probability"], under["xtc_threshold"], under["temperature"]) == (None, None, 1)


def test_the_form_of_an_answer_is_checked_at_once() -> None:
    assert _writing_settings.checked("", "", None) == ""
    assert "will have this form" in _writing_settings.checked('{"type": "object"}', "", "")
    assert "error" in _writing_settings.checked('{"type": ', "", "")
    assert "error" in _writing_settings.checked("", "[a-z", "")
    assert "not several" in _writing_settings.checked('{"type": "object"}', "", "yes\nno")


# Names of files --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Growing herbs", "growing-herbs"),
        ("../../etc/passwd", "etc-passwd"),
        ("  ", "document"),
        ("Été à Köln!", "été-à-köln"),
        ("x" * 99, "x" * 60),
        ("evil\u202egnp.exe", "evil-gnp-exe"),
        ("CON", "con-document"),
        ("Lpt1", "lpt1-document"),
        ("Context", "context"),
    ],
)
def test_a_title_becomes_the_name_of_a_file(title: str, name: str) -> None:
    assert _writing_files.file_name(title) == name


def test_the_hidden_button_is_the_one_the_script_presses() -> None:
    assert f"#{_writing_scripts.RUN}" in _writing_scripts.START
