"""Settings of other programs, restored from files built by their formats, and files that would rather do harm."""

from __future__ import annotations

import json
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from studio.engines import _schedulers
from studio.errors import MediaUnreadable
from studio.models import ModelCard, SingleFile, discover
from studio.provenance import foreign
from studio.provenance.containers import png_chunk
from studio.provenance.foreign import Foreign, names, restored
from studio.tasks import Compose, Inpaint, TextToImage
from tests import foreign_samples as samples
from tests.foreign_samples import A1111, SETTINGS, comfy, links, node, png
from tests.samples import CARD

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS: dict[str, tuple[str, dict[str, str]]] = {
    "A1111": ("A1111", {"parameters": A1111}),
    "ComfyUI": ("ComfyUI", {"prompt": json.dumps(comfy()), "workflow": json.dumps(samples.drawn())}),
    "InvokeAI": ("InvokeAI", {"invokeai_metadata": json.dumps(samples.INVOKE)}),
    "Fooocus": ("Fooocus", {"parameters": json.dumps(samples.FOOOCUS), "fooocus_scheme": "fooocus"}),
    "Fooocus, A1111's text": ("Fooocus", {"parameters": samples.FOOOCUS_TEXT, "fooocus_scheme": "a1111"}),
    "SwarmUI": ("SwarmUI", {"parameters": json.dumps(samples.SWARM, indent=2)}),
    "NovelAI": ("NovelAI", samples.NOVELAI_TEXTS),
}


def found(data: bytes | Path) -> Foreign:
    result = foreign.read(data)
    assert result is not None
    return result


def outcome(call: Callable[[], Foreign | None]) -> Foreign | None:
    """The result, None too for a refusal, which must be one sentence or two."""
    refusal = ""
    try:
        return call()
    except MediaUnreadable as error:
        refusal = str(error)
    assert refusal.endswith(".") and len(refusal) < 200
    return None


def common(result: Foreign) -> dict[str, Any]:
    return {name: value for name, value in result.settings.items() if name != "model"}


def from_graph(graph: dict[str, Any]) -> Foreign:
    return found(png({"prompt": json.dumps(graph)}))


