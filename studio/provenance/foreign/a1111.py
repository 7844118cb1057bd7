"""A1111 and its kin (Forge, SD.Next, Krita's plugin, ComfyUI's savers of that text, Atelier): one text, in its grammar.

Names and defaults: A1111's modules/infotext_utils.py and modules/sd_samplers_kdiffusion.py.
"""

from __future__ import annotations

from studio.provenance.foreign import names, words
from studio.provenance.foreign.carried import Carried
from studio.provenance.foreign.sheet import Foreign, Sheet
from studio.provenance.infotext import MASKED_CONTENT, Infotext, split_scheduler, take_apart

_AUTOMATIC = {
    **dict.fromkeys(("DPM++ 2M", "DPM++ SDE", "DPM++ 2S a", "DPM2", "DPM2 a", "Restart"), "Karras"),
    **dict.fromkeys(("DPM++ 2M SDE", "DPM++ 2M SDE Heun", "DPM++ 3M SDE"), "Exponential"),
}
"""The noise schedule that a sampler takes there when it is to choose one itself."""
_SAID_BY_DEFAULT = {
    "Clip skip": "1",
    "Hires resize": "0x0",
    "Mask mode": "Inpaint masked",
    "Variation seed strength": "0",
    "Seed resize from": "-1x-1",
    "RNG": "GPU",
    "Conditional mask weight": "1.0",
}


def read(carried: Carried) -> Foreign | None:
    """The settings of an A1111 text; None for one without a line of settings, unless it stands where only settings do."""
    text = carried.parameters
    if not text.strip() or (text.lstrip().startswith("{") and text.rstrip().endswith("}")):
        return None
    parts = take_apart(text)
    if parts.settings.get("Version", "").startswith("Fooocus") or "fooocus_scheme" in carried.texts:
        return None
    return from_parts(parts) if parts.settings or carried.sure else None


def from_parts(parts: Infotext, tool: str = "") -> Foreign:
    """The settings of a text taken apart; `tool` is said by its version where it is not given."""
    sheet = Sheet(tool or _tool(parts.settings.get("Version", "")), dict(parts.settings))
    sheet.settings |= {"prompt": parts.prompt, "negative_prompt": parts.negative_prompt}
    words.cleaned(sheet)
    sheet.number("steps", "Steps", whole=True)
    _scheduler(sheet)
    sheet.number("guidance_scale", "CFG scale", "CFG Scale")
    _distilled(sheet)
    sheet.seed("Seed")
    sheet.size("Size", sheet.pop("Size"))
    sheet.words("model", "Model")
    sheet.model_hash = str(sheet.pop("Model hash") or "")
    if sheet.tool == "Atelier":
        sheet.words("style", "Style")
    _edit(sheet)
    for key, value in _SAID_BY_DEFAULT.items():
        if sheet.values.get(key) == value:
            sheet.ignore(key)
    sheet.ignore("Version", "User", "Size-1", "Size-2", "Created Date", "Date", "Emphasis")
    return sheet.done()


def _tool(version: str) -> str:
    if version.startswith(("f", "neo", "Forge")):
        return "Forge"
    return next((tool for tool in ("Atelier", "ComfyUI", "Fooocus") if version.startswith(tool)), "A1111")


def _scheduler(sheet: Sheet) -> None:
    sampler, schedule = str(sheet.pop("Sampler") or ""), str(sheet.pop("Schedule type", "Scheduler") or "")
    if sampler in names.SCHEDULERS and not schedule:
        sheet.settings["scheduler"] = sampler
        return
    base, suffix = split_scheduler(sampler)
    if schedule.casefold() in ("", suffix.casefold()):
        sampler, schedule = base, suffix
    elif schedule == "Automatic":
        schedule = _AUTOMATIC.get(sampler, "")
    name, lost = names.scheduler(sampler, schedule)
    sheet.settings["scheduler"] = name
    sheet.say(lost)


def _distilled(sheet: Sheet) -> None:
    """Forge writes the guidance of models such as FLUX.1 under a name of its own, beside a CFG scale of 1."""
    value = sheet.values.get("Distilled CFG Scale")
    if value is not None and sheet.settings.get("guidance_scale") in (None, 1.0):
        sheet.number("guidance_scale", "Distilled CFG Scale")


def _edit(sheet: Sheet) -> None:
    """What img2img and inpainting have of their own. A second pass for size has a denoising strength too, which is not ours."""
    second_pass = any(key.startswith("Hires") for key in sheet.values)
    if "Denoising strength" not in sheet.values or second_pass:
        return
    sheet.kind = "inpaint"
    sheet.number("strength", "Denoising strength")
    masked = any(key in sheet.values for key in ("Mask blur", "Masked content", "Inpaint area", "Masked area padding", "Mask mode"))
    sheet.say(
        "The picture that was changed is not in this file: choose it yourself." + (" So is its mask: paint it again." if masked else "")
    )
    sheet.number("feather", "Mask blur")
    sheet.number("context_padding", "Masked area padding", whole=True)
    area = sheet.pop("Inpaint area")
    if masked:
        sheet.settings["area"] = "masked" if area == "Only masked" else "whole"
    ours = {theirs: name for name, theirs in reversed(MASKED_CONTENT.items())}
    content = sheet.pop("Masked content")
    if content in ours:
        sheet.settings["prefill"] = ours[str(content)]
    elif content is not None:
        sheet.leave("Masked content", content, "there is no such way to fill a hole here")
