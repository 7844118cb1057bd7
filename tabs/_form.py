"""From a form to a run and back to the page: written once, used by every tab.

A tab fills `Form.fields` with the components of its task's fields and calls `bind`; the same call becomes the page's run button and
the HTTP endpoint. Knows no single tab.
"""

from __future__ import annotations

import inspect
import logging
import os
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import LocalContext
from gradio.utils import get_upload_folder

from studio import failures, storage
from studio.creations import Creation
from studio.errors import Cancelled, StudioError
from studio.studio import GUEST, Studio
from studio.tasks import Task
from studio.zero import ZeroStudio
from tabs import _apart, _carried, _estimate, _owners, _status
from tabs._run import Run, Shown

log = logging.getLogger("atelier.page")

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""For events of the page alone."""

QUIET: dict[str, Any] = {**PRIVATE, "queue": False}
"""For small events of the page alone, which never wait."""

DEVICE = "device"
"""One `concurrency_id` for every run; the studio's own queue orders them, so the limit only bounds Gradio's threads."""

WORDS = ("text", "lyrics")
"""Media that another tab takes as words; the others it takes as files."""

FOLLOWING: dict[str, Any] = {"concurrency_id": "follow", "concurrency_limit": 64}
"""For pages that follow a run begun elsewhere: they take no place of those that begin one."""


@dataclass
class Desk:
    """What every tab is built on: the studio, the page, and what other tabs may take from here.

    `outbox` maps a medium ("text", "lyrics", "picture", "sound") to the component that other tabs may take it from: words as they are, a
    picture or a sound as the id of a creation. `leads` maps the kind of a tab to a button here that does no more than open it. `tray` is
    the component that shows what was sent here, in a tab without a form.
    """

    studio: Studio
    demo: gr.Blocks
    outbox: dict[str, Any] = field(default_factory=dict[str, Any])
    leads: dict[str, Any] = field(default_factory=dict[str, Any])
    tray: Any = None

    def owner(self, request: gr.Request | None) -> tuple[str, str]:
        """Whose run this is: (owner, browser session)."""
        session = (request.session_hash if request is not None else None) or "http"
        return (_owners.owner_of(request) or (GUEST if self.studio.settings.public else "local"), session)

    def seen(self, request: gr.Request) -> tuple[str, str]:
        """Whose creations a visitor sees: (owner, browser session), the session '' where they see everything of the owner."""
        owner, session = self.owner(request)
        return owner, session if owner == GUEST else ""

    def creation(self, id: str, request: gr.Request) -> Creation:
        """One creation that this visitor may see; gr.Error in words otherwise."""
        owner, session = self.seen(request)
        try:
            self.studio.library.shelf.item(id, owner, session)
            return self.studio.library.get(id, owner)
        except StudioError as error:
            raise gr.Error(str(error), print_exception=False) from None


@dataclass
class Form(Desk):
    """The form of one tab while the page is built.

    `fields` maps the task's field names to components; `inlets` maps a medium to the component that takes it and to what makes its
    value of a text or a served path, where that is not the field itself. `follows` says which runs a page that opens goes on to show.
    """

    task: type[Task] = Task
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    inlets: dict[str, tuple[Any, Callable[[str], Any]]] = field(default_factory=dict[str, tuple[Any, Callable[[str], Any]]])
    follows: Callable[[Task], bool] = lambda _: True

    def __post_init__(self) -> None:
        """Make what the browser remembers: made outside the tabs, since a tab's own parts exist only once it was opened."""
        self.remembered = gr.BrowserState({}, storage_key=f"atelier-{self.task.kind}", secret="atelier")
        self.draft = gr.BrowserState("", storage_key=f"atelier-{self.task.kind}-draft", secret="atelier")

    def add(self, name: str, component: Any) -> Any:
        """Name a component as the field `name` of the task."""
        self.fields[name] = component
        return component

    def bind(
        self, triggers: Sequence[Any], stage: gr.HTML, outputs: Sequence[Any], draw: Callable[[Shown], Sequence[Any]], js: str | None = None
    ) -> Any:
        """Run the task on any of `triggers`, at `/<kind>` over HTTP too. `draw` gives the values of `outputs` for each moment.

        Outputs that `draw` leaves out (fewer values) stay as they are. `js` is run first in the page, on the inputs in the order of
        the task's fields, and gives them back. Returns the event for `.then`.
        """
        handler = self._handler(outputs, draw)
        if not self.studio.settings.public:  # there every run ends with its page
            self.demo.load(self._follower(outputs, draw), None, [*outputs, stage], **PRIVATE, **FOLLOWING)
        return gr.on(
            list(triggers), handler, inputs_kwargs=self.fields, outputs=[*outputs, stage], api_name=self.task.kind, show_progress="hidden",
            api_description=(self.task.__doc__ or "").split("\n")[0], trigger_mode="once", js=js, **self.device_limits,
        )  # fmt: skip

    def started(self, asked: Task, request: gr.Request) -> Run:
        """A run for who asks. At home it goes on when its page is left, and a reload finds it; a program that leaves has had enough."""
        stays = not self.studio.settings.public and _of_a_page(request)
        events = self.studio.run(asked, *self.owner(request), stays=stays, address=_owners.from_where(request))
        return Run(asked, events, request)

    def watched(
        self, begun: Callable[[], Run], width: int, draw: Callable[[Shown], Sequence[Any]], request: gr.Request
    ) -> Iterator[tuple[Any, ...]]:
        """What a run shows, `width` outputs and the stage, moment by moment. Raises gr.Error at the end of one that failed."""
        yield from self._drawn(begun, width, draw, *self.owner(request), page=_of_a_page(request))

    @property
    def device_limits(self) -> dict[str, Any]:
        """Equal on every event of the device: Gradio applies the lowest limit that it meets."""
        return {"concurrency_id": DEVICE, "concurrency_limit": self.studio.settings.max_queue + 1}

    def stop_on(self, button: Any, js: str | None = None) -> None:
        """A press stops this browser session's runs; each ends at its next step and keeps what is finished."""
        button.click(self._stop, js=js, queue=False, api_visibility="private", show_progress="hidden")

    def recent(self, request: gr.Request, limit: int = 24) -> tuple[Creation, ...]:
        """The newest creations to show when the page opens: everything of the owner, of a guest this session's alone."""
        return self.studio.library.list(self.task.kind, *self.seen(request), limit)

    def _stop(self, request: gr.Request) -> None:
        self.studio.stop(*self.owner(request))

    def _handler(self, outputs: Sequence[Any], draw: Callable[[Shown], Sequence[Any]]) -> Callable[..., Iterator[Any]]:
        def handler(request: gr.Request, **values: Any) -> Iterator[Any]:
            def begun() -> Run:
                return self.started(self.task.checked(values), request)

            yield from self.watched(begun, len(outputs), draw, request)

        named = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in self.fields]
        request = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=gr.Request)
        handler.__signature__ = inspect.Signature([request, *named])
        handler.__annotations__ = {"request": gr.Request}
        return handler

    def _follower(self, outputs: Sequence[Any], draw: Callable[[Shown], Sequence[Any]]) -> Callable[..., Iterator[Any]]:
        """For a page that opens: it follows the run that its owner left behind, as if it had been started here."""

        def follow(request: gr.Request) -> Iterator[Any]:
            found = self.studio.join(self.task.kind, *self.owner(request))
            if found is None or not self.follows(found[0]):
                yield (gr.skip(),) * (len(outputs) + 1)
                return
            asked, events, age = found
            run = Run(asked, events, request, age)
            yield from self._drawn(lambda: run, len(outputs), draw, self.owner(request)[0])

        return follow

    def _drawn(
        self,
        begun: Callable[[], Run],
        width: int,
        draw: Callable[[Shown], Sequence[Any]],
        owner: str,
        session: str = "",
        *,
        page: bool = True,
    ) -> Iterator[Any]:
        """What a run shows, moment by moment: `width` outputs and the stage. What goes wrong becomes a sentence there.

        A program, which has no `page`, gets the code of studio/errors.py as the error's title. A page that was left takes no more of it:
        then the journal keeps the failure for the next one.
        """
        keep = (gr.skip(),) * width
        run: Run | None = None
        try:
            run = begun()
            for moment in run:
                drawn = tuple(draw(moment))
                yield (*drawn, *keep[len(drawn) :], run.stage())
        except Cancelled:
            drawn = tuple(draw(run.ended())) if run else ()
            yield (*drawn, *keep[len(drawn) :], _status.message(run.stopped_words() if run else "Stopped.", "stopped"))
        except gr.Error:
            raise
        except Exception as error:  # noqa: BLE001  the log has it; the page and the program get their sentence
            words, code = failures.told(error, f"a run of {self.task.kind}", log)
            yield (*keep, _status.message(words, "error"))
            if run is not None and run.begun:  # what was refused before is in no journal
                self.studio.library.journal.told(self.task.kind, owner, session)
            raise gr.Error(words, title="Error" if page else code, print_exception=False) from None


