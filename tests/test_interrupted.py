"""A run that ended while nobody looked is told when the page opens again; one that was seen is not, and a page that joins says its age."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

from studio import models
from studio.creations import Media, Picture, Progress, Report
from studio.device import Device
from studio.errors import NotEnoughMemory
from studio.library import Library
from studio.manager import Component, Manager, Recipe
from studio.models import Bundled, ModelCard
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Task, TextToImage
from tabs._form import DEVICE, Form
from tabs._interrupted import Interrupted

CARD = ModelCard(
    name="Dots", engine="dots", serves=("text_to_image",), source=Bundled(path="logo.svg"), starter=True,
    defaults={"width": 64, "height": 64, "steps": 1},
)  # fmt: skip
TOO_LARGE = "This needs more memory: choose a smaller size."


class Dots:
    """An engine that reports until it is let go on, and then draws, or fails."""

    def __init__(self) -> None:
        self.held = True
        self.fault: Exception | None = None

    def recipe(self, card: ModelCard, task: Task, device: Device) -> Recipe:
        def build(values: Mapping[str, Any]) -> Any:
            return self.draw

        return Recipe({"dots": Component("dots", 1000, lambda report: object())}, build, lambda task: 10)

    def draw(self, task: TextToImage, report: Report) -> Iterable[Media]:
        while self.held:
            report(Progress("running", 1, 2))
            time.sleep(0.005)
        if self.fault is not None:
            raise self.fault
        yield Picture(np.zeros((64, 64, 3), np.uint8), 0, {})


class Page:
    """A page with one form: what its events give, for a visitor of any browser session."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        with gr.Blocks() as self.demo:
            form = Form(studio, self.demo, task=TextToImage)
            line = Interrupted(form)
            form.add("prompt", gr.Textbox())
            form.bind([gr.Button("Create").click], gr.HTML(), [gr.HTML()], lambda shown: ("",))
            line.wire()

    def runs(self, session: str, prompt: str = "dots") -> Iterator[Any]:
        (handler,) = [one.fn for one in self.demo.fns.values() if one.api_name == "text_to_image"]
        return handler(visitor(session), prompt=prompt)  # type: ignore[misc]

    def follows(self, session: str) -> Iterator[Any]:
        (follow,) = [one.fn for one in self.demo.fns.values() if one.concurrency_id == "follow"]
        return follow(visitor(session))  # type: ignore[misc]

    def line(self, session: str) -> str:
        """The words at the top of the tab of a page that opens now."""
        (newest,) = [one.fn for one in self.demo.fns.values() if one.name == "_newest"]
        return newest(visitor(session))[1]  # type: ignore[misc]

    def over(self) -> None:
        """Wait until no run goes on."""
        until = time.monotonic() + 60
        while self.studio.library.journal.jobs(("queued", "running")):
            assert time.monotonic() < until
            time.sleep(0.01)


def laid_out(studio: Studio) -> Page:
    """The page, made in a loop of events that is closed again: without one Gradio leaves loops open.

    In a thread of its own: a browser that another test of this process uses keeps a loop in the main thread.
    """

    async def made() -> Page:
        return Page(studio)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(made())).result()


def visitor(session: str) -> gr.Request:
    return gr.Request(session_hash=session, headers={"origin": "http://127.0.0.1"})


@pytest.fixture
def dots() -> Dots:
    return Dots()


def opened(dots: Dots, folder: Path, monkeypatch: pytest.MonkeyPatch, mode: Any = "local") -> Studio:
    monkeypatch.setattr(models, "engines", lambda: {"dots": SimpleNamespace(CARDS=(CARD,), recipe=dots.recipe)})
    settings = Settings(home=folder / "home", cache=folder / "cache", offline=True, mode=mode)
    device = Device("cpu", 1)
    return Studio(settings, (CARD,), device, Manager(device), Library(settings.home))


@pytest.fixture
def page(dots: Dots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    studio = opened(dots, tmp_path, monkeypatch)
    yield laid_out(studio)
    studio.close()


def left(page: Page, dots: Dots, fault: Exception, prompt: str = "dots") -> None:
    """A run of a page that is closed while it lasts, and that fails then."""
    dots.held, dots.fault = True, fault
    shown = page.runs("one", prompt)
    next(shown)
    shown.close()  # type: ignore[attr-defined]
    dots.held = False
    page.over()


def test_a_run_that_fails_after_its_page_was_left_is_told_to_the_next_page(page: Page, dots: Dots) -> None:
    left(page, dots, NotEnoughMemory(TOO_LARGE), "a wide sea")
    assert f"“a wide sea” failed: {TOO_LARGE}" in page.line("two")


def test_a_failure_that_a_page_has_shown_is_not_told_again(page: Page, dots: Dots) -> None:
    dots.held, dots.fault = False, NotEnoughMemory(TOO_LARGE)
    shown: list[Any] = []
    with pytest.raises(gr.Error, match="smaller size"):
        shown.extend(page.runs("one"))
    assert page.line("two") == ""


def test_a_failure_that_a_page_which_joined_has_shown_is_not_told_again(page: Page, dots: Dots) -> None:
    first = page.runs("one")
    next(first)
    first.close()  # type: ignore[attr-defined]
    second = page.follows("two")
    next(second)
    dots.fault, dots.held = NotEnoughMemory(TOO_LARGE), False
    with pytest.raises(gr.Error, match="smaller size"):
        list(second)
    assert page.line("three") == ""


def test_a_run_that_was_refused_on_a_page_hides_no_failure_of_another(page: Page, dots: Dots) -> None:
    left(page, dots, NotEnoughMemory(TOO_LARGE), "a wide sea")
    with pytest.raises(gr.Error):
        list(page.runs("one", ""))
    assert "“a wide sea” failed" in page.line("two")


def test_a_page_that_joins_a_run_says_how_long_it_took_in_all(page: Page, dots: Dots) -> None:
    first = page.runs("one")
    next(first)
    began = time.monotonic()
    first.close()  # type: ignore[attr-defined]
    time.sleep(1.2)
    age = time.monotonic() - began
    second = page.follows("two")
    next(second)
    dots.held = False
    said = re.search(r"Done in ([\d.]+) s", list(second)[-1][-1])
    assert said is not None
    assert float(said[1]) >= age - 0.1


def test_a_page_of_a_public_studio_follows_nothing_and_at_home_it_takes_no_place_of_a_run(
    page: Page, dots: Dots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [one.concurrency_id for one in page.demo.fns.values()]
    assert (ids.count("follow"), ids.count(DEVICE)) == (1, 1)
    public = opened(dots, tmp_path / "public", monkeypatch, mode="public")
    ids = [one.concurrency_id for one in laid_out(public).demo.fns.values()]
    assert (ids.count("follow"), ids.count(DEVICE)) == (0, 1)
    public.close()
