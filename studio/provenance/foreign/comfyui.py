"""ComfyUI: from the saved picture or sound back along its graph to the sampler, the words, the size and the model that made it.

Carried as PNG texts `prompt` and `workflow`, the same in WebP's Exif, in the tags of FLAC, Opus and MP3, in SVG, or as a file of its own.
Of several samplers the nearest to the saved picture counts. What stands on the way and is not understood is named, node by node.
"""

from __future__ import annotations

from collections.abc import Mapping

from studio.errors import MediaUnreadable
from studio.provenance.foreign import graph as graphs
from studio.provenance.foreign import loose_json, names, words
from studio.provenance.foreign.carried import Carried
from studio.provenance.foreign.graph import Graph, Link, Node
from studio.provenance.foreign.sheet import Foreign, Sheet, shown
from studio.provenance.foreign.tracing import STEPS_BACK, Reading

_TEXTS = ("text", "text_g", "clip_l", "text_l", "t5xxl", "tags", "prompt", "positive_prompt", "string", "value")
_WEIGHTS = ("ckpt_name", "unet_name", "gguf_name", "model_name", "model_path")
_LATENTS = ("latent_image", "latent", "samples", "optional_latent", "latents")
_PASSED = frozenset(
    (
        *("VAEDecode", "VAEDecodeTiled", "VAEDecodeAudio", "VAEEncode", "VAEEncodeForInpaint", "SetLatentNoiseMask", "BasicGuider"),
        *("ConditioningCombine", "ConditioningConcat", "ConditioningZeroOut", "SaveImage", "PreviewImage", "SaveAudio", "PreviewAudio"),
        *("CLIPTextEncode", "KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced", "CFGGuider"),
    )
)
_NEUTRAL: Mapping[str, tuple[object, ...]] = {
    **dict.fromkeys(
        ("add_noise", "return_with_leftover_noise", "weight_dtype", "device", "batch_size"), ("enable", "disable", "default", 1, True)
    ),
    **dict.fromkeys(("start_at_step", "start_percent"), (0,)),
    **dict.fromkeys(("end_at_step", "end_percent"), (10000, 1)),
    **dict.fromkeys(("denoise", "upload", "fps"), (1, "image")),
}
_NO_MATTER = frozenset(
    ("filename_prefix", "control_after_generate", "speak_and_recognation", "format", "quality", "compress_level", "lossless")
)


def read(carried: Carried) -> Foreign | None:
    """The settings in a ComfyUI graph, the one that ran before the one that was drawn."""
    texts = [carried.texts.get("prompt", ""), carried.texts.get("workflow", ""), carried.texts.get("text", ""), *carried.spoken]
    damaged, off = False, 0
    drawn: Graph = {}
    for text in filter(None, texts):
        values = loose_json.attempted(text, "class_type", "nodes")
        if values is None:
            damaged = damaged or (text.lstrip().startswith("{") and '"class_type"' in text)
            continue
        values = {**values, **loose_json.inner(values.get("prompt"))} if "prompt" in values and "nodes" not in values else values
        if ran := graphs.of_prompt(values):
            return _understood(ran)
        if not drawn and (drawn := graphs.of_workflow(values)):
            off = graphs.switched_off(values)
    if drawn:
        found = _understood(drawn)
        return found.with_more((f"{off:,} muted or bypassed nodes had no part in it and were not read.",) if off else ())
    if damaged:
        raise MediaUnreadable("The graph that ComfyUI left in this file is damaged: set the fields by hand.")
    return None


def _understood(graph: Graph) -> Foreign:
    reading = Reading(graph, Sheet("ComfyUI", {}))
    sheet = reading.sheet
    end = _end(graph, sheet)
    way = graphs.upstream(graph, end.id) if end else list(graph.values())
    samplers = [node for node in way if _samples(node)]
    if end is not None and "audio" in end.type.casefold():
        sheet.kind = "music"
    if samplers:
        _sampler(reading, samplers[0])
        for other in samplers[1:]:
            sheet.say(f"Another sampler ({shown(other.type)}, node {shown(other.id)}) works before the last: only that was taken.")
            reading.used.setdefault(other.id, set()).update(name for name, _ in other.values())
        words.cleaned(sheet)
    else:
        sheet.say("This ComfyUI graph has no sampler that is known here: no settings could be restored.")
    _name_the_rest(reading, way)
    if aside := len(graph) - len(way):
        sheet.say(f"{aside:,} {'node does' if aside == 1 else 'nodes do'} not lead to the saved file: left unread.")
    return sheet.done()