@pytest.mark.parametrize(("tool", "texts"), TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("packed", [False, True])
def test_every_program_s_sample_restores_every_field_that_exists_here(tool: str, texts: dict[str, str], packed: bool) -> None:
    result = found(png(texts, packed=packed))
    assert result.tool == tool
    assert common(result) == SETTINGS
    assert "v1-5" in str(result.settings["model"]) or "NovelAI" in str(result.settings["model"])


@pytest.mark.parametrize(
    "file",
    [
        lambda: samples.saved("JPEG", exif=samples.exif(A1111)),
        lambda: samples.saved("WEBP", exif=samples.exif(A1111)),
        lambda: samples.saved("AVIF", exif=samples.exif(A1111)),
        lambda: samples.gif(A1111),
        lambda: samples.saved("WEBP", exif=samples.exif_of({0x0110: "prompt:" + json.dumps(comfy())})),
        lambda: samples.saved("WEBP", exif=samples.exif_of({0x0110: "prompt:" + json.dumps(comfy()), 0x010F: 'workflow:{"nodes":[]}'})),
        lambda: samples.apng(comfy()),
        lambda: samples.flac({"prompt": json.dumps(comfy())}),
        lambda: samples.mp3({"workflow": "{}", "prompt": json.dumps(comfy())}),
        lambda: samples.saved("JPEG", exif=samples.exif_of({0x9286: json.dumps(samples.FOOOCUS), 0x927C: "fooocus"})),
        lambda: samples.saved("WEBP", exif=samples.exif_of({0x9286: samples.FOOOCUS_TEXT, 0x927C: "a1111"})),
        lambda: samples.saved("JPEG", exif=samples.exif(json.dumps(samples.SWARM))),
        A1111.encode,
        lambda: b"\xef\xbb\xbf" + A1111.replace("\n", "\r\n").encode(),
        json.dumps(comfy()).encode,
        lambda: b"<svg xmlns='x'><metadata><![CDATA[%s]]></metadata></svg>" % json.dumps({"prompt": comfy()}).encode(),
        lambda: samples.stealth(A1111),
        lambda: samples.stealth(A1111, packed=False),
        lambda: samples.stealth(A1111, alpha=False),
        lambda: samples.stealth(json.dumps(samples.SWARM), alpha=False, packed=False),
        lambda: samples.stealth(json.dumps(samples.NOVELAI_TEXTS)),
    ],
)
def test_every_carrier_is_read(file: Callable[[], bytes]) -> None:
    assert common(found(file())) == SETTINGS


def test_a_file_on_disk_is_read_and_one_that_is_not_there_refused(tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(png({"parameters": A1111}))
    assert found(tmp_path / "fox.png").tool == "A1111"
    with pytest.raises(MediaUnreadable, match="100 MB"):
        foreign.read(tmp_path / "none.png")


@pytest.mark.parametrize(
    "data", [png({}), png({}, channels=4), samples.gif("hello"), samples.saved("JPEG"), samples.wav("a song"), b"once upon a time"]
)
def test_a_file_without_settings_has_none(data: bytes) -> None:
    assert foreign.read(data) is None


def test_what_could_not_be_restored_is_said() -> None:
    said = " ".join(found(png({"parameters": A1111})).left_out)
    for words in ("VAE (soft.pt)", "Clip skip (2)", "Lora hashes (paper: 1a2b, ink: 3c4d)"):
        assert words in said
    invoke = " ".join(found(png({"invokeai_metadata": json.dumps(samples.INVOKE)})).left_out)
    for words in ("paper 0.75", "ControlNet (canny 0.6)", "Hrf strength (0.45)"):
        assert words in invoke


@pytest.mark.parametrize("texts", [texts for _, texts in TEXTS.values()], ids=TEXTS)
def test_no_unknown_setting_is_dropped_in_silence(texts: dict[str, str]) -> None:
    name = next(iter(texts)) if "Comment" not in texts else "Comment"
    text = texts[name]
    if name == "prompt":
        graph = json.loads(text)
        graph["3"]["inputs"]["glitter"] = 7
        text = json.dumps(graph)
    elif text.startswith("{"):
        whole = json.loads(text)
        whole.get("sui_image_params", whole)["glitter"] = 7
        text = json.dumps(whole)
    else:
        text += ", glitter: 7"
    assert any("litter" in words and "7" in words for words in found(png({**texts, name: text})).left_out)


# A1111 and its kin


@pytest.mark.parametrize(
    ("sampler", "name", "said"),
    [
        ("DPM++ 2M Karras", "DPM++ 2M Karras", ""),
        ("DPM++ 2M, Schedule type: Automatic", "DPM++ 2M Karras", ""),
        ("DPM++ 2M", "DPM++ 2M", ""),
        ("Euler a, Schedule type: Automatic", "Euler a", ""),
        ("Euler, Schedule type: Karras", "Euler", "noise schedule Karras"),
        ("DPM++ 2M SDE Exponential", "DPM++ 2M SDE", "noise schedule Exponential"),
        ("DPM2 a Karras", "DPM2 a", "noise schedule Karras"),
        ("PLMS", "PNDM", ""),
        ("Euler (flow)", "Euler (flow)", ""),
        ("DPM adaptive", "", "sampler DPM adaptive"),
    ],
)
def test_samplers_of_all_versions_become_ours_or_are_named(sampler: str, name: str, said: str) -> None:
    result = foreign.read_text(f"x\nSteps: 1, Sampler: {sampler}, Seed: 1, Version: v1.10.1")
    assert result is not None
    assert result.settings.get("scheduler", "") == name
    assert said in " ".join(result.left_out)
    assert bool(said) == bool(result.left_out)


def test_the_schedulers_known_here_are_those_of_the_engine() -> None:
    assert set(names.SCHEDULERS) == set(_schedulers.ALL)


def test_an_edit_s_settings_become_those_of_an_edit() -> None:
    text = (
        "x\nSteps: 20, Sampler: Euler, Seed: 1, Size: 64x64, Denoising strength: 0.65, Mask blur: 4, Inpaint area: Only masked, "
        "Masked area padding: 32, Masked content: latent noise, Version: v1.9.4"
    )
    result = foreign.read_text(text)
    assert result is not None and result.kind == "inpaint"
    values, said = restored(result, Inpaint)
    assert (values["strength"], values["feather"], values["area"], values["context_padding"]) == (0.65, 4.0, "masked", 32)
    assert values["prefill"] == "noise"
    assert any("picture that was changed" in words for words in said)
    assert "Width (64) was left out: Width is not asked for here." in said


def test_a_second_pass_is_no_edit() -> None:
    result = foreign.read_text("x\nSteps: 20, Sampler: Euler, Seed: 1, Denoising strength: 0.4, Hires upscale: 2, Hires upscaler: Latent")
    assert result is not None and result.kind == "text_to_image"
    assert "strength" not in result.settings
    assert sum("second pass" in words for words in result.left_out) == 2
    assert any("Denoising strength (0.4)" in words for words in result.left_out)


def test_a_key_alone_is_a_setting_and_a_repeated_one_counts_last() -> None:
    result = foreign.read_text("x\nSteps: 20, Tiling, Seed: 1, Seed: 2, Sampler: Euler, Odd")
    assert result is not None
    assert result.settings["seed"] == 2
    assert [words[:8] for words in result.left_out] == ["Tiling (", "Seed (ag", "Odd (Odd"]
    twice = foreign.read_text(json.dumps({**samples.INVOKE, "odd": 1})[:-1] + ', "seed": 5}')
    assert twice is not None and twice.settings["seed"] == 5
    assert any(words.startswith("Seed (again) (4042161)") for words in twice.left_out)


def test_add_ons_leave_the_prompt_and_marks_are_explained() -> None:
    result = foreign.read_text(
        "a (red:1.2) fox <lora:paper:0.8>, snow BREAK [dusk:dawn:0.5]\nNegative prompt: ((blurry))\nSteps: 1, Seed: 2, Size: 64x64"
    )
    assert result is not None
    assert result.settings["prompt"] == "a (red:1.2) fox , snow BREAK [dusk:dawn:0.5]"
    said = " ".join(result.left_out)
    for words in ("Lora (paper:0.8)", "weights such as (word:1.2)", "BREAK", "[from:to:0.5]"):
        assert words in said


def test_forge_says_flux_guidance_by_its_own_name() -> None:
    result = foreign.read_text(
        "x\nSteps: 20, Sampler: Euler, Schedule type: Simple, CFG scale: 1, Distilled CFG Scale: 3.5, Seed: 1, Version: f2.0.1"
    )
    assert result is not None
    assert (result.tool, result.settings["guidance_scale"]) == ("Forge", 3.5)


# ComfyUI


def test_a_drawn_graph_is_read_through_reroutes_bypassed_nodes_and_primitives() -> None:
    result = found(png({"workflow": json.dumps(samples.drawn())}))
    assert common(result) == {**SETTINGS, "seed": 77}
    assert any("2 muted or bypassed" in words for words in result.left_out)
    assert any("1 node does not lead" in words for words in result.left_out)


def test_separate_nodes_for_noise_guidance_sampler_and_sigmas_are_one_sampler() -> None:
    graph = {
        "1": node("SamplerCustomAdvanced")
        | links(noise=["2", 0], guider=["3", 0], sampler=["4", 0], sigmas=["5", 0], latent_image=["6", 0]),
        "2": node("RandomNoise", noise_seed=5),
        "3": node("BasicGuider") | links(model=["9", 0], conditioning=["7", 0]),
        "4": node("KSamplerSelect", sampler_name="euler"),
        "5": node("BasicScheduler", scheduler="normal", steps=4, denoise=1.0) | links(model=["9", 0]),
        "6": node("EmptySD3LatentImage", width=["10", 0], height=768, batch_size=1),
        "7": node("FluxGuidance", guidance=3.5) | links(conditioning=["8", 0]),
        "8": node("CLIPTextEncode") | links(text=["11", 0], clip=["12", 0]),
        "9": node("UNETLoader", unet_name="flux1-schnell.safetensors", weight_dtype="default"),
        "10": node("PrimitiveInt", value=1024),
        "11": node("StringConcatenate", string_a="a fox", string_b="at dusk", delimiter=" "),
        "12": node("DualCLIPLoader", clip_name1="t5", clip_name2="l", type="flux"),
        "13": node("VAEDecode") | links(samples=["1", 0]),
        "14": node("SaveImage", filename_prefix="x") | links(images=["13", 0]),
    }
    result = from_graph(graph)
    assert result.settings == {
        "seed": 5,
        "steps": 4,
        "scheduler": "Euler",
        "guidance_scale": 3.5,
        "prompt": "a fox at dusk",
        "width": 1024,
        "height": 768,
        "model": "flux1-schnell.safetensors",
    }
    assert [words.split(" ")[0] for words in result.left_out] == ["DualCLIPLoader"]


def test_of_several_samplers_the_one_that_feeds_the_saved_picture_counts() -> None:
    graph = comfy()
    graph["8"]["inputs"]["samples"] = ["21", 0]
    graph["20"] = node("LatentUpscale", upscale_method="nearest-exact", width=1024, height=1536, crop="disabled") | links(samples=["3", 0])
    graph["21"] = node(
        "KSamplerAdvanced", noise_seed=9, steps=12, cfg=5, sampler_name="euler_ancestral", scheduler="normal", start_at_step=3
    ) | links(model=["4", 0], positive=["22", 0], negative=["22", 1], latent_image=["20", 0])
    graph["22"] = node("ControlNetApplyAdvanced", strength=0.7, start_percent=0, end_percent=1) | links(
        positive=["6", 0], negative=["7", 0], control_net=["23", 0]
    )
    graph["23"] = node("ControlNetLoader", control_net_name="canny.safetensors")
    result = from_graph(graph)
    assert common(result) == {
        **SETTINGS,
        "seed": 9,
        "steps": 12,
        "guidance_scale": 5.0,
        "scheduler": "Euler a",
        "width": 1024,
        "height": 1536,
    }
    said = " ".join(result.left_out)
    for words in (
        "Another sampler (KSampler, node 3)",
        "start_at_step 3",
        "ControlNetApplyAdvanced (strength 0.7)",
        "canny.safetensors",
        "nearest-exact",
    ):
        assert words in said


def test_a_graph_that_starts_from_a_picture_is_an_edit() -> None:
    graph = comfy()
    graph["3"]["inputs"] |= {"latent_image": ["5", 0], "denoise": 0.55}
    graph["5"] = node("VAEEncodeForInpaint", grow_mask_by=6) | links(pixels=["30", 0], mask=["30", 1], vae=["4", 2])
    graph["30"] = node("LoadImage", image="fox.png", upload="image")
    result = from_graph(graph)
    assert (result.kind, result.settings["strength"]) == ("inpaint", 0.55)
    assert "width" not in result.settings
    assert any("mask: paint it again" in words for words in result.left_out)
    assert any("fox.png" in words for words in result.left_out)


def test_a_graph_of_sound_gives_words_lyrics_and_length() -> None:
    graph = {
        "1": node("KSampler", seed=3, steps=50, cfg=4, sampler_name="euler", scheduler="simple", denoise=1)
        | links(model=["2", 0], positive=["4", 0], negative=["5", 0], latent_image=["3", 0]),
        "2": node("CheckpointLoaderSimple", ckpt_name="ace_step.safetensors"),
        "3": node("EmptyAceStepLatentAudio", seconds=90, batch_size=1),
        "4": node("TextEncodeAceStepAudio", tags="folk, harp", lyrics="[verse]\nrain", lyrics_strength=1) | links(clip=["2", 1]),
        "5": node("ConditioningZeroOut") | links(conditioning=["4", 0]),
        "6": node("VAEDecodeAudio") | links(samples=["1", 0], vae=["2", 2]),
        "7": node("SaveAudio", filename_prefix="x") | links(audio=["6", 0]),
    }
    result = found(samples.flac({"PROMPT": json.dumps(graph)}))
    assert result.kind == "music"
    values, _ = restored(result, Compose)
    assert values == {"prompt": "folk, harp", "lyrics": "[verse]\nrain", "duration": 90.0, "seed": 3, "steps": 50, "guidance_scale": 4.0}


def test_a_graph_without_a_known_sampler_says_so() -> None:
    result = from_graph({"1": node("SaveImage") | links(images=["2", 0]), "2": node("SpaceNode", wish="stars")})
    assert result.settings == {}
    assert "no sampler that is known" in result.left_out[0]
    assert any("wish stars" in words for words in result.left_out)


def test_what_a_graph_works_out_while_it_runs_is_said() -> None:
    graph = comfy()
    graph["3"]["inputs"]["seed"] = ["40", 0]
    graph["40"] = node("SeedFromTheMoon") | links(phase=["41", 0])
    graph["41"] = node("Moon")
    result = from_graph(graph)
    assert "seed" not in result.settings
    assert any(words.startswith("The seed of node 3 is worked out") for words in result.left_out)


def test_circles_and_missing_nodes_end() -> None:
    graph = comfy()
    graph["4"] = node("LoraLoader", lora_name="a") | links(model=["10", 0], clip=["10", 1])
    graph["6"] = node("ConditioningCombine") | links(conditioning_1=["6", 0], conditioning_2=["404", 0])
    graph["5"] = node("Reroute") | links(x=["5", 0])
    result = from_graph(graph)
    assert result.settings["seed"] == SETTINGS["seed"]
    assert not result.settings.keys() & {"prompt", "width", "model"}


# The others


def test_the_older_invokeai_s_are_read() -> None:
    image = {"prompt": [{"prompt": "a fox [blurry]", "weight": 1}], "steps": 24, "cfg_scale": 6.5, "width": 512, "height": 768, "seed": 7}
    second = {
        "model_weights": "sd-1.5",
        "model_hash": "abc",
        "app_version": "2.3",
        "image": {**image, "sampler": "k_euler_a", "threshold": 0.1},
    }
    result = found(png({"sd-metadata": json.dumps(second)}))
    wanted = {"prompt": "a fox", "negative_prompt": "blurry", "steps": 24, "guidance_scale": 6.5, "width": 512, "height": 768, "seed": 7}
    assert common(result) == {**wanted, "scheduler": "Euler a"}
    assert any("Threshold (0.1)" in words for words in result.left_out)
    first = found(png({"Dream": '"a fox [blurry]" -s 24 -S 7 -W 512 -H 768 -C 6.5 -A k_euler_a -U 2'}))
    assert common(first) == {**wanted, "scheduler": "Euler a"}
    assert first.left_out == ("U (2) was left out: there is no such setting here.",)


def test_a_fooocus_preset_gives_a_task_s_settings() -> None:
    result = found(json.dumps(samples.FOOOCUS_PRESET).encode())
    assert result.tool == "Fooocus preset"
    assert common(result) == {
        "prompt": SETTINGS["prompt"],
        "width": 512,
        "height": 768,
        "steps": 30,
        "guidance_scale": 6.5,
        "scheduler": "DPM++ 2M SDE Karras",
    }
    said = " ".join(result.left_out)
    for words in ("paper.safetensors 0.1", "Fooocus V2", "sharpness (2.0)"):
        assert words in said


def test_prompts_of_single_characters_are_joined() -> None:
    caption = {"base_caption": "two foxes", "char_captions": [{"char_caption": "red"}, {"char_caption": "white", "centers": [{"x": 0.1}]}]}
    comment = {
        "v4_prompt": {"caption": caption},
        "v4_negative_prompt": {"caption": {"base_caption": "blurry"}},
        "steps": 3,
        "strength": 0.7,
    }
    result = found(png({**samples.NOVELAI_TEXTS, "Description": "", "Comment": json.dumps(comment)}))
    assert result.settings["prompt"] == "two foxes, red, white"
    assert result.settings["negative_prompt"] == "blurry"
    assert (result.kind, result.settings["strength"]) == ("inpaint", 0.7)
    assert any("places in the picture are lost" in words for words in result.left_out)


def test_the_comment_of_a_sound_becomes_a_piece() -> None:
    result = found(samples.wav(json.dumps(samples.AUDIOCRAFT)))
    values, said = restored(result, Compose)
    assert values == {
        "prompt": "lofi, rain on a roof, vinyl",
        "duration": 42.0,
        "bpm": 84.0,
        "key": "A minor",
        "seed": 99,
        "temperature": 1.0,
        "top_k": 250,
        "top_p": 0.0,
        "guidance_scale": 5.0,
    }
    card = names.card_for(str(result.settings["model"]), "", discover())
    assert card is not None and card.name.casefold().startswith("musicgen")
    assert any("2 parts" in words for words in said)
    assert any("Overlap (12)" in words for words in said)


def test_settings_of_two_programs_in_one_file_are_named() -> None:
    result = found(png({"parameters": A1111, "prompt": json.dumps(comfy())}))
    assert result.tool == "A1111"
    assert result.left_out[-1] == "Settings of ComfyUI are in this file too and were not used."


# As a task of ours


@pytest.fixture(scope="module")
def cards() -> tuple[ModelCard, ...]:
    mine = SingleFile(path="mine.safetensors", sha256="abcdef1234567890" * 4)
    return *discover(), ModelCard(name="Mine", engine="diffusion", serves=("text_to_image",), source=mine)


@pytest.mark.parametrize(
    ("model", "digest", "card"),
    [
        ("v1-5-pruned-emaonly", "", "Stable Diffusion 1.5"),
        ("renamed by me", "abcdef1234", "Mine"),
        ("renamed by me", "abcdef", None),
        ("OfficialStableDiffusion/sd_xl_base_1.0", "", "Stable Diffusion XL base 1.0"),
        ("folder\\sd_xl_base_1.0.safetensors", "", "Stable Diffusion XL base 1.0"),
        ("x", "0xABCDEF1234567890", "Mine"),
        ("black-forest-labs/FLUX.1-schnell", "", "FLUX.1 schnell"),
        ("flux1-schnell-fp8.safetensors", "", "FLUX.1 schnell"),
        ("dreamShaper_8", "879db523c3", None),
        ("", "", None),
    ],
)
def test_a_model_is_found_by_its_name_or_its_hash(model: str, digest: str, card: str | None, cards: tuple[ModelCard, ...]) -> None:
    chosen = names.card_for(model, digest, cards)
    assert (chosen.name if chosen else None) == card


def test_restored_settings_make_a_task(cards: tuple[ModelCard, ...]) -> None:
    values, said = restored(found(png({"parameters": A1111})), TextToImage, cards)
    assert values == {**SETTINGS, "model": "Stable Diffusion 1.5"}
    assert TextToImage.checked(values).scheduler == "DPM++ 2M Karras"
    assert not any("model" in words.casefold() and "not among" in words for words in said)


def test_an_unknown_model_stays_open_and_is_named(cards: tuple[ModelCard, ...]) -> None:
    values, said = restored(Foreign("A1111", {"prompt": "x", "model": "dream"}, model_hash="879db523c3"), TextToImage, cards)
    assert values == {"prompt": "x"}
    assert said == ("The model (dream, hash 879db523c3) is not among those here: choose one yourself.",)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("steps", 500, "Steps (500) was left out: Steps must be a whole number from 1 to 150."),
        ("seed", 2**40, "Seed (1099511627776) was left out: Seed must be"),
        ("guidance_scale", 99.0, "Guidance scale (99.0) was left out: "),
        ("prompt", "x" * 5000, "…) was left out: Prompt is 5,000 characters long"),
        ("prompt", "half \ud83c", "was left out: Prompt holds a broken character"),
        ("strength", 0.5, "Strength (0.5) was left out: Strength is not asked for here."),
    ],
)
def test_values_outside_our_limits_are_dropped_with_a_sentence(name: str, value: Any, words: str) -> None:
    values, said = restored(Foreign("A1111", {name: value}), TextToImage)
    assert values == {}
    assert len(said) == 1 and words in said[0]


