"""Where each part of a picture comes from: the picture with an invisible map; the page's script names the part under the pointer."""

from __future__ import annotations

import base64
import io
import json
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from studio.creations import Creation
from tabs import _status

SIDE = 768
"""Pixels: the picture with its map is shown no larger than this."""


def html(creation: Creation) -> str:
    """The attribution of a picture as HTML, or '' when its record has none. Works by pointer and, as a list, by keyboard."""
    facts = creation.record.get("facts")
    sources = facts.get("attribution") if isinstance(facts, dict) else None
    path = creation.attachments.get("attribution.png")
    if not isinstance(sources, list) or not sources or path is None:
        return ""
    names = [_words(source) for source in sources if isinstance(source, dict)]
    shares = [share for source in sources if isinstance(source, dict) and isinstance(share := source.get("share"), int | float)]
    picture, credit = Image.open(creation.path).convert("RGB"), Image.open(path)
    picture.thumbnail((SIDE, SIDE))
    parts = json.dumps(names)
    lines = "".join(f"<li>{escape(name)} <b>{share:.0%}</b></li>" for name, share in zip(names, shares, strict=True) if share >= 0.005)
    close = facts.get("close_to") if isinstance(facts, dict) else None
    near = f"<p>Close to: {escape(str(close))}.</p>" if close else ""
    near += _own(facts.get("own_set") if isinstance(facts, dict) else None)
    drawn, out = _status.data_url(np.asarray(picture)), io.BytesIO()
    credit.resize(picture.size, Image.Resampling.NEAREST).save(out, "PNG")
    map_url = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    return (
        f'<details class="attribution" open><summary>Where each part comes from</summary>{near}<div class="parts">'
        f'<img class="mapped" alt="The picture; point at a part to see its source" src="{drawn}"'
        f' data-map="{map_url}" data-parts="{escape(parts)}">'
        f'<div><p class="part" role="status">Point at a part of the picture.</p><ul>{lines}</ul></div></div></details>'
    )


def _own(own: Any) -> str:
    """Whose own pictures gave shapes or colours, and under which licence."""
    if not isinstance(own, dict):
        return ""
    return f"<p>Colours and pictures of: My set: {escape(str(own.get('name')))} ({escape(str(own.get('licence')))}).</p>"


def _words(source: dict[str, Any]) -> str:
    return ", ".join(str(source[key]) for key in ("set", "name", "licence") if source.get(key))
