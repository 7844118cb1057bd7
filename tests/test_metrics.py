"""/metrics and /status.json: numbers that Prometheus reads, for this machine and for logins, without a word of anybody's."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.testclient import TestClient

from studio.errors import InvalidInput
from studio.settings import Settings
from studio.studio import Studio
from studio.tally import BOUNDS, Tally
from studio.tasks import TextToImage
from tabs import _metrics, _web
from tabs._limits import Limits

PAGES = ("/metrics", "/status.json")


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    studio = Studio.open(Settings(home=tmp_path / "home", cache=tmp_path / "cache", offline=True))
    yield SimpleNamespace(studio=studio, is_running=True)
    studio.close()


def client(page: Any, address: str = "127.0.0.1", may_come_in: _metrics.May | None = None) -> TestClient:
    app: Any = Starlette(routes=_metrics.routes(Limits(public=False, logins=3), may_come_in))
    app.get_blocks = lambda: page
    return TestClient(app, client=(address, 50000))


def basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def read(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(value for _, value in sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_prometheus_reads_the_queue_the_memory_and_the_runs_and_no_word_of_them(page: Any, tmp_path: Path) -> None:
    for _ in page.studio.run(TextToImage.checked({"prompt": "a red apple named Rosalind", "seed": 1})):
        pass
    page.studio.tally.ended("write", "failed", 3.0)
    answer = client(page).get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain") and answer.headers["cache-control"] == "no-store"
    found = read(answer.text)
    assert found["atelier_ready", ()] == 1
    assert (found["atelier_queue_runs", ()], found["atelier_queue_limit", ()]) == (0, 32)
    assert 0 < found["atelier_memory_resident_bytes", ()] <= found["atelier_memory_budget_bytes", ()]
    assert found["atelier_parts_total", ("loaded",)] >= 1
    assert found["atelier_parts_bytes_total", ("loaded",)] == found["atelier_memory_resident_bytes", ()]
    assert found["atelier_parts_total", ("unloaded",)] == found["atelier_parts_total", ("evicted",)] == 0
    freed = page.studio.manager.unload()
    again = read(client(page).get("/metrics").text)
    assert again["atelier_parts_total", ("unloaded",)] == found["atelier_parts_total", ("loaded",)]
    assert again["atelier_parts_bytes_total", ("unloaded",)] == freed > 0
    assert found["atelier_runs_total", ("text_to_image", "done")] == 1
    assert found["atelier_run_seconds_count", ("text_to_image", "done")] == 1
    assert found["atelier_run_seconds_bucket", ("write", "2.0", "failed")] == 0
    assert found["atelier_run_seconds_bucket", ("write", "5.0", "failed")] == 1
    assert found["atelier_run_seconds_sum", ("write", "failed")] == 3.0
    secrets = ("Rosalind", "apple", str(tmp_path), "local", *(card.name for card in page.studio.cards))
    assert not any(secret in answer.text + client(page).get("/status.json").text for secret in secrets)


def test_the_same_numbers_come_as_json(page: Any) -> None:
    page.studio.tally.ended("music", "cancelled", 1.25)
    told = client(page).get("/status.json").json()
    assert told["ready"] is True and told["queue"] == {"runs": 0, "limit": 32}
    assert told["runs"] == {"music": {"cancelled": {"runs": 1, "seconds": 1.25}}}
    assert told["memory"]["parts"] == 0 and told["traffic"] == {}


def test_a_scraper_that_asks_for_openmetrics_gets_it(page: Any) -> None:
    answer = client(page).get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text") and answer.text.endswith("# EOF\n")


@pytest.mark.parametrize("place", PAGES)
@pytest.mark.parametrize("header", [{}, {"x-forwarded-for": "127.0.0.1"}, {"forwarded": "for=127.0.0.1"}])
def test_nobody_from_elsewhere_reads_them(page: Any, place: str, header: dict[str, str]) -> None:
    address = "127.0.0.1" if header else "203.0.113.9"
    answer = client(page, address).get(place, headers=header)
    assert answer.status_code == 403 and "atelier_" not in answer.text


@pytest.mark.parametrize("place", PAGES)
def test_from_elsewhere_a_login_opens_them(page: Any, place: str) -> None:
    door = client(page, "203.0.113.9", lambda name, password: (name, password) == ("ada", "sésame:1815"))
    assert door.get(place).headers["www-authenticate"].startswith("Basic")
    assert door.get(place, headers=basic("ada", "sésame:1815")).status_code == 200
    for wrong in (basic("ada", "sesame"), {"authorization": "Basic !!!"}, {"authorization": "Bearer " + "x" * 40}):
        assert door.get(place, headers=wrong).status_code == 401


def test_who_guesses_passwords_has_to_wait(page: Any) -> None:
    door = client(page, "203.0.113.9", lambda name, password: False)
    codes = [door.get("/metrics", headers=basic("ada", str(number))).status_code for number in range(4)]
    assert codes == [401, 401, 401, 429]


def test_they_are_off_unless_asked_for(tmp_path: Path) -> None:
    def places(**options: Any) -> set[str]:
        options = {"home": tmp_path / "home", "cache": tmp_path / "cache"} | options
        return {route.path for route in _web.launch_options(Settings(**options))["app_kwargs"]["routes"]}

    assert not set(PAGES) & places()
    assert set(PAGES) <= places(metrics=True)


def test_without_the_package_the_start_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_metrics, "find_spec", lambda _: None)
    with pytest.raises(InvalidInput, match="pip install prometheus-client"):
        _metrics.routes(Limits(public=False), None)


def test_runs_are_counted_by_how_long_they_took() -> None:
    tally = Tally()
    for seconds in (0.05, 0.1, 599.0, 10_000.0):
        tally.ended("write", "done", seconds)
    count = tally.counts()["write", "done"]
    assert (count.runs, count.classes[0], count.classes[len(BOUNDS) - 1], count.classes[-1]) == (4, 2, 1, 1)
    assert json.dumps(count.seconds) == "10599.15"
