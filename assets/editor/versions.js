// The versions of a document as a tree: the line that leads to what is shown, newest first, and each branch indented where it leaves it.
// Knows rows {id, parent, created, note, origin, added, removed, excerpt}; knows no text.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});
  const { element, button, moment } = window.atelierLibrary;

  const DEEPEST = 6; // levels that are indented
  const DID = { human: "Written by you", machine: "Written by a model", edited: "Edited by you" };

  // Rows in the order of the list, each with its depth: branches stand above the version that they leave.
  const laid = (versions, head) => {
    const known = new Map(versions.map((one) => [one.id, { ...one, children: [] }]));
    const roots = [];
    for (const one of known.values()) (known.get(one.parent)?.children ?? roots).push(one);
    const line = new Set();
    for (let at = known.get(head); at; at = known.get(at.parent)) line.add(at.id);
    const rows = [];
    const work = [...roots].reverse().map((one) => [one, 0]); // from the oldest on; turned round at the end
    while (work.length) {
      const [one, depth] = work.pop();
      rows.push({ ...one, depth });
      const main = one.children.find(({ id }) => line.has(id)) ?? one.children.at(-1);
      if (main) work.push([main, depth]);
      for (const child of one.children) if (child !== main) work.push([child, depth + 1]);
    }
    return rows.reverse();
  };

  const row = (one, head) => {
    const current = one.id === head;
    const counts = element("span", { className: "counts" }, one.added ? element("span", { className: "added", text: `+${one.added.toLocaleString()}` }) : null,
      one.removed ? element("span", { className: "removed", text: `−${one.removed.toLocaleString()}` }) : null);
    const words = one.note || (one.parent ? DID[one.origin] : "Beginning") || DID.human;
    const made = element("li", { role: "treeitem", tabIndex: -1, "aria-level": one.depth + 1, "aria-selected": String(current), data: { id: one.id, origin: one.origin } },
      element("div", { className: "line" }, element("span", { className: "did", text: words }), counts),
      element("div", { className: "when", text: `${moment(one.created)}${current ? " · shown now" : ""}` }),
      one.excerpt ? element("div", { className: "excerpt", dir: "auto", text: one.excerpt }) : null);
    made.style.setProperty("--depth", Math.min(one.depth, DEEPEST));
    return made;
  };

  // Fills `body`; `go(id)` shows a version.
  shared.versions = (body, versions, head, go) => {
    const rows = laid(versions, head).map((one) => row(one, head));
    const list = element("ul", { className: "tree", role: "tree", "aria-label": "Versions of this document" }, ...rows);
    const back = button("Go back to this", () => go(chosen().dataset.id), { hidden: true });
    const chosen = () => list.querySelector('[tabindex="0"]');
    const choose = (one) => {
      for (const other of list.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
      one.tabIndex = 0;
      one.append(back);
      back.hidden = one.dataset.id === head;
    };
    choose(rows.find(({ dataset }) => dataset.id === head) ?? rows[0]);
    list.addEventListener("focusin", ({ target }) => target.role === "treeitem" && choose(target));
    list.addEventListener("click", ({ target }) => target !== back && target.closest("li")?.focus());
    list.addEventListener("keydown", (event) => {
      if (event.target === back || event.key !== "Enter" || chosen().dataset.id === head) return;
      event.preventDefault();
      go(chosen().dataset.id);
    });
    shared.arrows(list, "li");
    body.replaceChildren(element("p", { className: "hint", text: "Nothing is ever lost: going back keeps what came after as a branch." }), list);
    chosen()?.scrollIntoView({ block: "nearest" });
  };
})();
