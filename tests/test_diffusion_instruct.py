"""Edits by instruction, on tiny but real pipelines that take a picture beside the words; cards that only edit or fill."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.creations import Picture, Preview
from studio.device import Device
from studio.engines import _inpaint, _pipelines, diffusion
from studio.errors import InvalidInput, ModelUnavailable
from studio.manager import Recipe
from studio.models import BLENDED, Folder, ModelCard, choose, resolve
from studio.tasks import Inpaint, TextToImage
from tests import tiny

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

CPU = Device("cpu")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A picture of 150 x 90 pixels and a mask in its middle."""
    return tiny.marked(tmp_path, 150, 90, (50, 24, 90, 64))


def card_of(folder: Path, *modes: str, **options: Any) -> ModelCard:
    return ModelCard(
        name="Tiny",
        engine="diffusion",
        serves=("inpaint", "text_to_image"),
        source=Folder(path=str(folder)),
        files=folder,
        modes=modes or (*BLENDED, "instruct"),
        options=options,
        defaults={"width": 96, "height": 96, "steps": 2, "guidance_scale": 3},
    )


def recipe_of(card: ModelCard, **values: Any) -> tuple[Recipe, Inpaint]:
    task = resolve(Inpaint.checked({"prompt": "make it red", "seed": 1, "mode": "instruct"} | values), card)
    return diffusion.recipe(card, task, CPU), task


