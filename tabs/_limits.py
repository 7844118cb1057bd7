"""How often one client may ask: uploads, requests and tries at the login, counted by the library `limits`.

A visitor is counted by name and by network address: who drops the cookie gets no more. Knows no page.
"""

from __future__ import annotations

import ipaddress
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.types import Scope

UPLOADS, REQUESTS, LOGINS = 60, 900, 12
"""A minute and client. A page that opens makes about a hundred requests."""
CROWD = 10
"""One address may ask so many times as much as one visitor: schools and offices share one."""
_UPLOAD = re.compile(r"/gradio_api/upload/?$")
_LOGIN = re.compile(r"/login/?$")
_FREE = re.compile(r"/(assets|static|svelte|theme\.css|favicon\.ico|healthz|readyz)")


@dataclass(frozen=True)
class Refusal:
    """What one asked too often, and the seconds until it is allowed again."""

    words: str
    seconds: int


class Limits:
    """The counters of one server. `public` counts uploads and requests too; tries at a login are counted everywhere."""

    def __init__(self, public: bool, uploads: int = UPLOADS, requests: int = REQUESTS, logins: int = LOGINS) -> None:
        self._public = public
        self._count = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._rates = {"uploads": uploads, "requests": requests, "logins": logins}

    def refusal(self, method: str, path: str, visitor: str, address: str) -> Refusal | None:
        """None if this request is let through, which counts it."""
        if method == "POST" and _LOGIN.search(path):
            return self._over("logins", {address: 1}, "You tried to log in too often")
        if not self._public or _FREE.match(path):
            return None
        clients = {address: CROWD} if visitor in ("", address) else {visitor: 1, address: CROWD}
        if method == "POST" and _UPLOAD.search(path):
            return self._over("uploads", clients, f"More than {self._rates['uploads']} files a minute were uploaded from here")
        return self._over("requests", clients, "Too many requests came from here")

    def _over(self, what: str, clients: Mapping[str, int], words: str) -> Refusal | None:
        for client, times in clients.items():
            rate: RateLimitItem = RateLimitItemPerMinute(self._rates[what] * times)
            if not self._count.hit(rate, what, client):
                left = self._count.get_window_stats(rate, what, client).reset_time - time.time()
                seconds = max(1, math.ceil(left))
                return Refusal(f"{words}: wait {seconds} second{'s' if seconds > 1 else ''}, then try again.", seconds)
        return None


def address_of(scope: Scope) -> str:
    """The network address a request came from; for IPv6 its network (the first 64 bits), which is what a household has.

    Only where the peer is a proxy nearby (a private address) the header it adds is read, from its end: what stands before was
    written by who asks.
    """
    client = scope.get("client")
    peer = str(client[0]) if client else ""
    given = b",".join(value for name, value in scope.get("headers", []) if name == b"x-forwarded-for").decode("latin-1")
    hops = [hop.strip() for hop in given.split(",") if hop.strip()][-10:]
    for hop in (peer, *reversed(hops)):
        try:
            found = ipaddress.ip_address(hop)
        except ValueError:
            break
        if not (found.is_private or found.is_loopback or found.is_link_local):
            return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)
    return peer
