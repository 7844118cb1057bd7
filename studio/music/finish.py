"""The last steps of every take: a loop that closes, the loudness that was asked for, and what is heard beside what was asked.

Knows no engine: notes or sound, whoever made them.
"""

from __future__ import annotations

from studio.creations import Json, Progress, Report, Sound
from studio.music import loops, loudness, measure
from studio.music.score import Key, Meter
from studio.tasks import Compose


def finished(
    sound: Sound, task: Compose, *, bpm: float | None = None, key: str = "", meter: Meter | None = None, steady: bool = True, report: Report
) -> tuple[Sound, dict[str, Json], int]:
    """The sound at its loudness, facts for the record ("loudness", "loop", "checks", "measured"), and how much of the brief it misses.

    `bpm`, `key` and `meter` are what the notes say, where there are notes: then they are what the take is, and the measured ones a check.
    For sound without notes the brief is what the task asks for. `steady` is False for music that need not have a clear beat.
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
        seam = loops.seam(sound)
        facts["loop"] = {
            **_facts(facts.get("loop")),
            "jump_db": round(seam.jump_db, 1),
            "score": round(seam.score, 1),
            "seconds": sound.seconds,
        }
    facts["loudness"] = {"gain_db": round(gain, 6), "limited": limited}
    facts["measured"] = heard.facts()
    checks: list[Json] = [line.facts() for line in lines]
    facts["checks"] = checks
    return sound, facts, sum(not line.ok for line in lines)


def heard(sound: Sound, *, loop: bool, report: Report) -> dict[str, Json]:
    """The same facts for a sound that stays as it is and was asked to be nothing but itself."""
    report(Progress("running", note="measuring"))
    measured = measure.measure(sound)
    facts: dict[str, Json] = {"measured": measured.facts(), "checks": [line.facts() for line in measure.brief(measured)]}
    if loop:
        seam = loops.seam(sound)
        facts["loop"] = {"jump_db": round(seam.jump_db, 1), "score": round(seam.score, 1), "seconds": sound.seconds}
    return facts


def _cut(sound: Sound, task: Compose, meter: Meter) -> tuple[Sound, dict[str, Json]]:
    """Whole bars of a sound without notes, closed on themselves: by the asked tempo where there is one, else by the one that is heard."""
    heard = measure.measure(sound)
    bpm = task.bpm if task.bpm is not None else heard.bpm
    if bpm is None:
        return loops.closed(sound), {"bars": None}
    bars = max(1, int(sound.seconds * bpm / 60 / (meter.bar / meter.beat)))
    return loops.cut(sound, 0.0, bars, bpm, meter), {"bars": bars, "bpm": round(bpm, 2)}


def _facts(value: Json) -> dict[str, Json]:
    return dict(value) if isinstance(value, dict) else {}