def _end(graph: Graph, sheet: Sheet) -> Node | None:
    """The node that saves. A file does not tell which of several it is of."""
    ends = [node for node in graph.values() if any(word in node.type for word in ("Save", "Preview")) and any(node.links())]
    ends.sort(key=lambda node: ("Save" not in node.type, len(node.id), node.id))
    if (saved := sum("Save" in node.type for node in ends)) > 1:
        sheet.say(f"The graph saves {saved} times: what leads to node {shown(ends[0].id)} was taken.")
    return ends[0] if ends else None


def _samples(node: Node) -> bool:
    keys = node.inputs.keys()
    return bool(keys & {"seed", "noise_seed", "noise"} and keys & {"steps", "sigmas"} and keys & {"positive", "guider", "model"})


def _sampler(reading: Reading, node: Node) -> None:
    """Everything that one sampler works with, from itself and from the nodes that hold parts of it."""
    sheet = reading.sheet
    parts = [node, *(part for name in ("noise", "sampler", "sigmas", "guider") if (part := reading.at(node.inputs.get(name))))]
    for key in ("seed", "noise_seed", "steps", "cfg", "sampler_name", "scheduler", "denoise"):
        holder = next((part for part in parts if key in part.inputs), None)
        if holder is not None:
            value = reading.value(holder, key)
            if value is None or isinstance(value, list | dict):
                sheet.say(f"The {key.replace('_', ' ')} of node {shown(holder.id)} is worked out while the graph runs: set it by hand.")
            else:
                sheet.values[key] = value
    sheet.seed("seed", "noise_seed")
    sheet.number("steps", "steps", whole=True)
    sheet.number("guidance_scale", "cfg")
    name, lost = names.scheduler(sheet.pop("sampler_name"), sheet.pop("scheduler") or "")
    if sheet.kind == "music":
        name, lost = "", f"The sampler {name} was left out: music is made with the model's own here." if name else lost
    sheet.settings["scheduler"] = name
    sheet.say(lost)
    for part in parts:
        for role, inputs in (("prompt", ("positive", "conditioning")), ("negative_prompt", ("negative",))):
            link = next((part.inputs[name] for name in inputs if name in part.inputs), None)
            if link is not None and role not in sheet.settings:
                _words(reading, role, part, link)
    _latent(reading, node)
    start = next((part for part in parts if isinstance(part.inputs.get("model"), Link)), node)
    _model(reading, start)


def _words(reading: Reading, role: str, part: Node, link: object) -> None:
    """The texts that lead to a conditioning, in the order they are met."""
    found: list[str] = []
    if isinstance(link, str):
        reading.use(part, "positive" if role == "prompt" else "negative")
        found.append(link)
    waiting, seen = [link], set[Link]()
    while waiting and len(seen) < STEPS_BACK:
        link = waiting.pop(0)
        node = reading.at(link)
        if node is None or not isinstance(link, Link) or link in seen:
            continue
        seen.add(link)
        if "ZeroOut" in node.type:
            continue
        if node.type == "FluxGuidance" or (role == "prompt" and "guidance" in node.inputs and "t5xxl" in node.inputs):
            reading.sheet.values["guidance"] = reading.value(node, "guidance")
            reading.sheet.number("guidance_scale", "guidance")
        own = _own_text(reading, role, node)
        found += [text for text in own if text not in found]
        if not own:
            waiting += _before(node, link, role)
    if len(found) > 1:
        reading.sheet.say(f"The {role.replace('_', ' ')} was put together from {len(found)} texts.")
    if found:
        reading.sheet.settings[role] = ", ".join(found)


