"""A service that speaks the chat protocol of OpenAI over HTTP: one request, its stream of pieces, and what it refuses in sentences.

Knows no task and no prompt.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from studio.errors import InvalidInput, ModelUnavailable
from studio.models import Endpoint, ModelCard

CONNECT = 10.0
"""Seconds until an address that does not answer is given up."""
SILENCE = 300.0
"""Seconds without a word of the answer until it is given up: a large model reads for long before it begins."""
BEAT = 0.1
"""Seconds between two looks at Stop."""

_Lines: TypeAlias = "queue.Queue[Mapping[str, Any] | BaseException | None]"


def pieces(card: ModelCard, body: Mapping[str, Any], tell: Callable[[], None]) -> Iterator[Mapping[str, Any]]:
    """The stream's pieces as they come; `tell` is called while none comes, and raises to stop."""
    lines: _Lines = queue.Queue()
    ended = threading.Event()
    threading.Thread(target=_listen, args=(card, body, lines, ended), name="endpoint", daemon=True).start()
    heard = time.monotonic()
    try:
        while True:
            try:
                piece = lines.get(timeout=BEAT)
            except queue.Empty:
                tell()
                if time.monotonic() - heard > SILENCE:
                    raise ModelUnavailable(f"{card.name} has said nothing for {SILENCE / 60:.0f} minutes: try again later.") from None
                continue
            if piece is None:
                return
            if isinstance(piece, BaseException):
                raise piece
            heard = time.monotonic()
            yield piece
    finally:
        ended.set()


def _listen(card: ModelCard, body: Mapping[str, Any], lines: _Lines, ended: threading.Event) -> None:
    """Send the request and pass on each piece of the answer; the last thing passed on is None, or what went wrong in words."""
    try:
        _stream(card, body, lines, ended)
        lines.put(None)
    except BaseException as error:  # noqa: BLE001  handed over to the thread that waits
        lines.put(error)


def _stream(card: ModelCard, body: Mapping[str, Any], lines: _Lines, ended: threading.Event) -> None:
    import httpx

    source = card.source
    assert isinstance(source, Endpoint)
    headers = {"Authorization": f"Bearer {card.secret.get_secret_value()}"} if card.secret is not None else {}
    timeout = httpx.Timeout(SILENCE, connect=CONNECT)
    try:
        with (
            httpx.Client(timeout=timeout, follow_redirects=False) as client,
            client.stream("POST", f"{source.url}/chat/completions", json=body, headers=headers) as response,
        ):
            if response.status_code != 200:
                raise _refusal(card, response.status_code, response.read()[:4000])
            for line in response.iter_lines():
                if ended.is_set():
                    return
                said = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                if said == "[DONE]":
                    return
                if said:
                    lines.put(_piece(card, said))
    except httpx.HTTPError as error:
        kind = "does not answer" if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) else "broke off the answer"
        raise ModelUnavailable(f"{urlsplit(source.url).hostname} {kind}: see that it runs there, or choose another model.") from None
    except ValueError:  # an address that cannot be asked
        raise ModelUnavailable(f"{card.name} has no address that can be asked: correct --endpoint.") from None


def _piece(card: ModelCard, said: str) -> Mapping[str, Any]:
    try:
        piece = json.loads(said)
    except ValueError:
        piece = None
    if not isinstance(piece, dict):
        raise ModelUnavailable(f"{card.name} answers in a form that is none of the chat protocol: correct --endpoint.")
    if piece.get("error"):
        raise _refusal(card, 0, said.encode())
    return piece


def _refusal(card: ModelCard, status: int, body: bytes) -> Exception:
    """What a service said instead of an answer, as one sentence."""
    if status in (401, 403):
        return ModelUnavailable(f"{card.name} does not take the key it was given: correct --endpoint-key.")
    if status == 404:
        return ModelUnavailable(f"There is no {card.name} any more: correct --endpoint or --endpoint-models.")
    if status == 429:
        return ModelUnavailable(f"{card.name} takes no more requests just now: try again in a minute.")
    if 300 <= status < 400:
        return ModelUnavailable(f"{card.name} points to another address, which is not followed: correct --endpoint.")
    words = " ".join(_reason(body).split())[:200].rstrip(".")
    said = f": {words}." if words else "."
    if 400 <= status < 500:
        return InvalidInput(f"{card.name} refuses this{said} Change what it names, or choose another model.")
    return ModelUnavailable(f"{card.name} failed{said} Try again, or choose another model.")


def _reason(body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    error = found.get("error", found) if isinstance(found, dict) else ""
    words = error.get("message", "") if isinstance(error, dict) else error
    return words if isinstance(words, str) else ""
