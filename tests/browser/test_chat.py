"""The chat beside the document, as a person uses it: said, stopped, changed, told again, put into the text, and found again."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import LONG, opened, settled, unfold
from tests.browser.test_access import RULES

AREA = ".editor textarea"
TEXT = f"document.querySelector('{AREA}').value"
DOCUMENT = "window.atelierEditor.current().document.id"


def chatting(page: Page, text: str = "") -> Page:
    """The tab with a fresh document, and the chat unfolded."""
    writing(page)
    page.get_by_role("button", name="Documents").click()
    before = page.evaluate(DOCUMENT)
    page.get_by_role("button", name="New document").click()
    page.wait_for_function(f"(before) => {DOCUMENT} !== before", arg=before)
    if text:
        page.locator(AREA).fill(text)
        expect(page.locator(".editor .saved")).to_have_text(re.compile("^Saved"))
    unfold(page, "Advanced")
    page.locator(".writing").get_by_label("Longest answer", exact=True).fill("24")
    return unfolded(page)


def writing(page: Page) -> None:
    tab = page.get_by_role("tab", name="Writing")
    if not tab.is_visible():  # too narrow for all
        page.locator(".overflow-menu > button").click()
        tab = page.locator(".overflow-dropdown button", has_text="Writing")
    tab.click()
    page.locator(".editor[data-ready]").wait_for()


def unfolded(page: Page) -> Page:
    unfold(page, "Chat")
    message(page).wait_for()
    return page


def message(page: Page) -> Locator:
    return page.get_by_label("Message", exact=True)


def answers(page: Page) -> Locator:
    return page.locator(".chat .theirs")


def say(page: Page, words: str, number: int = 1) -> str:
    message(page).fill(words)
    message(page).press("Enter")
    return answered(page, number)


def answered(page: Page, number: int = 1) -> str:
    """The answer of that number, once it is kept."""
    page.get_by_role("button", name=f"Insert answer {number}", exact=True).wait_for(timeout=LONG)
    text = answers(page).nth(number - 1).locator(".text").inner_text()
    assert text.strip()
    return text


def test_a_conversation_is_had_put_into_the_text_and_found_again(page: Page, server: str) -> None:
    chatting(page, "Ana has a boat.")
    page.get_by_label("What it sees of the document").select_option("document")
    unfold(page, "Notes")
    page.get_by_placeholder("What must not be forgotten").fill("Ana is nine years old.")
    first = say(page, "Who has a boat?")
    expect(page.locator(".chat .made").first).to_contain_text("SmolLM2 135M, seed")
    expect(page.locator(".chat .turn").first).to_contain_text("about the whole document")
    bar = page.locator(".tokens-said", has_text="Earlier messages").locator("visible=true").first
    expect(bar).to_contain_text("Document")
    expect(bar).to_contain_text("Notes")
    page.locator(AREA).focus()
    page.keyboard.press("Control+End")
    page.get_by_role("button", name="Insert answer 1", exact=True).click()
    page.wait_for_function(f"(words) => {TEXT}.includes(words)", arg=first.strip())
    expect(page.locator(".editor .share")).to_contain_text(re.compile(r"[1-9]\d* % machine-written"))
    page.locator(".editor").get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator(AREA)).to_have_value("Ana has a boat.")
    writing(opened(page, server))
    unfolded(page)
    expect(answers(page).first.locator(".text")).to_have_text(first)


@pytest.mark.thorough
def test_a_changed_message_begins_a_branch_and_conversations_stand_side_by_side(page: Page) -> None:
    chatting(page)
    say(page, "Who has a boat?")
    say(page, "Where is it?", 2)
    page.get_by_role("button", name="Edit message 1", exact=True).click()
    page.get_by_label("Your message").fill("Who has no boat?")
    page.locator(".chat .editing").get_by_role("button", name="Send").click()
    expect(page.locator(".chat .turn")).to_have_count(1)
    answered(page)
    expect(page.get_by_role("group", name="Versions of message 1")).to_contain_text("2 of 2")
    page.get_by_role("button", name="The version before").click()
    expect(page.locator(".chat .turn")).to_have_count(2)
    expect(page.locator(".chat .mine .text").first).to_have_text("Who has a boat?")
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".chat .turn")).to_have_count(0)
    conversations = page.get_by_label("Conversation", exact=True)
    expect(conversations.locator("option")).to_have_text(["New conversation", "Who has a boat?"])
    conversations.select_option(index=1)
    expect(page.locator(".chat .turn")).to_have_count(2)
    page.get_by_role("button", name="Delete this conversation").click()
    page.locator(".chat form.head").get_by_role("button", name="Delete", exact=True).click()
    expect(conversations.locator("option")).to_have_text(["New conversation"])


@pytest.mark.thorough
def test_escape_stops_an_answer_and_what_was_written_is_kept(page: Page) -> None:
    chatting(page)
    page.locator(".writing").get_by_label("Longest answer", exact=True).fill("600")
    message(page).fill("Tell a long story about the sea.")
    message(page).press("Enter")
    page.wait_for_function("document.querySelector('.chat .theirs .text').textContent.length > 30", timeout=LONG)
    page.keyboard.press("Escape")
    text = answered(page)
    assert len(text) > 30
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


@pytest.mark.thorough
def test_what_is_selected_is_asked_about_and_replaced_by_a_part_of_an_answer(page: Page) -> None:
    chatting(page, "Ana has a boat. It is blue.")
    page.get_by_label("What it sees of the document").select_option("selection")
    message(page).fill("What is this?")
    message(page).press("Enter")
    expect(page.locator(".chat .said")).to_contain_text("Nothing is selected")
    expect(message(page)).to_have_value("What is this?")
    expect(page.locator(".chat .turn")).to_have_count(0)
    page.evaluate(f"document.querySelector('{AREA}').focus(); document.querySelector('{AREA}').setSelectionRange(16, 27)")
    message(page).press("Enter")
    answer = answered(page)
    word = answer.split()[0]
    page.evaluate(
        """(length) => {
      const text = document.querySelector('.chat .theirs .text').firstChild;
      const start = text.data.search(/\\S/);
      getSelection().setBaseAndExtent(text, start, text, start + length);
    }""",
        len(word),
    )
    page.get_by_role("button", name="Insert answer 1", exact=True).click()
    expect(page.locator(AREA)).to_have_value(f"Ana has a boat. {word}")
    expect(page.locator(".editor .share")).to_contain_text(re.compile(r"[1-9]\d* % machine-written"))


@pytest.mark.thorough
def test_several_answers_are_versions_of_one_message_and_retry_makes_another(page: Page) -> None:
    chatting(page)
    page.get_by_label("Answers at once").select_option("2")
    say(page, "Name an animal.")
    expect(page.get_by_role("group", name="Versions of message 1")).to_contain_text("1 of 2")
    page.get_by_label("Answers at once").select_option("1")
    page.get_by_role("button", name="Write answer 1 once more").click()
    expect(page.get_by_role("group", name="Versions of message 1")).to_contain_text("3 of 3", timeout=LONG)


@pytest.mark.thorough
def test_a_page_that_is_left_finds_the_answer_when_it_comes_back(page: Page, server: str) -> None:
    chatting(page)
    message(page).fill("Say something about rain.")
    message(page).press("Enter")
    expect(page.locator(".chat .theirs .made")).to_have_text("Thinking …")
    page.wait_for_timeout(300)
    writing(opened(page, server))
    unfolded(page)
    answered(page)


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_chat_has_no_barrier_and_needs_no_mouse(context: BrowserContext, server: str, scheme: str) -> None:
    page = chatting(opened(context.new_page(), f"{server}/?__theme={scheme}"), "A boat.")
    message(page).focus()
    page.keyboard.type("What is a boat?")
    page.keyboard.press("Control+Enter")
    answered(page)
    settled(page)
    found = Axe().run(page, context=".chat", options=RULES).response["violations"]
    assert [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found] == []
    page.locator(".chat .log").focus()
    for name in ("Edit message 1", "Insert answer 1"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == name
    page.keyboard.press("Enter")
    page.wait_for_function(f"{TEXT}.length > 10")


@pytest.mark.thorough
def test_on_a_phone_nothing_is_cut_off(phone: BrowserContext, server: str) -> None:
    page = chatting(opened(phone.new_page(), server))
    say(page, "What is a boat?")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator(".chat").bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390
