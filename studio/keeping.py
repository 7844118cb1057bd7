"""From a finished medium to a creation: its record, its invisible mark, its file, its signature, and a place in the library.

Knows no model, no queue and no page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.creations import Creation, Media, Passage, Picture, Take
from studio.library import Library
from studio.marks import Marks, source_type
from studio.models import ModelCard
from studio.provenance import pictures, record
from studio.provenance.record import Record
from studio.tasks import Task


@dataclass(frozen=True)
class Run:
    """One run on its way: what was typed, what was resolved, what the model reads, and whose it is.

    `files` are where the files of the task lie; `worded` names them by path, `asked` and `task` by content. `like` is the record of what
    is made again; `within` the browser session whose creations may be its parents, '' for all of the owner's; `address` from where it was
    asked.
    """

    job: str
    asked: Task
    task: Task
    worded: Task
    files: Mapping[str, Path]
    card: ModelCard
    owner: str
    session: str
    like: Record | None = None
    within: str = ""
    address: str = ""


def kept(media: Media, run: Run, device: str, seconds: float, library: Library, marks: Marks) -> Creation:
    """The saved creation. `seconds` is how long it took on that device."""
    # 1. The record, then the invisible mark, which the record tells of.
    given = {name: (path.read_bytes(), path.suffix) for name, path in run.files.items()}
    sources = [(name, *given[name]) for name in given if name not in ("mask", "artwork")]
    parents = library.originals.creations([str(getattr(run.task, name)) for name in given if name != "mask"], run.owner, run.within)
    kind = next((source_type(content) for _, content, _ in sources), "")
    entry = _with_words(record.compose(run.task, run.asked, run.card, media, device, seconds, parents, kind), run)
    media, entry = marks.marked(media, entry, [content for _, content, _ in sources], run.like)
    # 2. The file with the record inside, signed last.
    encode, suffix = _encoder(media, run.files.get("artwork"))
    data, entry = marks.sealed(encode, suffix, entry, sources)
    # 3. The file and what belongs to it, all of it or nothing.
    companions = {} if isinstance(media, Passage) else dict(media.attachments)
    companions |= {f"{name}{ending}": content for name, (content, ending) in given.items()}
    text = media.text if isinstance(media, Passage) else None
    return library.keep(data, suffix, entry, owner=run.owner, session=run.session, job=run.job, text=text, attachments=companions)


def _with_words(entry: Record, run: Run) -> Record:
    """The record with the words that the model read, where a style changed those that were typed."""
    typed, read = ({name: getattr(task, name, "") for name in ("prompt", "negative_prompt")} for task in (run.task, run.worded))
    return entry if read == typed else entry.model_copy(update={"facts": {**entry.facts, "read": read}})


def _encoder(media: Media, artwork: Path | None) -> tuple[Callable[[Record], bytes], str]:
    """What makes the medium's file of its record, and the file's suffix; `artwork` is a sound's cover."""
    match media:
        case Picture():
            return lambda entry: pictures.encode_png(media.pixels, entry, media.icc), ".png"
        case Passage():
            return lambda _: media.text.encode(), ".txt"
        case Take():
            from studio.provenance import covers, sounds  # brings a sound library, which the first page does without

            cover = b"" if artwork is None else covers.prepared(artwork)
            return lambda entry: sounds.encode_flac(media.sound, entry, cover=cover), ".flac"
