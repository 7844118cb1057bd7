// A rewrite as what it changes: each piece is taken or refused, and the outcome is one change of the document. Knows texts and pieces.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});
  const { element, button } = window.atelierLibrary;

  const SAID = { open: "not decided", accepted: "accepted", refused: "refused" };

  class Review {
    // `pieces` are {start, old, new}; `done(accepted pieces)` applies them, `close()` lets all be as it was.
    constructor({ title, old, pieces, done, close }) {
      Object.assign(this, { pieces: pieces.map((one) => ({ ...one, state: "open" })), old });
      this.text = element("p", { className: "changes", dir: "auto" });
      this.count = element("p", { className: "hint", role: "status" });
      const all = (state) => () => {
        for (const one of this.pieces) this.#set(one, state);
        this.#told();
      };
      this.apply = button("Apply", () => done(this.pieces.filter(({ state }) => state === "accepted")), { className: "words primary" });
      const acts = [button("Accept all", all("accepted")), button("Refuse all", all("refused")), this.apply, button("Cancel", close)];
      this.heading = element("h3", { text: title, tabIndex: -1 });
      const box = element("div", { className: "compared", tabIndex: 0, role: "region", "aria-label": "What it changes" }, this.text);
      this.node = element("section", { className: "card review", "aria-label": title }, element("header", {}, this.heading), box, this.count, element("div", { className: "acts" }, ...acts));
      this.#lay();
      this.#told();
    }

    #lay() {
      let place = 0;
      for (const [k, one] of this.pieces.entries()) {
        this.text.append(this.old.slice(place, one.start));
        const choose = (state, words) => button(words, () => {
          this.#set(one, one.state === state ? "open" : state);
          this.#told();
        }, { className: `choose ${state}`, "aria-pressed": "false", "aria-label": `${words} change ${k + 1}` });
        one.buttons = { accepted: choose("accepted", "Accept"), refused: choose("refused", "Refuse") };
        one.node = element("span", { className: "piece", data: { state: "open" } }, one.old ? element("del", { text: one.old }) : null, one.new ? element("ins", { text: one.new }) : null,
          element("span", { className: "choices" }, one.buttons.accepted, one.buttons.refused));
        this.text.append(one.node);
        place = one.start + one.old.length;
      }
      this.text.append(this.old.slice(place));
    }

    #set(one, state) {
      one.state = one.node.dataset.state = state;
      for (const [name, made] of Object.entries(one.buttons)) made.setAttribute("aria-pressed", String(name === state));
      one.node.setAttribute("aria-description", SAID[state]);
    }

    #told() {
      const of = (state) => this.pieces.filter((one) => one.state === state).length;
      const all = this.pieces.length;
      this.count.textContent = all ? `${all} change${all === 1 ? "" : "s"}: ${of("accepted")} accepted, ${of("refused")} refused. What is not accepted stays as it is.` : "It changes nothing.";
      this.apply.disabled = !of("accepted");
    }
  }

  shared.Review = Review;
})();
