"""Strangers in one public studio, over HTTP: every endpoint, public and private, with each other's ids, sessions and files."""

from __future__ import annotations

import io
import json
import re
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.serving import running

SECRETS = ("zebraquartz", "moonlitferry")
"""Words that ana alone has used."""
META = {"meta": {"_type": "gradio.FileData"}}
BEGIN_RUNS = {"text_to_image", "inpaint", "music", "write", "narrate", "enhance", "go", "report", "_fetch", "bring_1", "act", "unload"}
"""Events that work for long or load models; they are asked for one by one below, or in the tests of public mode."""
ASKED = (
    "open", "opened", "page", "list", "thumbs", "star", "tag", "move", "rename", "note", "trash", "restore", "purge", "files", "fields",
    "tree", "diff", "words", "remove", "undo", "redo", "go", "change",
)  # fmt: skip
"""What the library's page and the editor's ask for, by name."""


@dataclass
class Person:
    """Somebody with a browser: cookies, and a session of the page."""

    url: str
    session: str
    cookies: bool = True
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=120)
        if self.cookies:
            self.client.get("/")

    def run(self, fn: int, data: list[Any], event_data: Any = None, session: str = "") -> httpx.Response:
        """An event of the page, answered at once, or by the queue where it stands in one."""
        name = session or self.session
        body = {"fn_index": fn, "data": data, "event_data": event_data, "session_hash": name}
        answered = self.client.post("/gradio_api/run/predict", json=body)
        if answered.status_code != 404 or "join the queue" not in answered.text:
            return answered
        joined = self.client.post("/gradio_api/queue/join", json=body)
        return self.client.get("/gradio_api/queue/data", params={"session_hash": name}) if joined.status_code == 200 else joined

    def call(self, endpoint: str, **values: Any) -> tuple[str, str]:
        """An endpoint of the API: the event's id, and all that was answered."""
        joined = self.client.post(f"/gradio_api/call/v2/{endpoint}", json=values)
        if joined.status_code != 200:
            return "", joined.text
        id = joined.json()["event_id"]
        return id, self.client.get(f"/gradio_api/call/{endpoint}/{id}").text

    def upload(self, data: bytes, name: str = "p.png") -> str:
        answered = self.client.post("/gradio_api/upload", files={"files": (name, data)})
        answered.raise_for_status()
        return str(answered.json()[0])


@dataclass
class World:
    """A served studio in which ana has made a picture, a document and a voice, and uploaded a file."""

    url: str
    folder: Path
    ana: Person
    event: str
    shown: str
    uploaded: str
    ids: list[str]
    events: list[dict[str, Any]]
    types: dict[int, str]

    @property
    def asks(self) -> set[str]:
        """The events of pages that ask for many things by one: the editor's, the library's, and any further one's."""
        return {event["api_name"] for event in self.events if re.fullmatch(r"ask(_\d+)?", str(event["api_name"]))}

    def number(self, name: str) -> int:
        return next(int(event["id"]) for event in self.events if event["api_name"] == name)


def picture(colour: str = "red") -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(made, "PNG")
    return made.getvalue()


