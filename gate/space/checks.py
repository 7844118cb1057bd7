"""What is wrong with a Space's folder, in sentences: secrets, front matter, requirements, system packages, licences, sizes, binaries.

Reads the folder alone; nothing is installed and nobody is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from gate import licences
from gate.space.contents import ADDED, files

PLAIN = 10_000_000
"""Bytes of one file that Git alone may hold on the Hub; larger ones need LFS."""

WHOLE = 1_000_000_000
"""Bytes of a Space's repository."""

PREINSTALLED = frozenset({"ffmpeg", "cmake", "libsndfile1", "git", "git-lfs"})
"""System packages that every Space has."""

COLOURS = frozenset({"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"})
PYTHONS = ("3.12.12", "3.10.13")
"""What ZeroGPU runs; the studio itself needs 3.11."""

SECRETS = {
    "a token of the Hub": r"\bhf_[A-Za-z0-9]{30,}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}",
    "a key of a cloud": r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{35}\b",
    "a token of a code host": r"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,}|glpat-[\w-]{20,})",
    "a key of a model service": r"\bsk-(proj-|ant-)?[A-Za-z0-9_-]{32,}",
    "a password in an address": r"https?://[^/\s:@'\"{}<>]+:[^/\s:@'\"{}<>]+@[\w.-]+",
    "a path of somebody's machine": r"(/home/(?!user/)[a-z][\w.-]*/|/Users/[A-Za-z][\w.-]*/|[A-Z]:\\Users\\[A-Za-z])\w",
}
PRIVATE = (
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    ".env",
    ".env.*",
    "id_rsa*",
    "id_ed25519*",
    ".netrc",
    "*.sqlite*",
    "*.db",
    "*.pkl",
    "*.pickle",
)
"""Names of files that hold secrets, what somebody made, or code in disguise."""


def problems(out: Path) -> list[str]:
    """Every sentence about the folder; none where it is right."""
    names = files(out)
    return [*_secrets(out, names), *_front_matter(out), *_requirements(out), *_system(out), *_licences(out, names), *_sizes(out, names)]


def front_matter(text: str) -> dict[str, Any]:
    """The table at the head of a Space's README; empty where there is none."""
    found = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    try:
        table = yaml.safe_load(found[1]) if found else {}
    except yaml.YAMLError:
        return {}
    return table if isinstance(table, dict) else {}


def patterns(attributes: str) -> list[str]:
    """The patterns that a .gitattributes gives to LFS."""
    lines = (line.split() for line in attributes.splitlines() if not line.startswith("#"))
    return [words[0] for words in lines if "filter=lfs" in words]


def binary(path: Path) -> bool:
    """Whether the Hub takes a file for binary: a zero byte, or no UTF-8."""
    data = path.read_bytes()
    if b"\0" in data:
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def _secrets(out: Path, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if any(fnmatch(Path(name).name, pattern) for pattern in PRIVATE):
            yield f"{name} is no file for others to see: leave it out."
        elif not binary(out / name):
            text = (out / name).read_text("utf-8")
            yield from (f"{name} holds {what}: take it out." for what, pattern in SECRETS.items() if re.search(pattern, text))


def _front_matter(out: Path) -> Iterator[str]:
    card = front_matter((out / "README.md").read_text("utf-8"))
    right = {
        "title": isinstance(card.get("title"), str),
        "emoji": isinstance(card.get("emoji"), str) and not card["emoji"].isascii(),
        "sdk": card.get("sdk") == "gradio",
        "sdk_version": re.fullmatch(r"\d+\.\d+\.\d+", str(card.get("sdk_version"))) is not None,
        "python_version": card.get("python_version") in PYTHONS and Version(card["python_version"]) >= Version("3.11"),
        "app_file": isinstance(card.get("app_file"), str) and (out / card["app_file"]).is_file(),
        "license": card.get("license") == "apache-2.0",
        "short_description": len(str(card.get("short_description", ""))) <= 60,
        "colorFrom": card.get("colorFrom") in COLOURS,
        "colorTo": card.get("colorTo") in COLOURS,
        "hf_oauth": isinstance(card.get("hf_oauth", False), bool),
        "hf_oauth_expiration_minutes": card.get("hf_oauth_expiration_minutes", 480) in range(1, 43_201),
        "models": all(re.fullmatch(r"[\w.-]+/[\w.-]+", str(one)) for one in card.get("models", [])),
        "preload_from_hub": all(re.fullmatch(r"[\w.-]+/[\w.-]+ \S+ [0-9a-f]{40}", str(one)) for one in card.get("preload_from_hub", [])),
    }
    yield from (f"README.md: {name} is not what a Space takes: {card.get(name)!r}." for name, fine in right.items() if not fine)


def _requirements(out: Path) -> Iterator[str]:
    taken: dict[str, Requirement] = {}
    for line in licences.roots(out / "requirements.txt"):
        try:
            one = Requirement(line)
        except InvalidRequirement:
            yield f"requirements.txt: {line!r} is no requirement that plain pip reads."
            continue
        taken[one.name] = one
        if one.url:
            yield f"requirements.txt: {one.name} comes from an address; name a release of the package index."
    if "gradio" in taken:
        yield "requirements.txt: gradio comes by sdk_version; leave it out."
    torch = taken.get("torch")
    if torch is None or torch.specifier.contains("2.12.0") or not torch.specifier.contains("2.11.0") or torch.specifier.contains("2.7.1"):
        yield "requirements.txt: ZeroGPU runs torch from 2.8 to 2.11."


def _system(out: Path) -> Iterator[str]:
    """What a Space installs by apt: nothing that it does not have already. A comment in packages.txt would be taken for a package."""
    asked = (out / "packages.txt").read_text("utf-8").split() if (out / "packages.txt").exists() else []
    yield from (f"packages.txt asks for {name}: the studio needs no system package." for name in asked if name not in PREINSTALLED)


def _licences(out: Path, names: list[str]) -> Iterator[str]:
    yield from (f"{name} is missing." for name in ("LICENSE", "NOTICE") if name not in names)
    lines = [line for line in licences.roots(out / "requirements.txt") if line not in ADDED]
    try:
        yield from licences.problems(licences.closure(lines))
    except InvalidRequirement:
        return  # said before
    except PackageNotFoundError as error:
        yield f"{error.name} is not installed here, so its licence is not known: run `make run` first."


def _sizes(out: Path, names: list[str]) -> Iterator[str]:
    tracked = patterns((out / ".gitattributes").read_text("utf-8"))
    whole = 0
    for name in names:
        size = (out / name).stat().st_size
        whole += size
        if any(fnmatch(Path(name).name, pattern) for pattern in tracked):
            continue
        if binary(out / name):
            yield f"{name} is binary and .gitattributes does not give it to LFS: the Hub would refuse it."
        elif size > PLAIN:
            yield f"{name} has {size / 1e6:.1f} MB: above {PLAIN // 1_000_000} MB the Hub takes a file by LFS alone."
    if whole > WHOLE:
        yield f"The folder has {whole / 1e9:.2f} GB: a Space holds {WHOLE / 1e9:g} GB."
