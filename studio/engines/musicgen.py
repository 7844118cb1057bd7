"""MusicGen through transformers: words, and a melody or the end of a piece, become sound that plays while it is made.

Takes of one task are made in one batch, each from its own seed. Their codes are kept beside the sound, so that a take that was stopped, or
is to be longer, goes on from them. Knows no manager, no download and no page.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio import components, weights
from studio.creations import Json, Preview, Progress, Report, Sound, Take
from studio.device import Device
from studio.engines import _codec, _codes, _hearing
from studio.errors import Cancelled, InvalidInput, ModelUnavailable
from studio.manager import Component, Pipeline, Recipe
from studio.models import ModelCard
from studio.tasks import Compose, Task

CARDS = components.cards("musicgen")

ATTACHMENT = "codes.npz"
"""Beside each take: its codes. As a reference to continue, such a file is gone on with and never encoded anew."""
CLASSES = {"musicgen": "MusicgenForConditionalGeneration", "musicgen_melody": "MusicgenMelodyForConditionalGeneration"}
SAMPLING: Mapping[str, float] = {"guidance_scale": 3.0, "temperature": 1.0, "top_k": 250, "top_p": 0.0}
"""Where neither the task nor the card says: the makers' own."""
SECONDS = 10.0
"""Length of a piece where neither the task nor the card says."""
PLAYED_SECONDS = 1.0
"""Sound of each preview."""
JOIN_SECONDS = 0.02
"""Over which a continued recording goes over into what the model heard of it."""
FIXED_BYTES = 300_000_000
TEXT_TOKENS = 128


class _Options(BaseModel):
    """`ModelCard.options` of this engine: `window` and `stride` are seconds the model oversees, and moves on by beyond that."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    variant: str | None = None
    window: float = Field(default=30, gt=0)
    stride: float = Field(default=18, gt=0)


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The model with its codec, the tokenizer, and the pipeline over them. Raises ModelUnavailable and ModelUnsafe for unusable files."""
    assert isinstance(task, Compose)
    try:
        options = _Options.model_validate(card.options)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ModelUnavailable(f"The card of {card.name} has an option that MusicGen does not know or cannot use: {place}.") from None
    folder = components.files_of(card)
    config = components.read_json(card, folder / "config.json")
    if config.get("model_type") not in CLASSES or not _codec.can_stream(config.get("audio_encoder", {})):
        raise ModelUnavailable(f"{card.name} is no MusicGen model that this engine can play; choose another model.")
    dtype = components.number_format(device, options.dtype)
    parts = {"model": _model(card, options, CLASSES[config["model_type"]], dtype, device), "words": _tokenizer(card)}

    def build(values: Mapping[str, Any]) -> Pipeline:
        return _Composer(values["model"], values["words"], card, options).takes

    return Recipe(parts, build, lambda task: _working_bytes(task, config, options, dtype.itemsize))


@dataclass(frozen=True)
class _Opening:
    """What a take begins with: codes (codebooks, frames), and the recording (channels, samples) they stand for, if there is one."""

    codes: NDArray[np.int64]
    recording: NDArray[np.float32] | None = None


