// What is known of one creation, beside the grid: the picture or text itself, its facts, its family, and what can be written on it.
(() => {
  "use strict";
  const shared = (window.atelierLibrary ??= {});
  const { element, button, iconButton } = shared;

  class Leaf {
    // `shelf` takes what is changed here; `tell` raises an event of the component. The head stands above the player, the rest below.
    constructor(root, shelf, tell) {
      Object.assign(this, { root, shelf, tell, top: shelf.page.querySelector(".leaf.top") });
      for (const part of [this.top, root])
        part.addEventListener("keydown", (event) => {
          if (event.key !== "Escape" || event.defaultPrevented || root.querySelector("dialog[open]")) return;
          event.preventDefault();
          this.close();
        });
    }

    close() {
      this.shelf.mode("grid");
      this.shelf.box.focus();
    }

    // What the studio sent: an opened creation, a comparison, a packed file, or a sentence why not.
    show(value) {
      if (!value || typeof value !== "object" || value.token === this.token) return;
      this.token = value.token;
      if (value.error) this.shelf.line.say(value.error, { error: true });
      else if (value.parcel) this.#parcel(value);
      else if (value.compared) this.#enter("compare", value.compared.medium, shared.comparison(value.compared, () => this.close()));
      else if (value.id) this.#creation(value);
    }

    #enter(mode, medium, parts) {
      this.shelf.mode(mode);
      this.shelf.page.dataset.medium = medium;
      const [head, ...rest] = parts;
      this.top.replaceChildren(head);
      this.root.replaceChildren(...rest);
      const phone = matchMedia("(max-width: 760px)").matches;
      if (mode === "compare" || phone) {
        this.shelf.page.scrollIntoView({ block: "start" });
        head.querySelector("h3").focus({ preventScroll: true });
      }
    }

    #parcel({ parcel, words }) {
      this.#save(parcel);
      this.shelf.line.say(words);
    }

    #save(file) {
      const link = element("a", { href: file.url, download: file.orig_name ?? "" });
      this.root.append(link);
      link.click();
      link.remove();
    }

    #creation(value) {
      const item = this.shelf.items.find(({ id }) => id === value.id) ?? value.item;
      this.item = Object.assign(item, value.item);
      this.shelf.opened = item.id;
      this.head = element("header");
      this.#title();
      const parts = [this.head, ...this.#work(value), this.#takes(value), this.#facts(value.facts), this.#family(value), this.#written(), this.#record(value.record)];
      this.#enter("open", item.medium, parts.filter(Boolean));
      this.root.dataset.id = item.id;
      this.#thumbs(value);
    }

    // --- its name ------------------------------------------------------------------------------------------------------------------

    #title() {
      const { item, shelf } = this;
      const star = iconButton("star", item.star ? "Remove star" : "Star", async () => {
        await shelf.star(!this.item.star, [this.item.id]);
        this.#title();
      }, { className: "icon starring", "aria-pressed": String(item.star) });
      const turns = [iconButton("before", "The one before", () => shelf.step(-1)), iconButton("after", "The next one", () => shelf.step(1))];
      const heading = element("h3", { text: shared.titled(item), tabIndex: -1 });
      this.head.replaceChildren(
        element("div", { className: "turns" }, button("Back to all", () => this.close(), { className: "words back" }), ...turns, star, iconButton("close", "Close", () => this.close(), { className: "icon shut" })),
        element("div", { className: "named" }, heading, button("Rename", () => this.#rename(), { className: "words small" })),
        element("p", { className: "made" }, element("span", { className: "ai", text: "AI" }), ` Made by a machine · ${shared.moment(item.created)}`),
      );
    }

    #rename() {
      const { item, shelf } = this;
      const input = element("input", { type: "text", value: item.title, maxLength: 200, "aria-label": "Name", placeholder: item.words.slice(0, 60) });
      const back = () => {
        this.#title();
        this.head.querySelector(".named button").focus();
      };
      const form = element("form", { className: "naming" }, input, button("Save", () => form.requestSubmit()), button("Cancel", back));
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        const title = input.value.trim();
        if (await shelf.act("rename", { ids: [item.id], title }, () => shelf.change([item.id], { title }))) Object.assign(item, { title });
        back();
      });
      form.addEventListener("keydown", (event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        back();
      });
      this.head.querySelector(".named").replaceChildren(form);
      input.select();
    }

    // --- the work itself -------------------------------------------------------------------------------------------------------------

    #work({ item, file, text }) {
      if (item.medium === "picture") return [this.#picture(file, shared.titled(this.item))];
      if (item.medium !== "text") return [];
      const copy = button("Copy", async () => {
        await navigator.clipboard?.writeText(text).catch(() => null);
        this.shelf.line.say("The text is copied.");
      }, { className: "words small" });
      return [element("div", { className: "text", tabIndex: 0, role: "region", "aria-label": "Text" }, element("p", { text })), element("div", { className: "row" }, copy)];
    }

    #picture(file, title) {
      const full = element("dialog", { className: "full", "aria-label": title });
      const shut = () => full.close();
      full.append(iconButton("close", "Close", shut), element("img", { src: file.url, alt: title }));
      full.addEventListener("click", (event) => event.target.tagName !== "BUTTON" && shut());
      const open = element("button", { type: "button", className: "picture", title: "Show it as large as the screen", "aria-label": `Show large: ${title}` }, element("img", { src: file.url, alt: "" }));
      open.addEventListener("click", () => full.showModal());
      return element("div", {}, open, full);
    }

    // Downloads and what can be made of it.
    #takes({ file, formats, again }) {
      const main = element("a", { className: "words", href: file.url, download: file.orig_name, text: `Download ${(file.orig_name.split(".").pop() ?? "").toUpperCase()}` });
      const others = element("select", { "aria-label": "Download as" }, element("option", { value: "", text: "Other formats" }), ...formats.map(([value, text]) => element("option", { value, text })));
      others.addEventListener("change", async () => {
        const format = others.value;
        others.value = "";
        if (!format) return;
        this.shelf.line.say("Preparing the download…");
        await this.shelf.act("files", { ids: [this.item.id], format }, ({ files }) => {
          files.forEach((one) => this.#save(one));
          this.shelf.line.say(`${files.map(({ orig_name }) => orig_name).join(", ")} is ready.`);
        });
      });
      const remake = again && button("Make again and compare", () => this.tell.again({ ids: [this.item.id] }));
      const drop = button("Move to trash", () => this.shelf.trash([this.item.id]));
      return element("div", { className: "row" }, main, formats.length ? others : null, remake, drop);
    }

    // --- facts -----------------------------------------------------------------------------------------------------------------------

    #rows(rows) {
      return element("dl", { className: "facts" }, ...rows.flatMap(([what, value]) => [element("dt", { text: what }), element("dd", { text: value })]));
    }

    #facts(rows) {
      return rows.length ? this.#rows(rows) : null;
    }

    #record(rows) {
      return element("details", { className: "fold" }, element("summary", { text: "Everything recorded" }), this.#rows(rows));
    }

    #family({ from, of }) {
      const list = (title, items) => items.length && element("div", { className: "family" }, element("h4", { text: title }), element("div", { className: "kin" }, ...items.map((item) => this.#kin(item))));
      return from.length || of.length ? element("div", { className: "lineage" }, list("Came from", from) || null, list("Came of it", of) || null) : null;
    }

    #kin(item) {
      const made = element("button", { type: "button", className: "kin-card", data: { kin: item.id }, title: shared.titled(item) },
        element("span", { className: "face" }, element("img", { alt: "", hidden: true }), element("span", { className: "ai", text: "AI" })), element("span", { className: "name", text: shared.titled(item) }));
      made.addEventListener("click", () => this.shelf.open(item.id));
      return made;
    }

    async #thumbs({ from, of }) {
      const ids = [...from, ...of].filter(({ medium }) => medium !== "text").map(({ id }) => id);
      if (!ids.length) return;
      const found = await this.shelf.thumbs(ids).catch(() => ({}));
      for (const [id, source] of Object.entries(found)) {
        const picture = this.root.querySelector(`[data-kin="${id}"] img`);
        if (picture && source) Object.assign(picture, { src: source, hidden: false });
      }
    }

    // --- what is written on it -------------------------------------------------------------------------------------------------------

    #written() {
      const { item, shelf } = this;
      const ids = [item.id];
      const tags = element("ul", { className: "tags", "aria-label": "Tags" });
      const draw = () => tags.replaceChildren(...this.item.tags.map((tag) => element("li", {},
        button(tag, () => shelf.bar.only("tag", tag), { className: "tag", title: `Show all tagged “${tag}”` }),
        iconButton("close", `Remove the tag ${tag}`, async () => {
          await shelf.tag(tag, false, ids);
          draw();
        }))));
      draw();
      const add = this.#field("Add a tag", "", "tag", async (field) => {
        const tag = field.value.trim();
        if (!tag) return;
        if (await shelf.tag(tag, true, ids)) field.value = "";
        draw();
      });
      const project = this.#field("Project", item.project, "project", (field) => field.value.trim() !== item.project && shelf.move(field.value.trim(), ids));
      const words = element("textarea", { rows: 2, maxLength: 10000, value: item.note });
      words.addEventListener("change", () => shelf.act("note", { ids, note: words.value }, () => {
        shelf.change(ids, { note: words.value });
        shelf.line.say("The note is kept.");
      }));
      return element("div", { className: "written" }, tags, element("div", { className: "pair" }, add, project), element("label", {}, element("span", { text: "Note" }), words));
    }

    #field(name, value, list, act) {
      const options = element("datalist", { id: `library-leaf-${list}` }, ...(this.shelf.bar.known?.[list] ?? []).map(([known]) => element("option", { value: known })));
      const field = element("input", { type: "text", value, maxLength: 60, list: options.id, autocomplete: "off" });
      field.addEventListener("change", () => act(field));
      return element("label", {}, element("span", { text: name }), field, options);
    }
  }

  shared.Leaf = Leaf;
})();