def test_a_size_is_taken_whole_or_not_at_all() -> None:
    values, said = restored(Foreign("A1111", {"width": 513, "height": 768}), TextToImage)
    assert values == {}
    assert len(said) == 2


def test_the_card_that_is_chosen_decides_what_can_be_taken() -> None:
    card = CARD.model_copy(update={"ignores": ("negative_prompt",), "limits": {"steps": (1, 8)}})
    wanted = Foreign("A1111", {"prompt": "x", "negative_prompt": "y", "steps": 20, "scheduler": "Euler"})
    values, said = restored(wanted, TextToImage, (), card)
    assert values == {"prompt": "x"}
    assert len(said) == 3
    assert restored(wanted, TextToImage)[0] == dict(wanted.settings)


# Files that would rather do harm

DEEP = "[" * 200_000
HOSTILE = [
    "",
    "{",
    "{}",
    "[]",
    "null",
    '{"a":' * 100_000,
    '{"3": {"class_type": "KSampler", "inputs": ' + DEEP + "}}",
    '{"3": {"class_type": "KSampler", "inputs": {"seed": ' + "9" * 100_000 + ', "steps": NaN, "model": ["3", 0], "cfg": -Infinity}}}',
    '{"prompt": 1, "prompt": {"prompt": []}, "class_type": {}, "nodes": 3, "links": "x"}',
    "{" + ",".join(f'"{n}":{{"class_type":"K"}}' for n in range(3_000)) + "}",
    '{"nodes":[' + ",".join('{"id":1}' for _ in range(8_000)) + "]}",
    '{"nodes":[{"id":1,"type":"Reroute","inputs":[{"link":1}]},{"id":2,"type":"K","inputs":[{"link":1}]}],"links":[[1,1,0]]}',
    '{"sui_image_params": [1, 2], "sui_models": {"a": 1}, "sui_extra_data": 3}',
    '{"sui_image_params": {"prompt": {"a": []}, "seed": [[]], "steps": "1e400", "loras": {"x": 1}, "width": true}}',
    '{"generation_mode": 3, "positive_prompt": ["x"], "cfg_scale": {}, "model": [1], "loras": [[1], {"model": 3}], "scheduler": 5}',
    '{"base_model": 1, "prompt": 2, "styles": "'
    + "[" * 5000
    + '", "resolution": "__import__(1)", "loras": [1, [], [[]], "x"], "sampler": {}}',
    '{"default_model": {}, "default_loras": "x", "default_styles": 3, "default_aspect_ratio": [9], "default_overwrite_step": "x"}',
    '{"Comment": "{' + "[" * 500 + '", "Software": "NovelAI"}',
    '{"Comment": "{\\"v4_prompt\\": [1], \\"seed\\": \\"x\\", \\"cfg_rescale\\": []}", "Software": "NovelAI"}',
    '{"global_prompt": 1, "texts": "' + "'a" * 20_000 + '", "cfg_coef": [], "topk": "many", "bpm": {}}',
    '"' + "a [b" * 8000 + '" ' + "-s 1 " * 5000,
    "<b>" * 10_000 + "\nSteps: 1, Sampler: <script>alert(1)</script>, Seed: 2",
    "x\nSteps: " + "9" * 40_000 + ", Seed: NaN, Size: 1x1, CFG scale: Infinity",
    "(" * 20_000 + "\nSteps: 1, Seed: 1, Size: 8x8",
    "[:" * 10_000 + "<lora:" * 2000 + "\nSteps: 1, Seed: 1, Size: 8x8",
    "\x00" * 1000,
    "\ud800 half",
]
_REROUTES = [{"id": n, "type": "Reroute", "inputs": [{"link": n + 1}]} for n in range(2000)]
_ENDS = [{"id": n, "type": "KSampler", "inputs": [{"name": "model", "link": 0}]} for n in range(2001, 2501)]
HOSTILE += [
    json.dumps({"nodes": [*_REROUTES, *_ENDS, {"id": 2000, "type": "X"}], "links": [[n, n, 0] for n in range(2001)]}),
    "<svg>" + "<metadata><![CDATA[" * 20_000,
    "a: " * 10_000 + "\nSteps: 1, Seed: 1, Size: 8x8",
]
KEYWORDS = ("parameters", "prompt", "workflow", "invokeai_metadata", "sd-metadata", "Dream", "Comment", "text")


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_hostile_texts_are_read_or_refused_in_one_sentence_and_little_time(text: str) -> None:
    started = time.process_time()
    for keyword in KEYWORDS if len(text) < 150_000 else ("text", "prompt"):
        carried = foreign.Carried({keyword: text, "Software": "NovelAI", "fooocus_scheme": "fooocus"}, text, "fooocus", (text,), sure=True)
        result = outcome(lambda at=carried: foreign.first(at))
        assert result is None or (len(result.left_out) <= 68 and all(len(words) < 400 and words.isprintable() for words in result.left_out))
        if result is not None:
            restored(result, TextToImage)
    assert time.process_time() - started < 4


