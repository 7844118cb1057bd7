"""The small scripts of the writing tab's events: between the page's buttons, the editor and the run. Knows no Python of the tab."""

from __future__ import annotations

RUN = "writing-run"
"""The element id of the hidden button that starts a prepared run."""
START = f"""(prepared) => {{
  if (!prepared) return;
  if (window.atelierEditor.halted) return window.atelierEditor.current()?.say("Stopped before it began.");
  window.atelierPrepared = JSON.parse(prepared);
  document.querySelector("#{RUN}")?.click();
}}"""
"""Starts the run whose fields were prepared (a JSON list in the order of the task's fields), unless Stop was pressed since it was asked."""
HALT = "() => { window.atelierEditor.halted = true; }"
"""The `js` of Stop: a run that is still being prepared does not begin."""
WRITE = "() => window.atelierEditor.go?.('write')"
"""Asks the editor for a run of the instruction at its cursor."""
AGAIN = """async (wanted) => {
  if (!wanted) return;
  const editor = window.atelierEditor.current();
  const { undo, action, start, end, choice, words } = JSON.parse(wanted);
  if (undo) await editor.turn("undo");
  if (start < end) editor.surface.select(start, end);
  window.atelierEditor.go(action, choice, words);
}"""
"""Takes back the last take where it went into the text, and asks for another one."""
FILLED = """(...values) => {
  const prepared = window.atelierPrepared ?? values;
  window.atelierPrepared = null;
  return prepared;
}"""
"""The `js` of the run's event: what was prepared takes the place of what the form shows."""
COPY = "() => { const text = document.querySelector('.editor textarea')?.value ?? ''; navigator.clipboard?.writeText(text); }"
"""Puts the whole text on the clipboard."""

OPEN = "(id) => { if (id) window.atelierEditor.current()?.pages.open(id); }"
"""Opens a document in the editor."""
TAKEN = "writing-taken"
"""The element id of the hidden field that holds what other tabs take: the selection, else the whole text."""
TAKE = f"""() => {{
  const take = (event) => {{
    const [field, box] = [document.querySelector(".editor textarea"), document.querySelector("#{TAKEN} textarea")];
    if (!event.target.closest?.(".for-text, .for-lyrics") || !field || !box) return;
    const {{ selectionStart: start, selectionEnd: end, value }} = field;
    box.value = start < end ? value.slice(start, end) : value;
    box.dispatchEvent(new Event("input", {{ bubbles: true }}));
  }};
  for (const kind of ["pointerdown", "focusin"]) document.addEventListener(kind, take, true);
}}"""
"""Fills that field as soon as a hand or a key is at a button that sends text on."""
