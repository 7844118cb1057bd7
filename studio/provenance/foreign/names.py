"""Other programs' names of schedulers and models, in ours. Knows cards as data, no engine and no format."""

from __future__ import annotations

import re
from collections.abc import Iterable

from studio.models import Hub, ModelCard, SingleFile
from studio.provenance.foreign.sheet import shown

SCHEDULERS = (
    *("Euler", "Euler a", "DPM++ 2M", "DPM++ 2M Karras", "DPM++ 2M SDE", "DPM++ 2M SDE Karras", "DPM++ SDE", "DPM2", "DPM2 a", "DDIM"),
    *("DEIS", "UniPC", "Heun", "LMS", "PNDM", "LCM", "Euler (flow)", "UniPC (flow)", "Heun (flow)", "DPM++ 2M (flow)"),
)
"""What the cards of diffusion models call theirs."""

_SAMPLERS = {
    "euler": "Euler",
    "eulera": "Euler a",
    "eulerancestral": "Euler a",
    "dpmpp2m": "DPM++ 2M",
    "dpmpp2msde": "DPM++ 2M SDE",
    "dpmppsde": "DPM++ SDE",
    "dpm2": "DPM2",
    "kdpm2": "DPM2",
    "dpm2a": "DPM2 a",
    "kdpm2a": "DPM2 a",
    "dpm2ancestral": "DPM2 a",
    "ddim": "DDIM",
    "ddimv3": "DDIM",
    "deis": "DEIS",
    "unipc": "UniPC",
    "unipcbh2": "UniPC",
    "heun": "Heun",
    "lms": "LMS",
    "pndm": "PNDM",
    "plms": "PNDM",
    "lcm": "LCM",
}
_USUAL = frozenset(("", "automatic", "normal", "native", "default", "discrete"))

_FILES = {
    "v15prunedemaonly": "Stable Diffusion 1.5",
    "v15prunedemaonlyfp16": "Stable Diffusion 1.5",
    "v15pruned": "Stable Diffusion 1.5",
    "sdv15": "Stable Diffusion 1.5",
    "sdxlbase10": "Stable Diffusion XL base 1.0",
    "sdxlbase1009vae": "Stable Diffusion XL base 1.0",
    "stablediffusionxlbase10": "Stable Diffusion XL base 1.0",
    "sdxlturbo10": "SDXL-Turbo",
    "sdxlturbo10fp16": "SDXL-Turbo",
    "sdturbofp16": "SD-Turbo",
    "sd35medium": "Stable Diffusion 3.5 medium",
    "flux1schnellfp8": "FLUX.1 schnell",
    "fluxschnell": "FLUX.1 schnell",
    "zimageturbobf16": "Z-Image-Turbo",
    "zimagebf16": "Z-Image",
    "qwenimage2512fp8e4m3fn": "Qwen-Image-2512",
}
"""Names of weight files that hold the same model as a card, letters and digits alone."""
HASH_DIGITS = 8
"""Fewer first digits of a SHA-256 name no file."""


def scheduler(sampler: object, schedule: object = "") -> tuple[str, str]:
    """Our name for a sampler and its noise schedule, '' if there is none; and a sentence about what was lost, '' if nothing was."""
    name, noise = (str(part).strip() if isinstance(part, str) else "" for part in (sampler, schedule))
    if not name:
        return "", "" if sampler in (None, "") else f"The sampler ({shown(sampler)}) was left out: it is no text."
    if name in SCHEDULERS and noise.casefold() in _USUAL:
        return name, ""
    folded = name.casefold()
    if folded.endswith("_k"):  # InvokeAI's mark of Karras' schedule
        folded, noise = folded[:-2], "karras"
    plain = re.sub(r"[^a-z0-9]", "", folded.removeprefix("k_").replace("++", "pp")).removesuffix("gpu")
    ours = _SAMPLERS.get(plain, "")
    if not ours:
        with_noise = f" with {shown(noise)}" if noise.casefold() not in _USUAL else ""
        return "", f"The sampler {shown(name)}{with_noise} was left out: none here works that way; the model's own scheduler is used."
    if noise.casefold() in _USUAL:
        return ours, ""
    if noise.casefold() == "karras" and f"{ours} Karras" in SCHEDULERS:
        return f"{ours} Karras", ""
    return ours, f"The noise schedule {shown(noise)} was left out: {ours} runs with its own here."


def card_for(name: str, digest: str, cards: Iterable[ModelCard]) -> ModelCard | None:
    """The card of the model that another program calls `name` and whose file has the hash `digest` ('' each: not told)."""
    plain, last = _plain(name), _plain(re.split(r"[/\\]", name)[-1])
    digest = digest.casefold().removeprefix("sha256:").removeprefix("0x")
    known = _FILES.get(last, "")
    for card in cards:
        repo = card.source.repo if isinstance(card.source, Hub) else ""
        names = {_plain(card.name), *((_plain(repo), _plain(repo.partition("/")[2])) if repo else ())}
        own = (card.source.sha256 or "") if isinstance(card.source, SingleFile) else ""
        alike = len(digest) >= HASH_DIGITS and own.casefold().startswith(digest)
        if alike or card.name == known or (plain and plain in names) or (last and last in names):
            return card
    return None


def _plain(name: str) -> str:
    stem = re.sub(r"\.(safetensors|ckpt|gguf|pt|bin|sft)$", "", name[:300].strip().casefold())
    return re.sub(r"[^a-z0-9]", "", stem)
