"""Enhance prompt: only words the starter understands, the asked thing unchanged; free text kept short; stopped and refused in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import enhance
from studio.creations import Preview, Progress
from studio.engines import gguf, starter_image
from studio.errors import Busy, Cancelled, InvalidInput, ModelUnavailable
from studio.settings import Settings
from studio.starter.icons import IconLibrary
from studio.starter.wording import COLOURS, GROUNDS, STYLES, Wording
from studio.starter.words import read
from studio.studio import Studio
from studio.tasks import TextToImage

FOLDER = Path(__file__).parents[1] / "assets" / "icons"
WRITER = gguf.CARDS[0]
PROMPTS = ("a cat", "a red apple", "an owl on a tree", "two dogs", "a yellow heart", "an orange", "a bowl of cherries", "A robot, 8k")


@pytest.fixture(scope="module")
def wording() -> Wording:
    return Wording(IconLibrary.open(FOLDER))


@pytest.fixture
def studio(home: Path, starter_cache: Path) -> Iterator[Studio]:
    opened = Studio.open(Settings(home=home, cache=starter_cache, device="cpu", offline=True))
    yield opened
    opened.close()


# Words of the starter's own --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", PROMPTS)
def test_whatever_is_chosen_the_same_things_are_drawn(wording: Wording, prompt: str) -> None:
    before = wording.concepts(prompt)
    for place in range(len(COLOURS)):
        ground, look = GROUNDS[place % len(GROUNDS)], STYLES[place % len(STYLES)]
        longer = wording.filled(prompt, f"a {COLOURS[place]} thing on a {ground} background with stars, {look} style")
        assert wording.concepts(longer) == before
        assert len(longer) > len(prompt)


def test_the_words_that_are_added_are_understood(wording: Wording) -> None:
    longer = wording.filled("a cat", "a orange cat on a light blue background with dots, cartoon style")
    assert longer == "an orange cat on a light blue background with dots, cartoon style"
    library = IconLibrary.open(FOLDER)
    scene = read(longer, "", "", library)
    assert scene.parts[0].hue == "orange"
    assert scene.background == "#8cc4f5 dots"
    assert library.icons[scene.parts[0].candidates[0].index].style == "Cartoon"
    assert scene.notes == ()


def test_only_what_the_prompt_leaves_open_is_asked_for(wording: Wording) -> None:
    root = wording.asked("a red apple on a blue background").grammar.split("\n")[0]
    assert "colour" not in root
    assert "ground" not in root
    assert "style" in root
    assert "style" not in wording.asked("a cat", "Flat").grammar.split("\n")[0]
    assert "style" not in wording.asked("a cat", "My set: Dusk").grammar.split("\n")[0]
    with pytest.raises(InvalidInput, match="says it all"):
        wording.asked("a red apple on a blue background, glossy")


def test_a_colour_that_would_make_another_thing_of_it_is_left_out(wording: Wording) -> None:
    assert wording.concepts("an orange") != wording.concepts("a red circle")
    for colour in COLOURS:
        assert wording.concepts(wording.filled("a heart", f"a {colour} heart")) == wording.concepts("a heart")


def test_an_answer_of_another_kind_changes_nothing(wording: Wording) -> None:
    assert wording.filled("a cat", "I cannot do that.") == "a cat"


# Free text -------------------------------------------------------------------------------------------------------------------------


def test_free_text_keeps_every_typed_word_and_at_most_sixty_words() -> None:
    assert enhance.described("a cat", '"Prompt: A cat sleeps in warm light."') == "A cat sleeps in warm light."
    assert enhance.described("a cat in a hat", "A fine day.") == "a cat in a hat, A fine day."
    assert enhance.described("a cat", "") == "a cat"
    assert len(enhance.described("a cat", "word " * 200).split()) == enhance.WORDS
    typed = "word " * 100
    assert enhance.described(typed, "Something else.").split()[:100] == typed.split()


def test_the_best_writer_describes_and_one_that_takes_a_grammar_chooses() -> None:
    large = WRITER.model_copy(update={"name": "Large", "engine": "language", "quality": 50, "starter": False})
    here = {card.name: card for card in (WRITER, large)}
    assert enhance.writer(here, constrained=False).name == "Large"
    assert enhance.writer(here, constrained=True) is WRITER
    with pytest.raises(ModelUnavailable, match="No writer"):
        enhance.writer({"Large": large}, constrained=True)


# In the studio ---------------------------------------------------------------------------------------------------------------------


def test_its_time_on_the_device_counts_for_the_day(home: Path, starter_cache: Path) -> None:
    opened = Studio.open(Settings(home=home, cache=starter_cache, device="cpu", offline=True, daily_minutes=60))
    list(opened.enhance(TextToImage(prompt="a castle"), "ana", address="1.2.3.4"))
    runs, seconds = opened.admission.today()["ana"]
    assert runs == 1 and 0 < seconds < 600
    opened.admission.took("ana", "1.2.3.4", 3600)
    with pytest.raises(Busy, match="60 minutes of the device"):
        next(iter(opened.enhance(TextToImage(prompt="a castle"), "ana", address="1.2.3.4")))
    opened.close()


def test_the_starter_gets_a_longer_prompt_and_the_writer_stays_resident(studio: Studio) -> None:
    events = list(studio.enhance(TextToImage(prompt="a castle")))
    longer = [event.text for event in events if isinstance(event, Preview)]
    assert len(longer) == 1
    assert re.fullmatch(r"an? \w+ castle on a [a-z ]+ background( with \w+)?, \w+ style", longer[0] or "")
    assert any(isinstance(event, Progress) and event.phase == "loading" for event in events)
    (resident,) = studio.manager.status().residents
    assert ":gguf:" in resident.key
    assert studio.library.list() == ()
    again = list(studio.enhance(TextToImage(prompt="a castle")))
    assert not any(isinstance(event, Progress) and event.phase == "loading" and event.total for event in again)


def test_other_models_get_free_text(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(starter_image, "wording")
    (longer,) = [event.text for event in studio.enhance(TextToImage(prompt="a castle")) if isinstance(event, Preview)]
    assert longer is not None
    assert "castle" in longer.casefold()
    assert len("a castle") < len(longer)
    assert len(longer.split()) <= enhance.WORDS


def test_it_stops_like_a_run(studio: Studio) -> None:
    events = studio.enhance(TextToImage(prompt="a castle"), "anna", "one")
    next(events)
    assert studio.stop("anna", "one") == 1
    with pytest.raises(Cancelled):
        list(events)
    assert studio.manager.waiting() == 0


def test_without_a_writer_it_says_what_to_do(home: Path, tmp_path: Path) -> None:
    studio = Studio.open(Settings(home=home, cache=tmp_path / "empty", device="cpu", offline=True))
    with pytest.raises(ModelUnavailable, match="make starters"):
        list(studio.enhance(TextToImage(prompt="a castle")))
    studio.close()
