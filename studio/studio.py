"""The life of one task, from a filled-in form to a finished creation. The file to read first.

Joins rules, models, manager, library and provenance. Knows no page and no framework.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from studio import attempts, converted, enhance, failures, foresight, models, sources, stocking
from studio.admission import Admission
from studio.audit import Audit
from studio.batch_runs import BatchRuns
from studio.creations import Event, Json, Media, Passage, Picture, Preview, Progress, Report
from studio.device import Device
from studio.engines import endpoint
from studio.errors import Busy, Cancelled, InvalidInput, ModelUnavailable, Refused, StudioError, Withheld
from studio.keeping import Run, kept
from studio.library import Library, Outcome
from studio.licences import Licences
from studio.manager import Manager, Recipe
from studio.marks import Marks
from studio.models import ModelCard
from studio.own_styles import OwnStyles
from studio.peaks import Peaks
from studio.presets import TextStyle, styled, text_styles
from studio.provenance.record import Record
from studio.residency import Plan
from studio.rules import rules
from studio.runs import Place, Runs
from studio.safety.book import Book
from studio.safety.pictures import Pictures
from studio.settings import Settings
from studio.several import Several
from studio.starter.own import PREFIX, OwnSet, OwnSets
from studio.stream import Stream
from studio.tally import Tally
from studio.tasks import SEED_LIMIT, Compose, Inpaint, Select, Task, TextToImage, Write
from studio.turned import Turned
from studio.warming import WarmUp, least
from studio.watchdog import Watchdog
from studio.writing.context import LONGEST, Assembled, Words, assemble
from studio.writing.vocabularies import Vocabularies
from studio.writing.voice import Voices

if TYPE_CHECKING:
    from studio.embedding import Embedder
    from studio.noticing import Noticing

log = logging.getLogger("atelier")
_Answer = TypeVar("_Answer")

GUEST = "guest"
"""The owner of everything made in a public studio without a login: it is forgotten with its browser session, or at the next start."""


class Studio:
    """One studio on one machine: its cards, models, library and running jobs. Thread-safe."""

    def __init__(self, settings: Settings, cards: tuple[ModelCard, ...], device: Device, manager: Manager, library: Library) -> None:
        self.settings = settings
        self.marks = Marks(settings)
        self.cards = tuple(_equipped(self.marks.equipped(card), settings) for card in cards)
        self.device = device
        self.manager = manager
        self.library = library
        self.sets = OwnSets(settings.home)
        self.licences = Licences(settings.home, settings.public)
        self.places = places(settings)
        self.styles: Mapping[str, TextStyle] = text_styles(settings.presets)
        self.own_styles = OwnStyles(settings.home)
        self.voices = Voices(settings.home)
        self._vocabularies = Vocabularies()
        self._engines: Mapping[str, ModuleType] = models.engines()
        self._rules = rules(settings.public)
        self.tally = Tally()
        self._runs = Runs()
        self._pictures = Pictures(settings.public, Book.read(settings.presets / "rules.toml").rules.pictures)
        self.audit = Audit(settings.home)
        self.turned = Turned(self.audit)
        self.admission = Admission.of(settings, self.marks.identity.secret)
        self.watchdog = Watchdog.of(settings)
        self._warm_up = WarmUp(list(_named(settings.warm, self.cards)), self.warm)
        self._closing = False
        self.batches = BatchRuns(self)

    @classmethod
    def open(cls, settings: Settings) -> Studio:
        """The studio that `settings` describe. Imports no framework. Raises InvalidInput for a bad `--models` file or `--endpoint`."""
        device = Device(settings.device, settings.memory, converted.of(settings), settings.openvino)
        manager = Several(device, settings.idle_minutes * 60, Peaks(settings.home / "peaks.json"))
        library = Library(settings.home)
        if settings.public:
            library.forget_owner(GUEST)
            OwnSets(settings.home).forget(GUEST)
            OwnStyles(settings.home).forget(GUEST)
            Voices(settings.home).forget(GUEST)
        elsewhere = () if settings.public else endpoint.cards(settings.endpoint, settings.endpoint_models, settings.endpoint_key)
        known = stocking.offered(models.discover(settings.models), settings, lambda: device.memory)
        return cls(settings, (*known, *elsewhere), device, manager, library)

    def run(
        self,
        asked: Task,
        owner: str = "local",
        session: str = "",
        *,
        stays: bool = False,
        like: Record | None = None,
        wears: str = "",
        address: str = "",
    ) -> Iterator[Event]:
        """Yield progress, previews and each finished creation, at least four events a second, until the run ends.

        Refusals are raised at the first step, before anything is queued. A stopped run raises Cancelled after its last creation;
        leaving the iteration stops it too, unless it `stays`: then it goes on, and `join` follows it. What was finished is kept.
        `like` is the record of what is made again: the same invisible mark, or none. `wears` is the session whose styles and sets are
        used, where it is another one. `address` is from where it is asked, for a day's share.
        """
        self._admit(owner, address)
        # 1. Files are taken in by their content, and let go at the end unless a creation came of them.
        asked, files = self._taken_in(asked, owner)
        try:
            # 2. The chosen card fills what was left open; the rules of this deployment may refuse.
            card = self._with_sets(self.card_for(asked), asked, owner, wears or session)
            task = models.resolve(asked, card)
            worded = self._worded(task, card, owner, wears or session).model_copy(update={name: str(path) for name, path in files.items()})
            self._judge(card, worded, owner)
            # 3. A place in the queue, and a journal row before anything else happens.
            place = self._room()
            try:
                self.admission.begun(owner, address)
                job = self.library.journal.begin(task, card.name, owner, session, foresight.units(task))
            except BaseException:
                place.left = True
                raise
        except BaseException:
            self.library.originals.let_go(files.values())
            raise
        # 4. The pipeline runs in a thread; its events come out here.
        run = Run(job, asked, task, worded, files, card, owner, session, like, session if owner == GUEST else "", address)
        stream = place.stream = self.watchdog.stream(lambda stream: self._work(stream, run), name=f"run {job}")
        yield from self._runs.follow(stream, owner, session, asked, stays=stays)

    def join(self, kind: str, owner: str = "local", session: str = "") -> tuple[Task, Iterator[Event], float] | None:
        """The owner's newest run of a kind that stays, if one goes on: what was asked, its events from now on, and its age in seconds."""
        return self._runs.join(kind, owner, session)

    def stop(self, owner: str = "local", session: str | None = None, *, wait: bool = False) -> int:
        """Stop the runs of an owner, or of one of their browser sessions; returns how many. Each ends at its next report; `wait` for it."""
        return self._runs.stop(owner, session, wait=wait)

    def enhance(self, asked: TextToImage | Compose, owner: str = "local", session: str = "", address: str = "") -> Iterator[Event]:
        """Make the prompt longer by a writer: progress, then one Preview with the new prompt. Stops like a run; nothing is kept.

        For a model with words of its own they alone are chosen from. Raises ModelUnavailable where no writer is here, InvalidInput where
        the prompt says it all or the model is one of music that has no words of its own.
        """
        self._admit(owner, address)
        card, style = self.card_for(asked), getattr(asked, "style", "")
        self._allow(asked, owner)
        find = getattr(self._engines[card.engine], "wording", None)
        wording: enhance.Wording | None = None if find is None else find(card)
        if wording is None and isinstance(asked, Compose):
            raise InvalidInput(f"{card.name} goes by your words as they are: say the mood in them.", "model")
        writer = enhance.writer(self.here("write"), wording is not None)
        seed = secrets.randbelow(SEED_LIMIT)
        if wording is None:
            task = enhance.describing(writer, asked.prompt, seed)
        else:
            writer, task = enhance.choosing(writer, wording.asked(asked.prompt, style, seed), seed)
        task = models.resolve(task, writer)

        def finished(answer: str) -> str:
            return enhance.described(asked.prompt, answer) if wording is None else wording.filled(asked.prompt, answer, style)

        def aside(report: Report) -> Iterator[Media]:
            return self._aside(writer, task, report, owner, session, address)

        yield from self._unkept(lambda stream: self._enhance(stream, aside, finished), "enhance", owner, session, address)

    def judge(self, asked: Sequence[Write], owner: str = "local", session: str = "", address: str = "") -> Iterator[Event]:
        """Short questions to one writer, which all name: progress, then a Preview each with its number from 1 and the answer.

        Stops like a run; nothing is kept. Raises ModelUnavailable where the writer is not here.
        """
        self._admit(owner, address)
        card = self.card_for(asked[0])
        for one in asked:
            self._allow(one, owner)

        def answer(stream: Stream) -> None:
            for number, one in enumerate(asked, 1):
                comparing = Progress("running", item=number, items=len(asked), note="comparing sentences")
                stream.report(comparing)

                def report(event: Progress | Preview, now: Progress = comparing) -> None:
                    stream.report(event if isinstance(event, Progress) and event.phase != "running" else now)

                made = self._aside(card, models.resolve(one, card), report, owner, session, address)
                answers = [media.text for media in made if isinstance(media, Passage)]
                if stream.stopped:
                    raise Cancelled
                stream.report(Preview(text=answers[0] if answers else "", item=number))

        yield from self._unkept(answer, "judge", owner, session, address)

    def select(self, asked: Select, owner: str = "local", session: str = "", address: str = "") -> Picture:
        """The mask of a part of a picture, 255 where it is, by a model. Waits its turn as a run does; nothing is kept.

        Raises ModelUnavailable where no model for it is here, InvalidInput where nothing of it is found. It is no run of the day's share,
        but its seconds count, and who may begin no run may not look either.
        """
        self._admit(owner, address)
        card = self.card_for(asked)
        task, found = models.resolve(asked, card), list[Picture]()

        def look(stream: Stream) -> None:
            from studio import finite  # brings numpy

            finite.check_once(card, self.places.cache, stream.report)
            made = self._aside(card, task, stream.report, owner, session, address)
            found.extend(media for media in made if isinstance(media, Picture))

        place = self._room()
        place.stream = self.watchdog.stream(look, name=f"select with {card.name}")
        for _ in self._runs.follow(place.stream, owner, session):
            pass
        if not found:
            raise Cancelled
        return found[0]

    def aside(self, work: Callable[[Report], _Answer], owner: str = "local", session: str = "", name: str = "aside") -> _Answer:
        """What `work` answers: it needs no model, but its browser session's Stop ends it, at its next report, as if it were a run.

        Raises Cancelled once it was stopped, at once: what is under way in `work` until then goes on in a thread of its own.
        """
        found = list[_Answer]()
        stream = self.watchdog.stream(lambda stream: found.append(work(stream.report)), name)
        for _ in self._runs.follow(stream, owner, session):
            if stream.stopped:
                raise Cancelled
        if not found:
            raise Cancelled
        return found[0]

    def card_for(self, task: Task) -> ModelCard:
        """The card this task gets now, with its files. Raises Refused where it names one whose licence is to be accepted first."""
        here = self.here(task.kind)
        if not task.model:
            here = {name: card for name, card in here.items() if self.licences.lacks(card) is None}
        try:
            card = models.choose(task, self.cards, here, self.manager.room)
            self.licences.require(card)
            return card
        except ModelUnavailable:
            if self.settings.public:  # a visitor brings no model here
                if not task.model and not self.settings.offline and any(task.kind in card.serves for card in self.missing_starters()):
                    raise ModelUnavailable("The model for this is on its way to this studio: try again in a minute.") from None
                raise ModelUnavailable("This studio has no model for this now: choose another model or tab.") from None
            raise

    def recipe(self, card: ModelCard, task: Task, device: Device | None = None) -> Recipe:
        """What the card's engine needs for a resolved task on a device; None: the first."""
        return self._engines[card.engine].recipe(card, task, device or self.device)

    def _where(self, card: ModelCard, task: Task) -> tuple[Manager, Recipe]:
        """The manager of the device that a resolved task should run on, and what it needs there."""
        return self.manager.route(lambda device: self.recipe(card, task, device), task)

    def here(self, kind: str) -> dict[str, ModelCard]:
        """The cards of a kind that are on this machine, with their files, by name."""
        fitting = (sources.ready(card, self.places) for card in self.cards if kind in card.serves)
        return {card.name: card for card in fitting if card is not None}

    def download(self, name: str, kind: str, *, force: bool = False) -> Iterator[Event]:
        """Bring a card's files and companions here, yielding progress in bytes. Leaving the iteration stops it, without half files.

        `force`, for a person's own click, tries again even though the service could not be reached a moment ago.
        """
        if force and self.settings.public:
            raise Refused(stocking.CHOSEN)
        card = models.named(self.cards, name, kind)
        self.licences.require(card)
        yield from self._runs.follow(
            self.watchdog.stream(lambda stream: self._fetch(stream, card, force), name=f"download {card.name}"), "local", ""
        )

    def warm(self, name: str, kind: str) -> Iterator[Event]:
        """Load a model for a kind of task now, yielding progress; no run is needed. Raises ModelUnavailable, NotEnoughMemory."""
        card = self.here(kind).get(models.named(self.cards, name, kind).name)
        if card is None:
            raise ModelUnavailable(f"{name} is not on this machine yet: download it first.")
        self.licences.require(card)
        task = least(card, kind)

        def load(stream: Stream) -> None:
            attempts.loaded(*self._where(card, task), task, stream.report)

        place = self._room()
        place.stream = self.watchdog.stream(load, name=f"load {card.name}")
        yield from self._runs.follow(place.stream, "local", "")

    def missing_starters(self) -> tuple[ModelCard, ...]:
        """Starter cards that are not whole on this machine yet, companions included."""
        missing: list[ModelCard] = []
        for card in self.cards:
            ready = sources.ready(card, self.places) if card.starter else card
            if card.starter and (ready is None or set(ready.companion_files) != set(card.companions)):
                missing.append(card)
        return tuple(missing)

    def forget(self, session: str, owner: str = GUEST) -> None:
        """A browser session of a public studio has ended: its runs stop, its creations and drafts go. At home nothing is forgotten."""
        if not self.settings.public or not session:
            return
        self._runs.stop(owner, session, wait=True)
        self.library.forget_session(session)
        self.sets.forget(owner, session)
        self.own_styles.forget(owner, session)
        self.voices.forget(owner, session)

    def estimate(self, asked: Task) -> float | None:
        """Seconds the task should take, learned from earlier runs of the same model; None while nothing is known."""
        card = self.card_for(asked)
        per_unit = self.library.journal.seconds_per_unit(card.name)
        return None if per_unit is None else per_unit * foresight.units(models.resolve(asked, card))

    def memory(self, asked: Task) -> Plan | None:
        """What a task would do to the memory now; None where finding out would take long. Raises NotEnoughMemory where it would not fit."""
        if not foresight.at_once(asked):
            return None
        card = self.card_for(asked)
        task = models.resolve(asked, card)
        manager, recipe = self._where(card, task)
        return manager.plan(recipe, task)

    def served(self) -> None:
        """A page was served: some seconds after the first one, what takes long at a first run is made ready."""
        self._warm_up.start()

    def plan(self, asked: Task) -> Mapping[str, Json]:
        """What the chosen model would make of a task, as facts to show before it runs; empty where its engine makes no plan."""
        card = self.card_for(asked)
        find = getattr(self._engines[card.engine], "plan", None)
        return {} if find is None else find(models.resolve(asked, card).model_copy(update={"seed": asked.seed}))

    def context(self, asked: Write) -> Assembled:
        """What the writer would read: exact tokens by source, and what had to be left out. Loads no weights and waits for no run.

        Raises ModelUnavailable where no writer is here or its tokens cannot be counted here, InvalidInput where nothing fits.
        """
        card = self.card_for(asked)
        task = models.resolve(asked, card)
        words, holds = self.words(card)
        most = card.options.get("document")
        return assemble(task, words, holds, task.max_new_tokens or LONGEST, card.name, None if most is None else int(most))

    def words(self, card: ModelCard) -> tuple[Words, int]:
        """How a writer on this machine makes tokens of words, and how many it holds; kept for the last two. Raises ModelUnavailable."""
        find = getattr(self._engines[card.engine], "words", None)
        if find is None:
            raise ModelUnavailable(f"{card.name} runs elsewhere, so its tokens cannot be counted here: choose a writer of this machine.")
        return self._vocabularies.of(f"{card.name} {card.files}", lambda: find(card))

    def choices(self, card: ModelCard) -> Mapping[str, Sequence[tuple[str, str]]]:
        """What a model offers for fields whose values only its engine can name: (title, value) by field."""
        find = getattr(self._engines[card.engine], "choices", None)
        return {} if find is None else find(card)

    @property
    def closing(self) -> bool:
        """Whether it is about to end: no run will be let in."""
        return self._closing

    def close(self) -> None:
        """Let nothing new in, stop every run, unload the models, close the library."""
        self.watchdog.drain(0)
        self._closing = True
        self._warm_up.stop()
        self._runs.stop(wait=True)
        self.batches.close()
        if "noticing" in self.__dict__:
            self.noticing.close()
        self.manager.close()
        self.admission.close()
        self.turned.tell()
        self.library.close()
        self.watchdog.close()

    @cached_property
    def embedder(self) -> Embedder:
        """What makes vectors of texts, where its model is on this machine; loaded when it is first used."""
        from studio.embedding import Embedder  # brings numpy

        return Embedder(self.places)

    @cached_property
    def noticing(self) -> Noticing:
        """What finds out in the background what creations mean, where models for that are on this machine."""
        from studio.noticing import Noticing  # brings numpy

        return Noticing(self.library.meanings, self.embedder, self.places, lambda: self.manager.waiting() > 0)

    def my_sets(self, owner: str = "local", session: str = "") -> tuple[OwnSet, ...]:
        """The sets of their own pictures that this owner may draw with; a guest has those of the browser session alone."""
        return self.sets.of(owner, session if owner == GUEST else "")

    def my_styles(self, owner: str = "local", session: str = "") -> Mapping[str, TextStyle]:
        """The text styles that this owner may use: those that ship with the studio, and their own; a guest has the session's."""
        return {**self.styles, **self.own_styles.of(owner, session if owner == GUEST else "")}

    def require(self, asked: Task, owner: str = "local") -> None:
        """Raise what `run` would refuse at once, for a task without files: no model, values that the model cannot use, rules."""
        card = self._with_sets(self.card_for(asked), asked, owner, "")
        self._judge(card, self._worded(models.resolve(asked, card), card, owner, ""), owner)

    def _room(self) -> Place:
        """A place for a run. Raises Busy while the queue is full, or a run hangs, or the studio is ending."""
        self.watchdog.admit()
        most = self.settings.max_queue
        place = self._runs.let_in(most + 1) if self.manager.waiting() <= most else None
        if place is None:
            raise Busy(f"The studio is busy: {most} runs wait. Try again in a few minutes.")
        return place

    def _with_sets(self, card: ModelCard, asked: Task, owner: str, session: str) -> ModelCard:
        """The card with the owner's own sets among its styles, where it can draw with them and one is asked for."""
        if not card.own_sets or not getattr(asked, "style", "").startswith(PREFIX):
            return card
        mine = {one.style: one.folder for one in self.my_sets(owner, session)}
        return card.model_copy(update={"styles": (*card.styles, *mine), "companion_files": {**card.companion_files, **mine}})

    def _aside(self, card: ModelCard, task: Task, report: Report, owner: str, session: str, address: str) -> Iterator[Media]:
        """What a run makes of which nothing is kept; its seconds with the device count for the day."""
        begun: list[float] = []
        made = attempts.made(
            *self._where(card, task), task, report, owner=_turns(owner, session), begun=lambda: begun.append(time.monotonic())
        )
        try:
            yield from (media for media, _ in made)
        finally:
            try:
                self.admission.took(owner, address, time.monotonic() - begun[-1] if begun else 0.0)
            except StudioError as error:
                log.warning("what a look or a longer prompt took was not written down: %s", error)

    def _unkept(self, work: Callable[[Stream], None], name: str, owner: str, session: str, address: str) -> Iterator[Event]:
        """A run of which nothing is kept, with a place among the others."""
        place = self._room()
        try:
            self.admission.begun(owner, address)
        except BaseException:
            place.left = True
            raise
        place.stream = self.watchdog.stream(work, name=name)
        yield from self._runs.follow(place.stream, owner, session)

    def _enhance(self, stream: Stream, aside: Callable[[Report], Iterator[Media]], finished: Callable[[str], str]) -> None:
        def report(event: Progress | Preview) -> None:
            stream.report(event if isinstance(event, Progress) else Progress("running", note="choosing words"))

        answers = [media.text for media in aside(report) if isinstance(media, Passage)]
        if stream.stopped:
            raise Cancelled
        stream.report(Preview(text=finished(answers[0] if answers else "")))

    def _taken_in(self, asked: Task, owner: str) -> tuple[Task, dict[str, Path]]:
        """The task with its files named by their content, and where each lies in the library."""
        files: dict[str, Path] = {}
        names: dict[str, str] = {}
        try:
            for name in asked.files:
                if value := str(getattr(asked, name)):
                    names[name], files[name] = self.library.originals.take_in(value, owner)
        except BaseException:
            self.library.originals.let_go(files.values())
            raise
        return asked.model_copy(update=names), files

    def _admit(self, owner: str, address: str) -> None:
        """Who may begin no run; that somebody who is blocked tried is written down."""
        try:
            self.admission.check(owner, address)
        except Refused:
            self.turned.note("blocked", owner)
            raise

    def _allow(self, worded: Task, owner: str) -> None:
        """What the rules refuse; a refusal is written down, without a word of what was asked."""
        try:
            for rule in self._rules:
                rule(worded)
        except Refused as refusal:
            self._noted(refusal, worded, owner)
            raise

    def _noted(self, refusal: Refused, task: Task, owner: str) -> None:
        what = "withheld" if isinstance(refusal, Withheld) else "refused"
        self.audit.note(what, owner, kind=task.kind, rule=refusal.rule, code=refusal.code)

    def _judge(self, card: ModelCard, worded: Task, owner: str) -> None:
        """What the rules refuse, what the engine can refuse at once, and files that cannot be used."""
        self._allow(worded, owner)
        self._pictures.require(card, worded)
        if isinstance(worded, Inpaint):
            from studio.inpaint import edit  # brings an image library, which the first page does without

            edit.check(worded)
        if isinstance(worded, Compose) and worded.artwork:
            from studio.provenance import covers

            covers.prepared(Path(worded.artwork))
        if (check := getattr(self._engines[card.engine], "check", None)) is not None:
            check(card, worded)

    def _work(self, stream: Stream, run: Run) -> None:
        begun = [time.monotonic()]
        outcome: Outcome = "failed"
        message = ""
        try:
            stream.report(Progress("waiting"))
            manager, recipe = self._where(run.card, run.worded)
            with closing(self._media(run, stream, begun, manager, recipe)) as made:
                for media, seconds in made:
                    self._pictures.check(media, run.card, run.worded)
                    stream.deliver(kept(media, run, manager.device.name, seconds, self.library, self.marks))
            outcome = "cancelled" if stream.stopped else "done"
            if stream.stopped:
                raise Cancelled
        except Cancelled:
            outcome = "cancelled"
            raise
        except Exception as error:
            if isinstance(error, Withheld):
                self._noted(error, run.task, run.owner)
            message = failures.told(error, f"run {run.job} with {run.card.name}", log).words
            raise
        finally:
            self._over(run, outcome, message, time.monotonic() - begun[-1] if len(begun) > 1 else 0.0)  # only with the device

    def _media(self, run: Run, stream: Stream, begun: list[float], manager: Manager, recipe: Recipe) -> Generator[tuple[Media, float]]:
        """What the pipeline makes, each with the seconds it took; when it began is added to `begun`."""

        def began() -> None:
            self.library.journal.running(run.job)
            begun.append(time.monotonic())

        way = str(run.like.facts.get(attempts.FACT, "")) if run.like is not None else ""
        owner = _turns(run.owner, run.session)
        from studio import finite  # brings numpy

        finite.check_once(run.card, self.places.cache, stream.report)
        report = self._pictures.reporting(stream.report, run.card, run.worded)
        yield from attempts.made(manager, recipe, run.worded, report, owner=owner, like=way, begun=began)

    def _over(self, run: Run, outcome: Outcome, message: str, seconds: float) -> None:
        """The journal knows; a run that the studio's own end stopped counts as interrupted at the next start."""
        self.tally.ended(run.task.kind, outcome, seconds)
        try:
            if not (self._closing and outcome == "cancelled"):
                self.library.journal.finish(run.job, outcome, message, seconds)
            self.admission.took(run.owner, run.address, seconds)
        except StudioError as error:
            log.warning("how run %s ended was not written down: %s", run.job, error)
        finally:
            self.library.originals.let_go(run.files.values())
            self.noticing.wake()

    def _worded(self, task: Task, card: ModelCard, owner: str, session: str) -> Task:
        """The task in the words the model should read: text styles applied unless the model has styles of its own."""
        return styled(task, self.my_styles(owner, session)) if isinstance(task, TextToImage) and not card.styles else task

    def _fetch(self, stream: Stream, card: ModelCard, force: bool) -> None:
        for source in (card.source, *card.companions.values()):
            sources.fetch(source, self.places, stream.report, force=force)


def places(settings: Settings) -> sources.Places:
    """Where files lie under these settings."""
    return sources.Places(settings.assets, settings.cache, settings.home, settings.offline, settings.hub_caches, settings.cache_bytes)


def _turns(owner: str, session: str) -> str:
    """Who takes turns with whom: people, and guests by their browser session."""
    return f"{owner} {session}" if owner == GUEST else owner


def _named(names: str, cards: Sequence[ModelCard]) -> Iterator[ModelCard]:
    """The models of a list. Raises InvalidInput for a name that none has."""
    known = {card.name.casefold(): card for card in cards}
    for name in (part.strip() for part in names.split(",") if part.strip()):
        if name.casefold() not in known:
            raise InvalidInput(f"--warm names {name}, and there is no such model: `python -m studio models` lists them.", "warm")
        yield known[name.casefold()]


def _equipped(card: ModelCard, settings: Settings) -> ModelCard:
    """The card with what these settings bring to its engine: the soundfont, for a card that plays notes."""
    if settings.soundfont is None or "bank" in card.ignores or Compose.kind not in card.serves:
        return card
    return card.model_copy(update={"options": {**card.options, "soundfont": str(settings.soundfont.absolute())}})
