"""Batches: one row after the other, told what to do while they run, fair to others, and never going on by themselves."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from studio import batch_lists, models
from studio.__main__ import app
from studio.batches import Batch
from studio.creations import Creation, Media, Picture, Progress, Report
from studio.device import Device
from studio.errors import InvalidInput, NotEnoughMemory, NotFound, Refused, StorageFull
from studio.library import Library
from studio.manager import Component, Manager, Recipe
from studio.models import Bundled, ModelCard
from studio.settings import Settings
from studio.shelf import Filter
from studio.studio import Studio
from studio.tasks import Task, TextToImage

ROOT = Path(__file__).parent.parent
CARD = ModelCard(
    name="Dots", engine="dots", serves=("text_to_image",), source=Bundled(path="logo.svg"), starter=True,
    defaults={"width": 64, "height": 64, "steps": 1}, limits={"steps": (1, 4)},
)  # fmt: skip


class Dots:
    """An engine that draws one dot after the other, each only once it is `let` go on; prompts tell which fail."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.drawn: list[str] = []
        self.begun: list[str] = []
        self.faults: dict[str, Exception] = {}

    def recipe(self, card: ModelCard, task: Task, device: Device) -> Recipe:
        def build(values: Mapping[str, Any]) -> Any:
            return self.draw

        return Recipe({"dots": Component("dots", 1000, lambda report: object())}, build, lambda task: 10)

    def draw(self, task: TextToImage, report: Report) -> Iterable[Media]:
        self.begun.append(task.prompt)
        report(Progress("running", 0, 2))
        while not self.free.wait(0.005):
            report(Progress("running", 1, 2))
        if task.prompt in self.faults:
            raise self.faults[task.prompt]
        self.drawn.append(task.prompt)
        seed = task.seed or 0
        yield Picture(np.full((64, 64, 3), seed % 256, np.uint8), seed, {})


def opened(dots: Dots, home: Path, patch: Callable[..., None], **options: Any) -> Studio:
    patch(models, "engines", lambda: {"dots": SimpleNamespace(CARDS=(CARD,), recipe=dots.recipe)})
    settings = Settings(home=home, cache=home.parent / "cache", offline=True, **{"mode": "local", **options})
    device = Device("cpu", 1)
    return Studio(settings, (CARD,), device, Manager(device), Library(settings.home))


@pytest.fixture
def dots() -> Dots:
    return Dots()


@pytest.fixture
def studio(dots: Dots, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    made = opened(dots, home, monkeypatch.setattr)
    yield made
    dots.free.set()
    made.close()


def begun(studio: Studio, prompts: str, name: str = "Night", owner: str = "local") -> Batch:
    rows = batch_lists.lines("\n".join(prompts.split()), TextToImage, {"seed": 3})
    return studio.batches.start(name, "text_to_image", rows, owner)


def until(true: Callable[[], object]) -> None:
    limit = time.monotonic() + 60
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.01)


def states(studio: Studio, batch: Batch, owner: str = "local") -> dict[int, str]:
    return {row.number: row.state for row in studio.library.batches.rows(batch.id, owner)}


def test_rows_are_made_in_their_order_and_lie_in_a_project_of_the_batch(studio: Studio, dots: Dots) -> None:
    batch = begun(studio, "one two three")
    studio.batches.wait()
    found = studio.library.batches.batch(batch.id)
    assert (found.state, found.counts, found.left) == ("over", {"done": 3}, 0)
    assert dots.drawn == ["one", "two", "three"]
    assert [item.words for item in studio.library.shelf.page(Filter(project="Night"))] == ["three", "two", "one"]
    assert [job.state for job in studio.library.journal.jobs()] == ["done"] * 3
    assert studio.batches.seconds_left(found) == 0


def test_a_row_that_cannot_be_made_is_named_before_anything_starts(studio: Studio, dots: Dots) -> None:
    rows = batch_lists.table(b"prompt,steps,model\none,2,\ntwo,9,\nthree,,Nobody\n", TextToImage)
    with pytest.raises(InvalidInput, match=r"2 of 3 .*Row 3: Steps must be from 1 to 4 with Dots.*Row 4: There is no model of that name"):
        studio.batches.start("", "text_to_image", rows)
    assert studio.library.batches.list() == ()
    assert dots.begun == []


def test_a_failed_row_keeps_its_sentence_lets_the_others_go_on_and_can_be_tried_again(studio: Studio, dots: Dots) -> None:
    dots.faults["two"] = NotEnoughMemory("Choose a smaller size.")
    batch = begun(studio, "one two three")
    studio.batches.wait()
    assert states(studio, batch) == {1: "done", 2: "failed", 3: "done"}
    assert studio.library.batches.rows(batch.id, states=["failed"])[0].message == "Choose a smaller size."
    assert studio.library.journal.untold() == ()
    dots.faults.clear()
    studio.batches.act("retry", batch.id)
    studio.batches.wait()
    assert dots.drawn == ["one", "three", "two"]
    assert studio.library.batches.batch(batch.id).state == "over"


