"""Rows 20, 35, 36, 81, 83, 85 and 101 to 110, and wild requests over the whole API: by HTTP, at a studio that is served."""

from __future__ import annotations

import json
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.attacks.promise import TELLTALE, is_a_sentence
from tests.attacks.requests import Answer, hasty, requests, sent, wrong
from tests.serving import ROOT, running

BATCH = 10
CALM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example, HealthCheck.filter_too_much]


@pytest.fixture(scope="module")
def served(starter_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, int]]:
    folder = tmp_path_factory.mktemp("door")
    with running(starter_cache, folder, "--max-queue", "2") as (url, process):
        yield url, folder, process


@pytest.fixture
def client(served: tuple[str, Path, int]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served[0], timeout=60) as client:
        yield client


def many(examples: int, served: tuple[str, Path, int], *, derandomize: bool) -> None:
    """Send `examples` batches of wild requests; every answer is one that a stranger may see."""

    @settings(max_examples=examples, derandomize=derandomize, phases=[Phase.generate], suppress_health_check=CALM)
    @given(st.lists(requests(), min_size=BATCH, max_size=BATCH))
    def attack(batch: list[tuple[str, dict[str, Any]]]) -> None:
        assert wrong(served[0], served[1] / "web", batch) == []

    attack()
    assert "Traceback" not in httpx.get(served[0]).text


def test_requests_that_can_come_to_nothing_get_answers_that_tell_nothing(served: tuple[str, Path, int]) -> None:
    assert wrong(served[0], served[1] / "web", hasty(60, random.Random(8))) == []


@pytest.mark.thorough
@pytest.mark.timeout(1800)
def test_wild_requests_to_every_endpoint_get_answers_that_tell_nothing(served: tuple[str, Path, int]) -> None:
    many(30, served, derandomize=True)


@pytest.mark.thorough
@pytest.mark.timeout(3600)
def test_five_thousand_wild_requests_get_answers_that_tell_nothing(served: tuple[str, Path, int]) -> None:
    many(500, served, derandomize=False)


def test_a_sound_request_is_served_after_them(client: httpx.Client) -> None:
    answer = sent(client, "/text_to_image", {"prompt": "a cat", "width": 64, "height": 64})
    assert answer.event == "complete"


@pytest.mark.parametrize("values", [[], ["a cat"], ["a cat"] * 300, [{"a": 1}] * 13])
def test_too_few_too_many_and_wrong_arguments_are_refused(values: list[Any], client: httpx.Client) -> None:
    joined = client.post("/gradio_api/call/text_to_image", json={"data": values})
    ended = client.get(f"/gradio_api/call/text_to_image/{joined.json()['event_id']}").text
    assert "event: error" in ended and not TELLTALE.search(ended)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("call/v2/text_to_image", {"prompt": "a cat", "nope": 3}),
        ("call/v2/nope", {"prompt": "a cat"}),
        ("call/nope", {"data": []}),
        ("run/nope", {"data": []}),
        ("queue/join", {"data": [], "fn_index": 9999, "session_hash": "abc"}),
        ("queue/join", {"data": [], "fn_index": -1, "session_hash": "abc"}),
        ("queue/join", {"data": [], "fn_index": "x", "session_hash": "abc"}),
        ("call/text_to_image", {"data": "abc"}),
        ("call/text_to_image", {"data": ["x"], "session_hash": {"a": 1}}),
        ("component_server", {"component_id": 1, "fn_name": "__init__", "session_hash": "a", "data": []}),
    ],
)
def test_what_names_nothing_here_is_refused_and_no_error_of_the_server(path: str, body: dict[str, Any], client: httpx.Client) -> None:
    answered = client.post(f"/gradio_api/{path}", json=body)
    assert 400 <= answered.status_code < 500 and not TELLTALE.search(answered.text)


def test_a_run_that_nobody_began_is_no_run(client: httpx.Client) -> None:
    answered = client.get("/gradio_api/call/text_to_image/nobody")
    assert "event: complete" not in answered.text and not TELLTALE.search(answered.text)


