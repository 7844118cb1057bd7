"""Settings in A1111's words: what we write, what we read."""

from __future__ import annotations

import io
import json
import re
import time

import pytest
from PIL import Image, PngImagePlugin

from studio.errors import MediaUnreadable
from studio.provenance.pictures import (
    infotext,
    read_infotext,
    read_parameters,
)
from tests.samples import picture, png, record

A1111_PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')  # the reader of that program


def test_other_programs_find_the_settings_in_the_png() -> None:
    image = Image.open(io.BytesIO(png("a red apple\non a table")[0]))
    assert isinstance(image, PngImagePlugin.PngImageFile)
    *prompt, last = image.text["parameters"].split("\n")
    found = dict(A1111_PAIR.findall(last))
    assert prompt == ["a red apple", "on a table"]
    assert (found["Steps"], found["Seed"], found["Size"], found["Model"]) == ("20", "1", "96x64", "Sample")


def test_settings_with_commas_and_colons_are_quoted_as_that_program_does() -> None:
    made = record().model_copy(update={"model": {"name": 'my "model", v1: final'}})
    found = dict(A1111_PAIR.findall(infotext(made).split("\n")[-1]))
    assert json.loads(found["Model"]) == 'my "model", v1: final'


@pytest.mark.parametrize("scheduler", ["", "Euler a", "DPM++ 2M Karras", "DPM++ 2M SDE Exponential", "UniPC"])
def test_what_is_written_is_read_back(scheduler: str) -> None:
    task = {
        "prompt": "an owl,\nat night: moon",
        "negative_prompt": "blurry\nsigned",
        "steps": 30,
        "seed": 2**32 - 1,
        "guidance_scale": 7.5,
        "width": 512,
        "height": 768,
        "scheduler": scheduler,
    }
    made = record().model_copy(update={"task": task})
    assert read_parameters(infotext(made)) == {name: value for name, value in task.items() if value != ""}


def test_a_text_of_a1111_is_read() -> None:
    text = (
        "castle, (misty:1.2)\r\nNegative prompt: lowres,\r\nbad hands\r\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, "
        'CFG scale: 7, Seed: 42, Size: 512x640, Model hash: abc, Model: x, Lora hashes: "a: 1, b: 2", Version: v1.10.1'
    )
    assert read_parameters(text) == {
        "prompt": "castle, (misty:1.2)",
        "negative_prompt": "lowres,\nbad hands",
        "steps": 20,
        "scheduler": "DPM++ 2M Karras",
        "guidance_scale": 7.0,
        "seed": 42,
        "width": 512,
        "height": 640,
    }


def test_an_older_sampler_name_and_an_automatic_schedule_are_one_scheduler() -> None:
    assert read_parameters("x\nSteps: 1, Sampler: DPM++ 2M Karras, Seed: 1")["scheduler"] == "DPM++ 2M Karras"
    assert read_parameters("x\nSteps: 1, Sampler: Euler a, Schedule type: Automatic, Seed: 1")["scheduler"] == "Euler a"


def test_a_prompt_that_looks_like_settings_stays_a_prompt() -> None:
    assert read_parameters("sky: blue, grass: green, sun: yellow") == {"prompt": "sky: blue, grass: green, sun: yellow"}
    assert read_parameters("") == {}


def test_settings_that_are_no_numbers_are_left_out() -> None:
    assert read_parameters("x\nSteps: many, Seed: -1, CFG scale: nan, Size: big, Model: y") == {"prompt": "x"}


@pytest.mark.parametrize("text", ["a" * 1_000_000, "a:" * 500_000, 'ab:"' * 250_000, "ab: \\" * 200_000, "\n" * 1_000_000, "a " * 500_000])
def test_a_hostile_infotext_is_read_quickly(text: str) -> None:
    start = time.process_time()
    read_parameters(text)
    assert time.process_time() - start < 0.5


def test_an_infotext_over_a_megabyte_is_refused() -> None:
    with pytest.raises(MediaUnreadable, match="1 MB"):
        read_parameters("x" * 2_000_000)


def test_user_comments_of_either_byte_order_are_read() -> None:
    for code in ("utf-16-be", "utf-16-le"):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\x00" + "Ein Apfel 🍎".encode(code)
        file = io.BytesIO()
        Image.fromarray(picture().pixels).save(file, "JPEG", exif=exif.tobytes())
        assert read_infotext(file.getvalue()) == "Ein Apfel 🍎"
