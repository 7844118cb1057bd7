"""ZeroGPU: larger models run in a forked worker that is lent for seconds, the starters stay here. With a stand-in for the Hub's package."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from studio import models, stocking, zero
from studio.creations import Creation, Event, Media, Picture, Preview, Progress, Report
from studio.device import Device
from studio.errors import Busy, InvalidInput, ModelUnavailable, NotEnoughMemory, Refused
from studio.library import Library
from studio.manager import Component, Manager, Recipe
from studio.models import Bundled, ModelCard
from studio.settings import Settings
from studio.tasks import Task, TextToImage, Write
from studio.zero import ZeroStudio
from tabs import _estimate
from tests import serving
from tests.fake_spaces import Spaces

VISITOR: ContextVar[str] = ContextVar("visitor", default="nobody")
HERE = Bundled(path="icons/library.json")


def card(name: str, **more: Any) -> ModelCard:
    return ModelCard(
        name=name, engine="dots", serves=("text_to_image",), source=HERE, defaults={"steps": 4, "width": 64, "height": 64}, **more
    )


STARTER = card("Starter", starter=True)
LARGE = card("Large", quality=50, memory_gb=20)
WRITER = ModelCard(name="Llama", engine="gguf", serves=("write",), source=HERE, starter=True)


class Dots:
    """Seeded noise. What it loads says in which process and on which device; words of the prompt make it fail."""

    def __init__(self) -> None:
        self.loads: list[tuple[str, int]] = []

    def recipe(self, card: ModelCard, task: Task, device: Device) -> Recipe:
        def load(report: Report) -> Any:
            self.loads.append((device.kind, os.getpid()))
            return {"device": device.kind, "loaded by": os.getpid()}

        def build(values: Mapping[str, Any]) -> Any:
            return lambda task, report: self.draw(values, task, report)

        key = f"{device.kind} large part" if isinstance(task, TextToImage) and task.negative_prompt == "more" else device.kind
        return Recipe({"dots": Component(key, 1000, load)}, build, lambda task: 10)

    def draw(self, values: Mapping[str, Any], task: TextToImage, report: Report) -> Iterable[Media]:
        if "memory" in task.prompt:
            raise MemoryError
        if "refuse" in task.prompt:
            raise InvalidInput("Choose another prompt.", "prompt")
        if "bug" in task.prompt:
            raise ZeroDivisionError
        if "die" in task.prompt:
            os._exit(1)
        for number in range(task.count):
            for step in range(4000 if "long" in task.prompt else 4):
                report(Progress("running", step + 1, 4, "steps", number + 1, task.count))
                time.sleep(0.005 if "long" in task.prompt else 0)
            report(Preview(np.zeros((8, 8, 3), np.uint8), item=number + 1))
            seed = (task.seed or 0) + number
            pixels = np.random.default_rng(seed).integers(0, 255, (64, 64, 3), np.uint8)
            yield Picture(pixels, seed, {"value": str(values["dots"]), "ran in": os.getpid()})


@pytest.fixture
def dots(monkeypatch: pytest.MonkeyPatch) -> Dots:
    dots = Dots()
    monkeypatch.setattr(models, "engines", lambda: {"dots": SimpleNamespace(CARDS=(STARTER, LARGE), recipe=dots.recipe)})
    return dots


@pytest.fixture
def spaces() -> Iterator[Spaces]:
    spaces = Spaces()
    yield spaces
    spaces.close()


@pytest.fixture
def studio(dots: Dots, spaces: Spaces, tmp_path: Path) -> Iterator[ZeroStudio]:
    settings = Settings(home=tmp_path / "home", cache=tmp_path / "cache", offline=True, preload="Large", device="cpu", memory=1)
    device = Device("cpu", 1)
    studio = ZeroStudio(settings, (STARTER, LARGE, WRITER), device, Manager(device), Library(settings.home))
    studio.lend(spaces.GPU)
    yield studio
    studio.close()


def asked(prompt: str = "dots", model: str = "Large", **more: Any) -> TextToImage:
    return TextToImage.checked({"prompt": prompt, "model": model, "seed": 7, **more})


def made(studio: ZeroStudio, task: TextToImage) -> list[Creation]:
    return [event for event in studio.run(task, "visitor", "one") if isinstance(event, Creation)]


def facts(creation: Creation) -> Mapping[str, Any]:
    found = creation.record["facts"]
    assert isinstance(found, dict)
    return found


def pixels(creation: Creation) -> bytes:
    with Image.open(creation.path) as picture:
        return picture.tobytes()


def test_a_lent_model_is_loaded_here_and_runs_in_the_worker(studio: ZeroStudio, spaces: Spaces, dots: Dots) -> None:
    (creation,) = made(studio, asked())
    assert dots.loads == [("cuda", os.getpid())]
    assert facts(creation)["value"] == str({"device": "cuda", "loaded by": os.getpid()})
    assert facts(creation)["ran in"] != os.getpid()
    assert "ZeroGPU" in str(creation.record)
    assert (spaces.forks, len(spaces.decorated)) == (1, 1)


def test_a_starter_runs_here_and_uses_up_no_time(studio: ZeroStudio, spaces: Spaces) -> None:
    (creation,) = made(studio, asked(model="Starter"))
    assert facts(creation)["value"] == str({"device": "cpu", "loaded by": os.getpid()})
    assert "ZeroGPU" not in str(creation.record)
    assert (spaces.forks, spaces.asked) == (0, [])
    assert studio.lending(asked(model="Starter")) == 0


def test_the_worker_gives_the_same_pictures_with_events_between(studio: ZeroStudio) -> None:
    events = list(studio.run(asked(count=3), "visitor", "one"))
    there = [event for event in events if isinstance(event, Creation)]
    here = made(studio, asked(count=3, model="Starter"))
    assert len({facts(creation)["ran in"] for creation in there}) == 1
    assert [pixels(creation) for creation in there] == [pixels(creation) for creation in here]
    assert len({pixels(creation) for creation in there}) == 3
    assert any(isinstance(event, Progress) and event.phase == "running" for event in events)


def test_without_a_name_the_best_lent_model_is_taken(studio: ZeroStudio) -> None:
    assert studio.card_for(asked(model="")).name == "Large"


def test_a_second_run_asks_for_what_the_first_took_and_uses_its_worker(studio: ZeroStudio, spaces: Spaces) -> None:
    assert studio.lending(asked()) == zero.FIRST
    first, second = made(studio, asked()), made(studio, asked(seed=8))
    assert spaces.asked == [zero.FIRST, zero.SHORTEST]
    assert studio.lending(asked()) == zero.SHORTEST
    assert (len(first), len(second), spaces.forks) == (1, 1, 1)


def test_the_page_says_what_a_run_uses_up_before_it_begins(studio: ZeroStudio) -> None:
    assert _estimate.words(studio, asked()) == "Takes up to 60 s of the GPU time that the Hub gives you for a day."
    made(studio, asked())
    assert _estimate.words(studio, asked()) == "Takes up to 5 s of the GPU time that the Hub gives you for a day."
    assert _estimate.words(studio, asked(model="Starter")) == ""


def test_the_time_is_asked_for_in_the_visitors_name(studio: ZeroStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package finds the visitor's token in the context of Gradio's event, which is not that of the thread that runs."""
    seen: list[str] = []
    plain = studio._dispatch
    monkeypatch.setattr(studio, "_dispatch", lambda *call: [seen.append(VISITOR.get()), plain(*call)][1])
    mark = VISITOR.set("somebody")
    made(studio, asked())
    VISITOR.reset(mark)
    assert seen == ["somebody"]


