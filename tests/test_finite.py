"""finite.py: weights that are no numbers are refused by name before anything runs, once for each state of a file."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from studio import finite
from studio.creations import Preview, Progress
from studio.errors import Cancelled, ModelUnsafe
from studio.models import ModelCard

SIZES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "F8_E5M2": "<u1", "F8_E4M3": "<u1", "I64": "<i8", "U8": "<u1"}
NOT_A_NUMBER: dict[str, Any] = {"F64": np.nan, "F32": -np.inf, "F16": np.inf, "BF16": 0x7FC0, "F8_E5M2": 0xFF, "F8_E4M3": 0xFF}
LARGEST: dict[str, Any] = {
    "F64": 1e308,
    "F32": -3.4e38,
    "F16": 65504,
    "BF16": 0xFF7F,
    "F8_E5M2": 0x7B,
    "F8_E4M3": 0x7E,
    "I64": -1,
    "U8": 255,
}


def write(file: Path, values: dict[str, tuple[str, NDArray[Any]]]) -> Path:
    header: dict[str, Any] = {}
    body = b""
    for name, (dtype, array) in values.items():
        data = array.astype(SIZES[dtype]).tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return file


def filled(dtype: str, value: Any, size: int = 3000) -> NDArray[Any]:
    array = np.zeros(size, SIZES[dtype])
    array[-1] = value
    return array


def nothing(event: Progress | Preview) -> None:
    assert isinstance(event, Progress)


@pytest.mark.parametrize("dtype", NOT_A_NUMBER)
def test_what_is_no_number_is_found_in_every_format(tmp_path: Path, dtype: str) -> None:
    good = ("F32", np.ones(7))
    file = write(tmp_path / "model.safetensors", {"first": good, "blocks.3.weight": (dtype, filled(dtype, NOT_A_NUMBER[dtype])), "z": good})
    with pytest.raises(
        ModelUnsafe, match=r"^model\.safetensors holds weights that are no numbers \(in blocks\.3\.weight\) and was refused"
    ):
        finite.check(file, nothing)


@pytest.mark.parametrize("dtype", LARGEST)
def test_the_largest_numbers_pass_in_every_format(tmp_path: Path, dtype: str) -> None:
    finite.check(
        write(tmp_path / "model.safetensors", {"w": (dtype, filled(dtype, LARGEST[dtype])), "none": ("F32", np.zeros(0))}), nothing
    )


def test_numbers_beyond_the_first_stretch_are_read_too(tmp_path: Path) -> None:
    file = write(tmp_path / "big.safetensors", {"w": ("F16", filled("F16", np.nan, finite.STRETCH))})
    with pytest.raises(ModelUnsafe):
        finite.check(file, nothing)


def test_a_mask_may_hold_infinity_but_nothing_worse(tmp_path: Path) -> None:
    for dtype, infinity, worse in (("F32", -np.inf, np.nan), ("BF16", 0xFF80, 0xFFC0)):
        finite.check(write(tmp_path / "a.safetensors", {"text.attn_mask": (dtype, filled(dtype, infinity))}), nothing)
        with pytest.raises(ModelUnsafe):
            finite.check(write(tmp_path / "b.safetensors", {"text.attn_mask": (dtype, filled(dtype, worse))}), nothing)


def test_every_part_of_a_folder_is_read_and_told_of(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    write(tmp_path / "a.safetensors", {"w": ("F32", np.ones(100_000))})
    write(tmp_path / "unet" / "b.safetensors", {"w": ("F32", np.ones(300_000))})
    (tmp_path / "weights.gguf").write_bytes(b"GGUF" + bytes(100))
    told: list[Progress] = []
    finite.check(tmp_path, lambda event: told.append(event) if isinstance(event, Progress) else None)
    size = sum(file.stat().st_size for file in tmp_path.rglob("*.safetensors"))
    assert [event.done for event in told] == sorted(event.done for event in told)
    assert (told[-1].done, told[-1].total, told[-1].note) == (size, size, "checking b.safetensors")
    write(tmp_path / "unet" / "b.safetensors", {"w": ("F32", filled("F32", np.nan))})
    with pytest.raises(ModelUnsafe, match=r"b\.safetensors"):
        finite.check(tmp_path, nothing)


def test_a_stop_ends_the_reading(tmp_path: Path) -> None:
    def stop(event: Progress | Preview) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        finite.check(write(tmp_path / "a.safetensors", {"w": ("F32", np.ones(9))}), stop)


def test_what_was_read_is_not_read_again_until_it_changes(tmp_path: Path) -> None:
    file = write(tmp_path / "a.safetensors", {"w": ("F32", np.ones(9))})
    card = of(file, {"kind": "file", "path": str(file)})
    told: list[object] = []
    finite.check_once(card, tmp_path / "cache", told.append)
    first = len(told)
    assert first > 0
    finite.check_once(card, tmp_path / "cache", told.append)
    assert len(told) == first
    write(file, {"w": ("F32", filled("F32", np.nan))})
    for _ in range(2):
        with pytest.raises(ModelUnsafe):
            finite.check_once(card, tmp_path / "cache", told.append)


def test_what_ships_with_the_studio_is_not_read(tmp_path: Path) -> None:
    file = write(tmp_path / "a.safetensors", {"w": ("F32", filled("F32", np.nan))})
    finite.check_once(of(file, {"kind": "bundled", "path": "a"}), tmp_path / "cache", nothing)
    assert not (tmp_path / "cache").exists()


def test_companions_of_others_are_read_too(tmp_path: Path) -> None:
    good = write(tmp_path / "a.safetensors", {"w": ("F32", np.ones(9))})
    bad = write(tmp_path / "b.safetensors", {"w": ("F32", filled("F32", np.nan))})
    source = {"kind": "file", "path": str(bad)}
    card = of(good, {"kind": "bundled", "path": "a"}, {"vae": source}).model_copy(update={"companion_files": {"vae": bad, "own": tmp_path}})
    with pytest.raises(ModelUnsafe, match=r"b\.safetensors"):
        finite.check_once(card, tmp_path / "cache", nothing)


def of(file: Path, source: dict[str, Any], companions: dict[str, Any] | None = None) -> ModelCard:
    about = {
        "name": "Painter",
        "engine": "diffusion",
        "serves": ("text_to_image",),
        "licence": "MIT",
        "commercial": True,
        "summary": "Paints.",
    }
    return ModelCard.model_validate({**about, "source": source, "companions": companions or {}}).model_copy(update={"files": file})
