// Documents of the writing tab that a search found: a line for each above the grid, which opens it there. Knows no items.
(() => {
  "use strict";
  const shared = (window.atelierLibrary ??= {});
  const { element, many } = shared;

  const LEAD = "library-leads-to-writing";

  const row = ({ id, title, words, changed, excerpt }) => {
    const open = element("button", { type: "button", className: "document", data: { id } },
      element("span", { className: "name", dir: "auto", text: title || "Untitled" }),
      element("span", { className: "excerpt", dir: "auto", text: excerpt }),
      element("span", { className: "fact", text: `${many(words, "word")} · ${shared.moment(changed)}` }));
    open.addEventListener("click", () => {
      window.atelierEditor?.show?.(id);
      document.getElementById(LEAD)?.click();
    });
    return element("li", {}, open);
  };

  class Documents {
    constructor() {
      this.root = element("section", { className: "found-documents", hidden: true, "aria-label": "Documents found" });
    }

    // What the studio found: {rows, note}, or nothing.
    show({ rows = [], note = "" } = {}) {
      this.root.hidden = !rows.length && !note;
      const head = element("h3", { text: rows.length ? `${many(rows.length, "document")} in Writing` : "Documents in Writing" });
      this.root.replaceChildren(head, element("ul", {}, ...rows.map(row)), note && element("p", { text: note }));
    }
  }

  shared.Documents = Documents;
})();
