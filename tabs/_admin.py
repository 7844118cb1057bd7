"""`/admin`: for those whose logins the option `--admins` names; to everybody else there is no such page.

A page of its own without scripts: what it shows is made when it is asked for, what it does comes as a form with a mark that only this page
carries. Knows no single tab.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from studio import administration, audit
from studio.administration import ACTS, Owner
from studio.admission import ADDRESS_HOURS
from studio.errors import StudioError
from studio.studio import Studio
from tabs import _owners, _residents
from tabs._apart import Files

NONE = "There is no page here: go back to the studio."
LINES = 50
"""Of the audit log so many are shown, the newest first."""
BLOCKS = (
    f"What a block can do: a login stays blocked until that is taken back. A visitor without a login is known by a cookie, which they can"
    f" drop, so that a block of one holds the addresses of today's runs, too, for {ADDRESS_HOURS} hours, and with them whoever shares those"
    " addresses. What it cannot do: somebody who comes back from another address with a new cookie looks like anybody else. Where that"
    " happens, pause new runs, or let in logins alone (--auth-file)."
)
FORM_LIMIT = 4000
"""Bytes of a form of this page."""
_HEADERS = {"cache-control": "no-store"}
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8886; }
form { display: inline; } button { font: inherit; padding: .15rem .6rem; } .scroll { overflow-x: auto; } .said { font-weight: 600; }
"""


def routes(files: Files, forget: Callable[[str], None]) -> list[Route]:
    """The one route. `files` are those of Gradio's temp folder; `forget` lets go of a visitor's name."""

    async def admin(request: Request) -> Response:
        return await answer(request, files, forget)

    return [Route("/admin", admin, methods=["GET", "POST"])]


async def answer(request: Request, files: Files, forget: Callable[[str], None]) -> Response:
    """The page, or what a form of it asks for; 404 for who is no admin."""
    studio: Studio = request.app.get_blocks().studio
    name = login_of(request)
    if not name or name not in studio.settings.admin_names:
        return PlainTextResponse(NONE, 404, headers=_HEADERS)
    if request.method == "GET":
        said = ACTS.get(request.query_params.get("done", ""), "")
        return HTMLResponse(await run_in_threadpool(page, studio, name, said), headers=_HEADERS)
    return await _act(request, studio, name, files, forget)


def login_of(request: Request) -> str:
    """Who is logged in, by the login file or by the Hub; '' for a visitor."""
    app: Any = request.app
    cookies = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    token = next((request.cookies[name] for name in cookies if request.cookies.get(name)), "")
    return str((app.tokens.get(token) if token else "") or _owners.hub_name(request.scope))


def mark(studio: Studio, name: str) -> str:
    """What a form of this admin's page carries, so that no page of another site can send one."""
    return hmac.new(studio.marks.identity.secret, f"admin {name}".encode(), hashlib.sha256).hexdigest()


async def _act(request: Request, studio: Studio, name: str, files: Files, forget: Callable[[str], None]) -> Response:
    if int(request.headers.get("content-length", FORM_LIMIT + 1)) > FORM_LIMIT:
        return PlainTextResponse("This form is too long: go back and choose one of the buttons.", 413, headers=_HEADERS)
    form = await request.form(max_files=0)
    what, whose = str(form.get("act", "")), str(form.get("whose", ""))
    if not hmac.compare_digest(str(form.get("mark", "")).encode(), mark(studio, name).encode()):
        return PlainTextResponse("This form is not of this page: open /admin again.", 403, headers=_HEADERS)
    if what == "purge" and form.get("really") != "on":
        return PlainTextResponse("Nothing was removed: tick the box beside the button first.", 400, headers=_HEADERS)

    def purge(owner: str) -> None:
        _owners.forget(studio, owner)
        files.forget(owner)
        forget(owner)

    try:
        await run_in_threadpool(administration.act, studio, name, what, whose, purge)
    except StudioError as error:
        return PlainTextResponse(str(error), 404, headers=_HEADERS)
    return RedirectResponse(f"/admin?{urlencode({'done': what})}", 303, headers=_HEADERS)


