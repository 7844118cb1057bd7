"""Start here: reads the settings, builds the studio and its page, serves it. `python app.py --help` lists the options."""

from __future__ import annotations

import logging
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from studio.errors import StudioError
from studio.settings import Settings, on_zero_gpu, prepare_environment

if on_zero_gpu():  # first of all: the package must see CUDA before anything else does; it brings Gradio
    prepare_environment(Settings())
    import spaces  # pyright: ignore[reportMissingImports]

FETCHED_SECONDS = 4.0
"""How long those whose runs ended last have to fetch what came of them before the server closes."""

if TYPE_CHECKING:
    import gradio as gr

    from studio.studio import Studio
    from tabs._page import Page


def serve(studio: Studio, **options: Any) -> tuple[Page, str]:
    """Launch the page and return it with its address; `options` go to Gradio's launch on top of the studio's own."""
    from tabs import _lean

    _lean.gradio_without_hints()
    from tabs import _page, _web

    demo = _page.page(studio)
    demo.queue(max_size=studio.settings.max_queue * 4, default_concurrency_limit=4, api_open=False)  # no way beside the queue
    # Gradio would ask itself for the page, and end the program where a busy machine takes more than three seconds to answer.
    given: dict[str, Any] = _web.launch_options(studio.settings) | {"_frontend": False} | options
    _, address, _ = demo.launch(**given)
    if studio.settings.public:  # nobody's page needs to be open: the first visitor may come by HTTP
        demo.starters.start()
    return demo, address


def opened(settings: Settings) -> Studio:
    """The studio of these settings; where the Hub lends a GPU, with the owner's models loaded for it."""
    from studio.studio import Studio

    if not on_zero_gpu():
        return Studio.open(settings)
    from studio.zero import ZeroStudio

    studio = ZeroStudio.open(settings)
    assert isinstance(studio, ZeroStudio)
    studio.lend(spaces.GPU)  # pyright: ignore[reportPossiblyUnboundVariable]
    return studio


def drained(studio: Studio, demo: gr.Blocks) -> None:
    """Let runs under way end and be fetched while nothing new is let in, then close the server."""
    from studio import watchdog

    busy = studio.manager.waiting()
    studio.watchdog.drain(watchdog.DRAIN)
    if busy:
        time.sleep(FETCHED_SECONDS)
    demo.close(verbose=False)


def main() -> None:
    """Serve until Ctrl+C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = Settings(_cli_parse_args=True)  # pyright: ignore[reportCallIssue]
    prepare_environment(settings)
    from studio import allocator, watchdog
    from studio.stocking import Stock, chosen

    allocator.keep_small()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a supervisor's stop ends it as Ctrl+C does
    studio = None
    try:
        studio = opened(settings)
        stock = Stock(chosen(studio.cards, settings), studio.download)
        demo, address = serve(studio)
        stock.start()
        sys.stdout.write(f"Atelier serves {address}\n")
        sys.stdout.flush()
        watchdog.until_told()
        if settings.public:
            drained(studio, demo)
    except StudioError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)  # starting again would not help
    except KeyboardInterrupt:
        pass
    finally:
        if studio is not None:
            studio.close()


if __name__ == "__main__":
    main()