def _of_a_page(request: gr.Request) -> bool:
    """Whether a browser asks: it says from where its page is."""
    return bool(request.headers.get("origin"))


def show(path: Path, name: str = "") -> str:
    """A path that Gradio serves byte for byte: the file hard-linked (or copied) into a random folder of Gradio's temp directory.

    `name` is another name for it there, its suffix included. Raises StorageFull where the disk has no room for it.
    """
    with _served() as folder:
        target = folder / (name or path.name)
        try:
            os.link(path, target)
        except OSError:
            shutil.copyfile(path, target)
    return str(target)


def show_bytes(files: Mapping[str, bytes]) -> list[str]:
    """Files made for a download, by name, in a random folder that Gradio serves. Raises StorageFull where the disk has no room for them."""
    with _served() as folder:
        for name, data in files.items():
            (folder / name).write_bytes(data)
    return [str(folder / name) for name in files]


@contextmanager
def _served() -> Generator[Path]:
    """A new folder that Gradio serves, under the name of whom the request is from: nobody else is given what lies there.

    Where the disk refuses what is written into it, nothing stays there.
    """
    folder = Path(get_upload_folder()) / _apart.folder_for(_owners.visitor_of(LocalContext.request.get(None)))
    with storage.storing():
        try:
            folder.mkdir(parents=True)
            yield folder
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def estimate(form: Form, shown: gr.HTML, names: Sequence[str], base: Mapping[str, Any]) -> None:
    """Say in `shown` what a run will cost here, each time one of the fields `names` changes.

    `base` fills the fields that a task must have; what it holds changes no time.
    """

    def told(request: gr.Request, *values: Any) -> str:
        left = form.studio.admission.left(form.owner(request)[0], _owners.from_where(request))
        share = left.words if left.scarce else ""
        try:
            given = {name: value for name, value in zip(names, values, strict=True) if value is not None}
            return _status.note(f"{_estimate.words(form.studio, form.task.checked({**base, **given}))} {share}".strip())
        except StudioError:
            return _status.note(share)

    watched = [form.fields[name] for name in names]
    gr.on([field.change for field in watched], told, watched, shown, **QUIET)
    if isinstance(form.studio, ZeroStudio):  # there each run costs the visitor something: said before anything was changed
        form.demo.load(told, watched, shown, **QUIET)


