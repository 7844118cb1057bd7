"""Fooocus: JSON or A1111's text beside a keyword that tells which, in PNG; the same in Exif; and its presets.

Names: Fooocus' modules/meta_parser.py, modules/flags.py and presets/default.json. Its texts of lists and tuples are Python's, and are
read without running them.
"""

from __future__ import annotations

import ast
import re
from typing import cast

from studio.errors import MediaUnreadable
from studio.provenance.foreign import a1111, loose_json, names, words
from studio.provenance.foreign.carried import Carried
from studio.provenance.foreign.sheet import Foreign, Sheet, empty
from studio.provenance.infotext import Infotext, take_apart

STEPS = {"Quality": 60, "Speed": 30, "Extreme Speed": 8, "Lightning": 4, "Hyper-SD": 4}
"""Steps of its named performances."""
_USUAL_VAE = "Default (model)"
_OLD = {
    "Prompt": "prompt",
    "Negative Prompt": "negative_prompt",
    "Styles": "styles",
    "Performance": "performance",
    "Steps": "steps",
    "Resolution": "resolution",
    "Guidance Scale": "guidance_scale",
    "Sharpness": "sharpness",
    "ADM Guidance": "adm_guidance",
    "Base Model": "base_model",
    "Refiner Model": "refiner_model",
    "Refiner Switch": "refiner_switch",
    "Sampler": "sampler",
    "Scheduler": "scheduler",
    "VAE": "vae",
    "Seed": "seed",
    "Version": "version",
}
"""Labels in place of keys, as versions before 2.2 wrote them."""
_NO_MATTER = ("version", "created_by", "metadata_scheme", "full_prompt", "full_negative_prompt", "image_number", "lora_hashes")


def read(carried: Carried) -> Foreign | None:
    """The settings that Fooocus left in a picture, or one of its presets as a text."""
    scheme, text = carried.texts.get("fooocus_scheme") or carried.note, carried.parameters
    values = loose_json.attempted(text, "base_model", "Base Model", "default_", *(("{",) if scheme == "fooocus" else ()))
    if values is None:
        if scheme == "fooocus":
            raise MediaUnreadable("The settings that Fooocus left in this picture are damaged: set the fields by hand.")
        parts = take_apart(text)
        ours = scheme == "a1111" or parts.settings.get("Version", "").startswith("Fooocus")
        return _of_text(parts) if ours and parts.settings else None
    if any(key.startswith("default_") for key in values) and values.keys() & {"default_model", "default_styles", "default_performance"}:
        return _of_preset(values)
    values = {_OLD.get(key, key): value for key, value in values.items()}
    if scheme == "fooocus" or ("base_model" in values and values.keys() & {"prompt", "performance", "styles"}):
        return _of_settings(values)
    return None


def _of_text(parts: Infotext) -> Foreign:
    """A1111's text with further keys. The raw prompts are what was typed; those before them are full of styles."""
    settings = dict(parts.settings)
    prompt, negative = settings.pop("Raw prompt", parts.prompt), settings.pop("Raw negative prompt", parts.negative_prompt)
    settings.pop("Lora hashes" if "Lora weights" in settings else "", None)
    steps = STEPS.get(performance := settings.get("Performance", ""))
    if steps is not None:
        settings.setdefault("Steps", str(steps))
        if performance in ("Quality", "Speed"):
            del settings["Performance"]
    if settings.get("VAE") == _USUAL_VAE:
        del settings["VAE"]
    return a1111.from_parts(Infotext(prompt, negative, settings), "Fooocus")


