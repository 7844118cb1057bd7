"""The last steps of every take: a loop that closes, the loudness that was asked for, and what is heard beside what was asked.

Knows no engine: notes or sound, whoever made them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from studio.creations import Json, Preview, Progress, Report, Sound, Take
from studio.errors import Cancelled
from studio.music import loops, loudness, measure
from studio.music.score import Key, Meter
from studio.tasks import SEED_LIMIT, Compose

ANOTHER = 1_000_003
"""From the seed of one attempt to that of the next."""


def finished(
    sound: Sound, task: Compose, *, bpm: float | None = None, key: str = "", meter: Meter | None = None, steady: bool = True, report: Report
) -> tuple[Sound, dict[str, Json], int]:
    """The sound at its loudness, facts for the record ("loudness", "loop", "checks", "measured"), and how much of the brief it misses.

    `bpm`, `key` and `meter` are what the notes say, where there are notes: then they are what the take is, and the measured ones a check.
    For sound without notes the brief is what the task asks for. `steady` is False for music that need not have a clear beat. Raises
    Cancelled from `report`, before anything is measured.
    """
    report(Progress("running", note="measuring"))
    target = None if task.loudness == "as is" else float(task.loudness)
    facts: dict[str, Json] = {}
    if task.loop and bpm is None:
        sound, facts["loop"] = _cut(sound, task, meter or Meter.read(task.time_signature or "4/4"))
    sound, gain, limited = loudness.to_target(sound, target, circular=task.loop)
    heard = measure.measure(sound)
    asked_key = key or (Key.read(task.key).name if task.key else "")
    lines = measure.brief(heard, bpm=bpm or task.bpm, key=asked_key or None, lufs=target, loop=task.loop, steady=steady)
    if task.loop:
        facts["loop"] = _facts(facts.get("loop")) | _seam(sound)
    facts["loudness"] = {"gain_db": round(gain, 6), "limited": limited}
    facts["measured"] = heard.facts()
    checks: list[Json] = [line.facts() for line in lines]
    facts["checks"] = checks
    return sound, facts, sum(not line.ok for line in lines)


def best(task: Compose, attempt: Callable[[int, int], tuple[int, Take]]) -> Take:
    """The first attempt at a take that meets its brief, or the one that misses least of the `task.retries` + 1 that are allowed.

    `attempt` gets a seed and the number of the attempt, from 1, and returns how much of the brief it misses. The take has the task's own
    seed, from which those of all attempts follow. After a stop it is the best of those that were finished; Cancelled where none was.
    """
    found: list[tuple[int, Take]] = []
    while len(found) <= task.retries and all(missed for missed, _ in found):
        try:
            found.append(attempt(((task.seed or 0) + len(found) * ANOTHER) % (SEED_LIMIT + 1), len(found) + 1))
        except Cancelled:
            if not found:
                raise
            break
    return replace(min(found, key=lambda one: one[0])[1], seed=task.seed or 0)


def unstopped(report: Report) -> Report:
    """The report for takes that are already made: a stop comes too late to lose them, and is not passed on."""

    def told(event: Progress | Preview) -> None:
        with suppress(Cancelled):
            report(event)

    return told


def heard(sound: Sound, *, loop: bool, report: Report) -> dict[str, Json]:
    """The same facts for a sound that stays as it is and was asked to be nothing but itself."""
    report(Progress("running", note="measuring"))
    measured = measure.measure(sound)
    facts: dict[str, Json] = {"measured": measured.facts(), "checks": [line.facts() for line in measure.brief(measured)]}
    if loop:
        facts["loop"] = _seam(sound)
    return facts


def _seam(sound: Sound) -> dict[str, Json]:
    seam = loops.seam(sound)
    return {"jump_db": round(seam.jump_db, 1), "score": round(seam.score, 1), "seconds": sound.seconds}


def _cut(sound: Sound, task: Compose, meter: Meter) -> tuple[Sound, dict[str, Json]]:
    """Whole bars of a sound without notes, closed on themselves: by the asked tempo where there is one, else by the one that is heard.

    A sound without a tempo, or shorter than a bar, is closed as a whole: what was made is never lost for its length.
    """
    bpm = task.bpm if task.bpm is not None else measure.measure(sound).bpm
    bars = 0 if bpm is None else int(sound.seconds / loops.bars_seconds(1, bpm, meter))
    if bpm is None or not bars:
        return loops.closed(sound), {"bars": None}
    return loops.cut(sound, 0.0, bars, bpm, meter), {"bars": bars, "bpm": round(bpm, 2)}


def _facts(value: Json) -> dict[str, Json]:
    return dict(value) if isinstance(value, dict) else {}
