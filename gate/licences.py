"""Refuses a runtime package whose licence an Apache-2.0 product may not carry, or that does not say its licence.

`python -m gate.licences` walks from the names in requirements.txt through everything they need here and now. It reads what packages say
about themselves (core metadata 2.4: the SPDX `License-Expression`, else the older `License` field and trove classifiers) and the
reasoned exceptions below; it knows nothing of tools that only develop or test.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# SPDX identifiers. MPL-2.0 and the LLVM exception bind their own files alone.
PERMITTED = frozenset(
    """0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0 CC0-1.0 CNRI-Python HPND ISC MIT MIT-0 MIT-CMU MPL-2.0 PSF-2.0 Python-2.0
    Unlicense WTFPL Zlib""".split()
)

# What older metadata says in place of an identifier, in lower case.
OLDER_WORDS = {
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}

# Packages (patterns of names) that do not say it in their metadata, or that are let through: each with its reason.
EXCEPTIONS = {
    "resvg-py": "MIT by the LICENSE file in its wheel, which its metadata does not name; the resvg inside is MPL-2.0 or Apache-2.0 OR MIT",
    "nvidia-*": "NVIDIA's CUDA libraries: they come from NVIDIA with a CUDA build of torch, to users who choose one; no part of Atelier",
    "cuda-*": "as nvidia-*",
}


def closure(names: Iterable[str], find: Callable[[str], Distribution] = distribution) -> dict[str, Distribution]:
    """The distributions behind `names` (requirement lines) and all they need in this environment, by canonical name.

    Raises PackageNotFoundError for a root that is not installed; an optional need that is not installed is not shipped and is passed over.
    """
    roots = [Requirement(name) for name in names]
    found: dict[str, Distribution] = {canonicalize_name(root.name): find(root.name) for root in roots}
    waiting: list[tuple[str, frozenset[str]]] = [(canonicalize_name(root.name), frozenset(root.extras)) for root in roots]
    walked: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in walked:
            continue
        walked.add((name, extras))
        for need in map(Requirement, found[name].requires or ()):
            if need.marker is not None and not any(need.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
                continue
            key = canonicalize_name(need.name)
            try:
                found.setdefault(key, find(need.name))
            except PackageNotFoundError:
                continue
            waiting.append((key, frozenset(need.extras)))
    return found


def licence(package: Distribution) -> str:
    """What the package says: an SPDX expression where one can be made of it, else its own words; '' when it says nothing."""
    said = package.metadata
    if "License-Expression" in said:
        return str(said["License-Expression"]).strip()
    field = str(said["License"]).strip() if "License" in said else ""
    if field and "\n" not in field:
        return OLDER_WORDS.get(field.lower(), field)
    classifiers = [str(line) for line in said.get_all("Classifier", [])]
    words = [line.rpartition("::")[2].strip() for line in classifiers if line.startswith("License ::") and line.count("::") > 1]
    return " AND ".join(OLDER_WORDS.get(word.lower(), word) for word in words)


def permitted(expression: str) -> bool:
    """Whether an SPDX licence expression (SPDX 2.3, annex D) leaves a way to comply with permitted licences alone."""
    tokens = re.findall(r"[()]|[\w.+-]+", expression)
    if not tokens:
        return False
    try:
        allowed, rest = _either(tokens)
    except IndexError:  # it ends in the middle
        return False
    return allowed and not rest


def problems(packages: dict[str, Distribution]) -> list[str]:
    """One sentence for each package that may not ship."""
    found: list[str] = []
    for name, package in sorted(packages.items()):
        said = licence(package)
        if not permitted(said) and not any(fnmatch(name, pattern) for pattern in EXCEPTIONS):
            what = f"is under {said}" if said else "does not say its licence"
            found.append(f"{name} {package.version} {what}: leave it out, or add it to gate/licences.py with the reason why it may stay.")
    return found


def roots(requirements: Path) -> list[str]:
    """The requirement lines of a requirements file, without comments."""
    lines = (line.partition("#")[0].strip() for line in requirements.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def _either(tokens: list[str]) -> tuple[bool, list[str]]:
    allowed, rest = _both(tokens)
    while rest and rest[0].upper() == "OR":
        more, rest = _both(rest[1:])
        allowed = allowed or more
    return allowed, rest


def _both(tokens: list[str]) -> tuple[bool, list[str]]:
    allowed, rest = _one(tokens)
    while rest and rest[0].upper() == "AND":
        more, rest = _one(rest[1:])
        allowed = allowed and more
    return allowed, rest


def _one(tokens: list[str]) -> tuple[bool, list[str]]:
    if tokens[0] == "(":
        allowed, rest = _either(tokens[1:])
        return allowed and rest[0] == ")", rest[1:]
    if tokens[1:2] == ["WITH"]:  # an exception only ever permits more
        return tokens[0] in PERMITTED, tokens[3:]
    return tokens[0] in PERMITTED, tokens[1:]


def main() -> int:
    """Print what may not ship; the exit status is 1 if anything may not."""
    packages = closure(roots(Path(__file__).parent.parent / "requirements.txt"))
    found = problems(packages)
    for sentence in found:
        print(sentence)
    if not found:
        print(f"Licences: the {len(packages)} runtime packages may ship with an Apache-2.0 product.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
