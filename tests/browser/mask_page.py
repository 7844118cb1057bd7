"""A page with nothing but the mask editor, as a tab embeds it: `python -m tests.browser.mask_page PORT`."""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from tabs import _form, _look, _mask_editor

ASSETS = Path(__file__).resolve().parents[2] / "assets"
WIDTH, HEIGHT = 480, 320


def blocks() -> gr.Blocks:
    """Two hidden files, a run, the sides of an outpainting, a picture sent from elsewhere."""

    def run(image: str | None, mask: str | None, words: str) -> str:
        facts: dict[str, Any] = {"words": words, "image": image, "mask": mask}
        if image:
            facts["name"], facts["sha256"] = Path(image).name, sha256(Path(image).read_bytes()).hexdigest()
        if mask:
            with Image.open(mask) as opened:
                values = np.asarray(opened)
                facts |= {"format": opened.format, "mode": opened.mode, "size": opened.size, "box": opened.getbbox()}
                facts |= {
                    "white": int((values == 255).sum()),
                    "grey": int(((values > 0) & (values < 255)).sum()),
                    "most": int(values.max()),
                }
        return json.dumps(facts)

    def send() -> dict[str, Any]:
        return _mask_editor.opened(_form.show_bytes({"sent.png": picture(200, 100)})[0], ["It came from the library."])

    with gr.Blocks() as demo:
        with gr.Tabs():
            with gr.Tab("Elsewhere"):
                sent = gr.Button("Send")
            with gr.Tab("Inpaint"), gr.Row(elem_classes="desk"):
                with gr.Column(elem_classes="ask"):
                    editor = _mask_editor.mask_editor()
                    image, mask = gr.File(visible=False), gr.File(visible=False)
                with gr.Column(elem_classes="answer"):
                    words = gr.Textbox(label="Words")
                    with gr.Row():
                        go, stop = gr.Button("Run", elem_classes="run"), gr.Button("Stop", elem_classes="stop")
                    out, stopped = gr.Textbox(elem_id="out", label="Out"), gr.Textbox(label="Stopped")
                    sides = [gr.Textbox("", label=side) for side in ("Left", "Right", "Top", "Bottom")]
        go.click(run, [image, mask, words], out, js=_mask_editor.COLLECT)
        stop.click(lambda: "yes", None, stopped)
        sent.click(send, None, editor)
        for side in sides:
            side.change(None, sides, None, js="(...sides) => { window.atelierMask.margins(...sides); }")
    return demo


def picture(width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A PNG: blue above, green below, a red disc in the middle with a quarter of the height as its radius."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2] = (90, 150, 230)
    pixels[height // 2 :] = (60, 140, 70)
    y, x = np.mgrid[:height, :width]
    pixels[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2] = (200, 40, 40)
    return png(pixels)


def png(pixels: np.ndarray) -> bytes:
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def main() -> None:
    looks = {"theme": _look.theme(), "css": f"{_look.style_sheet(ASSETS)}.gradio-container {{ width: 100% }}", "head": _look.script(ASSETS)}
    quiet = {"quiet": True, "run_history": False, "enable_monitoring": False, "ssr_mode": False}
    blocks().launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), max_file_size="2mb", **quiet, **looks)


if __name__ == "__main__":
    main()
