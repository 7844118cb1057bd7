"""The guard in front of every request: known hosts and origins, bounded bodies and rates, each visitor's own sessions and files.

It stands before Gradio's own middleware and, should that fail, behind it: a request that it let in once is let through. Knows no tab.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.turned import Turned, Why
from studio.visitors import Visitors
from tabs import _owners
from tabs._answer import BODY_LIMIT, TOO_LARGE, Answer
from tabs._apart import NO_ADDRESS, OTHERS_FILE, OTHERS_PAGE
from tabs._calls import Calls, calls, session_in
from tabs._limits import Limits, address_of
from tabs._streams import SESSION

LARGE = 1_000_000
"""A body of so many bytes is read in a thread."""
IN = "atelier.in"
_WHY: Mapping[str, Why] = {OTHERS_PAGE: "page", OTHERS_FILE: "file", NO_ADDRESS: "file"}
_HEALTH = ("/healthz", "/readyz")
_CLOSED = re.compile(r"/monitoring|/proxy=|/gradio_api/(vibe|undo-vibe|deep_link|profiling|process_recording)|/dev/reload")
_ADDRESS = re.compile(r"/file[=/]/*(?:https?|ftp|file|data):", re.IGNORECASE)


@dataclass(frozen=True)
class Door:
    """Who may come in. `named` are the hosts that somebody named, which may differ from the one a proxy asks under.

    Without `visitors` nobody is told apart: a studio of one person. `turned` writes down who is turned away.
    """

    hosts: frozenset[str]
    named: frozenset[str]
    limits: Limits
    visitors: Visitors | None
    calls: Calls
    on_spaces: bool = False
    turned: Turned | None = None


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app = app
        self.door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse in words, or pass on."""
        if scope["type"] not in ("http", "websocket") or scope.get(IN):
            await self.app(scope, receive, send)
            return
        scope = {**scope, IN: True}
        answer = Answer(scope, receive, send, self.door.calls, self.door.on_spaces)
        await self._pass(scope, answer)

    async def _pass(self, scope: Scope, answer: Answer) -> None:
        path, method = str(scope.get("path", "")), str(scope.get("method", "GET"))
        headers = Headers(scope=scope)
        # 1. from where, and how much
        if (refusal := self._refusal(headers, path)) is not None:
            why, status, words = refusal
            self._note(why, self._from(scope))
            await answer.refuse(status, words)
            return
        # 2. who, and how often
        name = self._who(scope, answer)
        if (often := self.door.limits.refusal(method, path, name, address_of(scope))) is not None:
            self._note("rate", name)
            await answer.refuse(429, often.words, {"retry-after": str(often.seconds)})
            return
        # 3. about whose session, event or file
        query = bytes(scope.get("query_string", b""))
        if words := self.door.calls.about(path, query, name):
            self._note(_WHY.get(words, "request"), name)
            await answer.refuse(403, words)
            return
        if calls(method, path):
            if (body := await answer.body()) is None:
                self._too_large(answer, name)
                return
            if words := await self._said(body, name, headers):
                self._note(_WHY.get(words, "request"), name)
                await answer.refuse(403, words)
                return
            scope[SESSION] = session_in(path, query, body)
            # what names no session is remembered for nobody
            self._owned(scope, name, scope[SESSION] or secrets.token_hex(8))
            if self.door.visitors is not None:
                self.door.visitors.seen(str(scope[_owners.OWNER]))
        else:
            scope[SESSION] = session_in(path, query, b"")
            self._owned(scope, name, scope[SESSION])
        await answer.give(self.app)
        self._too_large(answer, name)

    def _note(self, why: Why, who: str) -> None:
        if self.door.turned is not None:
            self.door.turned.note(why, who)

    def _too_large(self, answer: Answer, name: str) -> None:
        if answer.over:
            self._note("size", name)

    def _from(self, scope: Scope) -> str:
        """Who asks, where no cookie was looked at: a keyed hash of the address."""
        return self.door.visitors.passing(address_of(scope)) if self.door.visitors is not None else ""

    def _who(self, scope: Scope, answer: Answer) -> str:
        """The name of who asks, '' where nobody is told apart; a browser without one is given its cookie with the page."""
        visitors = self.door.visitors
        if visitors is None:
            return ""
        found = _owners.visit(visitors, scope)
        answer.name, answer.known = found.name, bool(found.cookie)
        answer.cookie = found.cookie or _owners.newcomer(visitors, scope)
        scope[_owners.VISITOR] = found.name
        return found.name

    def _owned(self, scope: Scope, name: str, session: str) -> None:
        """Say whose things they are: a browser without a cookie has its session's alone."""
        visitors = self.door.visitors
        if visitors is None:
            return
        scope[_owners.OWNER] = visitors.passing(address_of(scope), session) if _owners.passes(name) else name

    async def _said(self, body: bytes, name: str, headers: Headers) -> str:
        """Why what is sent is refused."""
        if "multipart/" in headers.get("content-type", ""):
            return "Files are uploaded on their own here: choose the file on the page, or upload it first."
        if len(body) > LARGE:
            return await run_in_threadpool(self.door.calls.body, body, name)
        return self.door.calls.body(body, name)

    def _refusal(self, headers: Headers, path: str) -> tuple[Why, int, str] | None:
        host = headers.get("host", "")
        if _name(f"//{host}") not in self.door.hosts and path not in _HEALTH:
            return "host", 421, "This studio does not answer under that host name; its owner can add it with --allow-host."
        origin = headers.get("origin")
        if origin is not None and not self._ours(origin, host):
            return "origin", 403, "This studio takes no requests from pages of other sites."
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            return "size", 413, TOO_LARGE
        if _ADDRESS.search(path) or _CLOSED.search(path):
            return "closed", 403, "This address is closed."
        return None

    def _ours(self, origin: str, host: str) -> bool:
        """Whether a page of this origin is ours: the very host that is asked, with its port, or one that somebody named."""
        name = _name(origin)
        if name not in self.door.hosts:
            return False
        return name in self.door.named or (name == _name(f"//{host}") and _port(origin, origin) == _port(f"//{host}", origin))


def _name(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").casefold()
    except ValueError:
        return ""


def _port(address: str, origin: str) -> int | None:
    """The port of an address, else the one that goes without saying for the origin's scheme."""
    try:
        return urlsplit(address).port or (443 if origin.casefold().startswith("https:") else 80)
    except ValueError:
        return None
