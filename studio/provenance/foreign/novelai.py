"""NovelAI: PNG texts `Software`, `Description`, `Source` and the JSON `Comment`; the same as one JSON object in the pixels or in Exif."""

from __future__ import annotations

import re

from studio.errors import MediaUnreadable
from studio.provenance.foreign import loose_json, names, words
from studio.provenance.foreign.carried import Carried
from studio.provenance.foreign.sheet import Foreign, Sheet

_NO_MATTER = (
    *("request_type", "signed_hash", "version", "params_version", "add_original_image", "lora_unet_weights"),
    *("lora_clip_weights", "n_samples", "hide_debug_overlay", "stream", "image_format", "extra_noise_seed", "explike_fine_detail"),
    *(
        "deliberate_euler_ancestral_bug",
        "prefer_brownian",
        "legacy_uc",
        "uc_preset",
        "ucPreset",
        "quality_toggle",
        "qualityToggle",
        "use_coords",
    ),
)


def read(carried: Carried) -> Foreign | None:
    """The settings that NovelAI left in a picture."""
    texts = carried.texts
    if "Comment" not in texts:
        alone = loose_json.attempted(carried.parameters, "NovelAI") or {}
        texts = {key: value for key, value in alone.items() if isinstance(value, str)}
    if "Comment" not in texts or "NovelAI" not in texts.get("Software", "") + texts.get("Source", ""):
        return None
    values = loose_json.attempted(texts["Comment"])
    if values is not None and isinstance(values.get("Comment"), str):  # wrapped once more
        values = loose_json.attempted(str(values["Comment"]))
    if values is None:
        raise MediaUnreadable("The settings that NovelAI left in this picture are damaged: set the fields by hand.")
    sheet = Sheet("NovelAI", values)
    _prompts(sheet, texts.get("Description", ""))
    source = re.fullmatch(r"(.{1,200}?)\s+([0-9A-F]{8})", texts.get("Source", "").strip())
    sheet.settings["model"] = source[1] if source else texts.get("Source", "")[:200]
    sheet.model_hash = source[2] if source else ""
    for name, key in (("width", "width"), ("height", "height"), ("steps", "steps")):
        sheet.number(name, key, whole=True)
    sheet.number("guidance_scale", "scale")
    sheet.seed("seed")
    name, lost = names.scheduler(sheet.pop("sampler"), sheet.pop("noise_schedule") or "")
    sheet.settings["scheduler"] = name
    sheet.say(lost)
    request = str(values.get("request_type") or "")
    if "Img2Img" in request or "Infill" in request or "strength" in values:
        sheet.kind = "inpaint"
        sheet.number("strength", "strength")
        sheet.say("The picture that was changed is not in this file: choose it yourself.")
    for key, neutral in (("cfg_rescale", 0), ("uncond_scale", 1), ("controlnet_strength", 1), ("dynamic_thresholding_percentile", 0.999)):
        if values.get(key) == neutral:
            sheet.ignore(key)
    sheet.ignore(*_NO_MATTER)
    return sheet.done()


def _prompts(sheet: Sheet, description: str) -> None:
    """The prompts; those of single characters (version 4) are joined to the main one, since places are not kept apart here."""
    for name, keys, fourth in (("prompt", ("prompt",), "v4_prompt"), ("negative_prompt", ("uc", "negative_prompt"), "v4_negative_prompt")):
        sheet.words(name, *keys)
        caption = loose_json.inner(loose_json.inner(sheet.values.pop(fourth, None)).get("caption"))
        base = caption.get("base_caption")
        if isinstance(base, str) and base and not sheet.settings.get(name):
            sheet.settings[name] = base
        persons = [str(one.get("char_caption") or "") for one in loose_json.tables(caption.get("char_captions"))]
        if any(persons):
            sheet.settings[name] = ", ".join(part for part in (str(sheet.settings.get(name, "")), *persons) if part)
            sheet.say("The prompts of single characters were joined to the main prompt: their places in the picture are lost.")
    if description and not sheet.settings.get("prompt"):
        sheet.settings["prompt"] = description
    sheet.ignore("characterPrompts")
    words.cleaned(sheet)
