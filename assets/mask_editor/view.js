// What the mask editor shows: the picture, the mask over it, and guides over both, at any zoom. Three canvases of the stage's size, so
// that the work per frame depends on the screen and not on the picture. Knows no tool.
(() => {
  "use strict";
  const shared = (window.atelierMask ??= {});

  const SHARPEST = 2; // canvas pixels per CSS pixel at most: more costs time and shows nothing
  const SMALL = 2048; // longer side of the copy that is drawn while zoomed out, and searched by colour
  const DEEPEST = 32; // CSS pixels per picture pixel
  const TINT = [146, 62, 224]; // violet: rarest in photographs
  const STRENGTH = 0.55;

  // Colours of a mask value as canvas words (little-endian RGBA).
  const word = (r, g, b, a) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;
  const tints = Uint32Array.from({ length: 256 }, (_, value) => word(...TINT, Math.round(value * STRENGTH)));
  const WHITE = word(255, 255, 255, 255);
  const BLACK = word(20, 16, 24, 255);

  class View {
    constructor(stage) {
      this.stage = stage;
      [this.picture, this.overlay, this.guide] = ["picture", "overlay", "guide"].map((name) => stage.querySelector(`.${name}`));
      this.ratio = 1; // canvas pixels per CSS pixel
      this.zoom = 1; // canvas pixels per picture pixel
      this.x = 0; // canvas place of the picture's upper left corner
      this.y = 0;
      this.margins = { left: 0, right: 0, top: 0, bottom: 0 };
      this.mask = null;
      this.full = null;
      this.small = null;
      this.fitted = true;
      this.guides = () => {}; // (context, view): draws what tools show
      this.pending = new Set();
      new ResizeObserver(() => this.resize()).observe(stage);
    }

    // --- what is shown -------------------------------------------------------------------------------------------------------

    // `full` and `small` are ImageBitmaps of the picture, which is mask.width x mask.height pixels whatever their sizes are.
    show(full, small, mask) {
      this.full = full;
      this.small = small;
      this.mask = mask;
      mask.onchange = (...box) => this.changed(box);
      this.resize();
      this.fit();
    }

    // The copy that is searched by colour, as ImageData.
    colours() {
      const canvas = new OffscreenCanvas(this.small.width, this.small.height);
      const context = canvas.getContext("2d");
      context.drawImage(this.small, 0, 0);
      return context.getImageData(0, 0, canvas.width, canvas.height);
    }

    frame(margins) {
      this.margins = margins;
      if (this.mask) this.fit();
    }

    // --- places --------------------------------------------------------------------------------------------------------------

    // Picture coordinates of a pointer.
    place(event) {
      const box = this.guide.getBoundingClientRect();
      return [((event.clientX - box.left) * this.ratio - this.x) / this.zoom, ((event.clientY - box.top) * this.ratio - this.y) / this.zoom];
    }

    // Canvas coordinates of a place in the picture.
    at(x, y) {
      return [this.x + x * this.zoom, this.y + y * this.zoom];
    }

    resize() {
      if (!this.mask || !this.stage.clientWidth) return;
      const { left, right, top, bottom } = this.margins;
      const shape = (this.mask.height + top + bottom) / (this.mask.width + left + right);
      const high = Math.round(Math.min(Math.max(this.stage.clientWidth * shape, 180), Math.max(window.innerHeight * 0.62, 300)));
      this.stage.style.height = `${high + this.stage.offsetHeight - this.stage.clientHeight}px`; // and its border
      this.ratio = Math.min(window.devicePixelRatio || 1, SHARPEST);
      const [wide, tall] = [this.stage.clientWidth, this.stage.clientHeight].map((side) => Math.round(side * this.ratio));
      if (wide !== this.guide.width || tall !== this.guide.height) {
        for (const canvas of [this.picture, this.overlay, this.guide]) Object.assign(canvas, { width: wide, height: tall });
        this.image = this.overlay.getContext("2d").createImageData(wide, tall);
        this.words = new Uint32Array(this.image.data.buffer);
      }
      if (this.fitted) this.fit();
      this.draw("all");
    }

    // --- zoom and pan --------------------------------------------------------------------------------------------------------

    get fitting() {
      const { left, right, top, bottom } = this.margins;
      const inset = left || right || top || bottom ? 0.95 : 1; // a frame is seen better with some room around it
      return inset * Math.min(this.guide.width / (this.mask.width + left + right), this.guide.height / (this.mask.height + top + bottom));
    }

    fit() {
      if (!this.mask) return;
      const { left, right, top, bottom } = this.margins;
      this.zoom = this.fitting;
      this.x = (this.guide.width - (this.mask.width - left + right) * this.zoom) / 2;
      this.y = (this.guide.height - (this.mask.height - top + bottom) * this.zoom) / 2;
      this.fitted = true;
      this.draw("all");
    }

    // Zooms by a factor so that the canvas place (x, y) keeps what is under it.
    zoomBy(factor, x = this.guide.width / 2, y = this.guide.height / 2) {
      const least = this.fitting;
      const zoom = Math.max(least, Math.min(Math.max(DEEPEST * this.ratio, least), this.zoom * factor));
      this.x = x - ((x - this.x) * zoom) / this.zoom;
      this.y = y - ((y - this.y) * zoom) / this.zoom;
      this.zoom = zoom;
      if (zoom === least) this.fit();
      else this.pan(0, 0);
    }

    pan(dx, dy) {
      const room = 48 * this.ratio; // so much of the picture stays in sight
      const hold = (value, size, canvas) => Math.max(room - size * this.zoom, Math.min(canvas - room, value));
      this.x = hold(this.x + dx, this.mask.width, this.guide.width);
      this.y = hold(this.y + dy, this.mask.height, this.guide.height);
      this.fitted = false;
      this.draw("all");
    }

    // Brings a place into sight, a little inside the edge.
    reveal(x, y) {
      const [cx, cy] = this.at(x, y);
      const [w, h] = [this.guide.width, this.guide.height];
      const room = Math.min(24 * this.ratio, w / 4);
      const need = (value, size) => (value < room ? room - value : value > size - room ? size - room - value : 0);
      if (!this.fitted && (need(cx, w) || need(cy, h))) this.pan(need(cx, w), need(cy, h));
    }

    // --- drawing -------------------------------------------------------------------------------------------------------------

    // "all" or "guides"; drawn together before the next frame.
    draw(what) {
      if (!this.pending.size) requestAnimationFrame(() => this.#frame());
      this.pending.add(what);
    }

    changed(box) {
      const waiting = this.changedBox;
      this.changedBox = waiting
        ? [Math.min(box[0], waiting[0]), Math.min(box[1], waiting[1]), Math.max(box[2], waiting[2]), Math.max(box[3], waiting[3])]
        : box;
      this.draw("mask");
    }

    #frame() {
      const wanted = this.pending;
      this.pending = new Set();
      if (!this.mask || !this.words) return;
      if (wanted.has("all")) this.#drawPicture();
      if (wanted.has("all")) this.#drawMask([0, 0, this.mask.width, this.mask.height], true);
      else if (wanted.has("mask")) this.#drawMask(this.changedBox, false);
      this.changedBox = null;
      const context = this.guide.getContext("2d");
      context.clearRect(0, 0, this.guide.width, this.guide.height);
      this.#drawMargins(context);
      this.guides(context, this);
    }

    #drawPicture() {
      const context = this.picture.getContext("2d");
      context.clearRect(0, 0, this.picture.width, this.picture.height);
      const [w, h] = [this.mask.width * this.zoom, this.mask.height * this.zoom];
      const source = w <= this.small.width ? this.small : this.full;
      this.#drawChequers(context, w, h);
      context.imageSmoothingEnabled = this.zoom < 3 * this.ratio; // deep in, pixels are shown as they are
      context.imageSmoothingQuality = "high";
      context.drawImage(source, this.x, this.y, w, h);
    }

    // What shows through transparent pictures.
    #drawChequers(context, w, h) {
      const side = 8 * this.ratio;
      const tile = new OffscreenCanvas(2 * side, 2 * side);
      const pen = tile.getContext("2d");
      for (const [colour, x, y] of [["#fff", 0, 0], ["#d9d9d9", side, 0], ["#d9d9d9", 0, side], ["#fff", side, side]]) {
        pen.fillStyle = colour;
        pen.fillRect(x, y, side, side);
      }
      context.fillStyle = context.createPattern(tile, "repeat");
      context.fillRect(this.x + 1, this.y + 1, w - 2, h - 2); // within the picture's edge, which falls between canvas pixels
    }

    #drawMargins(context) {
      const { left, right, top, bottom } = this.margins;
      if (!(left || right || top || bottom)) return;
      const [x, y] = this.at(-left, -top);
      const size = [(this.mask.width + left + right) * this.zoom, (this.mask.height + top + bottom) * this.zoom];
      shared.dashed(context, this.ratio, () => context.rect(x + 1, y + 1, size[0] - 2, size[1] - 2));
    }

    // The tint and the edge for the part of the canvas that shows `box` of the mask.
    #drawMask(box, whole) {
      const [wide, high] = [this.overlay.width, this.overlay.height];
      const edge = Math.max(1, Math.round(1.25 * this.ratio)); // width of the edge, in canvas pixels
      const dash = Math.round(5 * this.ratio);
      const [ax, ay] = this.at(box[0], box[1]);
      const [bx, by] = this.at(box[2], box[3]);
      const [l, t] = whole ? [0, 0] : [Math.max(0, Math.floor(ax) - edge - 1), Math.max(0, Math.floor(ay) - edge - 1)];
      const [r, b] = whole ? [wide, high] : [Math.min(wide, Math.ceil(bx) + edge + 1), Math.min(high, Math.ceil(by) + edge + 1)];
      if (l >= r || t >= b) return;
      const { live, width, height } = this.mask;
      const columns = new Int32Array(r - l + edge);
      for (let i = 0; i < columns.length; i += 1) columns[i] = this.#index(l + i, this.x, width);
      const half = shared.HALF;
      for (let y = t; y < b; y += 1) {
        const row = this.#index(y, this.y, height);
        const below = this.#index(y + edge, this.y, height);
        for (let x = l, i = 0; x < r; x += 1, i += 1) {
          const value = row < 0 || columns[i] < 0 ? 0 : live[row * width + columns[i]];
          const beside = row < 0 || columns[i + edge] < 0 ? 0 : live[row * width + columns[i + edge]];
          const under = below < 0 || columns[i] < 0 ? 0 : live[below * width + columns[i]];
          const crossing = value >= half !== beside >= half || value >= half !== under >= half;
          this.words[y * wide + x] = crossing ? (Math.floor((x + y) / dash) % 2 ? WHITE : BLACK) : tints[value];
        }
      }
      this.overlay.getContext("2d").putImageData(this.image, 0, 0, l, t, r - l, b - t);
    }

    // The row or column of the mask under a canvas pixel; -1 outside the picture.
    #index(place, start, size) {
      const index = Math.floor((place + 0.5 - start) / this.zoom);
      return index >= 0 && index < size ? index : -1;
    }
  }

  // A line that shows on anything: white under black dashes.
  shared.dashed = (context, ratio, path, dash = 5) => {
    for (const [colour, width, dashes] of [["#fff", 2, []], ["#141018", 2, [dash * ratio, dash * ratio]]]) {
      context.beginPath();
      path();
      context.setLineDash(dashes);
      context.lineWidth = width * ratio;
      context.strokeStyle = colour;
      context.stroke();
    }
    context.setLineDash([]);
  };

  // Both bitmaps that a view shows, of a picture file that the browser can read.
  shared.bitmaps = async (blob) => {
    const full = await createImageBitmap(blob);
    const scale = SMALL / Math.max(full.width, full.height);
    if (scale >= 1) return [full, full];
    const size = { resizeWidth: Math.max(1, Math.round(full.width * scale)), resizeHeight: Math.max(1, Math.round(full.height * scale)) };
    return [full, await createImageBitmap(full, { ...size, resizeQuality: "medium" })];
  };

  shared.View = View;
})();
