"""What a model file may hold, and what is refused in one sentence."""

from __future__ import annotations

import json
import pickle
import struct
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save, save_file

from studio.errors import ModelUnavailable, ModelUnsafe
from studio.weights import inspect, missing_part, tensors, weight_bytes

WEIGHTS = {"a": np.zeros((3, 4), np.float32), "b": np.ones((5,), np.float16)}


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this pickle ran",)


def raw_safetensors(path: Path, header: bytes, data: bytes = b"") -> Path:
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


def diffusers_folder(folder: Path) -> Path:
    (folder / "unet").mkdir(parents=True)
    (folder / "scheduler").mkdir()
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "scheduler": ["diffusers", "DDIMScheduler"],
    }
    (folder / "model_index.json").write_text(json.dumps(index | {"safety_checker": [None, None], "requires_safety_checker": False}))
    (folder / "unet" / "config.json").write_text("{}")
    (folder / "scheduler" / "scheduler_config.json").write_text("{}")
    save_file(WEIGHTS, folder / "unet" / "diffusion_pytorch_model.safetensors")
    return folder


def refusal(path: Path, **options: bool) -> str:
    with pytest.raises(ModelUnsafe) as caught:
        inspect(path, **options)
    return str(caught.value)


def test_a_whole_folder_passes(tmp_path: Path) -> None:
    folder = diffusers_folder(tmp_path / "model")
    inspect(folder)
    assert missing_part(folder) == ""


def test_weights_are_counted_without_loading_them(tmp_path: Path) -> None:
    folder = diffusers_folder(tmp_path / "model")
    (folder / "more.gguf").write_bytes(b"GGUF" + bytes(100))
    assert weight_bytes(folder / "unet") == 3 * 4 * 4 + 5 * 2
    assert weight_bytes(folder) == 58 + 104
    assert tensors(folder / "unet" / "diffusion_pytorch_model.safetensors")["a"].shape == (3, 4)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", ["model.bin", "model.pkl", "model.safetensors", "model.SAFETENSORS", "weights", "model.gguf"])
def test_a_pickle_is_refused_whatever_its_name(tmp_path: Path, protocol: int, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Evil(), protocol))
    assert "could run code" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["model.pt", "model.bin", "model.safetensors"])
@pytest.mark.parametrize("legacy", [False, True])
def test_files_that_torch_saved_are_refused(tmp_path: Path, name: str, legacy: bool) -> None:
    import torch

    torch.save({"a": torch.zeros(3)}, tmp_path / name, _use_new_zipfile_serialization=not legacy)
    assert refusal(tmp_path).endswith("use the .safetensors version of the model.")


def test_a_text_pickle_is_refused_by_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "old.pkl").write_bytes(pickle.dumps(Evil(), 0))
    assert "could run code" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["modeling_evil.py", "sub/native.so"])
def test_programs_in_a_folder_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("pass")
    assert name in refusal(tmp_path)


BROKEN_HEADERS: dict[str, tuple[bytes, bytes]] = {
    "no JSON": (b"{oops}", b""),
    "an array": (b"[]", b""),
    "overlap": (b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}', bytes(6)),
    "a hole": (b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}', bytes(4)),
    "short data": (b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}', bytes(8)),
    "extra data": (b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}', bytes(8)),
    "shape against bytes": (b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,8]}}', bytes(8)),
    "a huge shape": (b'{"a":{"dtype":"F32","shape":[1208925819614629174706176],"data_offsets":[0,8]}}', bytes(8)),
    "negative": (b'{"a":{"dtype":"U8","shape":[-2],"data_offsets":[0,2]}}', bytes(2)),
    "backwards": (b'{"a":{"dtype":"X1","shape":[],"data_offsets":[0,-2]}}', bytes(2)),
    "a name twice": (
        b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}',
        bytes(2),
    ),
    "deep": (b"[" * 50_000, b""),
}


@pytest.mark.parametrize("case", BROKEN_HEADERS)
def test_a_broken_header_is_refused(tmp_path: Path, case: str) -> None:
    assert "damaged" in refusal(raw_safetensors(tmp_path / "x.safetensors", *BROKEN_HEADERS[case]))


@pytest.mark.parametrize("data", [b"", b"abc", struct.pack("<Q", 2**60) + b"{}", struct.pack("<Q", 50) + b"{}"])
def test_a_length_beyond_the_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(data)
    assert "damaged" in refusal(tmp_path)


@settings(max_examples=150, deadline=None)
@example(place=24, flip=1, cut=0)  # a number format that does not exist
@given(place=st.integers(0, 200), flip=st.integers(0, 255), cut=st.integers(0, 2))
def test_a_changed_or_cut_file_passes_only_if_the_format_itself_takes_it(place: int, flip: int, cut: int) -> None:
    from safetensors import SafetensorError, safe_open

    data = bytearray(save(WEIGHTS))
    data[place % len(data)] ^= flip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        path.write_bytes(data[: len(data) - cut])
        try:
            inspect(path)
        except ModelUnsafe:
            return
        try:
            with safe_open(path, "np") as opened:
                assert set(opened.keys()) == set(tensors(path))
        except SafetensorError as error:
            pytest.fail(f"we took what the format's own reader refuses: {error}")


