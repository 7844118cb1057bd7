"""Uploads as Gradio takes them apart, with two things mended: what breaks off half way goes at once, and names turn no writing round.

Gradio writes each part of a form to a file of its temp folder and removes those of a form that it cannot read, but not of one whose
sender has left. Knows no visitor and no tab.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from gradio import route_utils
from gradio.route_utils import GradioMultiPartParser
from starlette.datastructures import FormData, UploadFile

_TURNS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Controls, and what turns the direction of writing, so that `photo<U+202E>gnp.exe` would be read as a picture."""


class Parser(GradioMultiPartParser):
    """Gradio's parser of forms."""

    async def parse(self) -> FormData:
        """As Gradio's."""
        try:
            form = await super().parse()
        except BaseException:
            self._let_go()
            raise
        for _, part in form.multi_items():
            if isinstance(part, UploadFile) and part.filename:
                part.filename = plain(part.filename)
        return form

    def _let_go(self) -> None:
        for file in self._files_to_close_on_error:
            file.close()
            with suppress(OSError):
                Path(file.name).unlink(missing_ok=True)


def plain(name: str) -> str:
    """A file's name without what turns its writing round."""
    return _TURNS.sub("", name) or "file"


def install() -> None:
    """Let Gradio use it; to be called before a page is served."""
    route_utils.GradioMultiPartParser = Parser
