// The chat beside the document: its conversations, what is said in the one that is shown, and the field for the next message.
// Talks to the document through window.atelierEditor; knows no model.
(() => {
  "use strict";
  const shared = (window.atelierChat ??= {});
  const { element, button } = window.atelierLibrary;

  const LOOK = 700; // milliseconds after the last key until the tokens are counted anew
  const NEAR = 80; // pixels from the end within which it is followed
  const MOST = 60001; // characters of a message of which the tokens are counted
  const KEPT = "atelier-chat"; // the conversation that was shown, by document

  const editor = () => window.atelierEditor?.current?.() ?? null;
  const remembered = () => {
    try {
      return JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
    } catch {
      return {};
    }
  };

  class Chat {
    // `link`: tell.ask, tell.go, tell.follow, tell.look and tell.halt raise events of the component.
    constructor(root, link) {
      Object.assign(this, { root, link, chats: [], chat: "", turns: [], shown: [], document: "", busy: false });
      this.asks = new window.atelierLibrary.Asks((data) => link.tell.ask(data));
      this.#build();
      this.#opened(editor()?.document?.id ?? "");
    }

    #build() {
      const small = (words, act, more = {}) => button(words, act, { className: "words small", ...more });
      this.list = element("select", { "aria-label": "Conversation" });
      this.list.addEventListener("change", () => this.#load("open", { chat: this.list.value }));
      this.kept = [small("Rename", () => this.#naming(), { "aria-label": "Rename this conversation" }), small("Delete", () => this.#leaving(), { "aria-label": "Delete this conversation" })];
      this.head = element("div", { className: "head" }, this.list, small("New", () => this.#load("new").then(() => this.field.focus()), { "aria-label": "New conversation" }), ...this.kept);
      this.turn = element("ol", { className: "turns" });
      this.log = element("div", { className: "log", role: "log", tabIndex: 0, "aria-label": "What was said", hidden: true }, this.turn);
      this.field = element("textarea", { rows: 2, placeholder: "Ask about the text, or about anything", "aria-label": "Message", dir: "auto" });
      this.sees = element("select", { "aria-label": "What it sees of the document" },
        ...[["", "Sees nothing"], ["selection", "Sees the selection"], ["document", "Sees the document"]].map(([value, text]) => element("option", { value, text })));
      this.count = element("select", { "aria-label": "Answers at once" }, ...[1, 2, 3, 4].map((value) => element("option", { value, text: value === 1 ? "1 answer" : `${value} answers` })));
      this.send = element("button", { type: "submit", className: "words primary", text: "Send" });
      this.halt = small("Stop", () => this.link.tell.halt({}), { className: "words", hidden: true, title: "Stop (Esc)" });
      this.count.className = "few";
      this.said = element("p", { className: "said", role: "status" });
      const form = element("form", { className: "saying" }, this.field, element("div", { className: "acts" }, this.sees, this.count, this.send, this.halt));
      this.root.replaceChildren(this.head, this.log, form, this.said);
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.#say();
      });
      this.field.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        this.#say();
      });
      // Before the page's own, which presses Write.
      window.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.target !== this.field) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        this.#say();
      }, true);
      this.field.addEventListener("input", () => this.#look());
      this.sees.addEventListener("change", () => this.#look(0));
      this.#drawn();
    }

    // --- what the studio tells ---------------------------------------------------------------------------------------------------------

    show(value) {
      if (!value) return;
      if (value.number !== undefined) this.asks.answered(value);
      if (value.document !== undefined) this.#opened(value.document);
      if (value.run) this.#run(value.run);
    }

    #opened(id) {
      if (!id || id === this.document) return;
      this.document = id;
      this.#load("open", { chat: remembered()[id] ?? "" });
    }

    #run(run) {
      const waiting = this.waiting;
      if (!waiting) return;
      if (run.error) {
        this.#over();
        this.#tell(run.error, true);
        if (!this.field.value) this.field.value = waiting.message;
        return this.#load("open", { chat: this.chat });
      }
      const [first = ""] = run.takes;
      const more = run.takes.length > 1 ? `${run.takes.length} answers so far` : "";
      this.#follow(() => waiting.node.write(first, more));
      if (!run.over) return;
      this.#over();
      if (run.turn && !run.takes.length && !this.field.value) this.field.value = waiting.message;
      this.#load("open", { chat: this.chat });
    }

    // --- what is asked of it -----------------------------------------------------------------------------------------------------------

    async #load(what, data = {}) {
      const { document } = this;
      try {
        const answer = await this.asks.ask(what, { document, chat: this.chat, ...data });
        if (document !== this.document) return;
        if (answer.chats) this.chats = answer.chats;
        Object.assign(this, { chat: answer.chat, turns: answer.turns });
        try {
          sessionStorage.setItem(KEPT, JSON.stringify({ ...remembered(), [document]: answer.chat }));
        } catch {
          // a browser that keeps nothing shows the newest one
        }
        this.#drawn(answer.writing);
        this.#look(0);
      } catch (error) {
        this.#tell(error.message, true);
      }
    }

    #say() {
      const message = this.field.value.trim();
      if (this.busy) return this.#tell("An answer is being written: stop it first, or wait for its end.", true);
      if (!message) return this.#tell("Say something first.", true);
      this.field.value = "";
      this.#go(this.turns.at(-1)?.id ?? "", message, this.sees.value);
    }

    // Sends a message behind `parent`; what stood there before stays as another version.
    async #go(parent, message, sees, again = false) {
      if (this.busy) return this.#tell("An answer is being written: stop it first, or wait for its end.", true);
      this.#tell("");
      this.#begin(message, sees, parent);
      try {
        const place = await this.#place();
        if (!this.chat) {
          const { chats, chat } = await this.asks.ask("new", { document: this.document });
          Object.assign(this, { chats, chat });
        }
        this.link.tell.go({ ...place, chat: this.chat, parent, message, sees, count: Number(this.count.value), again });
      } catch (error) {
        this.#over();
        if (!this.field.value) this.field.value = message;
        this.#drawn();
        this.#tell(error.message, true);
      }
    }

    // What is selected in the document, once the studio has its text.
    async #place(flush = true) {
      const open = editor();
      if (!open?.document) return { document: this.document, start: 0, end: 0 };
      if (flush) await open.keep.flush();
      return { document: this.document, ...open.surface.selection };
    }

    #look(wait = LOOK) {
      clearTimeout(this.later);
      this.later = setTimeout(async () => {
        const data = { ...(await this.#place(false)), chat: this.chat, parent: this.turns.at(-1)?.id ?? "", message: this.field.value.slice(0, MOST), sees: this.sees.value };
        if (this.document && (data.message || this.turns.length)) this.link.tell.look(data);
      }, wait);
    }

    #insert(text, creation) {
      const open = editor();
      if (!open?.document || open.edits.stream) return this.#tell("A text is being written in the document: stop it first, or wait for its end.", true);
      const { start, end } = open.surface.selection;
      if (start < end) open.replace({ text, creation }, "Chat", { start, end });
      else open.insert({ text, creation }, "Chat", null);
      this.#tell("It is in the document; Undo there takes it out again.");
    }

    async #copy(text) {
      const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
      this.#tell(done ? "Copied." : "The browser does not let this page copy: select the text and copy it yourself.", !done);
    }

    // --- conversations -----------------------------------------------------------------------------------------------------------------

    #naming() {
      const now = this.chats.find(({ id }) => id === this.chat)?.title ?? "";
      const input = element("input", { type: "text", maxLength: 200, value: now, "aria-label": "New name", dir: "auto" });
      this.#instead(input, "Rename", () => this.#load("rename", { title: input.value.trim() }));
      input.select();
    }

    #leaving() {
      this.#instead(element("p", { text: "Delete this conversation? Its answers stay in the library." }), "Delete", () => this.#load("remove"));
    }

    // A question in the place of the list of conversations.
    #instead(asked, words, act) {
      const back = () => {
        form.replaceWith(this.head);
        this.list.focus();
      };
      const form = element("form", { className: "head" }, asked, element("button", { type: "submit", className: "words small", text: words }), button("Cancel", back, { className: "words small" }));
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        back();
        act();
      });
      form.addEventListener("keydown", (event) => event.key === "Escape" && back());
      this.head.replaceWith(form);
      (form.querySelector("input") ?? form.querySelector("button")).focus();
    }

    // --- what is shown -----------------------------------------------------------------------------------------------------------------

    #begin(message, sees, parent) {
      const before = parent ? this.turns.findIndex(({ id }) => id === parent) + 1 : 0;
      const turn = { id: "", parent, message, sees, answer: "", creation: "", others: [], made: "" };
      this.turns = this.turns.slice(0, before);
      this.#rows([...this.turns, turn]);
      this.#writing(this.shown.at(-1), message);
    }

    #writing(node, message) {
      this.waiting = { node, message };
      this.busy = true;
      node.write("", "Thinking …");
      this.#buttons();
      this.log.scrollTop = this.log.scrollHeight;
    }

    #over() {
      this.busy = false;
      this.waiting = null;
      this.#buttons();
    }

    #drawn(writing = false) {
      const named = ({ id, title }) => element("option", { value: id, text: title || "New conversation" });
      this.list.replaceChildren(...(this.chats.length ? this.chats.map(named) : [element("option", { value: "", text: "No conversation yet" })]));
      this.list.value = this.chat;
      for (const one of this.kept) one.disabled = !this.chat;
      if (this.busy) return;
      this.#follow(() => this.#rows(this.turns));
      const last = this.turns.at(-1);
      if (!writing || !last) return;
      this.#writing(this.shown.at(-1), last.message);
      this.link.tell.follow({ chat: this.chat, document: this.document });
    }

    #rows(turns) {
      const acts = {
        insert: (text, creation) => this.#insert(text, creation), copy: (text) => this.#copy(text), show: (turn) => this.#load("show", { turn }),
        retry: (turn) => this.#go(turn.parent, turn.message, turn.sees, true), edit: (turn, message) => this.#go(turn.parent, message, turn.sees),
      };
      this.shown = turns.map((turn, number) => new shared.Message(turn, number + 1, acts));
      this.turn.replaceChildren(...this.shown.map(({ node }) => node));
      this.log.hidden = !turns.length;
    }

    // What is drawn at the end stays in sight if the end was in sight.
    #follow(draw) {
      const { log } = this;
      const near = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
      draw();
      if (near) log.scrollTop = log.scrollHeight;
    }

    #buttons() {
      this.log.setAttribute("aria-busy", String(this.busy));
      this.send.hidden = this.busy;
      this.halt.hidden = !this.busy;
    }

    #tell(words, error = false) {
      this.said.classList.toggle("error", error);
      this.said.textContent = words;
    }
  }

  shared.attach = (root, link) => {
    const chat = new Chat(root.querySelector(".chat"), link);
    link.watch("value", () => chat.show(link.props.value));
  };
})();
