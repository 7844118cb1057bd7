"""Fetches the npm packages the icon library is made of and reads what they hold. It knows no picture and no concept.

Packages come through the ordinary npm client by name and version, so the user's own registry settings hold.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PERMITTED = ("MIT", "Apache-2.0")


@dataclass(frozen=True)
class IconSet:
    """A set as `sets.toml` describes it, with the author and licence its own package states, and its SVG icons."""

    name: str
    package: str
    version: str
    title: str
    style: str
    reader: str
    author: str
    url: str
    licence: str
    icons: dict[str, str]  # the icon's name in the package -> SVG text
    codes: dict[str, str]  # hexcode -> name, where the package says so


def fetch(work: Path, package: str, version: str) -> Path:
    """The unpacked folder of one npm package in `work`; fetched only when it is not there yet."""
    stem = f"{package.removeprefix('@').replace('/', '-')}-{version}"
    folder = work / stem / "package"
    if not (folder / "package.json").exists():
        if not (work / f"{stem}.tgz").exists():
            npm = shutil.which("npm")
            if npm is None:
                raise FileNotFoundError("npm is needed to fetch the icon packages: install Node.js")
            subprocess.run([npm, "pack", f"{package}@{version}", "--silent"], cwd=work, check=True)
        with tarfile.open(work / f"{stem}.tgz") as archive:
            archive.extractall(work / stem, filter="data")
    return folder


def configuration() -> dict[str, Any]:
    """`sets.toml` as it stands."""
    return tomllib.loads((HERE / "sets.toml").read_text("utf-8"))


def icon_sets(work: Path) -> list[IconSet]:
    """All sets of `sets.toml`, fetched and read. Raises ValueError for a licence that is not permitted."""
    found: list[IconSet] = []
    for about in configuration()["set"]:
        folder = fetch(work, about["package"], about["version"])
        info = json.loads((folder / "info.json").read_text("utf-8"))
        if info["license"]["spdx"] not in PERMITTED:
            raise ValueError(f"{about['package']} is under {info['license']['spdx']}; the library takes {' and '.join(PERMITTED)} only")
        chars = folder / "chars.json"
        found.append(
            IconSet(
                **about,
                author=info["author"]["name"],
                url=info["author"]["url"],
                licence=info["license"]["spdx"],
                icons=_svgs(json.loads((folder / "icons.json").read_text("utf-8"))),
                codes=json.loads(chars.read_text("utf-8")) if chars.exists() else {},
            )
        )
    return found


def _svgs(data: dict[str, Any]) -> dict[str, str]:
    """The SVG text of every visible icon, in the coordinates of its own view box."""
    out: dict[str, str] = {}
    for name, icon in data["icons"].items():
        if icon.get("hidden"):
            continue
        box = (
            icon.get("left", 0),
            icon.get("top", 0),
            icon.get("width", data.get("width", 16)),
            icon.get("height", data.get("height", 16)),
        )
        out[name] = (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{box[0]} {box[1]} {box[2]} {box[3]}">{icon["body"]}</svg>'
        )
    return out
