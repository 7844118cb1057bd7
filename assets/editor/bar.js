// The actions: a few that fit where the cursor is, all of them in a menu with what they do and, where one cannot be done, why.
// Knows rows {name, title, description, on, result, choices, asks, needs}; knows no text.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});
  const { element, button } = window.atelierLibrary;

  const SHOWN = 4; // actions outside of the menu
  const GROUPS = { cursor: "At the cursor", selection: "With the selection", document: "With the whole text" };

  class Bar {
    // `go(action, choice, words)` does one; `editor` holds the small windows.
    constructor(root, editor, go) {
      Object.assign(this, { root, editor, go, actions: [], on: "cursor" });
      this.few = element("div", { className: "few", role: "group", "aria-label": "Write with the model" });
      this.more = button("All actions", () => this.#menu(), { "aria-haspopup": "menu", className: "words more" });
      root.append(this.few, this.more);
      root.hidden = true;
    }

    set(actions) {
      this.actions = actions.filter(({ name, title }) => name && title);
      this.root.hidden = !this.actions.length;
      this.#fill();
    }

    // Whether something is selected: other actions then fit.
    selected(some) {
      const on = some ? "selection" : "cursor";
      if (on === this.on) return;
      this.on = on;
      this.#fill();
    }

    #fill() {
      const fits = [...this.actions.filter(({ on }) => on === this.on), ...(this.on === "cursor" ? this.actions.filter(({ on }) => on === "document") : [])];
      const focused = this.few.contains(document.activeElement);
      this.few.replaceChildren(...fits.slice(0, SHOWN).map((action) => this.#button(action)));
      if (focused) (this.few.querySelector("button") ?? this.more).focus();
    }

    #button(action) {
      const made = button(action.title, () => this.choose(action, made), { title: action.needs || action.description });
      if (action.needs) made.setAttribute("aria-disabled", "true");
      if (action.choices?.length || action.asks) made.setAttribute("aria-haspopup", "dialog");
      return made;
    }

    // Asks for what the action still needs, then does it.
    choose(action, at) {
      if (action.needs) return this.editor.say(action.needs, { error: true });
      if (action.on === "selection" && this.on !== "selection") return this.editor.say(`Select the words first that “${action.title}” is for.`, { error: true });
      if (!action.choices?.length && !action.asks) return this.go(action, "", "");
      this.#ask(action, at);
    }

    #ask(action, at) {
      const select = action.choices?.length ? element("select", {}, ...action.choices.map((value) => element("option", { value, text: value }))) : null;
      const input = action.asks ? element("textarea", { rows: 2, maxLength: 4000, dir: "auto" }) : null;
      if (select) select.value = this.last?.[action.name] ?? action.choices[0];
      const labelled = (words, field) => (field ? element("label", {}, element("span", { text: words }), field) : null);
      const form = element("form", { className: "asking", role: "dialog", "aria-label": action.title }, element("p", { className: "title", text: action.title }), element("p", { className: "hint", text: action.description }),
        labelled("Which", select), labelled(action.asks, input));
      const window = new shared.Window(this.editor.root, form, { at: at.getBoundingClientRect(), back: () => at.isConnected ? at.focus() : this.more.focus() });
      form.append(element("div", { className: "acts" }, element("button", { type: "submit", className: "words primary", text: "Go" }), button("Cancel", () => window.close())));
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        if (select) this.last = { ...this.last, [action.name]: select.value };
        window.close(false);
        this.go(action, select?.value ?? "", input?.value.trim() ?? "");
      });
      input?.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        form.requestSubmit();
      });
      (select ?? input).focus();
    }

    #menu() {
      const menu = element("div", { className: "menu", role: "menu", "aria-label": "All actions" });
      for (const [on, words] of Object.entries(GROUPS)) {
        const rows = this.actions.filter((action) => action.on === on);
        if (rows.length) menu.append(element("div", { role: "group", "aria-label": words }, element("p", { className: "group", text: words, "aria-hidden": "true" }), ...rows.map((action) => this.#item(action))));
      }
      this.window = new shared.Window(this.editor.root, menu, { at: this.more.getBoundingClientRect(), back: () => this.more.focus() });
      shared.arrows(menu, "[role=menuitem]");
      menu.querySelector("[role=menuitem]").focus({ preventScroll: true });
    }

    #item(action) {
      const made = element("button", { type: "button", role: "menuitem", tabIndex: -1 }, element("span", { className: "title", text: action.title }), element("span", { className: "hint", text: action.needs || action.description }));
      if (action.needs) made.setAttribute("aria-disabled", "true");
      made.addEventListener("click", () => {
        if (action.needs) return;
        this.window.close(false);
        this.editor.surface.field.focus({ preventScroll: true });
        this.choose(action, this.more);
      });
      return made;
    }
  }

  shared.Bar = Bar;
})();