def test_hostile_texts_in_a_file_are_bounded() -> None:
    for data in (samples.bomb("parameters"), png({"parameters": "x" * 1_100_000}), b"x" * 2_000_000, b"\x00\x01", b""):
        started = time.process_time()
        assert outcome(lambda at=data: foreign.read(at)) is None
        assert time.process_time() - started < 2


def test_exif_that_names_one_place_ten_thousand_times_is_read_once() -> None:
    many = b"".join(struct.pack("<HHII", 0x0100 + n % 17, 2, 900_000, 8) for n in range(10_000))
    exif = b"II*\x00" + struct.pack("<IH", 8, 10_000) + many + b"prompt:{}" * 100_000
    plain = png({})
    started = time.process_time()
    assert outcome(lambda: foreign.read(plain[:-12] + png_chunk(b"eXIf", exif) + png_chunk(b"IEND", b""))) is None
    assert time.process_time() - started < 2


def test_a_stealth_text_that_lies_about_its_length_is_none() -> None:
    image = samples.pixels(4, 64, 64)
    for length in (0, 7, 2**32 - 1):
        bits = np.unpackbits(np.frombuffer(b"stealth_pngcomp" + length.to_bytes(4, "big"), np.uint8))
        flat = image[:, :, 3].T.reshape(-1)
        flat[: len(bits)] = flat[: len(bits)] & 0xFE | bits
        image[:, :, 3] = flat.reshape(64, 64).T
        assert foreign.read(samples.saved("PNG", image=Image.fromarray(image))) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