def test_more_than_may_wait_are_told_so_in_words(client: httpx.Client) -> None:
    given = {"prompt": "a cat", "width": 64, "height": 64}
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda seed: sent(client, "/text_to_image", {**given, "seed": seed}), range(6)))
    ended = [answer.event for answer in answers]
    assert ended.count("complete") >= 1 and set(ended) <= {"complete", "error"}
    for answer in answers:
        words = said(answer)
        assert not words or (is_a_sentence(words) and ("wait" in words or "busy" in words)), words


def said(answer: Answer) -> str:
    if answer.event != "error":
        return ""
    last = [line for line in answer.text.splitlines() if line.startswith("data: ")][-1]
    return str(json.loads(last.removeprefix("data: "))["error"])


def test_who_leaves_in_the_middle_frees_the_device(client: httpx.Client) -> None:
    joined = client.post("/gradio_api/call/v2/text_to_image", json={"prompt": "a cat", "count": 8, "seed": 5, "width": 64, "height": 64})
    with client.stream("GET", f"/gradio_api/call/text_to_image/{joined.json()['event_id']}") as stream:
        for line in stream.iter_lines():
            if line:
                break
    began = time.monotonic()
    assert sent(client, "/text_to_image", {"prompt": "a cat", "width": 64, "height": 64}).event == "complete"
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/etc/passwd",
            "../../../etc/passwd",
            "%2e%2e/%2e%2e/etc/passwd",
            "file:///etc/passwd",
            "app.py",
            "presets/styles.toml",
            "/proc/self/environ",
        ),
        *(
            "http://127.0.0.1:1/x",
            "http://[::1]/x",
            "http://169.254.169.254/latest",
            "http://2130706433/",
            "HTTP://localhost/",
            "//127.0.0.1/x",
        ),
        "",
    ],
)
def test_no_address_reads_a_file_of_the_machine_or_fetches_another(path: str, client: httpx.Client) -> None:
    for place in (f"/gradio_api/file={path}", f"/gradio_api/file/{path}", f"/file={path}"):
        answered = client.get(place)
        assert answered.status_code in (400, 403, 404, 405, 422), place
        assert "root:" not in answered.text


def uploaded(client: httpx.Client, name: str, data: bytes, kind: str) -> str:
    answered = client.post("/gradio_api/upload", files={"files": (name, data, kind)})
    assert answered.status_code == 200
    return str(answered.json()[0])


@pytest.mark.parametrize(
    ("name", "kind"), [("x.html", "text/html"), ("x.svg", "image/svg+xml"), ("../../x.xhtml", "application/xhtml+xml")]
)
def test_a_page_that_was_handed_in_is_never_shown(name: str, kind: str, client: httpx.Client, served: tuple[str, Path, int]) -> None:
    path = uploaded(client, name, b"<script>alert(1)</script>", kind)
    assert Path(path).resolve().is_relative_to(served[1] / "web")
    answered = client.get(f"/gradio_api/file={path}")
    shown = answered.headers.get("content-type", "")
    assert answered.status_code != 200 or (
        "attachment" in answered.headers.get("content-disposition", "")
        and "html" not in shown
        and "svg" not in shown
        and "xml" not in shown
    )
    assert answered.headers["x-content-type-options"] == "nosniff"


def test_a_link_in_the_served_folder_leads_nowhere(client: httpx.Client, served: tuple[str, Path, int]) -> None:
    path = Path(uploaded(client, "a.txt", b"x", "text/plain"))
    link = path.with_name("link.txt")
    link.symlink_to("/etc/passwd")
    assert "root:" not in client.get(f"/gradio_api/file={link}").text


def test_a_foreign_page_gets_no_answer_that_it_may_read(client: httpx.Client) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example"):
        answered = client.post("/gradio_api/queue/join", json={}, headers={"origin": origin, "cookie": "a=b"})
        assert answered.status_code == 403 and answered.headers.get("access-control-allow-origin") != origin
        seen = client.get("/gradio_api/info", headers={"origin": origin})
        assert seen.headers.get("access-control-allow-credentials") != "true" or seen.headers.get("access-control-allow-origin") != origin
    simple = client.post("/gradio_api/queue/join", content=b"data=x", headers={"content-type": "text/plain"})
    assert 400 <= simple.status_code < 500


