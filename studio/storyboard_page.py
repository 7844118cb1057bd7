"""A storyboard as one HTML file that opens in any browser without this studio, and prints as sheets of six panels.

Everything is inside the file: nothing is fetched when it opens, and no program runs in it. Knows no library and no page of ours.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

STYLE = """
:root { color-scheme: light; }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; background: #fff; color: #1e1b18; font: 1rem/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 0.25rem; overflow-wrap: anywhere; }
p { margin: 0; color: #57504a; }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 1.5rem; }
ol { margin: 1.5rem 0 0; padding: 0; list-style: none; }
figure { margin: 0; break-inside: avoid; }
img { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: contain; }
img { box-sizing: border-box; background: #f3f0ec; border: 1px solid #d9d3cb; border-radius: 6px; }
.waits { box-sizing: border-box; aspect-ratio: 4 / 3; overflow: auto; padding: 1rem; border: 1px dashed #b3aaa0; border-radius: 6px; }
small { padding: 0 0.4rem; border: 1px solid #d9d3cb; border-radius: 4px; color: #57504a; white-space: nowrap; }
figcaption { padding-top: 0.4rem; white-space: pre-wrap; overflow-wrap: anywhere; }
figcaption b { margin-right: 0.4rem; }
audio { width: 100%; margin-top: 0.4rem; }
@page { margin: 12mm; }
@media print {
  body { margin: 0; max-width: none; padding: 0; }
  ol { grid-template-columns: 1fr 1fr; gap: 8mm; }
  audio { display: none; }
}
"""
MADE = "Pictures and sounds on this page were made by machine, with Atelier."
WORDS = {"machine": "AI words", "edited": "AI words, edited"}
"""What stands under a caption that a writer drafted, by who wrote it."""
POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Shown:
    """One panel: its caption, its picture as JPEG, and its sound as MP3 or b'', with the sound's name.

    Where there is no picture yet, `picture` is b'' and `seen` the words for it. `origin` as in `studio.storyboards.Panel`.
    """

    words: str
    picture: bytes
    sound: bytes = b""
    heard: str = ""
    seen: str = ""
    origin: str = ""


def page(title: str, panels: Iterable[Shown]) -> bytes:
    """The whole file, UTF-8. Captions and names are text, whatever stands in them."""
    figures = "".join(f"<li>{_figure(number, panel)}</li>\n" for number, panel in enumerate(panels, 1))
    name = escape(title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>{name}</title><style>{STYLE}</style></head>\n'
        f"<body><h1>{name}</h1><p>{MADE}</p>\n<ol>\n{figures}</ol></body></html>\n"
    ).encode("utf-8", "replace")


def _figure(number: int, panel: Shown) -> str:
    words, heard = escape(panel.words), escape(panel.heard)
    picture = f'<img alt="Panel {number}" src="{_data("image/jpeg", panel.picture)}">' if panel.picture else ""
    picture = picture or f'<p class="waits">No picture yet: {escape(panel.seen)}</p>'
    said = f" <small>{WORDS[panel.origin]}</small>" if panel.origin in WORDS else ""
    sound = f'<audio controls preload="none" aria-label="{heard}" src="{_data("audio/mpeg", panel.sound)}"></audio>' if panel.sound else ""
    return f"<figure>{picture}<figcaption><b>{number}</b>{words}{said}</figcaption>{sound}</figure>"


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