def test_a_gguf_file_needs_its_magic(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGML" + bytes(60))
    assert "GGUF" in refusal(tmp_path / "x.gguf")
    (tmp_path / "x.gguf").write_bytes(b"GGUF\3\0\0\0" + bytes(60))
    inspect(tmp_path / "x.gguf")


UNSAFE_CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "auto_map": ("config.json", {"auto_map": {"AutoModel": "modeling.Evil"}}),
    "nested auto_map": ("config.json", {"text_config": {"auto_map": {"AutoModel": "modeling.Evil"}}}),
    "tokenizer": ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["a.B", None]}}),
    "kernel": ("config.json", {"_attn_implementation_internal": "someone/kernel"}),
    "kernel in words": ("config.json", {"attn_implementation": "someone/kernel:function"}),
    "kernel by part": ("config.json", {"_attn_implementation": {"text": "someone/kernel"}}),
    "os.system": ("model_index.json", {"_class_name": "P", "unet": ["os", "system"]}),
    "own module": ("model_index.json", {"_class_name": "P", "unet": ["my_unet", "MyUNet"]}),
    "a path": ("model_index.json", {"_class_name": "P", "unet": ["../evil", "MyUNet"]}),
    "own pipeline": ("model_index.json", {"_class_name": ["pipeline", "Mine"]}),
    "pipelines": ("config.json", {"custom_pipelines": {"x": {}}}),
}


@pytest.mark.parametrize("case", UNSAFE_CONFIGS)
def test_a_configuration_that_asks_for_other_code_is_refused(tmp_path: Path, case: str) -> None:
    name, config = UNSAFE_CONFIGS[case]
    (tmp_path / name).write_text(json.dumps(config))
    assert "asks for code" in refusal(tmp_path)


def test_usual_configurations_pass(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"_attn_implementation_autoset": True, "_attn_implementation": "sdpa"}))
    (tmp_path / "vocab.json").write_text(json.dumps({"auto_map": 3}))
    checker = {"_class_name": "StableDiffusionPipeline", "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"]}
    (tmp_path / "model_index.json").write_text(json.dumps(checker))
    inspect(tmp_path)


def test_an_auto_map_passes_where_its_code_is_kept_out(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "modeling.X"}}))
    inspect(tmp_path, remote_code_kept_out=True)
    (tmp_path / "config.json").write_text(json.dumps({"_attn_implementation": "someone/kernel"}))
    assert "asks for code" in refusal(tmp_path, remote_code_kept_out=True)


@pytest.mark.parametrize("shard", ["../x.safetensors", "/etc/passwd", "..\\x", "C:\\x", "a/../../x", 7])
def test_a_shard_outside_the_folder_is_refused(tmp_path: Path, shard: object) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
    assert "outside its folder" in refusal(tmp_path)


@pytest.mark.parametrize("text", ["{", "[1]", "\udcff", "[" * 100_000])
def test_a_damaged_configuration_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert "config.json" in refusal(tmp_path)


def test_a_single_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert ".safetensors" in refusal(tmp_path / "notes.txt")
    with pytest.raises(ModelUnavailable):
        inspect(tmp_path / "nowhere")


def test_missing_parts_are_named(tmp_path: Path) -> None:
    folder = diffusers_folder(tmp_path / "model")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    assert missing_part(folder) == "unet"
    save_file(WEIGHTS, folder / "unet" / "diffusion_pytorch_model.safetensors")
    (folder / "scheduler" / "config.json").write_text("{}")
    assert missing_part(folder) == "", "a scheduler has no weights"
    (folder / "scheduler" / "config.json").unlink()
    (folder / "scheduler" / "scheduler_config.json").unlink()
    (folder / "scheduler").rmdir()
    assert missing_part(folder) == "scheduler"
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "config.json").write_text("{}")
    assert "weights" in missing_part(plain)
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (plain / "model.safetensors.index.json").write_text(json.dumps(index))
    save_file(WEIGHTS, plain / "model-00001-of-00002.safetensors")
    assert "weights" in missing_part(plain)
    save_file(WEIGHTS, plain / "model-00002-of-00002.safetensors")
    assert missing_part(plain) == ""


def test_a_link_that_leads_nowhere_counts_as_missing(tmp_path: Path) -> None:
    folder = diffusers_folder(tmp_path / "model")
    (folder / "unet" / "extra.json").symlink_to(tmp_path / "gone")
    assert missing_part(folder) == "unet/extra.json"


def test_an_ordinary_zip_beside_the_weights_is_no_pickle(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "model.safetensors")
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.writestr("a.png", b"")
    inspect(tmp_path)
    with zipfile.ZipFile(tmp_path / "pictures.zip", "a") as archive:
        archive.writestr("archive/data.pkl", b"")
    assert "pictures.zip" in refusal(tmp_path)
