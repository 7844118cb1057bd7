"""A model that runs elsewhere, behind a real HTTP service on this machine that speaks the protocol, well or badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from studio import models, sources
from studio.creations import Passage, Preview, Progress
from studio.device import Device
from studio.engines import endpoint
from studio.errors import Cancelled, InvalidInput, ModelUnavailable
from studio.models import ModelCard
from studio.provenance import record
from studio.tasks import Write

WORDS = ["The ", "sea ", "is ", "wide", "."]
Answer = Callable[[BaseHTTPRequestHandler], None]


class Service:
    """What came in, and what is answered."""

    def __init__(self, answer: Answer) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                service.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                service.keys.append(self.headers.get("authorization", ""))
                try:
                    answer(self)
                except BrokenPipeError:
                    pass

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def stream(handler: BaseHTTPRequestHandler, words: list[str], end: str | None = "stop", after: Callable[[], object] | None = None) -> None:
    handler.send_response(200)
    handler.send_header("content-type", "text/event-stream")
    handler.end_headers()
    for word in words:
        handler.wfile.write(f"data: {json.dumps({'choices': [{'delta': {'content': word}, 'finish_reason': None}]})}\n\n".encode())
        handler.wfile.flush()
    if after:
        after()
    if end:
        handler.wfile.write(f"data: {json.dumps({'choices': [{'delta': {}, 'finish_reason': end}]})}\n\ndata: [DONE]\n\n".encode())


def status(code: int, body: str, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(body.encode())))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return answer


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], Service]]:
    services: list[Service] = []

    def start(answer: Answer) -> Service:
        services.append(Service(answer))
        return services[-1]

    yield start
    for service in services:
        service.close()


def card_of(url: str, secret: str = "") -> ModelCard:
    [card] = endpoint.cards(url, "big-writer", SecretStr(secret) if secret else None)
    return card


def run(card: ModelCard, task: Write, report: Callable[[Any], None] = lambda _: None) -> list[Passage]:
    pipeline = endpoint.recipe(card, task, Device("cpu")).build({})
    passages = [media for media in pipeline(task, report) if isinstance(media, Passage)]
    assert passages
    return passages


def test_the_words_come_as_they_are_written_and_only_what_was_asked_is_sent(serve: Callable[[Answer], Service]) -> None:
    service = serve(lambda handler: stream(handler, WORDS))
    events: list[Any] = []
    task = Write(
        prompt="Write of the sea.", system="Be brief.", notes="It is night.", document="Once", temperature=0.5, stop=("END",), seed=7
    )
    [passage] = run(card_of(service.url, "s3cret"), task, events.append)
    assert (passage.text, passage.finish, passage.seed, passage.tokens) == ("The sea is wide.", "end", 7, 5)
    assert any(isinstance(event, Preview) and event.text for event in events) and any(isinstance(event, Progress) for event in events)
    [body], [key] = service.bodies, service.keys
    assert key == "Bearer s3cret"
    assert set(body) == {"model", "messages", "stream", "max_tokens", "seed", "temperature", "stop"}
    assert body["model"] == "big-writer" and body["messages"][0] == {"role": "system", "content": "Be brief."}
    turn = body["messages"][1]["content"]
    assert "It is night." in turn and "Write of the sea." in turn and "==========\nOnce\n==========" in turn


def test_a_conversation_is_sent_by_turns_with_the_document_before_its_first_message(serve: Callable[[Answer], Service]) -> None:
    service = serve(lambda handler: stream(handler, WORDS))
    run(card_of(service.url), Write(prompt="And now?", system="Be brief.", turns=("Who?", "Ana."), document="Ana has a boat."))
    messages = service.bodies[0]["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert "==========\nAna has a boat.\n==========" in messages[1]["content"] and messages[1]["content"].endswith("Who?")
    assert [message["content"] for message in messages[2:]] == ["Ana.", "And now?"]


def test_several_takes_have_seeds_of_their_own(serve: Callable[[Answer], Service]) -> None:
    service = serve(lambda handler: stream(handler, WORDS, "length"))
    passages = run(card_of(service.url), Write(prompt="Go", count=2, seed=3))
    assert [(passage.seed, passage.finish) for passage in passages] == [(3, "length"), (4, "length")]
    assert [body["seed"] for body in service.bodies] == [3, 4]


def test_a_schema_is_sent_and_one_that_is_none_is_refused_before(serve: Callable[[Answer], Service]) -> None:
    service = serve(lambda handler: stream(handler, ['{"a": 1}']))
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
    run(card_of(service.url), Write(prompt="Go", output_schema=json.dumps(schema)))
    assert service.bodies[0]["response_format"]["json_schema"]["schema"] == schema
    with pytest.raises(InvalidInput):
        endpoint.check(card_of(service.url), Write(prompt="Go", output_schema="{no json"))
    assert len(service.bodies) == 1


def test_stop_keeps_the_words_that_came(serve: Callable[[Answer], Service]) -> None:
    going = threading.Event()
    service = serve(lambda handler: stream(handler, WORDS, after=lambda: going.wait(20)))
    seen: list[str] = []

    def report(event: Any) -> None:
        if isinstance(event, Preview):
            seen.append(event.text or "")
        elif seen:
            raise Cancelled

    try:
        [passage] = run(card_of(service.url), Write(prompt="Go"), report)
    finally:
        going.set()
    assert passage.finish == "stopped" and passage.text and "The sea is wide.".startswith(passage.text)


def test_a_connection_that_ends_early_keeps_its_words_and_says_so(serve: Callable[[Answer], Service]) -> None:
    def broken(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("content-length", "100000")
        handler.end_headers()
        handler.wfile.write(b'data: {"choices": [{"delta": {"content": "Half of "}}]}\n\n')

    service = serve(broken)
    [passage] = run(card_of(service.url), Write(prompt="Go"))
    assert passage.text == "Half of " and passage.finish == "stopped" and "ended before" in str(passage.facts["notes"])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(401, "no"), "--endpoint-key"),
        (status(404, "no"), "--endpoint-models"),
        (status(429, "no"), "in a minute"),
        (status(302, "", location="http://127.0.0.1:1/"), "not followed"),
        (status(500, '{"error": {"message": "out of memory"}}'), "out of memory"),
        (status(200, "data: <html>\n\n"), "none of the chat protocol"),
        (status(200, 'data: {"error": {"message": "no such thing"}}\n\n'), "no such thing"),
    ],
)
def test_what_goes_wrong_there_is_one_sentence(serve: Callable[[Answer], Service], answer: Answer, words: str) -> None:
    service = serve(answer)
    with pytest.raises(ModelUnavailable) as told:
        run(card_of(service.url, "s3cret"), Write(prompt="Go"))
    assert words in str(told.value) and "s3cret" not in str(told.value) and "\n" not in str(told.value)


def test_a_request_it_cannot_take_is_the_askers_to_change(serve: Callable[[Answer], Service]) -> None:
    service = serve(status(400, '{"error": {"message": "max_tokens is too large"}}'))
    with pytest.raises(InvalidInput, match="max_tokens is too large"):
        run(card_of(service.url), Write(prompt="Go"))


def test_an_address_where_nothing_runs_is_said_at_once(serve: Callable[[Answer], Service]) -> None:
    service = serve(status(200, ""))
    service.close()
    with pytest.raises(ModelUnavailable, match="does not answer"):
        run(card_of(service.url), Write(prompt="Go"))


@pytest.mark.parametrize("url", ["ftp://x/v1", "127.0.0.1:8000", "http://me:pass@host/v1", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        endpoint.cards(url, "one", None)


def test_it_is_never_chosen_by_itself_and_its_key_is_in_no_record(tmp_path: Path) -> None:
    card = card_of("http://127.0.0.1:1/v1", "s3cret")
    places = sources.Places(tmp_path, tmp_path, tmp_path)
    assert sources.ready(card, places) is card
    assert sources.ready(card, sources.Places(tmp_path, tmp_path, tmp_path, offline=True)) is None
    with pytest.raises(ModelUnavailable):
        models.choose(Write(prompt="Go"), [card], {card.name: card}, lambda: 10**12)
    assert models.choose(Write(prompt="Go", model=card.name), [card], {card.name: card}, lambda: 10**12) is card
    task = Write(prompt="Go", model=card.name, seed=1)
    entry = record.compose(task, task, card, Passage("x", 1, 1), "cpu", 1.0)
    assert "s3cret" not in entry.model_dump_json() + card.model_dump_json() + repr(card)
