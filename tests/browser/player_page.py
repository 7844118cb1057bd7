"""A page with nothing but the player, as a tab embeds it: `python -m tests.browser.player_page PORT`."""

from __future__ import annotations

import io
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import soundfile
from numpy.typing import NDArray

from studio.creations import Sound
from tabs import _form, _look, _player

ASSETS = Path(__file__).resolve().parents[2] / "assets"
RATE = 48000
BPM = 120.0
BARS = 8
BAR = 2.0
LIVE_RATE = 32000
LIVE_SECONDS = 4.0
CHUNK = 0.25
PATIENCE = 120.0  # seconds


def tone(seconds: float, pitch: float = 440.0, rate: int = RATE, loud: float = 0.4) -> NDArray[np.float32]:
    """(2, samples): a sine with whole periods wherever `seconds * pitch` is whole."""
    wave = loud * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)
    return np.stack([wave, 0.5 * wave]).astype(np.float32)


def song(seed: int, loud: float) -> tuple[NDArray[np.float32], list[dict[str, Any]]]:
    """Sixteen seconds of plucked notes of two parts at 120 bpm, with their notes."""
    random = np.random.default_rng(seed)
    total = int(BARS * BAR * RATE)
    out, notes = np.zeros(total), []
    for step in range(BARS * 8):
        start, bar = step * BAR / 8, step // 8
        melody = 60 + int(random.choice([0, 3, 5, 7, 10, 12])) if random.random() < 0.75 else None
        for part, pitch, length in (("Piano", melody, 0.5), ("Bass", (36, 36, 41, 43)[bar % 4] if step % 4 == 0 else None, 0.9)):
            if pitch is None:
                continue
            at = np.arange(min(round(length * RATE), total - round(start * RATE))) / RATE
            wave = np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * at) * np.exp(-5 * at) * np.minimum(1, at / 0.005)
            out[round(start * RATE) :][: len(at)] += wave * (0.5 + 0.5 * (bar >= 2))
            notes.append({"start": start, "seconds": length, "pitch": pitch, "part": part})
    return (loud * np.stack([out, out]) / np.abs(out).max()).astype(np.float32), notes


def file(samples: NDArray[np.float32], rate: int = RATE) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples.T, rate, format="FLAC", subtype="PCM_24")
    return out.getvalue()


def take(id: str, title: str, samples: NDArray[np.float32], rate: int = RATE, **more: Any) -> dict[str, Any]:
    path = _form.show_bytes({f"{id}.flac": file(samples, rate)})[0]
    return _player.take_value(id, title, path, rate, samples.shape[1] / rate, _player.peaks_of(samples), **more)


def takes() -> list[dict[str, Any]]:
    """Two songs of one tempo and unlike loudness, and a short loop whose tempo nobody knows."""
    names = ("Intro", "Theme", "Theme again", "Ending")
    sections = [{"name": name, "start": 4.0 * i, "seconds": 4.0} for i, name in enumerate(names)]
    facts = [["Tempo", "120 bpm", "120.0 bpm", True], ["Key", "C minor", "E♭ major", False], ["Loudness", "-14 LUFS", "-14.2 LUFS", True]]
    shared: dict[str, Any] = {"bpm": BPM, "meter": "4/4", "bars": BARS, "sections": sections, "facts": facts}
    (one, first), (two, second) = song(1, 0.8), song(2, 0.2)
    return [
        take("one", "Rainy night", one, notes=first, gain=0.5, **shared),
        take("two", "Rainy night, another take", two, notes=second, gain=2.0, **shared),
        take("loop", "A tone that loops", tone(1.0), loop=True),
    ]


def blocks() -> gr.Blocks:
    """The player, what sends it takes and growing sound, and what shows what it gives back."""

    def send() -> dict[str, Any]:
        return _player.opened(takes())

    going = threading.Event()

    def make() -> Iterator[dict[str, Any]]:
        """A tone in chunks, after the fifth of them nothing until somebody says "Go on", and the finished take."""
        going.clear()
        run, sound = str(time.time()), tone(LIVE_SECONDS, rate=LIVE_RATE)
        step = round(CHUNK * LIVE_RATE)
        for offset in range(0, sound.shape[1], step):
            yield _player.live_value(Sound(sound[:, offset : offset + step], LIVE_RATE), run, offset, LIVE_SECONDS)
            if offset == 4 * step:
                going.wait(PATIENCE)
            time.sleep(0.1)
        yield _player.opened([take("made", "A tone", sound, LIVE_RATE, run=run)])

    def draw(path: Path) -> bytes:
        samples, _ = soundfile.read(path, always_2d=True)
        return _picture(samples[:, 0])

    def event(data: gr.EventData) -> str:
        return json.dumps(data._data)

    with gr.Blocks() as demo, gr.Column(elem_classes="answer"):
        player = _player.Player(spectrogram=draw)
        picked = gr.JSON(visible=False)
        with gr.Row():
            open_, make_, go, play, tell = (gr.Button(name) for name in ("Open", "Make", "Go on", "Open and play", "Tell"))
        told, choice, region = (gr.Textbox(elem_id=name, label=name.capitalize()) for name in ("told", "choice", "region"))
        open_.click(send, None, player)
        play.click(lambda: _player.opened(takes()[:1], play=True), None, player)
        go.click(going.set, queue=False)
        make_.click(make, None, player, show_progress="hidden")
        tell.click(lambda data, _: repr(_player.chosen(data)), [picked, told], told, js=_player.CHOSEN)
        player.choose(event, None, choice)
        player.region(event, None, region)
    return demo


def _picture(wave: NDArray[Any]) -> bytes:
    from PIL import Image

    size, hop = 512, len(wave) // 400
    frames = np.stack([wave[i * hop :][:size] * np.hanning(size) for i in range(400) if i * hop + size <= len(wave)], axis=1)
    level = 20 * np.log10(np.abs(np.fft.rfft(frames, axis=0)) + 1e-6)
    out = io.BytesIO()
    Image.fromarray(np.clip((level[::-1] + 60) * 2.5, 0, 255).astype(np.uint8)).resize((800, 200)).save(out, "PNG")
    return out.getvalue()


def main() -> None:
    looks = {"theme": _look.theme(), "css": f"{_look.style_sheet(ASSETS)}.gradio-container {{ width: 100% }}", "head": _look.script(ASSETS)}
    quiet = {"quiet": True, "run_history": False, "enable_monitoring": False, "ssr_mode": False}
    blocks().launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), **quiet, **looks)


if __name__ == "__main__":
    main()
