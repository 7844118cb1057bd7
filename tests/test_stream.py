"""A stream yields what its work reports, and stops it when nobody listens."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from studio.creations import Creation, Preview, Progress, Sound
from studio.errors import Cancelled, InvalidInput
from studio.stream import BEAT, Stream


def creation(number: int) -> Creation:
    return Creation(str(number), "text_to_image", Path("x.png"), {}, "2026-01-01")


def test_every_creation_arrives_in_order_and_the_newest_progress_does() -> None:
    def work(stream: Stream) -> None:
        for step in range(200):
            stream.report(Progress("running", step, 200))
            stream.deliver(creation(step))

    events = list(Stream(work))
    assert [e.id for e in events if isinstance(e, Creation)] == [str(n) for n in range(200)]
    assert [e.done for e in events if isinstance(e, Progress)][-1] == 199


def test_a_slow_reader_sees_the_newest_preview_alone() -> None:
    sent = threading.Event()

    def work(stream: Stream) -> None:
        stream.report(Preview(text="0"))
        for step in range(1, 50):
            stream.report(Preview(text=str(step)))
        sent.set()

    events = iter(Stream(work))
    first = next(events)
    sent.wait(5)
    rest = [e.text for e in [first, *events] if isinstance(e, Preview)]
    assert rest[-1] == "49" and len(rest) < 50


def test_stopping_raises_cancelled_at_the_next_report_and_keeps_what_is_finished() -> None:
    steps: list[int] = []

    def work(stream: Stream) -> None:
        stream.deliver(creation(1))
        for step in range(1000):
            time.sleep(0.01)
            steps.append(step)
            stream.report(Progress("running", step, 1000))

    stream = Stream(work)
    kept: list[Creation] = []
    seen = 0
    with pytest.raises(Cancelled):
        for event in stream:
            if isinstance(event, Creation):
                kept.append(event)
                seen = len(steps)
                stream.stop()
                stream.stop()
    assert [c.id for c in kept] == ["1"] and len(steps) <= seen + 2


def test_leaving_the_iteration_stops_the_work() -> None:
    ended = threading.Event()

    def work(stream: Stream) -> None:
        try:
            while True:
                time.sleep(0.01)
                stream.report(Progress("running", 0, 1))
        except Cancelled:
            ended.set()
            raise

    stream = Stream(work)
    for event in stream:
        if isinstance(event, Progress):
            break
    assert ended.wait(2) and stream.wait(2)


def test_an_error_of_the_work_reaches_the_reader() -> None:
    def work(stream: Stream) -> None:
        raise InvalidInput("Say something else.")

    with pytest.raises(InvalidInput, match="Say something else"):
        list(Stream(work))


def test_while_nothing_happens_the_last_progress_is_repeated() -> None:
    def work(stream: Stream) -> None:
        stream.report(Progress("loading", 1, 4, "bytes"))
        time.sleep(BEAT * 3)

    events = [e for e in Stream(work) if isinstance(e, Progress) and e.phase == "loading"]
    assert len(events) >= 3


def test_no_stretch_of_sound_is_lost_however_slow_the_reader_is() -> None:
    made = [Sound(np.full((1, 3), k / 10, np.float32), 100) for k in range(8)]

    def work(stream: Stream) -> None:
        for k, sound in enumerate(made):
            stream.report(Preview(sound=sound, item=1 if k < 5 else 2))
            stream.report(Progress("running", k))

    seen: list[Preview] = []
    for event in Stream(work):
        time.sleep(0.05)
        if isinstance(event, Preview):
            seen.append(event)
    for item, expected in ((1, made[:5]), (2, made[5:])):
        heard = [preview.sound.samples for preview in seen if preview.item == item and preview.sound]
        assert np.array_equal(np.concatenate(heard, axis=1), np.concatenate([sound.samples for sound in expected], axis=1))


def test_one_who_comes_late_sees_what_is_finished_and_whoever_leaves_stops_nothing() -> None:
    made, go_on = threading.Event(), threading.Event()

    def work(stream: Stream) -> None:
        stream.report(Preview(text="half"))
        stream.deliver(creation(1))
        stream.report(Progress("running", 1, 2))
        made.set()
        go_on.wait(10)
        stream.deliver(creation(2))

    stream = Stream(work)
    first = stream.follow()
    next(first)
    first.close()  # type: ignore[attr-defined]
    assert made.wait(10) and not stream.stopped
    late = stream.follow()
    seen = [next(late), next(late)]
    go_on.set()
    seen += list(late)
    assert [e.id for e in seen if isinstance(e, Creation)] == ["1", "2"]
    assert seen[0] == Progress("running", 1, 2) and not any(isinstance(e, Preview) for e in seen)
    assert stream.wait(10) and stream.over
    assert [e.id for e in stream.follow() if isinstance(e, Creation)] == ["1", "2"]


def test_a_stream_that_nobody_read_is_not_waited_for_once_it_is_stopped() -> None:
    stream = Stream(lambda stream: stream.report(Progress("running")))
    assert not stream.wait(0.01)
    stream.stop()
    assert stream.wait(60) and not stream.over
    with pytest.raises(Cancelled):
        list(stream.follow())
    assert stream.wait(60) and stream.over
