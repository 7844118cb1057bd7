"""Drafts: kept, changed, private, and refused when they cannot be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.errors import InvalidInput, NotFound
from studio.library import Library


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


def test_a_draft_is_kept_changed_and_private(library: Library) -> None:
    draft = library.drafts.save("", "local", {"prompt": "once", "count": 2})
    assert library.drafts.save(draft, "local", {"prompt": "half an emoji \ud83c"}) == draft
    assert library.drafts.get(draft, "local") == {"prompt": "half an emoji \ud83c"}
    with pytest.raises(NotFound, match="draft"):
        library.drafts.get(draft, "ann")
    other = library.drafts.save(draft, "ann", {"prompt": "mine"})
    assert other != draft
    assert library.drafts.get(draft, "local") == {"prompt": "half an emoji \ud83c"}


@pytest.mark.parametrize(("fields", "words"), [({"a": "🍎" * 300_000}, "1 MB"), ({"a": float("nan")}, "number")])
def test_a_draft_that_cannot_be_kept_is_refused(library: Library, fields: Any, words: str) -> None:
    draft = library.drafts.save("", "local", {"prompt": "before"})
    with pytest.raises(InvalidInput, match=words):
        library.drafts.save(draft, "local", fields)
    assert library.drafts.get(draft, "local") == {"prompt": "before"}
