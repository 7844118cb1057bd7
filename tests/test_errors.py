"""errors.py: the tree is what its docstring draws, and every code is said once."""

from __future__ import annotations

import re

import pytest

from studio import errors
from studio.errors import UNEXPECTED, Cancelled, InvalidInput, NotFound, StudioError, Withheld, code_of

KINDS = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, (StudioError, Cancelled))}


def test_the_drawn_tree_is_the_tree_and_its_codes() -> None:
    drawn = re.findall(r"^ +[│ ]*[├└]── (\w+) +(E\d{3})  \S", errors.__doc__ or "", re.MULTILINE)
    assert dict(drawn) == {name: kind.code for name, kind in KINDS.items()}
    parents = re.findall(r"├── (\w+) .*\n +│ +└── (\w+) ", errors.__doc__ or "")
    assert {(kind.__bases__[0].__name__, name) for name, kind in KINDS.items() if kind.__bases__[0] not in (StudioError, Exception)} == set(
        parents
    )


def test_every_kind_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in KINDS.values()]
    assert sorted(codes) == sorted(set(codes))
    assert UNEXPECTED not in codes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("x", "steps"), "E100"),
        (Withheld("x"), "E210"),
        (NotFound("x"), "E700"),
        (Cancelled(), "E520"),
        (KeyError("x"), "E900"),
    ],
)
def test_a_program_is_told_the_code_of_any_exception(error: BaseException, code: str) -> None:
    assert code_of(error) == code
