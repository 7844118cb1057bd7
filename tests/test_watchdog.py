"""watchdog.py: a run that hangs is told of and ends when it can, a slow one is left alone, and an ending studio waits for the rest."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.creations import Event, Progress
from studio.errors import Busy, Stalled
from studio.settings import ROOT, Settings
from studio.stream import Stream
from studio.watchdog import Watchdog


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a hanging run waits for; opened at the end, so that no thread stays."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def dog() -> Iterator[Watchdog]:
    watchdog = Watchdog(patience=0.3, grace=0.2)
    yield watchdog
    watchdog.close()


def hanging(gate: threading.Event, ends: list[BaseException]) -> Callable[[Stream], None]:
    def work(stream: Stream) -> None:
        stream.report(Progress("running", 1, 4))
        gate.wait(30)
        try:
            stream.report(Progress("running", 2, 4))
        except BaseException as error:
            ends.append(error)
            raise

    return work


def until(true: Callable[[], object]) -> None:
    """Wait for it, at most twenty seconds."""
    end = time.monotonic() + 20
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    assert true()


def test_a_run_that_hangs_is_given_up_in_words(dog: Watchdog, gate: threading.Event) -> None:
    ends: list[BaseException] = []
    seen: list[Event] = []
    with pytest.raises(Stalled, match=r"no progress for 0 seconds, so this run was stopped: try a smaller size"):
        seen.extend(dog.stream(hanging(gate, ends)))
    assert Progress("running", 1, 4) in seen
    assert ends == []


def test_the_work_that_was_given_up_ends_at_its_next_report_and_frees_the_studio(dog: Watchdog, gate: threading.Event) -> None:
    ends: list[BaseException] = []
    stream = dog.stream(hanging(gate, ends))
    with pytest.raises(Stalled):
        list(stream)
    until(lambda: dog.hanging == 1)
    with pytest.raises(Busy, match="must be started again"):
        dog.admit()
    gate.set()
    until(lambda: dog.hanging == 0)
    dog.admit()
    assert isinstance(ends[0], Stalled)
    assert stream.wait(10)


def test_who_comes_late_to_a_run_that_was_given_up_is_told_too(dog: Watchdog, gate: threading.Event) -> None:
    stream = dog.stream(hanging(gate, []))
    for _ in range(2):
        with pytest.raises(Stalled):
            list(stream.follow())


def test_a_slow_run_that_reports_is_left_alone() -> None:
    def work(stream: Stream) -> None:
        for step in range(8):
            time.sleep(0.25)
            stream.report(Progress("running", step, 8))

    watchdog = Watchdog(patience=1.5)
    assert Progress("running", 7, 8) in list(watchdog.stream(work))
    watchdog.close()


def test_no_patience_means_that_nothing_is_given_up(gate: threading.Event) -> None:
    watchdog, ends = Watchdog(patience=0), list[BaseException]()
    stream = watchdog.stream(hanging(gate, ends))
    threading.Timer(1.0, gate.set).start()
    assert Progress("running", 2, 4) in list(stream)
    assert ends == []


def test_a_failure_of_its_own_stays_what_it_was(dog: Watchdog) -> None:
    def work(stream: Stream) -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        list(dog.stream(work))


def test_an_ending_studio_lets_nothing_in_and_waits_for_what_goes_on(gate: threading.Event) -> None:
    watchdog = Watchdog(patience=0)
    stream = watchdog.stream(hanging(gate, []))
    reader = threading.Thread(target=lambda: list(stream), daemon=True)
    reader.start()
    until(lambda: getattr(stream, "begun", False))
    assert watchdog.drain(0.2) == 1
    with pytest.raises(Busy, match="closing"):
        watchdog.admit()
    gate.set()
    assert watchdog.drain(20) == 0
    reader.join(20)


def test_nothing_under_way_ends_at_once() -> None:
    watchdog = Watchdog(patience=5)
    watchdog.stream(lambda stream: None)  # nobody reads it, so it never began
    began = time.monotonic()
    assert watchdog.drain(20) == 0
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("given", "patience"), [({}, 600), ({"mode": "public"}, 120), ({"mode": "public", "patience": 7}, 7), ({"patience": 0}, 0)]
)
def test_the_settings_say_how_long_a_run_is_waited_for(home: Path, given: dict[str, object], patience: float) -> None:
    watchdog = Watchdog.of(Settings.model_validate({"home": home, **given}))
    assert watchdog._patience == patience


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM to catch")
@pytest.mark.parametrize(("number", "said"), [(signal.SIGTERM, "told"), (signal.SIGINT, "interrupted")])
def test_a_supervisor_ends_the_waiting_and_a_keyboard_interrupts_it(number: int, said: str) -> None:
    program = """
import signal, threading, time
from studio import watchdog
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and so would this child
def ready():
    while signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        time.sleep(0.01)
    print("waiting", flush=True)
threading.Thread(target=ready).start()
try:
    watchdog.until_told()
    print("told")
except KeyboardInterrupt:
    print("interrupted")
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "waiting\n"
        child.send_signal(number)
        assert child.stdout.read() == f"{said}\n"
    assert child.returncode == 0
