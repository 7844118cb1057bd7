"""What the page asks right after its stream ended waits until the page has heard of that end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from tabs import _streams
from tabs._streams import SESSION, Streams


async def gradio(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    end = b'data: {"msg":"close_stream"}\n\n' if scope["path"].endswith("/queue/data") else b"{}"
    await send({"type": "http.response.body", "body": end})


async def none() -> Message:
    return {"type": "http.disconnect"}


def run(work: Coroutine[Any, Any, None]) -> None:
    """In a thread: another test of this process may keep a loop in the main one."""
    thread = threading.Thread(target=asyncio.run, args=(work,))
    thread.start()
    thread.join()


def waits(asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses before the answers to requests: (path, session) each."""
    paused: list[float] = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)

    async def all_of_them() -> None:
        streams = Streams(gradio)
        for path, session in asked:
            sent: list[Message] = []

            async def send(message: Message, sent: list[Message] = sent) -> None:
                sent.append(message)

            await streams({"type": "http", "path": f"/gradio_api{path}", SESSION: session}, none, send)
            assert [one["type"] for one in sent] == ["http.response.start", "http.response.body"]

    monkeypatch.setattr(_streams.asyncio, "sleep", sleep)
    run(all_of_them())
    return paused


def test_the_number_of_a_run_does_not_overtake_the_end_of_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    [pause] = waits([("/queue/data", "one"), ("/queue/join", "one")], monkeypatch)
    assert 0 < pause <= _streams.PAUSE


def test_other_sessions_and_first_runs_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [("/queue/join", "one"), ("/queue/data", "one"), ("/queue/join", "two"), ("/run/predict", "one"), ("/queue/join", "")]
    assert waits(asked, monkeypatch) == [0, 0]


def test_an_end_is_forgotten_once_every_page_has_heard_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_streams, "PAUSE", 0.0)
    streams = Streams(gradio)

    async def send(_: Message) -> None:
        await asyncio.sleep(0.001)

    async def several() -> None:
        for number in range(5):
            await streams({"type": "http", "path": "/gradio_api/queue/data", SESSION: f"{number}" * 60_000}, none, send)

    run(several())
    assert len(streams._ended) == 1, "names that somebody made up fill no memory"


def test_ends_are_remembered_for_so_many_sessions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_streams, "MOST", 2)
    asked = [("/queue/data", name) for name in ("one", "two", "three")]
    first, last = waits([*asked, ("/queue/join", "one"), ("/queue/join", "three")], monkeypatch)
    assert first == 0 < last
