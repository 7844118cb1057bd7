"""Atelier Composer, the music model that ships with the studio: words become a plan, a plan a score, a score sound.

The method is in studio/music/: this file only joins it to tasks, reports and components. It runs on the CPU, faster than the music
plays, and the same seed gives the same notes on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from studio.creations import Json, Preview, Progress, Report, Sound, Take
from studio.device import Device
from studio.engines import _notes
from studio.engines._composing import seed_of
from studio.errors import Cancelled, InvalidInput, ModelUnavailable
from studio.manager import Component, Recipe
from studio.models import Bundled, ModelCard
from studio.music import going_on, segments
from studio.tasks import PADDED, PADS, Compose, Task

if TYPE_CHECKING:
    from studio.music.banks import Bank
    from studio.music.composer import Composer
    from studio.music.genres import Genre
    from studio.music.plan import Plan
    from studio.music.reference import Reference
    from studio.music.wording import Wording

CARDS = (
    ModelCard(
        name="Atelier Composer",
        engine="starter_composer",
        serves=("music",),
        modes=("make", "melody", "continue", "lead", "repaint", "cover"),
        source=Bundled(path="composer"),
        licence="Apache-2.0",
        commercial=True,
        gated=False,
        summary="Atelier Composer writes notes in many genres and plays them, on any computer; choose a larger model for voices and "
        "recorded sound.",
        data="scores in the public domain: tunes of Ireland and Scotland of 1782 to 1903, and chorales by J. S. Bach",
        memory_gb=0.2,
        starter=True,
        languages=("en",),
        defaults={"temperature": 0.9, "top_p": 0.95},  # not the duration, which the words may say
        limits={"duration": (2, 300)},
        ignores=("lyrics", "top_k", "guidance_scale", "steps", "reference_strength"),
    ),
)

LONGEST = 600.0
"""Seconds of a whole piece, however it grew: what a sound to start from may have, too."""
_BYTES_A_SECOND = 48_000 * 2 * 4
SEEDS = 16
"""How many seeds a plan is tried with where none is given; trying one takes 2 ms."""


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The composing model; instruments are made as they are needed."""
    if card.files is None:
        raise ModelUnavailable("The composer's files are missing: fetch the studio's assets again.")
    folder = card.files
    size = sum(file.stat().st_size for file in folder.iterdir())
    player = partial(_Player, _soundfont(card))

    def load(_: Report) -> Composer:
        from studio.music.composer import Composer

        return Composer.load(folder)

    return Recipe({"composer": Component(f"bundled:{folder}", 2 * size, load)}, player, working_bytes)


def working_bytes(task: Task) -> int:
    """Every instrument's sound at once, and the mix."""
    assert isinstance(task, Compose)
    given = going_on.given(task)
    task = going_on.like(task, given)
    return int(50_000_000 + 14 * _BYTES_A_SECOND * going_on.whole(task, _plan(task), given))


def plan(task: Compose) -> Mapping[str, Json]:
    """What would be composed for a task, as facts to show, before anything runs. Raises InvalidInput as a run would.

    Without a seed, what the seed decides is left out; of the instruments those stay that every seed would take. Of a reference it knows
    what it says, where the task names a file.
    """
    task = going_on.like(task, going_on.given(task)) if Path(task.reference).is_file() else task
    found = [_facts(_plan(task.model_copy(update={"seed": seed}))) for seed in (range(SEEDS) if task.seed is None else (task.seed,))]
    if task.segments.strip():
        found = [{name: value for name, value in facts.items() if name != "form"} for facts in found]
    agreed = {name: value for name, value in found[0].items() if all(other[name] == value for other in found)}
    if "instruments" not in agreed:
        players = [list(cast("list[Json]", facts["instruments"])) for facts in found]
        agreed["instruments"] = [*(name for name in players[0] if all(name in other for other in players)), "…"]
    return agreed


def check(card: ModelCard, task: Task) -> None:
    """Refuse a plan that cannot be, a format that it would not close in, and a reference without the notes that it takes.

    Raises InvalidInput or MediaUnreadable.
    """
    from studio.music import banks

    assert isinstance(task, Compose)
    if task.bank:
        banks.bank_named(task.bank, _soundfont(card))
    given = going_on.given(task)
    if task.way == "lead" and task.context:
        raise InvalidInput("It leads in without hearing what comes after: leave Context at 0.", "context")
    if task.way in ("continue", "lead", "repaint") and given.score is None:
        raise InvalidInput("A MIDI file is a melody here: use it as one, or go on from a take of the composer.", "reference_use")
    task = going_on.like(task, given)
    plan = _plan(task)
    if plan.loop and task.format in PADDED:
        raise InvalidInput(PADS, "format")
    if task.duration is None and plan.seconds > (most := card.limits["duration"][1]):
        raise InvalidInput(f"The words ask for {plan.seconds:.0f} seconds: {most:g} is the most at once.", "prompt")
    if (seconds := going_on.whole(task, plan, given)) > LONGEST:
        raise InvalidInput(f"The whole piece would last {seconds / 60:.1f} minutes: ten is the most, start from less of it.", "reference")


