"""What the settings of one program become: fields of ours, and a sentence for everything that is not restored.

Nothing is dropped silently: each setting is taken, named as left out, or known to say nothing about the result. Knows no format.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

SENTENCES = 60
"""The most that one file can say; the rest is counted."""
SHOWN = 80
"""Characters of a foreign value in a sentence."""


@dataclass(frozen=True)
class Foreign:
    """Settings of another program. `tool` is its name, `kind` the kind of our task that they fit.

    `settings` go by the names of our fields; `model` is as the other program calls it, `model_hash` what it says of its file ('': none).
    Values are not checked against any task's limits: see `restore.restored`. `left_out` are sentences.
    """

    tool: str
    settings: Mapping[str, str | int | float]
    left_out: tuple[str, ...] = ()
    kind: str = "text_to_image"
    model_hash: str = ""

    def with_more(self, sentences: Iterable[str]) -> Foreign:
        """The same with further sentences."""
        return replace(self, left_out=(*self.left_out, *sentences))


@dataclass
class Sheet:
    """The form of one file while it is filled in. `values` are the other program's settings that nobody has looked at yet."""

    tool: str
    values: dict[str, object]
    kind: str = "text_to_image"
    model_hash: str = ""
    settings: dict[str, str | int | float] = field(default_factory=dict[str, "str | int | float"])
    left_out: dict[str, None] = field(default_factory=dict[str, None])

    def pop(self, *keys: str) -> object:
        """The value of the first of `keys` that is there and says something; all of them count as looked at."""
        found = [self.values.pop(key) for key in keys if key in self.values]
        return next((value for value in found if not empty(value)), None)

    def words(self, name: str, *keys: str) -> None:
        """Take a text."""
        value = self.pop(*keys)
        if isinstance(value, str):
            self.settings[name] = value
        elif value is not None:
            self.leave(keys[0], value, "it is no text")

    def number(self, name: str, *keys: str, whole: bool = False) -> None:
        """Take a number, which may be written as text."""
        value = self.pop(*keys)
        if value is None:
            return
        number = to_number(value)
        if number is None or (whole and not float(number).is_integer()):
            self.leave(keys[0], value, "it is no whole number" if whole else "it is no number")
        else:
            self.settings[name] = int(number) if whole else float(number)

    def seed(self, *keys: str) -> None:
        """Take a seed; -1 stands for a fresh one everywhere."""
        self.number("seed", *keys, whole=True)
        if self.settings.get("seed") == -1:
            del self.settings["seed"]
            self.say("The seed is -1, a fresh one at each run: the seed stays empty.")

    def size(self, name: str, value: object) -> None:
        """Take width and height from "512x768", "1152*896", "(512, 768)" or a pair of numbers."""
        text = shown(value)
        sides = re.fullmatch(r"\D{0,3}(\d{1,6})\D{1,4}(\d{1,6})\D{0,3}", text)
        if sides:
            self.settings |= {"width": int(sides[1]), "height": int(sides[2])}
        elif value is not None:
            self.leave(name, value, "it is no size")

    def ignore(self, *keys: str) -> None:
        """Settings that say nothing about the result: versions, dates, counters."""
        for key in keys:
            self.values.pop(key, None)

    def say(self, sentence: str) -> None:
        """Note a sentence, once."""
        if sentence:
            self.left_out[sentence] = None

    def leave(self, name: str, value: object, reason: str = "") -> None:
        """Note that a setting could not be restored. Without a reason its name tells it."""
        self.say(f"{label(name)} ({shown(value)}) was left out: {reason or _reason(name)}.")

    def done(self) -> Foreign:
        """The result: whatever nobody has looked at is named."""
        for name, value in self.values.items():
            if not empty(value):
                self.leave(name, value)
        self.values = {}
        said = list(self.left_out)[:SENTENCES]
        if len(self.left_out) > SENTENCES:
            said.append(f"And {len(self.left_out) - SENTENCES:,} more settings of {self.tool} were left out.")
        settings = {name: value for name, value in self.settings.items() if value != ""}
        return Foreign(self.tool, settings, tuple(said), self.kind, self.model_hash)


def empty(value: object) -> bool:
    """Whether a value says that something is absent or off."""
    return value is None or value is False or (isinstance(value, str | list | dict) and value in ("", "None", "none", "False", [], {}))


def to_number(value: object) -> int | float | None:
    """A finite number, or a text of up to 25 characters that is one, exactly; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 10**20 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    if re.fullmatch(r"-?[0-9]{1,20}", text):
        return int(text)
    return float(text) if len(text) <= 25 and re.fullmatch(r"-?[0-9]+(\.[0-9]*)?(e[-+]?[0-9]{1,2})?", text) else None


def label(name: str) -> str:
    """A foreign key as a sentence begins with it."""
    words = shown(re.sub(r"[_\s]+", " ", name[:SHOWN])).strip()
    return words[:1].upper() + words[1:] if words else "A setting without a name"


def shown(value: object) -> str:
    """A foreign value in a sentence: one line, at most SHOWN characters, without control or direction marks."""
    if isinstance(value, dict | list | tuple):
        entries = cast("dict[object, object] | list[object] | tuple[object, ...]", value)
        plain = [str(entry) for entry in entries if isinstance(entry, str | int | float)][:4] if not isinstance(entries, dict) else []
        return (
            shown(", ".join(plain))
            if plain and len(plain) == len(entries)
            else f"{len(entries)} {'entry' if len(entries) == 1 else 'entries'}"
        )
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**20:
        return "a very long number"
    text = str(value)[: 4 * SHOWN]
    text = " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


_REASONS = (
    (("lora", "lyco", "hypernet", "lokr"), "add-on weights are not used here"),
    (
        ("controlnet", "control_", "t2iadapter", "ipadapter", "ip_adapter", "ip-adapter", "reference_", "vibe"),
        "pictures that steer another are not used here",
    ),
    (("vae",), "each model here decodes with its own"),
    (("hires", "hrf", "upscale", "refinerupscale", "hr_"), "pictures are not enlarged in a second pass here"),
    (("refiner",), "a second model does not take over here"),
    (("clip skip", "clip_skip", "clipstop", "clip stop", "clip_stop"), "the models here use all layers of their text reader"),
    (("embedding", "ti hashes", "textual"), "learned words are not used here"),
    (("variation", "subseed", "seed resize"), "seeds are not mixed here"),
    (("seamless", "tiling"), "pictures are not made to tile here"),
    (("face", "restoration", "adetailer", "detailer"), "faces are not drawn again here"),
    (("style",), "there is no style of that name here; import its styles first"),
    (("init_image", "init image", "input_image"), "that picture is not in this file"),
    (("mask",), "the mask is not in this file"),
)


def _reason(name: str) -> str:
    folded = name.casefold()
    return next((reason for keys, reason in _REASONS if any(key in folded for key in keys)), "there is no such setting here")
