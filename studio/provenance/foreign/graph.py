"""ComfyUI's two kinds of graph as one: nodes with values and links, from the `prompt` that ran or the `workflow` that was drawn.

In a drawn graph muted nodes are gone, bypassed ones and reroutes are passed through. Knows no meaning of a node but the order of the
values that the usual ones show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from studio.provenance.foreign import loose_json

MUTED, BYPASSED = 2, 4
HOPS = 200
"""The most reroutes and bypassed nodes that one link goes through."""
_SEED = ("seed", "")  # a seed is followed by what happens to it after a run
_SIZE = ("width", "height", "batch_size")
_LORA = ("lora_name", "strength_model", "strength_clip")
SHOWN = {
    "KSampler": (*_SEED, "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": (
        *("add_noise", "noise_seed", "", "steps", "cfg", "sampler_name", "scheduler"),
        *("start_at_step", "end_at_step", "return_with_leftover_noise"),
    ),
    "SamplerCustom": ("add_noise", "noise_seed", "", "cfg"),
    "CLIPTextEncode": ("text",),
    "CLIPTextEncodeSDXL": ("width", "height", "crop_w", "crop_h", "target_width", "target_height", "text_g", "text_l"),
    "CLIPTextEncodeFlux": ("clip_l", "t5xxl", "guidance"),
    "EmptyLatentImage": _SIZE,
    "EmptySD3LatentImage": _SIZE,
    "EmptyFlux2LatentImage": _SIZE,
    "LatentUpscale": ("upscale_method", "width", "height", "crop"),
    "LatentUpscaleBy": ("upscale_method", "scale_by"),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "UNETLoader": ("unet_name", "weight_dtype"),
    "UnetLoaderGGUF": ("unet_name",),
    "LoraLoader": _LORA,
    "LoraLoaderModelOnly": _LORA[:2],
    "VAELoader": ("vae_name",),
    "CLIPLoader": ("clip_name", "type", "device"),
    "DualCLIPLoader": ("clip_name1", "clip_name2", "type", "device"),
    "CLIPSetLastLayer": ("stop_at_clip_layer",),
    "ControlNetLoader": ("control_net_name",),
    "ControlNetApply": ("strength",),
    "ControlNetApplyAdvanced": ("strength", "start_percent", "end_percent"),
    "LoadImage": ("image", ""),
    "SaveImage": ("filename_prefix",),
    "RandomNoise": ("noise_seed", ""),
    "KSamplerSelect": ("sampler_name",),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "Flux2Scheduler": ("steps", "width", "height"),
    "FluxGuidance": ("guidance",),
    "CFGGuider": ("cfg",),
    "ModelSamplingSD3": ("shift",),
    "ModelSamplingFlux": ("max_shift", "base_shift", "width", "height"),
    "PrimitiveNode": ("value", ""),
}
"""The names of the values that a node shows, top to bottom; '' is for the page alone."""


@dataclass(frozen=True)
class Link:
    """What comes out of a node at one of its slots."""

    node: str
    slot: int


@dataclass(frozen=True)
class Node:
    """`inputs` are values or links by name."""

    id: str
    type: str
    inputs: Mapping[str, object]

    def links(self) -> Iterator[tuple[str, Link]]:
        """The inputs that come from other nodes."""
        return ((name, value) for name, value in self.inputs.items() if isinstance(value, Link))

    def values(self) -> Iterator[tuple[str, str | int | float | bool]]:
        """The inputs that are plain values."""
        return ((name, value) for name, value in self.inputs.items() if isinstance(value, str | int | float))


Graph = Mapping[str, Node]


def of_prompt(values: Mapping[str, object]) -> Graph:
    """The graph that ran. Empty where `values` is none."""
    nodes: dict[str, Node] = {}
    for name, value in values.items():
        about = loose_json.inner(value)
        if isinstance(kind := about.get("class_type"), str):
            inputs = {key: _link(one) or one for key, one in loose_json.inner(about.get("inputs")).items()}
            nodes[name] = Node(name, kind[:100], inputs)
    return nodes


def of_workflow(values: Mapping[str, object]) -> Graph:
    """The graph that was drawn. Empty where `values` is none."""
    tables = {str(about.get("id"))[:20]: about for about in loose_json.tables(values.get("nodes"))}
    origins = dict(_origins(values.get("links")))
    nodes: dict[str, Node] = {}
    for name, about in tables.items():
        if about.get("mode") in (MUTED, BYPASSED) or not isinstance(kind := about.get("type"), str) or _passes(about):
            continue
        inputs = _shown(kind, about.get("widgets_values"))
        for one in loose_json.tables(about.get("inputs")):
            link = _source(one.get("link"), tables, origins)
            if link is not None:
                inputs[str(one.get("name"))[:100]] = link
        nodes[name] = Node(name, kind[:100], inputs)
    return nodes


def switched_off(values: Mapping[str, object]) -> int:
    """How many nodes of a drawn graph are muted or bypassed."""
    return sum(about.get("mode") in (MUTED, BYPASSED) for about in loose_json.tables(values.get("nodes")))


def upstream(graph: Graph, start: str) -> list[Node]:
    """Everything that leads to a node, nearest first, the node itself at the beginning. Each node once, whatever cycles there are."""
    seen, order = {start}, [start]
    for name in order:  # grows while it is walked
        node = graph.get(name)
        for _, link in node.links() if node else ():
            if link.node not in seen:
                seen.add(link.node)
                order.append(link.node)
    return [graph[name] for name in order if name in graph]


def _link(value: object) -> Link | None:
    if not isinstance(value, list) or len(parts := cast("list[object]", value)) != 2:
        return None
    node, slot = parts
    if isinstance(node, str | int) and isinstance(slot, int) and not isinstance(slot, bool):
        return Link(str(node)[:20], slot)
    return None


def _origins(links: object) -> Iterator[tuple[str, Link]]:
    """Each link by its number: [number, node, slot, ...] or {"id", "origin_id", "origin_slot", ...}."""
    for one in loose_json.parts(links):
        if len(parts := loose_json.parts(one)) >= 3:
            number, node, slot = parts[:3]
        else:
            about = loose_json.inner(one)
            number, node, slot = about.get("id"), about.get("origin_id"), about.get("origin_slot")
        if isinstance(slot, int):
            yield str(number)[:20], Link(str(node)[:20], slot)


def _passes(about: Mapping[str, object]) -> bool:
    return "reroute" in str(about.get("type"))[:100].casefold()


def _source(number: object, tables: Mapping[str, dict[str, object]], origins: Mapping[str, Link]) -> Link | None:
    """Where a link comes from in the end; None for a missing or muted node and for a circle of reroutes."""
    for _ in range(HOPS if number is not None else 0):
        link = origins.get(str(number)[:20])
        about = tables.get(link.node) if link else None
        if link is None or about is None or about.get("mode") == MUTED:
            return None
        bypassed = about.get("mode") == BYPASSED
        if not bypassed and not _passes(about):
            return link
        inputs = loose_json.tables(about.get("inputs"))
        if bypassed:
            outputs = loose_json.tables(about.get("outputs"))
            wanted = outputs[link.slot].get("type") if 0 <= link.slot < len(outputs) else None
            inputs = [one for one in inputs if one.get("type") == wanted]
        number = inputs[0].get("link") if inputs else None
        if number is None:
            return None
    return None


def _shown(kind: str, values: object) -> dict[str, object]:
    """The values that a node shows, by name where its kind is known, else by number."""
    if isinstance(values, dict):
        return dict(cast("dict[str, object]", values))
    if not isinstance(values, list):
        return {}
    names = SHOWN.get(kind, ())
    found = cast("list[object]", values)[:100]
    named = ((names[place] if place < len(names) else f"value {place + 1}", value) for place, value in enumerate(found))
    return {name: value for name, value in named if name}
