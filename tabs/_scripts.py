"""Small scripts of the page's events that more than one tab runs. The page's own script is assets/studio.js."""

RUN = "() => [...document.querySelectorAll('.run')].find((button) => button.offsetParent)?.click()"
"""Presses the run button of the tab that is open."""
