"""The last word of the door: what Gradio has no answer for is refused in a sentence instead of an error of the server.

An unknown endpoint or parameter, a form that cannot be read, or a run that nobody began raise inside Gradio, which would answer "500
Internal Server Error" or break the connection off. Knows no tab and no studio.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("atelier.door")

UNKNOWN = "This request names an endpoint, a parameter or a run that is not there: what there is stands under gradio_api/info."
UNREADABLE = "This request could not be read: send it again as the description of the endpoint says."
UNUSABLE = "A value of this request cannot be used: give each parameter what its description names, and files that were uploaded here."
FAILED = "Something unexpected went wrong (id {id}): try again. The log has the details."
_UNREADABLE = frozenset({"FormParserError", "MultipartParseError", "QuerystringParseError", "MultiPartException", "JSONDecodeError"})
_UNKNOWN = frozenset({"FnIndexInferError", "InvalidApiNameError", "HTTPException"})
_WORDLESS = (b'{"error":null}', b'{"error": null}', b'"output":{"error":null')
"""What Gradio says of a value that it cannot take to a handler at all."""
_ONE_RANGE = re.compile(rb"bytes=\d{1,18}-\d{0,18}")
_SAID = json.dumps(UNUSABLE).encode()
_ASKED = ("/call/", "/queue/join", "/queue/data", "/run/", "/api/")
"""Where names come from outside: only there a name that is not found is the asker's mistake and no fault of ours."""


class Answers:
    """ASGI middleware, the innermost: an exception that came before an answer becomes one; what has begun is ended, never without words."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and answer for what failed."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        watched = _Watched(send)
        try:
            await self.app(_with_one_range(scope), receive, watched)
        except Exception as error:  # noqa: BLE001 (whatever it was: who asked gets an answer, the log the rest)
            status, sentence = _answer(error, str(scope.get("path", "")))
            if not watched.begun:
                await JSONResponse({"detail": sentence}, status)(scope, receive, send)
            elif not watched.ended:
                await send({"type": "http.response.body", "body": _event(sentence), "more_body": False})
        if watched.wordless:  # a run that failed beside the queue
            await JSONResponse({"error": UNUSABLE}, 400)(scope, receive, send)


class _Watched:
    """Passes an answer on; in a stream of events an error without words gets some, and a bare error of the server is held back."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._stream = False
        self.begun = self.ended = self.wordless = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message.get("headers", []))
            self._stream = headers.get("content-type", "").startswith("text/event-stream")
            self.wordless = message["status"] == 500 and headers.get("content-length") == str(len(_WORDLESS[0]))
        elif self._stream:
            message = {**message, "body": _in_words(message.get("body", b""))}
        if self.wordless:
            return
        self.begun = True
        self.ended = self.ended or (message["type"] == "http.response.body" and not message.get("more_body", False))
        await self._send(message)


def _with_one_range(scope: Scope) -> Scope:
    """Without a range that is not one plain stretch: a server may pass it over (RFC 9110, 14.2), and Gradio reads no other."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return {**scope, "headers": [(name, value) for name, value in headers if name != b"range" or _ONE_RANGE.fullmatch(value)]}


def _in_words(body: bytes) -> bytes:
    for wordless in _WORDLESS:
        body = body.replace(wordless, wordless.replace(b"null", _SAID))
    return body


def _answer(error: Exception, path: str) -> tuple[int, str]:
    name = type(error).__name__
    if name in _UNREADABLE:
        return 400, UNREADABLE
    cause = type(error.__cause__).__name__ if error.__cause__ is not None else ""
    if any(part in path for part in _ASKED) and (name in _UNKNOWN or cause in _UNKNOWN or isinstance(error, KeyError | TypeError)):
        return 404, UNKNOWN
    id = secrets.token_hex(4)
    log.error("a request failed (id %s)", id, exc_info=error)
    return 500, FAILED.format(id=id)


def _event(sentence: str) -> bytes:
    """What ends a stream of server-sent events that had begun."""
    answer: Any = JSONResponse({"error": sentence}).body
    return b"event: error\ndata: " + bytes(answer) + b"\n\n"
