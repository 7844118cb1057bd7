"""/healthz and /readyz: in sentences, without a word about the studio."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from studio.settings import Settings
from studio.studio import Studio
from tabs import _health


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    studio = Studio.open(Settings(home=tmp_path / "home", cache=tmp_path / "cache", offline=True))
    yield SimpleNamespace(studio=studio, is_running=True)
    studio.close()


@pytest.fixture
def client(page: Any) -> TestClient:
    app: Any = Starlette(routes=_health.routes())
    app.get_blocks = lambda: page
    return TestClient(app)


def test_a_studio_that_takes_work_says_so(client: TestClient) -> None:
    assert (client.get("/healthz").status_code, client.get("/healthz").text) == (200, "ok")
    assert (client.get("/readyz").status_code, client.get("/readyz").text) == (200, "ready")
    assert client.get("/readyz").headers["cache-control"] == "no-store"


def test_a_full_queue_is_not_ready_but_alive(client: TestClient, page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page.studio.manager, "waiting", lambda: page.studio.settings.max_queue + 1)
    assert client.get("/readyz").status_code == 503 and "queue is full" in client.get("/readyz").text
    assert client.get("/healthz").status_code == 200


def test_a_full_disk_is_not_ready(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    free = _health.DISK_LIMIT - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert client.get("/readyz").status_code == 503 and "disk" in client.get("/readyz").text


@pytest.mark.parametrize("what", ["page", "studio"])
def test_a_studio_that_closes_is_not_ready(client: TestClient, page: Any, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if what == "page":
        page.is_running = False
    else:
        monkeypatch.setattr(Studio, "closing", True)
    assert (client.get("/readyz").status_code, client.get("/readyz").text) == (503, "The studio is closing.")


def test_a_library_that_cannot_be_read_is_not_ready(client: TestClient, page: Any) -> None:
    with sqlite3.connect(page.studio.settings.home / "library.sqlite") as index:
        index.execute("ALTER TABLE jobs RENAME TO gone")
    index.close()
    assert (client.get("/readyz").status_code, client.get("/readyz").text) == (503, "The library cannot be read.")
