"""Start here: reads the settings, builds the studio and its page, serves it. `python app.py --help` lists the options."""

from __future__ import annotations

import logging
import signal
import sys
from typing import TYPE_CHECKING, Any

from studio.errors import StudioError
from studio.settings import Settings, prepare_environment

if TYPE_CHECKING:
    import gradio as gr

    from studio.studio import Studio


def serve(studio: Studio, **options: Any) -> tuple[gr.Blocks, str]:
    """Launch the page and return it with its address; `options` go to Gradio's launch on top of the studio's own."""
    from tabs import _page, _web

    demo = _page.page(studio)
    demo.queue(max_size=studio.settings.max_queue * 4, default_concurrency_limit=4, api_open=True)
    # Without `_frontend` Gradio does not ask itself for the page within three seconds, and end the program where a busy machine is slower.
    _, address, _ = demo.launch(**(_web.launch_options(studio.settings) | {"_frontend": False} | options))
    return demo, address


def main() -> None:
    """Serve until Ctrl+C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = Settings(_cli_parse_args=True)  # pyright: ignore[reportCallIssue]
    prepare_environment(settings)
    from studio.stocking import Stock, chosen
    from studio.studio import Studio

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a supervisor's stop ends it as Ctrl+C does
    studio = None
    try:
        studio = Studio.open(settings)
        stock = Stock(chosen(studio.cards, settings), studio.download)
        demo, address = serve(studio)
        stock.start()
        sys.stdout.write(f"Atelier serves {address}\n")
        sys.stdout.flush()
        demo.block_thread()
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
