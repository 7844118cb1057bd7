"""`/admin`, at Gradio's own app with its login: who gets in, what is seen, what each act does, and that it is written down."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.routes import App
from starlette.testclient import TestClient

from studio import audit, passwords
from studio.administration import ACTS, owners
from studio.audit import short, verified
from studio.creations import Creation
from studio.errors import Busy, Refused
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import TextToImage
from tabs import _admin, _web
from tests.attacks.promise import TELLTALE

ROOT = Path(__file__).parent.parent
WORD = "correct horse"
ASKED = TextToImage(prompt="zebraquartz cat", width=64, height=64, seed=1)


@dataclass
class House:
    """A public studio with the logins ana, an admin, and bo; `clients` are browsers that are logged in, and one that is not."""

    studio: Studio
    clients: dict[str, TestClient]

    def deed(self, act: str, whose: str = "", who: str = "ana", **more: str) -> Any:
        """Press a button of the admin's page."""
        found = re.search(r'name="mark" value="(\w+)"', self.clients["ana"].get("/admin").text)
        assert found is not None
        form = {"mark": found[1], "act": act, "whose": whose, **more}
        return self.clients[who].post("/admin", data=form, follow_redirects=False)


async def served(studio: Studio) -> App:
    """Gradio's app of a bare page, with the door and the routes of the studio's own."""
    with gr.Blocks() as page:
        gr.HTML("")
    page.studio = studio  # pyright: ignore[reportAttributeAccessIssue] (as tabs/_page.py gives it)
    options = _web.launch_options(studio.settings)
    page.auth, page.max_file_size = options["auth"], None
    return App.create_app(page, app_kwargs={name: options["app_kwargs"][name] for name in ("middleware", "routes")})


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder, patch = tmp_path_factory.mktemp("admin"), pytest.MonkeyPatch()
    patch.setattr(passwords, "N", 16)
    patch.setenv("GRADIO_TEMP_DIR", str(folder / "web"))
    (folder / "logins").write_text("\n".join(passwords.line(name, WORD) for name in ("ana", "bo")))
    settings = Settings(
        home=folder / "home", cache=folder / "cache", mode="public", offline=True, device="cpu", auth_file=folder / "logins", admins="ana"
    )
    studio = Studio.open(settings)
    with ThreadPoolExecutor(1) as pool:  # Gradio leaves loops of events open where there is none
        app = pool.submit(asyncio.run, served(studio)).result()
    clients = {name: TestClient(app, base_url="http://127.0.0.1") for name in ("ana", "bo", "nobody")}
    for name in ("ana", "bo"):
        assert clients[name].post("/login", data={"username": name, "password": WORD}).status_code == 200
    yield House(studio, clients)
    for client in clients.values():
        client.close()
    studio.close()
    patch.undo()


@pytest.fixture
def made(house: House) -> Iterator[str]:
    """The short id of bo, who has made a picture."""
    if not house.studio.library.list(owner="bo"):
        assert [event for event in house.studio.run(ASKED, "bo", address="1.2.3.4") if isinstance(event, Creation)]
    yield short("bo")
    house.studio.admission.unblock("bo")
    house.studio.admission.pause(False)


@pytest.mark.parametrize("who", ["bo", "nobody"])
def test_to_everybody_else_there_is_no_such_page(house: House, made: str, who: str) -> None:
    before = len(house.studio.audit.newest(99))
    answers = [house.clients[who].get("/admin")]
    answers += [house.deed(act, made, who, really="on") for act in (*ACTS, "", "nothing")]
    assert {(answered.status_code, answered.text) for answered in answers} == {(404, _admin.NONE)}
    assert house.clients[who].request("PUT", "/admin").status_code in (404, 405)
    assert len(house.studio.audit.newest(99)) == before and house.studio.library.list(owner="bo")


