// Small things that every part of the library needs: elements, icons, words for dates and sizes, and the way to the studio and back.
(() => {
  "use strict";
  const shared = (window.atelierLibrary ??= {});

  const ICONS = {
    star: '<path d="m10 3 2.1 4.5 4.9.6-3.6 3.4.9 4.9L10 14l-4.3 2.4.9-4.9L3 8.1l4.9-.6z"/>',
    close: '<path d="m5 5 10 10M15 5 5 15"/>',
    before: '<path d="m12 4-6 6 6 6"/>',
    after: '<path d="m8 4 6 6-6 6"/>',
    sound: '<path d="M3 9v2M6.5 6v8M10 3.5v13M13.5 6v8M17 9v2"/>',
    gone: '<path d="M4 4h12v12H4zM4 16 16 4"/>',
  };

  shared.icon = (name) => {
    const made = document.createElement("template");
    made.innerHTML = `<svg viewBox="0 0 20 20" aria-hidden="true" data-icon="${name}">${ICONS[name]}</svg>`;
    return made.content.firstChild;
  };

  // An element with properties, `text` and children; `data` and names with a dash become attributes.
  shared.element = (kind, { text, data = {}, ...given } = {}, ...children) => {
    const made = document.createElement(kind);
    for (const [name, value] of Object.entries(given)) {
      if (name.includes("-") || name === "role" || name === "for" || name === "list") made.setAttribute(name, value);
      else made[name] = value;
    }
    Object.assign(made.dataset, data);
    if (text !== undefined) made.textContent = text;
    made.append(...children.filter(Boolean));
    return made;
  };

  shared.button = (words, act, more = {}) => {
    const made = shared.element("button", { type: "button", className: "words", text: words, ...more });
    made.addEventListener("click", act);
    return made;
  };

  shared.iconButton = (name, words, act, more = {}) => {
    const made = shared.element("button", { type: "button", className: "icon", title: words, "aria-label": words, ...more }, shared.icon(name));
    made.addEventListener("click", act);
    return made;
  };

  const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
  const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const dated = (format, text) => {
    const date = new Date(text);
    return Number.isNaN(date.getTime()) ? "" : format.format(date);
  };
  shared.day = (text) => dated(DAY, text);
  shared.moment = (text) => dated(MOMENT, text);

  shared.many = (count, what = "creation") => `${count.toLocaleString()} ${what}${count === 1 ? "" : "s"}`;

  shared.MEDIA = { picture: "Picture", sound: "Sound", text: "Text" };

  // What a creation is called: its own name, else its first words.
  shared.titled = (item) => item.title || item.words || `${shared.MEDIA[item.medium] ?? "Creation"} without words`;

  const UNHEARD = "The studio did not answer: check that it is running, then try again.";
  const PATIENCE = 60000; // milliseconds

  // Questions to the studio, one after the other. The first goes as an event of the page; its answer says how the others go straight
  // there, as the page itself would send them: for every event that it sends, the page searches through all of its parts.
  class Asks {
    constructor(send) {
      Object.assign(this, { send, number: 0, waiting: null, way: null, turn: Promise.resolve() });
    }

    // What the studio answers; throws an Error with a sentence.
    ask(what, data = {}) {
      const answered = this.turn.then(() => this.#one({ ...data, what, number: (this.number += 1) }));
      this.turn = answered.catch(() => null);
      return answered;
    }

    async #one(data) {
      const value = (this.way && (await this.#straight(data))) || (await this.#asEvent(data));
      const { error, ...answer } = JSON.parse(value.text);
      if (error) throw new Error(error);
      this.way = value.way ?? this.way;
      return { ...answer, files: value.files };
    }

    async #straight(data) {
      const { root, api_prefix: prefix = "" } = window.gradio_config ?? {};
      const body = JSON.stringify({ data: [], event_data: data, fn_index: this.way.event, session_hash: this.way.session });
      const late = AbortSignal.timeout(PATIENCE);
      try {
        const response = await fetch(`${root}${prefix}/run/predict`, { method: "POST", headers: { "Content-Type": "application/json" }, body, signal: late });
        const value = response.ok ? (await response.json()).data?.[0] : null;
        if (value?.number === data.number) return value;
      } catch {
        // said below
      }
      this.way = null; // the next goes as an event again
      throw new Error(UNHEARD);
    }

    #asEvent(data) {
      return new Promise((done, failed) => {
        const late = setTimeout(() => this.#close(data.number, () => failed(new Error(UNHEARD))), PATIENCE);
        this.waiting = { number: data.number, late, done };
        this.send(data);
      });
    }

    answered(value) {
      if (!value || value.number !== this.waiting?.number) return;
      const { number, done } = this.waiting;
      this.#close(number, () => done(value));
    }

    #close(number, act) {
      if (this.waiting?.number !== number) return;
      clearTimeout(this.waiting.late);
      this.waiting = null;
      act();
    }
  }

  shared.Asks = Asks;
})();
