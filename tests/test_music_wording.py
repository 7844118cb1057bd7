"""The mood that a writer hears in words: asked for where they name none, one of those that the plan knows, and mostly the right one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.creations import Preview
from studio.errors import InvalidInput
from studio.music.brief import mood_in
from studio.music.moods import MOODS
from studio.music.wording import USUAL, Wording
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Compose

HEARD = {
    "kittens chasing a ball of wool": "playful happy energetic",
    "a hero returns home": "triumphant hopeful epic happy nostalgic",
    "an empty house at night": "dark mysterious tense melancholic sad calm",
    "a sword fight on a bridge": "tense epic energetic angry dark",
    "an old photo of my parents": "nostalgic melancholic sad romantic",
    "a kiss under the moon": "romantic dreamy",
    "a demon rises from the grave": "dark tense epic mysterious angry",
    "we won the championship": "triumphant happy epic energetic hopeful",
}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, starter_cache: Path) -> Iterator[Studio]:
    opened = Studio.open(Settings(home=tmp_path_factory.mktemp("home"), cache=starter_cache, device="cpu", offline=True))
    yield opened
    opened.close()


def longer(studio: Studio, prompt: str, model: str = "") -> str:
    events = list(studio.enhance(Compose.checked({"prompt": prompt, "model": model})))
    (found,) = [event.text for event in events if isinstance(event, Preview) and event.text]
    return found


def test_every_mood_of_the_plan_can_be_chosen_and_nothing_else() -> None:
    asked = Wording().asked("a pirate ship in a storm!")
    assert asked.grammar == "root ::= " + " | ".join(f'" {mood}"' for mood in MOODS)
    assert set(USUAL) == set(MOODS) and len(asked.bias) == len(MOODS)
    assert asked.document == "The film scene shows a pirate ship in a storm. The mood of the scene is"


def test_what_names_a_mood_is_not_asked_about() -> None:
    with pytest.raises(InvalidInput, match="calm"):
        Wording().asked("calm rainy-night lo-fi piano")


def test_the_mood_is_said_in_the_prompt_and_another_answer_changes_nothing() -> None:
    assert Wording().filled("a pirate ship in a storm.", " tense") == "a pirate ship in a storm, tense"
    assert Wording().filled("a pirate ship", "I cannot say.") == "a pirate ship"


def test_the_writer_hears_the_mood_of_most_scenes_and_the_plan_follows(studio: Studio) -> None:
    found = {prompt: longer(studio, prompt) for prompt in HEARD}
    moods = {prompt: words.removeprefix(f"{prompt}, ") for prompt, words in found.items()}
    right = [prompt for prompt, mood in moods.items() if mood in HEARD[prompt].split()]
    assert len(right) >= 6, moods  # by chance it would be 2 of these 8
    for words, mood in zip(found.values(), moods.values(), strict=True):
        heard = mood_in(words)
        assert heard is not None and heard.name == mood
        assert studio.plan(Compose.checked({"prompt": words, "seed": 1}))["mood"] == mood