def _of_settings(values: dict[str, object]) -> Foreign:
    sheet = Sheet("Fooocus", values)
    if "prompt" not in values:
        values["prompt"] = _joined(values.get("full_prompt"))
    if "negative_prompt" not in values:
        values["negative_prompt"] = _joined(values.get("full_negative_prompt"))
    sheet.words("prompt", "prompt")
    sheet.words("negative_prompt", "negative_prompt")
    words.cleaned(sheet)
    sheet.size("Resolution", sheet.pop("resolution"))
    sheet.seed("seed")
    sheet.model_hash = str(sheet.pop("base_model_hash") or "")
    if "loras" in values:  # the same again, by name, weight and hash
        sheet.ignore(*(key for key in list(values) if key.startswith("lora_combined_")))
        _loras(sheet, "loras")
    if values.get("vae") == _USUAL_VAE:
        sheet.ignore("vae")
    sheet.ignore(*_NO_MATTER)
    return _rest(sheet, "")


def _of_preset(values: dict[str, object]) -> Foreign:
    """A preset: defaults for the next picture, without a prompt more often than not."""
    sheet = Sheet("Fooocus preset", values)
    sheet.words("prompt", "default_prompt")
    sheet.words("negative_prompt", "default_prompt_negative")
    words.cleaned(sheet)
    size = sheet.pop("default_aspect_ratio")
    sheet.size("Aspect ratio", size)
    sheet.number("steps", "default_overwrite_step", whole=True)
    if sheet.settings.get("steps", 0) == -1:
        del sheet.settings["steps"]
    _loras(sheet, "default_loras")
    for key in ("checkpoint_downloads", "embeddings_downloads", "lora_downloads", "vae_downloads"):
        for name in loose_json.inner(sheet.pop(key)):
            if name != values.get("default_model"):
                sheet.leave(key.replace("s_downloads", "").replace("_downloads", ""), name, "a preset fetches no files here")
    sheet.ignore("previous_default_models", "default_image_number", "default_max_image_number", "default_save_metadata_to_images")
    return _rest(sheet, "default_")


def _rest(sheet: Sheet, before: str) -> Foreign:
    """What settings and presets share, under keys that begin with `before`."""
    sheet.words("model", f"{before}model" if before else "base_model")
    sheet.number("guidance_scale", f"{before}cfg_scale" if before else "guidance_scale")
    sheet.number("steps", f"{before}steps", whole=True)
    performance = sheet.pop(f"{before}performance")
    if isinstance(performance, str) and performance in STEPS:
        sheet.settings.setdefault("steps", STEPS[performance])
        if performance not in ("Quality", "Speed"):
            sheet.say(f"Performance {performance} works with weights of its own there: only its {STEPS[performance]} steps were taken.")
    elif performance is not None:
        sheet.leave("performance", performance)
    name, lost = names.scheduler(sheet.pop(f"{before}sampler"), sheet.pop(f"{before}scheduler") or "")
    sheet.settings["scheduler"] = name
    sheet.say(lost)
    styles = sheet.pop(f"{before}styles")
    for style in _list(styles):
        sheet.leave("style", style)
    sheet.values = {key.removeprefix(before): value for key, value in sheet.values.items()}
    return sheet.done()


def _loras(sheet: Sheet, key: str) -> None:
    """[[name, weight, hash], ...] of a picture, or [[enabled, name, weight], ...] of a preset."""
    for one in _list(sheet.pop(key)):
        parts = cast("list[object]", one) if isinstance(one, list) else [one]
        said = [part for part in parts[:4] if not isinstance(part, bool)]
        if not any(empty(part) for part in said[:1]) and said:
            sheet.leave("lora", " ".join(str(part) for part in said if isinstance(part, str | int | float)))


def _list(value: object) -> list[object]:
    """A list, or the one that a text writes in Python's way."""
    if isinstance(value, list):
        return cast("list[object]", value)[:100]
    if not isinstance(value, str):
        return []
    if len(value) < 10_000 and re.fullmatch(r"\s*\[.*\]\s*", value, re.DOTALL):
        try:
            found: object = ast.literal_eval(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return [value]
        return cast("list[object]", found)[:100] if isinstance(found, list) else [value]
    return [value]


def _joined(value: object) -> str:
    return ", ".join(part for part in _list(value) if isinstance(part, str))