def test_ranges_and_forms_without_end_are_answered_quickly(client: httpx.Client) -> None:
    path, began = uploaded(client, "a.bin", bytes(100_000), "application/octet-stream"), time.monotonic()
    many = client.get(f"/gradio_api/file={path}", headers={"range": "bytes=" + ",".join(["0-"] * 10_000)})
    assert many.status_code in (200, 206, 400, 416, 431) and len(many.content) < 10_000_000
    assert (
        client.post(
            "/gradio_api/upload", content=b"x", headers={"content-type": "multipart/form-data; boundary=" + "x" * 30_000}
        ).status_code
        < 500
    )
    part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n' + b"X-A: b\r\n" * 50_000 + b"\r\nx\r\n--b--\r\n"
    assert client.post("/gradio_api/upload", content=part, headers={"content-type": "multipart/form-data; boundary=b"}).status_code < 500
    assert time.monotonic() - began < 60


def test_what_is_too_large_is_refused_and_what_stops_half_way_is_no_upload(client: httpx.Client, served: tuple[str, Path, int]) -> None:
    before = set((served[1] / "web").rglob("*"))
    host, port = served[0].removeprefix("http://").split(":")
    head = f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: "
    with socket.create_connection((host, int(port)), timeout=60) as large:
        large.sendall(f"{head}250000000\r\n\r\n--b".encode())
        assert b" 413 " in large.recv(4096)
    with socket.create_connection((host, int(port))) as half:
        begun = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        half.sendall(f"{head}9000000\r\n\r\n".encode() + begun + bytes(2_000_000))
        until(lambda: set((served[1] / "web").rglob("*")) != before)
    until(lambda: set((served[1] / "web").rglob("*")) == before)
    assert client.get("/").status_code == 200


def until(true: Callable[[], bool]) -> None:
    """Wait for a condition, a minute at most."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_name_of_an_upload_turns_no_writing_round(client: httpx.Client) -> None:
    for name, kept in (("photo\u202egnp.exe", "photognp.exe"), ("\u2066a\u2069\u200f.png", "a.png"), ("\u202e", "file")):
        assert Path(uploaded(client, name, b"x", "image/png")).name == kept


@pytest.mark.parametrize("way", ["run", "api"])
def test_no_run_goes_beside_the_queue(way: str, client: httpx.Client) -> None:
    answered = client.post(f"/gradio_api/{way}/text_to_image", json={"data": ["a cat"] + [None] * 12})
    assert answered.status_code == 404 and "join the queue" in answered.text
    number = next(event["id"] for event in client.get("/config").json()["dependencies"] if event["api_name"] == "text_to_image")
    assert client.post("/gradio_api/run/predict", json={"fn_index": number, "data": ["a cat"] + [None] * 12}).status_code == 404


def test_a_foreign_session_s_name_gives_nothing_of_it(client: httpx.Client) -> None:
    joined = {"data": ["a cat"] + [None] * 12, "session_hash": "theirs"}
    first = client.post("/gradio_api/call/text_to_image", json=joined).json()["event_id"]
    other = client.get("/gradio_api/call/text_to_image/" + "0" * len(first)).text
    assert "event: complete" not in other
    assert "event: complete" in client.get(f"/gradio_api/call/text_to_image/{first}").text


@pytest.mark.parametrize("path", ["/monitoring", "/monitoring/summary", "/gradio_api/runs", "/docs", "/redoc", "/gradio_api/vibe-code/"])
def test_what_is_for_developers_alone_is_closed(path: str, client: httpx.Client) -> None:
    assert client.get(path).status_code in (403, 404, 405)


def test_no_route_tells_of_the_machine(client: httpx.Client, served: tuple[str, Path, int]) -> None:
    for path in (
        "/config",
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/gradio_api/startup-events",
        "/nowhere",
        "/gradio_api/nowhere",
        "/",
    ):
        text = client.get(path).text.replace(str(served[1]), "")
        assert str(ROOT) not in text
        assert not [match for match in TELLTALE.findall(text) if match.startswith(("Traceback", "File", "/home/", "hf_", "site-packages"))]


def test_the_process_is_small_and_alive_after_all_of_it(client: httpx.Client, served: tuple[str, Path, int]) -> None:
    status = Path(f"/proc/{served[2]}/status")
    if not status.exists():
        pytest.skip("no /proc on this system")
    resident = int(status.read_text().partition("VmRSS:")[2].split()[0]) * 1024
    assert resident < 4 << 30 and os.getpgid(served[2]) >= 0
    assert client.get("/config").status_code == 200
