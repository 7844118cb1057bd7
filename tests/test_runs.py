"""Runs under way are followed by pages that came later, and stopped by the people whose they are."""

from __future__ import annotations

import time

import pytest

from studio.creations import Progress
from studio.errors import Cancelled
from studio.runs import Runs
from studio.stream import Stream
from studio.tasks import TextToImage

DOTS = TextToImage(prompt="dots")


def endless() -> Stream:
    def work(stream: Stream) -> None:
        while True:
            stream.report(Progress("running", 1, 9))
            time.sleep(0.005)

    return Stream(work)


def test_a_run_that_stays_goes_on_when_its_page_is_left_and_another_page_may_stop_it() -> None:
    runs, stream = Runs(), endless()
    events = runs.follow(stream, "local", "first", DOTS, stays=True)
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert not stream.stopped and runs.join("music", "local", "second") is None and runs.join("text_to_image", "other", "x") is None
    joined = runs.join("text_to_image", "local", "second")
    assert joined is not None and joined[0] == DOTS
    assert isinstance(next(joined[1]), Progress)
    assert joined[2] > 0 and runs.stop("local", "third") == 0 and runs.stop("local", "second") == 1
    with pytest.raises(Cancelled):
        list(joined[1])
    assert runs.join("text_to_image", "local", "second") is None


def test_a_run_that_does_not_stay_ends_with_its_page() -> None:
    runs, stream = Runs(), endless()
    events = runs.follow(stream, "local", "first", DOTS)
    next(events)
    assert runs.join("text_to_image", "local", "second") is None
    events.close()  # type: ignore[attr-defined]
    assert stream.stopped and stream.wait(10)


def test_stopping_everything_waits_until_it_has_ended() -> None:
    runs, streams = Runs(), [endless(), endless()]
    for number, stream in enumerate(streams):
        next(runs.follow(stream, f"owner {number}", "a", DOTS, stays=True))
    assert runs.stop("owner 1", wait=True) == 1 and streams[1].over and not streams[0].stopped
    assert runs.stop(wait=True) == 1 and streams[0].over


def test_a_page_that_joins_can_stop_every_run_of_its_kind() -> None:
    runs, streams = Runs(), [endless(), endless()]
    for stream in streams:
        next(runs.follow(stream, "local", "first", DOTS, stays=True))
    assert runs.join("text_to_image", "local", "second") is not None
    assert runs.stop("local", "second", wait=True) == 2 and all(stream.over for stream in streams)
