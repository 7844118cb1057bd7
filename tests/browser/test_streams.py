"""A page that is slow to hear of the end of its stream loses nothing of what it asks meanwhile."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import opened, unfold

SLOW = """
const real = window.fetch;
window.fetch = async (...asked) => {
  const answer = await real(...asked);
  if (!String(asked[0]?.url ?? asked[0]).includes("/queue/data")) return answer;
  const late = new TransformStream({
    async transform(chunk, out) {
      const text = new TextDecoder().decode(chunk);
      const end = text.indexOf("data: ", text.lastIndexOf("data: ", text.indexOf('"close_stream"')));
      if (text.includes('"close_stream"')) {
        window.ends = (window.ends ?? 0) + 1;
        out.enqueue(new TextEncoder().encode(text.slice(0, end)));
        await new Promise((done) => setTimeout(done, 150));
        out.enqueue(new TextEncoder().encode(text.slice(end)));
      } else out.enqueue(chunk);
    },
  });
  return new Response(answer.body.pipeThrough(late), { headers: answer.headers, status: answer.status });
};
"""
"""The end of each stream arrives late, as on a machine that has much to do."""


def test_what_is_asked_while_a_stream_ends_is_answered(context: BrowserContext, server: str) -> None:
    context.add_init_script(SLOW)
    page = opened(context.new_page(), server)
    page.get_by_role("tab", name="Writing").click()
    page.locator(".editor[data-ready]").wait_for()
    unfold(page, "Sources")
    find, check = (page.get_by_role("button", name=name, exact=True) for name in ("Find passages", "Check the citations"))
    find.click()
    expect(page.locator(".block.source-found")).to_contain_text("There is no source to look into")
    check.click()
    expect(page.locator(".block.source-verdicts")).to_contain_text("No sentence here cites a passage")
    assert page.evaluate("window.ends") >= 1, "no end of a stream was late: this shows nothing"
