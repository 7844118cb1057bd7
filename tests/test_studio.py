"""The life of a task: chosen, journaled, run, kept; stopped, refused and failed without a trace left behind."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio import models, replay
from studio.creations import Creation, Media, Passage, Picture, Preview, Progress, Report
from studio.device import Device
from studio.errors import Busy, Cancelled, InvalidInput, ModelUnavailable, NotEnoughMemory, Refused
from studio.library import Library
from studio.manager import Component, Manager, Recipe
from studio.models import Bundled, Hub, ModelCard
from studio.provenance import pictures, record
from studio.settings import Settings
from studio.studio import GUEST, Studio
from studio.tasks import Compose, Task, TextToImage, Write

DOTS = ModelCard(
    name="Dots", engine="dots", serves=("text_to_image", "write"), source=Bundled(path="logo.svg"), starter=True, styles=("Plain",),
    defaults={"width": 64, "height": 64, "steps": 4, "max_new_tokens": 5}, limits={"width": (64, 256)},
)  # fmt: skip
FAR = ModelCard(name="Far", engine="dots", serves=("text_to_image",), source=Hub(repo="some/model"), quality=90, memory_gb=1)


class Dots:
    """A small engine of its own kind: seeded noise, one report a step; it counts its loads and can be held up."""

    def __init__(self) -> None:
        self.loads = 0
        self.steps = 0
        self.pause = 0.0
        self.fault: Exception | None = None
        self.lasting = True
        self.prompts: list[str] = []

    def recipe(self, card: ModelCard, task: Task, device: Device) -> Recipe:
        def load(report: Report) -> object:
            self.loads += 1
            return object()

        def build(values: Mapping[str, Any]) -> Any:
            return self.write if isinstance(task, Write) else self.draw

        return Recipe({"dots": Component(f"dots:{card.name}", 1000, load)}, build, lambda task: 10)

    def draw(self, task: TextToImage, report: Report) -> Iterable[Media]:
        self.prompts.append(task.prompt)
        for number in range(task.count):
            for step in range(task.steps or 1):
                time.sleep(self.pause)
                self.steps += 1
                if self.fault is not None:
                    fault, self.fault = self.fault, self.fault if self.lasting else None
                    raise fault
                report(Progress("running", step + 1, task.steps or 1, "steps", number + 1, task.count))
            seed = (task.seed or 0) + number
            pixels = np.random.default_rng(seed).integers(0, 255, (task.height or 64, task.width or 64, 3), dtype=np.uint8)
            yield Picture(pixels, seed, {"dots": 1})

    def write(self, task: Write, report: Report) -> Iterable[Media]:
        text = ""
        try:
            for number in range(task.max_new_tokens or 1):
                time.sleep(self.pause)
                text += f" {number}"
                report(Preview(text=text))
        except Cancelled:
            yield Passage(text, task.seed or 0, 1, "stopped")
            return
        yield Passage(text, task.seed or 0, task.max_new_tokens or 1)


@pytest.fixture
def dots() -> Dots:
    return Dots()


@pytest.fixture
def studio(dots: Dots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    monkeypatch.setattr(models, "engines", lambda: {"dots": SimpleNamespace(CARDS=(DOTS, FAR), recipe=dots.recipe)})
    settings = Settings(home=tmp_path / "home", cache=tmp_path / "cache", offline=True)
    device = Device("cpu", 1)
    studio = Studio(settings, (DOTS, FAR), device, Manager(device), Library(settings.home))
    yield studio
    studio.close()


def finished(studio: Studio, task: Task) -> list[Creation]:
    return [event for event in studio.run(task) if isinstance(event, Creation)]


def journal(studio: Studio) -> list[tuple[str, str]]:
    with sqlite3.connect(next(studio.settings.home.glob("*.sqlite*"))) as index:
        return index.execute("SELECT state, message FROM jobs ORDER BY id").fetchall()


def test_a_picture_is_made_kept_and_carries_the_record_that_remakes_it(studio: Studio) -> None:
    (made,) = finished(studio, TextToImage(prompt="dots", seed=7))
    found = pictures.read_record(made.path)
    assert found is not None and found.kind == "text_to_image"
    task = record.task_of(found)
    assert isinstance(task, TextToImage) and (task.prompt, task.seed, task.steps, task.model) == ("dots", 7, 4, "Dots")
    (again,) = finished(studio, task)
    assert again.path == made.path or again.record["task"] == made.record["task"]
    assert studio.library.list("text_to_image")[0].id == again.id


def test_each_picture_of_a_batch_has_its_own_seed_and_can_be_remade_alone(studio: Studio) -> None:
    batch = finished(studio, TextToImage(prompt="dots", seed=5, count=3))
    tasks = [record.task_of(record.Record.model_validate(c.record)) for c in batch]
    assert [t.seed for t in tasks] == [5, 6, 7] and all(isinstance(t, TextToImage) and t.count == 1 for t in tasks)
    (alone,) = finished(studio, tasks[2])
    assert pixels(alone) == pixels(batch[2])


def pixels(creation: Creation) -> bytes:
    with Image.open(creation.path) as picture:
        return picture.tobytes()


def test_an_empty_seed_becomes_a_fresh_one_each_time(studio: Studio) -> None:
    seeds = {str(dict(finished(studio, TextToImage(prompt="dots"))[0].record)["task"]) for _ in range(3)}
    assert len(seeds) == 3


def test_a_second_picture_reads_no_weight(studio: Studio, dots: Dots) -> None:
    finished(studio, TextToImage(prompt="dots"))
    finished(studio, TextToImage(prompt="more dots"))
    assert dots.loads == 1


def use_memory(studio: Studio, key: str) -> None:
    def build(values: Mapping[str, Any]) -> Any:
        return lambda task, report: ()

    other = Recipe({"other": Component(key, 1000, lambda _: object())}, build, lambda _: 0)
    with studio.manager.lease(other, TextToImage(prompt="x"), lambda _: None):
        pass


def test_a_run_that_finds_too_little_memory_is_tried_again_alone(studio: Studio, dots: Dots) -> None:
    use_memory(studio, "other")
    dots.fault, dots.lasting = NotEnoughMemory("Too large."), False
    (made,) = finished(studio, TextToImage(prompt="dots", seed=3))
    assert made.record["task"]["seed"] == 3  # pyright: ignore[reportArgumentType, reportCallIssue, reportIndexIssue, reportOptionalSubscript]
    assert [resident.key for resident in studio.manager.status().residents] == ["dots:Dots"]
    assert [outcome for outcome, _ in journal(studio)] == ["done"]


def test_a_run_too_large_for_the_device_alone_fails_in_words_and_the_next_one_works(studio: Studio, dots: Dots) -> None:
    dots.fault = NotEnoughMemory("Too large: choose a smaller size.")
    with pytest.raises(NotEnoughMemory):
        finished(studio, TextToImage(prompt="dots"))
    assert dots.steps == 1, "with nothing else in memory a second try would end like the first"
    use_memory(studio, "other")
    with pytest.raises(NotEnoughMemory, match="choose a smaller size"):
        finished(studio, TextToImage(prompt="dots"))
    assert dots.steps == 3
    dots.fault = None
    assert finished(studio, TextToImage(prompt="dots"))
    assert [outcome for outcome, _ in journal(studio)] == ["failed", "failed", "done"]


def test_every_run_is_journaled_with_its_outcome(studio: Studio, dots: Dots) -> None:
    finished(studio, TextToImage(prompt="dots"))
    dots.fault = ValueError("a bug")
    with pytest.raises(ValueError, match="a bug"):
        finished(studio, TextToImage(prompt="dots"))
    rows = journal(studio)
    assert [outcome for outcome, _ in rows] == ["done", "failed"]
    assert "log has the details" in rows[1][1]


def test_stopping_ends_within_a_step_keeps_what_is_finished_and_frees_the_device(studio: Studio, dots: Dots) -> None:
    dots.pause = 0.02
    kept: list[Creation] = []
    at_stop = 0
    with pytest.raises(Cancelled):
        for event in studio.run(TextToImage(prompt="dots", count=4)):
            if isinstance(event, Creation):
                kept.append(event)
                at_stop = dots.steps
                assert studio.stop() == 1 and studio.stop() == 0
    assert len(kept) == 1 and dots.steps <= at_stop + 2
    assert studio.manager.waiting() == 0 and journal(studio)[0][0] == "cancelled"
    dots.pause = 0
    assert len(finished(studio, TextToImage(prompt="dots"))) == 1


def test_stopped_text_is_kept(studio: Studio, dots: Dots) -> None:
    dots.pause = 0.02
    kept: list[Creation] = []
    with pytest.raises(Cancelled):
        for event in studio.run(Write(prompt="count", max_new_tokens=1000)):
            if isinstance(event, Preview):
                studio.stop()
            if isinstance(event, Creation):
                kept.append(event)
    assert kept and (kept[0].text or "").startswith(" 0") and kept[0].path.read_text() == kept[0].text


def test_leaving_the_iteration_frees_the_device(studio: Studio, dots: Dots) -> None:
    dots.pause = 0.02
    run = studio.run(TextToImage(prompt="dots", steps=150))
    for event in run:
        if isinstance(event, Progress) and event.phase == "running":
            break
    run.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 5
    while studio.manager.waiting() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert studio.manager.waiting() == 0 and dots.steps < 20


def test_two_users_at_once_both_get_theirs_and_only_their_own_stop(studio: Studio, dots: Dots) -> None:
    dots.pause = 0.01
    made: dict[str, int] = {}

    def use(name: str) -> None:
        made[name] = len([e for e in studio.run(TextToImage(prompt=name, count=2), name) if isinstance(e, Creation)])

    threads = [threading.Thread(target=use, args=(name,)) for name in ("ann", "bob")]
    for thread in threads:
        thread.start()
    assert studio.stop("carl") == 0
    for thread in threads:
        thread.join(20)
    assert made == {"ann": 2, "bob": 2}
    assert {len(studio.library.list(owner=name)) for name in made} == {2}


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"model": "Nobody"}, ModelUnavailable, "There is no model of that name here"),
        ({"model": "Far"}, ModelUnavailable, "not on this machine yet"),
        ({"style": "Baroque"}, InvalidInput, "Dots has no style of that name; it has Plain."),
        ({"scheduler": "Euler"}, InvalidInput, "Dots has no scheduler to choose: leave it empty."),
        ({"width": 512}, InvalidInput, "Width must be from 64 to 256 with Dots."),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_journaled(
    studio: Studio, values: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        finished(studio, TextToImage.checked({"prompt": "dots", **values}))
    assert journal(studio) == []


def test_a_full_queue_is_said_at_once(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio.manager, "waiting", lambda: 33)
    with pytest.raises(Busy, match="32 runs wait"):
        finished(studio, TextToImage(prompt="dots"))


def test_a_public_studio_has_limits(dots: Dots, studio: Studio, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "public", cache=tmp_path / "cache", mode="public")
    public = Studio(settings, (DOTS,), studio.device, studio.manager, Library(settings.home))
    with pytest.raises(Refused, match="50 steps"):
        finished(public, TextToImage(prompt="dots", steps=60))
    with pytest.raises(ModelUnavailable, match="^This studio has no model for this now"):
        finished(public, Compose(prompt="a tune"))  # nobody is told to download what a visitor cannot
    coming = DOTS.model_copy(update={"name": "Tunes", "serves": (Compose.kind,), "source": Hub(repo="no/where", revision="a" * 40)})
    public.cards = (DOTS, coming)
    with pytest.raises(ModelUnavailable, match="on its way to this studio: try again in a minute"):
        finished(public, Compose(prompt="a tune"))
    public.library.close()


def test_a_text_style_reaches_the_model_but_the_record_keeps_what_was_asked(dots: Dots, studio: Studio) -> None:
    plain = DOTS.model_copy(update={"styles": (), "name": "Styleless"})
    studio.cards = (plain,)
    (made,) = finished(studio, TextToImage(prompt="a harbour", style="Watercolour"))
    assert dots.prompts == ["watercolour painting of a harbour, wet on wet, visible paper texture, loose edges"]
    task = record.task_of(record.Record.model_validate(made.record))
    assert isinstance(task, TextToImage) and (task.prompt, task.style) == ("a harbour", "Watercolour")


def test_the_estimate_is_learned_from_earlier_runs(studio: Studio, dots: Dots) -> None:
    asked = TextToImage(prompt="dots", steps=10)
    assert studio.estimate(asked) is None
    dots.pause = 0.02
    for _ in range(3):
        finished(studio, asked)
    seconds = studio.estimate(TextToImage(prompt="dots", steps=20))
    assert seconds is not None and 0.3 < seconds < 4


def test_what_guests_of_a_public_studio_made_goes_with_their_session_and_at_the_next_start(studio: Studio, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "public", cache=tmp_path / "cache", mode="public", offline=True)
    public = Studio(settings, (DOTS,), studio.device, studio.manager, Library(settings.home))
    for session in ("a", "b"):
        list(public.run(TextToImage(prompt="dots"), GUEST, session))
    public.forget("a")
    assert [len(public.library.list(owner=GUEST, session=s)) for s in ("a", "b")] == [0, 1]
    public.library.close()
    again = Studio.open(settings)
    assert again.library.list(owner=GUEST) == () and not list(settings.home.rglob("*.png"))
    again.close()


def test_a_style_of_ones_own_reaches_a_model_without_styles(studio: Studio, dots: Dots) -> None:
    studio.cards = (DOTS.model_copy(update={"name": "Bare", "styles": ()}),)
    csv = b"name,prompt,negative_prompt\nSepia,an old photograph of {prompt},colours\n"
    assert studio.own_styles.import_styles(csv, "styles.csv")[0] == 1
    finished(studio, TextToImage(prompt="dots", style="Sepia"))
    assert dots.prompts == ["an old photograph of dots"]
    with pytest.raises(InvalidInput, match="no style"):
        finished(studio, TextToImage(prompt="dots", style="Sepiaa"))


def test_a_replay_is_the_same_without_a_mark_and_leaves_nothing_even_when_it_is_stopped(studio: Studio, dots: Dots) -> None:
    (made,) = finished(studio, TextToImage(prompt="dots", width=256, height=256, steps=2))
    entry = record.Record.model_validate(dict(made.record))
    unmarked = entry.model_copy(update={"marks": {}})
    (marked, plain) = (next(iter([e for e in replay.again(studio, like) if isinstance(e, Creation)])) for like in (entry, unmarked))
    assert isinstance(entry.marks["watermark"], dict) and "payload" in entry.marks["watermark"]
    assert dict(plain.record)["marks"] != dict(marked.record)["marks"] == dict(made.record)["marks"]
    dots.pause = 0.02
    events = replay.again(studio, entry)
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert [creation.id for creation in studio.library.list()] == [made.id]


def test_what_the_end_of_the_studio_stops_is_interrupted_at_the_next_start(
    studio: Studio, dots: Dots, monkeypatch: pytest.MonkeyPatch
) -> None:
    dots.pause = 0.02
    events = studio.run(TextToImage(prompt="dots", count=4), stays=True)
    next(events)
    studio.close()
    monkeypatch.setattr(studio, "close", lambda: None)
    events.close()  # type: ignore[attr-defined]
    library = Library(studio.settings.home)
    assert [job.state for job in library.journal.jobs(("interrupted",))] == ["interrupted"]
    library.close()


def test_the_words_that_a_style_made_are_in_the_record(studio: Studio) -> None:
    studio.cards = (DOTS.model_copy(update={"name": "Bare", "styles": ()}),)
    studio.own_styles.import_styles(b"name,prompt,negative_prompt\nSepia,an old photograph of {prompt},\n", "styles.csv")
    (made,) = finished(studio, TextToImage(prompt="dots", style="Sepia"))
    assert dict(made.record)["facts"]["read"]["prompt"] == "an old photograph of dots"  # type: ignore[index,call-overload]


def test_a_model_is_loaded_before_it_is_needed(studio: Studio, dots: Dots) -> None:
    assert all(isinstance(event, Progress) for event in studio.warm("Dots", "text_to_image"))
    assert dots.loads == 1 and dots.steps == 0 and journal(studio) == []
    finished(studio, TextToImage(prompt="dots"))
    assert dots.loads == 1
    with pytest.raises(ModelUnavailable, match="download it first"):
        list(studio.warm("Far", "text_to_image"))