def test_a_mark_of_another_page_or_none_is_refused(house: House, made: str) -> None:
    for mark in ("", "0" * 64, _admin.mark(house.studio, "bo")):
        assert house.deed("pause", mark=mark).status_code == 403
    foreign = house.clients["ana"].post("/admin", data={"act": "pause"}, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403 and not house.studio.admission.paused
    assert house.deed("nothing").status_code == 404 and house.deed("block", "0000000000").status_code == 404
    assert house.clients["ana"].post("/admin", data={"act": "x" * 9000}).status_code == 413


def test_the_page_tells_of_owners_and_memory_and_of_nothing_that_they_typed(house: House, made: str) -> None:
    text = house.clients["ana"].get("/admin").text
    parts = (
        made,
        "<td>bo</td>",
        "1 · 0.",
        *(audit.short(part.key) for part in house.studio.manager.status().residents),
        "Pause new runs",
        "Audit log",
    )
    assert [part for part in parts if part not in text] == []
    assert "zebraquartz" not in text and str(ROOT) not in text and not TELLTALE.search(text)
    assert house.clients["ana"].get("/admin").headers["cache-control"] == "no-store"
    assert "bo" in {one.name for one in owners(house.studio)}


def test_a_pause_lets_no_run_begin_until_it_ends(house: House, made: str) -> None:
    assert house.deed("pause").headers["location"] == "/admin?done=pause"
    assert "Let runs begin again" in house.clients["ana"].get("/admin?done=pause").text
    with pytest.raises(Busy, match="no new runs"):
        next(iter(house.studio.run(ASKED, "bo")))
    house.deed("resume")
    assert list(house.studio.run(ASKED, "bo"))


def test_who_is_blocked_runs_nothing_until_that_is_taken_back(house: House, made: str) -> None:
    house.deed("block_address", made)
    for owner, address in (("bo", ""), ("visitor-x", "1.2.3.4")):
        with pytest.raises(Refused, match="from you"):
            next(iter(house.studio.run(ASKED, owner, address=address)))
        with pytest.raises(Refused, match="from you"):
            next(iter(house.studio.enhance(ASKED, owner, address=address)))
    house.deed("unblock", made)
    assert list(house.studio.run(ASKED, "bo", address="1.2.3.4"))


def test_a_block_of_a_visitor_without_a_login_holds_the_address_and_the_page_says_what_it_cannot_do(house: House, made: str) -> None:
    visitor = "visitor-" + "1" * 32
    list(house.studio.run(ASKED, visitor, address="5.6.7.8"))
    house.deed("block", short(visitor))
    with pytest.raises(Refused, match="from you"):
        next(iter(house.studio.run(ASKED, "visitor-" + "2" * 32, address="5.6.7.8")))
    list(house.studio.run(ASKED, "visitor-" + "2" * 32, address="5.6.7.9"))
    text = house.clients["ana"].get("/admin").text
    assert "blocked, with 1 address <form" in text and "for 24 hours" in text and "cannot do" in text
    assert f"Block {made}" in text and f"Block {short('visitor-' + '2' * 32)}" not in text, "a name alone would hold nobody"
    house.deed("unblock", short(visitor))
    list(house.studio.run(ASKED, visitor, address="5.6.7.8"))
    for name in (visitor, "visitor-" + "2" * 32):
        house.studio.library.forget_owner(name)


def test_all_of_an_owner_goes_once_it_is_really_meant(house: House, made: str) -> None:
    assert house.deed("purge", made).status_code == 400 and house.studio.library.list(owner="bo")
    assert house.deed("purge", made, really="on").status_code == 303
    assert house.studio.library.list(owner="bo") == () and not list((house.studio.settings.home / "objects").glob("*/*.png"))


def test_models_are_unloaded(house: House, made: str) -> None:
    list(house.studio.run(ASKED, "ana"))
    assert house.studio.manager.status().residents
    assert house.deed("unload", "0" * 10).status_code == 303 and house.studio.manager.status().residents
    house.deed("unload", audit.short(house.studio.manager.status().residents[0].key))
    assert house.studio.manager.status().residents == ()


def test_each_act_is_written_down_with_who_did_it(house: House, made: str) -> None:
    before = house.studio.audit.newest(1)
    for act in ACTS:
        assert house.deed(act, "" if act == "unload" else made, really="on").status_code == 303, act
    done = house.studio.audit.newest(len(ACTS))
    assert [(entry.what, entry.by) for entry in reversed(done)] == [(act, "ana") for act in ACTS]
    assert {entry.who for entry in done if entry.what in ("stop", "block", "unblock", "purge")} == {made}
    assert done[-1].number == (before[0].number + 1 if before else 1) and not verified(house.studio.settings.home).wrong
    text = house.clients["ana"].get("/admin").text
    assert "block_address" in text and "Whole, to line" in text


def test_names_of_the_studio_s_own_cannot_be_logins(tmp_path: Path) -> None:
    for name in ("guest", "local", "hf/ana", "visitor-" + "0" * 32):
        with pytest.raises(passwords.InvalidInput, match="uses itself"):
            passwords.line(name, WORD)
        (tmp_path / "logins").write_text(f"{name}:scrypt$16$8$2$aaaa$aaaa\n")
        with pytest.raises(passwords.InvalidInput, match="Line 1"):
            passwords.read(tmp_path / "logins")