def rows(folder: Path, question: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{folder / 'home' / 'library.sqlite'}?mode=ro", uri=True) as index:
        return index.execute(question).fetchall()


@pytest.fixture(scope="module")
def world(starter_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("strangers")
    with running(starter_cache, folder, "--mode", "public") as (url, _):
        ana = Person(url, "anassession")
        config = ana.client.get("/config").json()
        types = {part["id"]: part["type"] for part in config["components"]}
        world = World(url, folder, ana, "", "", "", [], [e for e in config["dependencies"] if e["backend_fn"]], types)
        # the queue's own id of ana's session is known to the studio from here on
        world.event, answered = ana.call("text_to_image", prompt="zebraquartz", seed=1, width=64, height=64)
        world.shown = json.loads(answered.split("event: complete\ndata: ")[1].split("\n")[0])[0][0]["path"]
        world.uploaded = ana.upload(picture())
        told = ana.run(world.number("ask"), [], {"what": "new", "title": "moonlitferry", "text": "moonlitferry moonlitferry", "token": 1})
        assert "moonlitferry" in told.text
        ana.run(world.number("keep"), ["zebraquartz", "A moonlitferry voice.", ""])
        world.ids = [row[0] for table in ("creations", "jobs", "manuscripts") for row in rows(folder, f"SELECT id FROM {table}")]
        yield world
        ana.client.close()


@pytest.fixture
def people(world: World) -> Iterator[Callable[..., Person]]:
    """Makes persons with a browser of their own."""
    made: list[Person] = []

    def come(*, cookies: bool = True) -> Person:
        made.append(Person(world.url, secrets.token_hex(5), cookies))
        return made[-1]

    yield come
    for person in made:
        person.client.close()


@pytest.fixture
def bo(people: Callable[..., Person]) -> Person:
    """A stranger."""
    return people()


def test_everything_is_kept_under_a_name_of_the_visitor(world: World) -> None:
    owners = {row[0] for table in ("creations", "jobs", "manuscripts") for row in rows(world.folder, f"SELECT owner FROM {table}")}
    (owner,) = owners
    assert owner.startswith("visitor-") and len(world.ids) == 3
    assert (world.folder / "home" / "visitors" / owner).exists()


@pytest.mark.parametrize("kind", ["machine", "ana"])
def test_no_event_takes_a_file_that_is_not_the_visitors(world: World, bo: Person, kind: str) -> None:
    link = Path(world.uploaded).parent / "link.png"
    if not link.is_symlink():
        link.symlink_to("/etc/hostname")
    home = world.folder / "home" / "library.sqlite"
    machine = ["/etc/hostname", "/proc/self/environ", str(home), f"{link.parent}/../../../etc/hostname", "file:///etc/hostname"]
    bad = [*machine, "app.py", "http://127.0.0.1:1/x", str(link)] if kind == "machine" else [world.shown, world.uploaded]
    takes = {"file", "uploadbutton", "json", "api", "image", "audio", "gallery", "html"}
    tried = 0
    for event in world.events:
        if not any(world.types[part] in takes for part in event["inputs"]):
            continue
        for path in bad:
            forged = {"path": path, **META}
            data = [forged if world.types[part] in takes else None for part in event["inputs"]]
            sent = {"fn_index": event["id"], "data": data, "session_hash": bo.session}
            for address in ("run/predict", "queue/join"):
                answered = bo.client.post(f"/gradio_api/{address}", json=sent)
                assert answered.status_code == 403 and answered.text.endswith("."), (event["api_name"], path)
                tried += 1
    assert tried > 40


@pytest.mark.parametrize(("endpoint", "name"), [("inpaint", "image"), ("inpaint", "mask"), ("music", "reference")])
def test_an_address_or_a_bare_path_is_no_file_either(world: World, bo: Person, endpoint: str, name: str) -> None:
    secret, path = Path("/etc/hostname").read_text().strip(), "/etc/hostname"
    for value in (path, [path], {"url": f"file://{path}", **META}, {"path": path}):
        id, answered = bo.call(endpoint, prompt="x", **{name: value})
        assert "event: complete" not in answered and secret not in answered and '"error": null' not in answered
        assert not id or "files that were uploaded here" in answered, answered


def test_the_files_of_another_are_not_served(world: World, people: Callable[..., Person]) -> None:
    assert world.ana.client.get(f"/gradio_api/file={world.shown}").status_code == 200
    strangers = (people(), people(cookies=False))
    for path in (world.shown, world.uploaded):
        for person in strangers:
            for address in (f"/gradio_api/file={path}", f"/gradio_api/file/{path}"):
                answered = person.client.get(address)
                assert answered.status_code == 403 and "choose it again" in answered.text, address
            assert person.client.head(f"/gradio_api/file={path}").status_code == 403


def test_a_session_and_an_event_of_another_are_closed(world: World, bo: Person) -> None:
    mine, event = world.ana.session, world.event
    assert bo.client.get(f"/gradio_api/call/text_to_image/{event}").status_code == 403
    assert bo.client.get(f"/gradio_api/call/v2/text_to_image/{event}").status_code == 403
    for address in (f"queue/data?session_hash={mine}", f"heartbeat/{mine}", f"queue/data?session_hash=x&session_hash={mine}"):
        assert bo.client.get(f"/gradio_api/{address}").status_code == 403, address
    for address in ("cancel", "queue/join", "run/predict", "component_server"):
        sent = {"session_hash": mine, "event_id": event, "fn_index": 0, "data": [], "component_id": 0, "fn_name": "x"}
        assert bo.client.post(f"/gradio_api/{address}", json=sent).status_code == 403, address
    assert bo.client.post("/gradio_api/cancel", json={"session_hash": "mine", "event_id": event, "fn_index": 0}).status_code == 403


def test_no_event_tells_a_visitor_of_what_another_has_made(world: World, bo: Person) -> None:
    assert _told(world, bo, world.ids[:1]) == set()
    told = _told(world, world.ana, world.ids, {"open_", "listed_voices", *world.asks})
    assert {"open_", "listed_voices"} <= told and len(told & world.asks) >= 2, "the same questions find what is one's own"


@pytest.mark.thorough
def test_no_event_tells_a_visitor_of_what_another_has_made_by_any_of_its_numbers(world: World, people: Callable[..., Person]) -> None:
    assert set[str]().union(*(_told(world, people(), [id]) for id in world.ids)) == set()


def test_what_a_stranger_tries_changes_nothing(world: World, bo: Person) -> None:
    asked = "SELECT title, note, project, star, trashed FROM creations", "SELECT title, head, trashed FROM manuscripts"
    before = [rows(world.folder, question) for question in asked]
    for id in world.ids:
        for what in ("trash", "purge", "star", "rename", "note", "move", "remove", "change", "undo"):
            said = {"what": what, "on": True, "title": "bo", "note": "bo", "project": "bo", "splices": [], "token": 5}
            for name in world.asks:
                bo.run(world.number(name), [], {**_forged(id), **said})
    assert [rows(world.folder, question) for question in asked] == before
    ana = {"what": "note", "ids": world.ids[:1], "note": "hers", "token": 6}
    for name in world.asks:
        world.ana.run(world.number(name), [], ana)
    assert rows(world.folder, "SELECT note FROM creations") == [("hers",)]


def test_two_who_keep_no_cookie_are_told_apart_by_their_sessions(world: World, people: Callable[..., Person]) -> None:
    first, second, ask = people(cookies=False), people(cookies=False), world.number("ask")
    first.run(ask, [], {"what": "new", "title": "sesamethistle", "text": "x", "token": 1})
    found = ["sesamethistle" in person.run(ask, [], {"what": "list", "token": 2}).text for person in (first, second, world.ana)]
    assert found == [True, False, False]


def test_a_page_that_keeps_no_cookie_is_told_so_and_forgotten_when_it_closes(world: World, people: Callable[..., Person]) -> None:
    passing, ask = people(cookies=False), world.number("ask")
    passing.run(ask, [], {"what": "new", "title": "sesameclosing", "text": "x", "token": 1})
    assert ("sesameclosing",) in rows(world.folder, "SELECT title FROM manuscripts")
    told = ["keeps no cookie" in person.run(world.number("arrive"), []).text for person in (passing, world.ana)]
    assert told == [True, False]
    for person in (passing, world.ana):
        person.run(world.number("leave"), [])
    titles = {row[0] for row in rows(world.folder, "SELECT title FROM manuscripts")}
    assert "sesameclosing" not in titles and "moonlitferry" in titles


def test_a_visitor_comes_back_in_a_new_page_to_what_is_theirs(world: World, people: Callable[..., Person]) -> None:
    later = people(cookies=False)
    later.client.cookies.update(world.ana.client.cookies)
    assert "moonlitferry" in later.run(world.number("ask"), [], {"what": "list", "token": 3}).text
    assert "zebraquartz" in later.run(world.number("listed_voices"), [None]).text


def test_uploads_are_limited_for_each_visitor(people: Callable[..., Person]) -> None:
    hasty, calm = people(), people()
    answers = [hasty.client.post("/gradio_api/upload", files={"files": ("a.txt", b"x")}) for _ in range(61)]
    assert {answered.status_code for answered in answers[:60]} == {200}
    assert answers[60].status_code == 429 and int(answers[60].headers["retry-after"]) > 0
    assert calm.upload(picture("blue")), "others go on"


def test_two_visitors_at_once_hear_of_their_own_alone(world: World, bo: Person) -> None:
    told: dict[str, str] = {}

    def make(person: Person, word: str) -> None:
        told[word] = person.call("text_to_image", prompt=word, seed=2, width=64, height=64)[1]

    threads = [threading.Thread(target=make, args=(who, word)) for who, word in ((world.ana, "an owl"), (bo, "a fish"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    tags = {word: answer.split(str(world.folder / "web"))[1].split("-")[0] for word, answer in told.items()}
    assert len(set(tags.values())) == 2 and all("event: complete" in answer for answer in told.values())


def _told(world: World, person: Person, ids: list[str], only: set[str] | None = None) -> set[str]:
    """The events that told this person one of ana's words, asked with each of these ids wherever one can be named."""
    found: set[str] = set()
    for event in world.events:
        name = event["api_name"]
        if name in BEGIN_RUNS or (only is not None and name not in only):
            continue
        asks = name in world.asks
        for id in world.ids if asks else ids:
            data = [_forged(id) if world.types[part] == "json" else None if world.types[part] == "file" else id for part in event["inputs"]]
            for what in [one for one in ASKED if only is None or one in ("open", "page", "list")] if asks else ("",):
                answered = person.run(event["id"], data, {"what": what, "token": 9, **_forged(id)})
                assert answered.status_code in (200, 400, 403, 404, 422, 500), answered.text
                found |= {name} if any(word in answered.text for word in SECRETS) else set()
    return found


def _forged(id: str) -> dict[str, Any]:
    return {"id": id, "ids": [id], "document": id, "chosen": id, "creations": [id], "version": id, "base": id, "old": id, "new": id}