ODD = {
    "seed": JSON,
    "steps": JSON,
    "inputs": JSON,
    "prompt": JSON,
    "width": JSON,
    "model": JSON,
    "sampler": JSON,
    "styles": JSON,
    "loras": JSON,
}


@FEW
@given(
    st.fixed_dictionaries({}, optional=ODD),
    st.sampled_from(["INVOKE", "FOOOCUS", "FOOOCUS_PRESET", "AUDIOCRAFT", "NOVELAI", "SWARM", "comfy", "drawn"]),
)
def test_wrong_types_anywhere_break_nothing(odd: dict[str, Any], which: str) -> None:
    found: Any = getattr(samples, which)
    sample: dict[str, Any] = json.loads(json.dumps(found() if callable(found) else found))
    for table in (sample, *(value for value in sample.values() if isinstance(value, dict))):
        for key in list(table):
            if odd and random.Random(key).random() < 0.4:
                table[key] = random.Random(key + which).choice(list(odd.values()))
    text = json.dumps({**sample, **odd})
    for texts in (
        {"parameters": text, "text": text},
        {"invokeai_metadata": text},
        {"prompt": text},
        {**samples.NOVELAI_TEXTS, "Comment": text},
    ):
        result = outcome(lambda at=texts: foreign.first(foreign.Carried(at)))
        if result is not None:
            restored(result, Compose if result.kind == "music" else TextToImage)


@FEW
@given(st.integers(0, 7), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=12), st.integers(0, 10**6))
def test_damaged_files_are_refused_in_words(which: int, changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(_files()[which % len(_files())])
    for place, value in changes:
        data[place % len(data)] = value
    shorter = bytes(data[: max(1, len(data) - cut % len(data))]) if cut % 2 else bytes(data)
    result = outcome(lambda: foreign.read(shorter))
    assert result is None or result.tool


_FILES: list[bytes] = []


def _files() -> list[bytes]:
    if not _FILES:
        _FILES.extend(
            (
                png({"parameters": A1111}),
                samples.saved("JPEG", exif=samples.exif(A1111)),
                samples.saved("WEBP", exif=samples.exif_of({0x0110: "prompt:" + json.dumps(comfy())})),
                samples.saved("AVIF", exif=samples.exif(A1111)),
                samples.gif(A1111),
                samples.wav(json.dumps(samples.AUDIOCRAFT)),
                samples.flac({"prompt": json.dumps(comfy())}),
                samples.stealth(A1111),
            )
        )
    return _FILES