def test_what_would_befall_every_row_pauses_the_batch(studio: Studio, dots: Dots) -> None:
    dots.faults["one"] = StorageFull("The disk is full.")
    batch = begun(studio, "one two")
    studio.batches.wait()
    found = studio.library.batches.batch(batch.id)
    assert (found.state, found.message, states(studio, batch)) == ("paused", "The disk is full.", {1: "failed", 2: "waiting"})


def test_five_rows_in_a_row_that_fail_for_one_reason_pause_it(studio: Studio, dots: Dots) -> None:
    prompts = "a b c d e f g"
    dots.faults = dict.fromkeys(prompts.split(), NotEnoughMemory("Choose a smaller size."))
    batch = begun(studio, prompts)
    studio.batches.wait()
    found = studio.library.batches.batch(batch.id)
    assert (found.state, found.counts) == ("paused", {"failed": 5, "waiting": 2})
    assert found.message.endswith("Choose a smaller size.")


def test_a_paused_batch_ends_its_row_and_goes_on_when_it_is_told_to(studio: Studio, dots: Dots) -> None:
    dots.free.clear()
    batch = begun(studio, "one two")
    until(lambda: dots.begun)
    studio.batches.act("pause", batch.id)
    dots.free.set()
    studio.batches.wait()
    assert states(studio, batch) == {1: "done", 2: "waiting"}
    studio.batches.act("go on", batch.id)
    studio.batches.wait()
    assert dots.drawn == ["one", "two"]


def test_a_stopped_batch_ends_its_row_at_once(studio: Studio, dots: Dots) -> None:
    dots.free.clear()
    batch = begun(studio, "one two")
    until(lambda: dots.begun)
    studio.batches.act("stop", batch.id)
    studio.batches.wait()
    assert (states(studio, batch), dots.drawn) == ({1: "interrupted", 2: "waiting"}, [])
    until(lambda: not studio.manager.waiting())
    dots.free.set()
    studio.batches.act("go on", batch.id)
    studio.batches.wait()
    assert dots.drawn == ["one", "two"]


def test_rows_are_skipped_and_put_elsewhere_while_others_run(studio: Studio, dots: Dots) -> None:
    dots.free.clear()
    batch = begun(studio, "one two three four five")
    until(lambda: dots.begun)
    for act, row in (("skip", 1), ("skip", 2), ("first", 5), ("last", 3), ("skip", 2), ("up", 2), ("down", 5)):
        studio.batches.act(act, batch.id, row=row)
    until(lambda: len(dots.begun) == 2)
    dots.free.set()
    studio.batches.wait()
    assert dots.drawn == ["two", "four", "five", "three"]
    assert states(studio, batch)[1] == "skipped"


def test_a_single_run_waits_for_one_row_alone(studio: Studio, dots: Dots) -> None:
    dots.free.clear()
    begun(studio, "one two three")
    until(lambda: dots.begun)
    single = threading.Thread(target=lambda: list(studio.run(TextToImage(prompt="single"))))
    single.start()
    until(lambda: studio.manager.waiting() > 1)
    dots.free.set()
    single.join(60)
    studio.batches.wait()
    assert dots.drawn == ["one", "single", "two", "three"]


def test_batches_of_two_people_take_turns_and_those_of_one_go_one_after_the_other(studio: Studio, dots: Dots) -> None:
    dots.free.clear()
    begun(studio, "a1 a2", owner="ana")
    until(lambda: dots.begun)
    begun(studio, "b1 b2", owner="ben")
    begun(studio, "a3", "Later", owner="ana")
    until(lambda: studio.manager.waiting() > 1)
    dots.free.set()
    studio.batches.wait("ana")
    studio.batches.wait("ben")
    assert dots.drawn[:2] == ["a1", "b1"]
    assert [prompt for prompt in dots.drawn if prompt[0] == "a"] == ["a1", "a2", "a3"]


def test_nobody_sees_or_changes_the_batch_of_another(studio: Studio, dots: Dots) -> None:
    dots.free.clear()
    batch = begun(studio, "one two", owner="ana")
    assert studio.library.batches.list("ben") == studio.library.batches.rows(batch.id, "ben") == ()
    for act in ("pause", "go on", "stop", "retry", "remove", "skip", "first"):
        with pytest.raises(NotFound):
            studio.batches.act(act, batch.id, "ben", 2)
    with pytest.raises(InvalidInput, match="pause, go on"):
        studio.batches.act("explode", batch.id, "ana")
    assert states(studio, batch, "ana")[2] == "waiting"


def test_a_removed_batch_stops_and_what_it_made_stays(studio: Studio, dots: Dots) -> None:
    begun(studio, "one", "First")
    studio.batches.wait()
    dots.free.clear()
    second = begun(studio, "two three", "Second")
    until(lambda: len(dots.begun) == 2)
    for batch in studio.library.batches.list():
        studio.batches.act("remove", batch.id)
    studio.batches.wait()
    assert dots.drawn == ["one"]
    assert studio.library.batches.list() == studio.library.batches.rows(second.id) == ()
    assert len(studio.library.shelf.page(Filter(project="First"))) == 1