def test_more_steps_ask_for_more_seconds(studio: ZeroStudio) -> None:
    made(studio, asked())
    studio._took["Large"] = (10.0, asked(steps=10, width=64, height=64))
    few, many = (studio.lending(asked(steps=steps, width=64, height=64)) for steps in (10, 40))
    assert (few, many) == (round(12.5) + 3, 50 + 3)
    assert studio.lending(asked(steps=50, count=4, width=1024, height=1024)) == zero.LONGEST


@pytest.mark.parametrize(
    ("limits", "kind", "words"),
    [
        ({"quota": 1.0}, Busy, "Your GPU time for now is used up"),
        ({"longest": 1.0}, Refused, "longer than a GPU is lent at once"),
        ({"crowded": True}, Busy, "No GPU became free within a minute"),
    ],
)
def test_what_the_hub_refuses_is_told_with_what_to_do_instead(
    studio: ZeroStudio, spaces: Spaces, limits: dict[str, Any], kind: type[Exception], words: str
) -> None:
    for name, value in limits.items():
        setattr(spaces, name, value)
    with pytest.raises(kind, match=rf"{words}.* Starter needs no GPU and uses up none of your time\.$"):
        made(studio, asked())
    assert spaces.forks == 0
    assert studio.library.list("text_to_image", "visitor", "one", 10) == ()


