"""What a diffusers pipeline is made of, read from its folder: its class, its parts, and the components they become.

Knows no task; it reads configurations and headers, and weights only when a component is loaded.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio import components
from studio.creations import Report
from studio.device import Device
from studio.engines import _economies
from studio.errors import ModelUnavailable, ModelUnsafe
from studio.manager import Component
from studio.models import ModelCard, SingleFile

LEFT_OUT = {"safety_checker", "feature_extractor", "image_encoder", "pe", "pe_tokenizer"}
"""Parts that text-to-image does not need; what may be shown is for the studio's rules to say."""
READERS = ("text_encoder", "text_encoder_2", "text_encoder_3")
"""Roles of text encoders."""
NEEDED = {"scheduler", "vae", "unet", "transformer", "text_encoder", "tokenizer"}


@dataclass(frozen=True)
class Layout:
    """What a model index says: the pipeline's class, its parts as (library, class) by role, roles without a part, plain settings."""

    pipeline: Any
    parts: Mapping[str, tuple[str, str]]
    absent: tuple[str, ...]
    settings: Mapping[str, Any]


def layout(card: ModelCard, folder: Path, named: str = "") -> Layout:
    """Read `folder`/model_index.json; `named` overrides the class it names. Raises ModelUnavailable and ModelUnsafe."""
    index = components.read_json(card, folder / "model_index.json")
    pipeline = components.class_of(card, "diffusers", named or str(index.get("_class_name")))
    offered = {name: p for name, p in inspect.signature(pipeline.__init__).parameters.items() if name != "self"}
    if "prompt" not in inspect.signature(pipeline.__call__).parameters or not {"scheduler", "vae"} <= set(offered):
        raise ModelUnavailable(f"{card.name} makes no pictures from words with {pipeline.__name__}; choose another model.")
    parts: dict[str, tuple[str, str]] = {}
    absent: list[str] = []
    settings: dict[str, Any] = {"requires_safety_checker": False, "add_watermarker": False}
    for role, parameter in offered.items():
        entry = index.get(role)
        if isinstance(entry, list):
            if len(entry) == 2 and entry[0] is not None and role not in LEFT_OUT:
                parts[role] = (str(entry[0]), str(entry[1]))
        elif role in index:
            settings.setdefault(role, entry)
        if role not in parts and parameter.default is inspect.Parameter.empty:
            absent.append(role)
    lost = sorted(NEEDED & set(absent) - set(getattr(pipeline, "_optional_components", ())))
    if lost:
        raise ModelUnavailable(f"{card.name} lacks its {lost[0]}; fetch the model again.")
    return Layout(pipeline, parts, tuple(absent), {name: value for name, value in settings.items() if name in offered})


def takes_masks(card: ModelCard, folder: Path) -> bool:
    """Whether the denoiser in `folder` reads a mask and a masked picture beside its latents, as inpainting models do."""
    for role in ("unet", "transformer"):
        if (folder / role / "config.json").is_file():
            config = components.read_json(card, folder / role / "config.json")
            inner, outer, patch = (config.get(name) for name in ("in_channels", "out_channels", "patch_size"))
            if not isinstance(inner, int) or not isinstance(outer, int):
                return False
            packed = isinstance(patch, int) and inner == outer * patch**2  # patches come in as channels, and go out as places
            return inner > 2 * outer and not packed
    return False


def savings(card: ModelCard, found: Layout) -> dict[str, bool]:
    """What its classes can do to save memory: `tiles`, the decoder in tiles; `halves`, guidance in two halves."""
    vae = components.class_of(card, *found.parts["vae"])
    denoisers = {found.parts[role][1] for role in ("unet", "transformer") if role in found.parts}
    return {"tiles": hasattr(vae, "tiled_decode"), "halves": bool(denoisers & set(_economies.HALVED))}


def weights_of(card: ModelCard, found: Layout, variant: str | None) -> dict[str, components.Weights]:
    """The weight files of each part of a folder that has some, by role; none for a single file. Raises ModelUnavailable for a lost part."""
    folder = components.files_of(card)
    if folder.is_file():
        return {}
    for role in found.parts:
        if not (folder / role).is_dir():
            raise ModelUnavailable(f"{card.name} lacks its {role}; fetch the model again.")
    return {
        role: components.find_weights(card, folder / role, variant)
        for role in found.parts
        if (folder / role / "config.json").is_file()
    }  # fmt: skip


