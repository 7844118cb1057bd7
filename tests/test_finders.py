"""The library's box "Search by meaning": what is said of each model, and its button, at home, offline and in public."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from studio import senses
from studio.creations import Progress
from studio.errors import DownloadFailed
from studio.settings import Settings, prepare_environment
from studio.studio import Studio
from tabs import _meaning
from tests.test_senses import clip

OPENED = Callable[..., Studio]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OPENED]:
    found: list[Studio] = []

    def open_(**options: Any) -> Studio:
        settings = Settings(home=tmp_path / "home", cache=tmp_path / "cache", device="cpu", **options)
        prepare_environment(settings)
        found.append(Studio.open(settings))
        return found[-1]

    yield open_
    for one in found:
        one.close()


def shown(studio: Studio) -> tuple[list[str], list[bool]]:
    states = _meaning.states(studio)
    return states[::2], [button.visible for button in states[1::2]]


def pressed(studio: Studio, finder: Any) -> list[tuple[Any, ...]]:
    desk: Any = SimpleNamespace(studio=studio)
    return list(_meaning._bringer(desk, finder)())


def test_each_model_says_what_it_finds_its_licence_and_its_size(opened: OPENED) -> None:
    words, buttons = shown(opened())
    assert buttons == [True, True, True]
    for said, finds, licence in zip(words, ("prompts and texts", "pictures", "sounds"), ("Apache-2.0", "MIT", "Apache-2.0"), strict=True):
        assert f"finds {finds}: not on this machine yet." in said and f"Licence: {licence}" in said
    assert "610 MB to download" in words[1] and "download size unknown" in words[2]


@pytest.mark.parametrize("options", [{"offline": True}, {"mode": "public"}])
def test_nothing_is_offered_where_nothing_may_be_fetched(opened: OPENED, options: Any) -> None:
    assert shown(opened(**options))[1] == [False, False, False]


def test_a_visitor_of_a_public_studio_fetches_nothing(opened: OPENED) -> None:
    (answer,) = pressed(opened(mode="public"), _meaning.FINDERS[1])
    assert "chosen by its owner" in answer[0]


def test_a_download_that_fails_says_why(opened: OPENED) -> None:
    *_, last = pressed(opened(offline=True), _meaning.FINDERS[1])
    assert "downloads are off" in last[0] and last[1].visible is False


def test_what_is_fetched_is_said_and_looks_at_the_library_at_once(opened: OPENED, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = opened()
    asked: list[str] = []

    def fetch(_: Studio, say: Any) -> None:
        say(Progress("downloading", 3, 9, "bytes"))
        asked.append("fetched")

    monkeypatch.setattr(studio.noticing, "wake", lambda: asked.append("woken"))
    *going, last = pressed(studio, _meaning._Finder("pictures", senses.SIGHT, lambda _: True, fetch))
    assert asked == ["fetched", "woken"] and "on this machine now" in last[0] and len(last) == 8
    assert any(one[1] != gr.skip() and one[1].visible for one in going)

    def failing(_: Studio, say: Any) -> None:
        raise DownloadFailed("The line broke: try again.")

    *_, last = pressed(studio, _meaning._Finder("pictures", senses.SIGHT, lambda _: False, failing))
    assert "The line broke" in last[0] and asked == ["fetched", "woken"]


@pytest.mark.usefixtures("one_thread")
def test_a_model_in_the_cache_of_the_hub_is_here_and_answers(opened: OPENED, tmp_path: Path) -> None:
    studio = opened(offline=True)
    folder = tmp_path / "cache" / "hub" / "models--laion--CLIP-ViT-B-32-laion2B-s34B-b79K"
    commit = "a" * 40
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(commit)
    shutil.copytree(clip(tmp_path / "clip"), folder / "snapshots" / commit)
    (folder / "snapshots" / commit / "merges.txt").write_text("#version: 0.2\n")
    words, buttons = shown(studio)
    assert "finds pictures and is on this machine." in words[1] and buttons[1] is False
    assert studio.noticing.here and studio.noticing.loading == ("picture",)
    assert studio.noticing.senses[0].words(["a wall"]).shape == (1, 12)
    assert [space.media for space in studio.noticing.spaces()] == [("picture",)]
