"""The guard in front of every request."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from tabs import _web


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def client() -> TestClient:
    guard = Middleware(_web.Guard, hosts=frozenset({"127.0.0.1", "studio.example"}))
    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])], middleware=[guard])
    return TestClient(app, base_url="http://127.0.0.1:7860")


def test_a_known_host_gets_in_with_safe_headers(client: TestClient) -> None:
    answered = client.post("/run", content=b"abc", headers={"origin": "http://127.0.0.1:7860"})
    assert (answered.status_code, answered.text) == (200, "3")
    assert answered.headers["x-content-type-options"] == "nosniff"
    assert answered.headers["referrer-policy"] == "same-origin"
    assert "img-src 'self' data: blob:;" in answered.headers["content-security-policy"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1", "studio.example.evil"])
def test_an_unknown_host_is_refused_in_words(client: TestClient, host: str) -> None:
    answered = client.get("/", headers={"host": host})
    assert answered.status_code == 421 and "--allow-host" in answered.text


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://["])
def test_a_page_of_another_site_is_refused(client: TestClient, origin: str) -> None:
    assert client.post("/gradio_api/queue/join", json={}, headers={"origin": origin}).status_code == 403


@pytest.mark.parametrize(
    "path", ["/gradio_api/file=http://127.0.0.1:1/x", "/gradio_api/file=HTTPS://x", "/gradio_api/proxy=http://x", "/monitoring/summary"]
)
def test_addresses_that_fetch_or_tell_are_closed(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 403


def test_a_request_that_says_it_is_too_large_is_refused(client: TestClient) -> None:
    answered = client.post("/", content=b"x", headers={"content-length": str(_web.BODY_LIMIT + 1)})
    assert answered.status_code == 413 and "40 MB" in answered.text


def test_a_request_that_grows_too_large_is_cut_off(client: TestClient) -> None:
    def endless() -> object:
        for _ in range(60):
            yield b"x" * 1_000_000

    with pytest.raises(ClientDisconnect):
        client.post("/", content=endless())  # type: ignore[arg-type]
