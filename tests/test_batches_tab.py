"""The tab of batches: what it begins, shows and is told, for the page and for programs; nobody else's, and no tab for visitors."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from studio.studio import Studio
from studio.tasks import Compose, TextToImage
from tabs import _batches_view, batches
from tabs._form import Desk
from tests.test_batches import Dots, begun, dots, opened, studio, until

__all__ = ["dots", "studio"]

VISITOR = gr.Request(session_hash="one", headers={"origin": "http://127.0.0.1"})


class Page:
    """The tab alone: its events by name."""

    def __init__(self, studio: Studio) -> None:
        def made() -> gr.Blocks:
            with gr.Blocks() as demo:
                batches.build(Desk(studio, demo))
            return demo

        async def laid_out() -> gr.Blocks:
            return made()

        with ThreadPoolExecutor(1) as pool:  # Gradio leaves loops of events open where there is none
            self.demo = pool.submit(lambda: asyncio.run(laid_out())).result()

    def __getattr__(self, name: str) -> Any:
        (found,) = {id(one.fn): one.fn for one in self.demo.fns.values() if one.fn and one.fn.__name__ == name}.values()
        return found

    def press(self, act: str, id: str, row: int = 0, unfolded: bool = False) -> tuple[str, str]:
        data = {"act": act, "id": id, "row": str(row), "open": [id] if unfolded else []}
        return self.act(SimpleNamespace(_data=data), VISITOR)


@pytest.fixture
def page(studio: Studio) -> Page:
    return Page(studio)


def test_prompts_become_a_batch_that_is_listed_with_its_rows(page: Page, studio: Studio, dots: Dots) -> None:
    dots.free.clear()
    said, html, prompts, table, name = page.start("text_to_image", "one\ntwo\n\nthree", None, "Night <b>", "", 1, VISITOR)
    assert "3 are on their way" in said
    assert (prompts, table, name) == ("", None, "")
    assert "Night &lt;b&gt;" in html
    until(lambda: dots.begun)
    (batch,) = studio.library.batches.list()
    html, said = page.press("skip", batch.id, 2, unfolded=True)
    assert said == ""
    assert [words in html for words in ("one <span>is being made", "two <span>left out", "three <span>waits")] == [True] * 3
    dots.free.set()
    studio.batches.wait()
    assert dots.drawn == ["one", "three"]


def test_a_table_becomes_a_batch_with_the_model_and_count_of_the_page(page: Page, studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("prompt,count\none,\ntwo,3\n")
    page.start("text_to_image", " ", str(tmp_path / "list.csv"), "", "Dots", 2, VISITOR)
    (batch,) = studio.library.batches.list()
    assert [(row.task["model"], row.task["count"]) for row in studio.library.batches.rows(batch.id)] == [("Dots", 2), ("Dots", 3)]
    studio.batches.wait()


def test_what_cannot_be_made_is_said_and_nothing_begins(page: Page, studio: Studio) -> None:
    refused: tuple[tuple[tuple[Any, ...], str], ...] = (
        (("text_to_image", "", None, "", "", 1), "The list is empty"),
        (("text_to_image", "x", __file__, "", "", 1), "empty one of them"),
        (("text_to_image", "x\n" * 1001, None, "", "", 1), "1,001 rows; 1,000 are the most"),
        (("text_to_image", "x", None, "", "Nobody", 1), "Line 1: There is no model of that name"),
        (("text_to_image", "x", None, "", "", 1.5), "Line 1: Count must be"),
        (("text_to_image", "x", None, "", "", float("inf")), "Line 1: Count must be"),
        (("text_to_image", "x", None, "", "", []), "Line 1: Count must be"),
        (([], "x", None, {}, "", 1), "as text"),
        (("inpaint", "x", None, "", "", 1), "A list can ask for"),
        (("text_to_image", "x", None, "n" * 101, "", 1), "Name is 101 characters long"),
    )
    for values, words in refused:
        said, *rest = page.start(*values, VISITOR)
        assert words in said
        assert 'class="stage error"' in said
        assert all(one == gr.skip() for one in rest)
    assert studio.library.batches.list() == ()


def test_a_look_that_finds_nothing_new_changes_nothing(page: Page, studio: Studio, dots: Dots) -> None:
    html = page.first(VISITOR)
    number = html.split('data-version="')[1].split('"')[0]
    assert page.look(SimpleNamespace(_data={"version": number}), VISITOR) == gr.skip()
    begun(studio, "one")
    studio.batches.wait()
    assert "1 of 1 made" in page.look(SimpleNamespace(_data={"version": number}), VISITOR)


def test_whatever_a_browser_sends_it_is_told_in_words(page: Page) -> None:
    sent: tuple[Any, ...] = (None, [], {"act": 7}, {"act": "go on"}, {"act": "skip", "id": "x" * 10_000, "row": "9" * 50, "open": [{}]})
    for data in sent:
        html, said = page.act(SimpleNamespace(_data=data), VISITOR)
        assert _batches_view.NONE in html
        assert "error" in said


def test_a_program_begins_asks_and_tells(page: Page, studio: Studio, dots: Dots) -> None:
    dots.free.clear()
    facts = page.asked(VISITOR, prompts="one\ntwo", name="By a program")
    assert (facts["name"], facts["rows"], facts["state"]) == ("By a program", 2, "going")
    until(lambda: dots.begun)
    assert page.done(VISITOR, facts["id"], "skip", 2)["counts"] == {"running": 1, "skipped": 1}
    dots.free.set()
    studio.batches.wait()
    (told,) = page.told(VISITOR, facts["id"])
    assert [(row["row"], row["state"], row["task"]["prompt"]) for row in told["list"]] == [(1, "done", "one"), (2, "skipped", "two")]
    assert "list" not in page.told(VISITOR)[0]
    assert page.done(VISITOR, facts["id"], "remove") == {}
    for call, words in (
        (lambda: page.asked(VISITOR, table="prompt,colour\nx,red"), "no field colour"),
        (lambda: page.asked(VISITOR, prompts=7), "as text"),
        (lambda: page.asked(VISITOR, table={}), "as text"),
        (lambda: page.told(VISITOR, facts["id"]), "not there"),
        (lambda: page.told(VISITOR, {"x": []}), "not there"),
        (lambda: page.done(VISITOR, [], None, "x"), "can be told"),
        (lambda: page.done(VISITOR, facts["id"], "explode"), "can be told"),
    ):
        with pytest.raises(gr.Error, match=words):
            call()


def test_the_columns_of_a_table_are_told_with_a_file_to_begin_with() -> None:
    told = _batches_view.columns(TextToImage)
    assert "<code>negative_prompt</code> What to avoid" in told
    assert 'download="text_to_image.csv"' in told
    assert "<code>reference</code>" not in _batches_view.columns(Compose)


def test_a_studio_of_visitors_has_no_such_tab(dots: Dots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, studio: Studio) -> None:
    public = opened(dots, tmp_path / "public", monkeypatch.setattr, mode="public")
    assert (batches.here(public), batches.here(studio)) == (False, True)
    public.close()
