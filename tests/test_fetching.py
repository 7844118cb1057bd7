"""What every download shares."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from studio import fetching
from studio.creations import Preview, Progress
from studio.errors import Cancelled, DownloadFailed, StorageFull


def silent(_: Progress | Preview) -> None: ...


def test_a_child_is_heard_while_it_runs() -> None:
    heard: list[str] = []
    code = "import time\nfor k in range(3): print(k, flush=True); time.sleep(0.2)"
    status, words = fetching.run_child([sys.executable, "-c", code], heard.append)
    assert (status, words.split()) == (0, ["0", "1", "2"])
    assert "".join(heard) == words
    assert len([news for news in heard if news]) >= 2


def test_a_stop_ends_the_child_at_once(tmp_path: Path) -> None:
    code = f"import time, os; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"

    def tick(_: str) -> None:
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            raise Cancelled

    started = time.monotonic()
    with pytest.raises(Cancelled):
        fetching.run_child([sys.executable, "-c", code], tick)
    assert time.monotonic() - started < 5
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_child_that_hangs_is_ended() -> None:
    status, _ = fetching.run_child([sys.executable, "-c", "import time; time.sleep(60)"], lambda _: None, seconds=0.3)
    assert status is None


def test_two_threads_take_turns_and_the_waiting_one_can_be_stopped(tmp_path: Path) -> None:
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with fetching.turn(tmp_path, "x", silent):
            inside.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(10)
    seen: list[Progress | Preview] = []

    def report(event: Progress | Preview) -> None:
        seen.append(event)
        raise Cancelled

    with pytest.raises(Cancelled), fetching.turn(tmp_path, "x", report):
        pytest.fail("both had their turn at once")
    assert isinstance(seen[0], Progress)
    assert seen[0].phase == "waiting"
    leave.set()
    holder.join()
    with fetching.turn(tmp_path, "x", silent):
        pass


def test_a_mark_holds_until_the_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"abc")
    assert not fetching.marked(tmp_path, file, "sum")
    fetching.mark(tmp_path, file, "sum")
    assert fetching.marked(tmp_path, file, "sum")
    assert not fetching.marked(tmp_path, file, "another sum")
    file.write_bytes(b"abcd")
    assert not fetching.marked(tmp_path, file, "sum")
    file.unlink()
    assert not fetching.marked(tmp_path, file, "sum")


def test_a_mark_on_chosen_names_does_not_mind_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a").write_text("a")
    fetching.mark(tmp_path, folder, "some", ["a"])
    fetching.mark(tmp_path, folder, "all")
    (folder / "b").write_text("b")
    assert fetching.marked(tmp_path, folder, "some")
    assert not fetching.marked(tmp_path, folder, "all")


def test_an_unreachable_service_is_remembered_for_ten_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetching.unreachable(tmp_path, "hub") == ""
    fetching.remember_unreachable(tmp_path, "hub", "It is away.")
    fetching.remember_unreachable(tmp_path, "index", "So is this.")
    assert fetching.unreachable(tmp_path, "hub") == "It is away."
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 599)
    assert fetching.unreachable(tmp_path, "hub") == "It is away."
    monkeypatch.setattr(time, "time", lambda: now + 601)
    assert fetching.unreachable(tmp_path, "hub") == ""
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    assert fetching.unreachable(tmp_path, "hub") == "", "a clock set back must not block downloads for longer"
    monkeypatch.undo()
    fetching.remember_unreachable(tmp_path, "hub", "")
    assert (fetching.unreachable(tmp_path, "hub"), fetching.unreachable(tmp_path, "index")) == ("", "So is this.")


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"hub": 3}', '{"hub": {"since": "x", "sentence": 1}}'])
def test_a_damaged_memory_reads_as_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "unreachable.json").write_text(text)
    assert fetching.unreachable(tmp_path, "hub") == ""
    fetching.remember_unreachable(tmp_path, "hub", "It is away.")
    assert fetching.unreachable(tmp_path, "hub") == "It is away."


def test_too_little_room_is_said_before_a_download(tmp_path: Path) -> None:
    with pytest.raises(StorageFull, match=r"needs 1000000\.0 GB .* free"):
        fetching.need_room(tmp_path / "not" / "yet", 10**15, "The model")
    fetching.need_room(tmp_path, 10, "The model")


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, StorageFull), (errno.EROFS, DownloadFailed), (errno.EIO, OSError)])
def test_disk_errors_become_sentences(number: int, kind: type[Exception]) -> None:
    with pytest.raises(kind), fetching.storing("The model"):
        raise OSError(number, os.strerror(number))


def test_a_small_file_is_old_or_new_and_leaves_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetching.write_whole(tmp_path / "x.json", json.dumps({"a": 1}))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull):
        fetching.write_whole(tmp_path / "x.json", json.dumps({"a": 2}))
    assert fetching.read_json(tmp_path / "x.json") == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
