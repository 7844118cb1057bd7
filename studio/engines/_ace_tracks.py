"""Single instruments for ACE-Step: one taken out of a mix, one added to it, or those that it lacks. Knows no pipeline and no sound."""

from __future__ import annotations

from typing import Any

from studio.errors import InvalidInput
from studio.tasks import Compose

WAYS = ("extract", "lego", "complete")
"""Uses of a reference that name instruments, by ACE-Step's own names for them."""
TRACKS = (
    "vocals", "backing vocals", "drums", "bass", "guitar", "keyboard", "percussion", "strings", "synth", "fx", "brass", "woodwinds",
)  # fmt: skip
"""What it was trained to tell apart."""
_KINDS = {
    "piano": "keyboard", "organ": "keyboard", "clavinet": "keyboard", "harpsichord": "keyboard", "voice": "vocals", "singing": "vocals",
    "choir": "backing vocals", "violin": "strings", "viola": "strings", "cello": "strings", "harp": "strings", "drum": "drums",
    "trumpet": "brass", "trombone": "brass", "horn": "brass", "tuba": "brass", "flute": "woodwinds", "clarinet": "woodwinds",
    "oboe": "woodwinds", "saxophone": "woodwinds", "bassoon": "woodwinds", "pad": "synth", "lead": "synth", "banjo": "guitar",
}  # fmt: skip


def check(name: str, task: Compose) -> None:
    """Refuse instruments it does not tell apart, none, and more than one where one is meant. Raises InvalidInput."""
    if task.way not in WAYS:
        return
    if not task.instruments:
        raise InvalidInput(f"Say under Instruments which one is meant: {name} knows {', '.join(TRACKS)}.", "instruments")
    if len(task.instruments) > 1 and task.way != "complete":
        raise InvalidInput("Name one instrument for this; run it again for another.", "instruments")
    for one in task.instruments:
        if _track(one) is None:
            raise InvalidInput(f"{name} does not tell {one} apart: choose of {', '.join(TRACKS)}.", "instruments")


def told(task: Compose) -> dict[str, Any]:
    """What the pipeline is told beside the recording; nothing for other ways."""
    if task.way not in WAYS:
        return {}
    tracks = [track for one in task.instruments if (track := _track(one)) is not None]
    if task.way == "complete":
        return {"task_type": "complete", "complete_track_classes": tracks}
    return {"task_type": task.way, "track_name": tracks[0]}


def _track(instrument: str) -> str | None:
    words = " ".join(instrument.casefold().replace("_", " ").split())
    if words in TRACKS:
        return words
    return next((kind for word, kind in {**{track: track for track in TRACKS}, **_KINDS}.items() if word in words), None)
