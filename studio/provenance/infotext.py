"""Settings as one text, in the grammar of A1111's `parameters`, which most programs for pictures read and many write.

Knows the record and that grammar; knows no file format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from pydantic import JsonValue

from studio.errors import MediaUnreadable
from studio.provenance.containers import TEXT_LIMIT
from studio.provenance.record import Record

LINE_LIMIT = 50_000
"""Characters; a longer last line is no settings."""


def infotext(record: Record) -> str:
    """The record's task as A1111 writes it (its `create_infotext`, modules/processing.py): prompt, negative prompt, a line of settings."""
    task, kept = record.task, record.model.get("files")
    hashes = [value[7:17] for value in kept.values() if isinstance(value, str)] if isinstance(kept, dict) else []
    sampler, schedule = _split_scheduler(str(task.get("scheduler") or ""))
    settings = {
        "Steps": task.get("steps"),
        "Sampler": sampler,
        "Schedule type": schedule,
        "CFG scale": task.get("guidance_scale"),
        "Seed": task.get("seed"),
        "Size": f"{task.get('width')}x{task.get('height')}" if task.get("width") and task.get("height") else "",
        "Model hash": hashes[0] if hashes else "",
        "Model": record.model.get("name"),
        "Style": task.get("style"),
        "Version": record.made_by,
    }
    lines = [str(task.get("prompt") or "")]
    if task.get("negative_prompt"):
        lines.append(f"Negative prompt: {task['negative_prompt']}")
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in settings.items() if value not in (None, "")))
    return "\n".join(lines)


def read_parameters(text: str) -> dict[str, str | int | float]:
    """The settings in an A1111 infotext, under our fields' names, those that it holds.

    Keys: prompt, negative_prompt, steps, seed, guidance_scale, width, height, scheduler ("DPM++ 2M Karras": sampler and schedule).
    The grammar is that of `parse_generation_parameters` (A1111's modules/infotext_utils.py); unlike it, a last line counts as settings
    only if it also has one of their usual keys, so that a prompt of three "word: x" pairs stays a prompt. Values are not checked
    against any task's limits.
    """
    if len(text) > TEXT_LIMIT:
        raise MediaUnreadable("The settings in this picture are larger than 1 MB and were not read: set the fields by hand.")
    *lines, last = text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")
    pairs = [(key.strip(), _unquoted(value.strip())) for key, value in _PAIR.findall(last if len(last) < LINE_LIMIT else "")]
    settings = dict(pairs)
    if len(pairs) < 3 or not settings.keys() & _USUAL:
        lines, settings = [*lines, last], {}
    prompts: dict[str, list[str]] = {"prompt": [], "negative_prompt": []}
    part = "prompt"
    for line in lines:
        if line.strip().startswith(_NEGATIVE):
            part = "negative_prompt"
            prompts[part].append(line.strip()[len(_NEGATIVE) :].lstrip())
        else:
            prompts[part].append(line)
    found: dict[str, str | int | float] = {name: words for name, each in prompts.items() if (words := "\n".join(each).strip())}
    return found | _numbers(settings)


_PAIR = re.compile(r'\s*(\w[\w \-/]{1,60}):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_NEGATIVE = "Negative prompt:"
_USUAL = frozenset(("Steps", "Sampler", "CFG scale", "Seed", "Size", "Model", "Model hash", "Version"))
_SCHEDULES = ("Karras", "Exponential", "Polyexponential", "SGM Uniform", "Uniform", "Simple", "Normal", "DDIM", "Beta", "Trailing")


def _split_scheduler(name: str) -> tuple[str, str]:
    """("DPM++ 2M", "Karras") of "DPM++ 2M Karras"."""
    for schedule in _SCHEDULES:
        if name.endswith(f" {schedule}"):
            return name.removesuffix(f" {schedule}"), schedule
    return name, ""


def _quoted(value: JsonValue) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r"[,\n:]", text) else text


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
