"""SwarmUI: JSON with `sui_image_params`, in PNG's `parameters` or Exif's UserComment (its docs/Image Metadata Format.md)."""

from __future__ import annotations

from studio.provenance.foreign import loose_json, names, words
from studio.provenance.foreign.carried import Carried
from studio.provenance.foreign.sheet import Foreign, Sheet

_NO_MATTER = (
    *("swarm_version", "aspectratio", "automaticvae", "images", "donotsave", "personalnote", "modelspecificenhancements"),
    *("sidelength", "saveintermediateimages", "savesegmentmask", "internalbackendtype", "exactbackendid", "batchsize", "outpath"),
)
_OF_EXTRA = ("date", "generation_time", "prep_time", "used_embeddings", "original_prompt", "original_negativeprompt", "generation_data")


def read(carried: Carried) -> Foreign | None:
    """The settings that SwarmUI left in a picture."""
    whole = loose_json.attempted(carried.parameters, "sui_image_params")
    if whole is None or "sui_image_params" not in whole:
        return None
    sheet = Sheet("SwarmUI", dict(loose_json.inner(whole.pop("sui_image_params"))))
    extra, models = loose_json.inner(whole.pop("sui_extra_data", None)), loose_json.tables(whole.pop("sui_models", None))
    sheet.words("prompt", "prompt")
    sheet.words("negative_prompt", "negativeprompt")
    words.cleaned(sheet)
    sheet.words("model", "model")
    sheet.model_hash = next((str(one.get("hash") or "") for one in models if one.get("param") == "model"), "")
    sheet.number("width", "width", whole=True)
    sheet.number("height", "height", whole=True)
    sheet.number("steps", "steps", whole=True)
    sheet.number("guidance_scale", "fluxguidancescale", "cfgscale")
    sheet.seed("seed")
    name, lost = names.scheduler(sheet.pop("comfyuisampler", "sampler"), sheet.pop("comfyuischeduler", "scheduler") or "")
    sheet.settings["scheduler"] = name
    sheet.say(lost)
    _edit(sheet)
    _loras(sheet)
    sheet.ignore(*_NO_MATTER)
    sheet.values |= {key: value for key, value in {**extra, **whole}.items() if key not in _OF_EXTRA}
    return sheet.done()


def _edit(sheet: Sheet) -> None:
    """A start picture makes it an edit; its creativity is our strength."""
    if sheet.pop("initimage") is None and "initimagecreativity" not in sheet.values:
        return
    sheet.kind = "inpaint"
    sheet.number("strength", "initimagecreativity")
    sheet.say("The picture that was changed is not in this file: choose it yourself.")


def _loras(sheet: Sheet) -> None:
    names_, weights = (_texts(sheet.pop(key)) for key in ("loras", "loraweights"))
    for number, name in enumerate(names_):
        sheet.leave("lora", f"{name} {weights[number]}" if number < len(weights) else name)


def _texts(value: object) -> list[str]:
    """A list, or a text that separates its entries by commas."""
    entries = value.split(",") if isinstance(value, str) else loose_json.parts(value)
    return [str(entry).strip() for entry in entries[:100]]
