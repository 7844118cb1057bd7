"""Takes from a model that writes codes, whichever library it comes from: played while they are made, kept after a stop, gone on with.

Takes of one task are made in one batch, each from its own seed. Knows no model's internals, no manager and no page.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from studio import components
from studio.creations import Json, Preview, Progress, Report, Sound, Take
from studio.engines import _codec, _codes, _hearing, _stretches
from studio.errors import Cancelled, InvalidInput, ModelUnavailable
from studio.models import ModelCard
from studio.tasks import SEED_LIMIT, Compose, Task

ATTACHMENT = "codes.npz"
"""Beside each take: its codes. As a reference to continue, such a file is gone on with and never encoded anew."""
SAMPLING: Mapping[str, float] = {"guidance_scale": 3.0, "temperature": 1.0, "top_k": 250, "top_p": 0.0}
"""Where neither the task nor the card says: the makers' own."""
SECONDS = 10.0
"""Length of a piece where neither the task nor the card says."""
PLAYED_SECONDS = 1.0
"""Sound of each preview."""
JOIN_SECONDS = 0.02
"""Over which a continued recording goes over into what the model heard of it."""


class Instrument(_codes.Writer, Protocol):
    """A model with its codec. `rate` is hertz, `step` samples a frame; `books` codebooks have `choices` codes each."""

    rate: int
    step: int
    books: int
    choices: int
    stereo: bool
    device: Any
    dtype: str

    def condition(self, said: str, melody: NDArray[np.float32] | None, guided: bool, rows: int, window: int) -> _codes.Condition:
        """What it is told: words, and the melody (1, samples), of which it hears `window` samples at a time."""
        ...

    def parts(self) -> _codec.Parts:
        """Its codec's decoder, taken apart."""
        ...

    def decoded(self, codes: Any) -> Any:
        """Codes (1, codebooks of one side, frames) as samples (1, 1, samples), at once."""
        ...

    def encoded(self, samples: NDArray[np.float32]) -> NDArray[np.int64]:
        """Samples (channels, whole frames) as codes (codebooks, frames)."""
        ...


@dataclass(frozen=True)
class _Opening:
    """What a take begins with: codes (codebooks, frames), and the recording (channels, samples) they stand for, if there is one."""

    codes: NDArray[np.int64]
    recording: NDArray[np.float32] | None = None


def finished(sound: Sound, task: Compose, finish: str, report: Report) -> tuple[Sound, dict[str, Json]]:
    """A take at its loudness and measured, whether it was stopped or is stopped now; one that came to no end is no loop."""
    from studio.music import finish as last

    task = task if finish == "end" else task.model_copy(update={"loop": False})
    sound, facts, _ = last.finished(sound, task, report=last.unstopped(report))
    return sound, facts


