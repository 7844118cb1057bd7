"""rules.py: what a public studio refuses, field by field, and what a studio at home never does."""

from __future__ import annotations

from typing import Any

import pytest

from studio.errors import Refused
from studio.rules import public_limits, rules
from studio.tasks import Compose, Inpaint, Task, TextToImage, Write

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


def test_a_studio_at_home_has_no_rules() -> None:
    assert rules(public=False) == ()
    assert rules(public=True) == (public_limits,)
