"""Progress, errors and facts as small pieces of HTML. Everything that came from a person or a file is escaped here."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio import sheets
from studio.creations import Progress
from studio.models import ModelCard

PREVIEW_SIDE = 320
"""Pixels: a live preview is sent no larger than this."""

SHOWN_LINES = 3
"""More lines under a closing line are folded."""

PHASES = {"waiting": "Waiting", "downloading": "Downloading", "loading": "Loading", "running": "Working", "saving": "Saving"}


def progress(event: Progress, seconds_left: float | None = None, preview: NDArray[np.uint8] | None = None, item: str = "Picture") -> str:
    """A progress bar with its words, and the unfinished picture above it if there is one. `item` names one of several results."""
    share = event.done / event.total if event.total else None
    value = f' value="{share:.4f}"' if share is not None and event.phase != "waiting" else ""
    left = f" · {duration(seconds_left)} left" if seconds_left is not None else ""
    picture = f'<img class="preview" alt="Unfinished picture" src="{data_url(preview)}">' if preview is not None else ""
    words = escape(progress_words(event, item) + left)
    return f'<div class="stage">{picture}<progress{value} max="1" aria-label="{words}"></progress><p role="status">{words}</p></div>'


def progress_words(event: Progress, item: str = "Picture") -> str:
    """For example 'Loading 2 of 4, 0.4 of 1.2 GB' or 'Picture 1 of 4 · step 12 of 18'."""
    if event.phase == "waiting":
        ahead = int(event.total)
        return f"Waiting: {ahead} run{'s' if ahead != 1 else ''} ahead" if ahead else "Starting"
    if event.unit == "bytes":
        which = f" {event.item} of {event.items}" if event.items > 1 else ""
        of = f" of {gigabytes(event.total)}" if event.total else ""
        what = (
            event.note[0].upper() + event.note[1:]
            if event.phase == "loading" and event.note
            else f"{PHASES[event.phase]} {event.note}".strip()
        )
        return f"{what}{which}, {gigabytes(event.done) if event.total < 1e8 else f'{event.done / 1e9:.1f}'}{of}"
    words = [f"{item} {event.item} of {event.items}"] if event.items > 1 else []
    if event.total:
        words.append(f"{event.unit.rstrip('s')} {event.done:.0f} of {event.total:.0f}")
    words.append(event.note)
    text = " · ".join(word for word in words if word) or PHASES[event.phase]
    return text[0].upper() + text[1:]


def message(words: str, kind: str = "done") -> str:
    """A closing line; `kind` is done, stopped or error."""
    return f'<div class="stage {kind}"><p role="status">{escape(words)}</p></div>' if words else ""


def lines(words: Sequence[str]) -> str:
    """A closing line, and under it a list of what else is to be said; a long list is folded."""
    first, *more = words
    if not more:
        return message(first)
    listed = f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in more)}</ul>"
    folded = f"<details><summary>{len(more)} more to know</summary>{listed}</details>" if len(more) > SHOWN_LINES else listed
    return f'<div class="stage done"><p role="status">{escape(first)}</p>{folded}</div>'


def note(words: str) -> str:
    """A quiet line."""
    return f"<p>{escape(words)}</p>" if words else ""


def duration(seconds: float) -> str:
    """For example 'about 8 s' or 'about 3 min'."""
    return f"about {max(1, round(seconds))} s" if seconds < 90 else f"about {round(seconds / 60)} min"


def gigabytes(count: float) -> str:
    """Bytes in words: '98 MB' or '1.2 GB'."""
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def data_url(pixels: NDArray[np.uint8]) -> str:
    """A picture (H, W, 3 or 4) as an inline WebP of at most PREVIEW_SIDE pixels a side."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=80, method=0)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def card_facts(card: ModelCard, here: bool) -> str:
    """What an artist should know of a model before using it: one sentence, licence, use, size."""
    commercial = {True: "commercial use allowed", False: "no commercial use", "limited": "commercial use limited"}.get(
        card.commercial, "commercial use unknown"
    )
    facts = [f"Licence: {card.licence}", commercial]
    if card.memory_gb:
        facts.append(f"{gigabytes(card.memory_gb * 1e9)} of memory")
    if not here:
        facts.append(f"{gigabytes(card.download_gb * 1e9)} to download" if card.download_gb else "download size unknown")
    if card.gated is True:
        facts.append("needs a Hub account that accepted its licence")
    missing = [name for name in card.needs if find_spec(name.replace("-", "_")) is None]
    if missing:
        made = next((name for name in ("audiocraft", "demucs") if name in missing), "")  # whose own requirements would break this studio
        facts.append(f"first run: make {made}" if made else f"first run: pip install {' '.join(missing)}")
    link = f' <a href="{escape(card.url)}" target="_blank" rel="noopener">Model page</a>' if card.url.startswith("https://") else ""
    told = facts_table(sheets.sheet(card))
    more = f'<details class="sheet"><summary>More about {escape(card.name)}</summary>{told}</details>'
    return f'<p class="card">{escape(card.summary)} <span>{escape(" · ".join(facts))}.</span>{link}</p>{more}'


def facts_table(rows: Mapping[str, Any]) -> str:
    """A two-column list of facts; empty ones are left out."""
    cells = "".join(f"<dt>{escape(str(k))}</dt><dd>{escape(str(v))}</dd>" for k, v in rows.items() if v not in (None, "", ()))
    return f'<dl class="facts">{cells}</dl>'
