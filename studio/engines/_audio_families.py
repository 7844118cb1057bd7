"""Families of audio pipelines in diffusers: which class does what, and what each is told of a task.

Every family makes latents; what becomes of them is _audio_codecs.py's matter. Knows no card and no file.
"""

from __future__ import annotations

from math import ceil
from typing import Any

from studio.engines import _ace_tracks
from studio.engines._audio_canvas import WHOLE, Canvas
from studio.engines._audio_codecs import rate
from studio.engines._audio_family import Asked, Family
from studio.engines._audio_words import AUDIOLDM2, LONGCAT, NOT_TOLD
from studio.errors import InvalidInput
from studio.music.score import Key, Meter
from studio.tasks import Compose

INSTRUMENTAL = "[Instrumental]"
"""What ACE-Step's makers write where nobody sings."""
ACE_STEP_METERS = {"2/4": "2", "3/4": "3", "4/4": "4", "6/8": "6"}
"""The meters ACE-Step was trained with, and what it calls them."""
STRENGTH = 0.7
"""How far a cover goes from its reference where nobody says, for models that begin from the reference with noise upon it."""


def check(name: str, family: Family, task: Compose) -> None:
    """Refuse what a family cannot be told in this way of working. Raises InvalidInput."""
    for field in family.unused:
        if getattr(task, field) != (told := Compose.model_fields[field]).default:
            raise InvalidInput(f"{name} does not use {told.title}: leave it as it was, or choose another model.", field)
    if task.reference_strength is not None and task.way != "cover":
        raise InvalidInput(f"{name} uses Strength for covers alone: leave it empty.", "reference_strength")
    if task.way in WHOLE and (task.region_start is not None or task.region_end is not None):
        raise InvalidInput(f"{name} takes all of a reference for this: cut out the region first, or repaint it.", "region_end")
    if task.way == "continue" and task.region_start is not None:
        raise InvalidInput(f"{name} goes on from the region's end: leave its start empty.", "region_start")
    if task.way == "lead" and task.region_end is not None:
        raise InvalidInput(f"{name} leads into the region's start: leave its end empty.", "region_end")
    if family is ACE_STEP:
        _check_brief(name, task)
    else:
        _check_noise(name, family, task)


def _check_brief(name: str, task: Compose) -> None:
    """What ACE-Step has no word for."""
    _ace_tracks.check(name, task)
    if task.time_signature and str(Meter.read(task.time_signature)) not in ACE_STEP_METERS:
        raise InvalidInput(f"{name} knows these time signatures: {', '.join(ACE_STEP_METERS)}.", "time_signature")
    if task.key and Key.read(task.key).mode not in ("major", "minor"):
        raise InvalidInput(f"{name} knows keys in major and minor alone.", "key")


def _check_noise(name: str, family: Family, task: Compose) -> None:
    """What models that begin from a reference with noise upon it, or are guided away from words, cannot do."""
    if task.way == "cover" and task.reference_strength == 0:
        raise InvalidInput("With a strength of 0 nothing would change: raise it.", "reference_strength")
    if task.negative_prompt and family is STABLE_AUDIO_3 and task.way != "make":
        raise InvalidInput(f"{name} uses a negative prompt without a reference alone: empty it.", "negative_prompt")
    if task.negative_prompt and task.guidance_scale is not None and task.guidance_scale <= 1:
        raise InvalidInput("A negative prompt needs a guidance scale above 1: raise it, or empty the prompt.", "negative_prompt")


