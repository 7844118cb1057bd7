"""How the page is served: launch options, and the guard in front of every request. Knows no single tab."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio import passwords
from studio.settings import Settings
from tabs import _look

BODY_LIMIT = 40_000_000
"""Bytes of one request; more is refused while it arrives."""

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"content-security-policy", b"img-src 'self' data: blob:; media-src 'self' data: blob:; object-src 'none'; base-uri 'self'"),
)
"""The last one: whatever a model or a document writes, nothing of another site is ever shown or played."""


class Guard:
    """ASGI middleware: known hosts and origins only, bounded bodies, no fetching of foreign addresses, safe headers."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse in words, or pass on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope), str(scope.get("path", "")))
        if refusal is not None:
            await PlainTextResponse(refusal[1], refusal[0])(scope, receive, send)
            return
        await self.app(scope, _bounded(receive), _with_headers(send))

    def _refusal(self, headers: Headers, path: str) -> tuple[int, str] | None:
        if _name(f"//{headers.get('host', '')}") not in self.hosts:
            return 421, "This studio does not answer under that host name; its owner can add it with --allow-host."
        origin = headers.get("origin")
        if origin is not None and _name(origin) not in self.hosts:
            return 403, "This studio takes no requests from pages of other sites."
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            return 413, f"A request may hold at most {BODY_LIMIT // 1_000_000} MB."
        tail = path.partition("/file=")[2].lstrip("/").casefold()
        if tail.startswith(("http:", "https:", "ftp:", "file:")) or "/monitoring" in path or "/proxy=" in path:
            return 403, "This address is closed."
        return None


def launch_options(settings: Settings) -> dict[str, Any]:
    """What Gradio's launch is given: nothing shared or recorded, no path allowed, the guard in front.

    Raises InvalidInput for a login file that cannot be used.
    """
    return {
        "server_name": settings.host,
        "server_port": settings.port,
        "auth": passwords.reader(settings.auth_file) if settings.auth_file else None,
        "theme": _look.theme(),
        "css": _look.style_sheet(settings.assets),
        "head": _look.script(settings.assets),
        "favicon_path": settings.assets / "logo.svg",
        "footer_links": ["api"],
        "app_kwargs": {"middleware": [Middleware(Guard, hosts=settings.hosts)]},
        "allowed_paths": [],
        "blocked_paths": [str(settings.home), str(settings.presets), str(settings.cache)],
        "max_file_size": "20mb",
        "max_threads": settings.max_queue + 24,
        "state_session_capacity": 500,
        "show_error": False,
        "enable_monitoring": False,
        "run_history": False,
        "strict_cors": True,
        "ssr_mode": False,
        "pwa": False,
        "share": False,
        "quiet": True,
        "prevent_thread_lock": True,
    }


def _name(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").casefold()
    except ValueError:
        return ""


def _bounded(receive: Receive) -> Receive:
    taken = 0

    async def take() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return {"type": "http.disconnect"} if taken > BODY_LIMIT else message

    return take


def _with_headers(send: Send) -> Send:
    async def give(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
        await send(message)

    return give
