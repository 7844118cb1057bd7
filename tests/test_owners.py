"""Visitors without a login: signed names, cookies, whose a request is, and what goes when they are gone."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, cast

import gradio as gr
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from studio.settings import Settings
from studio.studio import GUEST, Studio
from studio.visitors import KEPT_SECONDS, Visitors
from tabs import _apart, _form, _owners, _web
from tabs._form import Desk
from tabs._guard import Door, Guard
from tests.samples import png

KEY = b"a secret of tests"


async def answer(request: Request) -> Response:
    if request.url.path == "/":
        return HTMLResponse("<html></html>")
    return JSONResponse([_owners.owner_of(request), _owners.visitor_of(request)])


def client_of(door: Door, base: str = "http://127.0.0.1:7860", address: str = "1.2.3.4") -> TestClient:
    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    return TestClient(Guard(app, door), base_url=base, client=(address, 1))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "web"))
    return Settings(home=tmp_path / "home", cache=tmp_path / "cache", mode="public", offline=True)


@pytest.fixture
def door(settings: Settings) -> Door:
    return _web.door_of(settings)


def whose(client: TestClient, session: str = "") -> list[str]:
    return client.post("/gradio_api/run/predict", json={"session_hash": session} if session else {}).json()


def test_a_name_is_known_again_by_its_signature_alone(tmp_path: Path) -> None:
    visitors = Visitors(tmp_path, KEY)
    name = visitors.new()
    given = visitors.signed(name)
    assert Visitors(tmp_path, KEY).known(given) == name, "after a start, too"
    assert Visitors(tmp_path, b"another").known(given) is None
    other = visitors.new()
    for forged in (
        name,
        f"{name}.",
        f"{other}.{given.partition('.')[2]}",
        given.upper(),
        f"{given}0",
        "local.x",
        "guest.",
        "",
        "\udcff.\udcff",
    ):
        assert visitors.known(forged) is None, forged
    passing = visitors.passing("1.2.3.4", "s")
    assert visitors.known(visitors.signed(passing)) is None, "a name of an address is in no cookie"
    assert len({passing, visitors.passing("1.2.3.4", "t"), visitors.passing("5.6.7.8", "s"), visitors.passing("1.2.3.4")}) == 4


def test_over_https_the_cookie_comes_back_in_a_frame_and_belongs_to_this_host(door: Door) -> None:
    client = client_of(door, "https://127.0.0.1:7860")
    (cookie,) = client.get("/").headers.get_list("set-cookie")
    name, *rules = cookie.split("; ")
    assert name.startswith("__Host-atelier=visitor-")
    assert rules == ["Path=/", "Max-Age=86400", "HttpOnly", "Secure", "SameSite=None", "Partitioned"]
    plain = client_of(door, "http://127.0.0.1:7860").get("/", headers={"x-forwarded-proto": "https"})
    assert plain.headers["set-cookie"].startswith("__Host-atelier="), "a proxy in front says that it is https"


def test_at_home_the_cookie_is_a_lax_one(door: Door) -> None:
    (cookie,) = client_of(door).get("/").headers.get_list("set-cookie")
    assert cookie.startswith("atelier=visitor-") and cookie.endswith("; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax")


def test_the_plain_cookie_is_nothing_over_https(door: Door) -> None:
    plain = client_of(door)
    plain.get("/")
    secure = client_of(door, "https://127.0.0.1:7860")
    answered = secure.post("/gradio_api/run/predict", json={}, headers={"cookie": f"atelier={plain.cookies['atelier']}"})
    assert answered.json()[0].startswith("passing-")


def test_a_browser_is_the_same_visitor_in_each_session(door: Door) -> None:
    client, other = client_of(door), client_of(door)
    client.get("/")
    other.get("/")
    first, second = whose(client, "a"), whose(client, "b")
    assert first == second and first[0] == first[1] and first[0].startswith("visitor-")
    assert whose(other, "c")[0] != first[0]
    client.get("/")
    assert whose(client, "a") == first, "opening the page again changes nothing"


def test_without_a_cookie_a_session_counts_with_its_address(door: Door) -> None:
    here, there = client_of(door), client_of(door, address="5.6.7.8")
    assert whose(here, "a") == whose(here, "a") and whose(here, "a")[0].startswith("passing-")
    assert whose(here, "a")[0] != whose(here, "b")[0]
    assert there.post("/gradio_api/run/predict", json={"session_hash": "a"}).status_code == 403


def test_calls_without_a_session_share_nothing(door: Door) -> None:
    client = client_of(door)
    assert whose(client)[0] != whose(client)[0]


def test_only_a_page_gives_a_name_and_each_run_keeps_it_a_day_longer(door: Door) -> None:
    client = client_of(door)
    asked = {"session_hash": "s", "data": []}
    assert "set-cookie" not in client.post("/gradio_api/queue/join", json=asked).headers, "its session would belong to somebody else"
    client.get("/")
    again = client.post("/gradio_api/queue/join", json={**asked, "session_hash": "t"}).headers["set-cookie"]
    assert again.startswith(f"atelier={client.cookies['atelier']};")


def test_a_forged_cookie_is_nobodys(door: Door) -> None:
    client = client_of(door)
    client.cookies.set("atelier", "visitor-" + "0" * 32 + "." + "0" * 64)
    assert whose(client, "a")[0].startswith("passing-")


def test_a_studio_of_one_person_asks_for_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "web"))
    client = client_of(_web.door_of(Settings(home=tmp_path / "home", mode="local")))
    assert "set-cookie" not in client.get("/").headers and whose(client, "a") == ["", ""]
    assert not (tmp_path / "home" / "visitors").exists()


def of(owner: str, visitor: str = "", username: str | None = None, session: str = "s") -> gr.Request:
    scope = {"type": "http", "headers": [], _owners.OWNER: owner, _owners.VISITOR: visitor or owner}
    return gr.Request(Request(scope), username=username, session_hash=session)


def test_whose_a_run_is_comes_from_the_login_then_from_the_cookie(settings: Settings) -> None:
    studio = Studio.open(settings)
    desk = Desk(studio, cast("Any", None))
    assert desk.owner(of("visitor-1")) == ("visitor-1", "s") and desk.seen(of("visitor-1")) == ("visitor-1", "")
    assert desk.owner(of("visitor-1", username="ana")) == ("ana", "s") and desk.seen(of("visitor-1", username="ana")) == ("ana", "")
    assert desk.owner(of("")) == (GUEST, "s") and desk.seen(of("")) == (GUEST, "s"), "a guest sees the session alone"
    studio.close()


def test_what_is_shown_lies_in_a_folder_of_its_visitor(uploads: Path, tmp_path: Path) -> None:
    from gradio.context import LocalContext

    file = tmp_path / "a.png"
    file.write_bytes(b"x")
    token = LocalContext.request.set(of("visitor-1"))
    try:
        shown = Path(_form.show(file))
    finally:
        LocalContext.request.reset(token)
    files = _apart.Files(uploads, _apart.Bonds())
    assert files.refusal(str(shown), "visitor-1") == "" and files.refusal(str(shown), "visitor-2") != ""
    other = Path(_form.show(file))
    assert other.parent.name.count("-") == 0, "at home nobody is named"
    assert files.refusal(str(other), "visitor-1") != "", "nor is it anybody's in a public studio"
    files.forget("visitor-1")
    assert not shown.exists() and other.exists()


def kept(studio: Studio, owner: str) -> str:
    data, record = png(owner)
    return studio.library.keep(data, ".png", record, owner=owner, session="s").id


def test_what_a_visitor_left_goes_a_day_after_the_last_visit(settings: Settings, door: Door) -> None:
    studio, visitors = Studio.open(settings), door.visitors
    assert visitors is not None
    gone, here = visitors.new(), visitors.new()
    for name in (gone, here):
        visitors.seen(name)
        kept(studio, name)
        studio.library.manuscripts.new(name, "s", text="words")
        studio.voices.save("Plain", "Short.", "", name, "")
    kept(studio, "ana")
    old = time.time() - KEPT_SECONDS - 60
    os.utime(settings.home / "visitors" / gone, (old, old))
    assert _web.sweep(studio, door) == 1 and _web.sweep(studio, door) == 0
    assert studio.library.list(owner=gone) == () and studio.voices.of(gone) == {} and studio.library.manuscripts.list(gone) == ()
    assert len(studio.library.list(owner=here)) == 1 and list(studio.voices.of(here)) == ["Plain"]
    assert len(studio.library.list(owner="ana")) == 1, "a login's library stays"
    studio.close()


def test_a_visit_is_written_down_and_only_for_visitors(tmp_path: Path) -> None:
    visitors = Visitors(tmp_path, KEY)
    for name in (visitors.new(), visitors.passing("1.2.3.4", "s")):
        visitors.seen(name)
    for name in ("local", "guest", "../../x", "visitor-", "ana"):
        visitors.seen(name)
    assert len(list((tmp_path / "visitors").iterdir())) == 2 and visitors.gone() == ()
    visitors.left("../visitors")
    for file in list((tmp_path / "visitors").iterdir()):
        visitors.left(file.name)
    assert not list((tmp_path / "visitors").iterdir())


def test_a_visitor_has_their_own_styles_and_sets_in_every_session(settings: Settings) -> None:
    studio = Studio.open(settings)
    studio.own_styles.import_styles(b"name,prompt,negative_prompt\nMine,{prompt} in ink,\n", "styles.csv", "visitor-1", "")
    assert "Mine" in str(studio.my_styles("visitor-1", "monday")) and "Mine" in str(studio.my_styles("visitor-1", "tuesday"))
    assert "Mine" not in str(studio.my_styles("visitor-2", "monday"))
    studio.close()


def test_a_page_that_closes_takes_along_only_what_no_cookie_keeps(settings: Settings) -> None:
    found: list[Any] = [_owners.passes(owner) for owner in ("passing-1", GUEST, "visitor-1", "ana", "local")]
    assert found == [True, True, False, False, False]
