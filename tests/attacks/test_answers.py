"""The last word of the door: what raises behind it is answered in a sentence, whatever had been sent before."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi import HTTPException
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from tabs._answers import UNKNOWN, UNREADABLE, UNUSABLE, Answers
from tests.attacks.promise import TELLTALE, is_a_sentence


class FormParserError(Exception):
    """As the parser of forms names it."""


FAULTS = {
    "key": KeyError("/nope"),
    "type": TypeError("Parameter `nope`"),
    "form": FormParserError("/tmp/x"),
    "other": ZeroDivisionError("/home/x"),
}


async def answer(request: Request) -> Response:
    name = request.path_params["name"]
    if name in FAULTS:
        raise FAULTS[name]
    if name in ("stream", "silent"):
        return StreamingResponse(events(name), media_type="text/event-stream")
    return JSONResponse({"error": None}, 500) if name == "wordless" else PlainTextResponse(request.headers.get("range", "as it was"))


async def events(name: str) -> AsyncIterator[bytes]:
    yield b"event: generating\ndata: []\n\n"
    if name == "silent":
        yield b'event: error\ndata: {"error": null}\n\n'
        return
    raise RuntimeError("response already started") from HTTPException(404)


@pytest.fixture
def client() -> TestClient:
    routes = [Route("/gradio_api/call/{name}", answer), Route("/{name}", answer)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(Answers)]))


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/gradio_api/call/key", 404, UNKNOWN),
        ("/gradio_api/call/type", 404, UNKNOWN),
        ("/gradio_api/call/form", 400, UNREADABLE),
        ("/form", 400, UNREADABLE),
        ("/gradio_api/call/wordless", 400, UNUSABLE),
    ],
)
def test_the_asker_s_mistake_is_answered_as_one(client: TestClient, path: str, status: int, words: str) -> None:
    answered = client.get(path)
    assert answered.status_code == status and words in answered.json().values() and is_a_sentence(words)


def test_a_fault_of_ours_has_a_number_that_is_in_the_log_and_nothing_else(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    for path in ("/key", "/gradio_api/call/other"):
        answered = client.get(path)
        number = answered.json()["detail"].partition("(id ")[2].partition(")")[0]
        assert answered.status_code == 500 and number in caplog.text and not TELLTALE.search(answered.text)


def test_a_stream_that_breaks_off_ends_in_words(client: TestClient) -> None:
    assert client.get("/gradio_api/call/stream").text.endswith(f'event: error\ndata: {{"error":"{UNKNOWN}"}}\n\n')
    silent = client.get("/gradio_api/call/silent").text
    assert silent.count("event: ") == 2 and UNUSABLE in silent and "null" not in silent


def test_everything_else_passes_as_it_was(client: TestClient) -> None:
    assert client.get("/fine").text == "as it was"


@pytest.mark.parametrize("asked", ["bytes=0-,0-", "bytes=" + ",".join(["0-"] * 5000), "bytes=-5", "bytes=x-y", "lines=1-2", ""])
def test_a_range_that_is_not_one_plain_stretch_is_passed_over(client: TestClient, asked: str) -> None:
    assert client.get("/fine", headers={"range": asked}).text == "as it was"
    assert client.get("/fine", headers={"range": "bytes=3-9"}).text == "bytes=3-9"
