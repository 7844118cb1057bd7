"""Where weights come from: the studio's own assets, a package of the index, the Hub, an address, a folder, a single file.

`locate` and `ready` say what is on this machine, at once and without any connection; `fetch` brings or checks the rest. The ways in
are packages.py, hub.py and addresses.py; what a file may hold is weights.py's to say. Knows no engine and no page.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from studio import addresses, fetching, hub, packages, pickles
from studio.creations import Report
from studio.errors import DownloadFailed, ModelUnavailable, ModelUnsafe, StorageFull, StudioError
from studio.models import Address, Bundled, Endpoint, Folder, Hub, ModelCard, Package, SingleFile, Source
from studio.weights import inspect, missing_part, weight_bytes

__all__ = ["Places", "fetch", "inspect", "locate", "ready", "weight_bytes"]

IN_PLACE = {".safetensors", ".gguf", ".onnx"}
_CHECKED = "inspected"


@dataclass(frozen=True)
class Places:
    """Where files lie. `assets` ships with the studio, `cache` may be deleted, `home` is the user's; `offline` stops every download.

    `hub_caches` are further caches of the Hub's layout to look into, such as the one other programs share; never written.
    `cache_bytes` is what the cache may hold, None as much as the disk: a download beyond 90 % of it is refused.
    """

    assets: Path
    cache: Path
    home: Path
    offline: bool = False
    hub_caches: tuple[Path, ...] = ()
    cache_bytes: int | None = None


def locate(source: Source, places: Places) -> Path | None:
    """The file or folder if it is on this machine, whole and verified before; None otherwise. Milliseconds: nothing big is read."""
    match source:
        case Bundled():
            path = _asset(source, places)
            return path if path.exists() else None
        case Package():
            return packages.locate(source, places.cache)
        case Hub():
            return hub.locate(source, places.cache, places.home, places.hub_caches)
        case Folder():
            path = Path(source.path).expanduser()
            return path if path.is_dir() else None
        case SingleFile():
            return _locate_file(source, places.cache)
        case Address():
            return addresses.locate(source, places.cache)
        case Endpoint():
            return None


def fetch(source: Source, places: Places, report: Report, *, force: bool = False) -> Path:
    """Bring it here, verified and looked through, and return where it lies; what is here already is only checked.

    Reports `Progress("downloading", bytes, bytes, "bytes")` at least five times a second; a stop ends it within a second and leaves
    nothing that `locate` takes for whole. `force` tries again even though the service could not be reached in the last ten minutes.
    Raises DownloadFailed, ModelUnavailable, ModelUnsafe, StorageFull, Cancelled.
    """
    if isinstance(source, SingleFile):
        return _fetch_file(source, places.cache, report)
    if (path := locate(source, places)) is None:
        if isinstance(source, Bundled):
            raise ModelUnavailable(f"{source.path} is missing from this copy of the studio; get the whole copy again.")
        if isinstance(source, Endpoint):
            raise DownloadFailed("This model runs elsewhere and has nothing to download: start the studio without --offline to use it.")
        if isinstance(source, Folder):
            raise ModelUnavailable(f"There is no folder {source.path} on this machine; correct the path on the model's card.")
        if places.offline:
            what = _said(source)
            raise DownloadFailed(f"{what} is not on this machine and downloads are off: start the studio without --offline to fetch it.")
        if isinstance(source, Package):
            return packages.fetch(source, places.cache, report, force=force, budget=places.cache_bytes)
        if isinstance(source, Address):
            return addresses.fetch(source, places.cache, report, force=force, budget=places.cache_bytes)
        path = hub.fetch(source, places.cache, places.home, report, force=force, budget=places.cache_bytes)
    _check(source, path, places.cache)
    return path


def ready(card: ModelCard, places: Places) -> ModelCard | None:
    """The card with `files`, and those `companion_files` that are here; None when its own files are not here or were refused.

    What was refused tells its reason when it is fetched. A model that runs elsewhere is ready unless the studio is offline.
    """
    if isinstance(card.source, Endpoint):
        return None if places.offline else card
    try:
        files = locate(card.source, places)
        if files is None:
            return None
        _check(card.source, files, places.cache)
        companions = {name: path for name, source in card.companions.items() if (path := locate(source, places)) is not None}
    except StudioError:
        return None
    return card.model_copy(update={"files": files, "companion_files": companions})


def _said(source: Package | Hub | Address) -> str:
    """What is downloaded, in words."""
    match source:
        case Hub():
            return source.repo
        case Package():
            return f"{source.name} {source.version}"
        case Address():
            return addresses.name_of(source)


def _asset(source: Bundled, places: Places) -> Path:
    path = PurePosixPath(source.path)
    if path.is_absolute() or ".." in path.parts:
        raise ModelUnsafe(f"{source.path} points outside the studio's assets; correct the path on the model's card.")
    return places.assets / path


def _check(source: Source, path: Path, cache: Path) -> None:
    """Look through what others made, once for each state it is in: sizes and times of its files are compared after that."""
    if isinstance(source, Bundled | Package | Address) or fetching.marked(cache, path, _CHECKED):
        return
    inspect(path, remote_code_kept_out=isinstance(source, Hub))
    variant = source.variant if isinstance(source, Hub) else None
    if path.is_dir() and (lacking := missing_part(path, variant)):
        raise ModelUnavailable(f"{path.name} is no whole model, {lacking} is missing; complete the folder, or name another.")
    with contextlib.suppress(DownloadFailed, StorageFull):  # a cache that cannot be written only costs looking again
        fetching.mark(cache, path, _CHECKED)


def _locate_file(source: SingleFile, cache: Path) -> Path | None:
    path = Path(source.path).expanduser()
    if not path.is_file():
        return None
    if path.suffix.lower() in IN_PLACE:
        return path if source.sha256 is None or fetching.marked(cache, path, source.sha256) else None
    if source.sha256 is None:
        return None
    converted = _converted(source.sha256, cache)
    return converted if fetching.marked(cache, path, source.sha256) and fetching.marked(cache, converted, source.sha256) else None


def _fetch_file(source: SingleFile, cache: Path, report: Report) -> Path:
    path = Path(source.path).expanduser()
    if not path.is_file():
        raise ModelUnavailable(f"There is no file {source.path} on this machine; correct the path on the model's card.")
    if source.config is not None and not Path(source.config).expanduser().is_dir():
        raise ModelUnavailable(f"There is no folder {source.config} on this machine; correct the configuration on the model's card.")
    if path.suffix.lower() not in IN_PLACE and source.sha256 is not None:
        converted = _converted(source.sha256, cache)
        with fetching.turn(cache, source.sha256, report):
            if _locate_file(source, cache) is None:
                fetching.writable(converted.parent)
                pickles.convert(path, source.sha256, converted, report)
                fetching.mark(cache, converted, source.sha256)
                fetching.mark(cache, path, source.sha256)
        return converted
    _check(source, path, cache)
    if source.sha256 is not None and not fetching.marked(cache, path, source.sha256):
        if fetching.checksum(path, report, path.name) != source.sha256:
            raise ModelUnsafe(f"{path.name} is not the file its card names (its SHA-256 differs) and was refused; fetch it again.")
        fetching.mark(cache, path, source.sha256)
    return path


def _converted(sha256: str, cache: Path) -> Path:
    return cache / "converted" / f"{sha256}.safetensors"
