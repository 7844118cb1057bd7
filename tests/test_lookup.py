"""Guessed tokens: what was read is guessed again, and the words are those of a model that guesses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.creations import Passage, Progress
from studio.device import Device
from studio.engines import _lookup, _takes, language
from studio.engines._lookup import LONGEST, Lookup
from studio.errors import Cancelled
from studio.models import Folder, ModelCard
from studio.tasks import Write
from tests import tiny

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of numpy, asked for by the libraries under test
]


def test_what_followed_the_last_tokens_where_they_stood_first_is_guessed() -> None:
    read = Lookup([1, 2, 3, 4, 5, 9, 1, 2])
    assert read.guess(3) == [3, 4, 5]
    read.add(7)  # another word than there
    assert read.guess(3) == []
    for token in (3, 4):
        read.add(token)
    assert read.guess(100) == [5, 9, 1, 2, 7, 3, 4]
    assert read.guess(0) == []


def test_a_guess_is_never_longer_than_stated() -> None:
    read = Lookup([*range(100), 0, 1, 2])
    assert read.guess(1000) == [*range(3, 3 + LONGEST)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.chat_model(tmp_path_factory.mktemp("lookup") / "chat", 2048)


@pytest.fixture
def values(folder: Path) -> dict[str, Any]:
    return {role: part.load(lambda _: None) for role, part in recipe_of(folder, task_of()).components.items()}


@pytest.fixture
def passes(values: dict[str, Any]) -> list[int]:
    """How many tokens the model read in each of its calls after the prompt."""
    found: list[int] = []
    own = values["model"].forward

    def forward(*given: Any, **named: Any) -> Any:
        found.append(int(named["input_ids"].shape[1]))
        return own(*given, **named)

    values["model"].forward = forward
    return found


def task_of(**changes: Any) -> Write:
    return Write.checked({"prompt": "Say it again: one two one two one two", "seed": 3, "max_new_tokens": 60, "temperature": 0} | changes)


def recipe_of(files: Path, task: Write) -> Any:
    card = ModelCard(name="Tiny", engine="language", serves=("write",), source=Folder(path=str(files)), files=files)
    return language.recipe(card.model_copy(update={"options": {"dtype": "float32"}}), task, Device("cpu"))


def written(folder: Path, values: dict[str, Any], report: Any = lambda _: None, **changes: Any) -> list[Passage]:
    task = task_of(**changes)
    return list(recipe_of(folder, task).build(values)(task, report))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"repetition_penalty": 1.3, "dry_multiplier": 1.0},
        {"count": 2, "probabilities": True},
        {"document": "one two three " * 60},
        {"output_regex": "[a-c ]{30,40}"},
        {"stop": ["e"]},
    ],
)
def test_the_words_are_those_of_a_model_that_guesses_nothing(
    changes: dict[str, Any], folder: Path, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    guessed = written(folder, values, **changes)
    monkeypatch.setattr(_takes, "_guesses", lambda _: False)
    plain = written(folder, values, **changes)
    assert [one.text for one in guessed] == [one.text for one in plain]
    assert [(one.tokens, one.finish) for one in guessed] == [(one.tokens, one.finish) for one in plain]
    if changes.get("probabilities"):
        for mine, theirs in zip(guessed[0].facts["words"], plain[0].facts["words"], strict=True):  # pyright: ignore[reportArgumentType]
            assert mine[0] == theirs[0] and mine[1] == pytest.approx(theirs[1], abs=1e-5)


def test_right_guesses_save_calls_of_the_model_and_wrong_ones_are_taken_back(
    folder: Path, values: dict[str, Any], passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    [plain] = written(folder, values, temperature=0.0)
    used = len(passes)
    monkeypatch.setattr(_takes, "_guesses", lambda _: False)
    passes.clear()
    written(folder, values)
    assert used < len(passes)  # a model of random weights goes round in circles, which are guessed
    ids = values["words"].tokenizer(plain.text, add_special_tokens=False)["input_ids"]

    class Half(Lookup):
        """Every second guess is wrong after its second token."""

        turns = 0

        def guess(self, most: int) -> list[int]:
            Half.turns += 1
            found = super().guess(most)
            return [*found[:2], *([(found[2] + 1) % 200] if Half.turns % 2 else found[2:3]), *found[3:]] if len(found) > 2 else found

    monkeypatch.setattr(_takes, "_guesses", lambda _: True)
    monkeypatch.setattr(_lookup, "Lookup", Half)
    [again] = written(folder, values)
    assert again.text == plain.text and Half.turns > 1 and ids


@pytest.mark.parametrize("changes", [{"temperature": 0.8}, {"guidance_scale": 2.0, "negative_prompt": "no"}])
def test_nothing_is_guessed_where_words_are_drawn_or_guided(
    changes: dict[str, Any], folder: Path, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any) -> Any:
        raise AssertionError("it guessed")

    monkeypatch.setattr(_lookup, "lookup", none)
    assert written(folder, values, **changes)[0].tokens > 0


def test_a_stop_amid_a_guess_keeps_what_was_written(folder: Path, values: dict[str, Any]) -> None:
    def report(event: object) -> None:
        if isinstance(event, Progress) and event.done == 20:
            raise Cancelled

    [kept] = written(folder, values, report)
    [whole] = written(folder, values)
    assert kept.finish == "stopped" and kept.tokens == 20
    assert kept.text and whole.text.startswith(kept.text)
