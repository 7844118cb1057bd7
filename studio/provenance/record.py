"""The record of a creation: everything that is needed to make it again, and what it is.

It travels inside the file where the format can carry it, and always in the library's index. Knows tasks, cards and media;
knows no file format and no disk. A record from outside is untrusted text: `parse` refuses what could hurt or mislead.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import math
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from studio.creations import Media, Passage, Picture, Take
from studio.errors import InvalidInput, MediaUnreadable
from studio.models import Address, Endpoint, Hub, ModelCard, Package, SingleFile, Source
from studio.tasks import TASKS, Compose, Task

VERSION = "0.1.0"
SCHEMA_VERSION = 1
SIZE_LIMIT = 1 << 20
DEPTH_LIMIT = 32
FILES_LIMIT = 64

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""IPTC NewsCodes, the scheme digitalsourcetype: each type is an address that begins so."""
TRAINED = f"{SOURCE_TYPES}trainedAlgorithmicMedia"
"""Media made by a model trained on sampled content."""
COMPOSITE = f"{SOURCE_TYPES}compositeWithTrainedAlgorithmicMedia"
"""Parts that such a model made, beside parts of something given."""
ENHANCED = f"{SOURCE_TYPES}algorithmicallyEnhanced"
"""Something given that a method without a model changed."""

LIBRARIES = {
    "PIL": "pillow",
    "accelerate": "accelerate",
    "diffusers": "diffusers",
    "midirenderer": "midirenderer",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "resvg_py": "resvg-py",
    "safetensors": "safetensors",
    "scipy": "scipy",
    "soundfile": "soundfile",
    "tokenizers": "tokenizers",
    "torch": "torch",
    "transformers": "transformers",
    "vtracer": "vtracer",
    "xllamacpp": "xllamacpp",
}
"""Import name to distribution name of what can change a result."""


