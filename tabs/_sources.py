"""The sources of the writing tab: files that a person drops, a search in them, and whether what cites them is borne out.

Sources belong to a document and come back with it. A dropped file is quoted material: its words go into the field `passages` of a run,
between quotation marks, and nowhere else. Knows the form and where documents are kept; knows no editor and no run.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api

from studio import embedding
from studio.creations import Progress
from studio.errors import Cancelled, StudioError
from studio.models import ModelCard
from studio.stocking import CHOSEN
from studio.stream import Stream
from studio.tasks import TEXT_LIMIT, Write
from studio.writing import citations, quoting, retrieval
from studio.writing.passages import Passage
from tabs import _asking, _models, _scripts, _sources_judged, _sources_kept, _sources_view, _status
from tabs._form import PRIVATE, QUIET, Form
from tabs._sources_asked import MOST, asked_passages, asked_verdicts, too_small
from tabs._sources_kept import Sources
from tabs._sources_parts import INSERT, Parts, laid_out

STYLE = "writing/sources.css"
"""In assets/."""
PAGES = 256


@dataclass
class Page:
    """What one visitor's page looks at: its document, and the passages that its last search or run was given."""

    document: str = ""
    use: bool = True
    given: Mapping[int, Passage] = field(default_factory=dict[int, Passage])


