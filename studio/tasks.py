"""What can be asked of the studio: one frozen model a craft. Limits and defaults stand here once.

Forms, HTTP, the command line, presets, records and tests all read them from here. Knows no model and no page.
A field whose default is None takes the chosen model card's own default (see `models.resolve`).
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from studio.errors import InvalidInput

PROMPT_LIMIT = 4_000
TEXT_LIMIT = 60_000
LINE_LIMIT = 200
SEED_LIMIT = 2**32 - 1


def _plain_text(value: object) -> object:
    """Text as typed, line ends as \\n. Control characters and halves of surrogate pairs are refused, never repaired."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise PydanticCustomError("words", "must be text")
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise PydanticCustomError("words", "holds a broken character (half of an emoji); delete it and type it again")
    if any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in value):
        raise PydanticCustomError("words", "holds an invisible control character; paste it as plain text")
    return value


def _number(value: object) -> object:
    """A finite number, or None for an empty field. Booleans and text are no numbers."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)):
        return value
    raise PydanticCustomError("number", "no number")


def _lines(value: object) -> object:
    """One entry a line, or a list of texts; blank entries are dropped."""
    if value is None:
        return ()
    if not isinstance(value, str | list | tuple):
        raise PydanticCustomError("words", "must be text, one entry a line")
    entries = cast("Sequence[object]", value.split("\n") if isinstance(value, str) else value)
    if any(isinstance(entry, str) and len(entry) > LINE_LIMIT for entry in entries):
        raise PydanticCustomError("words", "takes entries of at most {most} characters", {"most": LINE_LIMIT})
    return tuple(entry for entry in map(_plain_text, entries) if isinstance(entry, str) and entry.strip())


def _said(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("missing", "empty")
    return text


Text = Annotated[str, BeforeValidator(_plain_text)]
Whole = Annotated[int, BeforeValidator(_number)]
Real = Annotated[float, BeforeValidator(_number)]
Said = Annotated[str, BeforeValidator(_plain_text), AfterValidator(_said)]
Lines = Annotated[tuple[str, ...], BeforeValidator(_lines)]


class Task(BaseModel):
    """A request as data. `kind` is also the HTTP endpoint; its fields are the endpoint's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]
    medium: ClassVar[str]
    if TYPE_CHECKING:  # every task has these two; each declares them in its own place, since the order is that of the endpoint
        model: str
        seed: int | None

    @classmethod
    def checked(cls, values: Mapping[str, object]) -> Self:
        """Build the task from loose values (None: the default) or raise InvalidInput with one sentence that names the field."""
        try:
            return cls.model_validate({name: value for name, value in values.items() if value is not None})
        except ValidationError as error:
            raise _sentence(cls, error) from None


class TextToImage(Task):
    """Words become pictures. Sizes in pixels; picture k of a batch is made from seed + k alone."""

    kind: ClassVar[str] = "text_to_image"
    medium: ClassVar[str] = "picture"

    prompt: Said = Field(min_length=1, max_length=PROMPT_LIMIT, title="Prompt", description="What the picture shows")
    negative_prompt: Text = Field(default="", max_length=PROMPT_LIMIT, title="Negative prompt", description="What to avoid")
    model: Text = Field(default="", max_length=200, title="Model", description="Name of a model card; empty: the best one here")
    style: Text = Field(default="", max_length=100, title="Style", description="Name of a style of the model; empty: none")
    width: Whole | None = Field(default=None, ge=64, le=2048, multiple_of=8, title="Width", description="Pixels")
    height: Whole | None = Field(default=None, ge=64, le=2048, multiple_of=8, title="Height", description="Pixels")
    steps: Whole | None = Field(default=None, ge=1, le=150, title="Steps", description="Denoising steps")
    guidance_scale: Real | None = Field(default=None, ge=0, le=30, title="Guidance scale", description="How closely to follow the prompt")
    scheduler: Text = Field(default="", max_length=60, title="Scheduler", description="Empty: the model's own")
    seed: Whole | None = Field(default=None, ge=0, le=SEED_LIMIT, title="Seed", description="Empty: a fresh one, recorded")
    count: Whole = Field(default=1, ge=1, le=8, title="Count", description="Pictures to make")


