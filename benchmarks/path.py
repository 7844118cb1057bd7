"""The studio's path: from a task to a saved creation, against the bare pipeline on weights of its own.

Compared, once for the picture starter and once for a Stable Diffusion of middling size with random weights: a whole run by the studio
(choosing the card, journal, queue, previews, record, PNG, library) and the engine's pipeline alone, called for the same resolved task
with a report that nobody reads, and nothing kept. Both run in a new thread for each picture, as in any program that can be stopped; their
weights are resident; they take turns, and each goes first in every other round. What the studio adds is the median of the differences
of the rounds. CPU-seconds of the whole process stand beside the wall's, since other work on the machine stretches those.

Claim: at most 3 % plus 40 ms more wall time. Also: a second picture reads no weight; a warm 128 px starter picture takes at most 3
CPU-seconds, words to file; the peak memory of the process with both starters is reported.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import _measure
from _middling import NAME, card, middling, opened

from studio.creations import Creation
from studio.models import resolve
from studio.studio import Studio
from studio.tasks import Task, TextToImage, Write

PICTURE = TextToImage(prompt="a red apple", seed=1, width=128, height=128)
MIDDLING = TextToImage(prompt="x", model=NAME, seed=1)


@dataclass(frozen=True)
class Cost:
    """Seconds of one picture, by the wall and of all cores."""

    wall: float
    cpu: float


def quiet(event: object) -> None:
    """A report that nobody reads."""


def through(studio: Studio, task: Task) -> Creation:
    """One run by the studio, to its saved creation."""
    return next(event for event in list(studio.run(task)) if isinstance(event, Creation))


def bare(studio: Studio, task: Task) -> Callable[[], None]:
    """The same pipeline called directly in a thread, on components loaded for it alone."""
    model = studio.card_for(task)
    resolved = resolve(task, model)
    recipe = studio.recipe(model, resolved)
    values = {role: component.load(quiet) for role, component in recipe.components.items()}
    pipeline = recipe.build(values)

    def draw() -> None:
        drawing = threading.Thread(target=lambda: list(pipeline(resolved, quiet)))
        drawing.start()
        drawing.join()

    return draw


def cost(work: Callable[[], object]) -> Cost:
    """What one call takes."""
    found: list[float] = []
    wall = _measure.seconds(lambda: found.append(_measure.cpu_seconds(work)))
    return Cost(wall, found[0])


def compare(studio: Studio, task: Task, name: str, count: int) -> None:
    """Measure `count` rounds of the studio and of the bare pipeline, and print what the studio adds."""
    direct = bare(studio, task)
    through(studio, task)
    direct()
    keys = {r.key for r in studio.manager.status().residents}
    alone: list[Cost] = []
    whole: list[Cost] = []
    for number in range(count):
        turns = [(alone, direct), (whole, lambda: through(studio, task))]
        for costs, work in turns if number % 2 else reversed(turns):
            costs.append(cost(work))
    rounds = list(zip(alone, whole, strict=True))
    wall = statistics.median(more.wall - less.wall for less, more in rounds)
    cpu = statistics.median(more.cpu - less.cpu for less, more in rounds)
    usual = statistics.median(one.wall for one in alone)
    print(
        f"path, {name}: bare {usual * 1e3:.0f} ms; the studio adds {wall * 1e3:+.0f} ms (claim <= {(0.03 * usual + 0.04) * 1e3:.0f} ms), "
        f"{cpu * 1e3:+.0f} CPU-ms to {statistics.median(one.cpu for one in alone) * 1e3:.0f}; {count} rounds"
    )
    print(f"  the second picture read no weight: {keys == {r.key for r in studio.manager.status().residents}}")


def starters() -> None:
    """The picture starter's path and cost, and the memory of a process that holds both starters."""
    studio = Studio.open(_measure.settings())
    compare(studio, PICTURE, "starter", 15)
    cpu = _measure.rounds({"picture": lambda: _measure.cpu_seconds(lambda: through(studio, PICTURE))})["picture"]
    print(f"warm 128 px starter picture, words to file: {cpu:.2f} CPU-s (claim <= 3)")
    through(studio, Write(prompt="Write one sentence about the sea.", max_new_tokens=40, seed=1))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory of the process with both starters: {peak:.2f} GB (aim < 1.5)")
    studio.close()


def main() -> None:
    """Measure and print."""
    starters()
    with tempfile.TemporaryDirectory() as folder:
        studio = opened(card(middling(Path(folder) / "model"), width=128, height=128, steps=2))
        compare(studio, MIDDLING, "middling Stable Diffusion", 7)
        studio.close()
    print(f"  medians of rounds in turns; {_measure.machine()}")


if __name__ == "__main__":
    main()
