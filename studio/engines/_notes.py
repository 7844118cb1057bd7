"""The notes of a take of the composer: new ones, and what stays of those that it starts from. Knows no sound and no file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from studio.creations import Json, Preview, Progress, Report
from studio.errors import Cancelled
from studio.music import going_on, segments
from studio.tasks import SEED_LIMIT, Compose

if TYPE_CHECKING:
    from studio.music.composer import Composer
    from studio.music.genres import Genre
    from studio.music.plan import Plan
    from studio.music.reference import Reference
    from studio.music.score import Score

CONTEXT_SECONDS = 12.0
"""How much of what stands before is heard where the task does not say."""
APART = 7_919
"""From the seed of one segment to that of the next."""


def score(
    composer: Composer, task: Compose, plan: Plan, genres: Mapping[str, Genre], given: Reference, report: Report
) -> tuple[Score, list[Json]]:
    """The notes, and of a timeline the segments as they came to lie; of a stopped one those that were whole, and Cancelled where none was.

    The task's seed is that of this very attempt.
    """
    if task.segments.strip():
        return _timeline(composer, task, genres, given, report)
    return _whole(composer, task, plan, genres[plan.genre], given, report), []


def within(laid: list[Json], seconds: float) -> list[Json]:
    """Of segments as they lie, those that begin before so many seconds, the last no longer than to there."""
    kept = [part for part in laid if isinstance(part, dict) and cast("float", part["start"]) < seconds - 1e-3]
    return [part | {"seconds": round(min(cast("float", part["seconds"]), seconds - cast("float", part["start"])), 3)} for part in kept]


def _whole(composer: Composer, task: Compose, plan: Plan, genre: Genre, given: Reference, report: Report) -> Score:
    """New notes, or new ones where the reference has none or may lose them."""
    from studio.music import arrange, packed

    if task.way in ("melody", "cover") and given.lead is not None:
        return arrange.arrange(going_on.fitting(plan, given.lead), given.lead, genre, task.seed or 0)
    if given.score is None:
        return _new(composer, plan, genre, task, report)
    old = given.score
    plan = going_on.at(plan, old)
    open_ended = replace(plan, loop=True)  # what goes over into more comes to no end, as a loop does not
    if task.way == "repaint":
        first, bars = going_on.bars(old, task)
        head, tail = packed.cut(old, 0, first) if first else None, old.bars - first - bars
        plan = replace(open_ended if tail else plan, sections=(going_on.section(plan, old, first, bars),))
        new = _new(composer, plan, genre, task, report, head)
        middle = packed.joined(head, new) if head is not None else new
        return packed.joined(middle, packed.cut(old, first + bars, tail)) if tail else middle
    if task.way == "lead":
        return packed.joined(_new(composer, open_ended, genre, task, report), old)
    kept = going_on.kept(old, task)
    return packed.joined(kept, _new(composer, plan, genre, task, report, kept))


def _timeline(composer: Composer, task: Compose, genres: Mapping[str, Genre], given: Reference, report: Report) -> tuple[Score, list[Json]]:
    """Segment after segment, each hearing what stands before it."""
    from studio.music import packed, timeline

    plans = timeline.plans(task, genres)
    total = sum(one.bars for one in plans)
    made = going_on.kept(given.score, task) if given.score is not None else None
    laid: list[Json] = []
    for number, (found, part) in enumerate(zip(plans, segments.read(task.segments), strict=True)):
        before = sum(one.bars for one in plans[:number])

        def told(event: Progress | Preview, before: int = before, number: int = number) -> None:
            note = f"Segment {number + 1} of {len(plans)}"
            report(replace(event, done=event.done + before, total=total, note=note) if isinstance(event, Progress) else event)

        one = task.model_copy(update={"seed": ((task.seed or 0) + number * APART) % (SEED_LIMIT + 1)})
        plan = found if made is None else going_on.at(found, made)
        try:
            new = _new(composer, plan, genres[plan.genre], one, told, made)
        except Cancelled:
            if made is None or not laid:
                raise
            break
        start = 0.0 if made is None else made.seconds
        laid.append({"start": round(start, 3), "seconds": round(new.seconds, 3), "words": part.words})
        made = new if made is None else packed.joined(made, new)
    assert made is not None
    return made, laid


def _new(composer: Composer, plan: Plan, genre: Genre, task: Compose, report: Report, before: Score | None = None) -> Score:
    """New notes for a plan, which follow those of `before` as far as the context goes."""
    from studio.music import arrange, packed
    from studio.music.reference import lead_of

    ask = arrange.ask(plan, genre, task.seed or 0)
    top_p = ask.top_p if task.top_p is None else task.top_p
    ask = replace(ask, temperature=task.temperature or ask.temperature, top_p=top_p)
    if before is not None:
        bars = min(before.bars, math.ceil((task.context or CONTEXT_SECONDS) * before.bars / before.seconds))
        ask = replace(ask, heard=lead_of(packed.cut(before, before.bars - bars, bars)))
    return arrange.arrange(plan, composer.lead(ask, report), genre, task.seed or 0)
