"""The signed statement beside a text: it proves what this studio handed out, and nothing else; what others send cannot hurt."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.creations import Passage
from studio.engines.gguf import CARDS
from studio.errors import InvalidInput
from studio.library import Library
from studio.marks import Marks
from studio.origin import Origin, examine
from studio.provenance.record import compose
from studio.settings import Settings
from studio.tasks import Write
from studio.writing import sidecar
from studio.writing.spans import Span
from tabs import _origin, _writing_files
from tabs._form import Desk

TEXT = "The lamp went out. He lit it again."
SPANS = (Span(18, "machine", "c1"), Span(17, "human"))


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(Settings(home=tmp_path / "home", cache=tmp_path, mode="local"))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Marks:
    return Marks(Settings(home=tmp_path / "other", cache=tmp_path, mode="local"))


@pytest.fixture
def ask(tmp_path: Path, marks: Marks) -> Callable[..., Origin]:
    """The box of the library, asked about a statement and perhaps the text that came with it."""

    def asked(data: bytes, beside: bytes | None = None, suffix: str = ".txt") -> Origin:
        library = Library(tmp_path / "library")
        (tmp_path / "a.json").write_bytes(data)
        if beside is not None:
            (tmp_path / f"text{suffix}").write_bytes(beside)
        try:
            return examine(tmp_path / "a.json", library, marks.identity, beside=tmp_path / f"text{suffix}" if beside is not None else None)
        finally:
            library.close()

    return asked


def made(marks: Marks, text: str = TEXT, spans: tuple[Span, ...] = SPANS) -> bytes:
    task = Write(prompt="a secret wish", seed=1)
    passage = Passage("The lamp went out.", 1, 5)
    record = marks.marked(passage, compose(task, task, CARDS[0], passage, "cpu", 1.0))[1]
    return sidecar.make({"lamp.txt": text.encode(), "lamp.docx": b"PK"}, text, spans, [sidecar.part("c1", record)], marks.identity)


def test_a_text_beside_its_statement_is_recognised_to_the_last_byte(marks: Marks, ask: Callable[..., Origin]) -> None:
    data = made(marks)
    found = ask(data, TEXT.encode())
    assert found.verdict == "Yes, this text comes from here, and it is as it was downloaded."
    assert [one.sure for one in found.findings] == ["proof", "proof"] and "lamp.txt" in found.findings[1].words
    assert ask(data, b"PK", ".docx").verdict.startswith("Yes")
    rows = dict(found.settings)
    assert rows["Who wrote it"] == "51 % machine-written" and rows["Models"] == "SmolLM2 135M" and rows["Length"] == "35 characters"
    changed = ask(data, TEXT.replace("He", "She").encode())
    assert [one.sure for one in changed.findings] == ["proof", "warning"] and "before it was changed" in changed.verdict
    alone = ask(data)
    assert alone.verdict.startswith("This studio signed the statement. Add the text")


def test_a_statement_that_was_changed_proves_nothing(marks: Marks, ask: Callable[..., Origin]) -> None:
    whole = json.loads(made(marks))
    other = hashlib.sha256(b"another text").hexdigest()
    for change in (
        lambda told: told["statement"]["files"]["lamp.txt"].update(sha256=other),
        lambda told: told["statement"]["spans"][0].__setitem__(1, "human"),
        lambda told: told["statement"].update(more=1),
        lambda told: told["signature"].update(signature=told["signature"]["signature"][:-4] + "AAAA"),
        lambda told: told["signature"].update(protected="e30"),
        lambda told: told["signature"].update(protected=base64.urlsafe_b64encode(b'{"alg": "none", "x5c": []}').decode()),
        lambda told: told.update(signature={}),
    ):
        told = json.loads(json.dumps(whole))
        change(told)
        found = ask(json.dumps(told).encode(), b"another text")
        assert found.verdict == "Nothing can be said: the statement was changed after it was signed." and not found.settings
        assert [one.sure for one in found.findings] == ["warning"]
    shuffled = json.dumps({"signature": whole["signature"], "statement": dict(reversed(whole["statement"].items()))}).encode()
    assert ask(shuffled, TEXT.encode()).verdict.startswith("Yes")  # the order of names says nothing


def test_another_studio_s_statement_is_no_proof_here(elsewhere: Marks, ask: Callable[..., Origin]) -> None:
    found = ask(made(elsewhere), TEXT.encode())
    assert found.verdict == "Someone else signed it; nothing says that it was made here."
    assert found.findings[0].sure == "claim" and "Atelier studio" in found.findings[0].words


def test_next_year_the_statement_is_still_this_studio_s(marks: Marks) -> None:
    data = made(marks)
    later = sidecar.read(data, replace(marks.identity, year=2033))
    assert later is not None and later.state == "ours"


def test_the_statement_tells_neither_the_wish_nor_the_secret(marks: Marks) -> None:
    told = made(marks).decode()
    assert "a secret wish" not in told and marks.identity.secret.hex() not in told and "PRIVATE" not in told
    part = json.loads(told)["statement"]["parts"]["c1"]
    assert part["model"] == "SmolLM2 135M" and part["licence"] == "Apache-2.0" and "no mark can be put" in part["mark"]
    assert len(part["record_sha256"]) == 64


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{", b'{"form": "atelier-text"}', b'{"statement": 1, "signature": {}, "x": "atelier-text"}',
        b'{"statement": {"form": "atelier-text"}, "signature": []}', b'"atelier-text"' + b"[" * 100_000, b"atelier-text" * 400_000,
    ],
    ids=map(str, range(8)),
)  # fmt: skip
def test_what_is_no_statement_is_none(data: bytes, marks: Marks) -> None:
    assert sidecar.read(data, marks.identity) is None


def test_a_hostile_statement_stays_short_and_plain(marks: Marks, ask: Callable[..., Origin]) -> None:
    spans: list[Any] = [[10**4000, "machine"], [-5, "human"], ["x"], None, *([[1, "<b>" * 900]] * 900)]
    hostile = {
        "form": "atelier-text", "created": "<script>" * 900, "spans": spans, "files": {"f" * 9000 + str(k): 7 for k in range(900)},
        "parts": {str(k): {"model": f"<i>{k}" * 900} for k in range(900)},
    }  # fmt: skip
    signature = sidecar._signature(sidecar._canonical(hostile), marks.identity)
    found = ask(json.dumps({"statement": hostile, "signature": signature}).encode())
    page = _origin.drawn(found)
    assert len(page) < 40_000 and "<script" not in page and "<i>" not in page and "<b>" not in page


def test_a_download_brings_the_statement_where_a_model_wrote_along(marks: Marks, tmp_path: Path) -> None:
    library = Library(tmp_path / "kept")
    task = Write(prompt="x", seed=1)
    passage = Passage("The lamp went out.", 1, 5)
    record = marks.marked(passage, compose(task, task, CARDS[0], passage, "cpu", 1.0))[1]
    made = library.keep(passage.text.encode(), ".txt", record, text=passage.text)
    request: Any = SimpleNamespace(session_hash="one", username=None)
    page: Any = None
    for origin, signed, off in (("machine", True, ""), ("edited", True, ""), ("human", False, ""), ("machine", False, "a test")):
        studio: Any = SimpleNamespace(library=library, marks=marks, settings=SimpleNamespace(public=False, no_signature=off))
        spans = (Span(18, origin, made.id if origin != "human" else ""), Span(17, "human"))  # type: ignore[arg-type]
        kept: Any = SimpleNamespace(title="Lamp", text=TEXT, spans=spans)
        files = _writing_files.files_of(Desk(studio, page), kept, request)
        statements = [name for name in files if name.endswith(".json")]
        assert statements == (["lamp.signed.json"] if signed else [])
        if signed:
            read = sidecar.read(files["lamp.signed.json"], marks.identity)
            assert read is not None and read.state == "ours" and read.models == ("SmolLM2 135M",)
            assert all(read.names(data) == name for name, data in files.items() if not name.endswith(".json"))
    library.close()


def test_the_box_takes_a_text_and_its_statement_in_any_order(marks: Marks, tmp_path: Path) -> None:
    library = Library(tmp_path / "kept")
    (tmp_path / "lamp.txt").write_text(TEXT)
    (tmp_path / "lamp.signed.json").write_bytes(made(marks))
    files = [str(tmp_path / "lamp.txt"), str(tmp_path / "lamp.signed.json")]
    studio: Any = SimpleNamespace(library=library, marks=marks, settings=SimpleNamespace(public=False), here=lambda _: {}, words=None)
    page: Any = None
    request: Any = SimpleNamespace(session_hash="one", username=None)
    for given in (files, files[::-1]):
        assert "Yes, this text comes from here" in _origin.answer(Desk(studio, page), given, request)
    assert "no writer that marks its words" in _origin.answer(Desk(studio, page), files[:1], request)
    for wrong in ([files[0], files[0]], [*files, files[0]]):
        assert 'class="stage error"' in _origin.answer(Desk(studio, page), wrong, request)
    with pytest.raises(InvalidInput, match="with its signed file"):
        examine(tmp_path / "lamp.docx", library, marks.identity)
    library.close()
