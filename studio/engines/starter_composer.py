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

from studio.creations import Json, Preview, Progress, Report, Take
from studio.device import Device
from studio.errors import InvalidInput, ModelUnavailable
from studio.manager import Component, Recipe
from studio.models import Bundled, ModelCard
from studio.tasks import PADDED, PADS, SEED_LIMIT, Compose, Task

if TYPE_CHECKING:
    from studio.music.banks import Bank
    from studio.music.composer import Composer
    from studio.music.genres import Genre
    from studio.music.plan import Plan
    from studio.music.reference import Reference
    from studio.music.score import Lead, Score, Section

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
        memory_gb=0.2,
        starter=True,
        languages=("en",),
        defaults={"duration": 30, "temperature": 0.9, "top_p": 0.95},
        limits={"duration": (2, 300)},
        ignores=("lyrics", "top_k", "guidance_scale", "steps", "reference_strength"),
    ),
)

_BYTES_A_SECOND = 48_000 * 2 * 4
SEEDS = 16
"""How many seeds a plan is tried with where none is given; trying one takes 2 ms."""
ANOTHER = 1_000_003
"""Between the seeds of a take's further attempts."""


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
    return int(50_000_000 + 14 * _BYTES_A_SECOND * (task.duration or 30))


def plan(task: Compose) -> Mapping[str, Json]:
    """What would be composed for a task, as facts to show, before anything runs. Raises InvalidInput as a run would.

    Without a seed, what the seed decides is left out; of the instruments those stay that every seed would take.
    """
    found = [_facts(_plan(task.model_copy(update={"seed": seed}))) for seed in (range(SEEDS) if task.seed is None else (task.seed,))]
    agreed = {name: value for name, value in found[0].items() if all(other[name] == value for other in found)}
    if "instruments" not in agreed:
        players = [list(cast("list[Json]", facts["instruments"])) for facts in found]
        agreed["instruments"] = [*(name for name in players[0] if all(name in other for other in players)), "…"]
    return agreed


def check(card: ModelCard, task: Task) -> None:
    """Refuse a plan that cannot be, a format that it would not close in, and a reference without notes.

    Raises InvalidInput or MediaUnreadable.
    """
    from studio.music import banks

    assert isinstance(task, Compose)
    if task.bank:
        banks.bank_named(task.bank, _soundfont(card))
    if _plan(_like(task, _given(task))).loop and task.format in PADDED:
        raise InvalidInput(PADS, "format")


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


class _Player:
    """The pipeline: every take is made from its own seed alone."""

    def __init__(self, soundfont: Path | None, values: Mapping[str, Any]) -> None:
        self._composer: Composer = values["composer"]
        self._soundfont = soundfont

    def __call__(self, task: Task, report: Report) -> Iterator[Take]:
        assert isinstance(task, Compose) and task.seed is not None
        given = _given(task)
        first, task = task.seed, _like(task, given)
        for k in range(task.count):
            one = task.model_copy(update={"seed": (first + k) % (SEED_LIMIT + 1), "count": 1})

            def told(event: Progress | Preview, item: int = k + 1) -> None:
                report(replace(event, item=item, items=task.count) if isinstance(event, Progress) else event)

            yield self._best(one, given, told)

    def _best(self, task: Compose, given: Reference, report: Report) -> Take:
        """The first attempt that meets the brief, or the one that misses least."""
        found: list[tuple[int, Take]] = []
        for attempt in range(task.retries + 1):
            seed = ((task.seed or 0) + attempt * ANOTHER) % (SEED_LIMIT + 1)
            missed, take = self._take(task, seed, attempt, given, report)
            found.append((missed, take))
            if not missed:
                break
        return min(found, key=lambda pair: pair[0])[1]

    def _take(self, task: Compose, seed: int, attempt: int, given: Reference, report: Report) -> tuple[int, Take]:
        """One attempt, and how many lines of the brief it misses."""
        from studio.music import finish, midi, packed, render

        # 1. words to a plan, a plan to notes
        plan = _plan(task.model_copy(update={"seed": seed}))
        genre = _genres()[plan.genre]
        score = packed.settled(self._score(task, plan, genre, given, seed, report))
        # 2. notes to sound
        bank = _bank(task, genre, self._soundfont)
        sound = render.render(score, bank, report=report)
        if plan.loop:
            sound = render.fold(sound, score.seconds)
        # 3. loudness, and what was asked beside what is heard
        task = task.model_copy(update={"loop": plan.loop})
        beaten = any(part.drums for part in score.parts)
        sound, facts, missed = finish.finished(
            sound, task, bpm=score.bpm, key=score.key.name, meter=score.meter, steady=beaten, report=report
        )
        told: dict[str, Json] = {
            "plan": _facts(plan) | {"bars": score.bars, "seconds": round(score.seconds, 3)},
            "score": packed.pack(score),
            "bank": {"name": bank.name, "licence": bank.licence},
            **({"attempt": attempt + 1} if attempt else {}),
            **facts,
        }
        return missed, Take(sound, task.seed or 0, facts=told, attachments={"score.mid": midi.to_midi(score, task.prompt[:80])})

    def _score(self, task: Compose, plan: Plan, genre: Genre, given: Reference, seed: int, report: Report) -> Score:
        """The notes: new ones, or new ones where the reference has none or may lose them."""
        from studio.music import arrange, packed

        if task.way in ("melody", "cover") and given.lead is not None:
            return arrange.arrange(_fitting(plan, given.lead), given.lead, genre, seed)
        if given.score is None:
            return self._new(plan, genre, seed, task, report)
        old = given.score
        plan = _at(plan, old)
        open_ended = replace(plan, loop=True)  # what goes over into more comes to no end, as a loop does not
        if task.way == "repaint":
            first, bars = _bars(old, task)
            head, tail = packed.cut(old, 0, first) if first else None, old.bars - first - bars
            plan = replace(open_ended if tail else plan, sections=(_section(plan, old, first, bars),))
            new = self._new(plan, genre, seed, task, report)
            middle = packed.joined(head, new) if head is not None else new
            return packed.joined(middle, packed.cut(old, first + bars, tail)) if tail else middle
        if task.way == "lead":
            return packed.joined(self._new(open_ended, genre, seed, task, report), old)
        return packed.joined(_kept(old, task), self._new(plan, genre, seed, task, report))

    def _new(self, plan: Plan, genre: Genre, seed: int, task: Compose, report: Report) -> Score:
        from studio.music import arrange

        ask = arrange.ask(plan, genre, seed)
        ask = replace(ask, temperature=task.temperature or ask.temperature, top_p=task.top_p or ask.top_p)
        return arrange.arrange(plan, self._composer.lead(ask, report), genre, seed)


