"""What Gradio keeps of each visit holds its values, no copy of the page and nothing it was shown, and goes when the visit is over."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio import state_holder
from starlette.types import Message, Receive, Scope, Send

from tabs import _sessions


async def laid_out() -> tuple[Any, int, int]:
    """A page, and the numbers of its box and its state."""
    with gr.Blocks() as demo:
        box, state = gr.Textbox("a"), gr.State([1])
    return demo, box._id, state._id


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> tuple[_sessions.Visits, int, int]:
    """What is kept of a page's visits, with the studio's own kinds in place."""
    monkeypatch.setattr(state_holder, "SessionState", state_holder.SessionState)
    with ThreadPoolExecutor(1) as pool:  # Gradio leaves loops of events open where there is none
        demo, box, state = pool.submit(lambda: asyncio.run(laid_out())).result()
    app = SimpleNamespace(get_blocks=lambda: demo)
    _sessions.install(app)
    return app.state_holder, box, state


def test_a_visit_begins_without_a_copy_of_the_page(page: tuple[_sessions.Visits, int, int]) -> None:
    one, other = page[0]["one"], page[0]["other"]
    assert isinstance(one, _sessions.Visit)
    assert one.config_values == {} and len(one.blocks_config.blocks) >= 2
    assert one.blocks_config.fns is other.blocks_config.fns


def test_each_visit_keeps_its_own_values(page: tuple[_sessions.Visits, int, int]) -> None:
    holder, box, state = page
    one, other = holder["one"], holder["other"]
    one[state].append(2)
    assert (one[state], other[state]) == ([1, 2], [1])
    one[state] = [3]
    assert (one[state], other[state]) == ([3], [1])
    one[box] = changed = gr.Textbox("b", render=False)
    assert one[box] is changed and other[box].value == "a" and box in one and box in other


def test_what_a_visit_was_shown_is_not_kept(page: tuple[_sessions.Visits, int, int]) -> None:
    holder, box, state = page
    one = holder["one"]
    one._update_value_in_config(box, "b" * 1000)
    one._update_config(box)
    one[state] = [2]
    assert one.config_values == {}


def test_a_visit_is_forgotten_an_hour_after_its_page_was_closed(
    page: tuple[_sessions.Visits, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = page[0]
    for name in ("open", "closed", "back"):
        holder[name].is_closed = name != "open"
    later = time.monotonic() + _sessions.KEPT + 5
    monkeypatch.setattr(_sessions.time, "monotonic", lambda: later)
    assert holder["back"]
    holder.delete_all_expired_state()
    assert set(holder.session_data) == {"open", "back"} == set(holder.time_last_used)


def test_visits_have_a_bound(page: tuple[_sessions.Visits, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    holder = page[0]
    assert holder.capacity == _sessions.MOST
    monkeypatch.setattr(holder, "capacity", 3)
    for number in range(8):
        assert holder[f"visit {number}"]
    assert len(holder.session_data) <= 4 and "visit 7" in holder


@pytest.mark.parametrize("path", ["/gradio_api/call/write/abc", "/gradio_api/call/v2/write/abc", "/under/gradio_api/call/write/abc"])
@pytest.mark.parametrize("failing", [False, True])
def test_a_run_by_http_leaves_no_visit(page: tuple[_sessions.Visits, int, int], path: str, *, failing: bool) -> None:
    left = visited(page[0], "GET", path, failing=failing)
    assert left == {"kept"}


@pytest.mark.parametrize(("method", "path"), [("POST", "/gradio_api/call/write/abc"), ("GET", "/gradio_api/queue/data"), ("GET", "/abc")])
def test_other_requests_leave_visits_as_they_are(page: tuple[_sessions.Visits, int, int], method: str, path: str) -> None:
    assert visited(page[0], method, path, failing=False) == {"abc", "kept"}


def test_the_queue_forgets_whom_it_has_nothing_more_to_tell(page: tuple[_sessions.Visits, int, int]) -> None:
    holder = page[0]
    queue = holder.blocks._queue
    for session, runs in (("answered", set[str]()), ("waiting", {"a run"})):
        queue.pending_messages_per_session[session] = asyncio.Queue()
        queue.pending_event_ids_session[session] = runs
    for session in ("answered", "waiting", "nobody"):
        holder.forget(session)
    assert list(queue.pending_messages_per_session) == []
    assert queue.pending_event_ids_session == {"waiting": {"a run"}}


def visited(visits: _sessions.Visits, method: str, path: str, *, failing: bool) -> set[str]:
    """The visits that are left after a request, during which the visits "abc" and "kept" were made."""

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        assert visits["abc"] and visits["kept"]
        if failing:
            raise ConnectionError

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        """Nobody listens."""

    async def asked() -> None:
        scope = {"type": "http", "method": method, "path": path, "app": SimpleNamespace(state_holder=visits)}
        try:
            await _sessions.Answered(app)(scope, receive, send)
        except ConnectionError:
            assert failing

    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(asked())).result()
    return set(visits.session_data)