class Composer:
    """An instrument in use, for one card. `window` and `stride` are seconds it oversees, and moves on by beyond that."""

    def __init__(self, instrument: Instrument, card: ModelCard, window: float, stride: float) -> None:
        self._plays, self._card = instrument, card
        self._window = self._frames(window), self._frames(stride)
        if not 0 < self._window[1] < self._window[0]:
            raise ModelUnavailable(f"The card of {card.name} has a stride that is not shorter than its window.")

    def takes(self, task: Task, report: Report) -> Iterator[Take]:
        """The takes of a task; after a stop, what there is of each."""
        import torch

        assert isinstance(task, Compose)
        plays = self._plays
        # 1. What the model is told, and what the piece begins with.
        report(Progress("running", 0, task.duration or SECONDS, "seconds", items=task.count, note="Reading"))
        drawn = sampling(task)
        melody = self._recording(task, mono=True) if task.way == "melody" else None
        opening = self._opening(task)
        known = opening.codes.shape[1]
        stretches = _stretches.of(task, known, self._frames(task.duration or SECONDS), self._frames)
        seeds = [seed_of(task, item) for item in range(task.count)]
        # 2. Column after column; `report` raises to stop.
        values = torch.zeros(task.count, plays.books, stretches[-1][1], dtype=torch.long)
        values[..., :known] = torch.from_numpy(opening.codes)
        codes = _codes.Codes(values.to(plays.device), known)
        player = _Player(codes, _codec.Stream(plays.parts(), plays.stereo), (plays.rate, plays.step), opening, report)
        finish: Literal["end", "stopped"] = "end"
        with components.memory_in_words(f"{self._card.name} needs more memory than is free: ask for fewer takes or a smaller model."):
            try:
                for words, end in stretches:
                    told = plays.condition(words, melody, drawn.guided, task.count, self._window[0] * plays.step)
                    _codes.write(plays, codes, told, seeds, drawn, self._window, player.heard, end, self._heard(task))
            except Cancelled:
                if codes.done <= known:
                    raise
                finish = "stopped"
            # 3. The sound, once from all codes.
            facts = self._facts(task, drawn, known)
            for row, seed in enumerate(seeds):
                kept = codes.values[row, :, : codes.done]
                samples = self._sound(kept, player, row, finish)
                sound = Sound(_joined(opening.recording, samples, known * plays.step, round(JOIN_SECONDS * plays.rate)), plays.rate)
                sound, told_of = finished(sound, task, finish, report)
                yield Take(sound, seed, finish, {**facts, **told_of}, {ATTACHMENT: self._packed(kept)})

    def _sound(self, codes: Any, player: _Player, row: int, finish: str) -> NDArray[np.float32]:
        """A whole piece within the window is decoded at once, as the model's own `generate` does; a longer or stopped one was, in parts."""
        if finish == "end" and codes.shape[-1] <= self._window[0]:
            return np.clip(_codec.whole(self._plays.decoded, codes, self._plays.stereo), -1, 1)
        return player.all()[row]

    def _opening(self, task: Compose) -> _Opening:
        plays = self._plays
        if task.way != "continue":
            return _Opening(np.zeros((plays.books, 0), np.int64))
        if Path(task.reference).suffix.lower() == ".npz":
            return _Opening(_hearing.read_codes(Path(task.reference), plays.books, plays.choices, plays.rate, plays.step))
        recording = self._recording(task, mono=not plays.stereo)
        most = self._heard(task) or self._window[0] - self._window[1]
        frames = min(most, recording.shape[1] // plays.step)
        if not frames:
            raise InvalidInput("The reference is too short to go on from: choose a longer one.", "reference")
        return _Opening(plays.encoded(recording[:, -frames * plays.step :]), recording)

    def _heard(self, task: Compose) -> int | None:
        return _stretches.heard(task, self._window, self._frames(task.context), self._frames(_stretches.LEAST_NEW_SECONDS))

    def _recording(self, task: Compose, *, mono: bool) -> NDArray[np.float32]:
        return _hearing.read(Path(task.reference), self._plays.rate, 1 if mono else 2)

    def _facts(self, task: Compose, sampling: _codes.Sampling, known: int) -> dict[str, Json]:
        facts: dict[str, Json] = {
            "dtype": self._plays.dtype,
            "guidance_scale": sampling.guidance,
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "batch": task.count,
        }
        facts |= _stretches.facts(task)
        if known:
            facts["continued_codes"] = known
        return facts

    def _packed(self, codes: Any) -> bytes:
        file = io.BytesIO()
        kept = codes.cpu().numpy().astype(np.int16)
        np.savez(file, codes=kept, rate=np.int32(self._plays.rate), step=np.int32(self._plays.step))
        return file.getvalue()

    def _frames(self, seconds: float) -> int:
        return round(seconds * self._plays.rate / self._plays.step)


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


def seed_of(task: Compose, item: int) -> int:
    """The seed of a run's take, counted from 0; after the largest comes 0."""
    return ((task.seed or 0) + item) % (SEED_LIMIT + 1)


def sampling(task: Compose) -> _codes.Sampling:
    """How codes are drawn: as the task says, else as the makers do."""
    values = {name: usual if getattr(task, name) is None else getattr(task, name) for name, usual in SAMPLING.items()}
    return _codes.Sampling(float(values["guidance_scale"]), float(values["temperature"]), int(values["top_k"]), float(values["top_p"]))


def _joined(recording: NDArray[np.float32] | None, samples: NDArray[np.float32], known: int, fade: int) -> NDArray[np.float32]:
    """The recording itself, then what goes on after the `known` samples that stand for its end, over a short fade between the two."""
    if recording is None:
        return samples
    fade = min(fade, known)
    share = np.linspace(0, 1, fade, dtype=np.float32)
    end = recording[:, recording.shape[1] - fade :]
    over = (end + (samples[:, known - fade : known] - end) * share).astype(np.float32)
    return np.concatenate([recording[:, : recording.shape[1] - fade], over, samples[:, known:]], axis=1)
