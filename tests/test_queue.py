"""The queue of the built page: bounded, one limit for all events that share the device, nothing cancelled that would go on unseen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from studio.tasks import TASKS
from tabs._form import DEVICE

BUILT = """
import inspect, json, sys
from pathlib import Path
from studio.settings import Settings, prepare_environment
prepare_environment(Settings())
import gradio as gr
import app
from studio.studio import Studio
gr.Blocks.launch = lambda *_, **options: (None, "somewhere", None)
found = {}
for mode in ("local", "public"):
    place = Path(sys.argv[1]) / mode
    studio = Studio.open(Settings(home=place / "home", cache=place / "cache", offline=True, mode=mode, max_queue=7))
    demo, _ = app.serve(studio)
    events = [
        {"name": e.api_name, "queue": e.queue, "id": e.concurrency_id, "limit": e.concurrency_limit, "cancels": e.cancels,
         "generator": inspect.isgeneratorfunction(inspect.unwrap(e.fn or print))}
        for e in demo.fns.values()
    ]
    told = {}
    for event in demo.fns.values():
        name = getattr(event.fn, "__qualname__", "")
        if name == "picker.<locals>.download":
            told[name] = next(event.fn("Qwen2.5 3B Instruct", gr.Request(username="ana", session_hash="page")))[0]
        elif name == "SourcesPanel._fetch":
            told[name] = next(event.fn())[0]
        elif name == "_Keeper.bring":
            told[name] = next(event.fn(gr.EventData(None, {"name": "x", "kind": "write", "act": "fetch"})))[0]
    found[mode] = {"events": dict(zip(map(str, demo.fns), events)), "most": demo._queue.max_size, "told": told}
    studio.close()
print(json.dumps(found))
"""
"""In a process of its own: Gradio makes an event loop for each page, and leaves it to the end of the process."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("queue")
    place = {**os.environ, "GRADIO_TEMP_DIR": str(folder / "web")}
    root = Path(__file__).resolve().parents[1]
    run = subprocess.run([sys.executable, "-c", BUILT, str(folder)], check=False, cwd=root, env=place, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("mode", ["local", "public"])
def test_events_of_one_concurrency_id_have_one_limit(pages: dict[str, Any], mode: str) -> None:
    limits: dict[str, set[Any]] = defaultdict(set)
    for event in pages[mode]["events"].values():
        if event["queue"]:
            limits[event["id"]].add(event["limit"])
    assert {name: found for name, found in limits.items() if len(found) > 1} == {}
    assert limits[DEVICE] == {8}  # one more than may wait: the studio refuses in words before Gradio holds anything back


@pytest.mark.parametrize("mode", ["local", "public"])
def test_every_run_takes_its_place_at_the_device(pages: dict[str, Any], mode: str) -> None:
    runs = {event["name"]: event["id"] for event in pages[mode]["events"].values() if event["name"] in TASKS}
    assert runs == dict.fromkeys(TASKS, DEVICE)


@pytest.mark.parametrize("mode", ["local", "public"])
def test_what_gradio_cancels_is_a_generator_which_stops_its_own_run(pages: dict[str, Any], mode: str) -> None:
    events = pages[mode]["events"]
    cancelled = {str(number) for event in events.values() for number in event["cancels"]}
    assert cancelled != set()
    assert [number for number in cancelled if not events[number]["generator"]] == []


@pytest.mark.parametrize("mode", ["local", "public"])
def test_the_queue_is_bounded(pages: dict[str, Any], mode: str) -> None:
    assert pages[mode]["most"] == 4 * 7


def test_no_event_of_a_public_page_downloads_anything(pages: dict[str, Any]) -> None:
    """The buttons are not there, but whoever knows the events can ask for them."""
    told = pages["public"]["told"]
    assert len(told) == 3
    assert [name for name, words in told.items() if "chosen by its owner" not in words] == []
    assert [name for name, words in pages["local"]["told"].items() if "chosen by its owner" in words] == []
