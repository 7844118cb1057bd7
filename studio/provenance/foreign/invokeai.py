"""InvokeAI: JSON beside the keyword `invokeai_metadata` (its `CoreMetadataInvocation`), `sd-metadata` of version 2, `Dream` of version 1.

In the older two what to avoid stands in square brackets inside the prompt.
"""

from __future__ import annotations

import re
from typing import cast

from studio.provenance.foreign import loose_json, names, words
from studio.provenance.foreign.carried import Carried
from studio.provenance.foreign.sheet import Foreign, Sheet, empty, shown

_NO_MATTER = ("app_version", "rand_device", "type", "app_id", "image_type")
_LISTS = {
    "loras": "lora",
    "controlnets": "ControlNet",
    "controlLayers": "control layer",
    "ipAdapters": "IP-Adapter",
    "t2iAdapters": "T2I-Adapter",
}
_DREAM = {"s": "steps", "S": "seed", "W": "width", "H": "height", "C": "cfg_scale", "A": "sampler_name", "f": "strength"}


def read(carried: Carried) -> Foreign | None:
    """The settings that InvokeAI left in a picture."""
    texts = carried.texts
    if text := texts.get("invokeai_metadata"):
        return _of_metadata(loose_json.table(text, "InvokeAI"))
    if text := texts.get("sd-metadata"):
        return _of_version_2(loose_json.table(text, "InvokeAI"))
    if text := texts.get("Dream"):
        return _of_version_1(text[:50_000])
    alone = loose_json.attempted(texts.get("text", ""), "positive_prompt") or {}
    return _of_metadata(alone) if "positive_prompt" in alone and alone.keys() & {"generation_mode", "app_version", "cfg_scale"} else None


def _of_metadata(values: dict[str, object]) -> Foreign:
    sheet = Sheet("InvokeAI", values)
    sheet.words("prompt", "positive_prompt")
    sheet.words("negative_prompt", "negative_prompt")
    words.cleaned(sheet)
    for name in ("positive_style_prompt", "negative_style_prompt"):
        if values.get(name) == sheet.settings.get(name.replace("positive_style_", "").replace("style_", "")):
            sheet.ignore(name)
    model = values.pop("model", None)
    if isinstance(model, str):
        sheet.settings["model"] = model
    else:
        about = loose_json.inner(model)
        sheet.settings["model"] = str(about.get("name") or about.get("model_name") or "")
        sheet.model_hash = str(about.get("hash") or "").rpartition(":")[2]
    _shared(sheet, "scheduler")
    guidance = values.pop("guidance", None)
    if guidance is not None:  # FLUX models: cfg_scale stays at 1
        values["guidance"] = guidance
        sheet.number("guidance_scale", "guidance")
    for key, what in _LISTS.items():
        for one in loose_json.tables(sheet.pop(key)):
            sheet.leave(what, _adapter(one))
    mode = str(values.pop("generation_mode", None) or "")
    if "txt2img" not in mode and any(word in mode for word in ("img2img", "inpaint", "outpaint")):
        sheet.kind = "inpaint"
        sheet.number("strength", "strength")
        sheet.say("The picture that was changed is not in this file: choose it yourself.")
    for key in ("vae", "refiner_model", "clip_embed_model", "t5_encoder", "qwen3_encoder"):
        if about := loose_json.inner(values.get(key)):
            values[key] = about.get("name") or about.get("model_name")
    sheet.ignore(*_NO_MATTER)
    return sheet.done()


def _of_version_2(values: dict[str, object]) -> Foreign:
    image = loose_json.inner(values.pop("image", None))
    sheet = Sheet("InvokeAI", {**image, **{key: value for key, value in values.items() if key not in image}})
    prompts = image.get("prompt")
    said = [str(one.get("prompt") or "") for one in loose_json.tables(prompts)] or [prompts if isinstance(prompts, str) else ""]
    if len(said) > 1:
        sheet.leave("blend of prompts", said[1:], "only the first of several prompts was taken")
    sheet.ignore("prompt")
    _bracketed(sheet, said[0])
    sheet.words("model", "model_weights")
    sheet.model_hash = str(sheet.pop("model_hash") or "")
    _shared(sheet, "sampler")
    sheet.ignore(*_NO_MATTER, "model", "model_id")
    return sheet.done()


def _of_version_1(text: str) -> Foreign | None:
    """A command line: the prompt in quotes, then -s 50 -S 42 -W 512 -H 512 -C 7.5 -A k_lms."""
    parts = re.fullmatch(r'\s*"(.*)"((?:\s+-{1,2}\w+(?:[\s=]+[^\s"-][^\s"]*)?)*)\s*', text, re.DOTALL)
    if parts is None:
        return None
    found = re.findall(r"-{1,2}(\w+)(?:[\s=]+([^\s\"-]\S*))?", parts[2])
    sheet = Sheet("InvokeAI", {_DREAM.get(str(key), str(key)): value for key, value in found})
    _bracketed(sheet, parts[1])
    _shared(sheet, "sampler_name")
    if "strength" in sheet.values:
        sheet.kind = "inpaint"
        sheet.number("strength", "strength")
        sheet.say("The picture that was changed is not in this file: choose it yourself.")
    return sheet.done()


def _bracketed(sheet: Sheet, text: str) -> None:
    avoid = re.findall(r"\[([^\[\]]{1,4000})\]", text)
    sheet.settings["prompt"] = re.sub(r"\s*\[[^\[\]]{1,4000}\]", "", text).strip()
    sheet.settings["negative_prompt"] = ", ".join(part.strip() for part in avoid)
    words.cleaned(sheet)


def _shared(sheet: Sheet, sampler: str) -> None:
    sheet.number("width", "width", whole=True)
    sheet.number("height", "height", whole=True)
    sheet.number("steps", "steps", whole=True)
    sheet.number("guidance_scale", "cfg_scale")
    sheet.seed("seed")
    name, lost = names.scheduler(sheet.pop(sampler))
    sheet.settings["scheduler"] = name
    sheet.say(lost)


def _adapter(one: dict[str, object]) -> str:
    """An add-on by its name and weight."""
    models = [loose_json.inner(value) for key, value in one.items() if key in _MODELS]
    name = next((about.get("name") or about.get("model_name") for about in models if about), one.get("name"))
    weight = next((value for key, value in one.items() if key.endswith("weight") and not empty(value)), "")
    return shown(" ".join(str(part) for part in cast("tuple[object, ...]", (name or "without a name", weight)) if part != ""))


_MODELS = frozenset(("model", "lora", "control_model", "ip_adapter_model", "t2i_adapter_model"))