def _ace_step(pipe: Any, asked: Asked) -> dict[str, Any]:
    """Tempo, key and meter have arguments of their own. What is outside a region is told as latents, what is inside as silence."""
    task, canvas = asked.task, asked.canvas
    told: dict[str, Any] = {
        "prompt": asked.words,
        "lyrics": task.lyrics.strip() or INSTRUMENTAL,
        "vocal_language": asked.language,
        "audio_duration": asked.seconds,
        "num_inference_steps": task.steps,
        "guidance_scale": task.guidance_scale,
        "shift": asked.shift,
        "bpm": None if task.bpm is None else round(task.bpm),
        "keyscale": Key.read(task.key).name if task.key else None,
        "timesignature": ACE_STEP_METERS[str(Meter.read(task.time_signature))] if task.time_signature else None,
        "task_type": "text2music",
    }
    frames = ceil(asked.seconds * pipe.latents_per_second)
    if canvas is not None:
        told["src_audio"] = _tensor(pipe, canvas)
        frames = told["src_audio"].shape[-1] // pipe.vae.hop_length
        if task.way == "cover":
            told |= {"task_type": "cover", "audio_cover_strength": 1.0 - strength(ACE_STEP, task)}
        elif task.way in _ace_tracks.WAYS:
            told |= _ace_tracks.told(task)
        else:
            start, end = _frames(pipe, canvas, pipe.vae.hop_length)
            told |= {"task_type": "repaint", "repainting_start": start, "repainting_end": end}
    return told | {"latents": _noise(pipe, frames, asked.generator)}


def _stable_audio(pipe: Any, asked: Asked) -> dict[str, Any]:
    """It always makes its full length, of which the beginning is kept. A cover begins from the reference with noise upon it.

    The strength says with how much: from the least noise the model knows to the most, evenly in its logarithm.
    """
    from diffusers.utils.torch_utils import randn_tensor

    task, canvas = asked.task, asked.canvas
    pipe.scheduler = _noise_levels(pipe.scheduler, 1.0 if canvas is None else strength(STABLE_AUDIO, task))
    told: dict[str, Any] = {
        "prompt": asked.words,
        "negative_prompt": task.negative_prompt or None,
        "audio_end_in_s": asked.seconds,
        "num_inference_steps": task.steps,
        "guidance_scale": task.guidance_scale,
    }
    if canvas is not None:
        import torch

        frames, dtype = int(pipe.transformer.config.sample_size), pipe.transformer.dtype
        heard = _tensor(pipe, canvas)[None]
        whole = heard.new_zeros(1, heard.shape[1], frames * pipe.vae.hop_length)
        whole[..., : heard.shape[-1]] = heard[..., : whole.shape[-1]]
        with torch.inference_mode():
            known = pipe.vae.encode(whole).latent_dist.mode()
        noise = randn_tensor(known.shape, generator=asked.generator, device=known.device, dtype=torch.float32)
        begun = known + noise * float(pipe.scheduler.config.sigma_max)
        told["latents"] = (begun / pipe.scheduler.init_noise_sigma).to(dtype)  # by which the pipeline multiplies
    return told


def _stable_audio_3(pipe: Any, asked: Asked) -> dict[str, Any]:
    """Three classes over the same parts; only the first takes guidance and a negative prompt."""
    task, canvas = asked.task, asked.canvas
    told: dict[str, Any] = {"prompt": asked.words, "duration": asked.seconds, "num_inference_steps": task.steps}
    if canvas is None:
        return told | {"negative_prompt": task.negative_prompt or None, "guidance_scale": task.guidance_scale}
    told["audio"] = _tensor(pipe, canvas)[None]
    if task.way == "cover":
        return told | {"init_noise_level": strength(STABLE_AUDIO_3, task)}
    start, end = _frames(pipe, canvas, pipe.vae.downsampling_ratio)
    return told | {"mask_start_seconds": start, "mask_end_seconds": end}


