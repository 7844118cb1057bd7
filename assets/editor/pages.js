// Which document and which version is shown: opening, beginning, naming, removing, going back; and what an earlier page could not save.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});

  const LAST = "atelier-editor-document"; // the id of what was open, in this tab and in this browser

  const WRITING = "A text is being written: stop it first, or wait for its end.";

  const remembered = () => {
    try {
      return sessionStorage.getItem(LAST) ?? localStorage.getItem(LAST) ?? "";
    } catch {
      return "";
    }
  };
  const remember = (shared.remember = (id) => {
    try {
      sessionStorage.setItem(LAST, id);
      localStorage.setItem(LAST, id);
    } catch {
      // a browser that keeps nothing: the newest document is opened
    }
  });

  class Pages {
    constructor(editor) {
      this.editor = editor;
    }

    // The document that was open, with what was not saved of it.
    async first() {
      const { editor } = this;
      const { keep } = editor;
      const back = await this.#recovered(await keep.left());
      for (let wait = 1000; !editor.document; wait = Math.min(2 * wait, 15000)) {
        try {
          await this.open(remembered(), false);
        } catch (error) {
          editor.say(error.message, { error: true });
          await new Promise((done) => setTimeout(done, wait));
        }
      }
      if (back) editor.say(back);
      editor.root.dataset.ready = "true";
    }

    // Each record is a document and changes of it that the studio may not have.
    async #recovered(records) {
      const { editor } = this;
      let said = "";
      for (const record of records) {
        try {
          const { document, base, splices } = record;
          const answer = await editor.asks.ask("change", { document, base, splices, note: "" }).catch((error) => ({ gone: error.message }));
          if (answer.gone?.startsWith("The studio did not answer")) continue; // kept for the next page
          if (answer.branched) said = "What you wrote before this page was closed is back, as a branch of its own: Versions shows both.";
          else if (answer.version && answer.version !== base) said ||= "What you wrote before this page was closed is saved.";
          if (!answer.version && record.text) {
            const { document: fresh } = await editor.asks.ask("new", { title: record.title, text: record.text });
            remember(fresh.id);
            said = "A document could not be saved any more: what you wrote is back as a new one.";
          }
          editor.keep.over(record);
        } catch {
          // kept for the next page
        }
      }
      return said;
    }

    // '' for the newest.
    async open(id, focus = true) {
      const { editor } = this;
      if (editor.edits.stream) throw new Error(WRITING);
      if (editor.document) await editor.keep.flush();
      const answer = await editor.asks.ask("open", { document: id });
      if (!answer.document) {
        if (editor.document) throw new Error(answer.gone);
        remember("");
        return this.open("", focus);
      }
      this.#show(answer.document, focus);
    }

    #show(document, focus) {
      const { editor } = this;
      const { text, spans, ...facts } = document;
      editor.runs.leave();
      editor.document = facts;
      editor.parts.title.value = facts.title;
      editor.keep.begin(facts.id, facts.version);
      editor.edits.adopt({ ...document }, false);
      remember(facts.id);
      editor.link.tell.opened({ document: facts.id, version: facts.version, title: facts.title });
      this.#again();
      if (focus) editor.surface.field.focus({ preventScroll: true });
    }

    // A step through the versions of the document that is open: "undo", "redo" or "go" with its version.
    step(what, data, then) {
      this.turns = (this.turns ?? Promise.resolve()).then(() => this.#step(what, data, then));
      return this.turns;
    }

    async #step(what, data, then) {
      const { editor } = this;
      const { surface, keep, edits } = editor;
      if (edits.stream) return editor.say(WRITING, { error: true });
      try {
        if (keep.dirty) await keep.flush();
        surface.locked = true;
        const { document } = await editor.ask(what, data);
        surface.calm(() => {
          const { text, spans, ...facts } = document;
          editor.document = facts;
          keep.begin(facts.id, facts.version);
          const splice = edits.adopt(document, true);
          then?.(splice);
          this.kept();
          editor.link.tell.kept({ document: facts.id, version: facts.version });
        });
      } catch (error) {
        editor.say(error.message, { error: true });
      } finally {
        surface.locked = false;
      }
    }

    // --- the panel -------------------------------------------------------------------------------------------------------------------

    documents() {
      this.editor.panel.toggle("documents", "Documents", this.editor.parts.documents, () => this.#list());
    }

    versions() {
      this.editor.panel.toggle("versions", "Versions", this.editor.parts.versions, () => this.#tree());
    }

    // Something was saved: a panel that shows it is drawn again.
    kept() {
      if (this.editor.panel.shown !== "versions") return;
      clearTimeout(this.later);
      this.later = setTimeout(() => this.editor.panel.shown === "versions" && this.#tree(), 300);
    }

    #again() {
      const { shown } = this.editor.panel;
      if (shown === "versions") this.#tree();
      if (shown === "documents") this.#list();
    }

    async #tree() {
      const { editor } = this;
      await this.#try(async () => {
        if (editor.keep.dirty) await editor.keep.flush().catch(() => {});
        const { versions } = await editor.ask("tree");
        if (editor.panel.shown !== "versions") return;
        const inside = editor.panel.body.contains(document.activeElement);
        shared.versions(editor.panel.body, versions, editor.document.version, (version) => this.step("go", { version }));
        if (inside) editor.panel.body.querySelector('[tabindex="0"]')?.focus();
      });
    }

    #list(focus = "") {
      return this.#try(async () => {
        const { editor } = this;
        const { documents } = await editor.ask("list");
        if (editor.panel.shown !== "documents") return;
        const acts = {
          open: (id) => this.#try(() => this.open(id)), fresh: () => this.fresh(), show: (id) => this.#list(id),
          rename: (id, title) => this.rename(id, title).then(() => this.#list(id)), remove: (row) => this.remove(row),
        };
        shared.documents(editor.panel.body, documents, editor.document.id, acts, focus);
      });
    }

    fresh() {
      return this.#try(async () => {
        if (this.editor.edits.stream) throw new Error(WRITING);
        await this.editor.keep.flush();
        const { document } = await this.editor.ask("new");
        this.editor.panel.close();
        this.#show(document, true);
      });
    }

    rename(id, title) {
      const { editor } = this;
      return this.#try(async () => {
        await editor.ask("rename", { document: id, title });
        if (id !== editor.document.id) return;
        editor.document.title = editor.parts.title.value = title;
        editor.link.tell.opened({ document: id, version: editor.document.version, title });
      });
    }

    remove({ id, title }) {
      const { editor } = this;
      return this.#try(async () => {
        if (editor.edits.stream) throw new Error(WRITING);
        await editor.keep.flush();
        await editor.ask("remove", { document: id });
        if (id === editor.document.id) await this.open("", false);
        await this.#list(editor.document.id);
        editor.say(`“${shared.titled(title)}” is in the trash for 30 days.`, { back: () => this.#restore(id) });
      });
    }

    #restore(id) {
      return this.#try(async () => {
        await this.editor.ask("restore", { document: id });
        await this.open(id);
        this.editor.say("The document is back.");
      });
    }

    async #try(act) {
      try {
        await act();
      } catch (error) {
        this.editor.say(error.message, { error: true });
      }
    }
  }

  shared.Pages = Pages;
})();
