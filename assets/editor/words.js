// How likely each word of a model was: its surprise as a tint, and what else it might have said. What the engines told about a creation is
// found again by the text, so that it holds after a reload and after edits elsewhere. Knows no run.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});
  const { element } = window.atelierLibrary;

  const STEPS = [0.5, 0.2, 0.05, 0.01]; // below each, a word is more of a surprise
  const MOST = 10; // words to choose from
  const ASKED = 50; // creations in one question
  const percent = (share) => (share >= 0.0995 ? `${Math.round(100 * share)} %` : share >= 0.00095 ? `${(100 * share).toFixed(1)} %` : "under 0.1 %");

  class Words {
    // `ask(ids)` gives {id: list or null}; `changed()` is called when there is more to colour.
    constructor(ask, changed) {
      Object.assign(this, { ask, changed, known: new Map() });
    }

    // What an engine told: [text, probability, [[other text, probability], ...]] for each token.
    learn(creation, tokens) {
      if (!creation || !Array.isArray(tokens)) return this.known.set(creation, null);
      let place = 0;
      const list = tokens.map(([text, share, others]) => ({ start: place, end: (place += text.length), text, share, others: others ?? [] }));
      this.known.set(creation, { text: list.map(({ text }) => text).join(""), list });
      this.found = null;
      this.changed();
    }

    // The tokens between two places of a text with these spans; asks for what it does not know yet.
    of(spans, text, from, to) {
      const found = [];
      for (const { start, end, at, list } of this.#runs(spans, text)) {
        if (start >= to) break;
        if (end <= from) continue;
        let [low, high] = [0, list.length];
        while (low < high) {
          const middle = (low + high) >> 1;
          if (start + list[middle].end - at <= from) low = middle + 1;
          else high = middle;
        }
        for (; low < list.length; low += 1) {
          const token = list[low];
          const [first, last] = [Math.max(start, start + token.start - at), Math.min(end, start + token.end - at)];
          if (first >= Math.min(end, to)) break;
          if (first < last) found.push({ start: first, end: last, whole: last - first === token.text.length, token });
        }
      }
      return found;
    }

    // Stretches of models whose words are known, each with where it begins in its creation; found once for each state of the text.
    #runs(spans, text) {
      if (this.spans === spans && this.found) return this.found;
      const unknown = new Set();
      const found = [];
      for (const { start, end, origin, creation } of shared.between(spans, 0, Infinity)) {
        if (origin !== "machine" || !creation || creation === shared.LIVE) continue;
        const known = this.known.get(creation);
        if (known === undefined) unknown.add(creation);
        const at = known ? known.text.indexOf(text.slice(start, end)) : -1;
        if (at >= 0) found.push({ start, end, at, list: known.list });
      }
      Object.assign(this, { spans, found });
      if (unknown.size) this.#fetch([...unknown].slice(0, ASKED));
      return found;
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
