// How likely each word of a model was: its surprise as a tint, and what else it might have said. What the engines told about a creation is
// found again by the text, so that it holds after a reload and after edits elsewhere. Knows no run.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});
  const { element } = window.atelierLibrary;

  const STEPS = [0.5, 0.2, 0.05, 0.01]; // below each, a word is more of a surprise
  const MOST = 10; // words to choose from
  const percent = (share) => (share >= 0.0995 ? `${Math.round(100 * share)} %` : share >= 0.00095 ? `${(100 * share).toFixed(1)} %` : "under 0.1 %");

  class Words {
    // `ask(ids)` gives {id: list or null}; `changed()` is called when there is more to colour.
    constructor(ask, changed) {
      Object.assign(this, { ask, changed, known: new Map(), places: new Map() });
    }

    // What an engine told: [text, probability, [[other text, probability], ...]] for each token.
    learn(creation, tokens) {
      if (!creation || !Array.isArray(tokens)) return this.known.set(creation, null);
      let place = 0;
      const list = tokens.map(([text, share, others]) => ({ start: place, end: (place += text.length), text, share, others: others ?? [] }));
      this.known.set(creation, { text: list.map(({ text }) => text).join(""), list });
      this.places.clear();
      this.changed();
    }

    // The tokens of stretches {start, end, origin, creation, text}, in the places of the document; asks for what it does not know yet.
    of(stretches) {
      const found = [];
      const unknown = new Set();
      for (const { start, end, origin, creation, text } of stretches) {
        if (origin !== "machine" || !creation || creation === shared.LIVE) continue;
        const known = this.known.get(creation);
        if (known === undefined) unknown.add(creation);
        if (!known) continue;
        const at = this.#place(creation, known, text);
        if (at < 0) continue;
        let [low, high] = [0, known.list.length];
        while (low < high) {
          const middle = (low + high) >> 1;
          if (known.list[middle].end <= at) low = middle + 1;
          else high = middle;
        }
        for (; low < known.list.length && known.list[low].start < at + end - start; low += 1) {
          const token = known.list[low];
          const [from, to] = [Math.max(token.start - at, 0) + start, Math.min(token.end - at, end - start) + start];
          found.push({ start: from, end: to, whole: to - from === token.text.length, token, creation });
        }
      }
      if (unknown.size) this.#fetch([...unknown]);
      return found;
    }

    #place(creation, known, text) {
      const key = `${creation} ${text}`;
      if (!this.places.has(key)) {
        if (this.places.size > 500) this.places.clear();
        this.places.set(key, known.text.indexOf(text));
      }
      return this.places.get(key);
    }

    async #fetch(ids) {
      for (const id of ids) this.known.set(id, null);
      try {
        const found = await this.ask(ids);
        for (const [id, tokens] of Object.entries(found)) if (tokens) this.learn(id, tokens);
      } catch {
        for (const id of ids) setTimeout(() => this.known.delete(id), 5000); // asked again when it is looked at later
      }
    }
  }

  // How much of a surprise a token was, 0 (none) to 4.
  shared.surprise = ({ share }) => STEPS.filter((step) => share < step).length;

  // The list of what else could stand there. `choose(text)` for another; `back()` when it is closed.
  shared.alternatives = (root, { token, at, choose, back }) => {
    const others = token.others.filter(([text]) => text !== token.text);
    const rows = [[token.text, token.share], ...others].slice(0, MOST);
    const shown = (text) => (text.trim() ? text.trim() : text.includes("\n") ? "new line" : "space");
    const options = rows.map(([text, share], k) => element("button", { type: "button", role: "option", tabIndex: k ? -1 : 0, "aria-selected": String(!k), className: k ? "" : "own" },
      element("span", { className: "word", dir: "auto", text: shown(text) }), element("span", { className: "share", text: percent(share) })));
    const list = element("div", { role: "listbox", className: "list", "aria-label": "What else could stand here" }, ...options);
    const node = element("div", { className: "alternatives" }, element("p", { className: "hint", text: others.length ? "Take another word and go on from it:" : "The model saw no other word here." }), list);
    const window = new shared.Window(root, node, { at, back });
    options.forEach((option, k) => option.addEventListener("click", () => {
      window.close(!k);
      if (k) choose(rows[k][0]);
    }));
    shared.arrows(list, "[role=option]");
    options[0].focus({ preventScroll: true });
    return window;
  };

  shared.LIVE = "live"; // stands for a creation that is still being made
  shared.Words = Words;
})();
