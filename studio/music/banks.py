"""What plays notes: the studio's own synthesiser, and soundfonts with their licence. Knows no score and makes no sound."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from studio.errors import InvalidInput

OWN = "Atelier Synth"
"""The name of the studio's own synthesiser."""
CARRIED = "TimGM6mb"
"""The name of the General MIDI soundfont that comes with the package pretty_midi."""

_LARGEST = 1 << 30


@dataclass(frozen=True)
class Bank:
    """A set of sounds: `licence` is that of its samples; `file` is a soundfont (SF2), None for the studio's own synthesiser."""

    name: str
    licence: str
    file: Path | None = None


def banks(soundfont: Path | None = None) -> tuple[Bank, ...]:
    """The banks of this machine, the studio's own first; `soundfont` is one that the user brings.

    Raises InvalidInput with the field `bank` where that one is no soundfont.
    """
    found = [Bank(OWN, "Apache-2.0")]
    place = importlib.util.find_spec("pretty_midi")
    if place is not None and place.origin is not None and (path := Path(place.origin).parent / f"{CARRIED}.sf2").is_file():
        found.append(Bank(CARRIED, "GPL-2.0 samples", path))
    if soundfont is not None:
        found.append(_brought(soundfont, {bank.name for bank in found}))
    return tuple(found)


def bank_named(name: str, soundfont: Path | None = None) -> Bank:
    """The bank of that name, whatever its case. Raises InvalidInput with the field `bank` that names those there are."""
    known = banks(soundfont)
    for bank in known:
        if bank.name.casefold() == name.strip().casefold():
            return bank
    names = ", ".join(bank.name for bank in known)
    raise InvalidInput(f"There is no set of sounds called '{name.strip()[:60]}': choose one of {names}.", "bank")


def _brought(path: Path, taken: set[str]) -> Bank:
    """The user's soundfont, after a look at its header."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        raise InvalidInput(f"The soundfont {path.name} cannot be read: check the file's place and that it may be opened.", "bank") from None
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise InvalidInput(f"{path.name} is no soundfont: choose a file in the SF2 format.", "bank")
    if int.from_bytes(head[4:8], "little") + 8 > size:
        raise InvalidInput(f"The soundfont {path.name} is cut short: fetch it again.", "bank")
    if size > _LARGEST:
        raise InvalidInput(f"The soundfont {path.name} is larger than 1 GB: choose a smaller one.", "bank")
    name = path.stem if path.stem not in taken else f"{path.stem} (yours)"
    return Bank(name, "unknown", path)
