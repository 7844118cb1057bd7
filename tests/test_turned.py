"""Who is turned away at the door stands in the audit log: one line for many, without a word of what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import turned
from studio.admission import BLOCKED
from studio.audit import Audit, short, verified
from studio.errors import Refused
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import TextToImage
from studio.turned import Turned
from studio.visitors import Visitors
from tabs._answer import BODY_LIMIT
from tabs._apart import Bonds, Files
from tabs._calls import Calls
from tabs._guard import Door
from tabs._limits import Limits
from tests.test_web import client_of


@pytest.fixture
def counted(home: Path) -> Iterator[Turned]:
    made = Turned(Audit(home))
    yield made
    made.tell()


def told(home: Path) -> list[tuple[str, str, object, object]]:
    return [(one.what, one.who, one.facts["why"], one.facts["times"]) for one in reversed(Audit(home).newest(99))]


def test_a_flood_of_one_visitor_is_a_number_in_one_line(counted: Turned, home: Path) -> None:
    for _ in range(5000):
        counted.note("rate", "ana")
    counted.note("file", "ana")
    assert not home.exists(), "nothing is written while it is counted"
    counted.tell()
    counted.tell()
    assert told(home) == [(turned.WHAT, short("ana"), "rate", 5000), (turned.WHAT, short("ana"), "file", 1)]
    assert not verified(home).wrong


def test_a_flood_of_many_visitors_names_few_and_counts_all(counted: Turned, home: Path) -> None:
    for number in range(1000):
        counted.note("rate", f"visitor {number}")
    counted.tell()
    lines = told(home)
    assert len(lines) == turned.NAMED + 1
    assert lines[-1][1:] == ("", "rate", 1000 - turned.NAMED)


def test_beyond_a_day_s_lines_there_is_one_an_hour_for_each_reason(counted: Turned, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turned, "A_DAY", 1)
    counted.note("rate", "ana")
    counted.tell()
    for number in range(3):
        counted.note("file", f"visitor {number}")
    assert counted._timer is not None and counted._timer.interval == turned.HOUR
    counted.tell()
    assert told(home)[1:] == [(turned.WHAT, "", "file", 3)]
    monkeypatch.setattr(turned, "moment", lambda: "2099-01-01T00:00:00")
    counted.note("file", "ana")
    counted.tell()
    assert told(home)[-1][1] == short("ana"), "a new day has lines again"


def test_lines_are_written_by_themselves_when_the_minute_is_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turned, "MINUTE", 0.01)
    counted = Turned(Audit(home))
    counted.note("rate", "ana")
    timer = counted._timer
    assert timer is not None
    timer.join(60)
    assert told(home) == [(turned.WHAT, short("ana"), "rate", 1)]


def test_the_guard_writes_down_whom_it_turns_away_and_nothing_of_what_they_asked(counted: Turned, home: Path, tmp_path: Path) -> None:
    bonds, visitors = Bonds(), Visitors(tmp_path / "v", b"a secret of tests")
    hosts, files = frozenset({"127.0.0.1"}), Files(tmp_path / "web", bonds)
    client = client_of(Door(hosts, frozenset(), Limits(True, requests=1), visitors, Calls(files, bonds), turned=counted))
    client.get("/zebraquartz", headers={"host": "zebraquartz.example"})
    client.get("/zebraquartz", headers={"origin": "https://zebraquartz.example"})
    client.get("/monitoring/zebraquartz")
    client.post("/zebraquartz", content=b"x", headers={"content-length": str(BODY_LIMIT + 1)})
    body = {"data": [{"path": "/etc/zebraquartz"}], "session_hash": "zebraquartz"}
    client.post("/gradio_api/queue/join", json=body)
    client.get("/gradio_api/file=https:/zebraquartz")
    for _ in range(12):
        client.get("/zebraquartz")
    counted.tell()
    lines = told(home)
    assert {why for _, _, why, _ in lines} == {"host", "origin", "closed", "size", "file", "rate"}
    assert {who for _, who, _, _ in lines} == {short(visitors.passing("testclient"))}
    text = "".join(file.read_text() for file in (home / "audit").glob("*.jsonl"))
    assert "zebraquartz" not in text and "testclient" not in text and "etc" not in text


def test_what_somebody_who_is_blocked_tries_is_written_down(tmp_path: Path) -> None:
    studio = Studio.open(Settings(home=tmp_path / "home", cache=tmp_path / "cache", mode="public", offline=True, device="cpu"))
    studio.admission.block("ana")
    asked = TextToImage(prompt="zebraquartz", width=64, height=64)
    for run in (studio.run, studio.enhance, studio.run):
        with pytest.raises(Refused, match=BLOCKED[:20]):
            next(iter(run(asked, "ana")))
    studio.close()
    assert told(tmp_path / "home") == [(turned.WHAT, short("ana"), "blocked", 3)]
