"""Signing in with an account of the Hub, on an emulated Space: Gradio's own flow against a provider of this machine."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import gradio as gr
import pytest
from gradio import oauth
from gradio.routes import App
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.testclient import TestClient

from studio.settings import Settings
from studio.studio import Studio
from tabs import _foot, _owners, _web

HOST = "someone-atelier.hf.space"


class Provider(BaseHTTPRequestHandler):
    """As much of OpenID Connect as a login needs. `name` is who logs in."""

    key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig"})
    name = "ana"
    nonces: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        here = f"http://127.0.0.1:{self.server.server_port}"  # pyright: ignore[reportAttributeAccessIssue]
        if self.path.endswith("openid-configuration"):
            paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
            algorithms = {"id_token_signing_alg_values_supported": ["RS256"]}
            self._say({"issuer": here, **{name: f"{here}/{path}" for name, path in paths.items()}, **algorithms})
        else:
            self._say({"keys": [self.key.as_dict(private=False)]})

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        now, here = int(time.time()), f"http://127.0.0.1:{self.server.server_port}"  # pyright: ignore[reportAttributeAccessIssue]
        user = {"sub": "1", "name": self.name, "preferred_username": self.name, "profile": "", "picture": ""}
        claims = {"iss": here, "aud": "client", "iat": now, "exp": now + 600, "nonce": self.nonces[asked["code"][0]], **user}
        token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.key)
        self._say({"access_token": "t", "token_type": "bearer", "expires_in": 600, "id_token": token})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name)
        """Nothing."""

    def _say(self, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder, patch = tmp_path_factory.mktemp("hub"), pytest.MonkeyPatch()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    said = {"OAUTH_CLIENT_ID": "client", "OAUTH_CLIENT_SECRET": "a secret", "OAUTH_SCOPES": "openid profile"}
    said["OPENID_PROVIDER_URL"] = f"http://127.0.0.1:{server.server_port}"
    for name, value in {**said, "SYSTEM": "spaces", "SPACE_ID": "someone/atelier", "SPACE_HOST": HOST}.items():
        patch.setenv(name, value)
    for name, value in said.items():  # read when Gradio was imported
        patch.setattr(oauth, name, value)
    patch.setenv("GRADIO_TEMP_DIR", str(folder / "web"))
    studio = Studio.open(Settings(home=folder / "home", cache=folder / "cache", offline=True, device="cpu", admins="hf/ana"))
    with ThreadPoolExecutor(1) as pool:  # Gradio leaves loops of events open where there is none
        yield pool.submit(asyncio.run, served(studio)).result()
    studio.close()
    server.shutdown()
    server.server_close()
    patch.undo()


async def served(studio: Studio) -> App:
    def who(request: gr.Request) -> str:
        return _owners.owner_of(request)

    with gr.Blocks() as page:
        told = gr.Textbox()
        page.load(who, None, told, api_name="who", queue=False)
        _foot.build(page, studio)
    page.studio = studio  # pyright: ignore[reportAttributeAccessIssue] (as tabs/_page.py gives it)
    page.max_file_size = None
    options = _web.launch_options(studio.settings)
    return App.create_app(page, app_kwargs={name: options["app_kwargs"][name] for name in ("middleware", "routes")})


@pytest.fixture
def browser(app: App) -> Iterator[TestClient]:
    client = TestClient(app, base_url=f"https://{HOST}", follow_redirects=False)
    yield client
    client.close()


def whose(browser: TestClient) -> str:
    answered = browser.post("/gradio_api/run/who", json={"data": []})
    assert answered.status_code == 200, answered.text
    return str(answered.json()["data"][0])


def signed_in(browser: TestClient, name: str) -> None:
    """Go the way that the button goes, by the provider and back."""
    sent = browser.get("/login/huggingface?_target_url=/")
    asked = parse_qs(urlsplit(sent.headers["location"]).query)
    assert asked["redirect_uri"][0].startswith(f"https://{HOST}/login/callback")
    Provider.name, Provider.nonces[name] = name, asked["nonce"][0]
    back = browser.get("/login/callback", params={"code": name, "state": asked["state"][0], "_target_url": "/"})
    assert back.status_code == 307 and back.headers["location"] == "/", back.text


def test_who_signs_in_is_an_owner_by_that_name_until_they_sign_out(browser: TestClient) -> None:
    assert whose(browser).startswith("passing-")
    signed_in(browser, "bo")
    assert whose(browser) == "hf/bo"
    browser.get("/logout")
    assert whose(browser).startswith("passing-")


def test_an_account_of_the_hub_may_look_after_the_studio(browser: TestClient) -> None:
    assert browser.get("/admin").status_code == 404
    signed_in(browser, "bo")
    assert browser.get("/admin").status_code == 404
    signed_in(browser, "ana")
    assert browser.get("/admin").status_code == 200 and "You are hf/ana" in browser.get("/admin").text


def test_a_session_that_somebody_wrote_themselves_tells_nothing(browser: TestClient) -> None:
    forged = jwt.encode({"alg": "HS256"}, {"oauth_info": {"userinfo": {"preferred_username": "ana"}}}, OctKey.generate_key(256))
    for value in (forged, "x", "eyJvYXV0aF9pbmZvIjogMX0=.x.y"):
        browser.cookies.set("session", value)
        assert whose(browser).startswith("passing-") and browser.get("/admin").status_code == 404


@pytest.mark.parametrize("name", ["", "a/b", "../x", "visitor name", "a" * 97, "hf/ana", None, 5])
def test_a_name_that_is_none_is_nobody(name: object) -> None:
    info = {"userinfo": {"preferred_username": name}, "expires_at": time.time() + 60}
    assert _owners.hub_name({"session": {"oauth_info": info}}) == ""


def test_a_login_ends_with_its_time() -> None:
    info = {"userinfo": {"preferred_username": "ana"}, "expires_at": time.time() - 1}
    assert _owners.hub_name({"session": {"oauth_info": info}}) == "" == _owners.hub_name({})


def test_elsewhere_nobody_is_offered_to_sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEM", "spaces")
    monkeypatch.delenv("OAUTH_CLIENT_ID", raising=False)
    assert not Settings(home=tmp_path).hub_login, "a Space that was not set up for it"
    monkeypatch.setenv("OAUTH_CLIENT_ID", "client")
    assert Settings(home=tmp_path).hub_login
    monkeypatch.delenv("SYSTEM")
    assert not Settings(home=tmp_path).hub_login
