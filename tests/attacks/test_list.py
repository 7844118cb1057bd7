"""docs/attacks.md names for each of its rows the tests that hold it, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROWS = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (.*?) \|$", (TESTS.parent / "docs" / "attacks.md").read_text("utf-8"), re.MULTILINE)


def test_every_row_is_there_once_and_at_least_a_hundred_are_tested() -> None:
    assert [int(number) for number, *_ in ROWS] == list(range(1, 118))
    untested = [(number, must) for number, _, must, tests in ROWS if not tests]
    assert len(ROWS) - len(untested) >= 100
    assert all(must.startswith("not tested: ") for _, must in untested)


def test_every_test_that_is_named_exists() -> None:
    missing: list[str] = []
    for number, _, _, named in ROWS:
        for file, test in re.findall(r"`([\w/]+\.py)::(test_\w+)`", named):
            path = TESTS / file
            if not path.is_file() or f"\ndef {test}(" not in path.read_text("utf-8"):
                missing.append(f"row {number}: {file}::{test}")
        assert named.count("`") == 2 * len(re.findall(r"`[\w/]+\.py::test_\w+`", named)), number
    assert missing == []