def choices(card: ModelCard) -> Mapping[str, Sequence[tuple[str, str]]]:
    """What the plan's fields may hold: (title, value) by field."""
    from studio.music import banks, moods
    from studio.music.instruments import INSTRUMENTS

    return {
        "genre": [(genre.title, genre.name) for genre in _genres().values()],
        "mood": [(name.capitalize(), name) for name in moods.MOODS],
        "instruments": [(name.capitalize(), name) for name in sorted(INSTRUMENTS)],
        "bank": [(f"{bank.name} ({bank.licence})", bank.name) for bank in banks.banks(_soundfont(card))],
    }


def wording(card: ModelCard) -> Wording:
    """The mood that a writer may add to a prompt."""
    from studio.music.wording import Wording

    return Wording()


class _Player:
    """The pipeline: every take is made from its own seed alone."""

    def __init__(self, soundfont: Path | None, values: Mapping[str, Any]) -> None:
        self._composer: Composer = values["composer"]
        self._soundfont = soundfont

    def __call__(self, task: Task, report: Report) -> Iterator[Take]:
        assert isinstance(task, Compose) and task.seed is not None
        from studio.music import finish

        given = going_on.given(task)
        task = going_on.like(task, given)
        for k in range(task.count):
            one = task.model_copy(update={"seed": seed_of(task, k), "count": 1})

            def told(event: Progress | Preview, item: int = k + 1) -> None:
                report(replace(event, item=item, items=task.count) if isinstance(event, Progress) else replace(event, item=item))

            def attempt(seed: int, number: int, one: Compose = one, told: Report = told) -> tuple[int, Take]:
                return self._take(one, seed, number, given, told)

            yield finish.best(one, attempt)

    def _take(self, task: Compose, seed: int, attempt: int, given: Reference, report: Report) -> tuple[int, Take]:
        """One attempt, and how many lines of the brief it misses."""
        from studio.music import early, finish, midi, packed, render

        # 1. words to a plan, a plan to notes
        drawn = task.model_copy(update={"seed": seed})
        plan = _plan(drawn)
        genre = _genres()[plan.genre]
        score, parts = _notes.score(self._composer, drawn, plan, _genres(), given, report)
        stopped = len(parts) < len(segments.read(task.segments))
        if stopped:
            plan, report = replace(plan, loop=False), finish.unstopped(report)
        score = packed.settled(score)
        # 2. notes to sound
        bank = _bank(task, genre, self._soundfont)
        target = None if task.loudness == "as is" else float(task.loudness)

        def play(sound: Sound) -> None:
            if not task.retries:  # else what is heard might not be what is kept
                report(Preview(sound=sound))

        sound, heard = early.rendered(score, bank, target, report, play)
        if heard.bars < score.bars:  # stopped: what was heard is kept
            if given.score is not None:
                raise Cancelled  # less than what was there before is of no use
            stopped, score, plan = True, heard, replace(plan, loop=False)
            parts = _notes.within(parts, score.seconds)
        if plan.loop:
            sound = render.fold(sound, score.seconds)
        # 3. loudness, and what was asked beside what is heard
        task = task.model_copy(update={"loop": plan.loop})
        beaten = any(part.drums for part in score.parts)
        sound, facts, missed = finish.finished(
            sound, task, bpm=score.bpm, key=score.key.name, meter=score.meter, steady=beaten, report=finish.unstopped(report)
        )
        told: dict[str, Json] = {
            "plan": _facts(plan) | {"bars": score.bars, "seconds": round(score.seconds, 3)},
            "score": packed.pack(score),
            "bank": {"name": bank.name, "licence": bank.licence},
            **({"attempt": attempt} if attempt > 1 else {}),
            **({"segments": parts} if parts else {}),
            **facts,
        }
        notes = {"score.mid": midi.to_midi(score, task.prompt[:80])}
        return missed, Take(sound, task.seed or 0, "stopped" if stopped else "end", told, notes)


def _plan(task: Compose) -> Plan:
    from studio.music import plan as planning
    from studio.music import timeline

    if not task.segments.strip():
        return planning.read(task, _genres())
    return timeline.whole(task, timeline.plans(task, _genres()), _genres())


def _facts(plan: Plan) -> dict[str, Json]:
    return cast("dict[str, Json]", plan.facts()) | {"title": _genres()[plan.genre].title}


def _bank(task: Compose, genre: Genre, soundfont: Path | None) -> Bank:
    from studio.music import banks

    if task.bank:
        return banks.bank_named(task.bank, soundfont)
    usual = banks.OWN if genre.bank == "synth" else banks.CARRIED
    known = {bank.name: bank for bank in banks.banks(soundfont)}
    return known.get(usual) or known[banks.OWN]


def _soundfont(card: ModelCard) -> Path | None:
    place = card.options.get("soundfont")
    return Path(place) if place else None


@lru_cache(maxsize=1)
def _genres() -> Mapping[str, Genre]:
    from studio.music import genres

    return genres.genres(Path(__file__).resolve().parents[2] / "presets")
