"""What a task takes over from notes that it starts from: tempo, key and players, the bars that stay, the length of the whole.

Knows no composer and makes no note.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from studio.music import brief, packed
from studio.music.plan import Plan
from studio.music.reference import Reference, read_notes
from studio.music.score import Lead, Score, Section
from studio.tasks import Compose


def given(task: Compose) -> Reference:
    """What its reference holds; nothing where it has none. Raises InvalidInput or MediaUnreadable as `reference.read_notes` does."""
    return read_notes(Path(task.reference)) if task.reference else Reference()


def like(task: Compose, given: Reference) -> Compose:
    """The task with tempo and key of what it starts from where it says none, and its meter.

    Where that is gone on with, its tempo and key stand whatever the task says, and so do genre and players where it says none. A loop
    stays one, unless only its melody is taken or the words say otherwise.
    """
    if given.lead is None:
        return task
    values: dict[str, object] = {}
    joined = given.score is not None and task.way not in ("melody", "cover")
    if given.bpm is not None and (task.bpm is None or joined):
        values["bpm"] = min(300.0, max(30.0, given.bpm))
    if given.key and (not task.key or joined):
        values["key"] = given.key
    if joined:
        values |= {"genre": task.genre or given.genre, "instruments": task.instruments or given.instruments[:8]}
    if given.loop and task.way != "melody" and not brief.ends(task.prompt):
        values["loop"] = True
    return task.model_copy(update={**values, "time_signature": str(given.lead.meter)})


def whole(task: Compose, plan: Plan, given: Reference) -> float:
    """Seconds of all that would be played: what is made, and what it is joined to."""
    if given.lead is not None and task.way in ("melody", "cover"):
        return fitting(plan, given.lead).seconds
    if given.score is None:
        return plan.seconds
    if task.way == "repaint":
        return given.score.seconds
    return plan.seconds + (kept(given.score, task) if task.way == "continue" else given.score).seconds


def fitting(plan: Plan, lead: Lead) -> Plan:
    """The plan for music whose bars and sections are those of a given melody."""
    named = sum(section.bars for section in lead.sections) == lead.bars
    return replace(plan, sections=lead.sections if named else (Section("A", 0, lead.bars, plan.sections[0].energy),), meter=lead.meter)


def at(plan: Plan, score: Score) -> Plan:
    """The plan in the tempo, key and meter of a score."""
    return replace(plan, bpm=score.bpm, key=score.key, meter=score.meter)


def section(plan: Plan, score: Score, bar: int, bars: int) -> Section:
    """One section for bars made anew, with the energy of those they replace."""
    energy = next(
        (section.energy for section in score.sections if section.bar <= bar < section.bar + section.bars), plan.sections[0].energy
    )
    return Section("A", 0, bars, energy)


def bars(score: Score, task: Compose) -> tuple[int, int]:
    """The region in whole bars of the score: (the first, how many)."""
    bar = score.seconds / score.bars
    first = round((task.region_start or 0) / bar)
    last = round((task.region_end or score.seconds) / bar)
    first = min(max(first, 0), score.bars - 1)
    return first, min(max(last, first + 1), score.bars) - first


def kept(score: Score, task: Compose) -> Score:
    """The score up to the end of the region, where there is one: what follows is made anew."""
    if task.region_end is None:
        return score
    bar = score.seconds / score.bars
    return packed.cut(score, 0, min(max(round(task.region_end / bar), 1), score.bars))
