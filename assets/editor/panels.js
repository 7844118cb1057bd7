// Places for what is beside the text: one panel at its side, and small windows at a word or a button. Knows no document.
(() => {
  "use strict";
  const shared = (window.atelierEditor ??= {});
  const { element, iconButton } = window.atelierLibrary;

  let open = []; // what Escape closes, the last first

  // Before the page's own Escape, which stops a run.
  window.addEventListener("keydown", (event) => {
    open = open.filter(({ node }) => node.isConnected);
    const top = open.at(-1);
    if (event.key !== "Escape" || !top || event.isComposing) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    top.close();
  }, true);

  // The panel at the side: its content changes, its place stays.
  class Panel {
    // `laid()` is told when it comes or goes.
    constructor(root, laid) {
      this.laid = laid;
      this.heading = element("h3", { tabIndex: -1 });
      this.body = element("div", { className: "inside" });
      this.node = element("section", { className: "panel", hidden: true }, element("header", {}, this.heading, iconButton("close", "Close", () => this.close())), this.body);
      root.append(this.node);
      this.shown = "";
    }

    // `by` is the button that opens it, and closes it when pressed again.
    toggle(name, words, by, fill) {
      if (this.shown === name) return this.close();
      this.by?.setAttribute("aria-expanded", "false");
      Object.assign(this, { shown: name, by });
      this.heading.textContent = words;
      this.node.setAttribute("aria-label", words);
      this.node.dataset.name = name;
      by.setAttribute("aria-expanded", "true");
      this.body.replaceChildren();
      this.node.hidden = false;
      this.laid();
      open = [...open.filter((one) => one !== this), this];
      this.heading.focus({ preventScroll: true });
      fill(this.body);
    }

    close() {
      open = open.filter((one) => one !== this);
      if (!this.shown) return;
      this.node.hidden = true;
      this.laid();
      this.shown = "";
      this.by.setAttribute("aria-expanded", "false");
      if (this.node.contains(document.activeElement) || document.activeElement === document.body) this.by.focus();
    }
  }

  // A small window under a rectangle, over all else within `root`; gone when something else is pressed.
  class Window {
    constructor(root, node, { at, back }) {
      Object.assign(this, { node, back });
      node.classList.add("window");
      root.append(node);
      const [box, own] = [root.getBoundingClientRect(), node.getBoundingClientRect()];
      const left = Math.max(0, Math.min(at.left - box.left, box.width - own.width));
      const under = at.bottom + own.height + 8 < innerHeight || at.top - own.height < 0;
      node.style.left = `${left}px`;
      node.style.top = `${(under ? at.bottom + 6 : at.top - own.height - 6) - box.top}px`;
      this.away = (event) => node.contains(event.target) || this.close(false);
      setTimeout(() => this.node.isConnected && document.addEventListener("pointerdown", this.away, true));
      node.addEventListener("focusout", (event) => event.relatedTarget && !node.contains(event.relatedTarget) && this.close(false));
      open.push(this);
    }

    close(back = true) {
      document.removeEventListener("pointerdown", this.away, true);
      open = open.filter((one) => one !== this);
      if (this.node.isConnected) this.node.remove();
      if (back) this.back?.();
    }
  }

  // Other words in a place that has words: its text node stays, since for a new one the browser looks at every paragraph's style again.
  shared.write = (node, words) => {
    if (!node.firstChild) node.append("");
    if (node.firstChild.data !== words) node.firstChild.data = words;
  };

  // Arrow keys go through what `selector` finds in `node`; Home and End to its ends.
  shared.arrows = (node, selector) =>
    node.addEventListener("keydown", (event) => {
      const all = [...node.querySelectorAll(selector)];
      const here = all.indexOf(document.activeElement);
      const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[event.key];
      if (to === undefined || here < 0) return;
      event.preventDefault();
      all[(to + all.length) % all.length]?.focus();
    });

  Object.assign(shared, { Panel, Window });
})();
