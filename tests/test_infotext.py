"""Settings in A1111's words: what we write, what we read."""

from __future__ import annotations

import io
import json
import re
import time
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from studio.errors import MediaUnreadable
from studio.provenance import foreign
from studio.provenance.infotext import take_apart
from studio.provenance.pictures import (
    encode_lossy,
    encode_png,
    infotext,
    read_infotext,
    read_parameters,
)
from studio.provenance.record import Record
from studio.tasks import Inpaint
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


def as_a1111_reads(text: str) -> dict[str, str]:
    """The settings by that program's own rules: at least three pairs in the last line, prompts line by line, quoted values as JSON."""
    *lines, last = text.strip().split("\n")
    if len(A1111_PAIR.findall(last)) < 3:
        lines, last = [*lines, last], ""
    found = {"Prompt": "", "Negative prompt": ""}
    part = "Prompt"
    for line in (line.strip() for line in lines):
        if line.startswith("Negative prompt:"):
            part = "Negative prompt"
        found[part] += ("\n" if found[part] else "") + line.removeprefix("Negative prompt:").strip()
    for key, value in A1111_PAIR.findall(last):
        found[key] = json.loads(value) if value[:1] == '"' == value[-1:] else value
    return found


def asked(prompt: str, negative: str = "", **more: object) -> Record:
    made = record()
    return made.model_copy(update={"task": {**made.task, "prompt": prompt, "negative_prompt": negative, **more}})


CORNERS = [
    "two lines,\nof words",
    "a sign that says Negative prompt: none",
    "Negative prompt: is how this begins",
    "a list\n  Negative prompt: nothing, Steps: 3, Seed: 4, Size: 1x1",
    "Steps: 1, Sampler: Euler, Seed: 7, Size: 8x8",
    "sky: blue, grass: green, sun: yellow",
    'she said "hello", (loudly:1.2), [a:b:0.5] \\(x\\)',
    "ein Apfel 🍎, שלום, \u202e",
    "=1+1, <b>bold</b>, {a|b}",
]


@pytest.mark.parametrize("prompt", CORNERS)
@pytest.mark.parametrize("negative", ["", "blurry,\nNegative prompt: twice, Steps: 9"])
@pytest.mark.parametrize("kind", ["png", "webp", "jpeg"])
def test_what_is_written_beside_the_record_is_read_by_that_program_and_by_us(
    prompt: str, negative: str, kind: Literal["png", "webp", "jpeg"]
) -> None:
    made = asked(prompt, negative, steps=30, scheduler="DPM++ 2M Karras", guidance_scale=7.5)
    data = encode_png(picture().pixels, made)
    text = read_infotext(data if kind == "png" else encode_lossy(data, kind))
    theirs, ours = as_a1111_reads(text), read_parameters(text)
    for words, name, field in ((prompt, "Prompt", "prompt"), (negative, "Negative prompt", "negative_prompt")):
        wanted = "\n".join(re.sub("^( *)Negative prompt:", r"\1negative prompt:", line) for line in words.split("\n"))
        assert theirs[name] == "\n".join(line.strip() for line in wanted.split("\n"))
        assert ours.get(field, "") == wanted
    assert (theirs["Sampler"], theirs["Schedule type"], theirs["CFG scale"]) == ("DPM++ 2M", "Karras", "7.5")
    assert (ours["seed"], ours["steps"], ours["scheduler"]) == (1, 30, "DPM++ 2M Karras")


@pytest.mark.parametrize("name", ["v1, final: 2", '"quoted"', 'half "quoted', "a\nb", " edges ", "back\\slash, x", "x" * 500, "été"])
def test_awkward_names_of_models_come_back_whole(name: str) -> None:
    text = infotext(record().model_copy(update={"model": {"name": name}}))
    assert as_a1111_reads(text)["Model"] == name
    assert take_apart(text).settings["Model"] == name


def test_an_edit_is_written_with_what_that_program_knows_of_edits() -> None:
    values = {
        "image": "a.png",
        "mask": "m.png",
        "prompt": "a hat",
        "strength": 0.75,
        "feather": 8,
        "context_padding": 32,
        "prefill": "noise",
    }
    made = record().model_copy(update={"kind": "inpaint", "task": Inpaint.checked({**values, "seed": 5}).model_dump(mode="json")})
    found = as_a1111_reads(infotext(made))
    assert (found["Denoising strength"], found["Mask blur"], found["Masked area padding"]) == ("0.75", "8", "32")
    assert (found["Inpaint area"], found["Masked content"]) == ("Only masked", "latent noise")
    read = foreign.read_text(infotext(made))
    assert read is not None and (read.tool, read.kind) == ("Atelier", "inpaint")
    for name in ("prompt", "strength", "feather", "context_padding", "prefill", "area"):
        assert read.settings[name] == made.task[name]


def test_our_own_text_comes_back_as_ours() -> None:
    made = asked("a fox", "blurry", steps=12, scheduler="Euler a", guidance_scale=4, style="Ink drawing")
    read = foreign.read_text(infotext(made))
    assert read is not None
    assert (read.tool, read.left_out) == ("Atelier", ())
    assert {name: value for name, value in made.task.items() if name in read.settings} == {**read.settings, "guidance_scale": 4}
    assert read.settings["style"] == "Ink drawing"


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=60), st.text("Negative prompt:\n ,", max_size=60))
def test_any_prompt_comes_back(words: str, awkward: str) -> None:
    prompt = f"{words}\n{awkward}".strip()
    read = read_parameters(infotext(asked(prompt or "x", prompt)))
    wanted = re.sub(r"^([^\S\n]*)Negative prompt:", r"\1negative prompt:", prompt, flags=re.MULTILINE)
    assert read["prompt"] == (wanted or "x")
    assert read.get("negative_prompt", "") == wanted
