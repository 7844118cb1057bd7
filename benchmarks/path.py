"""The studio's path: from a task to a saved creation, against the bare pipeline on the same resident weights.

Claim: at most 3 % plus 40 ms more wall time. Also: a second picture reads no weight; a warm 128 px starter picture takes at most 3
CPU-seconds, words to file; the peak memory of the process with both starters is reported.
"""

from __future__ import annotations

import resource
from collections.abc import Callable

import _measure

from studio.creations import Creation
from studio.models import resolve
from studio.studio import Studio
from studio.tasks import Task, TextToImage, Write

PICTURE = TextToImage(prompt="a red apple", seed=1, width=128, height=128)


def quiet(event: object) -> None:
    """A report that nobody reads."""


def through(studio: Studio, task: Task) -> Creation:
    """One run by the studio, to its saved creation."""
    return next(event for event in list(studio.run(task)) if isinstance(event, Creation))


def bare(studio: Studio, task: Task) -> Callable[[], object]:
    """The same pipeline called directly, on components loaded for it alone."""
    card = studio.card_for(task)
    resolved = resolve(task, card)
    recipe = studio.recipe(card, resolved)
    values = {role: component.load(quiet) for role, component in recipe.components.items()}
    pipeline = recipe.build(values)
    return lambda: list(pipeline(resolved, quiet))


def main() -> None:
    """Measure and print."""
    studio = Studio.open(_measure.settings())
    direct = bare(studio, PICTURE)
    through(studio, PICTURE)
    direct()
    keys = {r.key for r in studio.manager.status().residents}
    found = _measure.rounds(
        {"bare": lambda: _measure.seconds(direct), "studio": lambda: _measure.seconds(lambda: through(studio, PICTURE))}, count=9
    )
    extra = found["studio"] - found["bare"]
    allowed = 0.03 * found["bare"] + 0.04
    print(
        f"path: {found['studio'] * 1e3:.0f} ms, bare {found['bare'] * 1e3:.0f} ms; {extra * 1e3:+.0f} ms (claim <= {allowed * 1e3:.0f} ms)"
    )
    print(f"  the second picture read no weight: {keys == {r.key for r in studio.manager.status().residents}}")
    cpu = _measure.rounds({"picture": lambda: _measure.cpu_seconds(lambda: through(studio, PICTURE))})["picture"]
    print(f"warm 128 px starter picture, words to file: {cpu:.2f} CPU-s (claim <= 3)")
    through(studio, Write(prompt="Write one sentence about the sea.", max_new_tokens=40, seed=1))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory of the process with both starters: {peak:.2f} GB (aim < 1.5)")
    print(f"  medians, interleaved; {_measure.machine()}")
    studio.close()


if __name__ == "__main__":
    main()
