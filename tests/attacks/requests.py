"""Requests as a stranger might send them: every endpoint of tests/api.json, its parameters, and values of any kind."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from hypothesis import strategies as st

from tests.attacks.promise import TELLTALE

API: dict[str, list[str]] = {
    name: list(endpoint["parameters"]) for name, endpoint in json.loads((Path(__file__).parents[1] / "api.json").read_text()).items()
}
FILES = {"/inpaint": ("image", "mask"), "/music": ("reference",)}
SMALL: dict[str, Any] = {"width": 64, "height": 64, "steps": 1, "count": 1, "duration": 1, "max_new_tokens": 4, "retries": 0}
"""What keeps a run short that comes through."""
FILE = {"_type": "gradio.FileData"}
ODD: tuple[Any, ...] = (
    *(
        "",
        " ",
        "\0",
        "\ud800",
        "\u202eabc",
        "x" * 5000,
        "../../etc/passwd",
        "/etc/hostname",
        "file:///etc/passwd",
        "<script>alert(1)</script>",
    ),
    *(
        "{{7*7}}",
        "${jndi:ldap://x}",
        "%s%n",
        "'; DROP TABLE jobs; --",
        "sha256:" + "0" * 64,
        "sha256:../../x",
        "http://127.0.0.1:1/x",
        "nan",
    ),
    *(
        0,
        -1,
        1,
        2**31,
        2**63,
        -(2**64),
        10**300,
        1e308,
        -0.0,
        0.1,
        20.5,
        True,
        False,
        None,
        [],
        {},
        [[]],
        [None],
        [1, "a"],
        {"a": {"b": []}},
    ),
    *(
        {"path": "/etc/hostname", "meta": FILE},
        {"path": "../x", "meta": FILE},
        {"url": "http://127.0.0.1:1/x", "meta": FILE},
        {"path": None},
    ),
    {"path": "/proc/self/environ", "url": None, "orig_name": "a\u202e.png", "meta": FILE},
)


@dataclass(frozen=True)
class Answer:
    """What came back: the last status, all text, and the last event of the run, if one began."""

    status: int
    text: str
    event: str

    def faults(self, served: str) -> list[str]:
        """What must be in no answer; the folder that results are `served` from may be."""
        text = self.text.replace(served, "").replace("\\/", "/")
        found = [f"status {self.status}"] if self.status >= 500 or self.status == 0 else []
        found += [f"telltale {match[0]}" for match in TELLTALE.finditer(text)]
        return found + (["no words"] if '"error": null' in text else [])


def values() -> st.SearchStrategy[Any]:
    """Anything that JSON can hold, and what has hurt others before."""
    plain = (
        st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40)
    )
    nested = st.recursive(
        plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=6
    )
    return st.sampled_from(ODD) | plain | nested


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An endpoint and named values of which at least one is wild. Of five requests four are refused, so that few runs take time."""
    endpoint = draw(st.sampled_from(sorted(name for name, parameters in API.items() if parameters)))
    wild = draw(st.dictionaries(st.sampled_from(API[endpoint]), values(), min_size=1, max_size=4))
    small = {name: value for name, value in SMALL.items() if name in API[endpoint]}
    if "seed" in API[endpoint] and draw(st.integers(0, 4)):
        small["seed"] = -1
    return endpoint, {**({"prompt": "a cat"} if "prompt" in API[endpoint] else {}), **small, **wild}


def hasty(count: int, chance: random.Random) -> list[tuple[str, dict[str, Any]]]:
    """So many of the same kind, made quickly, each with a seed that is none: no run comes of them."""
    return [_hasty(chance, endpoint) for endpoint in chance.choices(sorted(name for name in API if "seed" in API[name]), k=count)]


def _hasty(chance: random.Random, endpoint: str) -> tuple[str, dict[str, Any]]:
    wild = {name: _value(chance) for name in chance.choices(API[endpoint], k=chance.randint(1, 4))}
    said = {"prompt": "a cat"} if "prompt" in API[endpoint] else {}
    return endpoint, {**said, **wild, "seed": chance.choice((-1, 2**32, 0.5, "abc", [1]))}


def _value(chance: random.Random, depth: int = 0) -> Any:
    match chance.randrange(8 if depth < 3 else 6):
        case 0 | 1 | 2:
            return chance.choice(ODD)
        case 3:
            return chance.randint(-(2**70), 2**70)
        case 4:
            return chance.uniform(-1, 1) * 10 ** chance.randint(-20, 300)
        case 5:
            return "".join(
                chr(chance.choice((chance.randrange(0xD800), chance.randrange(0xE000, 0x110000)))) for _ in range(chance.randrange(40))
            )
        case 6:
            return [_value(chance, depth + 1) for _ in range(chance.randrange(4))]
        case _:
            return {str(chance.choice(ODD)): _value(chance, depth + 1) for _ in range(chance.randrange(3))}


def sent(client: httpx.Client, endpoint: str, given: dict[str, Any]) -> Answer:
    """Begin the run and read it to its end."""
    body = json.dumps(given)  # ASCII: a half of a character goes as its escape
    try:
        joined = client.post(f"/gradio_api/call/v2{endpoint}", content=body, headers={"content-type": "application/json"})
        if joined.status_code != 200:
            return Answer(joined.status_code, joined.text, "")
        ended = client.get(f"/gradio_api/call{endpoint}/{joined.json()['event_id']}")
    except httpx.HTTPError as error:
        return Answer(0, type(error).__name__, "")
    events = [line.removeprefix("event: ") for line in ended.text.splitlines() if line.startswith("event: ")]
    return Answer(ended.status_code, ended.text, events[-1] if events else "")


def wrong(url: str, served: Path, batch: list[tuple[str, dict[str, Any]]], at_once: int = 8) -> list[tuple[str, dict[str, Any], list[str]]]:
    """Send a batch, several at once; those whose answer is not what it must be, with what is wrong about it."""
    with httpx.Client(base_url=url, timeout=120) as client, ThreadPoolExecutor(at_once) as threads:
        answers = threads.map(lambda request: sent(client, *request), batch)
        found = [(*request, answer.faults(str(served))) for request, answer in zip(batch, answers, strict=True)]
        found += [("/", {}, [f"alive: {code}"]) for code in [client.get("/").status_code] if code != 200]
    return [each for each in found if each[2]]
