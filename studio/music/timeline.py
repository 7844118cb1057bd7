"""From a timeline to plans: one a segment, each from its own words, all in one tempo, key and meter. Knows no note and no sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from studio.errors import InvalidInput
from studio.music import brief, form, segments
from studio.music import plan as planning
from studio.music.genres import Genre
from studio.music.instruments import named_in
from studio.music.plan import Plan
from studio.music.score import Section
from studio.tasks import Compose

NAME = 24
"""Characters of a segment's words that name its section."""


def plans(task: Compose, genres: Mapping[str, Genre]) -> tuple[Plan, ...]:
    """A plan for each segment, of one section. What a segment's words say of genre, mood and players goes before the fields of the task.

    All but the last lead over into what follows, as a loop does. Raises InvalidInput as `plan.read` does, and for a form beside them.
    """
    if task.form.strip():
        raise InvalidInput("The timeline says how the piece is put together: leave Form empty.", "form")
    whole = planning.read(task, genres)
    found = [planning.read(_alone(task, whole, part, genres), genres) for part in segments.read(task.segments)]
    lengths = _bars(task, whole)
    curve = task.energy or brief.energy_in(task.prompt) or "even"
    laid: list[Plan] = []
    for number, (one, part) in enumerate(zip(found, segments.read(task.segments), strict=True)):
        energy = form.with_energy([("A", bars) for bars in lengths], curve, one.sections[0].energy)[number].energy
        name = part.words[:NAME] or f"Part {number + 1}"
        last = number == len(found) - 1
        laid.append(replace(one, sections=(Section(name, 0, lengths[number], energy),), loop=whole.loop or not last))
    return tuple(laid)


def whole(task: Compose, found: Sequence[Plan], genres: Mapping[str, Genre]) -> Plan:
    """All of them as one plan: genre, mood and players are those of the first."""
    sections: list[Section] = []
    for one in found:
        sections.append(replace(one.sections[0], bar=sum(section.bars for section in sections)))
    return replace(found[0], sections=tuple(sections), loop=planning.read(task, genres).loop)


def _alone(task: Compose, whole: Plan, part: segments.Segment, genres: Mapping[str, Genre]) -> Compose:
    """The task of one segment."""
    return task.model_copy(
        update={
            "prompt": part.told(task.prompt), "duration": part.seconds, "segments": "", "form": "A", "energy": "even",
            "bpm": whole.bpm, "key": whole.key.name, "time_signature": str(whole.meter),
            "genre": "" if planning.mentions(part.words, genres) else whole.genre,
            "mood": "" if brief.mood_in(part.words) else task.mood,
            "instruments": () if named_in(part.words.casefold()) else task.instruments,
        }
    )  # fmt: skip


def _bars(task: Compose, whole: Plan) -> list[int]:
    """Whole bars of each, so that all begin as near to where they should as bars allow."""
    bar = whole.seconds / whole.bars
    lengths: list[int] = []
    for part in segments.read(task.segments):
        lengths.append(max(1, round((part.start + part.seconds) / bar) - sum(lengths)))
    return lengths
