"""Who asks: a visitor by signed cookie, or by address and session where the browser keeps none; a login comes before both.

The cookie's header is written by hand, since Python's own library refuses `Partitioned` before 3.14. Over https its name begins with
`__Host-` and it comes back in another site's frame too; at home, over plain http, it is a Lax one. Knows no single tab.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

from studio.studio import GUEST, Studio
from studio.visitors import KEPT_SECONDS, PASSING, Visitors
from tabs._limits import address_of

VISITOR, OWNER = "atelier.visitor", "atelier.owner"
"""Keys of a request's scope: who asks, and whose things they are (another name where a session tells browsers without a cookie apart)."""
HUB = "hf/"
"""What the owner's name of an account of the Hub begins with: no login of the studio's own file can be taken for one."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
PLAIN, SECURE = "atelier", "__Host-atelier"
"""The cookie's name over http and over https."""


@dataclass(frozen=True)
class Visit:
    """Who asks. `cookie` is the header that makes the browser keep the name, b'' for those that did not bring it back."""

    name: str
    cookie: bytes = b""


def visit(visitors: Visitors, scope: Scope) -> Visit:
    """Who sends this request, by the cookie that it brings."""
    secure = is_secure(scope)
    name = visitors.known(cookie_parser(Headers(scope=scope).get("cookie", "")).get(SECURE if secure else PLAIN, ""))
    if name is None:
        return Visit(visitors.passing(address_of(scope)))
    return Visit(name, cookie(visitors.signed(name), secure))


def newcomer(visitors: Visitors, scope: Scope) -> bytes:
    """The cookie header for a browser that has no name yet."""
    return cookie(visitors.signed(visitors.new()), is_secure(scope))


def cookie(value: str, secure: bool) -> bytes:
    """The header that keeps a value for a day after the last visit, out of reach of every script."""
    kept = f"{SECURE if secure else PLAIN}={value}; Path=/; Max-Age={KEPT_SECONDS}; HttpOnly"
    return f"{kept}; {'Secure; SameSite=None; Partitioned' if secure else 'SameSite=Lax'}".encode()


def is_secure(scope: Scope) -> bool:
    """Whether the browser speaks https, to this server or to a proxy before it."""
    said = Headers(scope=scope).get("x-forwarded-proto", "").split(",")[0].strip().casefold()
    return (said or str(scope.get("scheme", "http"))) == "https"


def owner_of(request: Any) -> str:
    """Whose run a Gradio request asks for: the login, else the visitor; '' for a request that came by no guarded door."""
    scope = scope_of(request)
    return str(getattr(request, "username", None) or hub_name(scope) or scope.get(OWNER, "") or "")


def hub_name(scope: Mapping[str, Any]) -> str:
    """Who is logged in with an account of the Hub, as 'hf/NAME'; '' for nobody. Gradio signs the session that tells it."""
    session = scope.get("session")
    info = session.get("oauth_info") if isinstance(session, Mapping) else None
    if not isinstance(info, Mapping) or float(info.get("expires_at") or 0) < time.time():
        return ""
    user = info.get("userinfo")
    name = user.get("preferred_username") if isinstance(user, Mapping) else None
    return f"{HUB}{name}" if isinstance(name, str) and _NAME.fullmatch(name) else ""


def from_where(request: Any) -> str:
    """The network address of a Gradio request, where people are told apart; '' elsewhere."""
    scope = scope_of(request)
    return address_of(scope) if scope.get(VISITOR) else ""


def visitor_of(request: Any) -> str:
    """Who sends a Gradio request, as files are bound to them; ''  where nobody is told apart."""
    return str(scope_of(request).get(VISITOR, "") or "")


def scope_of(request: Any) -> dict[str, Any]:
    """The scope of a Gradio or Starlette request; empty where there is none."""
    found = getattr(getattr(request, "request", None) or request, "scope", None)
    return found if isinstance(found, dict) else {}


def passes(owner: str) -> bool:
    """Whether this owner's things end with the page: a browser that keeps no cookie, or a guest."""
    return owner == GUEST or owner.startswith(PASSING)


def forget(studio: Studio, owner: str) -> None:
    """Remove everything of a visitor: runs stop, and what they made, wrote, taught and saved goes."""
    studio.stop(owner, wait=True)
    studio.library.forget_owner(owner)
    studio.sets.forget(owner)
    studio.own_styles.forget(owner)
    studio.voices.forget(owner)
