"""The guard in front of every request: hosts, origins, bodies, headers, rates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from studio.visitors import Visitors
from tabs import _answer, _headers
from tabs._apart import Bonds, Files
from tabs._calls import Calls
from tabs._guard import Door, Guard
from tabs._limits import Limits, address_of

PAGE = "<html><script>a('<script src=x>')</script><script type=module src=/assets/i.js></script></html>"


async def answer(request: Request) -> Response:
    if request.url.path == "/":
        return HTMLResponse(PAGE + "<!--" + "x" * 2000 + "-->")
    if request.url.path == "/gradio_api/upload":
        await request.body()
        return JSONResponse([request.headers["x-stored"]])
    return PlainTextResponse(str(len(await request.body())))


def door(folder: Path, *, apart: bool = False, public: bool = False, on_spaces: bool = False, **rates: int) -> Door:
    bonds = Bonds()
    visitors = Visitors(folder / "home", b"a secret of tests") if apart else None
    hosts = frozenset({"127.0.0.1", "studio.example"})
    limits = Limits(public, **rates)
    return Door(hosts, frozenset({"studio.example"}), limits, visitors, Calls(Files(folder / "web", bonds), bonds), on_spaces)


def client_of(door: Door, base: str = "http://127.0.0.1:7860") -> TestClient:
    inner = [Middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True), Middleware(Guard, door=door)]
    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])], middleware=inner)
    return TestClient(Guard(app, door), base_url=base)


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return client_of(door(tmp_path))


def test_a_known_host_gets_in_with_safe_headers(client: TestClient) -> None:
    answered = client.post("/run", content=b"abc", headers={"origin": "http://127.0.0.1:7860"})
    assert (answered.status_code, answered.text) == (200, "3")
    assert answered.headers["x-content-type-options"] == "nosniff"
    assert answered.headers["referrer-policy"] == "same-origin"
    policy = answered.headers["content-security-policy"]
    assert "default-src 'self';" in policy and "img-src 'self' data: blob:;" in policy
    assert "script-src 'self' 'nonce-" in policy and "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert policy.endswith("frame-ancestors 'self'")


def test_a_space_may_be_framed_by_the_hub_alone(tmp_path: Path) -> None:
    policy = client_of(door(tmp_path, on_spaces=True)).get("/x").headers["content-security-policy"]
    assert policy.endswith("frame-ancestors 'self' https://huggingface.co https://*.huggingface.co")


def test_only_the_pages_own_scripts_carry_the_number_of_this_answer(client: TestClient) -> None:
    numbers = set[str]()
    for _ in range(2):
        answered = client.get("/")
        (number,) = re.findall(r"'nonce-([\w-]+)'", answered.headers["content-security-policy"])
        assert f"<script nonce=\"{number}\">a('<script src=x>')</script>" in answered.text
        assert f'<script nonce="{number}" type=module' in answered.text
        assert answered.headers["content-encoding"] == "gzip"
        numbers.add(number)
    assert len(numbers) == 2
    plain = client.get("/", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers and "</html>" in plain.text


def test_what_people_made_can_run_nothing_even_as_a_page(client: TestClient) -> None:
    assert "sandbox" in client.get("/gradio_api/file=/x/y").headers["content-security-policy"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1", "studio.example.evil"])
def test_an_unknown_host_is_refused_in_words(client: TestClient, host: str) -> None:
    answered = client.get("/", headers={"host": host})
    assert answered.status_code == 421 and "--allow-host" in answered.text


def test_a_probe_by_address_hears_of_health_alone(client: TestClient) -> None:
    assert client.get("/healthz", headers={"host": "10.1.2.3"}).status_code == 200
    assert client.get("/config", headers={"host": "10.1.2.3"}).status_code == 421


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://[", "http://127.0.0.1:3000", "http://127.0.0.1:99999999"],
)
def test_a_page_of_another_site_is_refused_and_may_read_nothing(client: TestClient, origin: str) -> None:
    asked = {"origin": origin, "access-control-request-method": "POST"}
    for answered in (
        client.post("/gradio_api/queue/join", json={}, headers={"origin": origin}),
        client.options("/gradio_api/queue/join", headers=asked),
    ):
        assert answered.status_code == 403
        assert not [name for name in answered.headers if name.startswith("access-control-")]


def test_no_answer_lets_other_sites_read_it(client: TestClient) -> None:
    answered = client.get("/x", headers={"origin": "http://127.0.0.1:7860"})
    assert answered.status_code == 200 and not [name for name in answered.headers if name.startswith("access-control-")]


def test_a_named_host_may_stand_before_a_proxy(client: TestClient) -> None:
    assert client.post("/run", headers={"origin": "https://studio.example"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=http://127.0.0.1:1/x", "/gradio_api/file=HTTPS://x", "/gradio_api/file/https://x", "/gradio_api/proxy=http://x",
        "/monitoring/summary", "/gradio_api/vibe-code/", "/gradio_api/deep_link", "/dev/reload",
    ],
)  # fmt: skip
def test_addresses_that_fetch_or_tell_are_closed(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 403


def test_a_request_that_says_it_is_too_large_is_refused(client: TestClient) -> None:
    answered = client.post("/", content=b"x", headers={"content-length": str(_answer.BODY_LIMIT + 1)})
    assert answered.status_code == 413 and "40 MB" in answered.text


@pytest.mark.parametrize("path", ["/x", "/gradio_api/queue/join"])
def test_a_request_that_grows_too_large_is_refused_in_words(client: TestClient, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_answer, "BODY_LIMIT", 1_000_000)

    def endless() -> Iterator[bytes]:
        for _ in range(60):
            yield b"x" * 100_000

    answered = client.post(path, content=endless())
    assert answered.status_code == 413 and "choose a smaller file" in answered.text


def test_scripts_are_told_from_what_stands_in_them() -> None:
    page = b"<SCRIPT defer>let a = '<script>'</SCRIPT ><p>x</p><script\n>b</script>"
    assert _headers.with_nonce(page, "N") == b'<SCRIPT nonce="N" defer>let a = \'<script>\'</SCRIPT ><p>x</p><script nonce="N"\n>b</script>'


def test_uploads_are_counted_and_refused_with_a_time_to_wait(tmp_path: Path) -> None:
    client = client_of(door(tmp_path, apart=True, public=True, uploads=3))
    client.get("/")
    answers = [client.post("/gradio_api/upload", headers={"x-stored": "/x"}) for _ in range(4)]
    assert [answered.status_code for answered in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60 and "then try again" in answers[-1].text
    assert client.get("/x").status_code == 200, "looking at the page goes on"


def test_who_drops_the_cookie_gets_no_more(tmp_path: Path) -> None:
    shared = door(tmp_path, apart=True, public=True, uploads=1)
    statuses: list[int] = []
    for _ in range(11):
        client = client_of(shared)
        client.get("/")
        statuses.append(client.post("/gradio_api/upload", headers={"x-stored": "/x"}).status_code)
    assert statuses == [200] * 10 + [429]


def test_at_home_only_tries_at_the_login_are_counted(tmp_path: Path) -> None:
    client = client_of(door(tmp_path, logins=2, uploads=1, requests=1))
    assert [client.post("/login").status_code for _ in range(3)] == [200, 200, 429]
    assert [client.post("/gradio_api/upload", headers={"x-stored": "/x"}).status_code for _ in range(3)] == [200] * 3
    assert [client.get("/x").status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("1.2.3.4", "", "1.2.3.4"),
        ("1.2.3.4", "9.9.9.9", "1.2.3.4"),  # nobody's proxy: what it says of others does not count
        ("10.0.0.1", "9.9.9.9, 5.6.7.8", "5.6.7.8"),  # the end was written by the proxy, what is before it by anyone
        ("10.0.0.1", "5.6.7.8, 10.0.0.9", "5.6.7.8"),
        ("10.0.0.1", "5.6.7.8, garbage", "10.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("2a00:1450:4001:82a::200e", "", "2a00:1450:4001:82a::/64"),
    ],
)
def test_the_address_is_the_last_that_somebody_trusted_saw(peer: str, forwarded: str, address: str) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    assert address_of({"type": "http", "client": (peer, 1), "headers": headers}) == address


@pytest.fixture
def stored(tmp_path: Path) -> Callable[[str], Path]:
    def store(name: str) -> Path:
        file = tmp_path / "web" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
        return file

    return store


def test_at_home_a_request_may_name_the_files_of_the_page_alone(tmp_path: Path, stored: Callable[[str], Path]) -> None:
    client, mine, outside = client_of(door(tmp_path)), stored("abc/mine.png"), tmp_path / "outside.txt"
    outside.write_text("secret")
    (tmp_path / "web" / "abc" / "link.png").symlink_to(outside)
    bad = ["/etc/hostname", "/proc/self/environ", f"{mine.parent}/../../outside.txt", f"file://{mine}", "http://127.0.0.1/x", "mine.png"]
    bad += [str(tmp_path / "web" / "abc" / "link.png"), str(mine.parent), f"{mine}\0.png", ""]
    for path in bad:
        answered = client.post("/gradio_api/queue/join", json={"data": [{"deep": [{"path": path}]}]})
        assert answered.status_code == 403 and answered.text.endswith((".", "itself.")), path
    assert client.post("/gradio_api/queue/join", json={"data": [{"path": str(mine)}]}).status_code == 200
    assert client.post("/gradio_api/queue/join", content=b'{"data": ' + b"[" * 100_000).status_code in (200, 403)


def test_an_uploaded_file_is_its_uploaders_alone(tmp_path: Path, stored: Callable[[str], Path]) -> None:
    shared, file = door(tmp_path, apart=True), stored("abc/mine.png")
    mine, theirs = client_of(shared), client_of(shared)
    for client in (mine, theirs):
        client.get("/")
    assert mine.post("/gradio_api/upload", headers={"x-stored": str(file)}).status_code == 200
    for client, status in ((mine, 200), (theirs, 403)):
        assert client.post("/gradio_api/call/inpaint", json={"data": [{"path": str(file)}]}).status_code == status
        assert client.get(f"/gradio_api/file={file}").status_code == status
    theirs.post("/gradio_api/upload", headers={"x-stored": str(file)})
    assert theirs.get(f"/gradio_api/file={file}").status_code == 200, "who uploads the same has it, too"


def test_a_session_is_whose_it_was_first(tmp_path: Path) -> None:
    shared = door(tmp_path, apart=True)
    mine, theirs = client_of(shared), client_of(shared)
    for client in (mine, theirs):
        client.get("/")
    assert mine.post("/gradio_api/queue/join", json={"session_hash": "s1", "data": []}).status_code == 200
    for address in ("/gradio_api/queue/data?session_hash=s1", "/gradio_api/heartbeat/s1", "/gradio_api/stream/s1/1/2/playlist.m3u8"):
        assert theirs.get(address).status_code == 403, address
        assert mine.get(address).status_code == 200, address
    for address in ("queue/join", "cancel", "reset", "component_server", "run/text_to_image"):
        answered = theirs.post(f"/gradio_api/{address}", json={"session_hash": "s1", "event_id": "x", "fn_index": 0, "data": []})
        assert answered.status_code == 403 and "reload" in answered.text, address


def test_a_page_cannot_send_files_where_they_would_not_be_counted(client: TestClient) -> None:
    answered = client.post("/gradio_api/component_server", files={"a": ("b", b"c")})
    assert answered.status_code == 403 and "upload" in answered.text
