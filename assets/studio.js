// The page's own script: keys, the attribution pointer, and the autosave of drafts. No library, no network.
(() => {
  "use strict";
  const seen = (element) => element && element.offsetParent !== null;
  const press = (selector) => {
    const button = [...document.querySelectorAll(selector)].map((e) => (e.tagName === "BUTTON" ? e : e.querySelector("button"))).find(seen);
    if (button) button.click();
    return Boolean(button);
  };

  // Ctrl+Enter runs and Esc stops, in whichever tab is open.
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && press(".run")) {
      event.preventDefault();
      event.stopImmediatePropagation();
    } else if (event.key === "Escape" && !document.querySelector("dialog[open], [role=listbox]")) press(".stop");
  }, true);

  // Arrow keys choose within a group of radio buttons: each of Gradio's has a name of its own, so the browser sees no group.
  const WAYS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  document.addEventListener("keydown", (event) => {
    const way = WAYS[event.key];
    const one = event.target;
    if (!way || !(one instanceof HTMLInputElement) || one.type !== "radio") return;
    const group = [...(one.closest("fieldset")?.querySelectorAll("input[type=radio]:not(:disabled)") ?? [])].filter(seen);
    const next = group[(group.indexOf(one) + way + group.length) % group.length];
    if (!next || next === one) return;
    event.preventDefault();
    next.focus();
    next.click();
  });

  // A file dropped beside its target must not make the browser leave the page.
  for (const kind of ["dragover", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    });
  }

  // The part of a picture under the pointer, read from an invisible map: the grey value is the number of the part.
  const maps = new WeakMap();
  const mapOf = (image) => {
    if (!maps.has(image)) {
      const map = new Image();
      maps.set(image, null);
      map.onload = () => {
        const canvas = document.createElement("canvas");
        canvas.width = map.naturalWidth;
        canvas.height = map.naturalHeight;
        const context = canvas.getContext("2d", { willReadFrequently: true });
        context.drawImage(map, 0, 0);
        maps.set(image, { context, width: canvas.width, height: canvas.height });
      };
      map.src = image.dataset.map;
    }
    return maps.get(image);
  };
  document.addEventListener("pointermove", (event) => {
    const image = event.target instanceof Element && event.target.closest("img.mapped");
    if (!image) return;
    const map = mapOf(image);
    const line = image.closest(".parts")?.querySelector(".part");
    if (!map || !line) return;
    const box = image.getBoundingClientRect();
    const x = Math.min(map.width - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * map.width)));
    const y = Math.min(map.height - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * map.height)));
    const part = map.context.getImageData(x, y, 1, 1).data[0];
    line.textContent = JSON.parse(image.dataset.parts)[part] || "Background";
  });

  // A draft is saved two seconds after the last key.
  let wait;
  document.addEventListener("input", (event) => {
    if (!(event.target instanceof Element) || !event.target.closest(".draft")) return;
    clearTimeout(wait);
    wait = setTimeout(() => document.querySelector("#save-draft")?.click(), 2000);
  });
})();
