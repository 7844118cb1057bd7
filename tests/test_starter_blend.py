"""Blends of two prompts: what the slider does to the picture, its credit and its background, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.creations import Picture
from studio.device import Device
from studio.engines import starter_image
from studio.errors import InvalidInput
from studio.models import resolve
from studio.starter import blend, compose
from studio.starter.icons import IconLibrary
from studio.starter.scene import Scene
from studio.starter.words import read
from studio.tasks import TextToImage

FOLDER = Path(__file__).parents[1] / "assets" / "icons"
CARD = starter_image.CARDS[0].model_copy(update={"files": FOLDER})
PAIRS = (("a cat", "a dog"), ("an apple", "a house"), ("a castle", "a cake"), ("a red car", "a blue whale"), ("a guitar", "a boat"))


@pytest.fixture(scope="module")
def library() -> IconLibrary:
    return IconLibrary.open(FOLDER)


@pytest.fixture
def draw(library: IconLibrary) -> Any:
    def drawn(prompt: str, blend_prompt: str = "", amount: float = 0.5, **fields: Any) -> Picture:
        values = {"prompt": prompt, "blend_prompt": blend_prompt, "blend": amount, "seed": 1, "width": 128, "height": 128, "steps": 6}
        task = resolve(TextToImage.checked({**values, **fields}), CARD)
        (picture,) = starter_image.recipe(CARD, task, Device("cpu")).build({"icons": library})(task, lambda event: None)
        assert isinstance(picture, Picture)
        return picture

    return drawn


def between(library: IconLibrary, first: str, second: str, amount: float) -> Scene:
    return blend.joined(read(first, "", "", library), read(second, "", "", library), amount)


def share_of(library: IconLibrary, first: str, second: str, amount: float, seed: int) -> float:
    """How much of a blended drawing is the second thing's."""
    scene = between(library, first, second, amount)
    part = scene.parts[0]
    drawing = compose.draw(compose.gather(part, library, seed), seed, 6)
    assert part.other is not None
    mine = np.isin(drawing.origin, [c.index for c in part.candidates])
    theirs = np.isin(drawing.origin, [c.index for c in part.other.candidates])
    assert (mine | theirs | (drawing.origin < 0)).all()
    return float(theirs.sum() / (mine.sum() + theirs.sum()))


@pytest.mark.parametrize(("amount", "alone"), [(0.0, "a cat"), (1.0, "a dog on a red background")])
def test_an_end_of_the_slider_is_the_picture_of_that_prompt(draw: Any, amount: float, alone: str) -> None:
    blended, single = draw("a cat", "a dog on a red background", amount), draw(alone)
    assert np.array_equal(blended.pixels, single.pixels)
    assert blended.facts == single.facts


@pytest.mark.parametrize(
    ("first", "second"), [pytest.param(*pair, marks=pytest.mark.thorough if number > 1 else ()) for number, pair in enumerate(PAIRS)]
)
def test_the_middle_shows_both_and_the_slider_says_how_much_of_each(library: IconLibrary, first: str, second: str) -> None:
    for seed in (1, 2):
        little, half, much = (share_of(library, first, second, amount, seed) for amount in (0.25, 0.5, 0.75))
        assert 0.08 < little < 0.45
        assert 0.25 < half < 0.75
        assert 0.55 < much < 0.92


@pytest.mark.thorough
def test_the_credit_names_the_icons_of_both(draw: Any) -> None:
    for amount in (0.25, 0.5, 0.75):
        facts = draw("a cat", "a house", amount).facts
        names = " ".join(one["name"] for one in facts["attribution"])
        assert "cat" in names
        assert "house" in names or "home" in names
        assert abs(sum(one["share"] for one in facts["attribution"]) - 1) < 0.001


def test_the_same_seed_gives_the_same_blend_and_another_seed_another(draw: Any) -> None:
    one, again, other = draw("a cat", "a dog"), draw("a cat", "a dog"), draw("a cat", "a dog", seed=2)
    assert np.array_equal(one.pixels, again.pixels)
    assert not np.array_equal(one.pixels, other.pixels)


@pytest.mark.thorough
def test_scenes_of_two_things_blend_thing_by_thing(draw: Any) -> None:
    names = " ".join(one["name"] for one in draw("a cat on a house", "a dog on a car").facts["attribution"])
    assert all(word in names for word in ("cat", "dog", "house"))
    assert "car" in names or "automobile" in names


def test_scenes_with_other_numbers_of_things_are_refused_in_a_sentence(draw: Any) -> None:
    with pytest.raises(InvalidInput, match=r"as many things in both prompts: the first holds one, the second two") as refused:
        draw("a cat", "a dog on a car")
    assert refused.value.field == "blend_prompt"


def test_what_is_wrong_with_the_second_prompt_is_said_of_the_second_prompt(draw: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        draw("a cat", "?!")
    assert refused.value.field == "blend_prompt"
    with pytest.raises(InvalidInput) as refused:
        draw("?!", "a cat")
    assert refused.value.field == "prompt"


def test_a_thing_blended_with_itself_is_that_thing(draw: Any) -> None:
    assert np.array_equal(draw("a cat", "a cat").pixels, draw("a cat").pixels)


def test_plain_backgrounds_go_over_into_one_another(library: IconLibrary) -> None:
    scene = between(library, "a cat on a white background", "a dog on a black background", 0.5)
    assert scene.background is not None
    assert 80 < int(scene.background[1:3], 16) < 200
    assert between(library, "a cat", "a dog on a black background", 0.25).background is None


def test_a_model_that_cannot_blend_says_so() -> None:
    other = CARD.model_copy(update={"name": "Painter", "blends": False})
    with pytest.raises(InvalidInput, match="Painter draws one prompt at a time") as refused:
        resolve(TextToImage(prompt="a cat", blend_prompt="a dog"), other)
    assert refused.value.field == "blend_prompt"
    assert resolve(TextToImage(prompt="a cat", blend_prompt="  "), other).blend == 0.5
