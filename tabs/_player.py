"""The player's server side: what a tab sends it (takes, sound that is still being made) and what comes back (what is chosen).

The player itself is JavaScript in assets/player/ inside one gr.HTML. Everything a browser sends here may come from anyone: only files
in Gradio's upload folder are touched. Knows no single tab, no engine and no file format.
"""

from __future__ import annotations

import base64
import logging
import math
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from studio.errors import StudioError
from tabs._untrusted import inside, served

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from studio.creations import Sound
    from studio.music.score import Score

log = logging.getLogger("atelier.page")

STYLE = "player/player.css"
SCRIPTS = tuple(
    f"player/{part}.js" for part in ("sums", "draw", "sound", "panel", "region", "view", "player", "timeline", "record", "page")
)
"""In assets/, in the order in which the page loads them."""

CHOSEN = "(...values) => window.atelierPlayer.collect(values)"
"""The `js` of an event: puts what is chosen into the first input, a hidden gr.JSON; `chosen` reads it."""

COLUMNS = 1200
"""Stretches of a waveform: as many as a wide screen has room for, on a sharp one."""

_UNEXPECTED = "The spectrogram could not be drawn: the log has the details."
_PATIENCE = 60.0  # seconds to wait for a turn
_DECIMALS = 3  # decimals of a peak
_ATTACH = """
const tell = { choose: (data) => trigger("choose", data), region: (data) => trigger("region", data) };
const attach = (tries) => window.atelierPlayer?.attach
  ? window.atelierPlayer.attach(element, { props, server, watch, tell })
  : tries && setTimeout(() => attach(tries - 1), 50);
attach(200);
"""


RECORDER = """<button type="button" class="sm secondary">Record a melody</button><p role="status" aria-live="polite"></p>"""
"""A press records the microphone into the field of the class "reference-field"; a second one ends it."""

_RECORD = """
const attach = (tries) => window.atelierPlayer?.attachRecorder
  ? window.atelierPlayer.attachRecorder(element)
  : tries && setTimeout(() => attach(tries - 1), 50);
attach(200);
"""


def recorder() -> gr.HTML:
    """The button that records."""
    return gr.HTML(html_template=RECORDER, js_on_load=_RECORD, apply_default_css=False, padding=False, elem_classes="recorder quiet")


class Player(gr.HTML):
    """The player. Its value shows takes (`opened`) or lets a sound grow (`live_value`); both may be in one value.

    Events: `.choose` when a visitor chooses a take, with gr.EventData {take}; `.region` when a region was marked or cleared, with
    {take, start, end} in seconds or null. `spectrogram` draws a served file as a PNG, asked for once a visitor wants to see it.
    """

    def __init__(self, spectrogram: Callable[[Path], bytes] | None = None, **options: Any) -> None:
        super().__init__(
            html_template='<div class="player blank"></div>', js_on_load=_ATTACH, apply_default_css=False, padding=False,
            server_functions=[_drawing(spectrogram)] if spectrogram else None, elem_classes="player-block", **options,
        )  # fmt: skip


@dataclass(frozen=True)
class Chosen:
    """What a browser says is chosen: the id of a take, the `region` (start, end) in seconds if one is marked, and where it stands."""

    take: str
    region: tuple[float, float] | None = None
    position: float = 0.0


def chosen(data: Any) -> Chosen | None:
    """What `CHOSEN`, or the data of an event, says; None if it is nothing, or nothing sensible."""
    if not isinstance(data, Mapping):
        return None
    take, start, end = data.get("take"), _number(data.get("start")), _number(data.get("end"))
    if not isinstance(take, str) or not 0 < len(take) <= 200:
        return None
    region = (start, end) if start is not None and end is not None and 0 <= start < end else None
    return Chosen(take, region, max(0.0, _number(data.get("position")) or 0.0))


def opened(takes: Sequence[Mapping[str, Any]], take: str = "", play: bool = False) -> dict[str, Any]:
    """The player's value that shows `takes` (of `take_value`) and chooses the one with the id `take`; `play` plays it from its beginning.

    A take whose `run` is that of a growing sound goes on where that one plays. A sound that still grows and has no such take is dropped.
    """
    first = str(takes[0]["id"]) if takes else ""
    return {"takes": [dict(one) for one in takes], "chosen": take or first, "play": play, "token": secrets.token_hex(8)}


