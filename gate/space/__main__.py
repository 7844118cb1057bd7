"""`python -m gate.space`: write the folder of a Space, check it, say how it is uploaded. Exit status 1 where something is wrong."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from gate.space import checks, contents
from studio import models
from studio.errors import StudioError
from studio.models import Bundled, ModelCard, Package
from studio.stocking import admitted


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="make space", description="Write the folder of a Hugging Face Space.")
    parser.add_argument("--out", type=Path, default=contents.ROOT / "build" / "space", help="folder to write")
    parser.add_argument("--models", type=Path, help="TOML file with the operator's models, which goes along")
    parser.add_argument("--name", default="OWNER/atelier", help="name of the Space on the Hub")
    parser.add_argument("--login", action="store_true", help="let visitors sign in with an account of the Hub")
    asked = parser.parse_args(arguments)
    try:
        own = admitted(models.read_cards(asked.models)) if asked.models else ()
        names = contents.write(asked.out, own, asked.models, login=asked.login)
    except StudioError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if changed := _changed():
        print(f"{changed} files differ from the last commit and go along as they are now.")
    out = os.path.relpath(asked.out)
    size = sum((asked.out / name).stat().st_size for name in names)
    print(f"{out}: {len(names)} files, {size / 1e6:.1f} MB")
    for card in (*(card for card in models.discover() if card.starter), *own):
        for source in (card.source, *card.companions.values()):
            print(f"{card.name} ({card.licence}): {_comes(card, source)}")
    wrong = checks.problems(asked.out)
    if wrong:
        print("\n".join(wrong))
        return 1
    print("Checked: no secrets, front matter, requirements, licences, sizes, LFS; nothing needs a system package.")
    if asked.models:
        print(f"Set the Space's variable ATELIER_MODELS={contents.MODELS}")
    print(f"hf upload {asked.name} {out} . --repo-type space")
    return 0


def _comes(card: ModelCard, source: object) -> str:
    if isinstance(source, Bundled):
        return "in the folder"
    if isinstance(source, Package):
        return f"fetched at the first start, {source.bytes / 1e6:.0f} MB"
    return f"fetched at the first start{f', {card.download_gb:g} GB' if card.download_gb else ''}"


def _changed() -> int:
    command = ["git", "status", "--porcelain", "--untracked-files=no", *contents.RUNS]
    return len(subprocess.run(command, check=True, cwd=contents.ROOT, capture_output=True, text=True).stdout.splitlines())


if __name__ == "__main__":
    sys.exit(main())
