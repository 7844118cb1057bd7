"""`/healthz` and `/readyz`: whether the process answers, and whether it can take more work. They tell nothing else of the studio."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from studio.errors import StudioError

DISK_LIMIT = 1_000_000_000
"""Bytes that must be free where creations are kept."""


def routes() -> list[Route]:
    """The two routes. The studio is the one of the page that is served."""
    return [Route("/healthz", healthy, methods=["GET", "HEAD"]), Route("/readyz", ready, methods=["GET", "HEAD"])]


async def healthy(_: Request) -> PlainTextResponse:
    """200 as long as the process answers."""
    return PlainTextResponse("ok", headers={"cache-control": "no-store"})


async def ready(request: Request) -> PlainTextResponse:
    """200, or 503 with the reason in a sentence."""
    words = await run_in_threadpool(why_not, request.app.get_blocks())
    return PlainTextResponse(words or "ready", 503 if words else 200, headers={"cache-control": "no-store"})


def why_not(page: Any) -> str:
    """Why no work is taken now; '' if it is. `page` is the page that is served, with its studio."""
    studio = page.studio
    if not page.is_running or studio.closing:
        return "The studio is closing."
    if studio.watchdog.hanging:
        return "A run hangs and holds the device: start the studio again."
    if studio.manager.waiting() > studio.settings.max_queue:
        return "The studio is busy: its queue is full."
    try:
        studio.library.journal.seconds_per_unit("")
        if shutil.disk_usage(_there(studio.settings.home)).free < DISK_LIMIT:
            return f"The disk is nearly full: less than {DISK_LIMIT // 10**9} GB is free."
    except (OSError, StudioError, sqlite3.Error):
        return "The library cannot be read."
    return ""


def _there(home: Path) -> Path:
    return next(folder for folder in (home, *home.parents) if folder.exists())
