"""Row 97: homes of odd names, and where folders are not on one disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.studio import Studio
from studio.tasks import TextToImage
from tests.attacks.promise import made, opened


@pytest.mark.parametrize(
    "name",
    [
        "Zoë 猫 🐈",
        pytest.param("'quoted\" $(id) %s", marks=pytest.mark.thorough),
        pytest.param("/".join(["a long way down"] * 16), marks=pytest.mark.thorough),
    ],
    ids=lambda name: name[:12],
)
def test_a_home_of_any_name_and_a_long_way_down_is_used(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir(parents=True)
    for _ in range(2):  # made, and found again
        studio: Iterator[Studio] = opened(folder)
        here = next(studio)
        (creation,) = made(here, TextToImage(prompt="a cat", width=64, height=64, seed=1))
        assert creation.path.is_relative_to(folder) and creation.path.stat().st_size > 0
        assert len(list(studio)) == 0  # closed
