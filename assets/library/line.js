// The line between bar and grid: how many there are, what can be done with those selected, and what was done, with a way back.
(() => {
  "use strict";
  const shared = (window.atelierLibrary ??= {});
  const { element, button, many } = shared;

  let lists = 0;

  class Line {
    // `acts`: star(on), tag(words, on), move(project), panel(), compare(), pack(plain), trash(), restore(), purge(), emptyTrash(), none(), known(name).
    constructor(root, acts) {
      this.acts = acts;
      this.words = element("p", { className: "count", "aria-live": "polite" });
      this.buttons = {
        star: button("Star", () => acts.star(!this.starred)),
        tag: button("Tag", () => this.#tag(), { "aria-haspopup": "dialog" }),
        move: button("Project", () => this.#move(), { "aria-haspopup": "dialog" }),
        panel: button("Storyboard", () => acts.panel()),
        compare: button("Compare", () => acts.compare()),
        pack: button("Export", () => this.#pack(), { "aria-haspopup": "dialog" }),
        trash: button("Move to trash", () => acts.trash()),
        restore: button("Restore", () => acts.restore()),
        purge: button("Delete for good", () => this.#purge(), { "aria-haspopup": "dialog" }),
        none: button("Select none", () => acts.none()),
        empty: button("Empty trash", () => this.#empty(), { "aria-haspopup": "dialog" }),
      };
      this.group = element("div", { className: "acts", role: "group", "aria-label": "With those selected" }, ...Object.values(this.buttons));
      this.form = element("div", { className: "asked", hidden: true });
      this.said = element("p", { className: "said", role: "status" });
      root.append(element("div", { className: "line" }, this.words, this.group), this.form, this.said);
    }

    // How many there are, how many are loaded and selected, and which actions make sense.
    show({ total, chosen, trashed }) {
      const several = chosen.length > 0;
      this.chosen = chosen;
      this.starred = several && chosen.every(({ star }) => star);
      this.words.textContent = several ? `${many(chosen.length)} selected` : trashed ? `${many(total)} in the trash, each for 30 days` : total ? many(total) : "";
      const here = several ? (trashed ? ["restore", "purge", "none"] : ["star", "tag", "move", "pack", "trash", "none"]) : trashed && total ? ["empty"] : [];
      if (several && !trashed && chosen.every(({ medium }) => medium === "picture")) here.push("panel");
      if (several && !trashed && chosen.length >= 2 && chosen.length <= 4) here.push("compare");
      for (const [name, made] of Object.entries(this.buttons)) made.hidden = !here.includes(name);
      this.buttons.star.textContent = this.starred ? "Remove star" : "Star";
      this.group.hidden = !here.length;
      if (!here.length) this.#close(false);
    }

    // One sentence; `back`, a function, takes back what it says.
    say(sentence, { error = false, back = null } = {}) {
      this.back = back;
      this.said.classList.toggle("error", error);
      this.said.replaceChildren(sentence, ...(back ? [" ", button("Undo", () => this.undo(), { title: "Undo (Ctrl+Z)" })] : []));
    }

    undo() {
      const { back } = this;
      this.back = null;
      if (back) back();
      return Boolean(back);
    }

    #open(words, fields, acts) {
      const heading = element("p", { text: words, id: `library-asked-${(lists += 1)}` });
      const close = button("Cancel", () => this.#close(true));
      this.before = document.activeElement;
      this.form.replaceChildren(element("form", { role: "dialog", "aria-labelledby": heading.id }, heading, ...fields, ...acts, close));
      this.form.hidden = false;
      const form = this.form.firstChild;
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        acts[0].click();
      });
      form.addEventListener("keydown", (event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        this.#close(true);
      });
      (fields[0]?.querySelector?.("input:not([type=checkbox])") ?? acts[0]).focus();
    }

    #close(back) {
      if (this.form.hidden) return;
      this.form.hidden = true;
      this.form.replaceChildren();
      if (back) this.before?.focus();
    }

    #done(act) {
      return () => {
        act();
        this.#close(true);
      };
    }

    #field(name, known) {
      const options = element("datalist", { id: `library-known-${(lists += 1)}` }, ...known.map((value) => element("option", { value })));
      const input = element("input", { type: "text", maxLength: 60, list: options.id, autocomplete: "off" });
      return { input, label: element("label", {}, element("span", { text: name }), input, options) };
    }

    #tag() {
      const { input, label } = this.#field("Tag", this.acts.known("tag"));
      const act = (on) => this.#done(() => input.value.trim() && this.acts.tag(input.value.trim(), on));
      this.#open(`Tag ${many(this.chosen.length)}`, [label], [button("Add tag", act(true)), button("Remove tag", act(false))]);
    }

    #move() {
      const { input, label } = this.#field("Project", this.acts.known("project"));
      this.#open(`Move ${many(this.chosen.length)} to a project; leave it empty for none`, [label], [button("Move", this.#done(() => this.acts.move(input.value.trim())))]);
    }

    #pack() {
      const bare = element("input", { type: "checkbox" });
      const label = element("label", { className: "check" }, bare, element("span", { text: "Private: without prompts and records" }));
      this.#open(`Export ${many(this.chosen.length)} as a zip`, [label], [button("Export", this.#done(() => this.acts.pack(bare.checked)))]);
    }

    #purge() {
      this.#open(`Delete ${many(this.chosen.length)} for good? Nothing brings them back.`, [], [button("Delete for good", this.#done(() => this.acts.purge()))]);
    }

    #empty() {
      this.#open("Empty the trash? All that is in it is deleted for good, also what a filter hides. Nothing brings it back.", [], [
        button("Empty trash", this.#done(() => this.acts.emptyTrash())),
      ]);
    }
  }

  shared.Line = Line;
})();