def _plan(task: Compose) -> Plan:
    from studio.music import plan as planning

    return planning.read(task, _genres())


def _given(task: Compose) -> Reference:
    from studio.music.reference import Reference, read_notes

    return read_notes(Path(task.reference)) if task.reference else Reference()


def _facts(plan: Plan) -> dict[str, Json]:
    return cast("dict[str, Json]", plan.facts()) | {"title": _genres()[plan.genre].title}


def _like(task: Compose, given: Reference) -> Compose:
    """The task with tempo, key and meter of what it starts from, and where that is gone on with, its genre and players.

    A loop stays one, unless only its melody is taken or the words say otherwise.
    """
    from studio.music import brief

    if given.lead is None:
        return task
    values: dict[str, object] = {}
    if given.bpm is not None and (task.bpm is None or given.score is not None):
        values["bpm"] = min(300.0, max(30.0, given.bpm))
    if given.key and (not task.key or (given.score is not None and task.way != "cover")):
        values["key"] = given.key
    if given.score is not None and task.way in ("continue", "lead", "repaint"):
        values |= {"genre": task.genre or given.genre, "instruments": task.instruments or given.instruments[:8]}
    if given.loop and task.way != "melody" and not brief.ends(task.prompt):
        values["loop"] = True
    return task.model_copy(update={**values, "time_signature": str(given.lead.meter)})


def _fitting(plan: Plan, lead: Lead) -> Plan:
    """The plan for music whose bars and sections are those of a given melody."""
    from studio.music.score import Section

    return replace(plan, sections=lead.sections or (Section("A", 0, lead.bars, plan.sections[0].energy),), meter=lead.meter)


def _at(plan: Plan, score: Score) -> Plan:
    """The plan in the tempo, key and meter of a score."""
    return replace(plan, bpm=score.bpm, key=score.key, meter=score.meter)


def _section(plan: Plan, score: Score, bar: int, bars: int) -> Section:
    """One section for bars made anew, with the energy of those they replace."""
    from studio.music.score import Section

    energy = next(
        (section.energy for section in score.sections if section.bar <= bar < section.bar + section.bars), plan.sections[0].energy
    )
    return Section("A", 0, bars, energy)


def _bars(score: Score, task: Compose) -> tuple[int, int]:
    """The region in whole bars of the score: (the first, how many)."""
    bar = score.seconds / score.bars
    first = round((task.region_start or 0) / bar)
    last = round((task.region_end or score.seconds) / bar)
    first = min(max(first, 0), score.bars - 1)
    return first, min(max(last, first + 1), score.bars) - first


def _kept(score: Score, task: Compose) -> Score:
    """The score up to the end of the region, where there is one: what follows is made anew."""
    from studio.music import packed

    if task.region_end is None:
        return score
    bar = score.seconds / score.bars
    return packed.cut(score, 0, min(max(round(task.region_end / bar), 1), score.bars))


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
