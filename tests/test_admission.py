"""Who may begin a run: pauses, blocks, and a day's share by name and by network address, kept across starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio import admission
from studio.admission import BLOCKED, CROWD, PAUSED, Admission, Share
from studio.errors import Busy, Refused
from studio.index import moment
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import TextToImage
from tests.attacks.promise import is_a_sentence


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The day that it is."""
    today = ["2026-11-22"]
    monkeypatch.setattr(admission, "_day", lambda: today[0])
    return today


def test_a_day_s_runs_are_counted_and_the_rest_is_told(home: Path, day: list[str]) -> None:
    door = Admission(home, runs=2)
    assert door.left("ana") == Share(2, None)
    for _ in range(2):
        door.begun("ana")
    with pytest.raises(Busy, match="2 runs are used up: you have them back at 00:00 UTC") as said:
        door.begun("ana")
    assert is_a_sentence(str(said.value)) and door.left("ana") == Share(0, None) and door.today() == {"ana": (2, 0.0)}
    door.begun("bo")
    door.close()
    again = Admission(home, runs=2)
    assert again.left("ana").runs == 0, "a start gives nothing back"
    day[0] = "2026-11-23"
    again.begun("ana")
    assert again.left("ana").runs == 1, "a new day does"
    assert again.today() == {"ana": (1, 0.0)}
    again.close()


def test_seconds_of_the_device_are_counted(home: Path) -> None:
    door = Admission(home, seconds=90)
    door.begun("ana")
    door.took("ana", "", 60.4)
    assert door.left("ana").words == "Left for you today: 30 seconds; all of it is back at 00:00 UTC."
    door.took("ana", "", 60)
    with pytest.raises(Busy, match="90 seconds of the device"):
        door.check("ana")
    door.close()


def test_who_drops_the_cookie_gets_no_more(home: Path) -> None:
    door = Admission(home, runs=1, secret=b"k")
    for number in range(CROWD):
        door.begun(f"visitor {number}", "1.2.3.4")
    with pytest.raises(Busy):
        door.begun("visitor new", "1.2.3.4")
    door.begun("visitor new", "1.2.3.5")
    assert b"1.2.3." not in b"".join(file.read_bytes() for file in home.glob("admission.sqlite*"))
    door.close()


def test_a_pause_and_blocks_outlive_a_start(home: Path) -> None:
    door = Admission(home, runs=9, secret=b"k")
    door.begun("ana", "1.2.3.4")
    door.pause(True)
    door.block("ana", addresses=True)
    door.close()
    door = Admission(home, secret=b"k")
    with pytest.raises(Busy, match="no new runs"):
        door.check("bo")
    door.pause(False)
    door.check("bo", "1.2.3.5")
    for owner, address in (("ana", ""), ("ana", "9.9.9.9"), ("somebody", "1.2.3.4")):
        with pytest.raises(Refused, match="from you"):
            door.check(owner, address)
    assert door.blocked() == {"ana": 1}
    door.unblock("ana")
    door.check("ana", "1.2.3.4")
    door.close()
    assert is_a_sentence(PAUSED) and is_a_sentence(BLOCKED)


def test_an_address_is_blocked_for_a_day_and_a_name_until_it_is_taken_back(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    door = Admission(home, secret=b"k")
    door.begun("ana", "1.2.3.4")
    assert door.today() == {}, "where nothing is counted an address is known all the same"
    door.block("ana", addresses=True)
    with pytest.raises(Refused):
        door.check("somebody", "1.2.3.4")
    assert door.blocked() == {"ana": 1}
    monkeypatch.setattr(admission, "moment", lambda days=0.0: moment(days + 1.01))
    door.check("somebody", "1.2.3.4")
    assert door.blocked() == {"ana": 0}
    with pytest.raises(Refused):
        door.check("ana", "1.2.3.4")
    door.block("bo", addresses=True)
    assert door._index.rows("SELECT who FROM blocked WHERE who LIKE 'address %'") == []
    door.close()


def test_admins_are_never_held_up(home: Path) -> None:
    door = Admission(home, runs=1, free=frozenset({"ana"}))
    door.pause(True)
    for _ in range(3):
        door.begun("ana")
    assert door.left("ana") == Share(None, None) and not door.left("ana").words
    door.close()


def test_at_home_nothing_is_counted_and_no_file_is_made(home: Path) -> None:
    door = Admission.of(Settings(home=home), b"")
    door.begun("local")
    door.took("local", "", 9)
    assert door.left("local") == Share(None, None) and not home.exists() and not door.paused and door.blocked() == {}
    public = Admission.of(Settings(home=home, mode="public"), b"")
    assert public.left("ana") == Share(admission.PUBLIC_RUNS, admission.PUBLIC_MINUTES * 60)
    none = Admission.of(Settings(home=home, mode="public", daily_runs=0, daily_minutes=0), b"")
    assert none.left("ana") == Share(None, None)
    for each in (public, none):
        each.close()


def test_little_that_is_left_is_said_before_each_run() -> None:
    assert not Share(None, None).scarce and not Share(400, 3000).scarce
    assert Share(3, None).scarce and Share(None, 20).scarce
    assert Share(1, 240).words == "Left for you today: 1 run and 4 minutes; all of it is back at 00:00 UTC."


def test_a_run_counts_with_the_time_it_had_the_device(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", cache=tmp_path / "cache", mode="public", offline=True, device="cpu", daily_runs=2)
    studio = Studio.open(settings)
    asked = TextToImage(prompt="a cat", width=64, height=64, seed=1)
    list(studio.run(asked, "ana", address="1.2.3.4"))
    (runs, seconds) = studio.admission.today()["ana"]
    assert runs == 1 and 0 < seconds < 600
    with pytest.raises(Refused):
        next(iter(studio.run(asked.model_copy(update={"prompt": "a naked child"}), "ana")))
    assert studio.admission.left("ana").runs == 1, "what is refused counts for nothing"
    list(studio.run(asked, "ana"))
    with pytest.raises(Busy, match="00:00 UTC"):
        next(iter(studio.run(asked, "ana")))
    assert studio.manager.waiting() == 0 and len(studio.library.list(owner="ana")) == 2
    studio.close()
