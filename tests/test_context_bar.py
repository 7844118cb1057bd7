"""What the page says a writer reads, on a real studio with a tiny model: the same tokens as the run, kept with the document."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from studio.creations import Creation
from studio.device import Device
from studio.errors import InvalidInput, ModelUnavailable
from studio.library import Library
from studio.manager import Manager
from studio.models import Endpoint, Folder, ModelCard
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Write
from studio.writing.context import SOURCES
from studio.writing.lore_files import export_cards, parse
from studio.writing.spans import Splice
from tabs import _context, _context_bar, _context_parts, _fields
from tabs._context_parts import OWN
from tabs._form import Form
from tests import tiny

ROOT = Path(__file__).parent.parent
CARDS = "# Ana\nkeys: Ana\nShe fears nothing.\n\n# Bo\nkeys: Bo\nA dog.\n\n# War\nalways\nIt is over."
FULL: dict[str, Any] = {"prompt": "Write on.", "system": "Be brief.", "document": "Ana ran. " * 30, "notes": "Ana is nine. " * 60,
                        "cards": "Ana: A girl.\n\nBo: A dog.", "passages": "[1] One.\n\n[2] Two.", "author_note": "Rain."}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.chat_model(tmp_path_factory.mktemp("models") / "chat", 2000)


@pytest.fixture(params=["local"])
def studio(folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Studio]:
    card = ModelCard(name="Tiny", engine="language", serves=("write",), source=Folder(path=str(folder)), options={"dtype": "float32"},
                     defaults={"max_new_tokens": 20}, commercial=True, memory_gb=0.01)  # fmt: skip
    far = ModelCard(name="Far", engine="endpoint", serves=("write",), source=Endpoint(url="http://127.0.0.1:9/v1", model="far"))
    settings = Settings(home=tmp_path / "home", cache=tmp_path / "cache", offline=True, mode=request.param)
    device = Device("cpu")
    made = Studio(settings, (card, far), device, Manager(device), Library(settings.home))
    yield made
    made.close()


class Page:
    """The panel beside a form, as the writing tab has it."""

    def __init__(self, studio: Studio) -> None:
        with gr.Blocks() as self.demo:
            self.form = Form(studio, self.demo, task=Write)
            document = gr.Textbox()
            for name in ("prompt", "system", "document", "model"):
                self.form.add(name, _fields.text(Write, name))
            self.form.add("max_new_tokens", _fields.number(Write, "max_new_tokens"))
            self.panel = _context.build(self.form, document)

    def event(self, name: str) -> Any:
        return next(one.fn for one in self.demo.fns.values() if one.name == name)

    def types(self, session: str, id: str = "", **own: Any) -> str:
        return self.event("_keep")(visitor(session), id, *{**OWN, **own}.values())

    def opens(self, session: str, id: str, before: str = "", **own: Any) -> list[Any]:
        return self.event("_opened")(visitor(session), id, before, *{**OWN, **own}.values())

    def draws(self, session: str, id: str = "", **said: Any) -> tuple[str, str]:
        names = [name for name in _context.WATCHED if name in self.form.fields]
        values = {**dict.fromkeys(names), **OWN, **said}
        return self.event("drawn")(visitor(session), id, *(values[name] for name in (*names, *OWN)))


def visitor(session: str) -> gr.Request:
    return gr.Request(session_hash=session, headers={"origin": "http://127.0.0.1"})


@pytest.fixture
def page(studio: Studio) -> Page:
    """Made in a loop of events that is closed again, in a thread of its own."""

    async def made() -> Page:
        return Page(studio)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(made())).result()


def told(context: Any) -> dict[str, int]:
    """What a record says of each source that was there."""
    return {source: tokens for source, tokens in context.items() if tokens}


# The studio -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{"prompt": "Write on."}, FULL, {**FULL, "max_new_tokens": 1500, "document": "Ana ran. " * 300}])
def test_a_run_reads_exactly_what_was_said_before_it(studio: Studio, fields: dict[str, Any]) -> None:
    asked = Write.checked({"seed": 1, **fields})
    said = studio.context(asked)
    assert sum(part.tokens for part in said.parts) == 2000
    if asked.max_new_tokens is None:  # a long answer of a random model is no use here
        (creation,) = [event for event in studio.run(asked) if isinstance(event, Creation)]
        facts = creation.record["facts"]
        assert isinstance(facts, dict)
        assert told(facts["context"]) == {part.source: part.tokens for part in said.parts if part.tokens}
    else:
        assert said.cut > 0
        assert said.room < 1500


def test_what_is_read_is_said_without_loading_the_model(studio: Studio) -> None:
    studio.context(Write.checked(FULL))
    assert studio.manager.waiting() == 0
    assert list(studio.library.journal.jobs(("queued", "running", "done"))) == []
    assert studio.words(studio.cards[0].model_copy(update={"files": studio.here("write")["Tiny"].files}))[1] == 2000


def test_a_tokenizer_is_read_once_and_kept_for_two_writers(studio: Studio) -> None:
    found: list[str] = []

    def find(name: str) -> Any:
        found.append(name)
        return (object(), 1)

    for name in ("a", "b", "a", "c", "a", "b"):
        studio._vocabularies.of(name, lambda name=name: find(name))
    assert found == ["a", "b", "c", "b"]


def test_a_model_that_is_not_here_or_runs_elsewhere_is_said_in_words(studio: Studio) -> None:
    with pytest.raises(ModelUnavailable, match=r"Far|elsewhere"):
        studio.context(Write.checked({"prompt": "x", "model": "Far"}))
    with pytest.raises((InvalidInput, ModelUnavailable)):
        studio.context(Write.checked({"prompt": "x", "model": "Nobody"}))
    with pytest.raises(InvalidInput, match="Shorten it"):
        studio.context(Write.checked({"prompt": "x" * 1990}))


def test_a_starter_reads_what_was_said_before_its_run(starter_cache: Path, tmp_path: Path) -> None:
    studio = Studio.open(Settings(home=tmp_path / "home", cache=starter_cache, offline=True))
    try:
        asked = Write.checked({**FULL, "document": "Ana ran to the harbour.", "notes": "Ana is nine.", "max_new_tokens": 2, "seed": 1})
        said = studio.context(asked)
        (creation,) = [event for event in studio.run(asked) if isinstance(event, Creation)]
        facts = creation.record["facts"]
        assert isinstance(facts, dict)
        assert told(facts["context"]) == {part.source: part.tokens for part in said.parts if part.tokens}
    finally:
        studio.close()


# The bar --------------------------------------------------------------------------------------------------------------------------------


def test_the_bar_says_each_source_with_its_tokens_and_what_was_left_out(studio: Studio) -> None:
    found = studio.context(Write.checked({**FULL, "document": "Ana ran. " * 400}))
    drawn = _context_bar.bar(found, "Tiny <b>")
    assert "Tiny &lt;b&gt; reads" in drawn
    for part in found.parts:
        title = _context_bar.TITLES[part.source][1]
        assert (f"</i>{title} <b>{part.tokens:,}</b>" in drawn) is bool(part.tokens)
        assert (f'class="{part.source}" style' in drawn) is bool(part.tokens)
        if part.why:
            assert part.why.replace("'", "&#x27;").replace(" %", "&nbsp;%") in drawn
    shares = [float(share) for share in re.findall(r"flex-grow:([\d.]+)", drawn)]
    assert sum(shares) == pytest.approx(1, abs=0.001)
    assert 'aria-hidden="true">' in drawn


def _luminance(colour: str) -> float:
    colour = "".join(2 * digit for digit in colour) if len(colour) == 3 else colour
    parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("theme", "grounds"), [("", ("ffffff", "faf8f5")), (r"\.dark ", ("1e1b18", "141210"))])
def test_every_colour_of_the_bar_can_be_told_from_the_page_and_its_letter_read(theme: str, grounds: tuple[str, ...]) -> None:
    style = (ROOT / "assets" / _context.STYLE).read_text("utf-8")
    pattern = rf"(?m)^{theme}\.tokens \.(\w+) {{ background: #(\w+); color: #(\w+); }}"
    found = {name: (back, front) for name, back, front in re.findall(pattern, style)}
    assert set(found) == set(SOURCES) - {"free"}
    for back, front in found.values():
        assert contrast(back, front) >= 4.5
        assert min(contrast(back, ground) for ground in grounds) >= 3
    letters = [letter for letter, _ in _context_bar.TITLES.values()]
    assert len(set(letters)) == len(SOURCES), "each part has a letter of its own, so that colour alone says nothing"


# The panel ------------------------------------------------------------------------------------------------------------------------------


def test_cards_that_apply_and_the_voice_reach_the_run_of_their_page_alone(studio: Studio, page: Page) -> None:
    studio.voices.save("Plain", "Short sentences.")
    page.types("one", cards=CARDS, voice="Plain")
    values = {"prompt": "Write on.", "document": "Ana ran.", "system": "Be brief.", "model": "Tiny"}
    made = page.panel.prepare(values, visitor("one"))
    assert made["cards"] == "Ana: She fears nothing.\n\nWar: It is over."
    assert made["system"] == "Be brief.\n\nWrite in this voice. Short sentences."
    assert Write.checked(made)
    assert page.panel.prepare(values, visitor("two")) == values


def test_the_bar_of_the_page_counts_what_the_run_will_read(studio: Studio, page: Page) -> None:
    drawn, listed = page.draws("one", prompt="Write on.", document="Ana ran.", cards=CARDS, notes="A note.", author_note="Rain.")
    page.types("one", cards=CARDS)
    values = {"prompt": "Write on.", "document": "Ana ran.", "notes": "A note.", "author_note": "Rain."}
    said = studio.context(Write.checked(page.panel.prepare(values, visitor("one"))))
    for part in said.parts:
        assert f"{_context_bar.TITLES[part.source][1]} <b>{part.tokens:,}</b>" in drawn or not part.tokens
    assert "2 cards apply" in listed
    assert "Bo: None of its keys is in the text." in listed


def test_the_bar_reads_the_document_of_the_page_and_waits_for_no_instruction(studio: Studio, page: Page) -> None:
    id = studio.library.manuscripts.new("local", "", "One", "Ana ran. " * 20).id
    drawn, listed = page.draws("one", id, cards=CARDS)
    assert "Document <b>180</b>" in drawn or "Document <b>179</b>" in drawn  # a token is a byte; the space at its end is not read
    assert "“Ana” is in the text." in listed


def test_other_panels_count_too(page: Page) -> None:
    class Sources:
        def prepare(self, values: dict[str, Any], request: gr.Request) -> dict[str, Any]:
            return {**values, "passages": "[1] A passage."}

    assert "Passages <b>" not in page.draws("one", prompt="x")[0]
    page.panel.others.append(Sources())
    assert "Passages <b>" in page.draws("one", prompt="x")[0]


def test_what_cannot_be_said_is_said_in_words(page: Page) -> None:
    assert "Shorten it" in page.draws("one", prompt="x" * 1990)[0]
    assert "<p>" in page.draws("one", prompt="x", model="Nobody")[0]
    assert "invisible control character" in page.draws("one", prompt="x", notes="\x00")[0]
    assert "invisible control character" in page.types("one", notes="\x00")
    assert "broken character" in page.types("one", cards="x" * 70_000 + "\ud800")
    assert "500,000" in page.types("one", cards="x" * 500_001)


def test_what_stands_there_is_kept_with_its_document_and_comes_back(studio: Studio, page: Page) -> None:
    manuscripts = studio.library.manuscripts
    first, second = manuscripts.new("local", "", "One").id, manuscripts.new("local", "", "Two").id
    assert page.types("one", first, notes="Of the first.", cards=CARDS, note_depth=20) == ""
    assert manuscripts.open(first, "local").fields["context"] == {"notes": "Of the first.", "cards": CARDS, "note_depth": 20}
    assert page.opens("one", second, first)[1:] == list(OWN.values())
    assert page.opens("two", first, "")[1:] == list({**OWN, "notes": "Of the first.", "cards": CARDS, "note_depth": 20}.values())
    assert page.panel.show(manuscripts.open(first, "local").fields)[0] == "Of the first."
    assert page.panel.show({"context": "damaged"}) == list(OWN.values())
    manuscripts.set_fields(second, "local", "", {"other": 1})
    page.types("one", second, notes="x")
    page.types("one", second)
    assert manuscripts.open(second, "local").fields == {"other": 1, "context": {}}


def test_a_new_document_takes_over_what_stood_there_without_one(studio: Studio, page: Page) -> None:
    id = studio.library.manuscripts.new("local", "", "New").id
    assert page.opens("one", id, "", notes="Typed before.")[0] == id
    assert studio.library.manuscripts.open(id, "local").fields["context"] == {"notes": "Typed before."}
    old = studio.library.manuscripts.new("local", "", "Old")
    studio.library.manuscripts.change(old.id, "local", "", old.version, [Splice(0, 0, "Long ago.")])
    assert page.opens("one", old.id, "", notes="Typed before.")[1] == ""


@pytest.mark.parametrize("studio", ["public"], indirect=True)
def test_strangers_have_their_own_documents_and_voices(studio: Studio, page: Page) -> None:
    id = studio.library.manuscripts.new("guest", "one", "Mine").id
    page.types("one", id, notes="Mine.")
    assert "no" in page.types("two", id, notes="Theirs.").lower()
    assert page.opens("two", id, "")[0] == ""
    assert studio.library.manuscripts.open(id, "guest", "one").fields["context"] == {"notes": "Mine."}
    studio.voices.save("Plain", "Short.", "", "guest", "one")
    page.types("two", voice="Plain")
    assert page.panel.prepare({"prompt": "x", "system": ""}, visitor("two"))["system"] == ""
    studio.forget("one")
    assert studio.voices.of("guest", "one") == {}


def test_cards_are_brought_from_a_file_beside_those_that_are_there(uploads: Path, tmp_path: Path) -> None:
    file = tmp_path / "book.json"
    file.write_bytes(export_cards(parse("# Bo\nkeys: Bo, the dog\nA big dog.\n\n# Cy\nalways\nA cat.")))
    together, given, said = _context_parts._bring(str(file), CARDS)
    assert [card.title for card in parse(together)] == ["Ana", "War", "Bo", "Cy"]
    assert parse(together)[2].keys == ("Bo", "the dog")
    assert given is None
    assert "2 cards are here now." in said
    file.write_text("{")
    assert "There are no cards in this file" in _context_parts._bring(str(file), CARDS)[2]
    assert "cannot be read" in _context_parts._bring(None, CARDS)[2]
    taken, _ = _context_parts._take(together)
    (written,) = uploads.rglob("cards.json")
    assert str(written) in str(taken.value)
    assert len(json.loads(written.read_text("utf-8"))["entries"]) == 4
    assert "no cards yet" in _context_parts._take("")[1]


def test_a_voice_is_described_kept_and_chosen(studio: Studio, page: Page) -> None:
    description, example, said = _context_parts._heard("I ran, and I didn't look back! We don't do that here. " * 6)
    assert description.startswith("Sentences of about")
    assert said == ""
    assert "at least 40" in _context_parts._heard("Too short.")[2]
    update, told = page.event("keep")("Runner", description, example, visitor("one"))
    assert update.value == "Runner"
    assert "chosen" in told
    assert page.event("chose")("Runner", visitor("one")) == ("Runner", description, example)
    assert "1 to 60" in page.event("keep")("", description, example, visitor("one"))[1]
    assert page.event("listed_voices")("Runner", visitor("one")).choices == [("None", ""), ("Runner", "Runner")]
    page.event("drop")("Runner", visitor("one"))
    assert studio.voices.of() == {}
    assert "no voice of that name" in page.event("drop")("Runner", visitor("one"))[1]


def test_programs_ask_at_an_endpoint_of_its_own(studio: Studio, page: Page) -> None:
    (asked,) = [one for one in page.demo.fns.values() if one.api_name == "write_context"]
    assert asked.fn is not None
    answer: Any = asked.fn(prompt="Write on.", notes="A note.", document="Ana ran.", max_new_tokens=50)
    assert [part["source"] for part in answer["parts"]] == list(SOURCES)
    assert sum(part["tokens"] for part in answer["parts"]) == 2000
    assert answer["room"] == 50
    assert json.dumps(answer)
    with pytest.raises(gr.Error, match="Instruction is empty"):
        asked.fn(prompt=" ")
