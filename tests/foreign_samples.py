"""Files as other programs write them, built from their formats: the same settings in every program's words."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from studio.provenance.containers import png_chunk

PROMPT, NEGATIVE = "a red fox,\nin the snow: dusk", 'blurry, "signed"'
SETTINGS: dict[str, Any] = {
    "prompt": PROMPT,
    "negative_prompt": NEGATIVE,
    "steps": 24,
    "guidance_scale": 6.5,
    "scheduler": "DPM++ 2M Karras",
    "seed": 4042161,
    "width": 512,
    "height": 768,
}
MODEL = "v1-5-pruned-emaonly"
HASH = "6ce0161689"
A1111 = (
    f"{PROMPT}\nNegative prompt: {NEGATIVE}\nSteps: 24, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 4042161, "
    f"Size: 512x768, Model hash: {HASH}, Model: {MODEL}, VAE hash: abc, VAE: soft.pt, Clip skip: 2, "
    'Lora hashes: "paper: 1a2b, ink: 3c4d", Version: v1.10.1'
)


def pixels(channels: int = 3, height: int = 40, width: int = 64) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (height, width, channels), np.uint8)


def png(texts: Mapping[str, str], *, channels: int = 3, packed: bool = False) -> bytes:
    info = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        info.add_text(name, text, zip=packed)
    return saved("PNG", pnginfo=info, image=Image.fromarray(pixels(channels)))


def saved(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    (image or Image.fromarray(pixels())).save(file, kind, **options)
    return file.getvalue()


def exif(comment: str) -> bytes:
    """A UserComment as A1111 writes it with piexif: character code, UTF-16."""
    made = Image.Exif()
    made.get_ifd(0x8769)[0x9286] = b"UNICODE\x00" + comment.encode("utf-16-be")
    return made.tobytes()


def exif_of(tags: Mapping[int, str]) -> bytes:
    """Texts in the main directory, as Pillow's `exif[tag] = text` writes them (Fooocus, ComfyUI)."""
    made = Image.Exif()
    for tag, text in tags.items():
        made[tag] = text
    return made.tobytes()


def stealth(text: str, *, alpha: bool = True, packed: bool = True) -> bytes:
    """A PNG with `text` in its lowest bits, column by column."""
    image = pixels(4 if alpha else 3, 96, 128)
    payload = gzip.compress(text.encode(), mtime=0) if packed else text.encode()
    signature = f"stealth_{'png' if alpha else 'rgb'}{'comp' if packed else 'info'}".encode()
    bits = np.unpackbits(np.frombuffer(signature + struct.pack(">I", 8 * len(payload)) + payload, np.uint8))
    channels = image[:, :, 3:] if alpha else image
    flat = channels.transpose(1, 0, 2).reshape(-1)
    flat[: len(bits)] = flat[: len(bits)] & 0xFE | bits
    channels[:] = flat.reshape(channels.transpose(1, 0, 2).shape).transpose(1, 0, 2)
    return saved("PNG", image=Image.fromarray(image))