def send(source: Desk, target: Form, medium: str, button: Any, bar: gr.Tabs) -> None:
    """A press takes what `source` offers of a medium to `target`, with the settings it was made with, and opens its tab."""
    component, take = target.inlets[medium]
    named = () if medium in WORDS else [name for name in _carried.names(target.task) if name in target.fields]
    worded = [name for name in _carried.WORDS if name in named]

    def sent(value: str, request: gr.Request, *words: Any) -> tuple[Any, ...]:
        if not value:
            return gr.skip(), gr.skip(), *(gr.skip() for _ in named)
        given, settings = value, {}
        if medium not in WORDS:
            creation = source.creation(value, request)
            given = show(creation.path, f"{medium}{creation.path.suffix}")
            settings = _carried.values(target.studio, creation, target.task, dict(zip(worded, words, strict=True)))
        return take(given), gr.Tabs(selected=target.task.kind), *(settings.get(name, gr.skip()) for name in named)

    fields = target.fields
    inputs = [source.outbox[medium], *(fields[name] for name in worded)]
    button.click(sent, inputs, [component, bar, *(fields[name] for name in named)], **QUIET)


def hand(
    source: Desk, target: Desk, take: Callable[[Desk, str, gr.Request], Any], medium: str, button: Any, bar: gr.Tabs, tab: str
) -> None:
    """A press gives `target`, a tab without a form, the creation that `source` offers, and opens its tab."""

    def handed(value: str, request: gr.Request) -> tuple[Any, Any]:
        if not value:
            return gr.skip(), gr.skip()
        try:
            return take(target, source.creation(value, request).id, request), gr.Tabs(selected=tab)
        except StudioError as error:
            raise gr.Error(str(error), print_exception=False) from None

    button.click(handed, source.outbox[medium], [target.tray, bar], **QUIET)


def finally_do(done: Any, act: Callable[..., Any], inputs: Any, outputs: Any, **options: Any) -> None:
    """Do something once a run of `Form.bind` is over, however it ended: what Gradio calls `then` does not come after one that failed."""
    done.then(act, inputs, outputs, **options)
    done.failure(act, inputs, outputs, **options)


def remember(form: Form, after: Any, leave: Sequence[str] = (), first: Mapping[str, Any] | None = None) -> None:
    """Keep the form's values, but for those of `leave`, in the browser at each run and put them back when the page opens.

    `first` are values for a page that remembers nothing, where they differ from what an HTTP call leaves out.
    """
    fields = {name: component for name, component in form.fields.items() if name not in leave}
    names = list(fields)
    state = form.remembered
    kept = {"api_visibility": "private", "queue": False}
    finally_do(after, lambda *values: dict(zip(names, values, strict=True)), list(fields.values()), state, **kept)

    def restore(saved: Any) -> list[Any]:
        saved = saved if isinstance(saved, dict) else {}
        known = {**(first or {}), **{name: value for name, value in saved.items() if value is not None}}
        return [known.get(name, gr.skip()) for name in names]

    loaded = form.demo.load(restore, state, list(fields.values()), **QUIET)
    # Scripts that drive the page can wait for this mark: the form holds what it will hold.
    loaded.then(None, js=f"() => {{ document.documentElement.dataset.{form.task.kind.replace('_', '')} = 'restored'; }}", **QUIET)


def examples(field: Any, prompts: Sequence[str]) -> gr.Row:
    """Clickable prompts that fill `field`, in a row."""
    with gr.Row(elem_classes="chips") as row:
        for prompt in prompts:
            gr.Button(prompt, size="sm", elem_classes="chip").click(None, js=f"() => {prompt!r}", outputs=field, api_visibility="private")
    return row