def from_folder(card: ModelCard, found: Layout, variant: str | None, dtype: Any, device: Device) -> dict[str, Component]:
    """The parts of a folder as components: `from_weights` of those that `weights_of` finds."""
    return from_weights(card, found, weights_of(card, found, variant), dtype, device)


def from_weights(
    card: ModelCard, found: Layout, weights: Mapping[str, components.Weights], dtype: Any, device: Device
) -> dict[str, Component]:
    """A component for each part with weights, and one, "small", for the rest (tokenizers, scheduler)."""
    folder = components.files_of(card)
    large = {role: components.module(card, one, role, found.parts[role], dtype, device) for role, one in weights.items()}
    small = {role: kind for role, kind in found.parts.items() if role not in large}
    files = [path for role in small for path in sorted((folder / role).iterdir()) if path.is_file()]

    def load(_: Report) -> dict[str, Any]:
        with components.in_words(card):
            _import_ahead(card)
            classes = {role: components.class_of(card, *kind) for role, kind in small.items()}
            return {role: kind.from_pretrained(folder / role, local_files_only=True) for role, kind in classes.items()}

    size = sum(path.stat().st_size for path in files)
    return {**large, "small": Component(components.key(card, files, "small", "text"), size, load)}


def from_file(card: ModelCard, found: Layout, dtype: Any, device: Device) -> dict[str, Component]:
    """All parts out of one safetensors file, as one component."""
    file, config = components.files_of(card), config_folder(card)
    if file.suffix != ".safetensors":
        raise ModelUnsafe(f"{file.name} may hold code; use the .safetensors version of {card.name}.")
    if not hasattr(found.pipeline, "from_single_file"):
        raise ModelUnavailable(f"{found.pipeline.__name__} cannot be read from one file; use the folder of {card.name}.")

    def load(_: Report) -> dict[str, Any]:
        import torch
        from diffusers.loaders.single_file_utils import SingleFileComponentError

        with components.in_words(card):
            _import_ahead(card)
            try:
                pipe = found.pipeline.from_single_file(str(file), config=str(config), local_files_only=True, dtype=dtype)
            except SingleFileComponentError as error:
                raise ModelUnavailable(f"{card.name} is of another kind than its configuration, or lacks a part.") from error
            parts = {role: part for role, part in pipe.components.items() if role in found.parts}
            return {role: components.placed(part, device) if isinstance(part, torch.nn.Module) else part for role, part in parts.items()}

    return {"file": Component(components.key(card, [file], "file", dtype), components.single_file_bytes(file, dtype), load)}


def config_folder(card: ModelCard) -> Path:
    """The folder that says what is in a card's single file. Without one diffusers would ask the Hub."""
    config = card.source.config if isinstance(card.source, SingleFile) else None
    if config is None or not (Path(config) / "model_index.json").is_file():
        raise ModelUnavailable(
            f"{card.name} is one file: name as its `config` a folder with a model_index.json and tokenizers of its kind."
        )
    return Path(config)


def offered(pipe: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the arguments that the pipeline's class takes and that are not None."""
    known = inspect.signature(type(pipe).__call__).parameters
    return {name: value for name, value in wanted.items() if value is not None and name in known}


def assembled(found: Layout, values: Mapping[str, Any], kind: Any = None) -> Any:
    """A pipeline over loaded components, of the layout's class or of `kind`. Its scheduler is a copy, since running changes it.

    A text encoder may be left out where what it would say is known.
    """
    parts = {**dict.fromkeys(READERS), **values, **values.get("small", {}), **values.get("file", {})}
    roles = {role: parts[role] for role in found.parts}
    if "scheduler" in roles:  # some pipelines bring their own
        roles["scheduler"] = type(roles["scheduler"]).from_config(roles["scheduler"].config)
    pipe = (kind or found.pipeline)(**dict.fromkeys(found.absent), **roles, **found.settings)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _import_ahead(card: ModelCard) -> None:
    """What tells which class mends pictures imports 300 modules: while the model loads, not when an artist turns to mending."""
    if "inpaint" in card.serves:
        importlib.import_module("diffusers.pipelines.auto_pipeline")
