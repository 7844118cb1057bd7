"""The page of what was measured keeps a table for each part, and a part measured alone replaces its own."""

from __future__ import annotations

from prove.__main__ import HEADS, TITLE, kept
from prove.table import Row, at_most, printed


def test_a_part_replaces_its_own_table_and_leaves_the_others() -> None:
    page = kept("", "killing", "| killed |")
    page = kept(page, "load", "| many |\n\nLinux, load 1.0")
    page = kept(page, "killing", "| killed again |")
    assert page == f"{TITLE}\n## {HEADS['load']}\n\n| many |\n\nLinux, load 1.0\n\n## {HEADS['killing']}\n\n| killed again |\n"


def test_every_part_has_its_place_in_the_order_in_which_they_are_measured() -> None:
    page = ""
    for name in reversed(HEADS):
        page = kept(page, name, f"| {name} |")
    assert [line for line in page.splitlines() if line.startswith("| ")] == [f"| {name} |" for name in HEADS]


def test_a_row_says_whether_it_holds() -> None:
    table = printed([at_most("waits", 2.0, 1.0, " s"), Row("x|y", "a|b", "c", holds=True)])
    assert "| waits | 2.00 s | at most 1.00 s | **missed** |" in table
    assert "| a/b | c | holds |" in table
