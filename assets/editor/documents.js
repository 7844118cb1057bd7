// The list of documents: open, begin, name and remove one, with a way back. Knows rows {id, title, changed, words, machine}; knows no text.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});
  const { element, button, moment, many } = window.atelierLibrary;

  // What a document without a title is called.
  shared.titled = (title) => title || "Untitled";

  const row = (one, current, acts) => {
    const open = element("button", { type: "button", className: "open", "aria-current": String(one.id === current), data: { id: one.id } },
      element("span", { className: "name", dir: "auto", text: shared.titled(one.title) }),
      element("span", { className: "when", text: `${many(one.words, "word")} · ${Math.round(100 * one.machine)} % machine · ${moment(one.changed)}` }));
    open.addEventListener("click", () => acts.open(one.id));
    const named = shared.titled(one.title);
    const rename = button("Rename", () => ask(made, one, acts), { "aria-label": `Rename ${named}`, className: "words small" });
    const remove = button("Remove", () => acts.remove(one), { "aria-label": `Remove ${named}`, className: "words small" });
    const made = element("li", {}, open, element("div", { className: "acts" }, rename, remove));
    return made;
  };

  const ask = (made, one, acts) => {
    const input = element("input", { type: "text", maxLength: 200, value: one.title, "aria-label": "New title", dir: "auto" });
    const form = element("form", { className: "naming" }, input, element("button", { type: "submit", className: "words small", text: "Rename" }), button("Cancel", () => acts.show(one.id), { className: "words small" }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      acts.rename(one.id, input.value.trim());
    });
    made.replaceChildren(form);
    input.select();
    input.focus();
  };

  // Fills `body`; acts: open(id), fresh(), rename(id, title), remove(row), show(id).
  shared.documents = (body, rows, current, acts, focus = "") => {
    const list = element("ul", { className: "documents", "aria-label": "Documents" }, ...rows.map((one) => row(one, current, acts)));
    body.replaceChildren(button("New document", acts.fresh, { className: "words fresh" }), list);
    shared.arrows(list, ".open");
    if (focus) (list.querySelector(`[data-id="${focus}"]`) ?? body.querySelector(".fresh")).focus();
  };
})();