def take_value(
    id: str, title: str, path: str | Path, rate: int, seconds: float, peaks: Sequence[Sequence[float]], *,
    loop: bool = False, bpm: float | None = None, meter: str = "4/4", bars: int | None = None, first: float = 0.0,
    sections: Sequence[Mapping[str, Any]] = (), notes: Sequence[Mapping[str, Any]] | None = None, gain: float = 1.0,
    facts: Sequence[Sequence[Any]] = (), run: str = "", spectrogram: str | Path | None = None,
    cover: str | Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One take for `opened`.

    `path` is a FLAC or WAV in Gradio's upload folder, as `tabs._form.show` gives it; `peaks` are as of `peaks_of`; `first` the seconds
    of the first bar line; `sections` and `notes` as of `sections_of` and `notes_of`; `gain` the factor that makes takes equally loud;
    `facts` rows of what and value, or what, asked, measured and whether they agree; `run` that of `live_value`; `spectrogram` and `cover`
    served pictures.
    """
    return {
        "id": id, "title": title, "file": served(path), "rate": rate, "seconds": seconds, "peaks": [list(peak) for peak in peaks],
        "loop": loop, "bpm": bpm, "meter": meter, "bars": bars, "first": first, "sections": [dict(section) for section in sections],
        "notes": [dict(note) for note in notes] if notes is not None else None, "gain": gain, "facts": [list(row) for row in facts],
        "run": run, "spectrogram": served(spectrogram) if spectrogram else None, "cover": served(cover) if cover else None,
    }  # fmt: skip


def live_value(sound: Sound, run: str, offset: int, expected: float = 0.0, title: str = "", play: bool = True) -> dict[str, Any]:
    """The player's value that adds `sound` at `offset` samples to the growing sound of `run`, an id that no other run has.

    It plays at once if nothing else does and `play` is left on. `expected` is how many seconds it will have. Sound that came already
    may come again; sound that leaves a gap is not taken.
    """
    samples = np.nan_to_num(sound.samples, nan=0.0)
    whole = np.rint(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")
    live = {"run": run, "rate": sound.rate, "channels": int(whole.shape[0]), "offset": offset, "expected": expected}
    return {"live": {**live, "title": title, "play": play, "pcm": base64.b64encode(whole.T.tobytes()).decode()}}


def peaks_of(samples: NDArray[np.float32], columns: int = COLUMNS) -> list[list[float]]:
    """[least, most] over all channels of equal stretches of `samples` (channels, samples); fewer than `columns` for a very short sound."""
    count = samples.shape[1]
    if not count:
        return []
    starts = np.unique(np.arange(columns) * count // columns)
    low = np.minimum.reduceat(samples.min(axis=0), starts)
    high = np.maximum.reduceat(samples.max(axis=0), starts)
    return np.nan_to_num(np.stack([low, high], axis=1)).astype(float).round(_DECIMALS).tolist()


def notes_of(score: Score) -> list[dict[str, Any]]:
    """The notes of a score for the piano roll, in seconds; drums, whose pitch is none, are left out."""
    second = 60.0 / score.quarters_a_minute
    return [
        {"start": round(note.start * second, 4), "seconds": round(note.length * second, 4), "pitch": note.pitch, "part": part.name}
        for part in score.parts
        if not part.drums
        for note in part.notes
    ]


def sections_of(score: Score) -> list[dict[str, Any]]:
    """The sections of a score in seconds."""
    bar = score.meter.bar * 60.0 / score.quarters_a_minute
    return [{"name": section.name, "start": section.bar * bar, "seconds": section.bars * bar} for section in score.sections]


def _drawing(draw: Callable[[Path], bytes]) -> Callable[[Any], dict[str, Any]]:
    turns = threading.Semaphore(1)

    def spectrogram(data: Any) -> dict[str, Any]:
        """For the player: {path} of a served sound to {image (PNG in base64)}, or {error}."""
        path = inside(data.get("path")) if isinstance(data, dict) else None
        if path is None:
            return {"error": "This take is no longer here: open it again from the library."}
        if not turns.acquire(timeout=_PATIENCE):
            return {"error": "The studio is busy with other pictures: try again in a moment."}
        try:
            return {"image": base64.b64encode(draw(path)).decode()}
        except StudioError as error:
            return {"error": str(error)}
        except Exception:  # a damaged file can fail anywhere in a decoder
            log.exception("a spectrogram failed")
            return {"error": _UNEXPECTED}
        finally:
            turns.release()

    return spectrogram


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) else None
