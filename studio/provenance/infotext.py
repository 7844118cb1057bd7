"""Settings as one text, in the grammar of A1111's `parameters`, which most programs for pictures read and many write.

Knows the record and that grammar; knows no file format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from studio.errors import MediaUnreadable
from studio.provenance.containers import TEXT_LIMIT
from studio.provenance.record import Record

LINE_LIMIT = 50_000
"""Characters; a longer last line is no settings."""

MASKED_CONTENT = {"original": "original", "blur": "fill", "edges": "fill", "neutral": "latent nothing", "noise": "latent noise"}
"""What our prefills are called there."""


@dataclass(frozen=True)
class Infotext:
    """A text taken apart. `settings` are as written, in their order; one without a value has its name as its value."""

    prompt: str
    negative_prompt: str
    settings: Mapping[str, str]


def infotext(record: Record) -> str:
    """The record's task as A1111 writes it (its `create_infotext`, modules/processing.py): prompt, negative prompt, a line of settings.

    A line of a prompt that begins with "Negative prompt:" gets a small n, so that readers leave it where it is.
    """
    task, kept = record.task, record.model.get("files")
    hashes = [value[7:17] for value in kept.values() if isinstance(value, str)] if isinstance(kept, dict) else []
    sampler, schedule = split_scheduler(str(task.get("scheduler") or ""))
    settings = {
        "Steps": task.get("steps"),
        "Sampler": sampler,
        "Schedule type": schedule,
        "CFG scale": task.get("guidance_scale"),
        "Seed": task.get("seed"),
        "Size": f"{task.get('width')}x{task.get('height')}" if task.get("width") and task.get("height") else "",
        "Model hash": hashes[0] if hashes else "",
        "Model": record.model.get("name"),
        **(_of_an_edit(task) if record.kind == "inpaint" else {}),
        "Style": task.get("style"),
        "Version": record.made_by,
    }
    lines = [_in_place(str(task.get("prompt") or ""))]
    if task.get("negative_prompt"):
        lines.append(f"Negative prompt: {_in_place(str(task['negative_prompt']))}")
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in settings.items() if value not in (None, "")))
    return "\n".join(lines)


def take_apart(text: str) -> Infotext:
    """Prompt, negative prompt and settings of an A1111 infotext.

    The grammar is that of `parse_generation_parameters` (A1111's modules/infotext_utils.py); unlike it, a last line counts as settings
    only if it also has one of their usual keys, so that a prompt of three "word: x" pairs stays a prompt. Of a key that stands twice
    the last counts, as there; the one before is there as "KEY (again)". Raises MediaUnreadable for a text over 1 MB.
    """
    if len(text) > TEXT_LIMIT:
        raise MediaUnreadable("The settings in this picture are larger than 1 MB and were not read: set the fields by hand.")
    *lines, last = text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")
    settings, pairs = _settings(last if len(last) < LINE_LIMIT else "")
    if pairs < 3 or not settings.keys() & _USUAL:
        lines, settings = [*lines, last], {}
    prompts: dict[str, list[str]] = {"prompt": [], "negative_prompt": []}
    part = "prompt"
    for line in lines:
        if line.strip().startswith(_NEGATIVE):
            part = "negative_prompt"
            prompts[part].append(line.lstrip()[len(_NEGATIVE) :].removeprefix(" "))
        else:
            prompts[part].append(line)
    return Infotext("\n".join(prompts["prompt"]).strip(), "\n".join(prompts["negative_prompt"]).strip(), settings)


def read_parameters(text: str) -> dict[str, str | int | float]:
    """The settings in an A1111 infotext, under our fields' names, those that it holds.

    Keys: prompt, negative_prompt, steps, seed, guidance_scale, width, height, scheduler ("DPM++ 2M Karras": sampler and schedule).
    Values are not checked against any task's limits. Raises as `take_apart` does.
    """
    read = take_apart(text)
    words = {"prompt": read.prompt, "negative_prompt": read.negative_prompt}
    return {name: said for name, said in words.items() if said} | _numbers(read.settings)


def split_scheduler(name: str) -> tuple[str, str]:
    """("DPM++ 2M", "Karras") of "DPM++ 2M Karras"."""
    for schedule in _SCHEDULES:
        if name.endswith(f" {schedule}"):
            return name.removesuffix(f" {schedule}"), schedule
    return name, ""


_PAIR = re.compile(r'\s*(\w[\w \-/]{1,60}):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_NEGATIVE = "Negative prompt:"
_USUAL = frozenset(("Steps", "Sampler", "CFG scale", "Seed", "Size", "Model", "Model hash", "Version"))
_SCHEDULES = (
    *("Karras", "Polyexponential", "Exponential", "SGM Uniform", "Align Your Steps", "KL Optimal", "Uniform", "Simple", "Normal"),
    *("DDIM", "Beta", "Turbo", "Trailing"),
)


def _settings(line: str) -> tuple[dict[str, str], int]:
    """The settings of a last line and how many pairs it has; a word alone between two pairs is a setting whose value is its name."""
    found: dict[str, str] = {}
    pairs = place = 0
    for pair in _PAIR.finditer(line):
        for word in line[place : pair.start()].split(","):
            if word.strip():
                found[word.strip()] = word.strip()
        key, value = pair[1].strip(), _unquoted(pair[2].strip())
        if found.get(key, value) != value:
            found[f"{key} (again)"] = found[key]
        found[key] = value
        pairs, place = pairs + 1, pair.end()
    for word in line[place:].split(",") if pairs else ():
        if word.strip():
            found[word.strip()] = word.strip()
    return found, pairs


def _of_an_edit(task: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """What A1111 writes of img2img and inpainting, as far as an edit of ours has it."""
    masked = bool(task.get("mask"))
    return {
        "Denoising strength": task.get("strength"),
        "Mask blur": task.get("feather") if masked else None,
        "Inpaint area": ("Whole picture" if task.get("area") == "whole" else "Only masked") if masked else None,
        "Masked area padding": task.get("context_padding") if masked else None,
        "Masked content": MASKED_CONTENT.get(str(task.get("prefill"))) if masked else None,
    }


def _in_place(words: str) -> str:
    return re.sub(r"^([^\S\n]*)Negative prompt:", r"\1negative prompt:", words, flags=re.MULTILINE)


def _quoted(value: JsonValue) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r'[,\n:]|^"|^\s|\s$', text) else text


def _unquoted(value: str) -> str:
    if not (value.startswith('"') and value.endswith('"')):
        return value
    try:
        return str(json.loads(value))
    except (ValueError, RecursionError):
        return value


def _numbers(settings: Mapping[str, str]) -> dict[str, str | int | float]:
    found: dict[str, str | int | float] = {}
    for key, name in (("Steps", "steps"), ("Seed", "seed")):
        if re.fullmatch(r"\d{1,18}", settings.get(key, "")):
            found[name] = int(settings[key])
    if re.fullmatch(r"\d{1,9}(\.\d{1,18})?", settings.get("CFG scale", "")):
        found["guidance_scale"] = float(settings["CFG scale"])
    if size := re.fullmatch(r"(\d{1,6})x(\d{1,6})", settings.get("Size", "")):
        found |= {"width": int(size[1]), "height": int(size[2])}
    if sampler := settings.get("Sampler", ""):
        schedule = settings.get("Schedule type", "")
        shown = schedule if schedule not in ("", "Automatic") and not sampler.endswith(f" {schedule}") else ""
        found["scheduler"] = f"{sampler} {shown}".strip()
    return found
