// Where one writes: a plain text field over the coloured layer. Tells every change of a hand as one splice and takes changes from elsewhere
// without moving caret, selection or view. While an input method composes, those have to wait: see `calm`. Knows no studio.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});
  const { element } = window.atelierLibrary;

  const LONG = 12; // milliseconds; where a change costs more, the field is asked to type it itself

  class Surface {
    // `told`: changed(splice) by hand, turn("undo" or "redo"), moved(), cut(characters left out); `colours` as of the layer.
    constructor(root, told, colours) {
      Object.assign(this, { root, told, text: "", waiting: [], composing: false, cost: 0 });
      this.field = element("textarea", { className: "words", "aria-label": "Document", dir: "auto", spellcheck: true, autocomplete: "off", placeholder: "Begin to write, or ask for a first draft." });
      const layer = element("div", { className: "mirror", dir: "auto", "aria-hidden": "true" });
      this.view = element("div", { className: "view" }, element("div", { className: "paper" }, layer, this.field));
      root.append(this.view);
      this.mirror = new shared.Mirror(layer, this.view, colours);
      this.mirror.set("");
      this.#listen();
      new ResizeObserver(() => this.mirror.soon()).observe(this.view);
    }

    // Another document.
    set(text) {
      this.text = this.field.value = text;
      this.waiting = [];
      this.mirror.set(text);
      this.#layer();
      this.field.setSelectionRange(0, 0);
      this.view.scrollTop = this.field.scrollTop = 0;
    }

    // Does something now, or once an input method is done with its word.
    calm(act) {
      if (this.composing) this.waiting.push(act);
      else act();
    }

    // A change from elsewhere, never while an input method composes; nothing is told of it.
    splice(splice) {
      const { start, end, text } = splice;
      const { view, field, mirror } = this;
      const [anchor, top] = [mirror.anchor(), view.scrollTop];
      const before = field.scrollTop;
      this.text = this.text.slice(0, start) + text + this.text.slice(end);
      this.#into(start, end, text);
      if (!mirror.splice(splice) && mirror.lengths.length) this.#plain();
      const under = anchor?.block.isConnected && anchor.block.offsetTop - top - anchor.top;
      if (view.scrollTop !== top || under) view.scrollTop = top + (under || 0);
      if (field.scrollTop !== before) field.scrollTop = before;
    }

    get selection() {
      return { start: this.field.selectionStart, end: this.field.selectionEnd };
    }

    select(start, end = start, show = true) {
      this.field.focus({ preventScroll: true });
      this.field.setSelectionRange(start, end);
      if (show) this.reveal(end);
      this.told.moved();
    }

    // Brings a place into view, if it is not.
    reveal(place) {
      if (!this.mirror.on) return;
      const [word, box] = [this.mirror.rects(place, place)[0], this.view.getBoundingClientRect()];
      if (word.top < box.top + 20) this.view.scrollTop -= box.top + 60 - word.top;
      else if (word.bottom > box.bottom - 20) this.view.scrollTop += word.bottom - box.bottom + 60;
    }

    // Where text stands in the window; the field itself where the text has no layer.
    rects(start, end) {
      return this.mirror.on ? this.mirror.rects(start, end) : [this.field.getBoundingClientRect()];
    }

    // The field's own typing lays out one paragraph, setting its value all of them: in a long text only the first is quick enough.
    #into(start, end, text) {
      const { field } = this;
      this.silent = true;
      const begun = performance.now();
      const focused = document.activeElement === field && this.cost > LONG;
      let { selectionStart: low, selectionEnd: high, selectionDirection: way } = field;
      if (focused) {
        field.setSelectionRange(start, end);
        const done = text ? document.execCommand("insertText", false, text) : start === end || document.execCommand("delete");
        [low, high] = [low, high].map((place) => shared.moved(place, { start, end, text }));
        if (done) field.setSelectionRange(low, high, way);
        if (field.value !== this.text) field.value = this.text; // what the browser did not do
        field.setSelectionRange(low, high, way);
      } else {
        field.setRangeText(text, start, end, "preserve");
        field.getBoundingClientRect();
        this.cost = performance.now() - begun;
      }
      this.silent = false;
    }

    #typed() {
      if (this.silent || this.composing) return;
      const { field } = this;
      let value = field.value;
      const splice = shared.difference(this.text, value, field.selectionEnd);
      if (!splice) return;
      let text = shared.clean(splice.text);
      const room = shared.LIMIT - (this.text.length - (splice.end - splice.start));
      const over = Math.max(0, text.length - room);
      if (over) text = shared.clean(text.slice(0, Math.max(0, room)));
      if (text !== splice.text) {
        value = this.text.slice(0, splice.start) + text + this.text.slice(splice.end);
        field.value = value;
        field.setSelectionRange(splice.start + text.length, splice.start + text.length);
      }
      if (over) this.told.cut(over);
      this.text = value;
      if (!this.mirror.splice({ ...splice, text }) && this.mirror.lengths.length) this.#plain();
      if (text || splice.start < splice.end) this.told.changed({ ...splice, text });
    }

    #plain() {
      this.mirror.lengths = [];
      this.mirror.node.replaceChildren();
      this.#layer();
    }

    #layer() {
      this.root.classList.toggle("plain", !this.mirror.on);
    }

    #listen() {
      const { field } = this;
      field.addEventListener("input", () => this.#typed());
      // what will have no layer is laid out without one from the first
      field.addEventListener("paste", ({ clipboardData }) => {
        if (shared.Mirror.fits(clipboardData?.getData("text/plain") ?? "")) return;
        this.root.classList.add("plain");
        setTimeout(() => this.#layer());
      });
      field.addEventListener("compositionstart", () => (this.composing = true));
      field.addEventListener("compositionend", () => {
        this.composing = false;
        this.#typed();
        // Chrome tells the end before the last letter is in
        setTimeout(() => {
          if (this.composing) return;
          this.#typed();
          for (const act of this.waiting.splice(0)) this.calm(act);
        });
      });
      field.addEventListener("beforeinput", (event) => {
        const turn = { historyUndo: "undo", historyRedo: "redo" }[event.inputType];
        if (turn || (this.locked && !this.silent && !event.isComposing)) event.preventDefault();
        if (turn) this.told.turn(turn);
        const full = !this.silent && this.text.length >= shared.LIMIT && field.selectionStart === field.selectionEnd && event.inputType.startsWith("insert");
        if (!full || !event.cancelable) return;
        event.preventDefault();
        this.told.cut(0);
      });
      field.addEventListener("keydown", (event) => {
        const held = (event.ctrlKey || event.metaKey) && !event.altKey;
        const key = event.key.toLowerCase();
        const turn = held && (key === "y" || (key === "z" && event.shiftKey) ? "redo" : key === "z" ? "undo" : "");
        if (!turn || event.isComposing) return;
        event.preventDefault();
        this.told.turn(turn);
      });
      document.addEventListener("selectionchange", () => document.activeElement === field && this.told.moved());
    }
  }

  shared.Surface = Surface;
})();
