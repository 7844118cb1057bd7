"""Prompts that were read before: a new seed for the same words asks no text encoder.

What an encoder makes of a prompt depends on the prompt alone, so it is kept and given back as it is. It is a component of its own beside
the encoders that made it: it goes when they go out of use. Knows no pipeline but that it has `encode_prompt`.
"""

from __future__ import annotations

import functools
import inspect
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from studio.creations import Report
from studio.errors import NotEnoughMemory
from studio.manager import Component

LIMIT = 32 << 20
"""Bytes of what is kept: eight prompts of a large T5, hundreds of a CLIP."""
ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3", "file")
"""Roles whose weights make the difference between two readings."""


class Read:
    """Readings of one set of encoders, the least recently used first. One job at a time uses it, as it does the encoders."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._asked: dict[Hashable, tuple[Hashable, ...]] = {}

    @property
    def bytes(self) -> int:
        """Bytes that are kept."""
        return sum(size for _, size in self._kept.values())

    def get(self, key: Hashable, read: Callable[[], Any]) -> Any:
        """What was kept under `key`, else what `read` gives, kept from now on."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return _copied(self._kept[key][0])
        value = read()
        size = _size(value)
        if size is not None and size <= self._limit:
            self._kept[key] = _copied(value), size
            while self.bytes > self._limit:
                self._kept.popitem(last=False)
        return value

    def has(self, name: Hashable) -> bool:
        """Whether all that was looked at under that name is still kept."""
        return all(key in self._kept for key in self._asked.get(name, (None,)))

    def note(self, name: Hashable, keys: Iterable[Hashable]) -> None:
        """These were looked at under that name. What is not kept any more is forgotten."""
        self._asked = {other: kept for other, kept in self._asked.items() if self.has(other)} | {name: tuple(keys)}


def component(parts: Mapping[str, Component]) -> Component:
    """The readings of the encoders among `parts`, as a component."""
    keys = "+".join(parts[role].key for role in ENCODERS if role in parts)

    def load(_: Report) -> Read:
        return Read()

    return Component(f"{keys}:prompts", LIMIT, load)


def remembered(pipe: Any, read: Read, seen: list[Hashable] | None = None, place: Any = None) -> None:
    """Let `pipe` look among the readings before it asks its encoders. Calls with anything but plain values go through as they are.

    `seen` gets the keys that are looked at; `place` is the device that the encoders are on, where the pipeline would not know it.
    Raises NotEnoughMemory where the pipeline has no encoders and what they would say is not among the readings.
    """
    encode = getattr(pipe, "encode_prompt", None)
    if encode is None:
        return
    signature, name = inspect.signature(encode), type(pipe).__name__

    def asked(*given: Any, **named: Any) -> Any:
        if {getattr(pipe, role) is None for role in ENCODERS if hasattr(pipe, role)} == {True}:
            raise NotEnoughMemory("This model must be in memory as a whole: choose a smaller model, or unload others under Models.")
        return encode(*given, **named)

    @functools.wraps(encode)
    def looked_up(*given: Any, **named: Any) -> Any:
        bound = signature.bind(*given, **named)
        bound.apply_defaults()
        if place is not None and "device" in bound.arguments:
            bound.arguments["device"] = place
        arguments = {key: value for key, value in bound.arguments.items() if key != "device"}
        try:
            key = (name, tuple((key, _frozen(value)) for key, value in arguments.items()))
        except TypeError:
            return asked(*given, **named)
        if seen is not None:
            seen.append(key)
        return read.get(key, lambda: asked(*bound.args, **bound.kwargs))

    pipe.encode_prompt = looked_up


def unread(pipe: Any, prompt: str) -> str:
    """The end of a prompt that is longer than CLIP reads (77 tokens), where no other text encoder reads it."""
    words = [part for role, part in pipe.components.items() if role.startswith("tokenizer") and part is not None]
    if not words or any(not type(part).__name__.startswith("CLIPTokenizer") for part in words):
        return ""
    limit = words[0].model_max_length
    tokens = words[0](prompt, truncation=False, verbose=False).input_ids
    return str(words[0].decode(tokens[limit - 1 : -1])) if len(tokens) > limit else ""


def _frozen(value: Any) -> Hashable:
    """A plain value that can be compared. Raises TypeError for others: tensors, pictures."""
    if value is None or isinstance(value, str | int | float | bool):
        return type(value).__name__, value
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(map(_frozen, value))
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return "dict", tuple((key, _frozen(value[key])) for key in sorted(value))
    if type(value).__module__ == "torch" and type(value).__name__ == "dtype":
        return str(value)
    raise TypeError


def _copied(value: Any) -> Any:
    """The same tensors in containers of their own, since pipelines add to their lists."""
    if isinstance(value, list | tuple):
        return type(value)(map(_copied, value))
    return value


def _size(value: Any) -> int | None:
    """Bytes of the tensors in it; None for anything that is no tensor, list, tuple or None."""
    if value is None:
        return 0
    if isinstance(value, list | tuple):
        sizes = [_size(part) for part in value]
        return None if None in sizes else sum(size for size in sizes if size is not None)
    if hasattr(value, "element_size"):
        return value.numel() * value.element_size()
    return None
