"""Reading prompts: which things, which icons for them, where they stand, and what the page is told."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.errors import InvalidInput, ModelUnavailable
from studio.starter.candidates import MOST
from studio.starter.features import Features, unit
from studio.starter.icons import Icon, IconLibrary
from studio.starter.lexicon import lexicon, singular
from studio.starter.scene import PATTERNS, RELATIONS, Part, Scene
from studio.starter.words import MIXED, STYLES, needs_encoder, read

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "assets" / "icons"


@pytest.fixture(scope="module")
def library() -> IconLibrary:
    library = IconLibrary.open(FOLDER)
    lexicon(library)
    return library


class Oracle:
    """An encoder that always answers the same captions."""

    def __init__(self, *captions: str) -> None:
        self.captions = captions
        self.asked: list[str] = []

    def nearest(self, text: str, k: int) -> list[tuple[str, float]]:
        self.asked.append(text)
        return [(caption, 0.5) for caption in self.captions[:k]]


def icons(library: IconLibrary, part: Part) -> list[Icon]:
    return [library.icons[candidate.index] for candidate in part.candidates]


def concepts(library: IconLibrary, scene: Scene) -> list[str]:
    return [icons(library, part)[0].concept for part in scene.parts]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a cat", ["cat"]),
        ("A picture of a very cute, beautiful cat!", ["cat"]),
        ("cats", ["cat"]),
        ("kitty", ["cat"]),
        ("the wolves", ["wolf"]),
        ("apple", ["red apple"]),
        ("green apple", ["green apple"]),
        ("ice cream", ["ice cream"]),
        ("a fire truck", ["fire engine"]),
        ("car", ["automobile"]),
        ("a pineapple", ["pineapple"]),
        ("tv", ["television"]),
        ("a running man", ["man running"]),
        ("a slice of pizza", ["pizza"]),
        ("a glass of wine", ["wine glass"]),
        ("cup with straw", ["cup with straw"]),
        ("person in lotus position", ["person in lotus position"]),
        ("cat with wry smile", ["cat with wry smile"]),
        ("mountain with snow", ["snow-capped mountain"]),
        ("a heart on fire", ["heart on fire"]),
        ("bow and arrow", ["bow and arrow"]),
        ("my glasses", ["glasses"]),
        ("🐱", ["cat face"]),
        ("👩‍🚀", ["woman astronaut"]),
        ("👍🏿", ["thumbs up"]),
        ("🐱 and 🚀", ["cat face", "rocket"]),
        ("🐱🚀", ["cat face", "rocket"]),
        ("crème caramel cake", ["birthday cake"]),
    ],
)
def test_words_find_the_thing_a_person_means(library: IconLibrary, prompt: str, expected: list[str]) -> None:
    assert concepts(library, read(prompt, "", "", library)) == expected


@pytest.mark.parametrize(
    ("prompt", "expected", "relation"),
    [
        ("a cat on a rocket", ["cat", "rocket"], "on"),
        ("owl and moon", ["owl", "crescent moon"], "and"),
        ("crown above a frog", ["crown", "frog"], "above"),
        ("a frog with a crown", ["crown", "frog"], "above"),
        ("a fish in a bowl", ["fish", "bowl with spoon"], "in"),
        ("a bowl of cherries", ["cherries", "bowl with spoon"], "in"),
        ("robot beside a sunflower", ["robot", "sunflower"], "beside"),
        ("a robot to the left of a sunflower", ["robot", "sunflower"], "beside"),
        ("house behind a tree", ["house", "deciduous tree"], "behind"),
        ("a dog in front of a house", ["house", "dog"], "behind"),
        ("a snail under a mushroom", ["snail", "mushroom"], "below"),
        ("a cat sitting on top of a red house", ["cat", "house"], "on"),
        ("an astronaut riding a horse", ["astronaut", "horse"], "on"),
        ("a dog chasing a ball", ["dog", "soccer ball"], "and"),
        ("a cat, a dog and a bird", ["cat", "dog", "bird"], "and"),
        ("two dogs", ["dog", "dog"], "and"),
        ("cup with straw on a book", ["cup with straw", "closed book"], "on"),
    ],
)
def test_relations_place_two_or_three_things(library: IconLibrary, prompt: str, expected: list[str], relation: str) -> None:
    scene = read(prompt, "", "", library)
    assert (concepts(library, scene), scene.relation) == (expected, relation)


def test_all_candidates_of_a_thing_show_the_same_thing(library: IconLibrary) -> None:
    for prompt in ("a cat", "apple", "dog", "house", "castle", "tree"):
        found = icons(library, read(prompt, "", "", library).parts[0])
        assert len({icon.concept for icon in found}) == 1, found
        assert {icon.style for icon in found} == set(MIXED)


def test_every_style_draws_a_cat_in_that_style_alone(library: IconLibrary) -> None:
    for style in set(STYLES) - {"Mixed"}:
        assert {icon.style for icon in icons(library, read("a cat", "", style, library).parts[0])} == {style}


def test_a_prompt_may_name_its_style_and_the_form_overrules_it(library: IconLibrary) -> None:
    assert {icon.style for icon in icons(library, read("a cartoon cat", "", "", library).parts[0])} == {"Cartoon"}
    assert {icon.style for icon in icons(library, read("a cartoon cat", "", "Soft", library).parts[0])} == {"Soft"}
    assert concepts(library, read("a flat shoe", "", "", library)) == ["flat shoe"]


def test_a_style_without_the_thing_is_said(library: IconLibrary) -> None:
    scene = read("a lighthouse", "", "Glossy", library)
    assert icons(library, scene.parts[0])[0].concept == "lighthouse"
    assert any("no “lighthouse” in the style Glossy" in note for note in scene.notes)
    only = read("a kettle", "", "", library)
    assert {icon.style for icon in icons(library, only.parts[0])} == {"Outline"} and only.notes


def test_an_unknown_style_is_refused(library: IconLibrary) -> None:
    with pytest.raises(InvalidInput, match="Flat, Glossy") as refused:
        read("a cat", "", "Baroque", library)
    assert refused.value.field == "style"


def test_a_colour_no_name_has_recolours_what_is_not_that_colour_yet(library: IconLibrary) -> None:
    part = read("a purple cat", "", "", library).parts[0]
    assert part.hue == "purple" and {candidate.recolour for candidate in part.candidates} == {"#8a3fc4"}
    car = read("a blue car", "", "", library).parts[0]
    already = {library.icons[c.index].style for c in car.candidates if c.recolour is None}
    assert already == {"Soft"}
    assert {c.recolour for c in read("#80ff10 fish", "", "", library).parts[0].candidates} == {"#80ff10"}


def test_a_colour_in_a_name_recolours_nothing(library: IconLibrary) -> None:
    for prompt, concept in (
        ("a yellow heart", "yellow heart"),
        ("black cat", "black cat"),
        ("a blue book", "blue book"),
        ("red apple", "red apple"),
    ):
        scene = read(prompt, "", "", library)
        assert concepts(library, scene) == [concept]
        assert {candidate.recolour for candidate in scene.parts[0].candidates} == {None}
        assert scene.parts[0].hue == concept.split()[0]  # and it keeps that hue, whatever the seed


def test_words_that_are_colours_and_things_are_read_by_their_place(library: IconLibrary) -> None:
    assert concepts(library, read("an orange", "", "", library)) == ["tangerine"]
    dress = read("an orange dress", "", "", library)
    assert concepts(library, dress) == ["dress"] and dress.parts[0].hue == "orange"
    assert concepts(library, read("a rose", "", "", library)) == ["rose"]


@pytest.mark.parametrize(
    ("prompt", "background"),
    [
        ("a red apple on a yellow background", "#fbd024"),
        ("cat, blue background", "#2f78dc"),
        ("a cat on a starry background", "stars"),
        ("a cat with polka dots in the background", "dots"),
        ("a cat on a pink background with hearts", "#f58bb8 hearts"),
        ("a cat against a #102030 background", "#102030"),
        ("a rocket in space", "#161b3d stars"),
        ("a boat on the sea at night", "#161b3d stars"),
        ("a cat on a plain background", None),
        ("a cat", None),
        ("an owl on blue background with stars", "#2f78dc stars"),
        ("owl blue background", "#2f78dc"),
        ("a red car on white background", "#f6f6f4"),
        ("cat on dark blue background, cartoon", "#1d3f8a"),
        ("a cat with background of stars", "stars"),
        ("a cat on a background full of hearts", "hearts"),
        ("a cat with a background in pink", "#f58bb8"),
        ("the background is green, a cat", "#3aa845"),
        ("a cat; background: #ff0000", "#ff0000"),
        ("a fish on blue background with white stars", "#2f78dc stars"),
        ("a cat on a pink and white striped background", "#f58bb8 stripes"),
        ("a tree against yellow", "#fbd024"),
        ("a cat in front of blue", "#2f78dc"),
        ("a robot on blue with stars", "#2f78dc stars"),
        ("an orange on an orange background", "#f58220"),
        ("a rabbit in the background", None),
    ],
)
def test_backgrounds_are_colours_and_patterns(library: IconLibrary, prompt: str, background: str | None) -> None:
    scene = read(prompt, "", "", library)
    assert scene.background == background
    assert len(scene.parts) == 1 and scene.relation == ""


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("a dog with blue background and a cat", ["dog", "cat"]),
        ("a cat and a dog on green background", ["cat", "dog"]),
        ("a cat on a blue background with a red car", ["cat", "automobile"]),
        ("red apple yellow background", ["red apple"]),
        ("a cat on a blue car", ["cat", "automobile"]),
        ("a cat on an orange", ["cat", "tangerine"]),
    ],
)
def test_a_background_takes_nothing_that_is_a_thing(library: IconLibrary, prompt: str, found: list[str]) -> None:
    assert concepts(library, read(prompt, "", "", library)) == found


def test_a_prompt_that_is_all_background_is_drawn_as_a_thing_if_it_names_one(library: IconLibrary) -> None:
    scene = read("a red heart background", "", "", library)
    assert scene.background is None and [part.words for part in scene.parts] == ["red heart"]


def test_a_background_that_cannot_be_drawn_is_said(library: IconLibrary) -> None:
    assert any("stars, dots" in note for note in read("a cat on a forest background", "", "", library).notes)


def test_details_and_adjectives_are_left_out_and_said(library: IconLibrary) -> None:
    assert any("blue eyes" in note for note in read("a cat with blue eyes", "", "", library).notes)
    assert any("steampunk" in note for note in read("a steampunk cat", "", "", library).notes)
    assert read("a cute little cat", "", "", library).notes == ()


def test_a_word_drawn_as_something_near_is_said(library: IconLibrary) -> None:
    scene = read("a walrus and an orca", "", "", library)
    assert concepts(library, scene) == ["seal", "orca"]
    assert scene.notes == ("“walrus” is drawn as “seal”, the nearest thing here.",)
    assert any("“crown”" in note for note in read("royalty", "", "", library).notes)


def test_tags_after_commas_add_no_things(library: IconLibrary) -> None:
    scene = read("a cat, golden hour, octane render, warm light, 8k, trending on artstation", "", "", library)
    assert concepts(library, scene) == ["cat"]


def test_a_misspelt_word_gets_what_it_is_spelt_like(library: IconLibrary) -> None:
    scene = read("an elefant", "", "", library)
    assert concepts(library, scene) == ["elephant"]
    assert scene.notes == ("No icon is called “elefant”: the nearest is “elephant”.",)


def test_an_unknown_word_gets_what_the_encoder_finds_nearest(library: IconLibrary) -> None:
    oracle = Oracle("sailboat", "ship")
    scene = read("a brigantine", "", "", library, oracle)
    assert concepts(library, scene) == ["sailboat"] and oracle.asked == ["brigantine"]
    assert scene.notes == ("No icon is called “brigantine”: the nearest is “sailboat”.",)


def test_known_words_ask_no_encoder(library: IconLibrary) -> None:
    oracle = Oracle("ship")
    read("a red apple beside an elefant", "", "", library, oracle)
    assert oracle.asked == []


def test_an_encoder_is_needed_only_for_words_nothing_else_explains(library: IconLibrary) -> None:
    assert needs_encoder("a brigantine", library)
    assert needs_encoder("a cat on a brigantine", library)
    assert not any(needs_encoder(prompt, library) for prompt in ("a cat on a rocket", "an elefant", "royalty", "", "[[["))


def test_an_unknown_thing_among_known_ones_is_left_out_where_nobody_can_tell(library: IconLibrary) -> None:
    scene = read("a cat and a xylqwrt", "", "", library)
    assert concepts(library, scene) == ["cat"] and scene.relation == ""
    assert any("xylqwrt" in note for note in scene.notes)


def test_negative_words_remove_candidates(library: IconLibrary) -> None:
    assert concepts(library, read("an apple", "red", "", library)) == ["green apple"]
    assert concepts(library, read("a cat", "whole", "", library)) == ["cat"]
    left = icons(library, read("a castle", "glossy, classic", "", library).parts[0])
    assert {icon.style for icon in left} == {"Flat", "Soft"}


def test_negative_words_never_remove_everything(library: IconLibrary) -> None:
    with pytest.raises(InvalidInput, match="rules out every “cat”") as refused:
        read("a cat", "cats", "", library)
    assert refused.value.field == "negative_prompt"


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "   ",
        "the a of",
        "[[[((",
        "\u202e\u0645\u0631\u062d\u0628\u0627",
        "猫",
        "\x00\x1b[31m",
        "\u200b\u200d\ufe0f",
        "on in above below",
        ",,,,",
        "\ud83d",
    ],
)
def test_prompts_with_nothing_to_draw_are_one_sentence(library: IconLibrary, prompt: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(prompt, "", "", library)
    assert refused.value.field == "prompt"
    assert str(refused.value).endswith(".") and "a red apple" in str(refused.value)


@pytest.mark.parametrize("prompt", ["cat " * 1000, "💥" * 4000, "asdkjh " * 600, ", " * 2000, "z" * 4000, "a cat on " * 500, "of " * 1300])
def test_long_prompts_are_read_or_refused_in_a_fifth_of_a_second(library: IconLibrary, prompt: str) -> None:
    before = time.process_time()
    scene, refusal = _read_or_refusal(library, prompt, "")
    assert time.process_time() - before < 0.2
    assert 1 <= len(scene.parts) <= 3 if scene else refusal.endswith(".")


def _read_or_refusal(library: IconLibrary, prompt: str, style: str) -> tuple[Scene | None, str]:
    try:
        return read(prompt, "", style, library), ""
    except InvalidInput as refused:
        return None, str(refused)


WORDS = (
    "cat",
    "on",
    "a",
    "🐱",
    "red",
    "of",
    "with",
    "background",
    "two",
    "bowl",
    ",",
    "orange",
    "#ff00ff",
    "(",
    "in front of",
    "xq",
    "starry",
    "é",
    "cartoon",
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=9).map(" ".join), st.sampled_from(("", *STYLES)))
def test_any_prompt_gives_a_sound_scene_or_one_sentence(prompt: str, style: str) -> None:
    scene, refusal = _read_or_refusal(_shared(), prompt, style)
    assert (scene is None) == bool(refusal) and (scene is not None or refusal.endswith("."))
    if scene is None:
        return
    assert 1 <= len(scene.parts) <= 3 and scene.relation in RELATIONS
    assert (scene.relation == "") == (len(scene.parts) == 1)
    assert all(word in PATTERNS or word.startswith("#") for word in (scene.background or "").split())
    for part in scene.parts:
        indices = [candidate.index for candidate in part.candidates]
        assert 1 <= len(indices) <= MOST and len(set(indices)) == len(indices)
        assert part.candidates[0].log_prior == 0.0 and all(candidate.log_prior <= 0 for candidate in part.candidates)


_LIBRARIES: list[IconLibrary] = []


def _shared() -> IconLibrary:
    """One library for all examples; Hypothesis allows no fixture there."""
    if not _LIBRARIES:
        _LIBRARIES.append(IconLibrary.open(FOLDER))
    return _LIBRARIES[0]


def _judged() -> list[dict[str, Any]]:
    return tomllib.loads((ROOT / "training" / "icons" / "concepts.toml").read_text("utf-8"))["prompt"]


def _has(library: IconLibrary, scene: Scene, expected: list[list[str]]) -> bool:
    if len(scene.parts) != len(expected):
        return False
    for part, words in zip(scene.parts, expected, strict=True):
        icon = icons(library, part)[0]
        if not any(word in text for word in words for text in (icon.name, icon.concept, *icon.keywords)):
            return False
    return True


def test_the_sixty_prompts_find_their_things(library: IconLibrary) -> None:
    prompts = _judged()
    assert len(prompts) == 60 and sum(prompt.get("held_out", False) for prompt in prompts) == 20
    single = [prompt for prompt in prompts if len(prompt["expected"]) == 1]
    right = [prompt for prompt in single if _has(library, read(prompt["text"], "", "", library), prompt["expected"])]
    assert len(right) >= 0.95 * len(single), [prompt["text"] for prompt in single if prompt not in right]


def test_the_scenes_among_the_sixty_find_all_their_things(library: IconLibrary) -> None:
    scenes = [prompt for prompt in _judged() if len(prompt["expected"]) > 1]
    assert [prompt["text"] for prompt in scenes if not _has(library, read(prompt["text"], "", "", library), prompt["expected"])] == []


def test_plurals_become_singular() -> None:
    pairs = {
        "cats": "cat",
        "cherries": "cherry",
        "boxes": "box",
        "knives": "knife",
        "glass": "glass",
        "bus": "bus",
        "children": "child",
        "pies": "pie",
    }
    assert {word: singular(word) for word in pairs} == pairs


def test_features_survive_packing_and_find_the_nearest_direction(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    projection = np.linalg.qr(rng.normal(size=(12, 4)))[0].astype(np.float32)
    vectors = unit(rng.normal(size=(3, 4)).astype(np.float32))
    made = Features(("cat", "hot air balloon", "ship"), vectors, np.ones(12, np.float32), np.full(12, 2, np.float32), projection)
    made.save(tmp_path / "features.npz")
    back = Features.open(tmp_path / "features.npz")
    assert back.captions == made.captions
    assert np.sum(back.vectors * vectors, -1).min() > 0.999
    states = 1 + 2 * (vectors[1] @ projection.T)[None]  # what standardises and projects to the second caption
    assert int((back.vectors @ back.vector(states.astype(np.float32))).argmax()) == 1
    (tmp_path / "features.npz").write_bytes(b"PK")
    with pytest.raises(ModelUnavailable, match="damaged"):
        Features.open(tmp_path / "features.npz")


def test_the_shipped_features_cover_every_concept_and_are_small(library: IconLibrary) -> None:
    file = FOLDER / "features.npz"
    features = Features.open(file)
    assert file.stat().st_size < 3_000_000
    assert {icon.concept for icon in library.icons} <= set(features.captions)
    cosines = features.vectors @ features.vectors[features.captions.index("pizza")]
    near = set(np.array(features.captions)[np.argsort(-cosines)[:8]].tolist())
    assert near & {"cheese", "cheese wedge", "sandwich", "burger", "hamburger", "taco", "pasta", "bread", "burrito", "lasagna", "noodles"}
