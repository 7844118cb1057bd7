"""`make space`: the folder of a Space, what is wrong with one, and the studio served from it as a Space would."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gate.licences import roots
from gate.space import __main__ as command
from gate.space import checks, contents
from studio import models
from studio.errors import InvalidInput
from tests import serving

ROOT = Path(__file__).resolve().parents[1]
AS_A_SPACE = {
    "SYSTEM": "spaces",
    "SPACE_ID": "someone/atelier",
    "SPACE_HOST": "someone-atelier.hf.space",
    "CPU_CORES": "2",
    "MEMORY": "16Gi",
}
COMMIT = "a" * 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("space") / "out"
    contents.write(out)
    return out


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """The folder without its assets, to be spoiled."""
    out = tmp_path / "out"
    shutil.copytree(folder, out, ignore=shutil.ignore_patterns("assets"))
    return out


def test_the_folder_is_right(folder: Path) -> None:
    assert checks.problems(folder) == []


def test_the_folder_holds_what_the_page_needs_and_nothing_else(folder: Path) -> None:
    names = contents.files(folder)
    assert {name.partition("/")[0] for name in names} == {*contents.RUNS, "README.md", "requirements.txt", ".gitattributes"}
    assert "assets/icons/icons-0.pack" in names
    assert [name for name in names if name.startswith(contents.STAYS)] == []


@pytest.mark.thorough
def test_the_programs_of_the_folder_need_nothing_beside_them(folder: Path, tmp_path: Path) -> None:
    code = (
        "import app, tabs; from studio import models, presets; from studio.settings import Settings; settings = Settings();"
        "print(app.__file__, len(tabs.discover()), len(models.discover()), len(presets.text_styles(settings.presets)), settings.public)"
    )
    place = {**os.environ, **AS_A_SPACE, "GRADIO_TEMP_DIR": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", code], check=False, cwd=folder, env=place, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    file, *counts, public = run.stdout.split()
    assert Path(file).is_relative_to(folder)
    assert min(map(int, counts)) > 5
    assert public == "True"


def test_what_the_hub_takes_by_lfs_alone_is_given_to_lfs(folder: Path) -> None:
    patterns = set(checks.patterns((folder / ".gitattributes").read_text("utf-8")))
    assert {f"*.{kind}" for kind in "safetensors sf2 wav flac mp3 woff2 gif webp npz png onnx pack".split()} <= patterns


def test_gradio_is_the_tested_one_and_the_requirements_are_the_repositorys() -> None:
    exact = {canonicalize_name(one.name): str(one.specifier)[2:] for one in map(Requirement, roots(ROOT / "constraints.txt"))}
    card = checks.front_matter((contents.OWN / "README.md").read_text("utf-8"))
    assert (card["sdk_version"], card["python_version"]) == (exact[canonicalize_name("gradio")], "3.12.12")
    taken = {one.name: one for one in map(Requirement, contents.requirements(roots(ROOT / "requirements.txt")).splitlines())}
    added = {Requirement(line).name for line in contents.ADDED}
    assert added <= taken.keys()
    ours = {name: one for name, one in taken.items() if name not in added}
    assert {name for name, one in ours.items() if not one.specifier.contains(exact[canonicalize_name(name)])} == {"torch"}
    assert set(ours) | {"gradio"} == {Requirement(line).name for line in roots(ROOT / "requirements.txt")}


WRONG: tuple[dict[str, Callable[[Path], object]], ...] = (
    {
        "app.py holds a token of the Hub": lambda out: (out / "app.py").write_text("token = 'hf_" + "aB3" * 12 + "'"),
        "tls.pem is no file for others to see": lambda out: (out / "tls.pem").write_text("key"),
        "studio/library.sqlite3 is no file": lambda out: (out / "studio/library.sqlite3").write_bytes(b"\0"),
        "studio/a.py holds a path of somebody's machine": lambda out: (out / "studio/a.py").write_text("open('/home/ann" + "a/x')"),
        "studio/x.dat is binary": lambda out: (out / "studio/x.dat").write_bytes(b"\0"),
        "presets/x.toml has 0.2 MB": lambda out: (out / "presets/x.toml").write_text("#" * 200_000),
        "gradio comes by sdk_version": lambda out: (out / "requirements.txt").write_text("gradio>=6\ntorch>=2.8"),
        "ZeroGPU runs torch from 2.8 to 2.11": lambda out: None,
        "packages.txt asks for fluidsynth": lambda out: (out / "packages.txt").write_text("fluidsynth ffmpeg"),
        "python_version is not what a Space takes": lambda out: _replaced(out / "README.md", '"3.12.12"', '"3.11"'),
        "app_file is not what": lambda out: _replaced(out / "README.md", "app_file: app.py", "app_file: main.py"),
        "short_description is not what": lambda out: _replaced(out / "README.md", "and words", "and words " * 9),
        "LICENSE is missing": lambda out: (out / "LICENSE").unlink(),
    },
    {
        "'-e .' is no requirement": lambda out: (out / "requirements.txt").write_text("torch>=2.8,<2.12\n-e ."),
        "sdk is not what": lambda out: (out / "README.md").write_text("---\n[\n---\n"),
    },
)


def _replaced(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said(copy: Path, wrong: dict[str, Callable[[Path], object]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "PLAIN", 150_000)
    for spoil in wrong.values():
        spoil(copy)
    said = "\n".join(checks.problems(copy))
    assert [words for words in wrong if words not in said] == []
    assert "ffmpeg" not in said


def test_the_owners_models_go_along(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = tmp_path / "mine.toml"
    listed.write_text(
        '[[card]]\nname = "Mine"\nengine = "language"\nserves = ["write"]\nlicence = "MIT"\ndownload_gb = 1.5\n'
        '[card.source]\nkind = "hub"\n'
        f'repo = "someone/mine"\nrevision = "{COMMIT}"\nallow = ["model.safetensors", "config.json"]\n'
    )
    assert command.main(["--out", str(tmp_path / "out"), "--models", str(listed), "--name", "me/studio", "--login"]) == 0
    card = checks.front_matter((tmp_path / "out/README.md").read_text("utf-8"))
    assert card["hf_oauth"] is True and card["hf_oauth_expiration_minutes"] == 480
    assert card["models"] == ["someone/mine"]
    assert card["preload_from_hub"] == [f"someone/mine model.safetensors,config.json {COMMIT}"]
    assert [one.name for one in models.read_cards(tmp_path / "out/models.toml")] == ["Mine"]
    said = capsys.readouterr().out
    assert re.search(r"^hf upload me/studio \S+ \. --repo-type space$", said, re.MULTILINE)
    assert "Mine (MIT): fetched at the first start, 1.5 GB" in said


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InvalidInput, match="holds something else"):
        contents.write(tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear"


@pytest.mark.thorough
def test_a_space_serves_its_page_and_a_first_picture(folder: Path, starter_cache: Path, tmp_path: Path) -> None:
    """Prints how long each took: `pytest -s`."""
    began = time.monotonic()
    with serving.running(starter_cache, tmp_path, environment=AS_A_SPACE | {"GRADIO_SERVER_NAME": "127.0.0.1"}, cwd=folder) as (address, _):
        page = time.monotonic() - began
        given = {"Host": AS_A_SPACE["SPACE_HOST"]}
        asked = httpx.post(f"{address}/gradio_api/call/v2/text_to_image", json={"prompt": "a red apple"}, headers=given, timeout=60)
        assert asked.status_code == 200, asked.text
        path = f"{address}/gradio_api/call/text_to_image/{asked.json()['event_id']}"
        with httpx.stream("GET", path, headers=given, timeout=120) as answer:
            lines = [line for line in answer.iter_lines() if line.startswith(("event:", "data:"))]
        assert lines[-2] == "event: complete"
        assert json.dumps(json.loads(lines[-1][6:])).count(".png") >= 1
        print(f"page {page:.1f} s, first picture {time.monotonic() - began - page:.1f} s")
