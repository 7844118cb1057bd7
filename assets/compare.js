// Keys for the divider between before and after: Gradio's own listens to pointers alone. Arrow keys move it, Home and End show one side.
(() => {
  "use strict";
  const STEP = 0.05; // share of the width
  const WAYS = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, Home: -1, End: 1 };

  const share = (handle) => {
    const [outer, line] = [handle.parentElement, handle.querySelector(".inner")].map((part) => part.getBoundingClientRect());
    return outer.width ? (line.left + line.width / 2 - outer.left) / outer.width : 0.5;
  };

  const told = (handle) => handle.setAttribute("aria-valuenow", String(Math.round(100 * Math.min(1, Math.max(0, share(handle))))));

  // As a pointer would drag it there.
  const moved = (handle, by) => {
    const wide = handle.parentElement.getBoundingClientRect().width;
    const box = handle.querySelector(".icon-wrap").getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    const at = (kind, left, target) => target.dispatchEvent(new MouseEvent(kind, { clientX: left, clientY: y, view: window, bubbles: true, cancelable: true }));
    at("mousedown", x, handle);
    at("mousemove", x + by * wide, window);
    at("mouseup", x + by * wide, window);
    setTimeout(() => told(handle), 50); // once it is drawn
  };

  const named = () => {
    for (const handle of document.querySelectorAll(".slider-wrap [data-testid=slider]:not([tabindex])")) {
      const facts = { tabindex: 0, role: "slider", "aria-label": "Divider between before and after", "aria-valuemin": 0, "aria-valuemax": 100 };
      for (const [name, value] of Object.entries(facts)) handle.setAttribute(name, value);
      told(handle);
    }
  };

  document.addEventListener("keydown", (event) => {
    const handle = event.target;
    if (!(event.key in WAYS) || !(handle instanceof Element) || !handle.matches(".slider-wrap [data-testid=slider]")) return;
    event.preventDefault();
    moved(handle, WAYS[event.key]);
  });
  new MutationObserver(named).observe(document.documentElement, { childList: true, subtree: true });
})();
