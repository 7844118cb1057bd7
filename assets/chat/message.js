// One message of a conversation and its answer, as a list item. Text stays text: whatever a model writes, nothing of it is loaded or run.
// Knows no studio and no document.
(() => {
  "use strict";
  const shared = (window.atelierChat ??= {});
  const { element, button, iconButton } = window.atelierLibrary;

  const SEES = { selection: "about the selection", document: "about the whole document" };

  // What is selected of a text, or all of it.
  const chosen = (node) => {
    const selection = getSelection();
    const inside = selection.rangeCount && !selection.isCollapsed && node.contains(selection.anchorNode) && node.contains(selection.focusNode);
    const part = inside ? selection.toString().trim() : "";
    return part && node.textContent.includes(part) ? part : node.textContent.trim();
  };

  // A press of a button leaves the selection as it is.
  const calm = (made) => {
    made.addEventListener("pointerdown", (event) => event.preventDefault());
    return made;
  };

  const small = (words, act, more = {}) => button(words, act, { className: "words small", ...more });

  // acts: insert(text, creation), copy(text), retry(turn), edit(turn, message), show(id). `number` counts the messages.
  class Message {
    constructor(turn, number, acts) {
      Object.assign(this, { turn, acts });
      const { answer, others, made, message, sees } = turn;
      this.words = element("div", { className: "text", dir: "auto", text: message });
      this.text = element("div", { className: "text", dir: "auto", text: answer });
      this.hint = element("p", { className: "made", text: answer ? made : "" });
      const here = others.indexOf(turn.id);
      const other = (step, words) => iconButton(step < 0 ? "before" : "after", words, () => acts.show(others[here + step]), { disabled: !others[here + step] });
      const branches = others.length > 1 && element("span", { className: "branches", role: "group", "aria-label": `Versions of message ${number}` },
        other(-1, "The version before"), element("span", { text: `${here + 1} of ${others.length}` }), other(1, "The version after"));
      this.own = element("div", { className: "acts" }, small("Edit", () => this.#edit(), { "aria-label": `Edit message ${number}` }), branches || null);
      this.given = element("div", { className: "acts" });
      this.mine = element("div", { className: "mine" }, element("h4", { text: "You" }), sees && element("span", { className: "sees", text: SEES[sees] ?? "" }), this.words, this.own);
      this.node = element("li", { className: "turn" }, this.mine, element("div", { className: "theirs" }, element("h4", { text: "Answer" }), this.text, this.hint, this.given));
      if (answer) this.#answered(number);
      else this.given.append(small("Ask again", () => acts.retry(turn)));
    }

    // While it is written.
    write(text, hint) {
      if (this.text.textContent !== text) this.text.textContent = text;
      this.hint.textContent = hint;
      this.given.replaceChildren();
    }

    #answered(number) {
      const { turn, acts, text } = this;
      this.given.append(
        calm(small("Insert", () => acts.insert(chosen(text), turn.creation), { title: "At the cursor, or over what is selected in the document; only what is selected here, if anything is", "aria-label": `Insert answer ${number}` })),
        calm(small("Copy", () => acts.copy(chosen(text)), { "aria-label": `Copy answer ${number}` })),
        small("Retry", () => acts.retry(turn), { "aria-label": `Write answer ${number} once more` }),
      );
    }

    #edit() {
      const { turn, acts } = this;
      const field = element("textarea", { value: turn.message, rows: 3, "aria-label": "Your message", dir: "auto" });
      const back = () => {
        form.replaceWith(this.words, this.own);
        this.own.querySelector("button").focus();
      };
      const form = element("form", { className: "editing" }, field, element("p", { className: "made", text: "What was said after it stays, as another version." }),
        element("div", { className: "acts" }, element("button", { type: "submit", className: "words small", text: "Send" }), small("Cancel", back)));
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        if (field.value.trim()) acts.edit(turn, field.value.trim());
      });
      field.addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && back());
      this.own.remove();
      this.words.replaceWith(form);
      field.focus();
    }
  }

  shared.Message = Message;
})();
