"""One request's two ends: what arrives is counted, what goes out gets its headers, and a refusal is a sentence. Knows no rule."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tabs import _headers
from tabs._calls import LONGEST_ANSWER, Calls, binds

log = logging.getLogger("atelier.page")

BODY_LIMIT = 40_000_000
"""Bytes of one request; more is refused while it arrives."""
SMALL = 1000
"""Bytes: a shorter page is not worth compressing."""
TOO_LARGE = f"A request may hold at most {BODY_LIMIT // 1_000_000} MB: choose a smaller file."


@dataclass
class Answer:
    """`name` is who asks, "" where nobody is told apart; `cookie` what the browser is given with a page,
    and with each run if it brought one (`known`)."""

    scope: Scope
    receive: Receive
    send: Send
    calls: Calls
    on_spaces: bool = False
    name: str = ""
    cookie: bytes = b""
    known: bool = False
    taken: int = 0
    begun: bool = False
    over: bool = False
    kept: list[Message] = field(default_factory=list[Message])
    page: list[bytes] | None = None
    start: Message = field(default_factory=dict[str, Any])
    zipped: bool = False
    number: str = field(default_factory=_headers.nonce)

    @property
    def path(self) -> str:
        return str(self.scope.get("path", ""))

    async def refuse(self, status: int, words: str, headers: Mapping[str, str] | None = None) -> None:
        """End here, in words."""
        if self.scope["type"] == "websocket":
            await self.send({"type": "websocket.close", "code": 1008})
            return
        closing = {"connection": "close"} if status == 413 else {}
        await PlainTextResponse(words, status, headers={**(headers or {}), **closing})(self.scope, self.receive, self._dressed)
        self.over = True

    async def body(self) -> bytes | None:
        """The whole body, which Gradio then reads once more; None if it was refused or broken off."""
        parts: list[bytes] = []
        while True:
            message = await self._take()
            if message["type"] == "http.disconnect":
                return None
            self.kept.append(message)
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                return b"".join(parts)

    async def give(self, app: ASGIApp) -> None:
        """Let Gradio answer."""
        self._uncompressed()
        binding = _Binding(self.calls, self.path, self.name) if self.name and binds(str(self.scope.get("method")), self.path) else None

        async def take() -> Message:
            return self.kept.pop(0) if self.kept else await self._take()

        async def pass_on(message: Message) -> None:
            if self.over:
                return
            if binding is not None:
                binding.read(message)
            await self._dressed(message)

        try:
            await app(self.scope, take, pass_on)
        except Exception:
            if not self.over:
                raise
            log.info("a request was refused while it arrived")

    async def _take(self) -> Message:
        message = await self.receive()
        self.taken += len(message.get("body", b""))
        if self.taken > BODY_LIMIT and not self.over:
            if not self.begun:
                await self.refuse(413, TOO_LARGE)
            self.over = True
        return {"type": "http.disconnect"} if self.over else message

    async def _dressed(self, message: Message) -> None:
        """Send with our headers; the scripts of a page get this answer's number."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message.get("headers", [])))
            _headers.dress(headers, file="/file" in self.path, on_spaces=self.on_spaces, number=self.number)
            html = headers.get("content-type", "").startswith("text/html")
            if self.cookie and (html or (self.known and self.path.endswith("/queue/join"))):
                headers.raw.append((b"set-cookie", self.cookie))
            message = {**message, "headers": headers.raw}
            self.begun = True
            if html and "content-encoding" not in headers:
                self.page, self.start = [], message
                return
        elif self.page is not None and message["type"] == "http.response.body":
            self.page.append(message.get("body", b""))
            if message.get("more_body", False):
                return
            message = await self._numbered(b"".join(self.page))
        await self.send(message)

    async def _numbered(self, page: bytes) -> Message:
        """Send the head of a page, and give its body with this answer's number on each script."""
        page, self.page = _headers.with_nonce(page, self.number), None
        headers = MutableHeaders(raw=list(self.start["headers"]))
        if self.zipped and len(page) > SMALL:
            page = await run_in_threadpool(lambda: gzip.compress(page, 5))
            headers["content-encoding"], headers["vary"] = "gzip", "accept-encoding"
        if self.scope.get("method") != "HEAD":
            headers["content-length"] = str(len(page))
        await self.send({**self.start, "headers": headers.raw})
        return {"type": "http.response.body", "body": page}

    def _uncompressed(self) -> None:
        """What is read or changed on its way out is not compressed before that: pages, and answers that bind."""
        self.zipped = b"gzip" in dict(self.scope["headers"]).get(b"accept-encoding", b"")
        self.scope["headers"] = [
            (name, value)
            for name, value in self.scope["headers"]
            if name != b"accept-encoding" or not (self.path == "/" or binds(str(self.scope.get("method")), self.path))
        ]


@dataclass
class _Binding:
    """Reads a short JSON answer as it passes, and binds what it brings to its visitor."""

    calls: Calls
    path: str
    name: str
    parts: list[bytes] | None = None

    def read(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            good = message.get("status") == 200 and b"json" in dict(message.get("headers", [])).get(b"content-type", b"")
            self.parts = [] if good else None
        elif self.parts is not None and message["type"] == "http.response.body":
            self.parts.append(message.get("body", b""))
            if sum(map(len, self.parts)) > LONGEST_ANSWER:
                self.parts = None
            elif not message.get("more_body", False):
                self.calls.bind(self.path, b"".join(self.parts), self.name)
