"""Panels drafted by a writer: their form, what is read of an answer, and the rules by which a model is judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from studio.errors import InvalidInput
from studio.writing import panels, structured
from studio.writing.actions import actions
from studio.writing.panels import Drafted
from training.writing.panel_rules import panel_faults

ACTION = {action.name: action for action in actions(Path(__file__).parent.parent / "presets")}[panels.ACTION]
PREMISE = "An old lighthouse keeper teaches a lost gull to fly home."
GOOD = (
    ("The keeper finds a young gull on the stairs.", "An old man bends over a small grey gull on worn stone steps, dawn light."),
    ("He carries her up to the lamp and feeds her herring.", "Inside a lighthouse, a bearded man holds out a fish, warm yellow glow."),
    ("Every morning they practise on the railing.", "A gull spreads its wings on an iron balcony above waves, white clouds."),
    ("She circles the tower once and flies home.", "A lone bird far out over an evening sea, the lighthouse small behind it, red sky."),
)  # fmt: skip

FOOD = ("plums", "bread", "cheese", "soup")


def told(texts: tuple[tuple[str, str], ...] = GOOD) -> str:
    return json.dumps({"panels": [{"caption": caption, "picture": picture} for caption, picture in texts]})


def test_a_draft_is_asked_for_by_a_form_that_its_longest_answer_holds() -> None:
    for count in (2, 12):
        task = panels.asked(ACTION, PREMISE, count, seed=3)
        assert (task.seed, task.temperature) == (3, ACTION.settings["temperature"]) and PREMISE in task.prompt and str(count) in task.prompt
        form = structured.constraint(task)
        assert form is not None and form.exact and structured.valid(form, told(GOOD[:2] * (count // 2)))
        assert not structured.valid(form, told(GOOD[:1]))
        Draft202012Validator.check_schema(json.loads(task.output_schema))


@pytest.mark.parametrize(
    ("premise", "count", "words"), [(" ", 4, "Premise is empty"), (PREMISE, 1, "Choose one of these"), (PREMISE, 500, "Choose")]
)
def test_what_cannot_be_drafted_is_refused_in_words(premise: str, count: int, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        panels.asked(ACTION, premise, count)


def test_panels_are_read_as_they_were_written_and_of_a_stopped_answer_those_that_are_whole() -> None:
    draft = panels.read(told())
    assert draft.whole and draft.panels == tuple(Drafted(caption=caption, picture=picture) for caption, picture in GOOD)
    cut = panels.read(told()[: told().index("Every") + 4])
    assert not cut.whole and [panel.caption for panel in cut.panels] == [caption for caption, _ in GOOD[:2]]
    long = json.dumps({"panels": [{"caption": "x" * 500, "picture": "y"}]})
    for none in ("", "no JSON", "[", "{}", '{"panels": 3}', '{"panels": [{"caption": 1}]}', long, "[" * 100_000, '{"panels":[{"a":' * 5000):
        assert panels.read(none).panels == ()


def test_a_good_storyboard_passes_every_rule() -> None:
    assert panel_faults(told(), PREMISE, 4, ACTION.template) == ()


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        (GOOD[:3], "3 whole panels of 4"),
        ((*GOOD[:3], GOOD[2]), "captions 3 and 4 are alike"),
        ((*GOOD[:3], ("They fly.", GOOD[3][1])), "caption 4 has 2 words"),
        ((*GOOD[:3], (GOOD[3][0], "A lone bird.")), "picture 4 has 3 words"),
        ((*GOOD[:3], (GOOD[3][0], ("A lone bird over evening seas " * 9)[: panels.PICTURE[1]])), "picture 4 is cut short"),
        ((*GOOD[:3], (GOOD[3][0], GOOD[3][0])), "picture 4 says its caption again"),
        ((*GOOD[:3], ("The keeper finds the gull.", GOOD[3][1])), "caption 4 brings nothing new"),
        (tuple((f"Somebody eats {food} at noon.", f"Plate {food} table linen window.") for food in FOOD), "leaves the premise"),
        ((*GOOD[:3], ("I cannot show what the author wishes.", GOOD[3][1])), "talks about itself"),
    ],
)  # fmt: skip
def test_what_is_no_storyboard_fails(texts: tuple[tuple[str, str], ...], fault: str) -> None:
    assert fault in panel_faults(told(texts), PREMISE, 4, ACTION.template)
