// What a model writes while it writes it: one take of new text streams into the document at its place, everything else comes as cards.
// Knows the editor; knows no engine.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});
  const { element, button } = window.atelierLibrary;

  const SHARE = 4; // times as long as a change of the text took, the next waits

  class Runs {
    // `editor` gives place(key), action(name), live(start), grow(text), finish(take, title), insert, replace, review and say.
    constructor(editor, root) {
      Object.assign(this, { editor, over: new Set(), run: null, cards: new Map() });
      this.root = root;
    }

    show(run) {
      if (!run?.id || this.over.has(run.id)) return;
      if (this.run?.id !== run.id) this.#begin(run);
      this.run = run;
      if (this.way === "live" && (run.takes.length > 1 || (run.count ?? 1) > 1)) this.#asCards();
      if (run.over) {
        this.over.add(run.id);
        clearTimeout(this.later);
        this.editor.calm(() => this.#finish(run));
      } else if (this.way === "live") this.#soon();
      else this.#draw(run);
    }

    get busy() {
      return Boolean(this.run && !this.run.over);
    }

    // Another document is opened: what was not taken of a run stays in the library alone.
    leave() {
      if (this.run) this.over.add(this.run.id);
      this.run = this.way = null;
      this.clear();
    }

    #begin(run) {
      if (this.way === "live" && this.run && !this.over.has(this.run.id)) this.editor.drop();
      this.clear();
      this.place = this.editor.place(run.place);
      this.action = this.editor.action(run.action);
      this.title = this.action?.title ?? "Written";
      this.result = this.action?.result ?? "insert";
      this.way = this.result === "insert" && this.place && (run.count ?? 1) === 1 && run.takes.length < 2 ? "live" : "cards";
      if (this.way === "live") this.editor.calm(() => this.editor.live(this.place, this.action));
    }

    // The text grows as often as it can without being in the way of keys.
    #soon() {
      if (this.drawing) return;
      const wait = Math.max(0, (this.next ?? 0) - performance.now());
      this.drawing = true;
      this.later = setTimeout(() => {
        this.drawing = false;
        if (this.run.over) return;
        this.editor.calm(() => {
          const begun = performance.now();
          if (!this.run.over && this.way === "live") this.editor.grow(this.run.takes[0]?.text ?? "");
          this.next = performance.now() + SHARE * (performance.now() - begun);
        });
      }, wait);
    }

    #asCards() {
      this.editor.drop();
      this.way = "cards";
    }

    #finish(run) {
      this.drawing = false;
      const [take] = run.takes;
      for (const { creation, words } of run.takes) if (creation && words) this.editor.words.learn(creation, words);
      if (this.way === "live") {
        if (take?.creation && take.text) return this.editor.finish(take, this.title);
        this.editor.drop();
        if (!take?.text) return this.clear();
        this.way = "cards"; // it failed on its way: what there is of it may still be taken
      }
      this.#draw(run);
      if (this.result === "replace" && run.takes.length === 1 && take?.text && take.creation) this.#review(take);
    }

    // --- cards -----------------------------------------------------------------------------------------------------------------------

    #draw(run) {
      const shown = run.takes.filter(({ text }) => text);
      if (!shown.length && !run.over) return;
      if (!this.list) {
        this.heading = element("h3", { text: this.title, tabIndex: -1 });
        this.list = element("div", { className: "cards" });
        this.root.replaceChildren(element("header", {}, this.heading, button("Discard all", () => this.clear(true), { className: "words small" })), this.list);
        this.root.hidden = false;
        this.editor.laid(this.root);
      }
      for (const take of shown) this.#card(take, run);
      if (run.over && !shown.length) this.clear();
    }

    #card(take, run) {
      const name = run.takes.length > 1 || (run.count ?? 1) > 1 ? `Take ${take.item}` : this.title;
      let card = this.cards.get(take.item);
      if (!card) {
        const text = element("p", { className: "text", dir: "auto" });
        const box = element("div", { className: "compared", tabIndex: 0, role: "region", "aria-label": `Text of ${name}` }, text);
        const acts = element("div", { className: "acts" });
        const state = element("span", { className: "hint" });
        const node = element("section", { className: "card", "aria-label": name }, element("header", {}, element("h4", { text: name }), state), box, acts);
        card = { node, text, acts, state };
        this.cards.set(take.item, card);
        this.list.append(node);
      }
      if (card.text.textContent !== take.text) card.text.textContent = take.text;
      const done = run.over || Boolean(take.creation);
      card.state.textContent = done ? "" : "writing…";
      if (done && !card.acts.childNodes.length) card.acts.append(...this.#acts(take, card));
    }

    #acts(take, card) {
      const gone = () => this.#gone(take.item);
      const { editor, place } = this;
      const discard = button("Discard", gone);
      const copy = button("Copy", () => editor.copy(take.text));
      const insert = (words, at) => button(words, () => editor.insert(take, this.title, at), { className: "words primary" });
      if (this.result === "beside") return [insert("Insert at the cursor", null), copy, discard];
      if (!place) return [insert("Insert at the cursor", null), copy, discard];
      if (this.result === "insert") return [insert("Insert", place), copy, discard];
      const replace = button("Replace", () => editor.replace(take, this.title, place), { className: "words primary" });
      return [replace, button("Show changes", () => this.#review(take)), copy, discard];
    }

    // What a take changes, piece by piece, in the place of its card.
    async #review(take) {
      const card = this.cards.get(take.item);
      const { place, editor } = this;
      if (!card || !place) return;
      const old = editor.surface.text.slice(place.start, place.end);
      try {
        const pieces = await editor.pieces(old, take.text);
        const done = (accepted) => {
          if (editor.surface.text.slice(place.start, place.end) !== old) return editor.say("This passage changed meanwhile: choose Show changes again.", { error: true });
          editor.accept(take, this.title, place, accepted);
          this.#gone(take.item);
        };
        const back = () => review.node.replaceWith(card.node);
        const review = new shared.Review({ title: this.title, old, pieces, done, close: back });
        card.node.replaceWith(review.node);
        card.review = review.node;
        editor.laid(this.root);
      } catch (error) {
        editor.say(error.message, { error: true });
      }
    }

    #gone(item) {
      const card = this.cards.get(item);
      card?.node.remove();
      card?.review?.remove();
      this.cards.delete(item);
      if (!this.cards.size) this.clear(true);
    }

    clear(back = false) {
      this.cards.clear();
      this.list = null;
      this.root.replaceChildren();
      this.root.hidden = true;
      this.editor.laid();
      if (back) this.editor.surface.field.focus({ preventScroll: true });
    }
  }

  shared.Runs = Runs;
})();
