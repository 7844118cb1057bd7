"""Fetches the scores: music21's wheel from the package index, of which only the corpus is unpacked.

python -m training.composer.corpus FOLDER
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "music21==10.5.1"
_WANTED = ("oneills1850", "ryansMammoth", "airdsAirs", "bach", "license.txt")


def fetch(folder: Path) -> Path:
    """The corpus folder under `folder`, fetched unless it is there."""
    corpus = folder / "music21" / "corpus"
    if not (corpus / "license.txt").exists():
        with tempfile.TemporaryDirectory() as place:
            subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", place, PACKAGE], check=True)
            with zipfile.ZipFile(next(Path(place).glob("*.whl"))) as wheel:
                for name in wheel.namelist():
                    if name.startswith(tuple(f"music21/corpus/{wanted}" for wanted in _WANTED)):
                        wheel.extract(name, folder)
    return corpus


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    print(fetch(parser.parse_args().folder))