def edited(card: ModelCard, report: Callable[[Any], None] | None = None, **values: Any) -> list[Picture]:
    recipe, task = recipe_of(card, **values)
    parts = {role: component.load(lambda _: None) for role, component in recipe.components.items()}
    return [picture for picture in recipe.build(parts)(task, report or (lambda _: None)) if isinstance(picture, Picture)]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The arguments of every call of a pipeline from here on, as the engine gives them."""
    heard: list[dict[str, Any]] = []
    assembled = _pipelines.assembled

    def listened(*args: Any) -> Any:
        pipe = assembled(*args)
        kind = type(pipe)

        def called(self: Any, *given: Any, **arguments: Any) -> Any:
            heard.append(arguments)
            result = kind.__call__(self, *given, **arguments)
            heard[-1]["drawn"] = np.shape(result.images)
            return result

        called.__signature__ = inspect.signature(kind.__call__)
        pipe.__class__ = type(kind.__name__, (kind,), {"__call__": called})
        return pipe

    monkeypatch.setattr(_pipelines, "assembled", listened)
    return heard


@pytest.mark.parametrize("name", tiny.EDITORS)
def test_an_instruction_without_a_mask_redraws_the_whole_picture_at_its_own_size(
    name: str, folders: Callable[[str], Path], files: dict[str, str]
) -> None:
    events: list[Any] = []
    (picture,) = edited(card_of(folders(name)), events.append, image=files["image"])
    assert picture.pixels.shape == (90, 150, 3)
    assert picture.facts["pipeline"] == name
    assert "The whole picture was redrawn." in str(picture.facts["notes"])
    assert any(isinstance(event, Preview) for event in events)


@pytest.mark.parametrize("name", tiny.EDITORS)
def test_an_instruction_with_a_mask_changes_the_marked_part_alone(name: str, folders: Callable[[str], Path], files: dict[str, str]) -> None:
    from studio.inpaint import masks

    (picture,) = edited(card_of(folders(name)), None, **files, feather=3)
    before = np.asarray(Image.open(files["image"]))
    outside = masks.distance(np.asarray(Image.open(files["mask"])) >= 128) > 5
    assert np.array_equal(picture.pixels[outside], before[outside])
    assert (picture.pixels[34:54, 60:80] != before[34:54, 60:80]).any()
    assert "The whole picture" not in str(picture.facts["notes"])


@pytest.mark.parametrize("name", tiny.EDITORS)
def test_the_model_sees_the_whole_picture_even_where_a_mark_limits_the_edit(
    name: str, folders: Callable[[str], Path], files: dict[str, str], calls: list[dict[str, Any]]
) -> None:
    edited(card_of(folders(name)), None, **files)
    edited(card_of(folders(name)), None, **files, context_padding=0)
    whole, near = (np.asarray(call["image"]).astype(float) for call in calls)
    assert whole[0, 0] == pytest.approx([0, 0, 255], abs=6)  # the picture's corners
    assert whole[-1, -1] == pytest.approx([178, 149, 166], abs=6)
    assert near[-1, -1] != pytest.approx([178, 149, 166], abs=6)  # context that was asked for


def test_a_marked_edit_that_is_enlarged_says_so_and_how_to_have_more_detail(files: dict[str, str]) -> None:
    from studio.inpaint import edit

    def notes(side: int, **values: Any) -> str:
        task = Inpaint.checked({"prompt": "make it red", "seed": 1, "mode": "instruct"} | values)
        return " ".join(edit.plan(task, side, 8).notes)

    assert "Drawn at 80 × 48 pixels and enlarged" in notes(64, **files)
    assert "enlarged" not in notes(256, **files)
    assert "enlarged" not in notes(64, **files, context_padding=8)
    assert "enlarged" not in notes(64, image=files["image"])


@pytest.mark.parametrize("name", tiny.EDITORS)
def test_what_is_drawn_has_the_size_of_the_region(
    name: str, folders: Callable[[str], Path], files: dict[str, str], calls: list[dict[str, Any]]
) -> None:
    edited(card_of(folders(name)), image=files["image"])
    (call,) = calls
    width, height = call["image"].size
    assert call["drawn"] == (1, height, width, 3)
    assert width * height == pytest.approx(96 * 96, rel=0.2)  # the model's own number of pixels
    assert width / height == pytest.approx(150 / 90, rel=0.25)


@pytest.mark.parametrize("name", tiny.EDITORS)
def test_the_picture_given_changes_what_is_drawn(name: str, folders: Callable[[str], Path], files: dict[str, str], tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Image.fromarray(255 - np.asarray(Image.open(files["image"]))).save(other)
    card = card_of(folders(name))
    one, again, another = (edited(card, image=image)[0].pixels for image in (files["image"], files["image"], str(other)))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, another)


def test_how_closely_the_picture_is_kept_comes_from_the_card(
    folders: Callable[[str], Path], files: dict[str, str], calls: list[dict[str, Any]]
) -> None:
    folder = folders("StableDiffusionInstructPix2PixPipeline")
    edited(card_of(folder, image_guidance=2.5), image=files["image"])
    assert calls[0]["image_guidance_scale"] == 2.5


def test_an_instruction_below_full_strength_stays_nearer_to_the_picture(folders: Callable[[str], Path], files: dict[str, str]) -> None:
    card = card_of(folders("Flux2KleinPipeline"))
    near, less, full = (edited(card, image=files["image"], strength=s, steps=6)[0].pixels.astype(float) for s in (0.1, 0.4, 1.0))
    assert 0 < np.abs(less - near).mean() < np.abs(full - near).mean()


def test_a_picture_too_narrow_for_instructions_is_refused_in_words(folders: Callable[[str], Path], tmp_path: Path) -> None:
    Image.new("RGB", (900, 100), "teal").save(tmp_path / "strip.png")
    with pytest.raises(InvalidInput, match="8 times as long"):
        edited(card_of(folders("Flux2KleinPipeline")), image=str(tmp_path / "strip.png"))


def test_drawing_and_instructing_share_their_weights(folders: Callable[[str], Path], files: dict[str, str]) -> None:
    card = card_of(folders("Flux2KleinPipeline"))
    draw = diffusion.recipe(card, resolve(TextToImage.checked({"prompt": "x", "seed": 1}), card), CPU)
    edit, _ = recipe_of(card, image=files["image"])
    assert {c.key for c in edit.components.values()} == {c.key for c in draw.components.values()}


def test_a_model_that_takes_no_picture_refuses_instructions_in_words(folders: Callable[[str], Path], files: dict[str, str]) -> None:
    with pytest.raises(ModelUnavailable, match="follows no instructions"):
        recipe_of(card_of(folders("StableDiffusionPipeline")), image=files["image"])


def test_a_filling_model_gets_the_picture_and_the_mask(
    folders: Callable[[str], Path], files: dict[str, str], calls: list[dict[str, Any]]
) -> None:
    (picture,) = edited(card_of(folders("FluxFillPipeline"), "fill"), None, **files, mode="fill", feather=2)
    assert picture.facts["pipeline"] == "FluxFillPipeline"
    assert np.asarray(calls[0]["mask_image"]).max() == 255
    before = np.asarray(Image.open(files["image"]))
    assert np.array_equal(picture.pixels[:18], before[:18])


@pytest.mark.parametrize("name", ["FluxPipeline", "QwenImagePipeline"])
@pytest.mark.parametrize("mode", ["fill", "refine"])
def test_flow_schedulers_without_a_name_for_it_begin_from_a_picture_too(
    name: str, mode: str, folders: Callable[[str], Path], files: dict[str, str]
) -> None:
    card = card_of(folders(name)).model_copy(update={"schedulers": ("UniPC (flow)",)})
    (picture,) = edited(card, None, **files, mode=mode, scheduler="UniPC (flow)", steps=4, feather=3)
    assert picture.facts["scheduler"] == "UniPC (flow)"
    assert "Img2Img" in str(picture.facts["pipeline"])
    before = np.asarray(Image.open(files["image"]))
    assert np.array_equal(picture.pixels[:18], before[:18])
    assert (picture.pixels[34:54, 60:80] != before[34:54, 60:80]).any()


def test_a_card_can_keep_strength_below_what_its_model_spoils(
    folders: Callable[[str], Path], files: dict[str, str], calls: list[dict[str, Any]]
) -> None:
    edited(card_of(folders("FluxFillPipeline"), "fill", strongest=0.75), None, **files, mode="fill", steps=4)
    assert calls[0]["strength"] == 0.75


def test_packed_latents_are_no_mask(folders: Callable[[str], Path]) -> None:
    qwen, fill = folders("QwenImagePipeline"), folders("FluxFillPipeline")
    assert not _pipelines.takes_masks(card_of(qwen), qwen)
    assert _pipelines.takes_masks(card_of(fill), fill)


def test_every_card_names_a_class_that_works_in_the_ways_it_says() -> None:
    import diffusers

    for card in diffusion.CARDS:
        kind = getattr(diffusers, str(card.options["pipeline"]))
        assert ("instruct" in card.modes) <= _inpaint.follows(kind), card.name
        if "text_to_image" not in card.serves:
            assert _inpaint.follows(kind) or _inpaint.takes_mask(kind), card.name
            assert {"mode", "model"}.isdisjoint(card.defaults)
        if "image_guidance" in card.options:
            assert "image_guidance_scale" in inspect.signature(kind.__call__).parameters


@pytest.mark.parametrize("name", ["StableDiffusionInstructPix2PixPipeline", "FluxKontextPipeline", "FluxFillPipeline"])
def test_every_scheduler_of_a_card_that_edits_or_fills_draws(name: str, folders: Callable[[str], Path], files: dict[str, str]) -> None:
    (offered,) = (card for card in diffusion.CARDS if card.options["pipeline"] == name)
    card = card_of(folders(name), *offered.modes).model_copy(update={"schedulers": offered.schedulers})
    for scheduler in offered.schedulers:
        (picture,) = edited(card, None, **files, mode=offered.modes[0], scheduler=scheduler, feather=3)
        assert picture.facts["scheduler"] == scheduler


def test_the_best_model_for_each_way_is_chosen_among_those_here() -> None:
    here = {card.name: card for card in diffusion.CARDS}

    def chosen(memory_gb: float, **values: str) -> str:
        task = Inpaint.checked({"image": "a.png", "prompt": "x", **values})
        return choose(task, diffusion.CARDS, here, lambda: int(memory_gb * 1e9)).name

    assert chosen(80, mode="instruct") == "Qwen-Image-Edit-2511"
    assert chosen(40, mode="instruct") == "FLUX.2 klein 4B"
    assert chosen(8, mode="instruct") == "InstructPix2Pix"
    assert chosen(14, mode="fill", mask="b.png") == "Stable Diffusion XL inpainting 0.1"
    assert chosen(14, mode="redraw") == "Stable Diffusion XL base 1.0"