class Record(BaseModel):
    """What was asked, what made it, and what it is. Keys that this version does not know are kept as they are.

    `task` is resolved (seed of this very medium, count 1), `asked` is as the artist left it. `model.files` maps a weight file to
    "sha256:<hex>" where the hash is known, else to its size in bytes. `seconds` is the run's, `created` UTC in ISO 8601. `marks` says how
    its file can be recognised (see studio/marks.py), or why not.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    schema_version: int = Field(ge=1)
    made_by: str
    kind: str
    task: dict[str, JsonValue]
    asked: dict[str, JsonValue]
    model: dict[str, JsonValue]
    software: dict[str, JsonValue]
    device: str
    seconds: float
    created: str
    machine_made: Literal[True] = True
    digital_source_type: str = TRAINED
    parents: list[str] = Field(default_factory=list[str])
    facts: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    marks: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])


def compose(
    task: Task, asked: Task, card: ModelCard, media: Media, device: str, seconds: float, parents: Sequence[str] = (), given: str = ""
) -> Record:
    """The record of one finished medium. `task` is the resolved task of the whole run, `asked` what was typed.

    `given` is the source type of the file that it was made from, '' where there is none or it tells none.

    Facts of the engine that JSON cannot hold are kept as near as it can: a number that is not finite becomes null, half a surrogate
    pair becomes U+FFFD; facts that would make the record larger than `SIZE_LIMIT` are left out, and `facts` says so.
    """
    resolved = task.model_dump(mode="json") | {"seed": media.seed}
    if "count" in resolved:
        resolved["count"] = 1
    facts: dict[str, object] = dict(media.facts)
    if isinstance(media, Passage):
        facts |= {"tokens": media.tokens, "finish": media.finish}
    if isinstance(media, Take):
        facts |= {"finish": media.finish}
    values = {
        "schema_version": SCHEMA_VERSION,
        "made_by": f"Atelier {VERSION}",
        "kind": task.kind,
        "task": resolved,
        "asked": asked.model_dump(mode="json"),
        "model": _model(card),
        "software": _software(),
        "device": device,
        "seconds": round(seconds, 3),
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "digital_source_type": _source_type(task, card, media, given),
        "parents": list(parents),
        "facts": facts,
    }
    record = Record.model_validate(_plain(values))
    if len(to_json(record).encode()) > SIZE_LIMIT:
        record = record.model_copy(update={"facts": {"left_out": "what the engine told about this result was too long for a record"}})
    return record


def to_json(record: Record) -> str:
    """The record as one line of JSON that is valid UTF-8 whatever it holds."""
    text = json.dumps(record.model_dump(mode="json"), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def parse(text: str | bytes) -> Record:
    """A record from text of any origin. Raises MediaUnreadable for what is none, InvalidInput for one of a newer version."""
    if len(text if isinstance(text, bytes) else text.encode("utf-8", "replace")) > SIZE_LIMIT:
        raise MediaUnreadable("The settings in this file are larger than 1 MB and were not read: set the fields by hand.")
    try:
        values = cast("JsonValue", json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite))
    except (ValueError, RecursionError):
        raise MediaUnreadable(_DAMAGED) from None
    if not isinstance(values, dict) or _too_deep(values):
        raise MediaUnreadable(_DAMAGED)
    version = values.get("schema_version")
    if isinstance(version, int) and not isinstance(version, bool) and version > SCHEMA_VERSION:
        raise InvalidInput("These settings were written by a newer Atelier: update this one to restore them.")
    try:
        return Record.model_validate(values)
    except ValidationError:
        raise MediaUnreadable(_DAMAGED) from None


def task_of(record: Record) -> Task:
    """The task that makes it again. Fields that this version does not know are ignored; InvalidInput names a field it cannot use."""
    task = TASKS.get(record.kind)
    if task is None:
        raise InvalidInput("This was made by a tool that this Atelier does not have: update it to make it again.")
    values = {name: value for name, value in record.task.items() if name in task.model_fields}
    if "text_mark" in task.model_fields:  # what was written before there was a mark in words has none
        values.setdefault("text_mark", False)
    return task.checked(values)


_DAMAGED = "The settings in this file are damaged and were not read: set the fields by hand."


def _source_type(task: Task, card: ModelCard, media: Media, given: str) -> str:
    """What is kept of a given file stays what it was."""
    if isinstance(task, Compose):
        keeps = task.way not in ("make", "melody")
    else:
        keeps = isinstance(media, Picture) and media.drawn is not None
    if not keeps or given == TRAINED:
        return TRAINED
    return COMPOSITE if card.trained or given == COMPOSITE else ENHANCED


def _model(card: ModelCard) -> dict[str, object]:
    return {
        "name": card.name,
        "engine": card.engine,
        "source": _origin(card.source),
        "revision": _revision(card),
        "licence": card.licence,
        "commercial": card.commercial,
        "files": dict(_files(card)),
    }


def _origin(source: Source) -> str:
    """Where weights come from, without the folders of this machine."""
    if isinstance(source, Hub):
        return f"hub:{source.repo}"
    if isinstance(source, Package):
        return f"package:{source.name}"
    if isinstance(source, Endpoint):
        return f"endpoint:{source.model}"
    if isinstance(source, Address):
        return f"url:{source.url}"
    return f"{source.kind}:{Path(source.path).name}"


def _revision(card: ModelCard) -> str:
    if isinstance(card.source, Package):
        return card.source.version
    if isinstance(card.source, Hub):
        if card.source.revision:
            return card.source.revision
        return next((part for part in reversed(card.files.parts if card.files else ()) if re.fullmatch(r"[0-9a-f]{40}", part)), "")
    return ""


def _files(card: ModelCard) -> Iterator[tuple[str, str | int]]:
    """Weight files of the card and of its companions: name to "sha256:<hex>" where it is known without reading the file, else bytes."""
    places = [("", card.files, card.source)]
    places += [(f"{name}/", card.companion_files.get(name), source) for name, source in card.companions.items()]
    for prefix, place, source in places:
        if place is None:
            continue
        found = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
        for file in found[:FILES_LIMIT]:
            name = file.relative_to(place).as_posix() if place.is_dir() else file.name
            yield prefix + name, _hash_or_size(file, source)


def _hash_or_size(file: Path, source: Source) -> str | int:
    if isinstance(source, Package):
        return f"sha256:{source.member_sha256}"
    if isinstance(source, SingleFile | Address) and source.sha256:
        return f"sha256:{source.sha256}"
    stored = file.resolve().name  # the Hub's cache names large files by their SHA-256
    if re.fullmatch(r"[0-9a-f]{64}", stored):
        return f"sha256:{stored}"
    return file.stat().st_size if file.exists() else 0


def _software() -> dict[str, str]:
    """Versions of Python and of the libraries that are loaded by now; nothing is imported for this."""
    found = {"python": platform.python_version()}
    for module, distribution in LIBRARIES.items():
        if module in sys.modules:
            found[distribution] = _version(distribution)
    return found


@functools.cache
def _version(distribution: str) -> str:
    """Reading it costs 2 ms, and it cannot change while the library is loaded."""
    return importlib.metadata.version(distribution)


def _plain(value: object) -> JsonValue:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(_plain(str(name))): _plain(entry) for name, entry in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in cast("Sequence[object]", value)]
    raise TypeError(f"a record cannot hold {type(value).__name__}")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name appears twice")
    return values


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _too_deep(value: JsonValue) -> bool:
    level = [value]
    for _ in range(DEPTH_LIMIT):
        inner: list[JsonValue] = []
        for part in level:
            inner += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        if not inner:
            return False
        level = inner
    return True
