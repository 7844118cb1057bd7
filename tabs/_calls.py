"""What a request says before Gradio reads it: which session and event it is about, and which files it names; and what its answer binds.

Refusals are sentences; '' lets a request through. Knows no cookie and no single tab.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from tabs._apart import OTHERS_PAGE, TOO_DEEP, Bonds, Files, paths

API = "/gradio_api"
_CALL = re.compile(rf"{API}/(queue/join|run/|api/|call/|cancel|reset|component_server|stream/)")
_BINDS = re.compile(rf"{API}/(upload|queue/join|call/)")
_FILE = re.compile(r"/file[=/](?P<path>.+)", re.DOTALL)
_SESSION = re.compile(rf"{API}/(?:heartbeat|stream)/(?P<session>[^/]+)")
_EVENT = re.compile(rf"{API}/call/(?:v2/)?[^/]+/(?P<event>[^/]+)/?$")
_QUERY = {"session_hash": "session", "upload_id": "upload", "event_id": "event"}
LONGEST_ANSWER = 1 << 20
"""Bytes of an answer that is read: a list of uploaded paths, or the number of an event."""


@dataclass(frozen=True)
class Calls:
    """What requests may name. A visitor '' is the one person of a studio at home: there only the places of files count."""

    files: Files
    bonds: Bonds

    def about(self, path: str, query: bytes, visitor: str) -> str:
        """Why this visitor may not send a request to this address."""
        if found := _FILE.search(path):
            return self.files.refusal(found["path"], visitor) if visitor else ""
        if not visitor:
            return ""
        if (found := _SESSION.match(path)) and not self.bonds.claim("session", found["session"], visitor):
            return OTHERS_PAGE
        if (found := _EVENT.match(path)) and not self.bonds.has("event", found["event"], visitor, unknown=True):
            return OTHERS_PAGE
        for name, value in parse_qsl(query.decode("latin-1")):
            if not self._theirs(_QUERY.get(name), value, visitor):
                return OTHERS_PAGE
        return ""

    def body(self, sent: bytes, visitor: str) -> str:
        """Why this visitor may not send this JSON; what is none is left to Gradio, which refuses it."""
        try:
            value = json.loads(sent or b"null")
            named = list(paths(value))
        except RecursionError:
            return TOO_DEEP
        except ValueError as error:
            return TOO_DEEP if str(error) == TOO_DEEP else ""
        if isinstance(value, dict):
            for name, kind in _QUERY.items():
                if isinstance(given := value.get(name), str) and not self._theirs(kind, given, visitor):
                    return OTHERS_PAGE
        return next((words for path in named if (words := self.files.refusal(path, visitor))), "")

    def bind(self, path: str, answer: bytes, visitor: str) -> None:
        """What this visitor's answer brings: uploaded files, or a new event."""
        try:
            value = json.loads(answer)
        except ValueError:
            return
        if path.startswith(f"{API}/upload") and isinstance(value, list):
            for one in value:
                self.files.bind(str(one), visitor)
        elif isinstance(value, dict) and isinstance(event := value.get("event_id"), str):
            self.bonds.share("event", event, visitor)

    def _theirs(self, kind: str | None, thing: str, visitor: str) -> bool:
        if not visitor or kind is None:
            return True
        if kind == "event":
            return self.bonds.has(kind, thing, visitor, unknown=True)
        return self.bonds.claim(kind, thing, visitor)


def calls(method: str, path: str) -> bool:
    """Whether a request runs something, so that its body is read before Gradio does."""
    return method == "POST" and _CALL.match(path) is not None


def binds(method: str, path: str) -> bool:
    """Whether the answer to a request binds something to its visitor."""
    return method == "POST" and _BINDS.match(path) is not None


def session_in(path: str, query: bytes, sent: bytes) -> str:
    """The browser session that a request is about; '' where it names none."""
    if found := _SESSION.match(path):
        return found["session"]
    for name, value in parse_qsl(query.decode("latin-1")):
        if name == "session_hash":
            return value
    try:
        value = json.loads(sent or b"null")
    except (ValueError, RecursionError):
        return ""
    given = value.get("session_hash") if isinstance(value, dict) else None
    return given if isinstance(given, str) else ""
