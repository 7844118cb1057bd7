"""Weights kept in another way than whole on the device: packed in 8 or 4 bits, or all of it beside the device, for any engine.

Makes components out of components; knows no pipeline and no task, and which way is offered when is an engine's matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from studio import components
from studio.creations import Report
from studio.device import Device
from studio.engines import _packing
from studio.errors import NotEnoughMemory
from studio.manager import Component
from studio.models import ModelCard

PROCESSOR = "processor"
"""The name of the way in which all is made beside the device."""


def packed(card: ModelCard, plain: Component, key: str, kind: str, size: int, device: Device) -> Component:
    """The module that `plain` loads into the machine's memory, packed as `kind` says and put on the device; `size` is its bytes then.

    On a GPU it is packed once, and comes back from pinned memory.
    """

    def load(report: Report) -> object:
        with components.memory_in_words(f"{card.name} does not fit the memory that is free: unload another model."):
            if device.pinned is not None and (kept := device.pinned.get(key, device.place)) is not None:
                return kept
            found = _packing.pack(plain.load(report), kind, device.place)
            if device.pinned is not None:
                device.pinned.keep_like(key, found, size)
            return found

    return Component(key, size, load, nearby=components.nearby(key, device))


def beside(card: ModelCard, parts: Mapping[str, Component]) -> dict[str, Component]:
    """`parts` of a recipe for the processor, where the device is another one: they take none of its memory."""

    def load(part: Component, report: Report) -> object:
        check_room(card, part.bytes)
        return part.load(report)

    return {
        role: replace(part, key=f"{part.key}+{PROCESSOR}", bytes=0, load=lambda report, part=part: load(part, report))
        for role, part in parts.items()
    }


def on_host(device: Device) -> Device:
    """The machine's processor and memory, whatever the device is."""
    return replace(device, wanted="cpu", index=None)


def check_room(card: ModelCard, size: int) -> int:
    """Bytes that the machine has left. Raises NotEnoughMemory where `size` more would not fit; the ledger counts the device's alone."""
    free = Device("cpu").room(0)
    if size > free:
        raise NotEnoughMemory(f"{card.name} does not fit the machine's memory: unload another model, or choose a smaller one.")
    return free
