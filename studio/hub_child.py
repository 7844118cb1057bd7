"""The child process of `hub.py`: asks the Hub for a repository's files and brings them, telling in JSON lines how far it is.

Reads one JSON request from its standard input and ends when that input closes, so that it never outlives the studio.
"""

from __future__ import annotations

import errno
import glob
import json
import sys
import time
from pathlib import Path
from typing import Any

from studio import child
from studio.hub import wanted

CONTACT_SECONDS = 3
CHUNK = 1 << 20  # bytes between two reports; the library's own 10 MB would be half a minute on a slow line


def main() -> None:
    """Serve one request; every outcome is said in words on standard output."""
    request = json.loads(sys.stdin.readline())
    child.end_with_parent()
    try:
        _download(request)
    except Exception as error:  # noqa: BLE001 (handed over to the studio's process as a word)
        _say(failed=_reason(error), detail=repr(error)[:2000])


def _download(request: dict[str, Any]) -> None:
    import huggingface_hub
    from huggingface_hub import constants

    constants.DOWNLOAD_CHUNK_SIZE = CHUNK
    # 1. The list of files at one commit.
    info = huggingface_hub.HfApi().model_info(request["repo"], revision=request["revision"], files_metadata=True, timeout=CONTACT_SECONDS)
    if info.sha is None:
        return _say(failed="missing")
    listed = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    names = wanted(listed, tuple(request["allow"]), request["variant"])
    if not any(name.endswith((".safetensors", ".gguf", ".onnx")) for name in names):
        return _say(failed="empty")
    # 2. What of it is here already.
    snapshot = Path(request["cache"]) / f"models--{request['repo'].replace('/', '--')}" / "snapshots" / info.sha
    here = sum(listed[name] for name in names if (snapshot / name).exists())
    _say(files={name: listed[name] for name in names}, here=here)
    # 3. The rest, by its exact names.
    patterns = [glob.escape(name) for name in names]
    path = huggingface_hub.snapshot_download(  # pyright: ignore[reportUnknownMemberType] (parts of its options are untyped)
        request["repo"], revision=info.sha, cache_dir=request["cache"], allow_patterns=patterns, tqdm_class=_bars(here), max_workers=4
    )
    return _say(snapshot=path)


def _bars(here: int) -> Any:
    """A progress bar class that draws nothing and says how many bytes came. (Any: the library takes a class that behaves like tqdm.)"""
    from tqdm.std import tqdm

    said = [0.0]

    class Bar(tqdm):  # pyright: ignore[reportMissingTypeArgument] (tqdm takes no type arguments when it runs)
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": True})  # pyright: ignore[reportUnknownMemberType] (untyped)
            self.counts_bytes, self.came = options.get("unit") == "B", 0.0

        def update(self, n: float | None = 1) -> bool | None:
            self.came += n or 0
            if self.counts_bytes and time.monotonic() - said[0] > 0.1:
                said[0] = time.monotonic()
                _say(done=here + int(self.came))  # received and written bytes have a bar each

    return Bar


def _reason(error: BaseException) -> str:
    import httpx2
    from huggingface_hub import errors

    if isinstance(error, errors.OfflineModeIsEnabled):
        return "offline"
    if isinstance(error, errors.GatedRepoError):
        return "gated"
    if isinstance(error, errors.RevisionNotFoundError):
        return "revision"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "missing"
    if isinstance(error, httpx2.ConnectError | httpx2.TimeoutException):
        return "unreachable"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "full"
    cause = error.__cause__ or error.__context__
    return _reason(cause) if isinstance(error, errors.LocalEntryNotFoundError) and cause is not None else "broken"


def _say(**said: Any) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
