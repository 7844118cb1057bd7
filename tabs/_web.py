"""How the page is served: launch options, and the guard in front of every request. Knows no single tab."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware

from studio import passwords
from studio.audit import Audit
from studio.errors import StudioError
from studio.provenance.identity import Identity
from studio.settings import Settings, on_spaces
from studio.turned import Turned
from studio.visitors import Visitors
from tabs import _admin, _answers, _health, _look, _metrics, _owners, _sessions, _uploads
from tabs._apart import Bonds, Files
from tabs._calls import Calls
from tabs._guard import Door, Guard
from tabs._limits import Limits
from tabs._streams import Streams

log = logging.getLogger("atelier.page")

SWEEP_SECONDS = 600
"""How often what visitors left behind is looked for."""


def launch_options(settings: Settings) -> dict[str, Any]:
    """What Gradio's launch is given: nothing shared or recorded, no path allowed, the guard in front.

    Raises InvalidInput for a login file that cannot be used and for numbers that need a package, StudioError for a damaged identity.
    """
    door = door_of(settings)
    login = passwords.reader(settings.auth_file) if settings.auth_file else None
    return {
        "server_name": settings.host,
        "server_port": settings.port,
        "auth": login,
        "theme": _look.theme(),
        "css": _look.style_sheet(settings.assets),
        "head": _look.script(settings.assets),
        "favicon_path": settings.assets / "logo.svg",
        "footer_links": ["api"],
        "app_kwargs": {
            "middleware": [Middleware(Guard, door=door), Middleware(Streams), Middleware(_sessions.Answered), Middleware(_answers.Answers)],
            "routes": [
                *_health.routes(),
                *_admin.routes(door.calls.files, _forgotten(door)),
                *(_metrics.routes(door.limits, login) if settings.metrics else ()),
            ],
            "lifespan": _Life(door),
        },
        "allowed_paths": [],
        "blocked_paths": [str(settings.home), str(settings.presets), str(settings.cache)],
        "max_file_size": "20mb",
        "max_threads": settings.max_queue + 24,
        "state_session_capacity": 500,
        "show_error": False,
        "enable_monitoring": False,
        "run_history": False,
        "strict_cors": True,
        "ssr_mode": False,
        "pwa": False,
        "share": False,
        "quiet": True,
        "prevent_thread_lock": True,
    }


def door_of(settings: Settings) -> Door:
    """Who may come in under these settings. People are told apart in a public studio, and where there are logins."""
    bonds = Bonds()
    apart = settings.public or settings.auth_file is not None
    visitors = Visitors(settings.home, Identity.open(settings).secret) if apart else None
    named = frozenset(name for name in settings.hosts if name not in ("localhost", "127.0.0.1", "::1"))
    calls = Calls(Files(settings.web_temp, bonds), bonds)
    return Door(settings.hosts, named, Limits(settings.public), visitors, calls, on_spaces(), Turned(Audit(settings.home)))


def _forgotten(door: Door) -> Callable[[str], None]:
    """What lets go of a visitor's name."""
    return door.visitors.left if door.visitors is not None else lambda _: None


@dataclass(frozen=True)
class _Life:
    """What happens while the page is served: the guard stands before Gradio's own middleware, and what visitors left is swept."""

    door: Door

    def __call__(self, app: Any) -> AbstractAsyncContextManager[None]:
        return self._served(app)

    @asynccontextmanager
    async def _served(self, app: Any) -> AsyncGenerator[None]:
        # Gradio puts its own CORS answers before ours, which would let pages of other sites read this studio.
        app.middleware_stack = Guard(app.middleware_stack, self.door)
        _uploads.install()
        _sessions.install(app)
        sweeping = asyncio.create_task(self._sweep(app.get_blocks())) if self.door.visitors is not None else None
        try:
            yield
        finally:
            if self.door.turned is not None:
                await run_in_threadpool(self.door.turned.tell)
            if sweeping is not None:
                sweeping.cancel()
                with suppress(asyncio.CancelledError):
                    await sweeping

    async def _sweep(self, page: Any) -> None:
        while True:
            try:
                await run_in_threadpool(sweep, page.studio, self.door)
            except (OSError, StudioError) as error:
                log.warning("what visitors left behind could not be swept: %s", error)
            await asyncio.sleep(SWEEP_SECONDS)


def sweep(studio: Any, door: Door) -> int:
    """Forget every visitor whose last visit is a day ago; returns how many there were."""
    if door.visitors is None:
        return 0
    gone = door.visitors.gone()
    for name in gone:
        _owners.forget(studio, name)
        door.calls.files.forget(name)
        door.visitors.left(name)
    return len(gone)


__all__ = ["Door", "Guard", "door_of", "launch_options", "sweep"]
