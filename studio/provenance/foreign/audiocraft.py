"""JSON in the comment of a sound, as audiocraft's descendants write it (audiocraft_plus: its `info_to_params`), numbers as text."""

from __future__ import annotations

import re

from studio.provenance.foreign import loose_json
from studio.provenance.foreign.carried import Carried
from studio.provenance.foreign.sheet import Foreign, Sheet

_SIGNS = frozenset(("global_prompt", "texts", "cfg_coef", "topk", "top_k", "topp", "audio_mode", "extend_stride"))
_SIZES = {"small", "medium", "large", "melody", "stereo-small", "stereo-medium", "stereo-large", "stereo-melody", "melody-large"}


def read(carried: Carried) -> Foreign | None:
    """The settings in a sound's comments, or in a text that is such JSON."""
    for text in (*carried.spoken, carried.texts.get("text", "")):
        values = loose_json.attempted(text, *_SIGNS)
        if values is not None and "class_type" not in text and len(values.keys() & _SIGNS) >= 2 and "schema_version" not in values:
            return _music(Sheet("audiocraft", values, kind="music"))
    return None


def _music(sheet: Sheet) -> Foreign:
    _prompt(sheet)
    sheet.words("negative_prompt", "negative_prompt")
    sheet.number("duration", "duration", "audio_length")
    sheet.number("bpm", "bpm")
    key, scale = sheet.pop("key"), sheet.pop("scale")
    if isinstance(key, str):
        sheet.settings["key"] = f"{key} {scale.lower()}" if isinstance(scale, str) else key
    elif key is not None:
        sheet.leave("key", key)
    sheet.seed("seed")
    sheet.number("temperature", "temperature")
    sheet.number("top_k", "topk", "top_k", whole=True)
    sheet.number("top_p", "topp", "top_p")
    sheet.number("guidance_scale", "cfg_coef", "cfg_scale", "guidance_scale")
    sheet.number("steps", "steps", whole=True)
    _model(sheet)
    mode = sheet.pop("audio_mode")
    if mode is not None and sheet.values.get("input_length") not in (None, "none", "0", 0, ""):
        sheet.leave("audio_mode", mode, "the sound it started from is not in this file; choose it as the reference")
    elif mode not in (None, "sample", "none"):
        sheet.leave("audio_mode", mode, "no sound to start from is in this file")
    if sheet.values.get("overlap") is not None:
        sheet.leave("overlap", sheet.pop("overlap"), "longer pieces are joined in their own way here")
    sheet.ignore("version", "generation_version", "date")
    return sheet.done()


def _prompt(sheet: Sheet) -> None:
    """The words for all, then those of single parts of the piece, each once: parts follow one another there and here they do not."""
    everywhere, parts = sheet.pop("global_prompt", "prompt", "text", "description"), sheet.pop("texts", "prompts")
    if isinstance(parts, str):
        parts = [one or other for one, other in re.findall(r"'([^'\n]{0,4000})'|\"([^\"\n]{0,4000})\"", parts[:60_000])] or [parts]
    said = list(dict.fromkeys(part.strip() for part in loose_json.parts(parts)[:50] if isinstance(part, str) and part.strip()))
    if len(said) > 1:
        sheet.say(f"The words of {len(said)} parts that followed one another were joined: a piece has one prompt here.")
    first = [everywhere] if isinstance(everywhere, str) and everywhere not in said else []
    sheet.settings["prompt"] = ", ".join([*first, *said])


def _model(sheet: Sheet) -> None:
    own, base = sheet.pop("custom_model"), sheet.pop("base_model")
    sheet.words("model", "model", "model_name")
    name = str(sheet.settings.get("model", ""))
    if name == "custom" or (isinstance(own, str) and not name):
        sheet.settings["model"] = str(own or "custom")
    if base is not None and own is not None:
        sheet.leave("base_model", base, "weights of one's own are named on a model card here")
    if name.removeprefix("facebook/musicgen-") in _SIZES:
        sheet.settings["model"] = f"facebook/musicgen-{name.removeprefix('facebook/musicgen-')}"
