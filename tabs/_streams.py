"""Between an answer's end and the next question: Gradio's page must know that its stream of events is over before it asks again.

The page keeps one stream open for all its runs, which the server ends with the last of them. A run that is begun while that end is on its
way is taken for one of the old stream's, and nobody listens for its events: its answer would not be seen before another run opens a
stream. So the number of a run that follows an end at once is held back until the page has heard of it. Knows no tab and no studio.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SESSION = "atelier.session"
"""Where the scope of a request says which browser session it is about."""
PAUSE = 0.3
"""Seconds within which a page hears that its stream is over; far longer than it takes, far shorter than a person notices."""
MOST = 1024
"""Sessions whose last end is remembered, within the pause after it and no longer."""
_END = b'"msg":"close_stream"'


class Streams:
    """ASGI middleware behind the guard, which names the session."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._ended: OrderedDict[str, float] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the end of each stream; let no run's number overtake it."""
        session, path = str(scope.get(SESSION, "")), str(scope.get("path", ""))

        async def watched(message: Message) -> None:
            if _END in message.get("body", b""):
                self._note(session)
            await send(message)

        async def held(message: Message) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(self._left(session))
            await send(message)

        if not session or scope["type"] != "http":
            await self.app(scope, receive, send)
        elif path.endswith("/queue/data"):
            await self.app(scope, receive, watched)
        elif path.endswith("/queue/join"):
            await self.app(scope, receive, held)
        else:
            await self.app(scope, receive, send)

    def _note(self, session: str) -> None:
        now = asyncio.get_running_loop().time()
        self._ended[session] = now
        self._ended.move_to_end(session)
        while len(self._ended) > MOST or next(iter(self._ended.values())) < now - PAUSE:
            self._ended.popitem(last=False)

    def _left(self, session: str) -> float:
        """Seconds that the page still has to hear of the end of its stream."""
        if (ended := self._ended.get(session)) is None:
            return 0.0
        return max(ended + PAUSE - asyncio.get_running_loop().time(), 0.0)
