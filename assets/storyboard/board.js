// A storyboard: loads the row of a project, puts panels in another order by hand and by keys, and tells the studio what was done.
(() => {
  "use strict";
  const shared = (window.atelierStoryboard ??= {});
  const { element, button, iconButton, many, Asks } = window.atelierLibrary;

  const EMPTY = "No storyboard yet. Make a picture, then press “Send to Storyboard” below it: it becomes the first panel.";
  const AT_ONCE = 60; // thumbs in one question

  class Board {
    // `tell` raises events of the component, whose answers come to `asks`.
    constructor(root, tell) {
      Object.assign(this, { root, tell, items: [], sounds: [], project: "", thumbs: new Map(), audio: new Audio() });
      this.asks = new Asks((data) => tell.ask(data));
      this.choice = element("select", { "aria-label": "Storyboard" });
      this.choice.addEventListener("change", () => this.load(this.choice.value));
      this.count = element("span", { className: "count" });
      this.takes = ["page", "zip"].map((format) => button(format === "zip" ? "Export zip" : "Export page", () => this.pack(format), { title: format === "zip" ? "Pictures and sounds in their order, with records and a contact sheet" : "One HTML file with everything in it, which prints" }));
      this.said = element("p", { className: "said", role: "status" });
      this.list = element("ol", { className: "panels", "aria-label": "Panels" });
      this.empty = element("p", { className: "empty", hidden: true, text: EMPTY });
      this.bar = element("div", { className: "row bar" }, this.choice, this.count, ...this.takes);
      root.replaceChildren(this.bar, this.said, this.list, this.empty);
      this.#drop();
      this.load("");
      let seen = true;
      new IntersectionObserver(() => {
        const now = Boolean(root.offsetParent);
        if (now && !seen) this.load(this.project);
        if (!now) this.audio.pause();
        seen = now;
      }).observe(root);
    }

    async load(project) {
      const turn = (this.turn = (this.turn ?? 0) + 1);
      try {
        const found = await this.asks.ask("board", { project });
        if (turn !== this.turn) return;
        Object.assign(this, { project: found.project, items: found.panels, sounds: found.sounds });
        this.choice.replaceChildren(...found.boards.map(([value, count]) => element("option", { value, text: `${value} (${count})` })));
        this.choice.value = found.project;
        this.draw();
        this.root.dataset.ready = "true";
      } catch (error) {
        this.say(error.message, { error: true });
      }
    }

    draw(focused = "") {
      const { items } = this;
      this.bar.hidden = !items.length;
      this.empty.hidden = items.length > 0;
      this.count.textContent = items.length ? many(items.length, "panel") : "";
      this.panels = items.map((item, index) => shared.panel(item, index + 1, items.length, this.sounds, {
        move: (way) => this.move(item.id, index + way),
        take: () => this.take(item),
        caption: (caption) => this.act("caption", { ids: [item.id], caption }, () => this.change(item, { caption: caption.trim(), origin: item.origin && "edited" }, "The caption is kept.")),
        sound: (sound) => this.act("sound", { ids: [item.id], sound }, () => this.change(item, { sound, heard: this.sounds.find(([id]) => id === sound)?.[1] ?? "" }, sound ? "The sound is kept." : "The sound is taken away.")),
        picture: (picture) => this.act("picture", { ids: [item.id], picture }, () => this.say("The words of the picture are kept.")),
        paint: () => this.tell.paint({ project: this.project, ids: [item.id] }),
        play: () => this.play(item),
        open: () => this.open(item),
      }));
      this.list.replaceChildren(...this.panels.map(({ root }) => root));
      if (focused) this.panels[items.findIndex(({ id }) => id === focused)]?.face.focus();
      this.#thumbs();
    }

    // New values of a panel; what was typed into meanwhile stays as it is.
    change(item, values, words) {
      Object.assign(item, values);
      const { play, face, origin } = this.panels[this.items.indexOf(item)] ?? {};
      if (play) play.hidden = !item.sound;
      shared.told(origin, item);
      face?.setAttribute("aria-label", face.getAttribute("aria-label").replace(/: .*?\. Alt/s, () => `: ${item.caption || item.told || "without words"}. Alt`));
      this.say(words);
    }

    say(sentence, { error = false, back = null } = {}) {
      this.said.classList.toggle("error", error);
      this.said.replaceChildren(sentence, ...(back ? [" ", button("Undo", back)] : []));
    }

    async act(what, data, after) {
      try {
        await after(await this.asks.ask(what, data));
      } catch (error) {
        this.say(error.message, { error: true });
      }
    }

    // A panel to another place of the row; it is shown there at once, and goes back where the studio does not agree.
    async move(id, to) {
      const from = this.items.findIndex((item) => item.id === id);
      if (from < 0 || to < 0 || to >= this.items.length || to === from) return;
      const before = [...this.items];
      this.items.splice(to, 0, ...this.items.splice(from, 1));
      this.draw(id);
      try {
        await this.asks.ask("arrange", { project: this.project, ids: this.items.map((item) => item.id) });
        this.say(`Moved to place ${to + 1} of ${this.items.length}.`);
      } catch (error) {
        this.items = before;
        this.draw(id);
        this.say(error.message, { error: true });
      }
    }

    take(item) {
      const order = this.items.map(({ id }) => id);
      const { project } = this;
      return this.act("remove", { ids: [item.id] }, async () => {
        const next = this.items[this.items.indexOf(item) + 1] ?? this.items.at(-2);
        await this.load(project);
        if (next) this.panels[this.items.findIndex(({ id }) => id === next.id)]?.face.focus();
        this.say(`The panel is taken out; ${item.waits ? "its words are" : "its picture is"} in the library.`, { back: () => this.#back(item.id, project, order) });
      });
    }

    #back(id, project, order) {
      return this.act("add", { ids: [id], project }, async () => {
        await this.asks.ask("arrange", { project, ids: order });
        await this.load(project);
        this.say("The panel is back.");
        this.panels[this.items.findIndex((item) => item.id === id)]?.face.focus();
      });
    }

    play({ sound, id }) {
      if (this.playing === id && !this.audio.paused) return this.audio.pause();
      return this.act("file", { ids: [sound] }, async ({ files }) => {
        this.playing = id;
        this.audio.src = files[0].url;
        await this.audio.play();
      });
    }

    open(item) {
      return this.act("file", { ids: [item.id] }, ({ files }) => {
        const words = item.caption || item.told;
        const full = element("dialog", { className: "full", "aria-label": words });
        full.append(iconButton("close", "Close", () => full.close()), element("img", { src: files[0].url, alt: words }));
        full.addEventListener("click", (event) => !event.target.closest("button") && full.close());
        full.addEventListener("close", () => full.remove());
        this.root.append(full);
        full.showModal();
      });
    }

    pack(format) {
      this.say("Packing…");
      this.tell.pack({ project: this.project, format });
    }

    // What the studio sent by itself: a storyboard to show, or a file.
    sent(value) {
      if (value.token === this.token) return;
      this.token = value.token;
      if (value.error) return this.say(value.error, { error: true });
      if (value.drafted) return this.#drafted(value);
      if (value.show) return this.load(value.show);
      const link = element("a", { href: value.parcel.url, download: value.parcel.orig_name ?? "" });
      this.root.append(link);
      link.click();
      link.remove();
      this.say(value.words);
    }

    // Panels that a writer drafted stand at the end; they go again with one press.
    async #drafted({ show, drafted, words }) {
      await this.load(show);
      const back = () => this.act("discard", { project: show, ids: drafted }, async () => {
        await this.load(show);
        this.say("The drafted panels are in the trash of the library.");
      });
      this.say(words, { back });
      this.panels[this.items.findIndex(({ id }) => id === drafted[0])]?.root.scrollIntoView({ block: "nearest" });
    }

    #drop() {
      const { list } = this;
      const panel = (event) => event.target.closest?.("li.panel");
      const clear = () => list.querySelectorAll(".before, .after, .dragged").forEach((one) => one.classList.remove("before", "after", "dragged"));
      list.addEventListener("dragstart", (event) => {
        this.dragged = panel(event)?.dataset.id;
        event.dataTransfer.effectAllowed = "move";
        event.dataTransfer.setData("text/plain", "");
        panel(event)?.classList.add("dragged");
      });
      list.addEventListener("dragover", (event) => {
        const over = panel(event);
        if (!this.dragged || !over) return;
        event.preventDefault();
        list.querySelectorAll(".before, .after").forEach((one) => one.classList.remove("before", "after"));
        over.classList.add(this.#late(event, over) ? "after" : "before");
      });
      list.addEventListener("drop", (event) => {
        const over = panel(event);
        if (!this.dragged || !over) return;
        event.preventDefault();
        const [from, on] = [this.dragged, over.dataset.id].map((id) => this.items.findIndex((item) => item.id === id));
        const to = on + (this.#late(event, over) ? 1 : 0);
        this.move(this.dragged, from < to ? to - 1 : to);
      });
      list.addEventListener("dragend", () => {
        this.dragged = "";
        clear();
      });
    }

    // Whether a hand is over the second half of a panel; panels in one column are split across.
    #late(event, over) {
      const box = over.getBoundingClientRect();
      const one = this.list.clientWidth < 1.9 * box.width;
      return one ? event.clientY > box.top + box.height / 2 : event.clientX > box.left + box.width / 2;
    }

    async #thumbs() {
      const missing = this.items.filter(({ id, waits }) => !waits && !this.thumbs.has(id)).map(({ id }) => id);
      for (let at = 0; at < missing.length; at += AT_ONCE) {
        const { thumbs = {} } = await this.asks.ask("thumbs", { ids: missing.slice(at, at + AT_ONCE) }).catch(() => ({}));
        for (const [id, source] of Object.entries(thumbs)) if (source) this.thumbs.set(id, source);
      }
      for (const { root, picture } of this.panels) {
        const source = this.thumbs.get(root.dataset.id);
        if (source) Object.assign(picture, { src: source, hidden: false });
      }
    }
  }

  shared.attach = (root, link) => {
    const board = new Board(root.querySelector(".board"), link.tell);
    const heard = () => {
      const value = link.props.value;
      if (value?.token) board.sent(value);
      else board.asks.answered(value);
    };
    link.watch("value", heard);
    if (link.props.value?.token) heard();
  };
})();
