"""The journal of runs: states, pace, what is shown of it, and what is not any more."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from studio.library import Library
from studio.tasks import TextToImage, Write

TASK = TextToImage.checked({"prompt": "a red apple", "seed": 1})


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


def states(home: Path) -> dict[str, str]:
    with sqlite3.connect(home / "library.sqlite") as index:
        found = dict(index.execute("SELECT id, state FROM jobs").fetchall())
    index.close()
    return found


def test_a_job_goes_from_queued_to_its_first_outcome(home: Path, library: Library) -> None:
    job = library.journal.begin(TASK, "M")
    assert states(home) == {job: "queued"}
    library.journal.running(job)
    assert states(home) == {job: "running"}
    library.journal.finish(job, "cancelled", "Stopped.")
    library.journal.finish(job, "done")
    library.journal.running(job)
    assert states(home) == {job: "cancelled"}


def test_the_pace_is_the_median_of_the_last_seven_finished_runs(library: Library) -> None:
    assert library.journal.seconds_per_unit("M") is None
    for seconds in (1000, 1000, 10, 20, 30, 40, 50, 60, 700):
        library.journal.finish(library.journal.begin(TASK, "M", units=10), "done", seconds=seconds)
    library.journal.finish(library.journal.begin(TASK, "M", units=10), "failed", seconds=9999)
    library.journal.finish(library.journal.begin(TASK, "M", units=0), "done", seconds=9999)
    library.journal.finish(library.journal.begin(TASK, "Other", units=1), "done", seconds=9999)
    assert library.journal.seconds_per_unit("M") == 4.0


def test_unfinished_runs_of_a_dead_process_become_interrupted_and_those_of_a_living_one_do_not(home: Path) -> None:
    dead, living = Library(home), Library(home)
    jobs = [dead.journal.begin(TASK, "M") for _ in range(3)]
    dead.journal.running(jobs[1])
    dead.journal.finish(jobs[2], "done")
    alive = living.journal.begin(TASK, "M")
    dead.close()
    Library(home)
    assert states(home) == {jobs[0]: "interrupted", jobs[1]: "interrupted", jobs[2]: "done", alive: "queued"}


def test_runs_are_told_the_newest_first_with_their_task(library: Library) -> None:
    first = library.journal.begin(TASK, "M", session="s")
    second = library.journal.begin(Write.checked({"prompt": "a tale"}), "W", session="t")
    library.journal.begin(TASK, "M", owner="ann")
    library.journal.finish(first, "failed", "No room.", 2.5)
    assert [job.id for job in library.journal.jobs()] == [second, first]
    assert [job.id for job in library.journal.jobs(["failed", "done"])] == [first]
    assert [job.id for job in library.journal.jobs(kind="write")] == [second]
    assert [job.id for job in library.journal.jobs(session="s")] == [first]
    assert len(library.journal.jobs(limit=1)) == 1
    job = library.journal.jobs(["failed"])[0]
    assert (job.state, job.message, job.seconds, job.model, job.session) == ("failed", "No room.", 2.5, "M", "s")
    assert TextToImage.checked(dict(job.task)) == TASK
    assert job.created <= job.finished
    assert library.journal.jobs(["queued"])[0].finished == ""


def test_an_interrupted_run_that_was_seen_is_not_shown_again(home: Path) -> None:
    dead = Library(home)
    one, two = (dead.journal.begin(TASK, "M") for _ in range(2))
    dead.close()
    library = Library(home)
    library.journal.dismiss(one, owner="ann")
    library.journal.dismiss("no id")
    assert {job.id for job in library.journal.jobs(["interrupted"])} == {one, two}
    library.journal.dismiss(one)
    assert [job.id for job in library.journal.jobs(["interrupted"])] == [two]


def test_a_run_that_is_not_over_cannot_be_dismissed(library: Library) -> None:
    job = library.journal.begin(TASK, "M")
    library.journal.dismiss(job)
    assert [each.id for each in library.journal.jobs()] == [job]


def test_what_nobody_was_told_is_what_was_interrupted_and_what_failed_lately_behind_a_page(home: Path) -> None:
    dead = Library(home)
    crashed = dead.journal.begin(TASK, "M", session="s")
    dead.close()
    library = Library(home)
    failed, old, command, done, other = (library.journal.begin(TASK, "M", session=session) for session in ("s", "s", "", "s", "t"))
    for job in (failed, old, command, other):
        library.journal.finish(job, "failed", "No room.")
    library.journal.finish(done, "done")
    with sqlite3.connect(home / "library.sqlite") as index:
        index.execute("UPDATE jobs SET finished = '2020-01-01T00:00:00.000+00:00' WHERE id = ?", (old,))
    index.close()
    assert [job.id for job in library.journal.untold()] == [other, failed, crashed]
    assert [job.id for job in library.journal.untold(session="s")] == [failed, crashed]
    assert library.journal.untold("music") == library.journal.untold(owner="ann") == ()
    assert [job.id for job in library.journal.untold(limit=1)] == [other]


def test_a_failure_that_a_page_has_told_is_the_newest_of_its_kind_owner_and_session(library: Library) -> None:
    jobs = [library.journal.begin(TASK, "M", session=session) for session in ("s", "s", "t")]
    for job in jobs:
        library.journal.finish(job, "failed", "No room.")
    library.journal.told("write")
    library.journal.told(TASK.kind, "ann")
    assert {job.id for job in library.journal.untold()} == set(jobs)
    library.journal.told(TASK.kind, session="s")
    assert [job.id for job in library.journal.untold()] == [jobs[2], jobs[0]]
    library.journal.told(TASK.kind)
    library.journal.told(TASK.kind)  # by a second page that followed the same run
    assert [job.id for job in library.journal.untold()] == [jobs[0]]


def test_runs_of_a_forgotten_session_are_not_shown(library: Library) -> None:
    library.journal.begin(TASK, "M", owner="guest", session="s")
    library.forget_session("s")
    assert library.journal.jobs(owner="guest") == ()
