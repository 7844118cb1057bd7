"""Drafted panels: what a writer made of a premise, from the task to panels at the end of a storyboard.

Each becomes a text of the library, the words of its picture, with a record that names its model and the answer that it came from; its
caption as it was written is a fact of the record, so that a later change shows. Knows no page.
"""

from __future__ import annotations

from collections.abc import Sequence

from studio.creations import Creation, Passage
from studio.library import Library
from studio.marks import Marks
from studio.provenance.record import Record
from studio.storyboards import DRAFTED, USUAL
from studio.writing.panels import Drafted

TITLE = "Draft of a storyboard"
"""What the writer's whole answer is called in the library."""


def kept(
    answer: Creation,
    panels: Sequence[Drafted],
    library: Library,
    marks: Marks,
    project: str = "",
    owner: str = "local",
    session: str = "",
    within: str = "",
) -> tuple[str, tuple[str, ...]]:
    """Put panels at the end of a storyboard, all of them or none: (its project, their ids). `project` '' is the usual one.

    `answer` is the creation that they stand in, `session` the browser session that made it, `within`
    the one whose panels count, '' for all of the owner's. Raises InvalidInput for too many panels.
    """
    entry = Record.model_validate(answer.record)
    seen = (owner, within)
    ids = list[str]()
    try:
        for number, panel in enumerate(panels, 1):
            facts = {DRAFTED: panel.caption, "panel": number}
            own = entry.model_copy(update={"parents": [answer.id], "facts": facts, "marks": {}})
            media, own = marks.marked(Passage(panel.picture, 0, 0), own)
            assert isinstance(media, Passage)
            ids.append(library.keep(media.text.encode(), ".txt", own, owner=owner, session=session, text=media.text).id)
        into = library.storyboards.add(ids, *seen, project or USUAL)
        for id, panel in zip(ids, panels, strict=True):
            library.storyboards.caption(id, panel.caption, *seen)
    except BaseException:
        if ids:
            library.shelf.trash(ids, *seen)
        raise
    library.shelf.rename(answer.id, TITLE, *seen)
    return into, tuple(ids)
