"""gate/licences.py: what may ship, over made-up packages and over the real ones."""

from __future__ import annotations

import json
import re
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

import pytest

from gate.licences import closure, licence, permitted, problems, roots

ROOT = Path(__file__).parent.parent


def package(folder: Path, name: str, *lines: str) -> Distribution:
    """A real distribution on disk with these metadata lines."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines]) + "\n")
    return Distribution.at(info)


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-or-later", False),
        ("AGPL-3.0-only", False),
        ("GPL-2.0-only OR MIT", True),
        ("MIT AND GPL-2.0-only", False),
        ("MPL-2.0 AND (Apache-2.0 OR GPL-3.0-only)", True),
        ("(MIT OR Apache-2.0) AND LGPL-2.1-only", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0-only WITH GCC-exception-3.1", False),
        ("MIT OR GPL-3.0-only AND GPL-2.0-only", True),
        ("Apache-2.0 AND", False),
        ("(MIT", False),
        ("MIT)", False),
        ("MIT GPL-3.0-only", False),
        ("Some words of their own", False),
        ("", False),
    ],
)
def test_an_expression_is_read_as_spdx_means_it(expression: str, allowed: bool) -> None:
    assert permitted(expression) is allowed


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["License-Expression: MIT OR Apache-2.0", "License: GPL"], "MIT OR Apache-2.0"),
        (["License: Apache 2.0 License"], "Apache-2.0"),
        (["License: GPLv3"], "GPLv3"),
        (["Classifier: License :: OSI Approved :: MIT License"], "MIT"),
        (["Classifier: License :: OSI Approved"], ""),
        (
            [
                "Classifier: License :: OSI Approved :: MIT License",
                "Classifier: License :: OSI Approved :: GNU Affero General Public License v3",
            ],
            "MIT AND GNU Affero General Public License v3",
        ),
        ([], ""),
    ],
)
def test_newer_metadata_goes_before_older(tmp_path: Path, lines: list[str], said: str) -> None:
    assert licence(package(tmp_path, "thing", *lines)) == said


def test_a_gpl_package_deep_in_the_closure_is_refused_by_name(tmp_path: Path) -> None:
    made = {
        "root": package(tmp_path, "root", "License-Expression: MIT", "Requires-Dist: middle[sound]", "Requires-Dist: tool; extra == 'dev'"),
        "middle": package(tmp_path, "middle", "License-Expression: MIT", "Requires-Dist: deep; extra == 'sound'", "Requires-Dist: root"),
        "deep": package(tmp_path, "deep", "License-Expression: GPL-3.0-only"),
        "tool": package(tmp_path, "tool", "License-Expression: AGPL-3.0-only"),
    }

    def find(name: str) -> Distribution:
        if name not in made:
            raise PackageNotFoundError(name)
        return made[name]

    packages = closure(["root>=0.5"], find)
    assert sorted(packages) == ["deep", "middle", "root"]
    (sentence,) = problems(packages)
    assert sentence.startswith("deep 1.0 is under GPL-3.0-only: ")


def test_a_package_that_says_nothing_is_refused_unless_it_is_named_with_a_reason(tmp_path: Path) -> None:
    (sentence,) = problems({"silent": package(tmp_path, "silent"), "resvg-py": package(tmp_path, "resvg-py")})
    assert sentence.startswith("silent 1.0 does not say its licence: ")


def test_what_the_studio_needs_may_ship_with_it() -> None:
    packages = closure(roots(ROOT / "requirements.txt"))
    assert {"gradio", "torch", "jinja2", "xllamacpp"} <= set(packages)
    assert "pytest" not in packages
    assert problems(packages) == []


def test_the_notice_names_every_icon_set_that_ships() -> None:
    sets = json.loads((ROOT / "assets/icons/library.json").read_text("utf-8"))["sets"].values()
    lines = re.findall(r"^    (\S.*?)  +Copyright (?:\(c\) )?(.*?)  +(\S+)$", (ROOT / "NOTICE").read_text("utf-8"), re.MULTILINE)
    named = {title: (author, licence) for title, author, licence in lines}
    assert {one["title"]: (one["author"], one["licence"]) for one in sets}.items() <= named.items()
    assert {one["licence"] for one in sets} <= {"MIT", "Apache-2.0"}
