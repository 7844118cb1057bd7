"""A run on the device, and once more where memory ran out: in the next way that needs less, or in the same one with all others gone.

Knows the manager, and neither journal nor library.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Set
from dataclasses import replace

from studio import shortage
from studio.creations import Media, Report
from studio.manager import Manager, Recipe
from studio.residency import Plan
from studio.tasks import Task

log = logging.getLogger("atelier")

FACT = "memory"
"""Where the facts of a result say in which way it was made, if not in the recipe's own."""


def _nothing() -> None:
    return


def made(
    manager: Manager,
    recipe: Recipe,
    task: Task,
    report: Report,
    *,
    owner: str = "",
    like: str = "",
    begun: Callable[[], None] = _nothing,
) -> Generator[tuple[Media, float]]:
    """What the pipeline makes, each with the seconds it took; `begun` is called once the device is there, at each attempt.

    `like` is the title of the way to go at once, where an earlier result was made in it. Where memory runs out before anything came
    out, what nobody uses is unloaded and the run tried once more; others go on as they were. What the second attempt raises is raised.
    """
    skip = _before(recipe, like)
    for last in (False, True):
        plans: list[Plan] = []
        out = 0
        try:
            with manager.lease(recipe, task, report, owner=owner, skip=skip, told=plans.append) as pipeline:
                begun()
                since = time.monotonic()
                for media in pipeline(task, report):
                    out += 1
                    yield _told(media, plans[0]), time.monotonic() - since
                    since = time.monotonic()
            return
        except Exception as error:
            if last or out or not plans or not shortage.ran_out(error):
                raise
            shortage.let_go(error)
            if not manager.relieve(recipe, task, plans[0].way):
                skip = {*skip, plans[0].way}
            if all(way.name in skip for way in (recipe.own, *recipe.ways)):
                raise
        log.warning("a run found too little memory: what nobody used was unloaded, and it is tried once more")


def loaded(manager: Manager, recipe: Recipe, task: Task, report: Report, *, owner: str = "") -> None:
    """Load what the recipe needs, and run nothing; once more where memory ran out."""
    ways = tuple(replace(way, build=_still, first=None) for way in recipe.ways)
    for _ in made(manager, replace(recipe, build=_still, ways=ways, key=""), task, report, owner=owner):
        pass


def _still(_: object) -> Callable[[Task, Report], tuple[Media, ...]]:
    return _silent


def _silent(_: Task, __: Report) -> tuple[Media, ...]:
    return ()


def _before(recipe: Recipe, title: str) -> Set[str]:
    """The ways that come before the one of that title; none where there is none."""
    titles = [way.title for way in (recipe.own, *recipe.ways)]
    place = titles.index(title) if title in titles else 0
    return {way.name for way in (recipe.own, *recipe.ways)[:place]}


def _told(media: Media, plan: Plan) -> Media:
    return replace(media, facts={**media.facts, FACT: plan.title}) if plan.title else media