_NOT_SAMPLED = ("form", "energy", "temperature", "top_k", "top_p", "bank", "segments")
ACE_STEP = Family(
    dict.fromkeys(("make", "repaint", "continue", "lead", "cover", *_ace_tracks.WAYS), "AceStepPipeline"),
    _ace_step,
    ("genre", "mood", "instruments"),
    (*_NOT_SAMPLED, "negative_prompt"),
)
STABLE_AUDIO = Family(
    dict.fromkeys(("make", "cover"), "StableAudioPipeline"),
    _stable_audio,
    ("genre", "mood", "instruments", "bpm"),
    (*NOT_TOLD, "region_start", "region_end", "context"),
    512,
    old_callback=True,
    instead={  # the one it comes with draws its noise by a further package
        "scheduler": ("diffusers", "EDMDPMSolverMultistepScheduler")
    },
)
STABLE_AUDIO_3 = Family(
    {
        "make": "StableAudio3Pipeline",
        "cover": "StableAudio3AudioToAudioPipeline",
        **dict.fromkeys(("repaint", "continue", "lead"), "StableAudio3InpaintPipeline"),
    },
    _stable_audio_3,
    ("genre", "mood", "instruments", "bpm"),
    NOT_TOLD,
)
FAMILIES = {name: family for family in (ACE_STEP, STABLE_AUDIO, STABLE_AUDIO_3, AUDIOLDM2, LONGCAT) for name in family.classes.values()}
"""By the class that a model's index names."""


def strength(family: Family, task: Compose) -> float:
    """How far a cover goes from its reference."""
    return task.reference_strength if task.reference_strength is not None else 0.0 if family is ACE_STEP else STRENGTH


def read(pipe: Any, family: Family, words: str) -> tuple[str, str]:
    """The words that the model reads, and those it does not. ACE-Step must have room for tempo, key and meter after them."""
    room = min(family.reads, pipe.tokenizer.model_max_length)
    if family is ACE_STEP:
        frame = pipe._format_prompt("", bpm=300, keyscale="F# minor", timesignature="4", audio_duration=600.0)[0]  # noqa: SLF001
        room -= len(pipe.tokenizer(frame).input_ids)
    tokens = pipe.tokenizer(words, add_special_tokens=False).input_ids
    if len(tokens) < room:
        return words, ""
    return str(pipe.tokenizer.decode(tokens[: room - 1])), str(pipe.tokenizer.decode(tokens[room - 1 :]))


def _noise(pipe: Any, frames: int, generator: Any) -> Any:
    """What ACE-Step's pipeline draws; by itself it rounds some lengths to one frame more than it has (28 frames at 50 a second)."""
    from diffusers.utils.torch_utils import randn_tensor

    model = pipe.transformer
    shape = (1, frames, model.config.audio_acoustic_hidden_dim)
    return randn_tensor(shape, generator=generator, device=pipe.device, dtype=model.dtype)


def _tensor(pipe: Any, canvas: Canvas) -> Any:
    """What is heard (channels, whole frames) on the pipeline's device, silent after its end."""
    import torch

    hop = getattr(pipe.vae, "hop_length", None) or pipe.vae.downsampling_ratio
    heard = torch.from_numpy(canvas.heard.copy()).to(pipe.vae.device, pipe.vae.dtype)
    return torch.nn.functional.pad(heard, (0, -heard.shape[-1] % hop))


def _frames(pipe: Any, canvas: Canvas, hop: int) -> tuple[float, float]:
    """The region in seconds, widened to whole frames; a thousandth of a frame later, since the pipelines round down."""
    (start, end), frame = canvas.marked, hop / rate(pipe)
    return (start // hop + 0.001) * frame, (ceil(end / hop) + 0.001) * frame


def _noise_levels(own: Any, strength: float) -> Any:
    """A scheduler of the model's settings that begins with less noise for less strength.

    The model comes with one that draws its noise by a further package; this one solves the same equation (DPM-Solver++ SDE,
    arXiv:2211.01095) with the take's own numbers.
    """
    low, high = float(own.config.sigma_min), float(own.config.sigma_max)
    most = low ** (1 - strength) * high**strength
    return type(own).from_config(own.config, algorithm_type="sde-dpmsolver++", sigma_max=max(most, low * 1.01))