class _Composer:
    """A loaded model in use."""

    def __init__(self, model: Any, words: Any, card: ModelCard, options: _Options) -> None:
        self._model, self._words, self._card = model, words, card
        self._codec = model.audio_encoder
        self._stereo = model.decoder.config.audio_channels == 2
        self._rate = int(self._codec.config.sampling_rate)
        self._step = _codec.samples_a_frame(self._codec)
        self._window = self._frames(options.window), self._frames(options.stride)
        if not 0 < self._window[1] < self._window[0]:
            raise ModelUnavailable(f"The card of {card.name} has a stride that is not shorter than its window.")

    def takes(self, task: Task, report: Report) -> Iterator[Take]:
        """The takes of a task; after a stop, what there is of each."""
        import torch

        assert isinstance(task, Compose)
        # 1. What the model is told, and what the piece begins with.
        report(Progress("running", 0, task.duration or SECONDS, "seconds", items=task.count, note="Reading"))
        said = _said(task)
        sampling = _sampling(task)
        melody = self._recording(task, mono=True) if task.way == "melody" else None
        opening = self._opening(task)
        known = opening.codes.shape[1]
        total = known + max(1, self._frames(task.duration or SECONDS))
        seeds = [(task.seed or 0) + item for item in range(task.count)]
        # 2. Column after column; `report` raises to stop.
        values = torch.zeros(task.count, opening.codes.shape[0], total, dtype=torch.long)
        values[..., :known] = torch.from_numpy(opening.codes)
        codes = _codes.Codes(values.to(self._model.device), known)
        player = _Player(codes, _codec.Stream(self._codec, self._stereo), (self._rate, self._step), opening, report)
        finish: Literal["end", "stopped"] = "end"
        with components.memory_in_words(f"{self._card.name} needs more memory than is free: ask for fewer takes or a smaller model."):
            try:
                _codes.write(
                    self._model, codes, self._condition(said, melody, sampling, task.count), seeds, sampling, self._window, player.heard
                )
            except Cancelled:
                if codes.done <= known:
                    raise
                finish = "stopped"
            # 3. The sound, once from all codes.
            facts = self._facts(task, said, sampling, known)
            for row, seed in enumerate(seeds):
                kept = codes.values[row, :, : codes.done]
                samples = self._sound(kept, player, row, finish)
                sound = Sound(_joined(opening.recording, samples, known * self._step, round(JOIN_SECONDS * self._rate)), self._rate)
                yield Take(sound, seed, finish, facts, {ATTACHMENT: self._packed(kept)})

    def _sound(self, codes: Any, player: _Player, row: int, finish: str) -> NDArray[np.float32]:
        """A whole piece within the window is decoded at once, as the model's own `generate` does; a longer or stopped one was, in parts."""
        if finish == "end" and codes.shape[-1] <= self._window[0]:
            return np.clip(_codec.whole(self._codec, codes, self._stereo), -1, 1)
        return player.all()[row]

    def _condition(self, said: str, melody: NDArray[np.float32] | None, sampling: _codes.Sampling, rows: int) -> _codes.Condition:
        """The arguments of the model's `forward` for each window: text states, and the melody's chroma from where the window begins."""
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        model = self._model
        read = self._words([said], return_tensors="pt").to(model.device)
        with torch.inference_mode():
            states = model.text_encoder(**read).last_hidden_state
        mask = read.attention_mask
        if not hasattr(model, "audio_enc_to_dec_proj"):
            states, mask = (_with_nothing(value, rows, sampling) for value in (states, mask))
            return lambda _: {"encoder_outputs": BaseModelOutput(last_hidden_state=states), "attention_mask": mask}

        def told(begin: int) -> dict[str, Any]:
            chroma = torch.zeros(1, 1, model.config.num_chroma)
            chroma[..., 0] = 1
            if melody is not None:
                chroma = _hearing.chroma(melody, begin * self._step, self._window[0] * self._step, self._rate, model.config.num_chroma)
            text = model.enc_to_dec_proj(states) if hasattr(model, "enc_to_dec_proj") else states
            text = _with_nothing(text, rows, sampling) * _with_nothing(mask, rows, sampling)[..., None]
            nothing = torch.zeros_like(chroma)
            nothing[..., 0] = 1
            heard = torch.cat([chroma.expand(rows, -1, -1), *([nothing.expand(rows, -1, -1)] if sampling.guided else [])])
            heard = model.audio_enc_to_dec_proj(heard.to(model.device, states.dtype))
            length = model.config.chroma_length
            heard = heard.repeat(1, -(-length // heard.shape[1]), 1)[:, :length]
            return {"encoder_hidden_states": torch.cat([heard, text], dim=1)}

        return told

    def _opening(self, task: Compose) -> _Opening:
        books = self._model.decoder.config.num_codebooks
        if task.way != "continue":
            return _Opening(np.zeros((books, 0), np.int64))
        if Path(task.reference).suffix.lower() == ".npz":
            return _Opening(_hearing.read_codes(Path(task.reference), books, self._model.decoder.config.vocab_size, self._rate, self._step))
        recording = self._recording(task, mono=not self._stereo)
        frames = min(self._window[0] - self._window[1], recording.shape[1] // self._step)
        if not frames:
            raise InvalidInput("The reference is too short to go on from: choose a longer one.", "reference")
        return _Opening(_hearing.encoded(self._codec, recording[:, -frames * self._step :], self._stereo), recording)

    def _recording(self, task: Compose, *, mono: bool) -> NDArray[np.float32]:
        return _hearing.read(Path(task.reference), self._rate, 1 if mono else 2)

    def _facts(self, task: Compose, said: str, sampling: _codes.Sampling, known: int) -> dict[str, Json]:
        facts: dict[str, Json] = {
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "guidance_scale": sampling.guidance,
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "batch": task.count,
        }
        if said != task.prompt:
            facts["words"] = said
        if known:
            facts["continued_codes"] = known
        return facts

    def _packed(self, codes: Any) -> bytes:
        file = io.BytesIO()
        np.savez(file, codes=codes.cpu().numpy().astype(np.int16), rate=np.int32(self._rate), step=np.int32(self._step))
        return file.getvalue()

    def _frames(self, seconds: float) -> int:
        return round(seconds * self._rate / self._step)


class _Player:
    """Hears each column: reports how far the takes are, and plays what cannot change any more."""

    def __init__(self, codes: _codes.Codes, stream: _codec.Stream, clock: tuple[int, int], opening: _Opening, report: Report) -> None:
        self._codes, self._stream, self._report = codes, stream, report
        self._known = opening.codes.shape[1]
        self._rate, self._step = clock
        self._recording = opening.recording
        self._unplayed = 0 if opening.recording is None else self._known * self._step  # samples that the recording stands for
        self._decoded, self._ended = 0, False
        self._made: list[NDArray[np.float32]] = []

    def heard(self) -> None:
        """After each column."""
        total, done = self._codes.values.shape[-1], self._codes.done
        second = self._step / self._rate
        self._report(
            Progress("running", (done - self._known) * second, (total - self._known) * second, "seconds", items=len(self._codes.values))
        )
        if done == total or (done - self._decoded) * second >= PLAYED_SECONDS:
            self._play(self._decode(last=done == total))

    def all(self) -> NDArray[np.float32]:
        """The sound of all codes that are done (takes, channels, samples), without another report."""
        if not self._ended:
            self._decode(last=True)
        return np.concatenate(self._made, axis=-1)

    def _decode(self, *, last: bool) -> NDArray[np.float32]:
        self._decoded, self._ended = self._codes.done, last
        self._made.append(np.clip(self._stream.add(self._codes.values[..., : self._codes.done], last), -1, 1))
        return self._made[-1]

    def _play(self, new: NDArray[np.float32]) -> None:
        opening, self._recording = self._recording, None
        skipped = min(self._unplayed, new.shape[-1])
        self._unplayed -= skipped
        for item, samples in enumerate(new[..., skipped:], 1):
            sound = samples if opening is None else np.concatenate([opening, samples], axis=-1)
            if sound.size:
                self._report(Preview(sound=Sound(sound, self._rate), item=item))


def _said(task: Compose) -> str:
    """The prompt, and what was filled in beside it in the words the model was trained with (audiocraft's merged descriptions)."""
    beside = {
        "bpm": f"{task.bpm:g}" if task.bpm else "",
        "key": task.key,
        "genre": task.genre,
        "moods": task.mood,
        "instrument": ", ".join(task.instruments),
    }
    words = [f"{name}: {value}" for name, value in beside.items() if value]
    return ". ".join([task.prompt.rstrip(" ."), *words]) if words else task.prompt


def _sampling(task: Compose) -> _codes.Sampling:
    values = {name: usual if getattr(task, name) is None else getattr(task, name) for name, usual in SAMPLING.items()}
    return _codes.Sampling(float(values["guidance_scale"]), float(values["temperature"]), int(values["top_k"]), float(values["top_p"]))


def _with_nothing(value: Any, rows: int, sampling: _codes.Sampling) -> Any:
    """The same for every row, and with guidance as many rows of zeros below: what the model is told when it is told nothing."""
    import torch

    value = value.expand(rows, *value.shape[1:])
    return torch.cat([value, torch.zeros_like(value)]) if sampling.guided else value


def _joined(recording: NDArray[np.float32] | None, samples: NDArray[np.float32], known: int, fade: int) -> NDArray[np.float32]:
    """The recording itself, then what goes on after the `known` samples that stand for its end, over a short fade between the two."""
    if recording is None:
        return samples
    fade = min(fade, known)
    share = np.linspace(0, 1, fade, dtype=np.float32)
    end = recording[:, recording.shape[1] - fade :]
    over = (end + (samples[:, known - fade : known] - end) * share).astype(np.float32)
    return np.concatenate([recording[:, : recording.shape[1] - fade], over, samples[:, known:]], axis=1)


def _model(card: ModelCard, options: _Options, kind: str, dtype: Any, device: Device) -> Component:
    """The whole model; its codec keeps float32, in which alone sound is sound."""
    folder = components.files_of(card)
    found = components.find_weights(card, folder, options.variant)
    codec = sum(
        prod(tensor.shape) * max(0, 4 - dtype.itemsize)
        for file in found.files
        for name, tensor in weights.tensors(file).items()
        if name.startswith("audio_encoder.")
    )

    def load(_: Report) -> Any:
        with components.in_words(card):
            from transformers.utils.logging import disable_progress_bar

            disable_progress_bar()
            base = components.class_of(card, "transformers", kind)
            with_codec: Any = type(kind, (base,), {"_keep_in_fp32_modules_strict": ["audio_encoder"]})
            model, info = with_codec.from_pretrained(
                found.folder,
                variant=found.variant,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
                dtype=dtype,
            )
            if info["missing_keys"]:
                raise ModelUnavailable(f"The weights of {card.name} are of another model than its configuration; fetch the model again.")
            return components.placed(model, device)

    return Component(components.key(card, found.files, "music", dtype), found.bytes(dtype) + codec, load)


def _tokenizer(card: ModelCard) -> Component:
    folder = components.files_of(card)
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and ("tokenizer" in path.name or "spiece" in path.name)]

    def load(_: Report) -> Any:
        with components.in_words(card):
            from transformers import AutoTokenizer

            return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)

    return Component(components.key(card, files, "words", "text"), sum(path.stat().st_size for path in files), load)


def _working_bytes(task: Task, config: Mapping[str, Any], options: _Options, itemsize: int) -> int:
    """Keys and values of every layer for the codes of a window and the words, twice with guidance; and one take's sound being decoded."""
    assert isinstance(task, Compose)
    decoder: Mapping[str, Any] = config.get("decoder", {})
    codec: Mapping[str, Any] = config.get("audio_encoder", {})
    rate = int(codec.get("sampling_rate", 32_000))
    hidden, layers = int(decoder.get("hidden_size", 1024)), int(decoder.get("num_hidden_layers", 24))
    seconds = min(task.duration or SECONDS, options.window)
    frames = seconds * rate / prod(codec.get("upsampling_ratios", [8, 5, 4, 4]))
    rows = task.count * (2 if (task.guidance_scale or SAMPLING["guidance_scale"]) > 1 else 1)
    cache = 2 * layers * hidden * (int(frames) + 2 * TEXT_TOKENS + int(config.get("chroma_length") or 0)) * rows * itemsize
    decoding = int(seconds * rate) * int(codec.get("num_filters", 64)) * 4 * 5
    whole = int((task.duration or SECONDS) * rate) * 2 * 4 * 3 * task.count
    return FIXED_BYTES + cache + decoding + whole
