// A timeline of segments beside its text: lengths by hand, by number or by keys, and each segment's own words. The text is the truth:
// one line a segment, "seconds: words". Knows nothing of sound.
(() => {
  "use strict";
  const shared = (window.atelierPlayer ??= {});

  const LEAST = 1; // seconds of a segment
  const MOST = 600;
  const STEP = 0.5; // seconds of an arrow key, and what a drag snaps to
  const NEW = 8; // seconds of a segment that is added
  const WAYS = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP };
  const LINE = /^\s*(\d{1,3}(?:\.\d{1,3})?)\s*s?\s*[:|]\s*(.*?)\s*$/;

  // Lines as [{seconds, words}]; null where one is none, which the studio says in words.
  shared.segments = (text) => {
    const found = text.split("\n").filter((line) => line.trim()).map((line) => LINE.exec(line));
    return found.includes(null) ? null : found.map(([, seconds, words]) => ({ seconds: Number(seconds), words }));
  };

  shared.segmentsText = (segments) => segments.map(({ seconds, words }) => `${Number(seconds.toFixed(3))}: ${words}`).join("\n");

  const bounded = (seconds) => Math.min(MOST, Math.max(LEAST, Math.round(seconds / STEP) * STEP));

  class Timeline {
    // `root` is where it is drawn, `field` gives the text area that holds the text.
    constructor(root, field) {
      Object.assign(this, { root, field, segments: [] });
      const make = shared.element;
      this.strip = make("div", { className: "strip", role: "group", ariaLabel: "Segments" });
      this.rows = make("ol", { className: "rows" });
      this.line = make("p", { className: "quiet-words" });
      const add = make("button", { type: "button", className: "words", text: "Add a segment" });
      add.addEventListener("click", () => {
        this.segments.push({ seconds: NEW, words: "" });
        this.#tell();
        this.rows.lastElementChild.querySelector("input.own").focus();
      });
      root.replaceChildren(this.strip, this.rows, this.line, add);
      this.show(field()?.value ?? "");
    }

    // Draws a text that came from elsewhere.
    show(text) {
      if (text === this.text) return;
      this.text = text;
      const found = shared.segments(text);
      this.root.classList.toggle("unread", !found);
      if (!found) return;
      this.segments = found;
      this.#draw();
    }

    #tell() {
      this.text = shared.segmentsText(this.segments);
      this.#draw();
      const field = this.field();
      if (!field) return;
      Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(field, this.text);
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }

    // What the rows hold is kept where only numbers changed, so that the one who types stays where they are.
    #draw() {
      const make = shared.element;
      while (this.rows.children.length > this.segments.length) this.rows.lastElementChild.remove();
      while (this.rows.children.length < this.segments.length) this.rows.append(this.#row(this.rows.children.length));
      let start = 0;
      this.strip.replaceChildren(...this.segments.map(({ seconds, words }, at) => {
        const block = make("div", { className: "block", title: words }, make("span", { text: words || `Part ${at + 1}` }));
        block.style.flexGrow = seconds;
        if (at < this.segments.length) block.append(this.#edge(at));
        const row = this.rows.children[at];
        row.querySelector(".from").textContent = shared.clock(start);
        for (const [name, value] of [["long", String(seconds)], ["own", words]]) {
          const input = row.querySelector(`.${name}`);
          if (input !== document.activeElement && input.value !== value) input.value = value;
        }
        row.querySelector("[data-move]").disabled = !at;
        start += seconds;
        return block;
      }));
      const count = this.segments.length;
      this.line.textContent = count
        ? `${count} segment${count === 1 ? "" : "s"}, ${shared.clock(start)} together. Leave Duration empty.`
        : "One track of several segments, each with words of its own.";
      if (this.held !== undefined) this.strip.children[this.held]?.querySelector(".edge").focus();
    }

    #row(at) {
      const make = shared.element;
      const long = make("input", { className: "long", type: "number", min: LEAST, max: MOST, step: STEP, ariaLabel: `Seconds of segment ${at + 1}` });
      const own = make("input", { className: "own", type: "text", placeholder: "its own words", ariaLabel: `Words of segment ${at + 1}`, maxLength: 300 });
      const up = make("button", { type: "button", text: "↑", title: "Earlier", ariaLabel: `Move segment ${at + 1} earlier` });
      const gone = make("button", { type: "button", text: "×", title: "Remove", ariaLabel: `Remove segment ${at + 1}` });
      up.dataset.move = "up";
      long.addEventListener("change", () => {
        this.segments[at].seconds = bounded(Number(long.value) || LEAST);
        long.value = this.segments[at].seconds;
        this.#tell();
      });
      own.addEventListener("input", () => {
        this.segments[at].words = own.value.replace(/[\r\n]+/g, " ");
        this.#tell();
      });
      up.addEventListener("click", () => {
        [this.segments[at - 1], this.segments[at]] = [this.segments[at], this.segments[at - 1]];
        this.#tell();
        this.rows.children[at - 1].querySelector(".own").focus();
      });
      gone.addEventListener("click", () => {
        this.segments.splice(at, 1);
        this.#tell();
      });
      return make("li", {}, make("span", { className: "from" }), long, make("span", { text: "s" }), own, up, gone);
    }

    // The end of a segment: dragged, or moved by the arrow keys.
    #edge(at) {
      const edge = shared.element("div", { className: "edge", role: "slider", tabIndex: 0, ariaLabel: `End of segment ${at + 1}` });
      const { seconds } = this.segments[at];
      for (const [name, value] of Object.entries({ valuemin: LEAST, valuemax: MOST, valuenow: seconds, valuetext: `${seconds} seconds long` }))
        edge.setAttribute(`aria-${name}`, value);
      const set = (value) => {
        this.segments[at].seconds = bounded(value);
        this.held = at;
        this.#tell();
        this.held = undefined;
      };
      edge.addEventListener("keydown", (event) => {
        if (!(event.key in WAYS)) return;
        event.preventDefault();
        set(this.segments[at].seconds + WAYS[event.key]);
      });
      edge.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        const from = event.clientX;
        const whole = this.segments.reduce((sum, one) => sum + one.seconds, 0);
        const scale = whole / this.strip.clientWidth;
        const long = this.segments[at].seconds;
        const move = (now) => set(long + (now.clientX - from) * scale);
        const done = () => {
          removeEventListener("pointermove", move);
          removeEventListener("pointerup", done);
          removeEventListener("pointercancel", done);
        };
        addEventListener("pointermove", move);
        addEventListener("pointerup", done);
        addEventListener("pointercancel", done);
      });
      return edge;
    }
  }

  const built = [];

  shared.attachTimeline = (element) => {
    const field = () => document.querySelector(".segments-field textarea");
    built.push(new Timeline(element.querySelector(".timeline"), field));
  };

  // For an event's `js`: the text as it is now.
  shared.showTimeline = (text) => {
    for (const timeline of built.filter(({ root }) => root.isConnected)) timeline.show(text ?? "");
  };
})();
