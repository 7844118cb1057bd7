"""Everybody can use the page: WCAG AA by axe in light and dark, keyboard order, a phone's width."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page

from tests.browser.conftest import opened, settled

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
ALLOWED: dict[str, str] = {
    "aria-prohibited-attr": "Gradio labels plain divs of its gallery and slider",
}
"""Findings in Gradio's own components that no setting of ours reaches, with the reason."""


TABS = {
    "Text to image": ".gallery",
    "Inpainting": ".mask-editor[data-ready]",
    "Music": ".player[data-ready]",
    "Writing": ".editor textarea",
    "Narration": ".player[data-ready]",
}
"""What is there once a tab is."""


def show(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab).click()
    page.locator(TABS[tab]).locator("visible=true").first.wait_for()
    settled(page)


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.thorough)])
def test_no_tab_has_a_serious_barrier(context: BrowserContext, server: str, scheme: str) -> None:
    page = opened(context.new_page(), f"{server}/?__theme={scheme}")
    serious: set[str] = set()
    for tab in TABS:
        show(page, tab)
        found = Axe().run(page, options=RULES).response["violations"]
        serious |= {f"{tab}: {v['id']}: {v['nodes'][0]['html'][:160]}" for v in found if v["id"] not in ALLOWED}
    assert not serious


def test_the_first_stops_of_the_tab_key_are_the_tabs_then_the_prompt(page: Page) -> None:
    page.locator("body").click(position={"x": 2, "y": 2})
    stops: list[str] = []
    for _ in range(20):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.getAttribute('role') || document.activeElement.tagName"))
        if stops[-1] == "TEXTAREA":
            break
    assert set(stops[:-1]) == {"tab"} and stops[-1] == "TEXTAREA"


@pytest.mark.thorough
def test_no_request_leaves_this_machine(context: BrowserContext, server: str) -> None:
    asked: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    opened(page, server)
    for tab in TABS:
        show(page, tab)
    assert [url for url in asked if not url.startswith((server, "data:", "blob:"))] == []
