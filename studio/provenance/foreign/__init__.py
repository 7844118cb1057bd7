"""Settings that other programs left in pictures, sounds and texts, as fields of ours, with what could not be restored.

Reading order:

    sheet.py         what one program's settings become: fields, and a sentence for everything else
    loose_json.py    JSON of any origin, bounded
    names.py         other programs' names of schedulers and models
    words.py         prompts with marks that only other programs understand
    carried.py       the texts in a file, whichever way it carries them
    stealth.py       a text in the lowest bits of pixels
    a1111.py         A1111 and its kin: one text
    fooocus.py       Fooocus: JSON, or A1111's text; its presets
    invokeai.py      InvokeAI: JSON
    swarmui.py       SwarmUI: JSON
    novelai.py       NovelAI: JSON
    graph.py         ComfyUI's two kinds of graph as one
    tracing.py       values along the links of a graph
    comfyui.py       ComfyUI: from the saved picture back to what made it
    audiocraft.py    JSON in the comment of a sound
    restore.py       the fields as a task of ours can take them

Knows no page, no library and no record of ours: `pictures.read_record` and `sounds.read_record` come first, since our own files carry
A1111's text too.
"""

from __future__ import annotations

from pathlib import Path

from studio.errors import MediaUnreadable
from studio.provenance.foreign import a1111, audiocraft, carried, comfyui, fooocus, invokeai, novelai, stealth, swarmui
from studio.provenance.foreign.carried import Carried
from studio.provenance.foreign.restore import restored
from studio.provenance.foreign.sheet import Foreign

__all__ = ["Carried", "Foreign", "first", "read", "read_text", "restored"]

_READERS = (swarmui.read, invokeai.read, novelai.read, fooocus.read, a1111.read, comfyui.read, audiocraft.read)


def read(data: bytes | Path) -> Foreign | None:
    """The settings that another program left in a file, or None where there are none that are known.

    Takes PNG, JPEG, WebP, AVIF, GIF, SVG, FLAC, Ogg, Opus, WAV and MP3 files, and texts: a pasted or saved infotext, a graph, a preset.
    Pixels are decoded only where a PNG or WebP file has no text of a known program. Raises MediaUnreadable with one sentence for a
    file that is damaged or too large, or whose settings are. Sentences hold words of the file: show them as plain text.
    """
    if isinstance(data, Path):
        data = carried.opened(data)
    found = carried.read(data)
    foreign = first(found)
    if foreign is None and (hidden := stealth.read(data)):
        foreign = first(carried.of_text(hidden, sure=True))
    return foreign


def read_text(text: str) -> Foreign | None:
    """The same for a text alone."""
    return first(carried.of_text(text))


def first(found: Carried) -> Foreign | None:
    """What the first program that knows these texts reads; the others that left something are named."""
    refusal: MediaUnreadable | None = None
    results: list[Foreign] = []
    for reader in _READERS:
        try:
            result = reader(found)
        except MediaUnreadable as error:
            refusal = refusal or error
            continue
        if result is not None:
            results.append(result)
    if results:
        return results[0].with_more(f"Settings of {other.tool} are in this file too and were not used." for other in results[1:])
    if refusal is not None:
        raise refusal
    return None
