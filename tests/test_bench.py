"""`make bench`: every script is in one of its two lists, what scripts print is kept, and a script that misses its claim is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import __main__ as bench

FOLDER = Path(bench.__file__).parent


def test_every_script_is_run_by_one_of_the_two_commands() -> None:
    scripts = {file.stem for file in FOLDER.glob("[a-z]*.py")}
    assert scripts == bench.USUAL.keys() | bench.LONG.keys()
    assert not bench.USUAL.keys() & bench.LONG.keys()


def test_a_page_of_figures_keeps_those_of_other_scripts() -> None:
    page = bench.kept("", "cpu", "plain  2.0\n\nours  1.0")
    page = bench.kept(page, "first_page", "0.4")
    page = bench.kept(page, "cpu", "plain  3.0\n```")
    assert page.index("## first_page") < page.index("## cpu")
    assert "\n0.4\n" in page
    assert "plain  2.0" not in page
    assert "plain  3.0\n'''\n```\n" in page
    assert bench.kept(page, "cpu", "plain  3.0\n```") == page


@pytest.mark.parametrize(("ends", "status"), [("", 0), ("import sys; sys.exit('missed')", 1)])
def test_a_script_is_passed_on_line_by_line_with_its_end(
    ends: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "one.py").write_text(f"print('first')\nprint('2.0 times')\n{ends}\n", "utf-8")
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    assert bench.run("one", ()) == ("first\n2.0 times", status)
    assert capsys.readouterr().out == "first\n2.0 times\n"
