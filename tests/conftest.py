"""The ground all tests stand on: this user's home, options and network stay out of it; what is missing is said in one line.

With CI=true a missing Chromium or starter fails the tests that need it, elsewhere it skips them.
"""

from __future__ import annotations

import atexit
import gc
import ipaddress
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import platformdirs
import pytest
from hypothesis import settings

from tabs import _lean
from tests import tiny

ROOT = Path(__file__).parent.parent
CI = os.environ.get("CI") == "true"
STARTER_CACHE = os.environ.get("ATELIER_TEST_CACHE") or platformdirs.user_cache_dir("atelier", appauthor=False)

# Read by libraries when they are imported, so set before any test module is.
TEMPORARY = tempfile.mkdtemp(prefix="atelier-tests-")
atexit.register(shutil.rmtree, TEMPORARY, ignore_errors=True)
os.environ |= {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_TEMP_DIR": f"{TEMPORARY}/web",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "XDG_DATA_HOME": f"{TEMPORARY}/data",
}
sys.meta_path.insert(0, _lean.Finder())  # no test waits for Gradio's hints, and none are written beside the studio's own modules
# A loaded machine answers late, which no generated input is to blame for.
settings.register_profile("here", deadline=None)
settings.load_profile("here")
for option in [name for name in os.environ if name.startswith(("ATELIER_", "GRADIO_SERVER_"))]:
    del os.environ[option]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests take long stand first, so that no worker is left alone with one of them at the end (`--no-loadscope-reorder`)."""
    long = {
        ROOT / "tests" / f"test_{name}.py": place for place, name in enumerate(("http", "diffusion", "contracts", "gguf", "audiocraft"))
    }
    browser = ROOT / "tests" / "browser"
    items.sort(key=lambda item: long.get(item.path, len(long) if browser in item.path.parents else len(long) + 1))


@pytest.fixture(scope="module")
def small_heap() -> Iterator[None]:
    """An eviction collects garbage: what pytest and its plugins hold is none, and takes most of that time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A new user's home folder; it does not exist yet."""
    return tmp_path / "home"


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gradio's upload folder."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


@pytest.fixture(scope="session")
def starter_cache() -> Path:
    """The cache with the writer that `make starters` fetches; tests read it and leave it as it is."""
    cache = Path(STARTER_CACHE)
    if not any(cache.glob("packages/*/*.gguf")):
        _missing("the starter writer is not in the cache: run `make starters`, or name its cache in ATELIER_TEST_CACHE")
    return cache


@pytest.fixture(scope="session")
def chromium() -> str:
    """The system's Chromium or Chrome, as playwright's `executable_path`."""
    found = [path for name in ("chromium", "chromium-browser", "google-chrome", "chrome") if (path := shutil.which(name))]
    if not found:
        _missing("no Chromium on this machine: install the system's chromium package")
    return found[0]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The tiny diffusers model of a pipeline class, built once; tests leave it as it is."""
    root = tmp_path_factory.mktemp("models")
    builders = tiny.FAMILIES | tiny.EDITORS | tiny.FILLERS
    return lambda name: root / name if (root / name).exists() else builders[name](root / name)


@pytest.fixture
def one_thread() -> None:
    """For tiny models: their tensors are done sooner than a second thread wakes."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test of ours that reaches beyond this machine is wrong, whether or not there is a network."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _on_this_machine(address[0]):
            raise AssertionError(f"a test tried to reach {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


def _on_this_machine(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


def _missing(what: str) -> NoReturn:
    if CI:
        pytest.fail(what, pytrace=False)
    pytest.skip(what)
