"""Encodes the words of the icon library with the small writer, so that the starter finds the nearest thing for words it does not know.

    python -m training.icons.features --gguf SmolLM2-135M-Instruct.Q4_1.gguf --library assets/icons --out assets/icons/features.npz

Captions are the library's concepts and the words of its senses. About 10 minutes on two cores; the result is smaller than 1 MB.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from studio.starter.features import Features, Reader, unit
from studio.starter.icons import IconLibrary

DIMENSIONS = 192
BATCH = 32


def main() -> None:
    """1. captions, 2. hidden states, 3. standardise, 4. project and save."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--gguf", type=Path, required=True)
    options.add_argument("--library", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--threads", type=int, default=2)
    arguments = options.parse_args()
    torch.set_num_threads(arguments.threads)

    library = IconLibrary.open(arguments.library)
    captions = sorted({icon.concept for icon in library.icons} | set(library.senses), key=lambda text: (len(text), text))
    reader = Reader.load(arguments.gguf, exact=True)
    states = [state for start in range(0, len(captions), BATCH) for state in reader.states(captions[start : start + BATCH])]
    every = np.concatenate(states)
    mean, deviation = every.mean(0), every.std(0) + 1e-3
    whole = unit(np.stack([((state - mean) / deviation).mean(0) for state in states]))
    _, strengths, directions = np.linalg.svd(whole, full_matrices=False)
    projection = directions[:DIMENSIONS].T
    features = Features(tuple(captions), unit(whole @ projection), mean, deviation, projection)
    features.save(arguments.out)
    kept = float((strengths[:DIMENSIONS] ** 2).sum() / (strengths**2).sum())
    print(f"{len(captions)} captions, {arguments.out.stat().st_size / 1e6:.2f} MB, {kept:.1%} of the variance kept")


if __name__ == "__main__":
    main()