def page(studio: Studio, name: str, said: str = "") -> str:
    """The page as HTML; every word that comes from elsewhere is escaped."""
    form = _Form(mark(studio, name))
    turn = form.button("resume", "Let runs begin again") if studio.admission.paused else form.button("pause", "Pause new runs")
    parts = [
        f'<p class="said" role="status">{escape(said)}</p>' if said else "",
        f'<p>You are {escape(name)}. {turn} <a href="/admin">Look again</a> · <a href="/">Back to the studio</a></p>',
        "<h2>Runs under way</h2>", _runs(studio, form),
        "<h2>Owners</h2>", _people(studio, form), f"<p>{escape(BLOCKS)}</p>",
        "<h2>In memory</h2>", _memory(studio, form), form.button("unload", "Unload all that no run uses"),
        "<h2>Audit log</h2>", _log(studio),
    ]  # fmt: skip
    head = f'<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Atelier: admin</title><style>{_STYLE}'
    body = f"<body><main><h1>Looking after Atelier</h1>{''.join(parts)}</main></body>"
    return f'<!doctype html><html lang="en">{head}</style></head>{body}</html>'


class _Form:
    """Makes the small forms that the page is operated by."""

    def __init__(self, mark: str) -> None:
        self._mark = mark

    def button(self, act: str, words: str, whose: str = "", more: str = "") -> str:
        """One button; its accessible name tells whom it is about."""
        hidden = {"mark": self._mark, "act": act, "whose": whose}
        fields = "".join(f'<input type="hidden" name="{key}" value="{escape(value)}">' for key, value in hidden.items())
        named = f' aria-label="{escape(f"{words} {whose}")}"' if whose else ""
        return f'<form method="post" action="/admin">{fields}{more}<button{named}>{escape(words)}</button></form> '


def _runs(studio: Studio, form: _Form) -> str:
    rows = [
        (run.short, run.kind.replace("_", " "), run.model, run.state, run.created[:19], form.button("stop", "Stop", run.short))
        for run in administration.under_way(studio)
    ]
    return _table(("Owner", "Task", "Model", "State", "Asked for (UTC)", "Acts"), rows) or "<p>None.</p>"


def _people(studio: Studio, form: _Form) -> str:
    rows = [
        (one.short, one.title, f"{one.creations:,} · {one.bytes / 1e6:,.1f} MB", f"{one.runs:,} · {one.seconds:,.0f} s", one.last[:19],
         _deeds(one, form))
        for one in administration.owners(studio)
    ]  # fmt: skip
    return _table(("Owner", "Who", "Creations", "Today", "Last run (UTC)", "Acts"), rows) or "<p>Nobody yet.</p>"


def _deeds(one: Owner, form: _Form) -> str:
    really = f'<label><input type="checkbox" name="really" aria-label="Really remove all of {one.short}"> really</label> '
    address = form.button("block_address", "Block with address", one.short)
    if one.blocked:
        with_it = f"{one.addresses:,} address{'' if one.addresses == 1 else 'es'}" if one.addresses else "no address"
        block = [f"blocked, with {with_it} {form.button('unblock', 'Unblock', one.short)}"]
    else:
        block = [address] if one.passing else [form.button("block", "Block", one.short), address]
    return "".join([*block, form.button("purge", "Remove all", one.short, really)])


def _memory(studio: Studio, form: _Form) -> str:
    status = studio.manager.status()
    rows = [
        (" of ".join(filter(None, _residents.named(part.key))), f"{part.bytes / 1e9:.2f} GB",
         "in use" if part.in_use else f"idle for {part.idle:,.0f} s",
         "" if part.in_use else form.button("unload", "Unload", audit.short(part.key)))
        for part in status.residents
    ]  # fmt: skip
    whole = f"<p>{escape(status.device)}: {sum(part.bytes for part in status.residents) / 1e9:.2f} of {status.budget / 1e9:.2f} GB.</p>"
    return whole + _table(("Part", "Memory", "Use", "Acts"), rows)


def _log(studio: Studio) -> str:
    found = audit.verified(studio.settings.home)
    told = f"Not whole: {found.wrong}." if found.wrong else f"Whole, to line {found.last:,}." if found.last else "No line yet."
    rows = [
        (
            f"{one.number:,}",
            one.at[:19],
            one.what,
            one.who,
            one.by,
            ", ".join(f"{key} {value}" for key, value in one.facts.items() if value),
        )
        for one in studio.audit.newest(LINES)
    ]
    return f"<p>{escape(told)}</p>" + _table(("Line", "When (UTC)", "What", "Owner", "By", "More"), rows, plain=True)


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]], *, plain: bool = False) -> str:
    """Rows of words; the last cell of each is HTML of this module, unless all are `plain`."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{escape(word)}</th>' for word in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell if last and not plain else escape(cell)}</td>" for cell, last in _cells(row)) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cells(row: tuple[str, ...]) -> list[tuple[str, bool]]:
    return [(cell, place == len(row) - 1) for place, cell in enumerate(row)]