def _own_text(reading: Reading, role: str, node: Node) -> list[str]:
    """The words that a text encoder holds, or what a link brings it."""
    keys = [
        key
        for key in (role.partition("_")[0].replace("prompt", "positive"), *_TEXTS)
        if key in node.inputs and key not in ("negative", "positive")
    ]
    texts = [text for key in keys if isinstance(text := reading.value(node, key), str)]
    if "lyrics" in node.inputs and role == "prompt":
        lyrics = reading.value(node, "lyrics")
        reading.sheet.settings["lyrics"] = lyrics if isinstance(lyrics, str) else ""
    inner = node.inputs.get("positive" if role == "prompt" else "negative")
    if isinstance(inner, str):
        reading.use(node, "positive" if role == "prompt" else "negative")
        texts.append(inner)
    if keys and not texts and reading.at(node.inputs.get(keys[0])):
        reading.sheet.say(f"The words of node {shown(node.id)} are written while the graph runs: set them by hand.")
    return [text for text in dict.fromkeys(texts) if text]


def _before(node: Node, link: Link, role: str) -> list[object]:
    """The conditionings that a node makes its own from; one with two outputs gives the positive first."""
    if {"positive", "negative"} <= node.inputs.keys():
        name = ("positive", "negative")[link.slot] if link.slot in (0, 1) else role
        return [node.inputs[name]] if name in node.inputs else []
    return [inner for name, inner in node.links() if name not in ("clip", "model", "vae", "image", "control_net", "mask")]


def _latent(reading: Reading, node: Node) -> None:
    """Where the sampler starts: an empty picture of some size, an empty sound of some length, or another picture."""
    sheet, before, seen = reading.sheet, reading.follow(node, _LATENTS), set[str]()
    denoise = sheet.pop("denoise")
    while before is not None and before.id not in seen:
        seen.add(before.id)
        if {"width", "height"} <= before.inputs.keys():
            for side in ("width", "height"):
                sheet.values[side] = reading.value(before, side)
                sheet.number(side, side, whole=True)
            break
        if "seconds" in before.inputs:
            sheet.values["seconds"] = reading.value(before, "seconds")
            sheet.number("duration", "seconds")
            break
        if before.inputs.keys() & {"pixels", "image"}:
            masked = "mask" in before.inputs or "Inpaint" in before.type or any("Mask" in graph.type for graph in (before,))
            sheet.kind = "inpaint"
            sheet.say(
                "The picture that was changed is not in this file: choose it yourself."
                + (" So is its mask: paint it again." if masked else "")
            )
            break
        before = reading.follow(before, _LATENTS)
    if denoise not in (None, 1, 1.0):
        if sheet.kind == "inpaint":
            sheet.values["denoise"] = denoise
            sheet.number("strength", "denoise")
        else:
            sheet.leave("denoise", denoise, "a second pass over a picture is not made here")


def _model(reading: Reading, node: Node) -> None:
    """The weights at the end of the models that lead to the sampler."""
    seen: set[str] = set()
    before: Node | None = node
    while before is not None and before.id not in seen:
        seen.add(before.id)
        for key in _WEIGHTS:
            value = reading.value(before, key) if key in before.inputs else None
            if isinstance(value, str):
                reading.sheet.settings["model"] = value
                return
        before = reading.follow(before, ("model", "unet", "guider", "pipe"))


def _name_the_rest(reading: Reading, way: list[Node]) -> None:
    """A sentence for each node on the way of which anything was not used."""
    for node in way:
        used = reading.used.get(node.id, set())
        left = {
            name: value
            for name, value in node.values()
            if name not in used and name not in _NO_MATTER and value not in _NEUTRAL.get(name, ()) and value not in ("", None)
        }
        if left:
            said = ", ".join(f"{name} {shown(value)}" for name, value in list(left.items())[:6])
            reading.sheet.leave(f"{node.type} of node {node.id}" if used else node.type, said, _why(node.type))
        elif not used and node.type not in _PASSED:
            reading.sheet.say(f"The node {shown(node.type)} was left out: nothing here works like it.")


def _why(kind: str) -> str:
    return "each model here reads words with its own" if kind in ("CLIPLoader", "DualCLIPLoader", "TripleCLIPLoader") else ""
