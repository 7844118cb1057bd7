"""What the maps say is there: the reading order of studio/, the README's table, options and commands, the lists of packages."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import typer
from huggingface_hub import SpaceCard
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import studio
from gate.licences import closure, roots
from studio.__main__ import app
from studio.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
SPACES_COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
NEEDED_BY_OTHERS = {
    "accelerate": "diffusers and transformers load large weights with it",
    "pretty-midi": "the soundfont that it carries is played where it lies",
    "gguf": "diffusers and transformers read packed weights with it",
}

PARTS_OF_OTHERS = {
    "httpx2": "huggingface_hub raises its errors",
    "jinja2": "transformers' chat templates raise its errors",
    "pydantic-core": "pydantic's validators raise its errors",
    "starlette": "gradio takes its middleware",
    "tokenizers": "transformers' words and those of the small model for search are its",
    "tqdm": "huggingface_hub takes a class of its kind for progress",
}


def tracked() -> list[Path]:
    """Every file that git would ship, from the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
    return [Path(name) for name in listed if (ROOT / name).is_file()]


def pins() -> dict[str, str]:
    lines = [Requirement(line) for line in roots(ROOT / "constraints.txt")]
    return {canonicalize_name(line.name): str(line.specifier).removeprefix("==") for line in lines}


def test_the_reading_order_of_the_studio_lists_every_file_once() -> None:
    assert studio.__doc__ is not None
    listed = re.findall(r"^    (\S+) +\S", studio.__doc__.partition("Reading order:")[2], re.MULTILINE)
    files = {path.name for path in (ROOT / "studio").glob("*.py")} - {"__init__.py"}
    packages = {f"{path.parent.name}/" for path in (ROOT / "studio").glob("*/__init__.py")}
    assert sorted(listed) == sorted(files | packages)


@pytest.mark.parametrize("package", ["music", "provenance", "safety", "writing"])
def test_a_package_with_a_map_lists_every_file_once(package: str) -> None:
    listed = re.findall(r"^    (\w+\.py) +\S", importlib.import_module(f"studio.{package}").__doc__ or "", re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "studio" / package).glob("*.py") if path.name != "__init__.py")


def test_the_readme_lists_every_file_and_folder_at_the_top() -> None:
    listed = re.findall(r"^\| `([\w.-]+/?)` \|", README.partition("## What is where")[2], re.MULTILINE)
    top = {f"{path.parts[0]}/" if len(path.parts) > 1 else path.name for path in tracked() if not path.parts[0].startswith(".")}
    assert sorted(listed) == sorted(top - {"README.md"})


def test_the_readme_lists_every_option() -> None:
    listed = re.findall(r"^\| `--([\w-]+)` \|", README, re.MULTILINE)
    assert listed == [name.replace("_", "-") for name in Settings.model_fields]


def test_the_readme_lists_every_command_of_the_command_line() -> None:
    listed = set(re.findall(r"^python -m studio (\S+)", README, re.MULTILINE))
    assert listed == set(typer.main.get_command(app).commands)  # pyright: ignore[reportAttributeAccessIssue] (a group has them)


def test_every_make_command_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == targets
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    assert {"run", "test", "serve"} <= named <= targets


def test_every_picture_and_file_that_the_readme_shows_is_there() -> None:
    for name in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / name).is_file(), name


def test_the_front_matter_is_what_spaces_take() -> None:
    card: dict[str, Any] = SpaceCard(README).data.to_dict()
    assert card["title"] == "Atelier"
    assert card["sdk"] == "gradio"
    assert card["sdk_version"] == pins()["gradio"]
    assert re.fullmatch(r"3\.\d+(\.\d+)?", card["python_version"])
    assert (ROOT / card["app_file"]).is_file()
    assert {card["colorFrom"], card["colorTo"]} <= SPACES_COLOURS
    assert len(card["short_description"]) <= 60
    assert card["license"] == "apache-2.0"
    assert card["emoji"].isascii() is False


def test_no_file_is_too_large_for_spaces() -> None:
    sizes = {path: (ROOT / path).stat().st_size for path in tracked()}
    assert [str(path) for path, size in sizes.items() if size > 9_500_000] == []
    assert sum(size for path, size in sizes.items() if path.parts[:2] == ("assets", "icons")) <= 48_000_000


def test_every_import_of_ours_is_a_requirement_and_every_requirement_is_imported() -> None:
    folders = [ROOT / "app.py", *(ROOT / "studio").rglob("*.py"), *(ROOT / "tabs").rglob("*.py")]
    names = {name.split(".")[0] for path in folders for name in _imports(ast.parse(path.read_text("utf-8")))}
    names -= {"studio", "tabs", "app", "spaces", *sys.stdlib_module_names}
    known = packages_distributions()
    imported = {canonicalize_name(known[name][0]) if name in known else name for name in names}
    required = {canonicalize_name(Requirement(line).name) for line in roots(ROOT / "requirements.txt")}
    optional = {
        canonicalize_name(Requirement(line).name) for name in ("audiocraft", "demucs") for line in roots(ROOT / f"requirements-{name}.txt")
    }
    assert imported - required - optional - {"audiocraft", "demucs"} <= PARTS_OF_OTHERS.keys()
    assert required - imported == NEEDED_BY_OTHERS.keys()


def test_the_constraints_pin_all_that_is_installed_inside_the_ranges() -> None:
    exact = pins()
    needed = [*roots(ROOT / "requirements.txt"), *roots(ROOT / "requirements-dev.txt")]
    for line in map(Requirement, needed):
        assert line.specifier.contains(exact[canonicalize_name(line.name)]), line
    assert set(closure(needed)) - set(exact) == set()
    assert f"TORCH = torch=={exact['torch']}\n" in MAKEFILE


@pytest.mark.skipif(sys.platform != "linux" or sys.version_info[:2] != (3, 11), reason="constraints.txt speaks for Linux and Python 3.11")
def test_what_runs_here_is_what_the_constraints_say() -> None:
    exact = pins()
    needed = [*roots(ROOT / "requirements.txt"), *roots(ROOT / "requirements-dev.txt")]
    running = {name: package.version.partition("+")[0] for name, package in closure(needed).items()}
    assert {name: version for name, version in running.items() if exact[name] != version} == {}


def test_types_are_strict_in_all_of_the_core_but_where_untyped_libraries_are() -> None:
    patterns: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["basedpyright"]["strict"]
    files = [path.relative_to(ROOT) for path in (ROOT / "studio").rglob("*.py")]
    strict = {path for path in files if any(path.match(pattern) for pattern in patterns)}
    assert {path.parts[1] for path in files if path not in strict} == {"engines", "inpaint", "music", "starter", "writing"}


def test_what_ci_runs_is_a_program() -> None:
    assert os.access(ROOT / ".ci/run", os.X_OK)
    subprocess.run(["bash", "-n", ".ci/run"], check=True, cwd=ROOT)


def _imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found