@pytest.mark.parametrize(
    ("prompt", "kind", "words"),
    [("memory", NotEnoughMemory, "The GPU has too little memory"), ("refuse", InvalidInput, "Choose another prompt.")],
)
def test_a_refusal_of_the_worker_keeps_its_words(studio: ZeroStudio, prompt: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        made(studio, asked(prompt))
    assert len(made(studio, asked())) == 1


@pytest.mark.parametrize("prompt", ["die", "bug"])
def test_a_worker_that_ends_early_is_told_and_the_next_run_works(studio: ZeroStudio, spaces: Spaces, prompt: str) -> None:
    with pytest.raises(Busy, match="The GPU was taken back before this was done"):
        made(studio, asked(prompt))
    assert len(made(studio, asked())) == 1


def test_stop_closes_the_worker_at_its_next_step_and_frees_it(studio: ZeroStudio, spaces: Spaces) -> None:
    events: Iterator[Event] = studio.run(asked("long"), "visitor", "one")
    for event in events:
        if isinstance(event, Progress) and event.phase == "running":
            break
    began = time.monotonic()
    assert studio.stop("visitor", "one", wait=True) == 1
    assert time.monotonic() - began < 10
    assert len(made(studio, asked())) == 1
    assert spaces.forks == 1


def test_what_was_not_loaded_at_the_start_is_refused_in_words(studio: ZeroStudio, dots: Dots) -> None:
    with pytest.raises(ModelUnavailable, match="Large was not loaded for this when the Space started"):
        made(studio, asked(negative_prompt="more"))
    assert dots.loads == [("cuda", os.getpid())]


def test_a_run_on_the_gpu_keeps_none_waiting_here(studio: ZeroStudio) -> None:
    events = studio.run(asked("long"), "visitor", "one")
    for event in events:
        if isinstance(event, Progress) and event.phase == "running":
            break
    assert len(made(studio, asked(model="Starter"))) == 1
    studio.stop("visitor", "one", wait=True)


def test_llama_is_never_loaded_where_a_worker_is_forked(studio: ZeroStudio) -> None:
    assert list(studio.here("write")) == []
    for model in ("", "Llama"):
        with pytest.raises(ModelUnavailable, match="The owner of this Space added no model for this"):
            list(studio.run(Write(prompt="a line", model=model), "visitor", "one"))


def test_without_models_of_the_owner_nothing_is_lent_and_the_writer_stays(dots: Dots, spaces: Spaces, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", cache=tmp_path / "cache", offline=True, mode="public")
    device = Device("cpu", 1)
    studio = ZeroStudio(settings, (STARTER, LARGE, WRITER), device, Manager(device), Library(settings.home))
    studio.lend(spaces.GPU)
    assert list(studio.here("write")) == ["Llama"]
    assert studio.card_for(asked(model="")).name == "Starter"
    assert stocking.chosen(studio.cards, settings) == ()
    assert len(spaces.decorated) == 1  # without one the Hub starts no Space of this kind
    studio.close()


@pytest.mark.thorough
@pytest.mark.parametrize("quota", [300, 1])
def test_the_whole_studio_runs_on_a_lent_gpu(starter_cache: Path, tmp_path: Path, quota: int) -> None:
    space = {
        "SPACES_ZERO_GPU": "true",
        "SYSTEM": "spaces",
        "SPACE_HOST": "someone-atelier.hf.space",
        "HF_HUB_OFFLINE": "1",
        "ATELIER_MODE": "local",
    }
    with serving.program(
        "tests.zero_app", str(quota), "--preload", "Large", "--cache", str(starter_cache), folder=tmp_path, environment=space
    ) as address:
        large = answered(address, {"prompt": "dots", "model": "Large", "seed": 7})
        starter = answered(address, {"prompt": "a red apple", "model": "Atelier Icons", "seed": 7})
    assert starter[0] == "event: complete"
    if quota == 300:
        assert large[0] == "event: complete" and ".png" in large[1]
    else:
        assert large[0] == "event: error" and "Atelier Icons needs no GPU" in large[1]


def answered(address: str, fields: dict[str, Any]) -> tuple[str, str]:
    """The last event of a run over HTTP, and its data."""
    host = {"Host": "someone-atelier.hf.space"}
    asked = httpx.post(f"{address}/gradio_api/call/v2/text_to_image", json=fields, headers=host, timeout=60)
    assert asked.status_code == 200, asked.text
    path = f"{address}/gradio_api/call/text_to_image/{asked.json()['event_id']}"
    with httpx.stream("GET", path, headers=host, timeout=120) as answer:
        event, data = [line for line in answer.iter_lines() if line][-2:]
    return event, data
