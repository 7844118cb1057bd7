"""Atelier Sound Editor: keeps, loops or fades a stretch of a sound, gives it a picture. No model: samples that stay are the same samples.

The method is in studio/music/loops.py: this file only joins it to tasks and reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from studio.creations import Json, Progress, Report, Sound, Take
from studio.device import Device
from studio.errors import InvalidInput, StudioError
from studio.manager import Recipe
from studio.models import Bundled, ModelCard
from studio.tasks import KEEPING, Compose, Task

CARDS = (
    ModelCard(
        name="Atelier Sound Editor",
        engine="sound_editor",
        serves=("music",),
        modes=KEEPING,
        source=Bundled(path="sound_editor"),  # its model card: there are no weights to fetch
        licence="Apache-2.0",
        commercial=True,
        gated=False,
        summary="Atelier Sound Editor cuts, loops and fades what is there, sample by sample, on any computer; it makes nothing of its own.",
        memory_gb=0.1,
        starter=True,
        trained=False,
    ),
)


CARRIED = ("plan", "score", "bank", "loop", "loudness", "checks", "measured", "segments", "title")
"""Facts of a take that stay true while its samples do."""


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """Nothing to load."""
    return Recipe({}, lambda values: _edited, working_bytes)


def working_bytes(task: Task) -> int:
    """Ten minutes of sound, three times."""
    return 700_000_000


def check(card: ModelCard, task: Task) -> None:
    """Refuse a file that is no sound, and a region that lies beyond its end. Raises MediaUnreadable or InvalidInput."""
    from studio.music import apart

    assert isinstance(task, Compose)
    sound = apart.read(Path(task.reference))
    if (task.region_start or 0) >= sound.seconds:
        raise InvalidInput(f"Choose a stretch within the {sound.seconds:.2f} seconds of this sound.", "region_start")


def _edited(task: Task, report: Report) -> Iterator[Take]:
    """The pipeline: one take, since an edit leaves nothing to chance."""
    from studio.music import apart, finish, loops

    assert isinstance(task, Compose)
    report(Progress("running", note="cutting"))
    sound = apart.read(Path(task.reference))
    start, end = task.region_start or 0.0, min(task.region_end or sound.seconds, sound.seconds)
    facts: dict[str, Json] = {}
    if task.way == "picture":
        yield _pictured(task, sound, report)
        return
    if task.way == "trim":
        made = loops.trim(sound, start, end)
    elif task.way == "fade":
        made = _faded(sound, start, end)
    else:
        made, facts = _loop(task, sound, start, end)
    heard = finish.heard(made, loop=task.way == "loop", report=report)
    yield Take(made, task.seed or 0, facts={**heard, **facts})


def _pictured(task: Compose, sound: Sound, report: Report) -> Take:
    """The same samples; of a take made here what is known of it, too: its notes, its plan, what was measured."""
    from studio.music import finish, midi, packed
    from studio.provenance import sounds

    try:
        record = sounds.read_record(Path(task.reference))
    except StudioError:
        record = None
    told: dict[str, Json] = {name: record.facts[name] for name in CARRIED if name in record.facts} if record is not None else {}
    line = told.get("score")
    notes = {"score.mid": midi.to_midi(packed.unpack(line), task.prompt[:80])} if isinstance(line, str) else {}
    return Take(sound, task.seed or 0, facts=told or finish.heard(sound, loop=False, report=report), attachments=notes)


def _faded(sound: Sound, start: float, end: float) -> Sound:
    """Rising over a region near the beginning, falling over one near the end; what lies outside of them is cut away."""
    from studio.music import loops

    if start <= sound.seconds - end:
        return loops.fade_in(loops.trim(sound, start), end - start)
    return loops.fade_out(loops.trim(sound, 0, end), end - start)


def _loop(task: Compose, sound: Sound, start: float, end: float) -> tuple[Sound, dict[str, Json]]:
    """Whole bars from the region's beginning where the tempo is known, else the region itself; closed on themselves."""
    from studio.music import loops
    from studio.music.reference import read_notes
    from studio.music.score import Meter

    bpm, meter = task.bpm, Meter.read(task.time_signature or "4/4")
    try:
        score = read_notes(Path(task.reference)).score
    except StudioError:
        score = None
    if score is not None:
        bpm, meter = score.bpm, score.meter
    if bpm is None:
        return loops.closed(loops.trim(sound, start - min(start, loops.CROSSFADE), end)), {}
    bars = max(1, round((end - start) / loops.bars_seconds(1, bpm, meter)))
    while bars > 1 and start + loops.bars_seconds(bars, bpm, meter) > sound.seconds:
        bars -= 1
    if start + loops.bars_seconds(bars, bpm, meter) > sound.seconds + 0.001:
        raise InvalidInput("The region is shorter than a bar: select at least one whole bar.", "region_end")
    return loops.cut(sound, start, bars, bpm, meter), {"bars": bars, "bpm": bpm}
