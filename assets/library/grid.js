// The grid of cards: only the rows in sight are on the page, and their nodes are used again. Knows items; knows no studio.
(() => {
  "use strict";
  const shared = (window.atelierLibrary ??= {});
  const { element, icon } = shared;

  const WIDE = 168; // least width of a card, in CSS pixels; two fit a phone
  const NARROW = 136;
  const GAP = 12;
  const BELOW = 50; // pixels of the lines under a picture
  const AHEAD = 2; // rows kept above and below those in sight
  const MORE = 3; // screens before the end at which more is asked for
  const KEPT = 300; // thumbs in memory
  const AT_ONCE = 30; // thumbs in one question
  const STILL = 80; // milliseconds without a scroll before thumbs are asked for

  class Grid {
    // `link`: thumbs(ids) to a promise of {id: address}, more(), chosen(id) to whether it is selected.
    constructor(box, link) {
      Object.assign(this, { box, link, items: [], total: 0, at: 0, columns: 1, width: WIDE, shown: new Map(), free: [], thumbs: new Map() });
      this.space = element("div", { role: "presentation", className: "space" });
      box.append(this.space);
      box.addEventListener("scroll", () => this.#soon(), { passive: true });
      new ResizeObserver(() => this.layout()).observe(box);
    }

    // Other items; the place stays unless `top`.
    set(items, total, top = true) {
      Object.assign(this, { items, total });
      this.at = Math.max(0, Math.min(this.at, items.length - 1));
      if (top) this.at = this.box.scrollTop = 0;
      this.layout();
    }

    layout() {
      const wide = this.box.clientWidth - 2 * GAP;
      if (wide <= 0) return;
      const least = wide < 420 ? NARROW : WIDE;
      this.columns = Math.max(1, Math.floor((wide + GAP) / (least + GAP)));
      this.width = Math.floor((wide - GAP * (this.columns - 1)) / this.columns);
      this.height = this.width + BELOW;
      const rows = Math.ceil(this.items.length / this.columns);
      this.space.style.height = `${Math.max(0, rows * (this.height + GAP) + GAP)}px`;
      this.box.style.setProperty("--card", `${this.width}px`);
      this.render(true);
    }

    // `anew` fills the nodes again that are shown already.
    render(anew = false) {
      if (!this.height) return;
      const row = this.height + GAP;
      const first = Math.max(0, Math.floor(this.box.scrollTop / row) - AHEAD) * this.columns;
      const last = Math.min(this.items.length, (Math.ceil((this.box.scrollTop + this.box.clientHeight) / row) + AHEAD) * this.columns);
      for (const [index, node] of this.shown)
        if (index < first || index >= last) {
          this.shown.delete(index);
          this.free.push(node);
          node.root.hidden = true;
        }
      for (let index = first; index < last; index += 1) {
        const known = this.shown.get(index);
        if (known && !anew) continue;
        const node = known ?? this.free.pop() ?? this.#node();
        this.shown.set(index, node);
        this.#fill(node, index);
      }
      this.#mark();
      this.#wanted();
      if (this.items.length < this.total && this.box.scrollTop + MORE * this.box.clientHeight > this.space.clientHeight) this.link.more();
    }

    // The cursor on an item, in sight.
    go(index, still = false) {
      if (!this.items.length) return;
      this.at = Math.max(0, Math.min(index, this.items.length - 1));
      const top = Math.floor(this.at / this.columns) * (this.height + GAP);
      const { scrollTop, clientHeight } = this.box;
      if (!still && top < scrollTop) this.box.scrollTop = top;
      else if (!still && top + this.height + 2 * GAP > scrollTop + clientHeight) this.box.scrollTop = top + this.height + 2 * GAP - clientHeight;
      this.render();
    }

    get here() {
      return this.items[this.at] ?? null;
    }

    // Rows that fit on the screen: the step of Page up and Page down.
    get page() {
      return Math.max(1, Math.floor(this.box.clientHeight / (this.height + GAP))) * this.columns;
    }

    indexOf(target) {
      const root = target.closest?.("[role=option]");
      for (const [index, node] of this.shown) if (node.root === root) return index;
      return -1;
    }

    #soon() {
      if (this.drawing) return;
      this.drawing = requestAnimationFrame(() => {
        this.drawing = 0;
        this.render();
      });
    }

    #node() {
      this.made = (this.made ?? 0) + 1;
      const parts = {
        picture: element("img", { alt: "", decoding: "async", draggable: false }), lines: element("p", { className: "lines" }),
        name: element("span", { className: "name" }), fact: element("span", { className: "fact" }),
      };
      const face = element("div", { className: "face" }, parts.picture, parts.lines, element("span", { className: "ai", text: "AI", title: "Made by a machine" }));
      const root = element("div", { role: "option", id: `library-card-${this.made}`, className: "card" }, face,
        element("span", { className: "tick" }), element("span", { className: "starred" }, icon("star")), parts.name, parts.fact);
      this.space.append(root);
      return { root, ...parts };
    }

    #fill(node, index) {
      const item = this.items[index];
      const { root } = node;
      const [x, y] = [index % this.columns, Math.floor(index / this.columns)];
      root.hidden = false;
      root.style.transform = `translate(${GAP + x * (this.width + GAP)}px, ${GAP + y * (this.height + GAP)}px)`;
      root.dataset.id = item.id;
      root.dataset.medium = item.medium;
      root.toggleAttribute("data-star", item.star);
      root.toggleAttribute("data-missing", item.missing);
      node.name.textContent = shared.titled(item);
      node.fact.textContent = item.missing ? "Its file is gone" : [item.model, shared.day(item.created)].filter(Boolean).join(" · ");
      node.lines.textContent = item.medium === "text" ? item.words : "";
      const said = [shared.titled(item), shared.MEDIA[item.medium], "made by AI", shared.day(item.created), item.star ? "starred" : "", item.missing ? "its file is gone" : ""];
      root.setAttribute("aria-label", said.filter(Boolean).join(", "));
      root.setAttribute("aria-posinset", index + 1);
      root.setAttribute("aria-setsize", this.total);
      this.#picture(node, item);
    }

    #picture(node, item) {
      const source = this.thumbs.get(item.id) ?? "";
      if (node.source === source) return;
      node.source = source;
      if (source) node.picture.src = source;
      else node.picture.removeAttribute("src");
      node.picture.hidden = !source;
    }

    #mark() {
      for (const [index, { root }] of this.shown) {
        root.setAttribute("aria-selected", String(this.link.chosen(this.items[index].id)));
        root.classList.toggle("here", index === this.at);
      }
      const node = this.shown.get(this.at);
      if (node) this.box.setAttribute("aria-activedescendant", node.root.id);
      else this.box.removeAttribute("aria-activedescendant");
    }

    // Asks for the thumbs in sight once the scrolling rests; those used longest ago are dropped.
    #wanted() {
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.#fetch(), STILL);
    }

    async #fetch() {
      if (this.fetching) return;
      const lacking = (item) => item && item.medium !== "text" && !item.missing && !this.thumbs.has(item.id);
      const ids = [...this.shown.keys()].sort((a, b) => a - b).map((index) => this.items[index]).filter(lacking).map(({ id }) => id);
      if (!ids.length) return;
      this.fetching = true;
      const asked = ids.slice(0, AT_ONCE);
      const found = await this.link.thumbs(asked).catch(() => null);
      this.fetching = false;
      if (!found) return;
      for (const id of asked) this.thumbs.set(id, found[id] ?? "");
      for (const [index, node] of this.shown) {
        const item = this.items[index];
        if (!item || !this.thumbs.has(item.id)) continue;
        const source = this.thumbs.get(item.id);
        this.thumbs.delete(item.id);
        this.thumbs.set(item.id, source); // now the newest
        this.#picture(node, item);
      }
      for (const id of this.thumbs.keys()) {
        if (this.thumbs.size <= KEPT) break;
        this.thumbs.delete(id);
      }
      if (ids.length > asked.length || this.drawing) this.#wanted();
    }
  }

  shared.Grid = Grid;
})();
