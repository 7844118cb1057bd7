"""`python -m benchmarks`: the claims of speed and memory on this machine, each script in a process of its own, one after the other.

The rest (writing, music, the library, evaluations over many texts, pictures and tunes) runs with `--all`. `--only NAME` runs one
script, `--write` keeps what each printed in docs/bench.md, where those of other scripts stay. Exit status 1 if a script said that a claim
is missed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "bench.md"
TITLE = "# What was timed\n\nBy `make bench`: every script prints its claims beside its peers, all of a line from one run.\n"

USUAL: Mapping[str, Sequence[str]] = {
    "first_page": (),
    "residency": (),
    "cpu": ("--rounds", "2"),
    "inpainting": (),
    "gpu": (),
}
"""What is kept in memory, what a change of models costs, and how quick pictures are: in the order in which they run, with what each is
told. About ten minutes of two quiet cores."""
LONG: Mapping[str, Sequence[str]] = {
    "path": (),
    "writing": (),
    "writing_cache": (),
    "writing_gguf_cache": (),
    "samplers": (),
    "library": (),
    "seams": (),
    "musicgen": (),
    "composing": (),
    "enhance_prompts": (),
    "retrieval": (),
    "citations": (),
    "watermark": (),
    "textmark": ("people",),
    "repetition": (),
    "structured": (),
}
"""Those of `--all`."""


def main() -> int:
    """Run them, and say how long each took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the claims of memory and speed.")
    parser.add_argument("--all", action="store_true", help="all the others, too")
    parser.add_argument("--only", choices=(*USUAL, *LONG), help="one script alone")
    parser.add_argument("--write", action="store_true", help="keep what is printed in docs/bench.md")
    options = parser.parse_args()
    chosen = {**USUAL, **LONG}
    if options.only:
        chosen = {options.only: chosen[options.only]}
    elif not options.all:
        chosen = dict(USUAL)
    taken: dict[str, float] = {}
    missed: list[str] = []
    for name, told in chosen.items():
        print(f"\n== {name}", flush=True)
        began = time.perf_counter()
        said, status = run(name, told)
        taken[name] = time.perf_counter() - began
        if status:
            missed.append(name)
        if options.write:
            PAGE.write_text(kept(PAGE.read_text("utf-8") if PAGE.exists() else "", name, said), "utf-8")
    print(f"\n{sum(taken.values()):.0f} s: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in taken.items()))
    if missed:
        print(f"Not as claimed, or not run to the end: {', '.join(missed)}.")
    return 1 if missed else 0


def run(name: str, told: Sequence[str]) -> tuple[str, int]:
    """(what a script printed, its exit status); each line is passed on as it comes."""
    lines: list[str] = []
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *told]
    path = os.pathsep.join((str(ROOT), *filter(None, sys.path[1:])))
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    return "\n".join(lines).strip("\n"), child.returncode


def kept(before: str, name: str, said: str) -> str:
    """The page with what the script `name` printed in its place; that of the others stays."""
    parts = dict(re.findall(r"^## (\S+)\n\n```\n(.*?)\n```$", before, re.MULTILINE | re.DOTALL))
    parts[name] = said.replace("```", "'''")
    return TITLE + "".join(f"\n## {one}\n\n```\n{parts[one]}\n```\n" for one in (*USUAL, *LONG) if one in parts)


if __name__ == "__main__":
    sys.exit(main())
