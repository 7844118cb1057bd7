// The bar over the grid: what is searched and filtered. Knows the filter's fields; knows no items.
(() => {
  "use strict";
  const shared = (window.atelierLibrary ??= {});
  const { element } = shared;

  const WAIT = 250; // milliseconds after the last key
  const SIZES = [["", "Any size"], ["0-1", "Up to 1 MB"], ["1-10", "1 to 10 MB"], ["10-0", "Over 10 MB"]];
  const MB = 1000000;
  const LISTS = { kind: "All kinds", model: "All models", project: "All projects", tag: "All tags", licence: "All licences" };
  const NAMES = { kind: "Kind", model: "Model", project: "Project", tag: "Tag", licence: "Licence", since: "From", until: "To", size: "Size" };

  class Bar {
    // `changed` is called with the new filter.
    constructor(root, changed) {
      Object.assign(this, { root, changed, fields: {} });
      const { fields } = this;
      fields.words = element("input", { type: "search", placeholder: "Search prompts, texts and settings", "aria-label": "Search the library", maxLength: 10000, spellcheck: false, autocomplete: "off" });
      for (const name of Object.keys(LISTS)) fields[name] = element("select", { "aria-label": NAMES[name] });
      fields.size = element("select", { "aria-label": NAMES.size }, ...SIZES.map(([value, text]) => element("option", { value, text })));
      for (const name of ["since", "until"]) fields[name] = element("input", { type: "date", "aria-label": `Made ${NAMES[name].toLowerCase()}` });
      this.meaning = this.#toggle("By meaning");
      this.meaning.title = "Finds what means the same in other words";
      this.starred = this.#toggle("Starred");
      this.trashed = this.#toggle("Trash");
      this.all = shared.button("Clear filters", () => this.clear(), { hidden: true });
      const rare = ["model", "project", "tag", "licence", "size", "since", "until"];
      const labelled = (name) => element("label", {}, element("span", { text: NAMES[name] }), fields[name]);
      this.fold = element("details", { className: "rarer" }, element("summary", { text: "More filters" }), element("div", { className: "filters" }, ...rare.map(labelled)));
      root.append(element("div", { className: "first", role: "search" }, fields.words, this.meaning, fields.kind, this.starred, this.trashed, this.all), this.fold);
      this.choices({});
      let wait;
      fields.words.addEventListener("input", () => {
        clearTimeout(wait);
        wait = setTimeout(() => this.#told(), WAIT);
      });
      fields.words.addEventListener("keydown", (event) => {
        if (event.key === "Enter") event.preventDefault();
        if (event.key !== "Escape" || !fields.words.value) return;
        event.stopPropagation();
        fields.words.value = "";
        this.#told();
      });
      for (const [name, field] of Object.entries(fields)) if (name !== "words") field.addEventListener("change", () => this.#told());
    }

    // What there is to choose from: lists of [value, title] by field.
    choices(lists) {
      for (const [name, first] of Object.entries(LISTS)) {
        const field = this.fields[name];
        const chosen = field.value;
        const rows = [["", first], ...(lists[name] ?? [])];
        if (chosen && !rows.some(([value]) => value === chosen)) rows.push([chosen, chosen]);
        field.replaceChildren(...rows.map(([value, text]) => element("option", { value, text })));
        field.value = chosen;
      }
      this.known = lists;
    }

    get filter() {
      const { size, ...rest } = Object.fromEntries(Object.entries(this.fields).map(([name, field]) => [name, field.value]));
      const [smallest, largest] = (size || "0-0").split("-").map((megabytes) => Number(megabytes) * MB);
      const on = (toggle) => toggle.getAttribute("aria-pressed") === "true";
      return { ...rest, smallest, largest, meaning: on(this.meaning), starred: on(this.starred), trashed: on(this.trashed) };
    }

    // Whether anything but the trash is asked for.
    get narrowed() {
      const { trashed, ...rest } = this.filter;
      return Object.values(rest).some(Boolean);
    }

    clear() {
      for (const field of Object.values(this.fields)) field.value = "";
      for (const toggle of [this.meaning, this.starred]) toggle.setAttribute("aria-pressed", "false");
      this.#told();
      this.fields.words.focus();
    }

    // Shows what has this value, such as a tag.
    only(name, value) {
      const field = this.fields[name];
      if (![...field.options].some((option) => option.value === value)) field.append(element("option", { value, text: value }));
      field.value = value;
      this.fold.open = true;
      this.#told();
    }

    #toggle(words) {
      const made = shared.button(words, () => {
        made.setAttribute("aria-pressed", String(made.getAttribute("aria-pressed") !== "true"));
        this.#told();
      }, { "aria-pressed": "false" });
      return made;
    }

    #told() {
      this.all.hidden = !this.narrowed;
      const filter = JSON.stringify(this.filter);
      if (filter === this.last) return;
      this.last = filter;
      this.changed(this.filter);
    }
  }

  shared.Bar = Bar;
})();
