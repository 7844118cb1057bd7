"""The foot of the page: where files stay, and starters on their way. Knows no single tab."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import gradio as gr

from studio.creations import Progress
from studio.errors import StudioError
from studio.studio import GUEST, Studio
from tabs import _owners, _status
from tabs._form import PRIVATE, QUIET

log = logging.getLogger("atelier.page")

ALONE = (
    '<p role="status">Your browser keeps no cookie for this page, so what you make here stays for this browser session alone. '
    '<a href="/" target="_blank" rel="noopener">Open the studio in a tab of its own</a> to keep it for a day.</p>'
)


ADMIN = '<p><a href="/admin">Look after the studio</a></p>'


class Starters:
    """Fetches missing starters once, in the background, after the first page was served."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.progress: Progress | None = None
        self.error = ""
        self.over = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless it has begun, everything is here, or the studio is offline."""
        with self._lock:
            if self._thread is None and not self.over:
                self._thread = threading.Thread(target=self._fetch, name="starters", daemon=True)
                self._thread.start()

    def _fetch(self) -> None:
        try:
            for card in self.studio.missing_starters():
                for event in self.studio.download(card.name, card.serves[0]):
                    self.progress = event if isinstance(event, Progress) else self.progress
        except StudioError as error:
            self.error = str(error)
        except Exception:
            log.exception("fetching the starter models failed")
            self.error = "A starter model could not be fetched; run `python -m studio starters` to try again."
        finally:
            self.over = True


def build(demo: gr.Blocks, studio: Studio) -> Starters:
    """Lay out the foot of the page and the banner of starters on their way, which are returned: somebody else may begin to fetch them."""
    starters = Starters(studio)
    banner = gr.HTML(elem_classes="banner")
    gr.HTML(
        f'<p class="notice">What you make stays {_where(studio)}. Every result carries a record that says it was made by a machine.</p>'
    )

    def report() -> Iterator[str]:
        starters.start()
        studio.served()
        while not starters.over:
            yield _status.progress(starters.progress) if starters.progress is not None else ""
            time.sleep(0.5)
        yield _status.message(starters.error, "error") if starters.error else ""

    if studio.settings.public:
        _visits(demo, studio)
    if studio.settings.hub_login:
        gr.LoginButton(size="sm", variant="secondary", elem_classes="hub-login")
    demo.load(report, None, banner, concurrency_limit=20, **PRIVATE)
    return starters


def _where(studio: Studio) -> str:
    """Where things stay, and for how long."""
    if not studio.settings.public:
        return "on this machine"
    if studio.settings.auth_file is not None:
        return "in your own library here, until you delete it"
    kept = "for you alone for 24 hours after your last visit, by a cookie of this browser, then it is deleted"
    return f"{kept}; who signs in keeps it as long as this Space has its disk" if studio.settings.hub_login else kept


def _visits(demo: gr.Blocks, studio: Studio) -> None:
    """What is said to a browser that keeps no cookie, and the end of what it made when its page closes."""
    alone = gr.HTML(elem_classes="notice", padding=False)

    def arrive(request: gr.Request) -> str:
        owner = _owners.owner_of(request) or GUEST
        left = studio.admission.left(owner, _owners.from_where(request)).words
        return (
            (ALONE if _owners.passes(owner) else "")
            + (f'<p class="left">{left}</p>' if left else "")
            + (ADMIN if owner in studio.settings.admin_names else "")
        )

    def leave(request: gr.Request) -> None:
        owner = _owners.owner_of(request) or GUEST
        if _owners.passes(owner):
            studio.forget(request.session_hash or "", owner)

    demo.load(arrive, None, alone, **QUIET)
    demo.unload(leave)
