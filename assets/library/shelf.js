// The library as a whole: loads pages, keeps the selection, listens to hands and keys, and tells the studio what was done.
(() => {
  "use strict";
  const shared = (window.atelierLibrary ??= {});
  const { element, many } = shared;

  const EMPTY = {
    all: "Nothing here yet. Make something in another tab: everything you make is kept here.",
    none: "Nothing matches. Try other words, or clear the filters.",
    trash: "The trash is empty.",
  };
  const TYPING = "input, textarea, select, [contenteditable=true]";

  class Shelf {
    // `link`: tell(name, data) raises an event of the component, whose answers come to `asks`.
    constructor(root, link) {
      Object.assign(this, { root, link, items: [], total: 0, chosen: new Set(), anchor: 0, trashed: false, turn: 0, opened: "" });
      this.page = root.closest(".library") ?? root;
      this.asks = new shared.Asks((data) => link.tell.ask(data));
      const [bar, line] = [element("div", { className: "bar" }), element("div", { className: "lines-of-words" })];
      this.box = element("div", { className: "grid", role: "listbox", tabIndex: 0, "aria-multiselectable": "true", "aria-label": "Creations" });
      this.empty = element("p", { className: "empty", hidden: true });
      this.documents = new shared.Documents();
      root.replaceChildren(bar, line, this.documents.root, this.box, this.empty);
      this.grid = new shared.Grid(this.box, { chosen: (id) => this.chosen.has(id), more: () => this.more(), thumbs: (ids) => this.thumbs(ids) });
      this.bar = new shared.Bar(bar, () => this.load());
      this.line = new shared.Line(line, this.#acts());
      this.#listen();
      this.mode("grid");
      this.load(true);
      root.dataset.ready = "true";
    }

    // "grid", "open" or "compare": what has room on the page.
    mode(name) {
      this.page.dataset.mode = name;
      if (name === "grid") {
        delete this.page.dataset.medium;
        this.page.querySelector(".heard [data-do=stop]")?.click();
      }
      if (name !== "open") this.opened = "";
      this.root.dispatchEvent(new Event("mode"));
    }

    thumbs(ids) {
      return this.asks.ask("thumbs", { ids }).then(({ thumbs }) => thumbs);
    }

    // --- pages -----------------------------------------------------------------------------------------------------------------------

    // The first page of the filter; `choices` asks for what there is to filter by, too.
    async load(choices = false) {
      const turn = (this.turn += 1);
      this.loading = true;
      this.root.setAttribute("aria-busy", "true");
      try {
        const { items, total, choices: lists, note, documents } = await this.asks.ask("page", { filter: this.bar.filter, count: true, choices });
        if (turn !== this.turn) return;
        if (note) this.line.say(note);
        if (lists) this.bar.choices(lists);
        this.trashed = this.bar.filter.trashed;
        this.documents.show(documents);
        this.#items(items, total);
      } catch (error) {
        if (turn === this.turn) this.line.say(error.message, { error: true });
      } finally {
        if (turn === this.turn) {
          this.loading = false;
          this.root.removeAttribute("aria-busy");
        }
      }
    }

    async more() {
      if (this.loading || !this.items.length || this.items.length >= this.total) return;
      const turn = this.turn;
      this.loading = true;
      try {
        const { items } = await this.asks.ask("page", { filter: this.bar.filter, before: this.items.at(-1).id });
        if (turn !== this.turn) return;
        this.items.push(...items);
        if (!items.length) this.total = this.items.length;
        this.loading = false;
        this.grid.layout();
        this.grid.total = this.total;
      } catch (error) {
        if (turn !== this.turn) return;
        this.line.say(error.message, { error: true });
        setTimeout(() => (this.loading = false), 2000);
      }
    }

    // What came since, when the tab is opened again: the place is kept if nothing did.
    async refresh() {
      if (this.loading) return;
      const turn = this.turn;
      const got = await this.asks.ask("page", { filter: this.bar.filter, count: true, choices: true }).catch(() => null);
      if (!got || turn !== this.turn) return;
      this.bar.choices(got.choices);
      if (got.total !== this.total || got.items[0]?.id !== this.items[0]?.id) this.#items(got.items, got.total);
    }

    #items(items, total) {
      this.items = items;
      this.total = total;
      const here = new Set(items.map(({ id }) => id));
      for (const id of this.chosen) if (!here.has(id)) this.chosen.delete(id);
      this.anchor = 0;
      this.grid.set(items, total);
      this.show();
    }

    show() {
      this.empty.hidden = this.items.length > 0;
      this.box.hidden = !this.items.length;
      this.empty.textContent = this.bar.narrowed ? EMPTY.none : this.trashed ? EMPTY.trash : EMPTY.all;
      this.line.show({ total: this.total, chosen: this.selected, trashed: this.trashed });
      this.grid.render();
    }

    get selected() {
      return this.items.filter(({ id }) => this.chosen.has(id));
    }

    // What an action is for: those selected, else the one under the cursor.
    get meant() {
      return this.chosen.size ? [...this.chosen] : this.grid.here ? [this.grid.here.id] : [];
    }

    // New values of items, wherever they are shown.
    change(ids, values) {
      const which = new Set(ids);
      for (const item of this.items) if (which.has(item.id)) Object.assign(item, typeof values === "function" ? values(item) : values);
      this.grid.render(true);
      this.show();
    }

    #remove(ids) {
      const gone = new Set(ids);
      this.items = this.items.filter(({ id }) => !gone.has(id));
      this.total = Math.max(this.items.length, this.total - gone.size);
      for (const id of gone) this.chosen.delete(id);
      this.anchor = Math.min(this.anchor, Math.max(0, this.items.length - 1));
      this.grid.set(this.items, this.total, false);
      if (gone.has(this.opened)) this.mode("grid");
      this.show();
    }

    // --- what is done ----------------------------------------------------------------------------------------------------------------

    // Asks the studio; what went wrong is said in the line.
    async act(what, data, after) {
      try {
        const answer = await this.asks.ask(what, data);
        await after?.(answer);
        return true;
      } catch (error) {
        this.line.say(error.message, { error: true });
        return false;
      }
    }

    star(on, ids = this.meant) {
      return this.act("star", { ids, on }, () => {
        this.change(ids, { star: on });
        this.line.say(`${many(ids.length)} ${on ? "starred" : "no longer starred"}.`);
      });
    }

    tag(tag, on, ids = this.meant) {
      return this.act("tag", { ids, [on ? "add" : "remove"]: [tag] }, () => {
        this.change(ids, ({ tags }) => ({ tags: on ? [...new Set([...tags, tag])] : tags.filter((one) => one !== tag) }));
        this.line.say(on ? `${many(ids.length)} tagged “${tag}”.` : `The tag “${tag}” is removed.`);
        this.#learn("tag", tag);
      });
    }

    move(project, ids = this.meant) {
      return this.act("move", { ids, project }, () => {
        this.change(ids, { project });
        this.line.say(project ? `${many(ids.length)} moved to “${project}”.` : `${many(ids.length)} now in no project.`);
        this.#learn("project", project);
      });
    }

    // The oldest first, as they were made.
    panel(ids = this.selected.map(({ id }) => id).reverse()) {
      return this.act("panel", { ids }, ({ project }) => {
        this.change(ids, { project });
        this.line.say(`${many(ids.length)} in the storyboard “${project}”, which has a tab of its own.`);
        this.#learn("project", project);
      });
    }

    trash(ids = this.meant) {
      if (!ids.length) return;
      return this.act("trash", { ids }, ({ ids: gone }) => {
        this.#remove(gone);
        this.line.say(`${many(gone.length)} moved to the trash.`, { back: () => this.restore(gone) });
      });
    }

    restore(ids = this.meant) {
      return this.act("restore", { ids }, async () => {
        this.line.say(`${many(ids.length)} restored.`);
        if (this.trashed) this.#remove(ids);
        else await this.load();
      });
    }

    purge(ids = this.meant) {
      return this.act("purge", { ids }, () => {
        this.#remove(ids);
        this.line.say(`${many(ids.length)} deleted for good.`);
      });
    }

    emptyTrash() {
      return this.act("empty", {}, async ({ count }) => {
        await this.load();
        this.line.say(count ? `${many(count)} deleted for good.` : "The trash was empty.");
      });
    }

    open(id) {
      if (!id || this.trashed) return this.trashed && this.line.say("This is in the trash: restore it to open it.");
      this.opened = id;
      this.link.tell.open({ ids: [id] });
    }

    // The one before or after the one that is open.
    step(way) {
      const index = this.items.findIndex(({ id }) => id === this.opened) + way;
      if (!this.opened || !this.items[index]) return;
      this.grid.go(index);
      this.open(this.items[index].id);
    }

    compare() {
      const media = new Set(this.selected.map(({ medium }) => medium));
      if (this.chosen.size < 2 || this.chosen.size > 4) return this.line.say("Select two to four creations to compare.");
      if (media.size > 1) return this.line.say("Only like can be compared: select pictures, sounds or texts alone.");
      this.link.tell.compare({ ids: this.selected.map(({ id }) => id) });
    }

    pack(bare) {
      this.line.say("Packing…");
      this.link.tell.pack({ ids: [...this.chosen], private: bare });
    }

    #acts() {
      const known = (name) => (this.bar.known?.[name] ?? []).map(([value]) => value);
      const calls = ["star", "tag", "move", "panel", "compare", "pack", "trash", "restore", "purge", "emptyTrash"];
      return { ...Object.fromEntries(calls.map((name) => [name, (...given) => this[name](...given)])), none: () => this.select([]), known };
    }

    #learn(name, value) {
      const rows = this.bar.known[name] ?? [];
      if (value && !rows.some(([known]) => known === value)) this.bar.choices({ ...this.bar.known, [name]: [...rows, [value, value]] });
    }

    // --- choosing --------------------------------------------------------------------------------------------------------------------

    select(ids) {
      this.chosen = new Set(ids);
      this.show();
    }

    toggle(index) {
      const id = this.items[index]?.id;
      if (!id) return;
      if (!this.chosen.delete(id)) this.chosen.add(id);
      this.anchor = index;
      this.show();
    }

    // From the anchor to an item, beside what `more` keeps.
    range(index, more = false) {
      const [first, last] = [Math.min(this.anchor, index), Math.max(this.anchor, index)];
      this.select([...(more ? this.chosen : []), ...this.items.slice(first, last + 1).map(({ id }) => id)]);
    }

    #click(event) {
      const index = this.grid.indexOf(event.target);
      if (index < 0) return;
      this.grid.go(index, true);
      if (event.shiftKey) return this.range(index, event.ctrlKey || event.metaKey);
      if (event.ctrlKey || event.metaKey || event.target.closest(".tick") || (this.picking && this.chosen.size)) {
        this.picking = Boolean(event.target.closest(".tick")) || this.picking;
        return this.toggle(index);
      }
      this.picking = false;
      this.anchor = index;
      this.select([this.items[index].id]);
      this.open(this.items[index].id);
    }

    #key(event) {
      const { grid } = this;
      const held = event.ctrlKey || event.metaKey;
      const ways = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -grid.columns, ArrowDown: grid.columns, PageUp: -grid.page, PageDown: grid.page, Home: -Infinity, End: Infinity };
      if (event.key in ways) {
        const to = Math.max(0, Math.min(this.items.length - 1, grid.at + ways[event.key]));
        if (!event.shiftKey) this.anchor = to;
        grid.go(to);
        if (event.shiftKey) this.range(to);
      } else if (event.key === "Enter") this.open(grid.here?.id);
      else if (event.key === " ") this.toggle(grid.at);
      else if (event.key === "Delete" && !this.trashed) this.trash();
      else if (held && event.key.toLowerCase() === "a") this.select(this.items.map(({ id }) => id));
      else if (held && event.key.toLowerCase() === "z") this.line.undo();
      else if (!held && event.key.toLowerCase() === "s" && !this.trashed) this.star(!this.#starred());
      else if (event.key === "Escape" && this.chosen.size) this.select([]);
      else if (event.key === "Escape" && this.page.dataset.mode !== "grid") this.mode("grid");
      else return;
      event.preventDefault();
    }

    #starred() {
      const meant = new Set(this.meant);
      return this.items.filter(({ id }) => meant.has(id)).every(({ star }) => star);
    }

    #listen() {
      this.box.addEventListener("click", (event) => this.#click(event));
      this.box.addEventListener("keydown", (event) => this.#key(event));
      document.addEventListener("keydown", (event) => {
        if (event.key !== "/" || !this.root.isConnected || !this.root.offsetParent || event.target.closest?.(TYPING)) return;
        event.preventDefault();
        this.bar.fields.words.focus();
      });
      let seen = true;
      new IntersectionObserver(() => {
        if (this.page.offsetParent && !seen) this.refresh();
        seen = Boolean(this.page.offsetParent);
      }).observe(this.page);
    }
  }

  shared.Shelf = Shelf;
})();