class Write(Task):
    """Words become words. `document` is the text so far: the answer goes on from its last character."""

    kind: ClassVar[str] = "write"
    medium: ClassVar[str] = "text"

    prompt: Said = Field(min_length=1, max_length=TEXT_LIMIT, title="Instruction", description="What to write")
    system: Text = Field(default="", max_length=PROMPT_LIMIT, title="System prompt", description="Who the writer is")
    document: Text = Field(default="", max_length=TEXT_LIMIT, title="Document", description="Text to continue; empty: start anew")
    model: Text = Field(default="", max_length=200, title="Model", description="Name of a model card; empty: the best one here")
    max_new_tokens: Whole | None = Field(default=None, ge=1, le=4096, title="Longest answer", description="Tokens")
    temperature: Real | None = Field(default=None, ge=0, le=2, title="Temperature", description="0: always the likeliest word")
    top_p: Real | None = Field(default=None, gt=0, le=1, title="Top-p", description="Keep the likeliest words up to this share")
    top_k: Whole | None = Field(default=None, ge=0, le=1000, title="Top-k", description="Keep this many words; 0: all")
    min_p: Real | None = Field(default=None, ge=0, le=1, title="Min-p", description="Drop words below this share of the likeliest")
    repetition_penalty: Real | None = Field(default=None, ge=0.5, le=2, title="Repetition penalty", description="1: none")
    seed: Whole | None = Field(default=None, ge=0, le=SEED_LIMIT, title="Seed", description="Empty: a fresh one, recorded")
    stop: Lines = Field(default=(), max_length=8, title="Stop", description="Texts that end the answer, one a line")


TASKS: dict[str, type[Task]] = {task.kind: task for task in (TextToImage, Write)}


def limits(task: type[Task], name: str) -> dict[str, Any]:
    """The numeric bounds of a field as {"ge": .., "gt": .., "le": .., "multiple_of": .., "max_length": ..}, those that it has."""
    found: dict[str, Any] = {}
    for rule in task.model_fields[name].metadata:
        for key in ("ge", "gt", "le", "multiple_of", "min_length", "max_length"):
            if getattr(rule, key, None) is not None:
                found[key] = getattr(rule, key)
    return found


def range_in_words(task: type[Task], name: str) -> str:
    """For example 'a whole number from 1 to 150' or 'a number above 0 and up to 1'."""
    rules = limits(task, name)
    whole = "int" in str(task.model_fields[name].annotation)
    words = "a whole number" if whole else "a number"
    low = f"from {rules['ge']:g}" if "ge" in rules else f"above {rules['gt']:g} and up" if "gt" in rules else ""
    words = f"{words} {low} to {rules['le']:.0f}" if whole else f"{words} {low} to {rules['le']:g}"
    return words + (f" in steps of {rules['multiple_of']}" if "multiple_of" in rules else "")


def _sentence(task: type[Task], error: ValidationError) -> InvalidInput:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if name not in task.model_fields:
        known = ", ".join(task.model_fields)
        return InvalidInput(f"There is no field of that name; the fields are {known}.", name)
    title, rules, kind = task.model_fields[name].title or name, limits(task, name), first["type"]
    if kind in ("missing", "string_too_short"):
        return InvalidInput(f"{title} is empty: say what you would like.", name)
    if kind == "string_too_long":
        size = len(first["input"]) if isinstance(first["input"], str) else 0
        return InvalidInput(f"{title} is {size:,} characters long; {rules['max_length']:,} is the most. Shorten it.", name)
    if kind == "too_long":
        return InvalidInput(f"{title} takes at most {rules['max_length']} entries.", name)
    if kind == "words":
        return InvalidInput(f"{title} {first['msg']}.", name)
    if "le" in rules:
        return InvalidInput(f"{title} must be {range_in_words(task, name)}.", name)
    return InvalidInput(f"{title} cannot be used: {first['msg']}.", name)
