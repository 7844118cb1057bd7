"""`/metrics` for Prometheus and `/status.json`: numbers of the queue, the memory and the runs, for whoever runs the studio.

Off unless asked for. They answer this machine alone, or a login of `--auth-file` by HTTP's Basic authentication, and tell no prompt, no
model, no path and no person.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import ipaddress
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from studio.errors import InvalidInput
from studio.tally import BOUNDS
from tabs import _health
from tabs._limits import Limits, address_of

PACKAGE = "prometheus-client"
"""Writes the text that Prometheus reads, in either of its forms."""
May = Callable[[str, str], bool]
"""(name, password) -> may come in."""
HEADERS = {"cache-control": "no-store"}


def routes(limits: Limits, may_come_in: May | None) -> list[Route]:
    """The two routes; `limits` counts tries at the login. Raises InvalidInput without the package."""
    if find_spec("prometheus_client") is None:
        raise InvalidInput(f"--metrics needs a package that is not installed: run `pip install {PACKAGE}`.", "metrics")
    door = _Door(limits, may_come_in)
    return [
        Route("/metrics", door.guarded(_prometheus), methods=["GET", "HEAD"]),
        Route("/status.json", door.guarded(_status), methods=["GET", "HEAD"]),
    ]


def status(page: Any) -> dict[str, Any]:
    """The numbers as plain data. `page` is the page that is served, with its studio."""
    studio = page.studio
    memory = studio.manager.status()
    runs: dict[str, dict[str, Any]] = {}
    for (kind, outcome), count in sorted(studio.tally.counts().items()):
        runs.setdefault(kind, {})[outcome] = {"runs": count.runs, "seconds": round(count.seconds, 3)}
    reason = _health.why_not(page)
    return {
        "ready": not reason,
        "reason": reason,
        "queue": {"runs": studio.manager.waiting(), "limit": studio.settings.max_queue},
        "memory": {
            "budget_bytes": memory.budget,
            "resident_bytes": sum(resident.bytes for resident in memory.residents),
            "working_bytes": memory.working,
            "parts": len(memory.residents),
            "in_use": sum(resident.in_use for resident in memory.residents),
            "pinned": sum(resident.pinned for resident in memory.residents),
        },
        "traffic": {_TRAFFIC[what]: {"times": times, "bytes": moved} for what, (times, moved) in memory.traffic.items()},
        "hanging": studio.watchdog.hanging,
        "runs": runs,
    }


class _Door:
    """Who may read them."""

    def __init__(self, limits: Limits, may_come_in: May | None) -> None:
        self._limits, self._may_come_in = limits, may_come_in

    def guarded(self, answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
        """An endpoint that answers, or refuses in words."""

        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(lambda: self._refusal(request) or answer(request))

        return endpoint

    def _refusal(self, request: Request) -> Response | None:
        if _here(request):
            return None
        if self._may_come_in is None:
            return PlainTextResponse("These numbers are told on the studio's own machine alone.", 403, HEADERS)
        login = _login(request.headers.get("authorization", ""))
        if login is not None:
            often = self._limits.refusal("POST", "/login", "", address_of(request.scope))
            if often is not None:
                return PlainTextResponse(often.words, 429, HEADERS | {"retry-after": str(often.seconds)})
            if self._may_come_in(*login):
                return None
        return PlainTextResponse("Log in to read these numbers.", 401, HEADERS | {"www-authenticate": 'Basic realm="Atelier"'})


def _here(request: Request) -> bool:
    """Whether a program of this machine asks by itself: what a proxy passes on may come from anywhere."""
    passed_on = any(name in request.headers for name in ("x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip", "via"))
    try:
        return not passed_on and request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _login(header: str) -> tuple[str, str] | None:
    """Name and password of a Basic header."""
    kind, _, rest = header.partition(" ")
    try:
        name, colon, password = base64.b64decode(rest.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if kind.casefold() == "basic" and colon else None


def _status(request: Request) -> Response:
    return JSONResponse(status(_page(request)), headers=HEADERS)


def _prometheus(request: Request) -> Response:
    """The same in the form that the scraper asks for."""
    client: Any = importlib.import_module("prometheus_client")
    exposition: Any = importlib.import_module("prometheus_client.exposition")
    registry = client.CollectorRegistry(auto_describe=False)
    registry.register(_Collector(_page(request)))
    write, content_type = exposition.choose_encoder(request.headers.get("accept", ""))
    return Response(write(registry), headers=HEADERS | {"content-type": content_type})


class _Collector:
    """What prometheus-client asks at each scrape."""

    def __init__(self, page: Any) -> None:
        self._page = page

    def collect(self) -> Iterator[Any]:
        core: Any = importlib.import_module("prometheus_client.core")
        told, tally = status(self._page), self._page.studio.tally.counts()
        gauge = core.GaugeMetricFamily
        yield gauge("atelier_ready", "1 if runs are taken now.", value=told["ready"])
        yield gauge("atelier_queue_runs", "Runs that have the device or wait for it.", value=told["queue"]["runs"])
        yield gauge("atelier_queue_limit", "Runs that may wait.", value=told["queue"]["limit"])
        yield gauge("atelier_hanging_runs", "Runs that were given up and have not ended.", value=told["hanging"])
        for name, words in _MEMORY.items():
            yield gauge(f"atelier_memory_{name}", words, value=told["memory"][name])
        times = core.CounterMetricFamily("atelier_parts", "Parts of models that came or went, since the start.", labels=["event"])
        moved = core.CounterMetricFamily("atelier_parts_bytes", "Their bytes.", labels=["event"])
        for event in _TRAFFIC.values():
            found = told["traffic"].get(event, {"times": 0, "bytes": 0})
            times.add_metric([event], found["times"])
            moved.add_metric([event], found["bytes"])
        yield times
        yield moved
        runs = core.CounterMetricFamily("atelier_runs", "Runs that ended, since the start.", labels=["kind", "outcome"])
        seconds = core.HistogramMetricFamily("atelier_run_seconds", "Seconds that runs had the device.", labels=["kind", "outcome"])
        for (kind, outcome), count in sorted(tally.items()):
            runs.add_metric([kind, outcome], count.runs)
            sums = [sum(count.classes[: number + 1]) for number in range(len(count.classes))]
            buckets = [(str(bound), total) for bound, total in zip((*BOUNDS, "+Inf"), sums, strict=True)]
            seconds.add_metric([kind, outcome], buckets, count.seconds)
        yield runs
        yield seconds


_MEMORY = {
    "budget_bytes": "Bytes that models may take.",
    "resident_bytes": "Bytes of the models in memory.",
    "working_bytes": "Bytes reserved for the work of runs under way.",
    "parts": "Parts of models in memory.",
    "in_use": "Parts that a run uses now.",
    "pinned": "Parts that were asked to stay.",
}


_TRAFFIC = {"loaded": "loaded", "failed": "failed", "made room": "evicted", "unloaded": "unloaded"}
"""What is told, by the manager's own words for it."""


def _page(request: Request) -> Any:
    return request.app.get_blocks()