@dataclass
class SourcesPanel:
    """`outputs` are the components that `show` and `checked` give values for: the first two of show's, and `verdicts`."""

    form: Form
    manuscript: gr.Textbox
    parts: Parts

    def __post_init__(self) -> None:
        """Nothing is read or loaded before somebody asks."""
        self._pages: OrderedDict[tuple[str, str], Page] = OrderedDict()
        self._indexes = retrieval.Indexes()
        self._embedder = self.form.studio.embedder

    @property
    def outputs(self) -> list[Any]:
        """What `show` gives values for."""
        return [self.parts.listed, self.parts.found, self.parts.verdicts]

    def show(self, manuscript: str, request: gr.Request) -> list[Any]:
        """The values of `outputs` for a document; nothing where it cannot be opened."""
        page = self._page(request)
        page.document, page.given = manuscript or "", {}
        try:
            return [_sources_view.listed(self._sources(page, request).rows), "", ""]
        except StudioError:
            return ["", "", ""]

    def prepare(self, values: Mapping[str, Any], request: gr.Request) -> dict[str, Any]:
        """The fields of a run with the passages that fit its instruction, where there are sources and the model can use them."""
        page = self._page(request)
        if values.get("passages") or not self._used(values, request):
            return dict(values)
        sources = self._sources(page, request)
        if not sources.passages:
            return dict(values)
        given = sources.with_numbers(self._search(page.document, str(values.get("prompt") or ""), sources))
        page.given = given
        return {**values, "passages": quoting.quoted(given)[:TEXT_LIMIT]}

    def checked(self, text: str, request: gr.Request, passages: str = "") -> str:
        """The verdicts on what a run wrote, for `parts.verdicts`. `passages` is the field of the run, else what it was last prepared with.

        The numbers of these passages are the document's from now on.
        """
        try:
            known = self.known(text, request, passages)
        except StudioError as error:
            return _status.message(str(error), "error")
        if not known and not citations.cited(text):
            return ""
        return _sources_view.checked(citations.check(text, known), known)

    def known(self, text: str, request: gr.Request, passages: str = "") -> dict[int, Passage]:
        """The passages that a text may cite, by number; as for `checked`. Raises StudioError."""
        page = self._page(request)
        sources = self._sources(page, request)
        given = self._of_run(passages, sources) if passages else page.given
        if page.document and given and citations.cited(text):
            sources = _sources_kept.number(self._manuscripts, page.document, *self._seen(request), sources, given)
        return {**sources.numbered, **given}

    def text(self, request: gr.Request, id: str) -> str:
        """The document on the page as it is kept. Raises StudioError."""
        page = self._page(request)
        page.document = id or page.document
        return self._manuscripts.open(page.document, *self._seen(request)).text if page.document else ""

    def wire(self) -> None:
        """Join the panel's own events."""
        parts, document = self.parts, self.manuscript
        document.change(self._opened, document, self.outputs, **QUIET)
        parts.files.upload(self._add, [parts.files, document], [parts.files, parts.said, parts.listed], concurrency_limit=2, **PRIVATE)
        parts.listed.away(self._away, document, [parts.said, parts.listed, parts.found], **QUIET)
        asked = [document, parts.question, self.form.fields["prompt"]]
        gr.on([parts.find.click, parts.question.submit], self._find, asked, parts.found, concurrency_limit=2, **PRIVATE)
        parts.found.taken(self._quote, document, [parts.quote, parts.said], **QUIET).then(
            None, parts.quote, js=INSERT, api_visibility="private"
        )
        parts.check.click(self._check, document, parts.verdicts, concurrency_limit=2, **PRIVATE)
        _sources_judged.wire(self)
        model = self.form.fields["model"]
        model.change(self._able, model, [parts.answer, parts.use, parts.reason], **QUIET)
        self.form.demo.load(self._able, model, [parts.answer, parts.use, parts.reason], **QUIET)
        parts.use.input(self._use, parts.use, **QUIET)
        parts.answer.click(self._answer, [parts.question, self.form.fields["prompt"]], self.form.fields["prompt"], **QUIET).then(
            None, js=_scripts.RUN, api_visibility="private"
        )
        self.form.demo.load(self._meaning, None, [parts.meaning, parts.fetch], **QUIET)
        parts.fetch.click(self._fetch, None, [parts.meaning, parts.fetch], concurrency_limit=1, **PRIVATE)
        api(asked_passages, api_name="sources_search", api_description="The passages of texts that answer a question best.")
        api(
            asked_verdicts,
            api_name="citations",
            api_description="Whether the sentences of an answer are borne out by the passages they cite.",
        )

    # --- events ----------------------------------------------------------------------------------------------------------------------

    def _opened(self, request: gr.Request, id: str) -> list[Any]:
        page = self._page(request)
        if id and page.document == id:  # a busy page tells of its document after what was asked of it: the answer stays
            return [_sources_view.listed(self._sources(page, request).rows), gr.skip(), gr.skip()]
        return self.show(id, request)

    def _add(self, request: gr.Request, files: Sequence[str] | None, id: str) -> Iterator[tuple[Any, Any, Any]]:
        """Each file by itself: one that cannot be read keeps no other from coming in."""
        page = self._page(request)
        page.document = id or page.document
        if not page.document:
            yield None, _status.message("Start a document first: sources are kept with it.", "error"), gr.skip()
            return
        said: list[str] = []
        failed: list[str] = []
        for file in files or []:
            yield gr.skip(), _status.message(f"Reading {Path(file).name} …", "stopped"), gr.skip()
            try:
                said += _sources_kept.add(self._manuscripts, page.document, *self._seen(request), Path(file))
            except StudioError as error:
                failed.append(str(error))
        rows = self._manuscripts.sources(page.document, *self._seen(request))
        done = f"{len(rows)} source{'s' if len(rows) != 1 else ''}. Nothing of them leaves this machine."
        words = _status.message(" ".join(failed), "error") if failed else ""
        yield None, words + _status.lines([done, *said]), _sources_view.listed(rows)

    def _away(self, event: gr.EventData, request: gr.Request, id: str) -> tuple[Any, Any, Any]:
        page = self._page(request)
        try:
            self._manuscripts.drop_source(id or page.document, *self._seen(request), _asking.words_of(_asking.told(event), "id"))
            rows = self._manuscripts.sources(id or page.document, *self._seen(request))
        except StudioError as error:
            return _status.message(str(error), "error"), gr.skip(), gr.skip()
        page.given = {}
        return _status.message("Removed: what cites it is no longer borne out."), _sources_view.listed(rows), ""

    def _find(self, request: gr.Request, id: str, question: str, prompt: str) -> str:
        page = self._page(request)
        page.document = id or page.document
        asked = (question or "").strip() or (prompt or "").strip()
        try:
            sources = self._sources(page, request)
            if not sources.passages:
                return _status.message("There is no source to look into: drop a file first.", "error")
            if not asked:
                return _status.message("Ask something first: the question is empty.", "error")
            by = self._by()
            page.given = sources.with_numbers(self._search(page.document, asked, sources))
        except StudioError as error:
            return _status.message(str(error), "error")
        return _sources_view.found(page.given, asked, by)

    def _quote(self, event: gr.EventData, request: gr.Request, id: str) -> tuple[str, str]:
        page = self._page(request)
        told = _asking.told(event)
        number = told.get("number") if isinstance(told, Mapping) else None
        passage = page.given.get(number) if isinstance(number, int) else None
        if passage is None:
            return "", _status.message("That passage is gone: search again.", "error")
        try:
            _sources_kept.number(self._manuscripts, id or page.document, *self._seen(request), self._sources(page, request), page.given)
        except StudioError as error:
            return "", _status.message(str(error), "error")
        return f"“{quoting.one_line(passage.text)}” [{number}]", _status.message(f"Passage [{number}] was quoted.")

    def _check(self, request: gr.Request, id: str) -> str:
        """The whole document as it is kept."""
        try:
            text = self.text(request, id)
        except StudioError as error:
            return _status.message(str(error), "error")
        return self.checked(text, request) or _sources_view.NOTHING

    def _able(self, request: gr.Request, model: str | None) -> tuple[Any, Any, str]:
        """The answer is offered where the model can give one; the search always is."""
        words = too_small(self.card(model), list(self.form.studio.cards))
        reason = f'<p class="reason">{escape(words)}</p>' if words else ""
        return gr.Button(interactive=not words), gr.Checkbox(interactive=not words, value=not words and self._page(request).use), reason

    def _use(self, request: gr.Request, use: bool) -> None:
        self._page(request).use = bool(use)

    def _answer(self, question: str, prompt: str) -> str:
        return (question or "").strip() or prompt

    def _meaning(self) -> tuple[str, Any]:
        settings = self.form.studio.settings
        here = embedding.here(self.form.studio.places)
        words = f"Passages are found by their words{' and by what they mean' if here else ''}."
        allowed = not here and not settings.public and not settings.offline
        return _status.note(words), gr.Button(visible=allowed)

    def _fetch(self) -> Iterator[tuple[str, Any]]:
        if self.form.studio.settings.public:
            yield _status.message(CHOSEN, "error"), gr.skip()
            return
        places = self.form.studio.places
        began = time.monotonic()
        stream = Stream(lambda stream: embedding.fetch(places, stream.report, force=True), name=f"download {embedding.CARD.name}")
        try:
            for event in stream:
                if isinstance(event, Progress):
                    rate = event.done / max(time.monotonic() - began, 0.1)
                    yield _status.progress(event, (event.total - event.done) / rate if rate and event.total else None), gr.skip()
        except Cancelled:
            yield _status.message("Download stopped.", "stopped"), gr.skip()
        except StudioError as error:
            yield _status.message(str(error), "error"), gr.skip()
        else:
            yield self._meaning()

    # --- what they share -------------------------------------------------------------------------------------------------------------

    @property
    def _manuscripts(self) -> Any:
        return self.form.studio.library.manuscripts

    def _seen(self, request: gr.Request) -> tuple[str, str]:
        return self.form.seen(request)

    def _page(self, request: gr.Request) -> Page:
        """What this visitor's page looks at; the pages that were idle longest are forgotten."""
        key = self.form.owner(request)
        page = self._pages.setdefault(key, Page())
        self._pages.move_to_end(key)
        while len(self._pages) > PAGES:
            self._pages.popitem(last=False)
        return page

    def _sources(self, page: Page, request: gr.Request) -> Sources:
        return _sources_kept.opened(self._manuscripts, page.document, *self._seen(request))

    def _by(self) -> str:
        """What the next search goes by, to stand after the number of passages found."""
        if self._embedder.loaded:
            return " by words and meaning"
        loading = embedding.here(self.form.studio.places)
        return " by words; the search by meaning is being loaded, ask again in a moment" if loading else " by words"

    def _search(self, document: str, question: str, sources: Sources) -> list[Passage]:
        if embedding.here(self.form.studio.places) and not self._embedder.loaded:
            self._embedder.load_aside()  # takes seconds: until then by words alone
        embed = self._embedder if self._embedder.loaded else None
        found = self._indexes.of(document, sources.passages).search(question[:TEXT_LIMIT], MOST, embed)
        return [one.passage for one in found]

    def _of_run(self, passages: str, sources: Sources) -> dict[int, Passage]:
        """The passages that a run was given, by the words that its record keeps."""
        known = {quoting.one_line(passage.text): passage for passage in sources.passages}
        said = quoting.unquoted(passages)
        return {
            number: known.get(text) or Passage("A passage whose source is gone", number, "", None, 0, len(text), text)
            for number, text in said.items()
        }

    def _used(self, values: Mapping[str, Any], request: gr.Request) -> bool:
        return self._page(request).use and not too_small(self.card(str(values.get("model") or "")), ())

    def card(self, model: str | None) -> ModelCard | None:
        """The writer that is chosen; None where there is none."""
        try:
            return _models.picked(self.form.studio, model or "", Write.kind)
        except (StudioError, ValueError):
            return None


def build(form: Form, manuscript: gr.Textbox) -> SourcesPanel:
    """Lay out the panel and wire it. Made after the form's `prompt` and `model`; `manuscript` holds the id of the document on the page."""
    with gr.Column(elem_classes="sources"):
        panel = SourcesPanel(form, manuscript, laid_out())
    panel.wire()
    return panel
