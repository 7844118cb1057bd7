"""What Gradio keeps of each visit: its values, without a copy of the whole page, and not for longer than somebody can come back to it.

For links into a page Gradio writes out the description of every component once more at each visit's first event: for this page about a
megabyte, and a tenth of a second during which nobody else is answered. It also keeps everything that a visit was shown, ten thousand visits
long, and takes each run that comes by HTTP for a visit. Links into a page are closed here and nothing else reads any of it, so a visit
holds what it needs to go on, and is forgotten an hour after its page was closed, or as soon as its one answer was heard. Knows no visitor
and no tab.
"""

from __future__ import annotations

import re
import time
from collections import ChainMap
from types import SimpleNamespace
from typing import Any, cast

from gradio import state_holder
from gradio.components import State
from gradio.state_holder import SessionState, StateHolder
from starlette.types import ASGIApp, Receive, Scope, Send

KEPT = 3600.0
"""Seconds that a visit is kept after its page was closed: a page whose line broke comes back to it."""
MOST = 4000
"""Visits that are kept at most; of more the one that was used longest ago is forgotten."""
ROUND = 60.0
"""Seconds between two looks for visits that are over."""

_CALL = re.compile(r".*/call/(?:v2/)?[^/]+/(?P<event>[^/]+)")


class Visit(SessionState):
    """Gradio's values of one visit. What a component shows is not kept, and what no visit changed is shared by all."""

    def __init__(self, blocks: Any) -> None:
        page = blocks.default_config
        super().__init__(cast("Any", SimpleNamespace(default_config=page, blocks={})))
        self.blocks_config.blocks = cast("Any", ChainMap({}, page.blocks))
        self.blocks_config.fns = page.fns
        self.used = time.monotonic()

    def __setitem__(self, key: int, value: Any) -> None:
        block = self.blocks_config.blocks.get(key)
        if isinstance(block, State):
            super().__setitem__(key, value)
            self.config_values.clear()
        else:
            self.blocks_config.blocks[key] = value

    def _update_config(self, key: int) -> None:
        """Nothing: only links into a page would read it."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Nothing: only links into a page would read it."""


class Visits(StateHolder):
    """Gradio's visits, of which those that are over are forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self._looked = time.monotonic()

    def __getitem__(self, session_id: str) -> SessionState:
        visit = super().__getitem__(session_id)
        if isinstance(visit, Visit):
            visit.used = time.monotonic()
        return visit

    def delete_all_expired_state(self) -> None:
        """Let go of values and visits whose time is over; Gradio asks every second."""
        now = time.monotonic()
        if now - self._looked < ROUND:
            return
        self._looked = now
        super().delete_all_expired_state()
        for session, visit in list(self.session_data.items()):
            if visit.is_closed and isinstance(visit, Visit) and now - visit.used > KEPT:
                self.forget(session)

    def forget(self, session: str) -> None:
        """Forget a visit, and what the queue still had to tell it; one that nobody knows is none."""
        with self.lock:
            self.session_data.pop(session, None)
            self.time_last_used.pop(session, None)
        queue = self.blocks._queue  # noqa: SLF001 (Gradio offers no other way)
        queue.pending_messages_per_session.pop(session, None)
        if not queue.pending_event_ids_session.get(session, True):
            del queue.pending_event_ids_session[session]


class Answered:
    """ASGI middleware: a run by HTTP that named no session is a visit of its own, by the run's number, and over once it was answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forget the visit of a run after its answer, however that ended."""
        found = _CALL.fullmatch(str(scope.get("path", ""))) if scope["type"] == "http" and scope["method"] == "GET" else None
        try:
            await self.app(scope, receive, send)
        finally:
            visits = getattr(scope.get("app"), "state_holder", None)
            if found is not None and isinstance(visits, Visits):
                visits.forget(found["event"])


def install(app: Any) -> None:
    """Let an app of Gradio's use them; to be called before its page is served."""
    state_holder.SessionState = Visit
    page = app.get_blocks()
    page.state_session_capacity = MOST
    app.state_holder = Visits()
    app.state_holder.set_blocks(page)
