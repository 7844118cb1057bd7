"""Makes files without code of audiocraft's checkpoints, which are pickles: `python -m studio.audiocraft_weights NAME FOLDER`.

NAME is a repository of the Hub, such as facebook/audiogen-medium, or a folder with state_dict.bin and compression_state_dict.bin. FOLDER
then holds safetensors and configurations alone, and a card of the audiocraft engine can name it. The pickles are read without running
code, and never by the studio itself. Knows no card and no engine.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from studio.errors import ModelUnavailable, ModelUnsafe, StudioError

TEXT_ENCODER = "google-t5/t5-base"
CODEC = "facebook/encodec_32khz"
SAFE = ("*.safetensors", "*.json", "*.model")


def convert(source: Path, target: Path) -> bool:
    """Write state_dict.safetensors, audiocraft.json and, where the codec is the checkpoint's own, compression_state_dict.safetensors.

    Returns whether the codec is not among them, but a model of its own. Raises ModelUnsafe for files that hold more than weights.
    """
    from omegaconf import OmegaConf
    from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType] (its path type is left open)

    target.mkdir(parents=True, exist_ok=True)
    known: dict[str, Any] = {}
    for file, part in (("state_dict", "lm"), ("compression_state_dict", "codec")):
        kept = _read(source / f"{file}.bin")
        if "pretrained" in kept:
            continue
        state = cast("Mapping[str, Any]", kept["best_state"])
        save_file({name: value.detach().clone().contiguous() for name, value in state.items()}, target / f"{file}.safetensors")
        known[part] = OmegaConf.to_container(OmegaConf.create(str(kept["xp.cfg"])), resolve=False)
    (target / "audiocraft.json").write_text(json.dumps(known, indent=1), "utf-8")
    return "codec" not in known


def main(name: str, folder: str) -> None:
    """The command."""
    source, target = Path(name).expanduser(), Path(folder).expanduser()
    if not source.is_dir():
        source = _fetched(name, ("state_dict.bin", "compression_state_dict.bin"))
    wanted = {"t5": TEXT_ENCODER} | ({"encodec": CODEC} if convert(source, target) else {})
    for part, repo in wanted.items():
        if not (target / part).is_dir():
            _fetched(repo, SAFE, target / part)
    sys.stdout.write(f"{target} is ready: name it on a card of the audiocraft engine.\n")


def _fetched(repo: str, files: tuple[str, ...], target: Path | None = None) -> Path:
    hub: Any = importlib.import_module("huggingface_hub")
    return Path(str(hub.snapshot_download(repo, allow_patterns=list(files), local_dir=target)))


def _read(file: Path) -> Mapping[str, Any]:
    """A checkpoint's values. torch's restricted unpickler builds tensors and plain containers alone."""
    import pickle

    import torch

    if not file.is_file():
        raise ModelUnavailable(f"{file.name} is missing: name a folder with state_dict.bin and compression_state_dict.bin.")
    try:
        kept: object = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError) as error:
        raise ModelUnsafe(f"{file.name} holds more than weights, or is damaged, and was refused; fetch it again.") from error
    entries = cast("Mapping[str, Any]", kept if isinstance(kept, Mapping) else {})
    if "pretrained" not in entries and not {"best_state", "xp.cfg"} <= set(entries):
        raise ModelUnavailable(f"{file.name} is no checkpoint that audiocraft exported; choose another.")
    return entries


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("python -m studio.audiocraft_weights NAME FOLDER")
    try:
        main(*sys.argv[1:])
    except StudioError as refused:
        sys.exit(str(refused))
