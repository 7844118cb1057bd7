"""The audit log: a chain of lines that only grows; what is changed in it is found, what a crash cut short is taken off and said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from studio import audit, doctor, fsck
from studio.audit import Audit, short, verified
from studio.errors import Refused
from studio.library import Library
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import TextToImage
from tests.attacks.promise import opened


def lines(home: Path) -> list[Path]:
    return sorted((home / "audit").glob("*.jsonl"))


@pytest.fixture
def told(home: Path) -> Audit:
    """A log of five lines."""
    log = Audit(home)
    for number in range(5):
        log.note("refused", f"owner {number}", rule="X1")
    return log


def test_a_log_without_a_line_has_no_file(home: Path) -> None:
    assert Audit(home).newest(5) == () and verified(home) == audit.Verdict(0, 0)
    assert not home.exists()


def test_lines_are_numbered_and_the_newest_comes_first(told: Audit, home: Path) -> None:
    told.note("blocked", "ana", by="bo", addresses=True)
    newest, before = told.newest(2)
    assert (newest.number, newest.what, newest.who, newest.by, newest.facts) == (6, "blocked", short("ana"), "bo", {"addresses": True})
    assert (before.number, before.facts) == (5, {"rule": "X1"}) and verified(home) == audit.Verdict(1, 6)


def test_no_line_holds_the_name_of_an_owner(told: Audit, home: Path) -> None:
    assert b"owner 1" not in lines(home)[0].read_bytes()


@pytest.mark.parametrize("harm", ["changed", "taken out", "put in", "swapped", "first gone"])
def test_a_chain_that_was_tampered_with_is_found(told: Audit, home: Path, harm: str) -> None:
    (file,) = lines(home)
    rows = file.read_bytes().splitlines(keepends=True)
    match harm:
        case "changed":
            rows[2] = rows[2].replace(b"X1", b"X2")
        case "taken out":
            del rows[2]
        case "put in":
            rows.insert(2, rows[1])
        case "swapped":
            rows[1], rows[2] = rows[2], rows[1]
        case _:
            rows[0] = rows[0].replace(b"0" * 64, b"1" * 64)
    file.write_bytes(b"".join(rows))
    assert verified(home).wrong


def test_a_last_line_that_was_cut_short_is_taken_off_and_said(told: Audit, home: Path) -> None:
    (file,) = lines(home)
    file.write_bytes(file.read_bytes()[:-40])
    assert verified(home) == audit.Verdict(1, 4), "what a crash leaves is no fault"
    Audit(home).note("paused", by="bo")
    assert [entry.what for entry in told.newest(2)] == ["paused", "torn"] and verified(home) == audit.Verdict(1, 6)


def test_the_chain_goes_on_in_a_new_file_and_old_files_go(told: Audit, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ROTATED", 500)
    for _ in range(4):
        told.note("refused", "ana")
    files = lines(home)
    assert len(files) > 2 and verified(home) == audit.Verdict(1, 9)
    middle = files[1].read_bytes()
    files[1].unlink()
    assert "gone" in verified(home).wrong, "a file in the middle is missed"
    files[1].write_bytes(middle)
    os.utime(files[0], (time.time(), time.time() - audit.KEPT_SECONDS - 60))
    while len(lines(home)) == len(files):
        told.note("refused", "ana")
    assert not files[0].exists()
    found = verified(home)
    assert not found.wrong and found.first == int(files[1].stem), "what went by its age is no fault"


def test_threads_and_processes_write_one_chain(home: Path) -> None:
    log = Audit(home)
    code = f"from pathlib import Path; from studio.audit import Audit; log = Audit(Path({str(home)!r})); [log.note('x') for _ in range(20)]"
    other = subprocess.Popen([sys.executable, "-c", code])
    threads = [threading.Thread(target=lambda: [log.note("y") for _ in range(10)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other.wait(60) == 0 and verified(home) == audit.Verdict(1, 40)


def test_a_disk_that_refuses_stops_nobody(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    home.write_text("no folder")
    Audit(home).note("refused", "ana")
    assert "could not be written" in caplog.text


def test_each_refusal_of_the_rules_is_written_down_without_a_word_of_what_was_asked(tmp_path: Path) -> None:
    for studio in opened(tmp_path):
        words = "zebraquartz naked child"
        with pytest.raises(Refused) as refusal:
            next(iter(studio.run(TextToImage(prompt=words), "ana")))
        with pytest.raises(Refused):
            next(iter(studio.enhance(TextToImage(prompt=words), "ana")))
        told = studio.audit.newest(5)
        assert [(entry.what, entry.who) for entry in told] == [("refused", short("ana"))] * 2
        assert told[0].facts == {"kind": "text_to_image", "rule": refusal.value.rule, "code": "E200"} and refusal.value.rule
        text = "".join(file.read_text() for file in lines(studio.settings.home))
        assert "zebraquartz" not in text and "ana" not in json.loads(text.splitlines()[0]).values()


def test_the_doctor_reads_the_chain(told: Audit, home: Path) -> None:
    assert doctor.audited(home) == doctor.Check("the audit log is whole: 5 lines")
    (file,) = lines(home)
    file.write_bytes(file.read_bytes().replace(b"X1", b"X2", 1))
    assert doctor.audited(home).advice
    Library(home).close()
    assert [finding.what for finding in fsck.check(home)] == ["The audit log is not whole: line 2 does not follow from the one before it"]


def test_a_studio_writes_nothing_down_where_nothing_was_refused(home: Path, tmp_path: Path) -> None:
    studio = Studio.open(Settings(home=home, cache=tmp_path, offline=True, device="cpu"))
    studio.close()
    assert not (home / "audit").exists() and not (home / "admission.sqlite").exists()