def comfy() -> dict[str, Any]:
    """The graph that ran: a checkpoint, a LoRA, two texts, a size, a sampler."""
    return {
        "3": node("KSampler", seed=4042161, steps=24, cfg=6.5, sampler_name="dpmpp_2m", scheduler="karras", denoise=1.0)
        | links(model=["10", 0], positive=["6", 0], negative=["7", 0], latent_image=["5", 0]),
        "4": node("CheckpointLoaderSimple", ckpt_name=f"sd15/{MODEL}.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=768, batch_size=1),
        "6": node("CLIPTextEncode", text=PROMPT) | links(clip=["10", 1]),
        "7": node("CLIPTextEncode", text=NEGATIVE) | links(clip=["10", 1]),
        "8": node("VAEDecode") | links(samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="fox") | links(images=["8", 0]),
        "10": node("LoraLoader", lora_name="paper.safetensors", strength_model=0.8, strength_clip=0.8)
        | links(model=["4", 0], clip=["4", 1]),
    }


class _Made(dict[str, Any]):
    """A node to which `links` adds inputs by |."""

    def __or__(self, more: Any) -> _Made:
        return _Made({**self, "inputs": {**self["inputs"], **more}})


def node(kind: str, **inputs: Any) -> _Made:
    return _Made({"class_type": kind, "inputs": inputs, "is_changed": [float("nan")]})


def links(**inputs: Any) -> dict[str, Any]:
    return inputs


def drawn() -> dict[str, Any]:
    """The same graph as the page draws it, with a primitive node for the seed, a reroute, a bypassed LoRA and a muted second saver."""
    nodes = [
        ui(3, "KSampler", [4042161, "fixed", 24, 6.5, "dpmpp_2m", "karras", 1], model=1, positive=2, negative=3, latent_image=4, seed=9),
        ui(4, "CheckpointLoaderSimple", [f"{MODEL}.safetensors"]),
        ui(5, "EmptyLatentImage", [512, 768, 1]),
        ui(6, "CLIPTextEncode", [PROMPT], clip=5),
        ui(7, "CLIPTextEncode", [NEGATIVE], clip=6),
        ui(8, "VAEDecode", [], samples=7, vae=8),
        ui(9, "SaveImage", ["fox"], images=10),
        ui(10, "LoraLoader", ["paper.safetensors", 0.8, 0.8], model=11, clip=12) | {"mode": 4},
        ui(11, "PrimitiveNode", [77, "randomize"]),
        ui(12, "Reroute", [], **{"": 13}),
        ui(13, "SaveImage", ["other"], images=14) | {"mode": 2},
        ui(14, "Note", ["remember the fox"]),
    ]
    wires = [
        *([1, 10, 0, 3, 0, "MODEL"], [2, 6, 0, 3, 1, "CONDITIONING"], [3, 7, 0, 3, 2, "CONDITIONING"], [4, 5, 0, 3, 3, "LATENT"]),
        *([5, 10, 1, 6, 0, "CLIP"], [6, 12, 0, 7, 0, "CLIP"], [7, 3, 0, 8, 0, "LATENT"], [8, 4, 2, 8, 1, "VAE"], [9, 11, 0, 3, 4, "INT"]),
        *([10, 8, 0, 9, 0, "IMAGE"], [11, 4, 0, 10, 0, "MODEL"], [12, 4, 1, 10, 1, "CLIP"], [13, 4, 1, 12, 0, "CLIP"]),
        [14, 8, 0, 13, 0, "IMAGE"],
    ]
    return {"last_node_id": 14, "nodes": nodes, "links": wires, "version": 0.4}


_KINDS = {"model": "MODEL", "clip": "CLIP"}


def ui(number: int, kind: str, values: Any, **wires: int) -> dict[str, Any]:
    inputs = [{"name": name, "type": _KINDS.get(name, "*"), "link": wire} for name, wire in wires.items()]
    outputs = [{"name": one, "type": one} for one in ("MODEL", "CLIP")]
    return {"id": number, "type": kind, "mode": 0, "inputs": inputs, "outputs": outputs, "widgets_values": values}


INVOKE = {
    "generation_mode": "txt2img",
    "positive_prompt": PROMPT,
    "negative_prompt": NEGATIVE,
    "width": 512,
    "height": 768,
    "seed": 4042161,
    "rand_device": "cpu",
    "cfg_scale": 6.5,
    "steps": 24,
    "scheduler": "dpmpp_2m_k",
    "seamless_x": False,
    "clip_skip": 2,
    "model": {"key": "k", "hash": "blake3:9f", "name": MODEL, "base": "sd-1", "type": "main"},
    "loras": [{"model": {"name": "paper", "hash": "x"}, "weight": 0.75}],
    "controlnets": [{"image": {"image_name": "i"}, "control_model": {"name": "canny"}, "control_weight": 0.6}],
    "vae": {"name": "soft", "hash": "y"},
    "hrf_enabled": True,
    "hrf_strength": 0.45,
    "app_version": "5.6.0",
}
FOOOCUS = {
    "adm_guidance": "(1.5, 0.8, 0.3)",
    "base_model": MODEL,
    "base_model_hash": HASH,
    "full_prompt": [PROMPT, "cinematic still"],
    "full_negative_prompt": [NEGATIVE, "anime"],
    "guidance_scale": 6.5,
    "lora_combined_1": "paper : 0.1",
    "loras": [["paper", 0.1, "1a2b3c"]],
    "metadata_scheme": "fooocus",
    "negative_prompt": NEGATIVE,
    "performance": "Speed",
    "prompt": PROMPT,
    "refiner_model": "None",
    "refiner_switch": 0.5,
    "resolution": "(512, 768)",
    "sampler": "dpmpp_2m",
    "scheduler": "karras",
    "seed": "4042161",
    "sharpness": 2.0,
    "steps": 24,
    "styles": "['Fooocus V2', 'Fooocus Sharp']",
    "vae": "Default (model)",
    "version": "Fooocus v2.5.5",
}
FOOOCUS_TEXT = (
    f"a red fox, in the snow: dusk, cinematic still\nNegative prompt: {NEGATIVE}, anime\nSteps: 24, Sampler: DPM++ 2M Karras, "
    f'Seed: 4042161, Size: 512x768, CFG scale: 6.5, Sharpness: 2.0, ADM Guidance: "(1.5, 0.8, 0.3)", Model: {MODEL}, Model hash: {HASH}, '
    f"Performance: Speed, Scheduler: karras, VAE: Default (model), Raw prompt: {json.dumps(PROMPT)}, "
    f'Raw negative prompt: {json.dumps(NEGATIVE)}, Lora hashes: "paper: 1a2b", Lora weights: "paper: 0.1", Version: Fooocus v2.5.5'
)
FOOOCUS_PRESET = {
    "default_model": f"{MODEL}.safetensors",
    "default_refiner": "None",
    "default_refiner_switch": 0.5,
    "default_loras": [[True, "None", 1.0], [True, "paper.safetensors", 0.1]],
    "default_cfg_scale": 6.5,
    "default_sample_sharpness": 2.0,
    "default_sampler": "dpmpp_2m_sde_gpu",
    "default_scheduler": "karras",
    "default_performance": "Speed",
    "default_prompt": PROMPT,
    "default_prompt_negative": "",
    "default_styles": ["Fooocus V2"],
    "default_aspect_ratio": "512*768",
    "default_overwrite_step": -1,
    "checkpoint_downloads": {f"{MODEL}.safetensors": "a place"},
    "lora_downloads": {"paper.safetensors": "a place"},
    "previous_default_models": ["old.safetensors"],
}
SWARM = {
    "sui_image_params": {
        "prompt": PROMPT,
        "negativeprompt": NEGATIVE,
        "model": f"sd15/{MODEL}",
        "seed": 4042161,
        "steps": "24",
        "cfgscale": "6.5",
        "aspectratio": "custom",
        "width": 512,
        "height": 768,
        "sampler": "dpmpp_2m",
        "scheduler": "karras",
        "loras": ["paper", "ink"],
        "loraweights": "0.8,1",
        "automaticvae": True,
        "refinerupscale": 2,
        "swarm_version": "0.9.7.1",
    },
    "sui_extra_data": {"date": "2026-01-02", "generation_time": "1 second"},
    "sui_models": [{"name": f"{MODEL}.safetensors", "param": "model", "hash": "0x6ce0161689b3853a"}],
}
NOVELAI = {
    "prompt": PROMPT,
    "steps": 24,
    "height": 768,
    "width": 512,
    "scale": 6.5,
    "uncond_scale": 1.0,
    "cfg_rescale": 0.0,
    "seed": 4042161,
    "n_samples": 1,
    "noise_schedule": "karras",
    "sampler": "k_dpmpp_2m",
    "uc": NEGATIVE,
    "sm": True,
    "request_type": "PromptGenerateRequest",
    "signed_hash": "abc",
}
NOVELAI_TEXTS = {
    "Title": "AI generated image",
    "Description": PROMPT,
    "Software": "NovelAI",
    "Source": "NovelAI Diffusion V3 7BCCAA2C",
    "Comment": json.dumps(NOVELAI),
}
AUDIOCRAFT = {
    "version": "1.2.8c",
    "global_prompt": "lofi",
    "bpm": "84",
    "key": "A",
    "scale": "Minor",
    "texts": "['rain on a roof', 'rain on a roof', 'vinyl']",
    "duration": "42",
    "overlap": "12",
    "seed": "99",
    "audio_mode": "sample",
    "input_length": "none",
    "channel": "stereo",
    "sr_select": "48000",
    "model": "large",
    "custom_model": "none",
    "topk": "250",
    "topp": "0",
    "temperature": "1.0",
    "cfg_coef": "5.0",
}


def wav(comment: str) -> bytes:
    """A WAV file with `comment` in its LIST INFO chunk."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(100, np.float32), 8000, format="WAV")
    body = comment.encode() + b"\x00" * (1 + (len(comment.encode()) + 1) % 2)
    info = b"INFO" + b"ICMT" + struct.pack("<I", len(body)) + body
    return file.getvalue() + b"LIST" + struct.pack("<I", len(info)) + info


def flac(tags: Mapping[str, str]) -> bytes:
    """A FLAC file's head with Vorbis comments, as its readers of tags see it."""
    comments = b"".join(struct.pack("<I", len(one)) + one for one in (f"{name}={text}".encode() for name, text in tags.items()))
    block = struct.pack("<I", 4) + b"test" + struct.pack("<I", len(tags)) + comments
    return b"fLaC" + b"\x00\x00\x00\x22" + bytes(34) + b"\x84" + len(block).to_bytes(3, "big") + block


def mp3(texts: Mapping[str, str]) -> bytes:
    """An MP3 file's ID3v2.4 tag with texts of its own names."""
    body = b""
    for name, text in texts.items():
        content = b"\x03" + name.encode() + b"\x00" + text.encode()
        body += b"TXXX" + seven(len(content)) + b"\x00\x00" + content
    return b"ID3\x04\x00\x00" + seven(len(body)) + body + b"\xff\xfb\x90\x00" + bytes(400)


def seven(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def gif(comment: str) -> bytes:
    return saved("GIF", comment=comment.encode())


def apng(graph: Mapping[str, Any]) -> bytes:
    """ComfyUI's animated PNG: the graph in a chunk of its own after the pixels."""
    plain = png({})
    return plain[:-12] + png_chunk(b"comf", b"prompt\x00" + json.dumps(graph).encode("latin-1")) + png_chunk(b"IEND", b"")


def bomb(keyword: str) -> bytes:
    """A PNG whose packed text is 50 MB of one letter."""
    plain = png({})
    return plain[:-12] + png_chunk(b"zTXt", keyword.encode() + b"\x00\x00" + zlib.compress(b"a" * 50_000_000, 9)) + png_chunk(b"IEND", b"")
