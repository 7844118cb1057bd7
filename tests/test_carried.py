"""What goes along when a picture or a sound is sent to another tab: the settings it was made with, and nothing that would do harm there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

from studio.creations import Creation, Sound
from studio.library import Library
from studio.models import Bundled, ModelCard
from studio.provenance import pictures, sounds
from studio.provenance.record import Record
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Compose, Inpaint, Narrate, Task, TextToImage, Write
from tabs import _carried, _form, _page
from tabs._form import Desk, Form

BOTH = ModelCard(name="Both", engine="starter_image", serves=("text_to_image", "inpaint"), source=Bundled(path="composer"))
VISITOR = gr.Request(session_hash="one", headers={"origin": "http://127.0.0.1"})


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("carried")
    studio = Studio.open(Settings(home=folder / "home", cache=folder / "cache", offline=True))
    studio.cards = (*studio.cards, BOTH)
    yield studio
    studio.close()


def keep(library: Library, task: Task, asked: Task) -> Creation:
    """One creation as a run would leave it."""
    entry = Record(
        schema_version=1, made_by="Atelier", kind=task.kind, task=task.model_dump(mode="json"), asked=asked.model_dump(mode="json"),
        model={"name": "Both"}, software={}, device="cpu", seconds=1.0, created="2026-01-01T00:00:00.000+00:00",
    )  # fmt: skip
    if task.medium == "sound":
        return library.keep(sounds.encode_flac(Sound(np.zeros((2, 4800), np.float32), 48000), entry), ".flac", entry)
    return library.keep(pictures.encode_png(np.full((64, 64, 3), 90, np.uint8), entry), ".png", entry)


def carried(studio: Studio, asked: Task, target: type[Task], words: dict[str, Any] | None = None, **resolved: Any) -> dict[str, Any]:
    made = keep(studio.library, asked.model_copy(update={"seed": 11, **resolved}), asked)
    return _carried.values(studio, made, target, words or {})


def test_a_picture_takes_its_seed_its_words_and_its_model_along_where_the_model_can_do_it(studio: Studio) -> None:
    asked = TextToImage(prompt="a red apple", negative_prompt="worms", model="Both", scheduler="Euler", count=3, width=512, style="Line")
    assert carried(studio, asked, Inpaint, steps=30) == {
        "prompt": "a red apple", "negative_prompt": "worms", "model": "Both", "steps": None, "guidance_scale": None, "scheduler": "Euler",
        "seed": 11,
    }  # fmt: skip


def test_what_only_the_model_understands_stays_with_a_model_that_cannot_do_it_and_what_was_left_open_changes_nothing(
    studio: Studio,
) -> None:
    asked = TextToImage(prompt="a red apple", model="Elsewhere", steps=4, guidance_scale=0, scheduler="LCM")
    assert carried(studio, asked, Inpaint) == {"prompt": "a red apple", "seed": 11}
    assert carried(studio, TextToImage(prompt="a red apple"), Inpaint, steps=30) == {"prompt": "a red apple", "seed": 11}


def test_words_that_stand_there_already_stay(studio: Studio) -> None:
    asked = TextToImage(prompt="a red apple", negative_prompt="worms")
    assert carried(studio, asked, Inpaint, {"prompt": "a yellow star"}) == {"negative_prompt": "worms", "seed": 11}
    assert "prompt" in carried(studio, asked, Inpaint, {"prompt": "  "})


def test_a_take_brings_its_music_along_and_neither_its_length_nor_what_was_made_of_a_file(studio: Studio) -> None:
    asked = Compose(prompt="rain", genre="lofi", bpm=72, key="A minor", instruments=("piano",), duration=20, loop=True, format="ogg")
    assert carried(studio, asked, Compose) == {
        "prompt": "rain", "genre": "lofi", "bpm": 72, "key": "A minor", "instruments": ["piano"], "seed": 11,
    }  # fmt: skip


def test_nothing_comes_of_another_medium_or_of_a_record_that_is_not_known(studio: Studio) -> None:
    assert carried(studio, TextToImage(prompt="a red apple"), Compose) == {}
    assert carried(studio, Narrate(text="Hello."), Compose) == {}
    made = keep(studio.library, TextToImage(prompt="x"), TextToImage(prompt="x"))
    for record in ({}, {**made.record, "kind": "sculpture"}, {**made.record, "asked": {"prompt": 3}}):
        strange = replace(made, record=record)
        assert _carried.values(studio, strange, Inpaint, {}) == {}


@pytest.fixture(scope="module")
def ways(studio: Studio) -> set[tuple[str, str]]:
    """(tab, button) of all that is sent on the whole page."""

    async def laid_out() -> gr.Blocks:
        return _page.page(studio)

    with ThreadPoolExecutor(1) as pool:
        page = pool.submit(lambda: asyncio.run(laid_out())).result()
    buttons = [block for block in page.blocks.values() if isinstance(block, gr.Button) and "send" in (block.elem_classes or [])]
    return {(str(_tab(button).label), str(button.value)) for button in buttons}


def _tab(block: Any) -> gr.Tab:
    while not isinstance(block, gr.Tab):
        block = block.parent
    return block


@pytest.mark.parametrize(
    ("medium", "tabs", "buttons"),
    [
        ("picture", ("Text to image", "Library"), ("Send to Inpainting", "Send to Music")),
        ("an edited picture", ("Inpainting",), ("Send to Music",)),
        ("text", ("Writing", "Library"), ("Send to Text to image", "Send to Music", "Sing in Music", "Send to Narration")),
        ("text of the library", ("Library",), ("Send to Writing",)),
        ("sound", ("Narration", "Library"), ("Send to Music",)),
    ],
)
def test_every_medium_goes_wherever_it_is_of_use(ways: set[tuple[str, str]], medium: str, tabs: Any, buttons: Any) -> None:
    assert {(tab, button) for tab in tabs for button in buttons} <= ways, medium


def test_a_press_fills_the_other_tab_and_text_brings_words_alone(studio: Studio, uploads: Path) -> None:
    def made() -> Any:
        with gr.Blocks() as demo:
            with gr.Tabs() as bar:
                gr.Tab("One")
            source, target = Desk(studio, demo), Form(studio, demo, task=Inpaint)
            source.outbox |= {"picture": gr.State(""), "text": gr.State("")}
            target.fields |= {name: gr.Textbox() for name in Inpaint.model_fields}
            words = Form(studio, demo, task=Write)
            words.fields |= {"prompt": gr.Textbox()}
            for form, medium, field in ((target, "picture", "image"), (words, "text", "prompt")):
                form.inlets[medium] = (form.fields[field], str)
                _form.send(source, form, medium, gr.Button(), bar)
        return [(one.fn, [*one.outputs], target, words) for one in demo.fns.values() if one.name == "sent"]

    async def laid_out() -> Any:
        return made()

    with ThreadPoolExecutor(1) as pool:
        (picture, outputs, target, _), (text, texts, _, words) = pool.submit(lambda: asyncio.run(laid_out())).result()
    creation = keep(studio.library, TextToImage(prompt="a red apple", seed=5), TextToImage(prompt="a red apple"))
    for there, prompt in (("", "a red apple"), ("a star", gr.skip())):
        came = dict(zip(outputs, picture(creation.id, VISITOR, there), strict=True))
        assert Path(came[target.fields["image"]]).read_bytes() == creation.path.read_bytes()
        assert (came[target.fields["seed"]], came[target.fields["prompt"]]) == (5, prompt)
        assert (target.fields["mask"] in came, target.fields["count"] in came) == (False, False)
    assert {str(value) for value in picture("", VISITOR, "")} == {str(gr.skip())}
    assert [one for one in texts if one in words.fields.values()] == [words.fields["prompt"]]
    assert text("a story", VISITOR)[0] == "a story"
