"""What every answer's headers say: which sources a page may use, who may frame it, and that its bytes are what they say they are.

The page's own inline scripts carry a number that is new for each answer, so that no script which slips in through somebody's words runs;
what those scripts make by `createElement` gets the number, too, which is how Gradio puts in the scripts of its parts. Gradio compiles its
templates in the browser, which needs 'unsafe-eval', and styles its parts inline. Knows no request.
"""

from __future__ import annotations

import re
import secrets

from starlette.datastructures import MutableHeaders

PLAIN = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), payment=(), usb=()",
}
SPACES_FRAMES = "https://huggingface.co https://*.huggingface.co"
"""Who shows a Space in a frame."""
_SCRIPT = re.compile(rb"(<script\b)([^>]*>.*?</script\s*>)", re.DOTALL | re.IGNORECASE)
_HANDS_ON = b"""<script>(() => {
  const number = document.currentScript.nonce, make = Document.prototype.createElement;
  Document.prototype.createElement = function (...asked) {
    const made = make.apply(this, asked);
    if (made instanceof HTMLScriptElement) made.nonce = number;
    return made;
  };
})();</script>"""
_POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-src 'none'; frame-ancestors 'self'{frames}"
)
_OF_FILES = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; media-src 'self'; sandbox; frame-ancestors 'none'"
"""For what a model or a person made: even opened as a page of its own it can run and load nothing."""


def nonce() -> str:
    """A number for the scripts of one page."""
    return secrets.token_urlsafe(16)


def with_nonce(page: bytes, number: str) -> bytes:
    """The page with the number on each of its script elements; what stands inside them is left as it is."""
    page = page.replace(b"<head>", b"<head>" + _HANDS_ON, 1)
    return _SCRIPT.sub(lambda found: found[1] + f' nonce="{number}"'.encode() + found[2], page)


def dress(headers: MutableHeaders, *, file: bool, on_spaces: bool, number: str) -> None:
    """Put our headers in place of what stands there. No answer is for pages of other sites, whatever Gradio says."""
    for name in [name for name in headers if name.startswith("access-control-")]:
        del headers[name]
    for name, value in PLAIN.items():
        headers[name] = value
    frames = f" {SPACES_FRAMES}" if on_spaces else ""
    headers["content-security-policy"] = _OF_FILES if file else _POLICY.format(nonce=number, frames=frames)