def test_a_studio_that_closes_leaves_the_batch_interrupted_and_the_next_one_goes_on_only_by_a_press(
    dots: Dots, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(dots, home, monkeypatch.setattr)
    dots.free.clear()
    batch = begun(first, "one two")
    until(lambda: dots.begun)
    first.close()
    dots.free.set()
    second = opened(dots, home, monkeypatch.setattr)
    assert (second.library.batches.batch(batch.id).state, states(second, batch)) == ("interrupted", {1: "interrupted", 2: "waiting"})
    assert second.library.journal.untold() == ()
    second.batches.wait()
    assert dots.drawn == []
    second.batches.act("go on", batch.id)
    second.batches.wait()
    assert dots.drawn == ["one", "two"]
    second.close()


def killed(home: str) -> None:
    """For a process that dies in the middle of a batch: three rows are made, then it says so and hangs in the fourth."""
    dots = Dots()
    studio = opened(dots, Path(home), setattr)
    dots.faults = {}
    done = dots.draw

    def draw(task: TextToImage, report: Report) -> Iterable[Media]:
        if len(dots.drawn) == 3:
            dots.free.clear()
            print("now", flush=True)
        yield from done(task, report)

    dots.draw = draw
    begun(studio, "one two three four five")
    studio.batches.wait()


def test_after_a_kill_what_was_made_is_there_and_only_the_rest_is_made_when_it_goes_on(
    dots: Dots, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"from tests import test_batches; test_batches.killed({str(home)!r})"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        process.kill()
    studio = opened(dots, home, monkeypatch.setattr)
    (batch,) = studio.library.batches.list()
    assert (batch.state, batch.counts) == ("interrupted", {"done": 3, "interrupted": 1, "waiting": 1})
    studio.batches.act("go on", batch.id)
    studio.batches.wait()
    assert dots.drawn == ["four", "five"]
    assert sorted(item.words for item in studio.library.shelf.page(Filter(project="Night"))) == ["five", "four", "one", "three", "two"]
    studio.close()


def test_a_row_that_made_its_picture_but_could_not_say_so_is_in_the_project_when_the_batch_goes_on(studio: Studio, dots: Dots) -> None:
    batch = begun(studio, "one")
    studio.batches.wait()
    (made,) = [event for event in studio.run(TextToImage(prompt="mine"), session="batch-of-nobody-1") if isinstance(event, Creation)]
    assert studio.library.shelf.item(made.id).project == ""
    (item,) = studio.library.shelf.page(Filter(project=batch.name))
    studio.library.shelf.move([item.id], "Elsewhere")
    studio.batches.act("go on", batch.id)
    assert studio.library.shelf.item(item.id).project == "Elsewhere"


def test_there_are_no_batches_for_visitors_and_short_ones_for_those_with_a_login(
    dots: Dots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_to_all = opened(dots, tmp_path / "a", monkeypatch.setattr, mode="public")
    with pytest.raises(Refused, match="studio of your own"):
        begun(open_to_all, "one")
    open_to_all.close()
    logins = opened(dots, tmp_path / "b", monkeypatch.setattr, mode="public", auth_file=tmp_path / "logins")
    with pytest.raises(InvalidInput, match="51 rows; 50 are the most here"):
        begun(logins, " ".join(map(str, range(51))), owner="ana")
    begun(logins, "one", owner="ana")
    logins.batches.wait("ana")
    assert dots.drawn == ["one"]
    logins.close()


def command(dots: Dots, home: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    monkeypatch.setattr(models, "engines", lambda: {"dots": SimpleNamespace(CARDS=(CARD,), recipe=dots.recipe)})
    return CliRunner().invoke(app, ["--home", str(home), "--cache", str(home.parent / "cache"), "--offline", "batch", *words])


def test_the_command_makes_a_list_says_what_failed_and_goes_on_with_the_rest(
    dots: Dots, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "night.csv"
    table.write_text("prompt,seed\none,1\ntwo,2\nthree,3\n")
    dots.faults["two"] = StorageFull("The disk is full.")
    done = command(dots, home, monkeypatch, str(table))
    assert done.exit_code == 1
    assert "1 of 3 are made, 1 failed: project “night”" in done.stdout
    assert "3  failed: The disk is full." in done.stderr
    dots.faults.clear()
    again = command(dots, home, monkeypatch, "--go-on", "night")
    assert "4  done in" in again.stdout
    assert again.exit_code == 1
    assert dots.drawn == ["one", "three"]


def test_the_command_refuses_in_words(dots: Dots, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = tmp_path / "words.txt"
    words.write_text("one\n\n" + "x" * 5000)
    for given, said in (
        ((str(words),), "Line 3: Prompt is 5,000 characters long"),
        ((str(words), "--task", "inpaint"), "A list can ask for text_to_image, music, write"),
        ((str(tmp_path / "none.csv"),), "cannot be read"),
        (("--go-on", "nothing"), "no batch of that name"),
        ((), "Give a file"),
    ):
        refused = command(dots, home, monkeypatch, *given)
        assert refused.exit_code == 1
        assert said in refused.stderr
    assert dots.begun == []
