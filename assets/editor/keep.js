// Saving: changes wait in a queue of groups, go to the studio one group after the other, and stay in the browser until it has them.
// Knows splices; knows no page.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});

  const PAUSE = 1000; // milliseconds after the last key
  const LONGEST = 6000; // milliseconds that somebody may type on before it is saved
  const AT_ONCE = 20000; // characters of a change that is saved at once
  const SOON = 200; // milliseconds until the browser keeps a key
  const RETRIES = [2000, 4000, 8000, 15000, 30000];
  const BEACON = 60000; // bytes that a page may still send while it goes
  const TEXT = 200000; // characters of a whole text that the browser keeps beside its changes
  const NAME = "atelier-editor:";

  // What pages that are gone could not save: the page of a record holds a lock of its name as long as it is there.
  const left = async () => {
    const held = navigator.locks ? new Set((await navigator.locks.query()).held.map(({ name }) => name)) : new Set();
    const found = [];
    for (const name of Object.keys(localStorage)) {
      if (!name.startsWith(NAME) || held.has(name)) continue;
      try {
        found.push({ name, ...JSON.parse(localStorage.getItem(name)) });
      } catch {
        localStorage.removeItem(name);
      }
    }
    return found.sort((a, b) => a.at - b.at);
  };

  class Keep {
    // `ask(what, data)` to the studio; `took(answer, splices)` hears of what was saved, `state(name, sentence)` how it stands.
    constructor({ ask, took, state, text }) {
      Object.assign(this, { ask, took, state, text, document: "", base: "", groups: [], tries: 0 });
      this.name = `${NAME}${Math.random().toString(36).slice(2)}${Date.now().toString(36)}`;
      navigator.locks?.request(this.name, () => new Promise(() => {}));
      window.addEventListener("pagehide", () => this.#leave());
      document.addEventListener("visibilitychange", () => document.hidden && this.dirty && this.flush().catch(() => {}));
      window.addEventListener("online", () => this.dirty && this.flush().catch(() => {}));
    }

    // What a page before this one could not save. `over(record)` once it is saved.
    async left() {
      try {
        return (await left()).filter(({ name }) => name !== this.name);
      } catch {
        return []; // a browser that keeps nothing
      }
    }

    over({ name }) {
      localStorage.removeItem(name);
    }

    begin(document, version) {
      Object.assign(this, { document, base: version, groups: [], refused: "" });
      this.#forget();
      this.state("saved");
    }

    get dirty() {
      return this.groups.length > 0;
    }

    // All splices that the studio does not have, in order.
    get splices() {
      return this.groups.flatMap(({ splices }) => splices);
    }

    // `note` makes these splices a version of their own.
    add(splices, note = "") {
      const last = this.groups.at(-1);
      if (!last || last.tried || last.note || note) this.groups.push({ note, splices: [...splices] });
      else for (const one of splices) {
        const joined = last.splices.length ? shared.joined(last.splices.at(-1), one) : null;
        if (joined) last.splices[last.splices.length - 1] = joined;
        else last.splices.push(one);
      }
      if (this.refused) this.#fold();
      this.state(this.refused ? "refused" : this.tries ? "waiting" : "unsaved", this.refused);
      this.keeping ??= setTimeout(() => this.#keep(), SOON);
      if (this.tries) return; // the next try takes it along
      const now = Date.now();
      this.since ??= now;
      clearTimeout(this.pause);
      const long = splices.reduce((sum, { text }) => sum + text.length, 0) > AT_ONCE;
      const wait = long || note ? 0 : Math.max(0, Math.min(PAUSE, this.since + LONGEST - now));
      this.pause = setTimeout(() => this.flush().catch(() => {}), wait);
    }

    // Saves everything; throws an Error with a sentence if it cannot now, and goes on trying by itself.
    flush() {
      clearTimeout(this.pause);
      this.flushing ??= this.#flush().finally(() => (this.flushing = null));
      return this.flushing;
    }

    async #flush() {
      const { document } = this;
      clearTimeout(this.again);
      while (this.groups.length && this.document === document) {
        const group = this.groups[0];
        this.since = null;
        group.tried = true; // its answer may get lost: it is asked again as it is
        this.state("saving");
        try {
          const answer = await this.ask("change", { document, base: this.base, splices: group.splices, note: group.note });
          if (this.document !== document) return;
          this.#answered(group, answer);
        } catch (error) {
          if (this.document === document) this.#failed(group, error);
          throw error;
        }
      }
    }

    #answered(group, answer) {
      const again = this.refused;
      this.tries = 0;
      this.refused = answer.refused ?? "";
      if (this.refused) {
        this.#fold();
        if (!again) return; // once more, as what it comes to
        this.state("refused", this.refused);
        this.#keep();
        throw new Error(this.refused);
      }
      this.groups.shift();
      this.base = answer.version;
      this.known = answer.length;
      this.took(answer, group.splices);
      if (!this.groups.length) {
        this.#forget();
        this.state("saved");
      } else this.#keep();
    }

    #failed(group, error) {
      if (this.refused) return;
      this.state("waiting", error.message);
      this.again = setTimeout(() => this.flush().catch(() => {}), RETRIES[Math.min(this.tries, RETRIES.length - 1)]);
      this.tries += 1;
    }

    // What was refused is tried again as what it comes to.
    #fold() {
      const base = this.text.saved();
      const splice = shared.difference(base, this.text.now());
      this.groups = splice ? [{ note: "", splices: [{ ...splice, origin: "human", creation: "" }] }] : [];
      if (!splice) {
        this.refused = "";
        this.#forget();
      }
    }

    #record() {
      const text = this.text.now();
      const whole = text.length <= TEXT ? { text } : {};
      return { document: this.document, base: this.base, splices: this.splices, title: this.text.title(), at: Date.now(), ...whole };
    }

    #keep() {
      clearTimeout(this.keeping);
      this.keeping = null;
      if (!this.dirty) return;
      try {
        localStorage.setItem(this.name, JSON.stringify(this.#record()));
      } catch {
        // a browser that keeps nothing, or is full: the queue still has it
      }
    }

    #forget() {
      clearTimeout(this.keeping);
      this.keeping = null;
      try {
        localStorage.removeItem(this.name);
      } catch {
        // a browser that keeps nothing
      }
    }

    // The page goes: what is not saved is sent along, if it is short; the browser keeps it until a page hears that it was saved.
    #leave() {
      if (!this.dirty) return;
      this.#keep();
      const { document, base, splices } = this;
      this.ask.last?.({ document, base, splices, note: "" }, BEACON);
    }
  }

  shared.Keep = Keep;
})();
