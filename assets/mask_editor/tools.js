// What hands do in the mask editor: pointers, touch, wheel and keys, and the tools they lead. Changes the mask and the view; knows
// nothing of files or servers.
(() => {
  "use strict";
  const shared = (window.atelierMask ??= {});

  const NAMES = { brush: "Brush", eraser: "Eraser", rectangle: "Rectangle", ellipse: "Ellipse", lasso: "Lasso", flood: "Flood" };
  const KEYS = { b: "brush", e: "eraser", r: "rectangle", o: "ellipse", l: "lasso", f: "flood" };
  const ACTIONS = { i: "invert", s: "subject", "+": "into", "=": "into", "-": "out", 0: "fit", delete: "clear", backspace: "clear" };
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const SECOND_FINGER = 350; // ms in which a second finger turns a touch into a zoom and takes back what the first has painted
  const LIGHTEST = 0.05; // share of the brush that the lightest touch of a pen leaves
  const PEN_ERASER = 32; // the bit of `buttons`, and 5 as `button`, for the other end of a pen
  const JOIN = 1200; // ms in which moves of the mask by keys are one step

  class Tools {
    // `editor` has root, parts, view, mask (or null), act(name) and stepped().
    constructor(editor) {
      this.editor = editor;
      this.parts = editor.parts;
      this.view = editor.view;
      this.name = "brush";
      this.size = 40;
      this.pointers = new Map(); // what touches the canvas: id -> event
      this.cursor = null; // where keys or the mouse point, in picture coordinates
      this.box = null; // the last rectangle, as [left, top, right, bottom]
      this.#start();
      this.#listen();
      this.view.guides = (context) => this.#guides(context);
      this.choose("brush");
    }

    get words() {
      return this.#brushes ? `${NAMES[this.name]}, ${this.size} px.` : `${NAMES[this.name]}.`;
    }

    get busy() {
      return this.stroke !== null || Boolean(this.shape);
    }

    get #brushes() {
      return this.name === "brush" || this.name === "eraser";
    }

    choose(name) {
      this.cancel();
      this.name = name;
      for (const button of this.parts.tools.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", button.dataset.tool === name);
      this.parts["size-row"].hidden = !this.#brushes;
      this.parts["tolerance-row"].hidden = name !== "flood";
      this.parts["away-row"].hidden = this.#brushes;
      this.editor.stepped();
      this.view.draw("guides");
    }

    // For a new picture: sizes that suit it.
    fitted(mask) {
      this.cancel();
      this.#start();
      this.largest = Math.max(64, Math.round(Math.max(mask.width, mask.height) / 3));
      this.resize(Math.max(4, Math.round(Math.max(mask.width, mask.height) / 24)));
    }

    #start() {
      this.cursor = null;
      this.box = null;
      this.last = null; // where the last stroke ended
      this.stroke = null;
      this.shape = null;
      this.drag = null;
      this.gesture = null;
    }

    resize(size) {
      this.size = Math.max(1, Math.min(this.largest ?? 500, Math.round(size)));
      this.parts.size.value = (100 * Math.log(this.size)) / Math.log(this.largest ?? 500);
      this.#shown();
    }

    // --- brush and eraser ----------------------------------------------------------------------------------------------------

    // `event` is what led it, where a pen may have pressed more or less, or with its other end.
    #brush(from, to, event = null) {
      const hardness = this.parts.hardness.value / 100;
      const away = this.name === "eraser" || Boolean(event && event.buttons & PEN_ERASER);
      const now = this.#tip(event);
      this.editor.mask.line(...from, ...to, now.radius, hardness, now.opacity, away, this.stroke !== null ? this.tip : now);
      this.last = to;
      this.tip = now;
    }

    // Radius and opacity of the brush under a pen's pressure. A pen that cannot feel it says 0.5 all the time, and counts as pressed fully.
    #tip(event) {
      const tip = { radius: this.size / 2, opacity: this.parts.opacity.value / 100 };
      const scaled = this.parts.pressure.value;
      if (!scaled || event?.pointerType !== "pen") return tip;
      this.feels ||= ![0, 0.5, 1].includes(event.pressure);
      if (this.feels) tip[scaled] = Math.max(scaled === "radius" ? 0.5 : 0, tip[scaled] * Math.max(LIGHTEST, event.pressure));
      return tip;
    }

    // --- shapes --------------------------------------------------------------------------------------------------------------

    #begin(place, away) {
      this.shape = { points: [place, place], value: away || this.parts.away.checked ? 0 : 255 };
    }

    #finish() {
      const { points, value } = this.shape;
      const { mask } = this.editor;
      const [[ax, ay], [bx, by]] = [points[0], points.at(-1)];
      const box = [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
      this.shape = null;
      if (this.name === "lasso") {
        if (points.length > 2) mask.polygon(points, value);
      } else if (box[2] - box[0] >= 1 && box[3] - box[1] >= 1) {
        mask[this.name](...box, value);
        if (this.name === "rectangle" && value) this.box = box.map(Math.round);
      }
      this.#step();
    }

    #flood([x, y], away) {
      const { mask } = this.editor;
      if (x < 0 || y < 0 || x >= mask.width || y >= mask.height) return;
      mask.flood(this.editor.colours(), x, y, Number(this.parts.tolerance.value), away || this.parts.away.checked ? 0 : 255);
      this.#step();
    }

    #step() {
      if (this.editor.mask.commit()) this.editor.changed();
      this.editor.stepped();
      this.view.draw("guides");
    }

    // Takes back what is only half done.
    cancel() {
      if (this.stroke !== null) this.editor.mask.revert();
      this.stroke = null;
      this.shape = null;
      this.view.draw("guides");
    }

    // --- pointers ------------------------------------------------------------------------------------------------------------

    #listen() {
      const { guide } = this.view;
      const on = (name, handle) => guide.addEventListener(name, (event) => this.editor.mask && handle(event), { passive: false });
      on("pointerdown", (event) => this.#down(event));
      on("pointermove", (event) => this.#moved(event));
      on("pointerup", (event) => this.#up(event));
      on("pointercancel", (event) => this.#lost(event));
      on("pointerleave", () => this.#hover(null));
      on("wheel", (event) => this.#wheel(event));
      on("dblclick", (event) => event.preventDefault());
      on("blur", () => {
        this.space = false;
        this.#hover(null);
      });
      this.editor.root.addEventListener("keydown", (event) => this.editor.mask && this.#key(event));
      this.editor.root.addEventListener("keyup", (event) => this.editor.mask && this.#keyUp(event));
      this.parts.size.addEventListener("input", () => {
        this.size = Math.max(1, Math.round((this.largest ?? 500) ** (this.parts.size.value / 100)));
        this.#shown();
      });
      for (const name of ["hardness", "opacity", "tolerance"]) this.parts[name].addEventListener("input", () => this.#shown());
    }

    #down(event) {
      event.preventDefault();
      this.view.guide.focus({ preventScroll: true });
      this.view.guide.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, event);
      if (this.pointers.size === 2) return this.#pinch();
      if (this.pointers.size > 2 || this.gesture) return;
      if (event.button === 1 || this.space) this.drag = event;
      else if (event.button === 0 || event.button === 5) this.#press(event);
    }

    #press(event) {
      const place = this.view.place(event);
      this.pressed = performance.now();
      if (this.name === "flood") return this.#flood(place, event.altKey);
      if (this.#brushes) {
        this.#brush(event.shiftKey && this.last ? this.last : place, place, event);
        this.stroke = event.pointerId;
      } else {
        this.#begin(place, event.altKey || Boolean(event.buttons & PEN_ERASER));
        this.stroke = event.pointerId;
      }
    }

    #moved(event) {
      if (this.pointers.has(event.pointerId)) this.pointers.set(event.pointerId, event);
      if (this.gesture) return this.#pinched();
      if (this.drag) return this.#dragged(event);
      const place = this.view.place(event);
      if (this.stroke === event.pointerId && this.#brushes) {
        for (const each of every(event)) this.#brush(this.last, this.view.place(each), each);
      } else if (this.stroke === event.pointerId) this.#drawn(event, place);
      this.#hover(event.pointerType === "touch" ? null : place);
    }

    #drawn(event, place) {
      const { points } = this.shape;
      if (this.name === "lasso") points.push(...every(event).map((each) => this.view.place(each)));
      else points[1] = event.shiftKey ? square(points[0], place) : place;
      this.view.draw("guides");
    }

    #up(event) {
      this.pointers.delete(event.pointerId);
      if (this.gesture) {
        if (!this.pointers.size) this.gesture = null;
      } else if (this.drag) this.drag = null;
      else if (this.stroke === event.pointerId) {
        this.stroke = null;
        if (this.shape) this.#finish();
        else this.#step();
      }
    }

    #lost(event) {
      if (this.stroke === event.pointerId) this.cancel();
      this.#up(event);
    }

    #dragged(event) {
      this.spaceUsed = true;
      this.view.pan((event.clientX - this.drag.clientX) * this.view.ratio, (event.clientY - this.drag.clientY) * this.view.ratio);
      this.drag = event;
    }

    // A second finger: what the first has just painted was not meant.
    #pinch() {
      if (this.stroke !== null) {
        if (this.shape || performance.now() - this.pressed < SECOND_FINGER) this.cancel();
        else {
          this.stroke = null;
          this.#step();
        }
      }
      this.drag = null;
      this.gesture = this.#spread();
    }

    #pinched() {
      if (this.pointers.size < 2) return;
      const now = this.#spread();
      this.view.pan(now.x - this.gesture.x, now.y - this.gesture.y);
      this.view.zoomBy(now.size / this.gesture.size, now.x, now.y);
      this.gesture = now;
      this.editor.zoomed();
    }

    #spread() {
      const box = this.view.guide.getBoundingClientRect();
      const [a, b] = [...this.pointers.values()];
      const { ratio } = this.view;
      return {
        x: ((a.clientX + b.clientX) / 2 - box.left) * ratio,
        y: ((a.clientY + b.clientY) / 2 - box.top) * ratio,
        size: Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)),
      };
    }

    // The wheel zooms once the picture was pressed on (or with Ctrl, which is what a trackpad's pinch sends); before, it scrolls the page.
    #wheel(event) {
      if (!event.ctrlKey && !event.metaKey && document.activeElement !== this.view.guide) return;
      event.preventDefault();
      const box = this.view.guide.getBoundingClientRect();
      const notches = event.deltaY * (event.deltaMode === 1 ? 16 : 1) * (event.ctrlKey ? 4 : 1);
      const { ratio } = this.view;
      this.view.zoomBy(Math.exp(-notches / 400), (event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio);
      this.editor.zoomed();
    }

    #hover(place) {
      this.cursor = place;
      this.byKeys = false;
      this.view.draw("guides");
    }

    // --- keys ----------------------------------------------------------------------------------------------------------------

    #key(event) {
      const written = event.target instanceof HTMLInputElement && event.target.type !== "range" && event.target.type !== "checkbox";
      const typing = written || event.target instanceof HTMLSelectElement;
      if (typing || event.defaultPrevented) return;
      const key = event.key.toLowerCase();
      if (event.ctrlKey || event.metaKey) {
        const wider = { arrowup: 1, arrowdown: -1 }[key];
        if (wider && event.target === this.view.guide) this.#nudge((mask) => mask.grow(wider * (event.shiftKey ? 10 : 1)));
        else if (key === "z" || key === "y") this.editor.act(key === "y" || event.shiftKey ? "redo" : "undo");
        else return;
      } else if (event.target === this.view.guide && this.#onCanvas(event)) {
        // done there
      } else if (event.altKey) return;
      else if (KEYS[key]) this.choose(KEYS[key]);
      else if (ACTIONS[key]) this.editor.act(ACTIONS[key]);
      else if (key === "[" || key === "]") this.resize(key === "]" ? Math.max(this.size + 1, this.size * 1.15) : this.size / 1.15);
      else return;
      event.preventDefault();
    }

    // Keys that mean something only on the picture; false for all others.
    #onCanvas(event) {
      const arrow = ARROWS[event.key];
      if (event.key === "Escape") this.cancel(); // and on to the page, where it stops a run
      if (arrow && event.altKey) this.#nudge((mask) => mask.move(...arrow.map((way) => way * (event.shiftKey ? 10 : 1))));
      else if (arrow) this.#point(arrow, event.shiftKey);
      else if (event.key === "Enter") this.#mark(event);
      else if (event.key === " ") {
        if (!event.repeat) [this.space, this.spaceUsed] = [true, false];
        this.view.guide.classList.add("moving");
      } else return false;
      return true;
    }

    // Space held with a drag moves the picture; pressed alone it marks, as Enter does.
    #keyUp(event) {
      if (event.key !== " " || !this.space) return;
      this.space = false;
      this.view.guide.classList.remove("moving");
      if (event.target !== this.view.guide) return;
      event.preventDefault();
      if (!this.spaceUsed && this.stroke === null && !this.drag) this.#mark(event);
    }

    #point([dx, dy], slow) {
      const { mask } = this.editor;
      const step = slow ? 1 : Math.max(1, (12 * this.view.ratio) / this.view.zoom);
      const [x, y] = this.cursor ?? [mask.width / 2 - dx * step, mask.height / 2 - dy * step];
      this.byKeys = true;
      this.cursor = [Math.max(0, Math.min(mask.width - 1, x + dx * step)), Math.max(0, Math.min(mask.height - 1, y + dy * step))];
      if (this.shape && this.name !== "lasso") this.shape.points[1] = this.cursor;
      this.view.reveal(...this.cursor);
      this.view.draw("guides");
    }

    #mark(event) {
      if (!this.cursor) return this.#point([0, 0], false);
      const place = [...this.cursor];
      if (this.#brushes) {
        this.#brush(event.shiftKey && this.last ? this.last : place, place);
        this.#step();
      } else if (this.name === "flood") this.#flood(place, event.altKey);
      else if (!this.shape) this.#begin(place, event.altKey);
      else if (this.name === "lasso") this.#corner(place);
      else {
        this.shape.points[1] = place;
        this.#finish();
      }
      this.view.draw("guides");
    }

    // A lasso by keys: each mark is a corner; the same place twice closes it.
    #corner(place) {
      const [x, y] = this.shape.points.at(-1);
      if (Math.hypot(place[0] - x, place[1] - y) < 0.5 && this.shape.points.length > 3) this.#finish();
      else this.shape.points.push(place);
    }

    // Moves, grows or shrinks the mask by one key; what follows at once is the same step.
    #nudge(change) {
      const { mask } = this.editor;
      change(mask);
      const joined = performance.now() - (this.shifted ?? -JOIN) < JOIN && mask.revision === this.shiftedAt;
      if (mask.commit(joined)) this.editor.changed();
      [this.shifted, this.shiftedAt] = [performance.now(), mask.revision];
      this.editor.stepped();
    }

    // --- what tools show -----------------------------------------------------------------------------------------------------

    #shown() {
      const show = (name, value, words) => {
        this.parts[`${name}-shown`].textContent = words;
        this.parts[name].setAttribute("aria-valuetext", words);
      };
      show("size", this.size, `${this.size} px`);
      for (const name of ["hardness", "opacity"]) show(name, 0, `${this.parts[name].value} %`);
      show("tolerance", 0, this.parts.tolerance.value);
      this.editor.stepped();
      this.view.draw("guides");
    }

    #guides(context) {
      const { ratio } = this.view;
      if (this.shape) shared.dashed(context, ratio, () => this.#outline(context));
      if (!this.cursor) return;
      const [x, y] = this.view.at(...this.cursor);
      const radius = this.#brushes ? Math.max(2 * ratio, (this.size / 2) * this.view.zoom) : 0;
      shared.ringed(context, ratio, () => {
        if (radius) context.arc(x, y, radius, 0, 2 * Math.PI);
        if (!this.byKeys) return; // the mouse has a cursor of its own
        for (const [dx, dy] of Object.values(ARROWS)) {
          context.moveTo(x + dx * 3 * ratio, y + dy * 3 * ratio);
          context.lineTo(x + dx * 14 * ratio, y + dy * 14 * ratio);
        }
      });
    }

    #outline(context) {
      const points = this.shape.points.map((point) => this.view.at(...point));
      const [[ax, ay], [bx, by]] = [points[0], points.at(-1)];
      if (this.name === "rectangle") context.rect(ax, ay, bx - ax, by - ay);
      else if (this.name === "ellipse") context.ellipse((ax + bx) / 2, (ay + by) / 2, Math.abs(bx - ax) / 2, Math.abs(by - ay) / 2, 0, 0, 2 * Math.PI);
      else {
        context.moveTo(ax, ay);
        for (const [x, y] of points) context.lineTo(x, y);
        if (this.stroke === null && this.cursor) context.lineTo(...this.view.at(...this.cursor));
      }
    }
  }

  // All places that a pointer went through since the last event: the browser hands over one event a frame.
  const every = (event) => {
    const events = event.getCoalescedEvents?.() ?? [];
    return events.length ? events : [event];
  };

  // The corner that makes a square or a circle.
  const square = ([ax, ay], [bx, by]) => {
    const side = Math.max(Math.abs(bx - ax), Math.abs(by - ay));
    return [ax + Math.sign(bx - ax) * side, ay + Math.sign(by - ay) * side];
  };

  // A thin line with a light rim: shows on anything.
  shared.ringed = (context, ratio, path) => {
    for (const [colour, width] of [["rgba(255, 255, 255, 0.9)", 3], ["#141018", 1.25]]) {
      context.beginPath();
      path();
      context.lineWidth = width * ratio;
      context.strokeStyle = colour;
      context.stroke();
    }
  };

  shared.Tools = Tools;
})();
