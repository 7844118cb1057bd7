// The document editor as a whole: its bars and panels around the text, what each button does, and what is asked of the studio.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});
  const { element, button, many } = window.atelierLibrary;

  const WIDE = 900; // pixels from which a panel stands beside the text
  const STATES = { saved: "Saved", saving: "Saving…", unsaved: "Not saved yet", waiting: "Not saved yet: trying again", refused: "Not saved" };
  const BRANCHED = "Another page changed this document too. What you wrote here is kept as a branch of its own: Versions shows both.";
  const STAYS = 4000; // milliseconds that a sentence stays while one writes on
  const WORDS_LIMIT = 60000; // characters of a selection that are sent along

  const pressed = (made) => made.getAttribute("aria-pressed") === "true";

  class Editor {
    // `link`: tell(name, data) raises an event of the component, whose answers come to `asks`.
    constructor(root, link) {
      Object.assign(this, { root, link, actions: [], document: null });
      this.asks = new window.atelierLibrary.Asks((data) => link.tell.ask(data));
      this.#build();
      const ask = Object.assign((what, data) => this.asks.ask(what, data), { last: (data, most) => this.#beacon(data, most) });
      const text = { now: () => this.edits.text, saved: () => this.edits.saved, title: () => this.document?.title ?? "" };
      this.keep = new shared.Keep({ ask, text, took: (answer, splices) => this.#took(answer, splices), state: (name, words) => this.#state(name, words) });
      this.edits = new shared.Edits(this.surface, this.keep, { drawn: () => this.#drawn() });
      this.runs = new shared.Runs(this, this.results);
      this.pages = new shared.Pages(this);
      this.pages.first();
    }

    #build() {
      const tool = (words, act, more) => button(words, act, { className: "words", ...more });
      const toggle = (words, on, act) => tool(words, ({ target }) => {
        target.setAttribute("aria-pressed", String(!pressed(target)));
        act();
      }, { "aria-pressed": String(on) });
      const parts = {
        documents: tool("Documents", () => this.pages.documents(), { "aria-expanded": "false" }),
        title: element("input", { type: "text", className: "title", placeholder: "Untitled", "aria-label": "Title", maxLength: 200, dir: "auto", autocomplete: "off" }),
        undo: tool("Undo", () => this.turn("undo"), { title: "Undo (Ctrl+Z)", disabled: true }), redo: tool("Redo", () => this.turn("redo"), { title: "Redo (Ctrl+Y)", disabled: true }),
        versions: tool("Versions", () => this.pages.versions(), { "aria-expanded": "false" }),
        state: element("span", { className: "saved", role: "status" }),
        provenance: toggle("Provenance", true, () => this.#drawn()), chances: toggle("Probabilities", false, () => this.#drawn()),
        other: tool("Other words", () => this.alternatives(), { title: "What else the model might have said at the cursor", hidden: true }),
        share: element("span", { className: "share" }), count: element("span", { className: "count" }), said: element("p", { className: "said", role: "status" }),
        legend: element("span", { className: "legend" }, element("span", { className: "machine", text: "model" }), " ", element("span", { className: "edited", text: "edited" })),
      };
      this.parts = parts;
      const tools = element("div", { className: "tools" }, parts.documents, parts.title, element("div", { className: "group" }, parts.undo, parts.redo, parts.versions), parts.state);
      const [bar, sheet, side] = ["actions", "sheet", "side"].map((className) => element("div", { className }));
      this.results = element("section", { className: "results", "aria-label": "What the model wrote", hidden: true });
      const layers = element("div", { className: "layers", role: "group", "aria-label": "Layers" }, parts.provenance, parts.chances, parts.other);
      const foot = element("div", { className: "foot" }, layers, parts.legend, parts.share, parts.count);
      this.root.replaceChildren(tools, bar, element("div", { className: "middle" }, sheet, side), foot);
      parts.side = side;
      this.panel = new shared.Panel(side, () => this.laid());
      side.append(this.results);
      this.surface = new shared.Surface(sheet, {
        changed: (splice) => this.#typed(splice), turn: (which) => this.turn(which), moved: () => this.#moved(),
        cut: (count) => this.say(`A document holds ${shared.LIMIT.toLocaleString()} characters: ${count ? `the last ${count.toLocaleString()} of what came were left out` : "write on in another one"}.`, { error: true }),
      }, (start, end) => this.#colours(start, end));
      sheet.append(parts.said);
      this.bar = new shared.Bar(bar, this, (action, choice, words) => this.act(action, choice, words));
      this.words = new shared.Words((ids) => this.ask("words", { creations: ids }).then(({ words }) => words), () => this.#drawn());
      parts.title.addEventListener("change", () => this.pages.rename(this.document.id, parts.title.value.trim()));
      parts.title.addEventListener("keydown", (event) => event.key === "Enter" && this.surface.field.focus());
      this.surface.field.addEventListener("mouseup", () => pressed(parts.chances) && setTimeout(() => this.alternatives(true)));
      this.surface.field.addEventListener("keydown", (event) => {
        if (!event.altKey || event.key !== "Enter" || !pressed(parts.chances)) return;
        event.preventDefault();
        this.alternatives();
      });
      new ResizeObserver(() => this.root.classList.toggle("wide", this.root.clientWidth >= WIDE)).observe(this.root);
    }

    // --- what a run and its cards use ------------------------------------------------------------------------------------------------

    calm = (act) => this.surface.calm(act);
    action = (name) => this.actions.find((one) => one.name === name) ?? null;
    place = (place) => (place?.document === this.document?.id ? this.edits.place(place) : null);
    grow = (text) => this.edits.grow(text);
    drop = () => this.edits.drop();
    pieces = (old, fresh) => this.ask("diff", { old, new: fresh }).then(({ pieces }) => pieces);

    live(place, action) {
      const gap = action && action.on !== "cursor" ? this.#gap(place.end, action.on) : "";
      if (gap) this.edits.put([{ start: place.end, end: place.end, text: gap, origin: "human", creation: "" }]);
      this.edits.begin(place.end + gap.length);
      this.#drawn();
    }

    finish(take, title) {
      this.edits.finish(take, title);
      this.said(title, take.text);
    }

    // A take goes in at a place, or at the cursor.
    insert(take, title, place) {
      const at = place ? place.end : this.surface.selection.end;
      const gap = /^\s/.test(take.text) ? "" : this.#gap(at, "selection");
      const text = { start: at + gap.length, end: at + gap.length, text: take.text, origin: "machine", creation: take.creation };
      this.edits.put([...(gap ? [{ start: at, end: at, text: gap, origin: "human", creation: "" }] : []), text], title);
      this.surface.select(text.start + take.text.length);
      this.said(title, take.text);
    }

    replace(take, title, { start, end }) {
      this.edits.put([{ start, end, text: take.text, origin: "machine", creation: take.creation }], title);
      this.surface.select(start, start + take.text.length);
      this.said(title, take.text);
    }

    accept(take, title, { start }, pieces) {
      let shift = start;
      const splices = pieces.map((one) => {
        const splice = { start: one.start + shift, end: one.start + shift + one.old.length, text: one.new, origin: "machine", creation: take.creation };
        shift += one.new.length - one.old.length;
        return splice;
      });
      this.edits.put(splices, title);
      this.say(`${many(pieces.length, "change")} of “${title}” applied.`, { back: () => this.turn("undo") });
    }

    said(title, text) {
      const sung = title === this.action("lyrics")?.title && document.querySelector(".for-lyrics");
      const on = sung ? button("Sing in Music", () => this.#handOver(text, sung), { className: "words small" }) : null;
      this.say(`${title}: ${shared.words(text)} words are in the document.`, { back: () => this.turn("undo"), on });
    }

    // The page's own button takes these words to another tab.
    #handOver(text, press) {
      const box = document.querySelector("#writing-taken textarea");
      if (!box) return;
      box.value = text;
      box.dispatchEvent(new Event("input", { bubbles: true }));
      setTimeout(() => (press.matches("button") ? press : press.querySelector("button"))?.click(), 100);
    }

    async copy(text) {
      const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
      this.say(done ? "Copied." : "The browser does not let this page copy: select the text and copy it yourself.", { error: !done });
    }

    // A panel or cards came or went: beside the text there is room for them, and below it they come into view.
    laid(node = null) {
      const [middle, { side }] = [this.root.querySelector(".middle"), this.parts];
      middle.classList.toggle("beside", [...side.children].some((one) => !one.hidden));
      if (node && !this.root.classList.contains("wide")) node.scrollIntoView({ block: "nearest" });
    }

    // What keeps words apart that are put in behind others.
    #gap(at, on) {
      const before = this.surface.text.slice(Math.max(0, at - 2), at);
      if (!before) return "";
      if (on === "document") return before.endsWith("\n\n") ? "" : before.endsWith("\n") ? "\n" : "\n\n";
      return /\s$/.test(before) ? "" : " ";
    }

    // --- what is done ----------------------------------------------------------------------------------------------------------------

    ask(what, data = {}) {
      return this.asks.ask(what, { document: this.document?.id ?? "", ...data });
    }

    async act(action, choice = "", words = "") {
      const { start, end } = this.surface.selection;
      const whole = { selection: [start, end], cursor: [end, end], document: [0, this.edits.text.length] }[action.on] ?? [end, end];
      return this.go(action.name, { start: whole[0], end: whole[1], choice, words });
    }

    // Tells the studio what is wanted, once it has the text that it is wanted for.
    async go(name, { start, end, choice = "", words = "" }) {
      this.say("");
      shared.halted = false;
      if (this.edits.stream) return this.say("A text is being written: stop it first, or wait for its end.", { error: true });
      try {
        await this.keep.flush();
        const place = { document: this.document.id, version: this.keep.base, start, end };
        this.edits.mark(place);
        this.link.tell.go({ action: name, ...place, text: this.edits.text.slice(start, Math.min(end, start + WORDS_LIMIT)), choice, words });
      } catch (error) {
        this.say(error.message, { error: true });
      }
    }

    // Undo and redo, of the document and not of the field.
    turn(which) {
      this.say("");
      return this.pages.step(which, {}, (splice) => splice && this.surface.select(splice.start + splice.text.length));
    }

    // Another word of the model at the cursor; `quiet` says nothing where there is none.
    alternatives(quiet = false) {
      const { start, end } = this.surface.selection;
      const [token] = start === end ? this.#tokens(Math.max(0, start - 1), start + 1).filter((one) => one.whole && one.start <= start && start < one.end) : [];
      if (!token) return quiet || this.say("Put the cursor on a word that a model wrote, with its probabilities known.");
      const back = () => this.surface.field.focus({ preventScroll: true });
      shared.alternatives(this.root, { token: token.token, at: this.surface.rects(token.start, token.end)[0], back, choose: (text) => this.#instead(token, text) });
    }

    // Another word; what the model wrote after it goes, and it goes on from there.
    #instead({ start, end }, text) {
      let stop = end;
      const [{ creation }] = shared.between(this.edits.spans, start, end);
      for (const one of shared.between(this.edits.spans, start, Infinity)) {
        if (one.creation !== creation) break;
        stop = one.end;
      }
      this.edits.put([{ start, end: stop, text, origin: "human", creation: "" }], "Another word");
      this.surface.select(start + text.length);
      this.go("continue", { start: start + text.length, end: start + text.length });
    }

    // --- what is shown ---------------------------------------------------------------------------------------------------------------

    // One sentence; `back`, a function, takes back what it says; `on` is a button for what may be done next.
    say(sentence, { error = false, back = null, on = null } = {}) {
      const { said } = this.parts;
      this.told = performance.now() + (error ? STAYS : 0);
      said.classList.toggle("error", error);
      said.replaceChildren(...(sentence ? [sentence] : []), ...(back ? [" ", button("Undo", () => back(this.say("")), { className: "words small", "aria-label": "Take it back" })] : []), ...(on ? [" ", on] : []));
    }

    #tokens(start, end) {
      return this.words.of(this.edits.spans, this.surface.text, start, end);
    }

    #colours(start, end) {
      if (!this.edits) return [];
      const { provenance, chances } = this.parts;
      if (pressed(chances)) {
        const found = this.#tokens(start, end).map((one) => ({ start: Math.max(start, one.start), end: Math.min(end, one.end), name: `token s${shared.surprise(one.token)}` }));
        if (found.length) return found;
      }
      if (!pressed(provenance)) return [];
      return shared.between(this.edits.spans, start, end).filter(({ origin }) => origin !== "human").map((one) => ({ ...one, name: one.creation === shared.LIVE ? "live" : one.origin }));
    }

    // What was said of something done before goes once one writes on, and at once where its Undo would take back another thing.
    #typed(splice) {
      this.edits.hand(splice);
      if (this.parts.said.firstChild && (this.parts.said.querySelector("button") || performance.now() - this.told > STAYS)) this.say("");
    }

    #moved() {
      const { start, end } = this.surface.selection;
      this.bar.selected(end > start);
    }

    #state(name, words = "") {
      const { state } = this.parts;
      this.root.dataset.state = name;
      shared.write(state, STATES[name]);
      if (state.title !== words) state.title = words;
      if (name === "refused") this.say(words, { error: true });
      this.#steps();
    }

    #steps() {
      const { undo, redo } = this.parts;
      const writing = Boolean(this.edits?.stream);
      undo.disabled = writing || !(this.document?.undo || this.keep?.dirty);
      redo.disabled = writing || !this.document?.redo || Boolean(this.keep?.dirty);
    }

    #drawn() {
      this.surface?.mirror.soon();
      this.#steps();
      this.parts.other.hidden = !pressed(this.parts.chances);
      this.counting ??= setTimeout(() => {
        this.counting = null;
        const { text } = this.surface;
        shared.write(this.parts.share, shared.told(this.edits.spans));
        this.parts.legend.hidden = !pressed(this.parts.provenance) || this.edits.spans.every(([, origin]) => origin === "human");
        shared.write(this.parts.count, text ? `${shared.words(text)} words` : "");
      }, 250);
    }

    #took(answer, splices) {
      Object.assign(this.document, { version: answer.version, undo: answer.undo, redo: answer.redo });
      this.edits.took(answer, splices);
      if (answer.branched) this.say(BRANCHED);
      this.pages.kept();
      this.link.tell.kept({ document: this.document.id, version: answer.version });
    }

    // A last word of a page that goes: nobody waits for its answer.
    #beacon(data, most) {
      const { way } = this.asks;
      const { root, api_prefix: prefix = "" } = window.gradio_config ?? {};
      const body = way && JSON.stringify({ data: [], event_data: { ...data, what: "change", number: 0 }, fn_index: way.event, session_hash: way.session });
      if (!body || new Blob([body]).size > most) return;
      fetch(`${root}${prefix}/run/predict`, { method: "POST", headers: { "Content-Type": "application/json" }, body, keepalive: true }).catch(() => {});
    }
  }

  shared.Editor = Editor;
})();
