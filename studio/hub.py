"""Models from the Hub: a repository at one commit, its safetensors and configuration files, in a cache of the Hub's own layout.

The download itself runs in a child (`hub_child.py`), so that Stop works within a moment however slow the line is, and the page's
process never loads the Hub's library. Files that came whole are kept for the next try.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import logging
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, cast

from studio import fetching
from studio.creations import Progress, Report
from studio.errors import DownloadFailed, ModelUnavailable, ModelUnsafe, StorageFull
from studio.models import Hub
from studio.weights import CODE_SUFFIXES, PICKLE_SUFFIXES, UNUSED, inspect, missing_part

log = logging.getLogger("atelier")

SERVICE = "hub"
LOCK = "models.lock"
TIMEOUTS = {"HF_HUB_ETAG_TIMEOUT": "3", "HF_HUB_DOWNLOAD_TIMEOUT": "10"}
NEVER = CODE_SUFFIXES | PICKLE_SUFFIXES | {".bin", ".msgpack", ".h5"}
USUAL = {".json", ".txt", ".model", ".jinja", ".tiktoken", ".safetensors"}
_WEIGHTS = re.compile(
    r"(?P<base>.+?)(\.(?P<early>[a-z]\w*))?(-\d{5}-of-\d{5})?(\.(?P<late>[a-z]\w*))?\.safetensors(\.index(\.(?P<map>\w+))?\.json)?"
)

_REASONS: dict[str, str] = {
    "gated": "{repo} asks you to accept its terms first: open its page on the Hub, accept them, and run `hf auth login` on this machine.",
    "missing": "The Hub has no model {repo} that may be read from here: check its name, or run `hf auth login` if it is private.",
    "revision": "{repo} no longer has the version its card names: choose another model, or correct the card.",
    "offline": "HF_HUB_OFFLINE is set, so {repo} cannot be fetched: unset it and start the studio again.",
    "unreachable": "The Hub cannot be reached, so {repo} could not be fetched: check the connection and try again.",
    "broken": "The download of {repo} broke off: try again, what came whole is kept.",
    "empty": "{repo} has no weights as .safetensors; choose another model.",
}


def wanted(files: Iterable[str], allow: tuple[str, ...] = (), variant: str | None = None) -> list[str]:
    """The files of a repository to fetch: those that match `allow`, else safetensors and configurations without duplicates.

    Pickles and programs never. In a diffusers repository the weights beside `model_index.json` repeat those of its parts and stay out;
    in each folder the weights of `variant` come where there are any, else those without one.
    """
    safe = [name for name in files if PurePosixPath(name).suffix.lower() not in NEVER and ".." not in PurePosixPath(name).parts]
    if allow:
        return sorted(name for name in safe if any(fnmatch.fnmatch(name, pattern) for pattern in allow))
    parts = "model_index.json" in safe
    safe = [name for name in safe if not (parts and PurePosixPath(name).parts[0] in UNUSED)]
    folders: dict[str, dict[str, list[str]]] = {}
    chosen: list[str] = []
    for name in safe:
        path = PurePosixPath(name)
        if weights := _WEIGHTS.fullmatch(path.name):
            if not (parts and path.parent == PurePosixPath(".")):
                kind = weights["early"] or weights["late"] or weights["map"] or ""
                folders.setdefault(str(path.parent), {}).setdefault(kind, []).append(name)
        elif path.suffix.lower() in USUAL or path.stem.upper() in ("LICENSE", "NOTICE", "README"):
            chosen.append(name)
    if not parts and "." in folders:  # what a plain repository repeats in its folders
        folders = {".": folders["."]}
    for kinds in folders.values():
        kind = variant if variant in kinds else "" if "" in kinds else next(iter(kinds))
        chosen += _without_copies(kinds[kind])
    return sorted(chosen)


def locate(source: Hub, cache: Path, home: Path, others: tuple[Path, ...] = ()) -> Path | None:
    """The snapshot folder if all of it is here: in our cache, else in one of the `others`. Opens no connection and reads few bytes.

    What we fetched ourselves is here when we marked it so; what was put into a cache by other means, when nothing is missing in it.
    """
    entries = _entries(source, cache)
    entry = entries.get(_key(source), {})
    revision = source.revision or locked(home).get(source.repo) or entry.get("revision")
    if entry.get("whole") and revision == entry["revision"]:
        snapshot = _folder(source, cache / "hub") / "snapshots" / revision
        if fetching.marked(cache, snapshot, _key(source)):
            return snapshot
    for place in others if entries else (cache / "hub", *others):
        folder = _folder(source, place)
        snapshot = folder / "snapshots" / (revision or _ref(folder))
        if snapshot.is_dir() and not any((folder / "blobs").glob("*.incomplete")) and _holds(source, snapshot):
            return snapshot
    return None


def fetch(source: Hub, cache: Path, home: Path, report: Report, *, force: bool = False, budget: int | None = None) -> Path:
    """Download what `wanted` says at the card's commit; without one the newest is asked for once and kept in models.lock.

    `force` asks the Hub even though it could not be reached a moment ago; `budget` are the bytes that the cache may hold. Raises
    DownloadFailed, ModelUnsafe, StorageFull, Cancelled.
    """
    with fetching.turn(cache, source.repo, report):
        if (found := locate(source, cache, home)) is not None:
            return found
        if not force and (sentence := fetching.unreachable(cache, SERVICE)):
            raise DownloadFailed(sentence)
        # 1. From here on nobody takes the snapshot for whole, whatever happens.
        revision = source.revision or locked(home).get(source.repo)
        _note(source, cache, revision, whole=False)
        # 2. The child asks for the list of files, then brings them; it says how far it is, one JSON line each time.
        child = _Child(source, cache, report, budget)
        request = {"repo": source.repo, "revision": revision, "allow": source.allow, "variant": source.variant, "cache": str(cache / "hub")}
        try:
            status, words = fetching.run_child(
                fetching.python("studio.hub_child"), child.hear, TIMEOUTS, json.dumps(request) + "\n", cwd=fetching.ROOT
            )
        finally:
            _sweep(_folder(source, cache / "hub"))
        if child.snapshot is None:
            log.warning("fetching %s ended with status %s: %s", source.repo, status, words[-2000:])
            raise _failure(child.reason, source, cache)
        # 3. Looked at before it counts as here; then the commit is written down.
        inspect(child.snapshot, remote_code_kept_out=True)
        if lacking := missing_part(child.snapshot, source.variant):
            raise ModelUnavailable(f"{source.repo} lacks {lacking}; choose another model, or correct the card's list of files.")
        fetching.remember_unreachable(cache, SERVICE, "")
        fetching.mark(cache, child.snapshot, _key(source), child.names)
        _note(source, cache, child.snapshot.name, whole=True)
        if source.revision is None:
            _lock(home, source.repo, child.snapshot.name)
        return child.snapshot


def locked(home: Path) -> dict[str, str]:
    """The commits of repositories whose cards name none: repository to commit, from home's models.lock."""
    try:
        entries = tomllib.loads((home / LOCK).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {repo: commit for repo, commit in entries.items() if isinstance(commit, str) and re.fullmatch("[0-9a-f]{40}", commit)}


class _Child:
    """What the child said so far."""

    def __init__(self, source: Hub, cache: Path, report: Report, budget: int | None) -> None:
        self._source, self._cache, self._report, self._budget = source, cache, report, budget
        self._line = ""
        self._done, self._total = 0, 0
        self.names: list[str] = []
        self.snapshot: Path | None = None
        self.reason = "broken"

    def hear(self, news: str) -> None:
        *lines, self._line = (self._line + news).split("\n")
        for line in lines:
            with contextlib.suppress(ValueError):  # the library's own warnings come along
                self._take(json.loads(line))
        self._report(Progress("downloading", self._done, self._total, "bytes", note=self._source.repo))

    def _take(self, said: Mapping[str, Any]) -> None:
        match said:
            case {"files": files, "here": int() as here}:
                sizes = cast("dict[str, int]", files)
                self.names, self._total, self._done = list(sizes), sum(sizes.values()), here
                fetching.need_room(self._cache, self._total - here, self._source.repo, self._budget)
            case {"done": int() as done}:
                self._done = min(done, self._total)
            case {"snapshot": str() as snapshot}:
                self.snapshot = Path(snapshot)
            case {"failed": str() as reason}:
                self.reason = reason
            case _:
                pass


def _failure(reason: str, source: Hub, cache: Path) -> DownloadFailed | StorageFull:
    if reason == "full":
        return StorageFull(f"The disk became full while {source.repo} was fetched: free some space and try again.")
    sentence = _REASONS.get(reason, _REASONS["broken"]).format(repo=source.repo)
    if reason == "unreachable":
        fetching.remember_unreachable(cache, SERVICE, sentence)
    return DownloadFailed(sentence)


def _without_copies(names: list[str]) -> list[str]:
    """Of one folder's weights: the sharded set alone where an index lists one and a consolidated copy lies beside it."""
    shards = [name for name in names if re.search(r"-\d{5}-of-\d{5}", name) or name.endswith(".json")]
    usual = [name for name in names if PurePosixPath(name).name.startswith(("model.", "diffusion_pytorch_model."))]
    return shards or usual or names


def _sweep(folder: Path) -> None:
    for path in (folder / "blobs").glob("*.incomplete"):
        path.unlink(missing_ok=True)


def _lock(home: Path, repo: str, commit: str) -> None:
    entries = {**locked(home), repo: commit}
    fetching.write_whole(home / LOCK, "".join(f'"{name}" = "{entries[name]}"\n' for name in sorted(entries)))


def _folder(source: Hub, cache: Path) -> Path:
    return cache / f"models--{source.repo.replace('/', '--')}"


def _ref(folder: Path) -> str:
    try:
        return (folder / "refs" / "main").read_text().strip() or "none"
    except OSError:
        return "none"


def _holds(source: Hub, snapshot: Path) -> bool:
    names = [path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*")]
    try:
        return not missing_part(snapshot, source.variant) and all(fnmatch.filter(names, pattern) for pattern in source.allow)
    except ModelUnsafe:
        return False


def _key(source: Hub) -> str:
    """What of a repository a card asks for; cards of one repository may ask for different files."""
    return "hub " + json.dumps([source.revision, source.allow, source.variant])


def _entries(source: Hub, cache: Path) -> dict[str, Any]:
    return fetching.read_json(cache / "hub-entries" / f"{_folder(source, cache).name}.json")


def _note(source: Hub, cache: Path, revision: str | None, *, whole: bool) -> None:
    entries = _entries(source, cache) | {_key(source): {"revision": revision, "whole": whole}}
    fetching.write_whole(cache / "hub-entries" / f"{_folder(source, cache).name}.json", json.dumps(entries))
